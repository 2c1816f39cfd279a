"""What a run would be, before it is run: arms, trials, memory, and the time that a short calibration predicts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import optuna

from sweep.learning.splits import prepare
from sweep.learning.training import train
from sweep.search.samplers import balanced
from sweep.search.spec import Spec
from sweep.search.study import total_trials
from sweep.search.workers import MOST_ROWS, shares

CALIBRATION_EPOCHS = 2


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of a run; times in seconds, memory in bytes a worker."""

    study: str
    arms: int
    trials: int
    generation: int
    samples: tuple[int, int, int]
    parameters: int
    workers: int
    rows: int
    memory: int
    seconds_per_trial: float
    seconds: float

    def lines(self) -> Iterator[tuple[str, str]]:
        """The plan in words."""
        from sweep.terminal import duration

        train_part, validation_part, test_part = self.samples
        yield "arms", f"{self.arms} (optimizer x schedule)"
        yield "trials", f"{self.trials}, in generations of {self.generation}"
        yield (
            "data",
            f"{train_part} training, {validation_part} validation, {test_part} test samples (test is not used)",
        )
        yield "network", f"{self.parameters} parameters"
        yield "workers", f"{self.workers}, up to {self.rows} networks stacked in each"
        yield "memory", f"about {self.memory / 2**20:.0f} MB a worker for the networks and the data"
        yield "one trial", f"{1e3 * self.seconds_per_trial:.1f} ms (calibrated just now, stacked, one core)"
        yield "training time", f"about {duration(self.seconds)}"


def make(spec: Spec, workers: int) -> Plan:
    """Work the plan of a study out; trains a few configurations for a moment to time them.

    The calibration trains one worker's share of a generation, twice (the first time compiles), for a few epochs. Trials
    that diverge make the run faster than predicted.
    """
    data = prepare(spec.source(), spec.study.seed)
    settings, space = spec.settings(), spec.space()
    architecture = settings.architecture(data)
    generation = spec.study.generation or 1
    trials = total_trials(spec)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    draw = balanced(space, spec.study.seed)
    configurations = []
    for number in range(min(generation, trials)):
        study.sampler = draw(number)
        configurations.append(space.suggest(study.ask()))
    share = shares(configurations, workers, settings.replicates)[0]
    chosen = [configurations[i] for i in share]
    epochs = min(CALIBRATION_EPOCHS, settings.epochs)
    for _ in range(2):
        started = time.perf_counter()
        train(chosen, data, replace(settings, epochs=epochs), spec.study.seed)
        elapsed = time.perf_counter() - started
    per_trial = elapsed / len(chosen) / epochs * settings.epochs
    rows = min(MOST_ROWS, len(chosen) * settings.replicates)
    parts = tuple(len(part) for part in (data.train, data.validation, data.test))
    samples = 8 * sum(parts) * (data.inputs + data.outputs) * 2
    return Plan(
        study=spec.study.name,
        arms=len(space.arms),
        trials=trials,
        generation=generation,
        samples=(parts[0], parts[1], parts[2]),
        parameters=architecture.parameters,
        workers=workers,
        rows=rows,
        memory=rows * architecture.bytes_per_row(max(settings.batch_size, 512)) + samples,
        seconds_per_trial=per_trial,
        seconds=per_trial * trials / workers,
    )
