"""A hyperparameter's value as a place on a scale, and back: what samplers that work on numbers need.

A range is mapped to 0..1, evenly in the value or, where the distribution says so, in its logarithm; of whole numbers
each has an equal share (of the logarithm from half a number below to half a number above). A choice is its index.
"""

from __future__ import annotations

import math
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution


def place(distribution: BaseDistribution, value: Any) -> float:
    """Where a value stands: from 0 to 1, or the index of a choice."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return float(choices.index(value))
        case IntDistribution(low=low, high=high, log=log):
            return _share(low - 0.5, high + 0.5, log, value)
        case FloatDistribution(low=low, high=high, log=log):
            return _share(low, high, log, value)
    raise TypeError(f"no scale for {distribution!r}")


def value_at(distribution: BaseDistribution, place: float) -> Any:
    """The value at a place from 0 to 1, or the choice with this index."""
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices[int(place)]
        case IntDistribution(low=low, high=high, log=log):
            return min(high, max(low, round(_between(low - 0.5, high + 0.5, log, place))))
        case FloatDistribution(low=low, high=high, log=log):
            return min(high, max(low, _between(low, high, log, place)))
    raise TypeError(f"no scale for {distribution!r}")


def quantile(distribution: BaseDistribution, u: float) -> Any:
    """The value at u, 0 <= u < 1, where every choice has an equal share."""
    if isinstance(distribution, CategoricalDistribution):
        return value_at(distribution, int(u * len(distribution.choices)))
    return value_at(distribution, u)


def _between(low: float, high: float, log: bool, share: float) -> float:
    if log:
        return float(math.exp(math.log(low) + share * (math.log(high) - math.log(low))))
    return low + share * (high - low)


def _share(low: float, high: float, log: bool, value: float) -> float:
    if log:
        low, high, value = math.log(low), math.log(high), math.log(value)
    if low == high:  # also where two numbers, next to one another, have the same logarithm
        return 0.5
    return (value - low) / (high - low)
