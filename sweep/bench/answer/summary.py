"""The studies summed up: this version beside each contender, over all sets and over those of a kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sweep.bench.answer.contenders import CONTENDERS, OURS, Outcome
from sweep.bench.answer.sets import SETS
from sweep.learning.hyper import Array

ALL = "all"
GROUPS = (ALL, "small", "off")
CONFIDENCE = 0.95
SMALLEST = 1e-12  # loss, so that its logarithm is a number
WORSE, MUCH_WORSE = 0.05, 0.10  # shares of the other's loss
POINT, POINTS = 0.01, 0.05  # of error
EXACT = 1e-9  # a difference is beyond a limit if by more than this: else a rounding decides


@dataclass(frozen=True)
class Beside:
    """How much worse ours is than another; below 0: better.

    Attributes
    ----------
    mean, low, high : float
        The mean over the studies and its t interval; of one study a point.
    worst : float
        The highest of all.
    worse, much_worse : float
        In which share of the studies it is beyond a limit, and beyond a higher one.
    """

    mean: float
    low: float
    high: float
    worst: float
    worse: float
    much_worse: float

    @classmethod
    def of(cls, differences: Array, limits: tuple[float, float], back: Callable[[float], float] = float) -> Beside:
        """Sum up paired differences; `back` turns one of them, or their mean, into what is shown."""
        from scipy.stats import t

        count, mean = len(differences), float(differences.mean())
        spread = float(differences.std(ddof=1)) / np.sqrt(count) if count > 1 else 0.0
        half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * spread if spread else 0.0
        shown = np.array([back(each) for each in differences])
        often = (float((shown > limit + EXACT).mean()) for limit in limits)
        return cls(back(mean), back(mean - half), back(mean + half), float(shown.max()), *often)


@dataclass(frozen=True)
class Compared:
    """Ours beside a contender, on the data sets of a group.

    Attributes
    ----------
    loss : Beside
        Ratio of our true loss to the other's, less 1; the mean is geometric.
    error : Beside
        Our true error less the other's.
    seconds : float
        Processor time of the other, median over the studies.
    """

    group: str
    contender: str
    studies: int
    loss: Beside
    error: Beside
    seconds: float


@dataclass(frozen=True)
class Level:
    """A contender on a data set: medians over the studies."""

    data: str
    contender: str
    loss: float
    error: float
    seconds: float


@dataclass(frozen=True)
class Answered:
    """The bench of answers; `folder` is where each study's result is kept, and `outcomes` are all of them."""

    folder: str
    compared: list[Compared]
    levels: list[Level]
    outcomes: list[Outcome]

    def beside(self, group: str, contender: str) -> Compared | None:
        """Ours beside a contender on a group, if that was measured."""
        found = [each for each in self.compared if (each.group, each.contender) == (group, contender)]
        return found[0] if found else None


def summed_up(outcomes: Sequence[Outcome], folder: str) -> Answered:
    """Compare in pairs, study by study."""
    pairs = [(group, name) for group in GROUPS for name in CONTENDERS if name != OURS]
    compared = [each for pair in pairs if (each := _compared(outcomes, *pair)) is not None]
    places = [(data, name) for data in SETS for name in CONTENDERS]
    levels = [level for place in places if (level := _level(outcomes, *place)) is not None]
    return Answered(folder, compared, levels, list(outcomes))


def _compared(outcomes: Sequence[Outcome], group: str, name: str) -> Compared | None:
    chosen = [each for each in outcomes if group in (ALL, SETS[each.data].kind)]
    ours = {(each.data, each.seed): each for each in chosen if each.contender == OURS}
    theirs = [each for each in chosen if each.contender == name]
    if not theirs:
        return None
    pairs = [(ours[each.data, each.seed], each) for each in theirs]
    losses = np.log([[max(one.loss, SMALLEST) for one in pair] for pair in pairs])
    errors = np.array([[one.error for one in pair] for pair in pairs])
    return Compared(
        group,
        name,
        len(pairs),
        Beside.of(losses[:, 0] - losses[:, 1], (WORSE, MUCH_WORSE), lambda ratio: float(np.expm1(ratio))),
        Beside.of(errors[:, 0] - errors[:, 1], (POINT, POINTS)),
        float(np.median([each.seconds for each in theirs])),
    )


def _level(outcomes: Sequence[Outcome], data: str, name: str) -> Level | None:
    rows = [(each.loss, each.error, each.seconds) for each in outcomes if (each.data, each.contender) == (data, name)]
    return Level(data, name, *map(float, np.median(rows, axis=0))) if rows else None
