"""The loop of a study: ask, train, record, tell.

The parent process alone talks to Optuna and writes. Trials are asked in generations; the next generation is asked while
one trains, so a proposal never waits, and knows all results but the newest generation's. Trial ``n`` belongs to
generation ``n // size``; neither depends on how many workers there are, when they finish, or how often the run was
killed. A generation is recorded (tables) before it is told (storage), so whatever the storage knows, the tables have.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import optuna
from optuna.trial import FrozenTrial

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.splits import prepare
from sweep.search.ledger import WORST, Asked, Ledger
from sweep.search.records import Curves, Progress, Record
from sweep.search.samplers import IN_FLIGHT, SAMPLERS, Balanced, Joint, grid_size
from sweep.search.spec import Spec
from sweep.search.storage import OpenStorage
from sweep.search.workers import Finished, Handle, Job, Pool, shares


@dataclass(frozen=True)
class Hooks:
    """What the loop tells others: tables to write, progress to show, and whether it is to stop."""

    record: Callable[[int, Sequence[Record]], None]
    notify: Callable[[Progress], None] = lambda progress: None
    stopping: Callable[[], bool] = lambda: False


def total_trials(spec: Spec) -> int:
    """How many trials the study has in the end: as many as asked for, but a grid has no more than its combinations."""
    if spec.study.sampler == "grid" and spec.study.mode == "optimize":
        return min(spec.study.trials, grid_size(spec.space()))
    return spec.study.trials


def sampler_of(spec: Spec) -> Joint:
    """Who proposes the trials of a study."""
    choose = Balanced if spec.study.mode == "compare" else SAMPLERS[spec.study.sampler]
    assert spec.study.generation is not None, "a Spec is completed when it is read"
    return choose(spec.space(), spec.study.seed, spec.study.generation)


def open_study(spec: Spec, storage: OpenStorage, fingerprint: str) -> optuna.Study:
    """Make the study in the storage, or find it there, with the same seed and the same data (by their fingerprint).

    Raises
    ------
    UsageError
        The storage has a study of this name with another seed or other data.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage.storage, study_name=spec.study.name, load_if_exists=True, direction="minimize"
    )
    if study.metric_names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([spec.study.objective.replace("_", " ")])
        study.set_user_attr("question", spec.study.question)
        study.set_user_attr("seed", spec.study.seed)
        study.set_user_attr("data", fingerprint)
        storage.commit()
    for name, now in (("seed", spec.study.seed), ("data", fingerprint)):
        before = study.user_attrs.get(name)
        if before != now:
            raise UsageError(
                f"storage {storage.address}: its study {spec.study.name!r} has {name} {before}, this one {now}: "
                "use --fresh, another --storage, or another name under [study]"
            )
    return study


@dataclass
class _Generation:
    """A generation in training: its trials, and the jobs that train them."""

    number: int
    trials: list[Asked]
    jobs: list[tuple[list[int], Handle]] = field(default_factory=list)


