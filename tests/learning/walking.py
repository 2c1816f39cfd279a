"""Rules taken through time as a population takes them, but for one scalar: a parameter, or a rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.learning.hyper import Array
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.schedules.base import Schedule


@dataclass(frozen=True)
class Walk:
    """The steps (to be subtracted), the gradients with what weight decay added to them, the state at the end."""

    steps: Array
    gradients: Array
    state: tuple[Array | None, ...]

    @property
    def cache(self) -> float:
        """The cache at the end, of an optimizer whose first state array it is."""
        assert self.state[0] is not None
        return float(self.state[0])


def walk(
    rule: Optimizer,
    steps: Sequence[float],
    rates: Array | float,
    parameters: Sequence[float] = (),
    samples: Sequence[int] = (),
) -> Walk:
    """Take a parameter, a number of samples and a gradient at each step; left out: 0 and 1, and no weight decays."""
    length = len(steps)
    count = np.arange(length)
    rate = rule.rates(np.broadcast_to(np.asarray(rates, dtype=float), (1, length)), count)
    sizes = np.array(samples or [1] * length, dtype=float)
    added, removed = (pull[0] for pull in rule.weight_pulls(rate, sizes))
    places = np.array(parameters or [0.0] * length)
    changed = np.array(steps) + added * places
    columns = [np.broadcast_to(column, rate.shape)[0] for column in rule.coefficients(rate, count)]
    state = [None if value is None else np.asarray(value, dtype=float) for value in rule.start()]
    taken = []
    for t in range(length):
        step, *state = rule.formula(changed[t], *state, *(column[t] for column in columns))
        taken.append(removed[t] * places[t] + step)
    return Walk(np.array(taken), changed, tuple(state))


def well_conditioned(constants: dict[str, Any], gradients: Array) -> bool:
    """Whether a centered cache keeps digits: cache - mean^2 goes to 0, and below it, where gradients are alike.

    With a decay of 0 nothing is left at once, and exactly nothing. Otherwise a thousandth is to be left: 13 digits.
    """
    if not constants.get("centered") or constants["decay"] == 0.0:
        return True
    kept = constants["decay"]
    cache, mean = constants["initial_cache"], 0.0
    for gradient in gradients:
        cache = kept * cache + (1 - kept) * gradient**2
        mean = kept * mean + (1 - kept) * gradient
        if cache - mean**2 < 1e-3 * cache:
            return False
    return True


def watched(schedule: Schedule, seen: Sequence[tuple[float, float]]) -> tuple[Any, ...]:
    """The state after a start with the first losses (validation, training) and an epoch with each of the others."""
    columns = [(np.array([[validation]]), np.array([[training]])) for validation, training in seen]
    state = schedule.start(*columns[0])
    with np.errstate(invalid="ignore"):  # as in training: infinity times nothing is not a number, and not better
        for losses in columns[1:]:
            state = schedule.observe(state, *losses)
    return state
