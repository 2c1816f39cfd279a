"""The combinations of a space: all of one with finitely many configurations, or those of a grid over any."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sweep.learning.hyper import Choices, Fixed, Range, Search
from sweep.search.space.space import Space

GRID_POINTS = 5  # numbers that a grid takes from a range
COUNTABLE = 10**9  # configurations: nobody trains as many


class Combinations:
    """Every combination of some values a hyperparameter, numbered; they are made when asked for.

    Parameters
    ----------
    space : Space
    values : callable
        What is tried of each hyperparameter.
    """

    def __init__(self, space: Space, values: Callable[[Search], Sequence[Any]]) -> None:
        self.space = space
        self._union = space.distributions()
        self._levels = {arm: {n: values(s) for n, s in space.entries(arm).items()} for arm in space.arms}
        sizes = (math.prod(map(len, levels.values())) for levels in self._levels.values())
        self._ends = list(itertools.accumulate(sizes))

    @property
    def size(self) -> int:
        """How many there are."""
        return self._ends[-1]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The parameters of combination `index`; what is fixed is no parameter."""
        place = bisect.bisect_right(self._ends, index)
        arm = self.space.arms[place]
        index -= self._ends[place - 1] if place else 0
        chosen: dict[str, Any] = {"optimizer": arm.optimizer, "schedule": arm.schedule}
        for name, values in self._levels[arm].items():
            index, level = divmod(index, len(values))
            if name in self._union:
                chosen[name] = values[level]
        return chosen


def grid_values(search: Search) -> Sequence[float]:
    """The values that a grid tries: choices as they are, of a range `GRID_POINTS`, evenly spaced on its scale."""
    if not isinstance(search, Range):
        return every_value(search)
    spaced = (np.geomspace if search.log else np.linspace)(search.low, search.high, GRID_POINTS)
    clipped = np.clip(spaced, search.low, search.high)  # geomspace may miss its own ends by a rounding
    return tuple(dict.fromkeys(np.round(clipped).astype(int).tolist() if search.integer else clipped.tolist()))


def every_value(search: Search) -> Sequence[float]:
    """All values that there are; of a range of whole numbers, for others have too many (ValueError)."""
    match search:
        case Fixed(value):
            return (value,)
        case Choices(values):
            return values
        case Range(low, high, _, True):
            return range(int(low), int(high) + 1)
    raise ValueError(f"{search} has more values than can be counted")


def grid(space: Space) -> Combinations:
    """The grid over a space."""
    return Combinations(space, grid_values)


def everything(space: Space) -> Combinations | None:
    """All configurations of a space, or None if there are more than can be counted."""
    searches = [search for arm in space.arms for search in space.entries(arm).values()]
    if any(isinstance(search, Range) and not search.integer for search in searches):
        return None
    found = Combinations(space, every_value)
    return found if found.size <= COUNTABLE else None