class StudyLoop:
    """One run of a study, from where it stands to its total."""

    def __init__(self, spec: Spec, study: optuna.Study, storage: OpenStorage, pool: Pool, hooks: Hooks) -> None:
        self.spec, self.storage, self.pool, self.hooks = spec, storage, pool, hooks
        assert spec.study.generation is not None, "a Spec is completed when it is read"
        self.size = spec.study.generation
        self.rows = spec.settings().population(prepare(spec.source(), spec.study.seed))
        self.ledger = Ledger(study, storage.storage, sampler_of(spec), spec.study.objective)
        self.progress = Progress(total_trials(spec))

    def run(self, timeout: float | None = None) -> Progress:
        """Go on until the total is reached, `timeout` seconds have passed, or the hooks say stop.

        When stopping, what trains is finished and told, and jobs that nobody has begun are taken back. The generation
        that would have been asked meanwhile is still asked, for a later one would know more: it stays running in the
        storage, and the next run trains it. So a stopped and resumed study proposes what it would have proposed.
        """
        try:
            self._run(np.inf if timeout is None else time.monotonic() + timeout)
        finally:
            self.storage.commit()
        return self.progress

    def _run(self, deadline: float) -> None:
        in_flight = self._resume()
        asked = len(self.ledger.trials())
        if in_flight and asked % self.size and asked < self.progress.total:
            # Killed while it asked a generation: ask the rest before anything more becomes known.
            asked = self._ask(in_flight[-1], asked)
        for generation in in_flight:
            self._submit(generation)
        self.hooks.notify(self.progress)
        while in_flight or asked < self.progress.total:
            stopping = self.hooks.stopping() or time.monotonic() > deadline
            if stopping and not (in_flight and in_flight[0].jobs):
                break
            if len(in_flight) < IN_FLIGHT and asked < self.progress.total:
                in_flight.append(_Generation(asked // self.size, []))
                asked = self._ask(in_flight[-1], asked)
                self._submit(in_flight[-1], hand_over=not stopping)
            else:
                self._finish(in_flight.popleft())

    def _resume(self) -> deque[_Generation]:
        """Count what is finished; gather what was asked and not finished, generation by generation."""
        unfinished: dict[int, list[FrozenTrial]] = {}
        for trial in self.ledger.trials():
            if trial.state.is_finished():
                self.progress.count(self._known(trial))
            else:
                unfinished.setdefault(trial.number // self.size, []).append(trial)
        self.progress.done_before = self.progress.done
        found: deque[_Generation] = deque()
        for number, trials in sorted(unfinished.items()):
            found.append(_Generation(number, [self.ledger.again(trial) for trial in trials]))
        return found

    def _known(self, trial: FrozenTrial) -> Record:
        """A trial of an earlier run, as far as counting needs it."""
        state = "diverged" if "diverged_at" in trial.user_attrs else "complete"
        configuration = self.ledger.again(trial).configuration
        return Record(trial.number, state, configuration, self.spec.study.seed, trial.number // self.size, trial.value)

    def _ask(self, generation: _Generation, first: int) -> int:
        """Ask for the trials of a generation from number `first` on; return the number of the next one."""
        end = min((generation.number + 1) * self.size, self.progress.total)
        generation.trials += [self.ledger.ask(number, generation.number) for number in range(first, end)]
        return end

    def _submit(self, generation: _Generation, *, hand_over: bool = True) -> None:
        """Record the generation as running and hand its jobs to the workers (or leave them to the next run)."""
        records = [
            Record(trial.number, "running", trial.configuration, self.spec.study.seed, generation.number)
            for trial in generation.trials
        ]
        self.hooks.record(generation.number, records)
        self.storage.commit()
        if not hand_over:
            return
        configurations = [trial.configuration for trial in generation.trials]
        for chosen in shares(configurations, self.pool.workers, self.spec.study.replicates, self.rows):
            job = self.job([configurations[i] for i in chosen])
            generation.jobs.append((chosen, self.pool.submit(job)))

    def job(self, configurations: Sequence[Configuration]) -> Job:
        """The training of some configurations."""
        return Job(self.spec.source(), self.spec.settings(), self.spec.study.seed, tuple(configurations))

    def _finish(self, generation: _Generation) -> None:
        """Wait for a generation, record it and tell it, in the order of the trials' numbers.

        What is told becomes durable with the next generation that is submitted, or at the end.
        """
        finished: dict[int, Record] = {}
        for chosen, handle in generation.jobs:
            if self.hooks.stopping() and handle.cancel():
                continue
            result = handle.result()
            for place, index in enumerate(chosen):
                finished[index] = self._record(generation, index, result, place)
                self.progress.count(finished[index])
            self.hooks.notify(self.progress)
        records = [finished[index] for index in sorted(finished)]
        self.hooks.record(generation.number, records)
        for index in sorted(finished):
            self.ledger.tell(generation.trials[index], finished[index])
        self.progress.mark()

    def _record(self, generation: _Generation, index: int, result: Finished, place: int) -> Record:
        curves = Curves.of(result.training, place)
        diverged_at = int(result.training.diverged_at[place])
        running = Record(
            generation.trials[index].number,
            "complete" if diverged_at < 0 else "diverged",
            generation.trials[index].configuration,
            self.spec.study.seed,
            generation.number,
        )
        return replace(
            running,
            objective=self._objective(curves, diverged_at),
            epochs=int(result.training.epochs[place]),
            diverged_at=diverged_at if diverged_at > 0 else None,
            seconds=(result.finished - result.started) / len(result.training.epochs),
            started=result.started,
            finished=result.finished,
            curves=curves,
        )

    def _objective(self, curves: Curves, diverged_at: int) -> float:
        """The number that the study makes small: mean over replicates, after the last epoch or at the best one.

        For a diverged trial: between two and `WORST` times the value before training (at least 1), the worse the
        earlier it diverged. Finite and bounded, so that a sampler learns from it and a plot can show it.
        """
        mean = curves.mean(self.spec.study.objective)
        if diverged_at > 0:
            return float((WORST - diverged_at / self.spec.network.epochs) * max(mean[0], 1.0))
        return float(mean.min() if self.spec.study.at == "best" else mean[-1])
