"""What a run would be, before it is run: arms, trials, memory, and the time that a short calibration predicts."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data
from sweep.learning.data.splits import prepare, table_of
from sweep.learning.data.tables import told
from sweep.learning.training.loop import train
from sweep.learning.training.minibatches import EVALUATION_BLOCK
from sweep.learning.training.settings import Settings
from sweep.search.choosing.samplers import Balanced, Joint
from sweep.search.running import race, suitable
from sweep.search.running.ledger import Asked, Ledger, reported
from sweep.search.running.loop import sampler_of, total_trials
from sweep.search.running.records import Curves, Record
from sweep.search.running.workers import shares, workers_to_start
from sweep.search.study_file.spec import Spec

CALIBRATION_EPOCHS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a run.

    Times are in seconds: `training` is one trial's on one core, stacked; `asking` what the parent needs for one trial
    (ask, report, tell) in the middle of the study; `total` the predicted time, start-up aside. `memory` is in bytes a
    worker, `shared` that of the samples, which the workers of one machine have together; `samples` are those of the
    training, validation and test part; `splits` are those that a trial is judged on, `judged` the trainings on fresh
    seeds that follow the trials, at the most. `data` is what was understood of
    them (`sweep.learning.data.tables.told`).
    """

    study: str
    arms: int
    trials: int
    generation: int
    samples: tuple[int, int, int]
    parameters: int
    workers: int
    rows: int
    memory: int
    shared: int
    training: float
    asking: float
    splits: int
    judged: int
    total: float
    data: dict[str, Any]


def make(spec: Spec, workers: int) -> Plan:
    """Work the plan of a study out.

    The prediction takes each worker and the parent for a process that shares the cores; trials that diverge, and stop,
    make the run faster than predicted.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    data = prepare(spec.source(), spec.study.seed, spec.splits)
    settings, trials = spec.settings(), total_trials(spec)
    suitable.check(spec, data.facts)
    configurations = _first_generation(spec, min(spec.study.generation or 1, trials))
    share = shares(configurations, workers, settings.trainings, settings.population(data))[0]
    training = _training_seconds([configurations[i] for i in share], data, settings, spec.study.seed)
    asking = _asking_seconds(spec, trials // 2)
    cores = min(workers_to_start(None), workers + 1)
    judged = race.trainings(spec, trials)
    judging = judged * training / settings.trainings / min(cores, workers)
    architecture = settings.architecture(data)
    rows = len(share) * settings.trainings
    parts = data.facts.samples
    itemsize = np.dtype(settings.dtype).itemsize
    shared = settings.splits * itemsize * sum(parts) * (data.inputs + 1 + data.outputs)  # in the network's layout
    return Plan(
        study=spec.study.name,
        arms=len(spec.space().arms),
        trials=trials,
        generation=len(configurations),
        samples=parts,
        parameters=architecture.parameters,
        workers=workers,
        rows=rows,
        memory=rows * architecture.bytes_per_row(max(settings.batch_size, EVALUATION_BLOCK)),
        shared=shared,
        training=training,
        asking=asking,
        splits=settings.splits,
        judged=judged,
        total=trials * max(asking, training / workers, (asking + training) / cores) + judging,
        data=told.of(table_of(spec.source()), spec.source().label).data(),
    )


def _first_generation(spec: Spec, size: int) -> list[Configuration]:
    """Random configurations, the arms taking turns."""
    ledger = _in_memory(spec, Balanced)
    return [ledger.ask(number, 0).configuration for number in range(size)]


def _in_memory(spec: Spec, kind: type[Joint]) -> Ledger:
    """A study of the same space that nobody keeps."""
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(storage=storage)
    sampler = kind(spec.space(), spec.study.seed, spec.study.generation or 1)
    return Ledger(study, storage, sampler, spec.study.objective, reported(spec.network.epochs, spec.rungs()))


def _training_seconds(chosen: list[Configuration], data: Data, settings: Settings, seed: int) -> float:
    """One trial's time in a population like those of the run: a few epochs, the second time (the first compiles)."""
    epochs = min(CALIBRATION_EPOCHS, settings.epochs)
    elapsed = 0.0
    for _ in range(2):
        started = time.perf_counter()
        train(chosen, data, replace(settings, epochs=epochs), seed)
        elapsed = time.perf_counter() - started
    return elapsed / len(chosen) / epochs * settings.epochs


def _asking_seconds(spec: Spec, history: int) -> float:
    """The parent's time for one trial when `history` trials are finished: a generation is asked and told in memory."""
    size = spec.study.generation or 1
    ledger = _in_memory(spec, Balanced)
    for number in range(-(-history // size) * size):
        _tell(ledger, ledger.ask(number, number // size), _flat(spec, number % 7))
    first = len(ledger.trials())
    ledger.sampler = ledger.study.sampler = sampler_of(spec)
    started = time.perf_counter()
    for number in range(first, first + size):
        _tell(ledger, ledger.ask(number, first // size), _flat(spec, 1))
    return (time.perf_counter() - started) / size


def _flat(spec: Spec, value: float) -> Curves:
    """Curves that do not move."""
    return Curves({name: np.full((1, spec.network.epochs + 1), float(value)) for name in spec.settings().curves})


def _tell(ledger: Ledger, asked: Asked, curves: Curves) -> None:
    """Tell made-up curves."""
    ledger.tell(
        asked,
        Record(
            asked.number, "complete", asked.arm, asked.configuration, 0, 0, curves.ends()[ledger.objective],
            epochs=curves.shape[1] - 1, curves=curves,
        ),
    )  # fmt: skip
