"""Pruners by name: which trials of a generation stop before their last epoch, judged on matrices.

A pruner has a few *rungs*, epochs at which the whole generation is judged at once, from the values of the study's
objective there: those of the generation, and those that earlier generations had at the same rung (whatever became of
them later, or the bar would rise by survivorship). So all are compared after equal shares of their training, and no
verdict depends on how the generation is dealt out to workers.

Fair to schedules: a trial whose learning rate has not moved yet, but will, is neither judged at a rung nor compared
with; a large rate before its first step looks worse than it is. A schedule that watches the loss says itself whether a
drop is due, and is judged like a constant rate.

To add a pruner: write one class here and put it in `PRUNERS`. Nothing else.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar, final

import numpy as np

from sweep.learning.hyper import Array
from sweep.learning.schedules.base import Schedule

MOMENTS = 16  # an epoch: how finely it is looked when a schedule moves
ROUNDING = 1e-9  # of a factor or an epoch


class Pruner(ABC):
    """A rule that stops trials early; the abstract root. Subclasses give `fractions` and `survivors`."""

    fractions: ClassVar[tuple[float, ...]]  # of the training: where the rungs are

    @final
    def rungs(self, epochs: int) -> tuple[int, ...]:
        """The epochs after which trials are judged: rising, before the last one."""
        found = {math.ceil(fraction * epochs - ROUNDING) for fraction in self.fractions}
        return tuple(sorted(rung for rung in found if rung < epochs))

    @abstractmethod
    def survivors(self, values: Array, before: Array) -> Array:
        """Which trials go on.

        Parameters
        ----------
        values : array, shape (trials,)
            Of the generation's trials at the rung; small is good.
        before : array, shape (earlier trials,)
            What trials of earlier generations had at this rung.

        Returns
        -------
        array of bool, shape (trials,)
        """


@final
class Nothing(Pruner):
    """No pruning: every trial is trained to its end."""

    fractions: ClassVar[tuple[float, ...]] = ()

    def survivors(self, values: Array, before: Array) -> Array:
        """All."""
        del before
        return np.ones(len(values), bool)


@final
class Halving(Pruner):
    """Successive halving (Jamieson and Talwalkar 2016): at 1/3 and 2/3 of the training the better half goes on.

    Synchronous: the half of all trials that are or were at this rung. Measured on the curves of 400 trials of TPE on
    each of three data sets: rungs at a ninth and a third, keeping a third (Hyperband's), saved 60 % of the epochs and
    lost 7 to 10 of the ten best trials; rungs at a quarter and a half, keeping the half, saved 35 to 43 % and lost 0 to
    5; these save about 30 % and lost 0 to 2.
    """

    fractions: ClassVar[tuple[float, ...]] = (1 / 3, 2 / 3)
    kept: ClassVar[float] = 0.5

    def survivors(self, values: Array, before: Array) -> Array:
        """Those among the best half of all; equals stay together."""
        together = np.sort(np.concatenate([values, before]))
        if not len(together):
            return np.ones(0, bool)
        return np.asarray(values <= together[math.ceil(self.kept * len(together)) - 1])


@final
class Median(Pruner):
    """The median rule (Golovin et al. 2017): who is worse than the median of earlier trials stops.

    Judged at each quarter of the training, against earlier generations only, once enough trials have been there.
    """

    fractions: ClassVar[tuple[float, ...]] = (0.25, 0.5, 0.75)
    enough: ClassVar[int] = 5  # as in Optuna

    def survivors(self, values: Array, before: Array) -> Array:
        """Those not worse than the median of earlier trials."""
        if len(before) < self.enough:
            return np.ones(len(values), bool)
        return np.asarray(values <= np.median(before))


def first_move(schedule: Schedule, epochs: int) -> float:
    """When, in epochs, the learning rate first moves by the clock, after its warm-up; infinity if it does not.

    >>> from sweep.learning.schedules.formulas import Constant, Step
    >>> first_move(Step(every=10.0), 30), first_move(Constant(), 30)
    (10.0, inf)
    """
    nothing = np.ones((1, 1))
    if schedule.start(nothing, nothing):  # it watches the loss
        return math.inf
    times = np.arange(epochs * MOMENTS) / MOMENTS
    away = np.abs(np.ravel(schedule.factor(times)) - 1.0)
    moved = np.flatnonzero((away > ROUNDING) & (times >= schedule.warmup))
    return float(times[moved[0]]) if len(moved) else math.inf


def is_judged(first_moved: float, rung: int) -> bool:
    """Whether a trial whose rate first moves at this time is judged at a rung: not while it is still to move."""
    return first_moved < rung or math.isinf(first_moved)


class Judge:
    """A pruner at work on one study: it remembers what trials had at each rung.

    Parameters
    ----------
    pruner : Pruner
    epochs : int
        Of a whole training.
    """

    def __init__(self, pruner: Pruner, epochs: int) -> None:
        self.pruner = pruner
        self.rungs = pruner.rungs(epochs)
        self._before: dict[int, list[float]] = {rung: [] for rung in self.rungs}

    def remember(self, rung: int, values: Array) -> None:
        """Take in what trials of a generation had at a rung."""
        self._before[rung] += values.tolist()

    def survivors(self, rung: int, values: Array) -> Array:
        """Judge some trials of a generation at a rung, shape ``(trials,)``; later ones are compared with them."""
        survivors = self.pruner.survivors(values, np.array(self._before[rung]))
        self.remember(rung, values)
        return survivors


PRUNERS: dict[str, type[Pruner]] = {"none": Nothing, "halving": Halving, "median": Median}
