"""Timing: contenders that take turns, medians of several rounds, and how far the rounds are apart."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles


@dataclass(frozen=True, slots=True)
class Timing:
    """A median with the lower and the upper quartile, and the number of runs; in ms (a trial, an ask, ...)."""

    ms: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Timing:
        """Sum up some measurements, at least one.

        >>> Timing.of([3.0, 1.0, 2.0])
        Timing(ms=2.0, low=1.5, high=2.5, runs=3)
        """
        if len(values) == 1:
            return cls(values[0], values[0], values[0], 1)
        low, _, high = quantiles(values, n=4, method="inclusive")
        return cls(median(values), low, high, len(values))


def interleaved(contenders: Mapping[str, Callable[[], float]], rounds: int, seed: int = 0) -> dict[str, Timing]:
    """Let every contender run once a round, in another order each round; give each one's `Timing`.

    So whatever slows the machine down for a while (heat, a neighbour) meets all of them, and none is always the first
    after another. The order is shuffled, from the seed.

    Parameters
    ----------
    contenders : mapping
        Name to a function that runs once and returns its time.
    rounds : int
    seed : int
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    shuffle = random.Random(seed).shuffle
    for _ in range(rounds):
        order = list(contenders)
        shuffle(order)
        for name in order:
            found[name].append(contenders[name]())
    return {name: Timing.of(values) for name, values in found.items()}
