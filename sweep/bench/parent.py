"""What the parent process costs a trial: ask, report, tell and record, with the training left out.

A real `StudyLoop` on a journal file, with real tables, and a pool that returns made-up curves at once. The time of a
generation is that from its last notice to the next one's, in which one generation is recorded and told and one asked;
what the pool itself takes is not counted.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sweep.bench.machine import megabytes
from sweep.bench.timing import Timing
from sweep.learning.data.splits import prepare
from sweep.learning.training.loop import Training
from sweep.results.tables.tables import Tables
from sweep.search.running.loop import Hooks, StudyLoop, open_study
from sweep.search.running.records import Progress, Record
from sweep.search.running.workers import Finished, Handle, Job
from sweep.search.storage.storage import open_for_writing
from sweep.search.study_file import catalogue
from sweep.search.study_file import spec as specs
from sweep.search.study_file.spec import Spec

STUDY = "quickstart"  # all optimizers, eight schedules, 30 epochs: 48 arms
SAMPLERS = ("random", "qmc", "tpe")
FINISHED = (500, 2_000, 10_000)
QUICK_FINISHED = (100, 300)
WORKERS = 2
FEWEST = 3  # generations that a median is taken over, at least
SHARE = 0.1  # of the trials, before and at the number that is asked for: the others of the window


@dataclass(frozen=True)
class Cost:
    """The cost of a trial after so many finished ones; `timing` and `tables` (writing them alone) in ms a trial."""

    finished: int
    timing: Timing
    tables: Timing


@dataclass(frozen=True)
class Parent:
    """One sampler's costs, and the most memory that its process ever had, in megabytes."""

    sampler: str
    trials: int
    costs: list[Cost]
    peak_megabytes: float


class MadeUp:
    """A pool that trains nothing: curves that fall to a value set by the learning rate and by chance."""

    def __init__(self) -> None:
        self.workers = WORKERS
        self.spent = 0.0  # seconds
        self._random = np.random.default_rng(0)

    def equip(self, job: Job) -> None:
        """Nothing is trained on them."""

    def submit(self, job: Job) -> Handle:
        """Make the curves up at once."""
        started = time.perf_counter()
        future: Future[Finished] = Future()
        now = time.time()
        future.set_result(Finished(self._training(job), now, now))
        self.spent += time.perf_counter() - started
        return future

    def close(self, *, now: bool = False) -> None:
        """Nothing to let go."""

    def _training(self, job: Job) -> Training:
        trials, epochs = len(job.configurations), job.settings.epochs
        rates = np.array([configuration.learning_rate for configuration in job.configurations])
        ends = 0.05 + 0.1 * np.log10(rates / 0.01) ** 2 + 0.02 * self._random.random(trials)
        share = np.linspace(1.0, 0.0, epochs + 1)
        loss = (ends[:, None] + (2.3 - ends[:, None]) * share)[:, None]
        return Training(
            curves={
                "learning_rate": np.broadcast_to(rates[:, None, None], loss.shape),
                "train_loss": loss,
                "validation_loss": loss,
                "validation_error": np.minimum(loss, 1.0),
            },
            epochs=np.full(trials, epochs),
            diverged_at=np.full(trials, -1),
            parameters=np.zeros((trials, 1, 1)),
            effective_rate=np.empty((*loss.shape, 0)),
        )


@dataclass
class Clock:
    """Notes when generations end, and what writing their tables took."""

    pool: MadeUp
    size: int
    tables: Tables
    ends: list[tuple[int, float]] = field(default_factory=list)  # finished trials, seconds without the pool's
    writing: list[float] = field(default_factory=list)  # seconds, up to each of these ends
    _written: float = 0.0

    def record(self, generation: int, records: Sequence[Record]) -> None:
        """Write tables, and time it."""
        started = time.perf_counter()
        self.tables.record(generation, records)
        self._written += time.perf_counter() - started

    def notify(self, progress: Progress) -> None:
        """Note the end of a generation."""
        if progress.done and progress.done % self.size == 0:
            self.ends.append((progress.done, time.perf_counter() - self.pool.spent))
            self.writing.append(self._written)

    def around(self, finished: int) -> Cost:
        """The cost of a trial in the generations that end with about this many finished trials."""
        done = np.array([count for count, _ in self.ends])
        last = int(np.searchsorted(done, finished)) + 1
        first = min(int(np.searchsorted(done, (1 - SHARE) * finished)), last - FEWEST - 1)
        chosen = slice(max(first, 0), last + 1)

        def per_trial(seconds: Sequence[float]) -> Timing:
            return Timing.of((1000 * np.diff(np.array(seconds)[chosen]) / self.size).tolist())

        return Cost(finished, per_trial([seconds for _, seconds in self.ends]), per_trial(self.writing))


def study_of(sampler: str, trials: int) -> Spec:
    """The shipped study with this sampler and a few generations more than so many trials.

    The last generations of a study ask no others, so they are cheaper, and no part of what is measured.
    """
    spec = catalogue.one(STUDY)
    size = specs.generation_size(trials, sampler)
    update = {"sampler": sampler, "generation": size, "trials": (-(-trials // size) + 4) * size}
    return spec.model_copy(update={"study": spec.study.model_copy(update=update)})


def measure(sampler: str, finished: Sequence[int]) -> Parent:
    """Run the loop in this process, which should be a fresh one, and sum up what trials cost."""
    spec = study_of(sampler, max(finished))
    with tempfile.TemporaryDirectory() as name:
        clock = run(spec, Path(name))
    return Parent(sampler, spec.study.trials, [clock.around(count) for count in finished], peak_megabytes())


def run(spec: Spec, folder: Path) -> Clock:
    """Go through a whole study, as a run does, but for the training."""
    storage = open_for_writing(str(folder / "journal.log"))
    study = open_study(spec, storage, prepare(spec.source(), spec.study.seed).fingerprint)
    pool = MadeUp()
    clock = Clock(pool, spec.study.generation or 1, Tables(folder, spec.space().columns()))
    StudyLoop(spec, study, storage, pool, Hooks(clock.record, clock.notify)).run()
    return clock


def peak_megabytes() -> float:
    """The most memory that this process has had.

    Where Linux tells it of this process alone, from there: what `getrusage` says begins with the parent's.
    """
    told = megabytes("self", "VmHWM")
    if told is not None:
        return told
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
