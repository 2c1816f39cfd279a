"""What the loop of a study hands to others: finished trials, and how far it is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Array
from sweep.learning.training.loop import Training
from sweep.search.space.space import Arm

RATE_GENERATIONS = 8  # over which the speed of a run is measured


@dataclass(frozen=True, slots=True)
class Curves:
    """One trial's curves, arrays of shape ``(replicates, epochs + 1)``; epoch 0 is before training.

    `named` are those of a `Training`, by their names. `effective_rate` has one axis more, for
    `sweep.learning.training.loop.QUANTILES`; None if it was not recorded.
    """

    named: Mapping[str, Array]
    effective_rate: Array | None = None

    @classmethod
    def of(cls, training: Training, place: int) -> Curves:
        """The curves of one trial of a population, as far as it was trained."""
        ran = slice(0, int(training.epochs[place]) + 1)
        effective = training.effective_rate[place][:, ran]
        curves = {name: values[place][:, ran] for name, values in training.curves.items()}
        return cls(curves, effective if effective.size else None)

    @property
    def shape(self) -> tuple[int, int]:
        """Replicates, and epochs with the one before training."""
        replicates, epochs = next(iter(self.named.values())).shape
        return replicates, epochs

    def mean(self, name: str) -> Array:
        """One of the curves by name, mean over the replicates, shape ``(epochs + 1,)``."""
        return np.asarray(self.named[name].mean(axis=0))

    def ends(self) -> dict[str, float]:
        """Loss and metrics after the last epoch, mean over replicates, by the curves' names."""
        return {name: float(self.mean(name)[-1]) for name in self.named if name != "learning_rate"}


@dataclass(frozen=True, slots=True)
class Record:
    """One trial as the tables hold it. A running trial has no objective, curves or times yet.

    `state` is ``running``, ``complete``, ``pruned``, ``diverged`` or ``failed`` (its training cost several workers'
    lives, and it has no objective and no curves). Times are seconds since the epoch; `seconds` is the trial's
    share of the time that its population took.
    """

    number: int
    state: str
    arm: Arm
    configuration: Configuration
    seed: int
    generation: int
    objective: float | None = None
    epochs: int = 0
    diverged_at: int | None = None
    seconds: float | None = None
    started: float | None = None
    finished: float | None = None
    curves: Curves | None = None


@dataclass
class Progress:
    """How far a run is, what earlier runs have finished included; given to whoever wants to show it.

    `to_judge` counts the trainings of a `stage` (a round of the race, or the finalists) that are needed when all trials
    are done, `judged` those there are.
    """

    total: int
    done: int = 0
    diverged: int = 0
    pruned: int = 0
    failed: int = 0
    best: float | None = None
    best_arm: str = ""
    judged: int = 0
    to_judge: int = 0
    stage: str = ""
    _marks: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=RATE_GENERATIONS + 1))

    @property
    def rate(self) -> float | None:
        """Trials a second over the last generations; None before the second one (the first waits for the workers)."""
        if len(self._marks) < 2:
            return None
        (start, before), (end, after) = self._marks[0], self._marks[-1]
        return (after - before) / max(end - start, 1e-9)

    def mark(self) -> None:
        """Note that a generation has ended now."""
        self._marks.append((time.monotonic(), self.done))

    def count(self, record: Record) -> None:
        """Take a finished trial in."""
        self.done += 1
        self.diverged += record.state == "diverged"
        self.pruned += record.state == "pruned"
        self.failed += record.state == "failed"
        value = record.objective if record.state == "complete" else None
        if value is not None and (self.best is None or value < self.best):
            self.best, self.best_arm = value, str(record.arm)
