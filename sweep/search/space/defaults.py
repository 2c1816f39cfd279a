"""The default configuration of an arm: what somebody has who does not tune, as far as the study allows it.

Numbers that the study fixes are as it has them. Of the others each has its declared default, and the learning rate that
of the optimizer; where a study does not search that very value, it is the nearest one that is searched. So a default
is always a configuration that the study might have tried, and one that suits the length of its training: dropping the
rate every 10 epochs would do nothing in 3.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sweep.learning.configuration import Configuration, dotted
from sweep.learning.hyper import Choices, Fixed, Range, Search, hyperparameters
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.search.space.space import Arm, Space

_LARGEST_RATIO = 1500.0  # above the logarithm of any: so that no ratio of two positive numbers is as far as 1


def default_parameters(space: Space, arm: Arm) -> dict[str, Any]:
    """The parameters of an arm's default trial, by Optuna's names."""
    optimizer, schedule = OPTIMIZERS[space.kind(arm.optimizer)], SCHEDULES[space.kind(arm.schedule)]
    declared: dict[str, float] = {"learning_rate": optimizer.default_rate}
    for name, kind in ((arm.optimizer, optimizer), (arm.schedule, schedule)):
        for parameter in hyperparameters(kind):
            declared |= dotted(f"{name}.{parameter.name}", parameter.default)
    parameters: dict[str, Any] = {"optimizer": arm.optimizer, "schedule": arm.schedule}
    for name, search in space.entries(arm).items():
        if not isinstance(search, Fixed):
            parameters[name] = nearest(search, declared[name if name in declared else _last_element(name, declared)])
    return parameters


def default(space: Space, arm: Arm) -> Configuration:
    """An arm's default configuration."""
    return space.configuration(default_parameters(space, arm))


def first_trials(space: Space) -> list[dict[str, Any]]:
    """The defaults of all arms: every optimizer with the simplest schedule first, and so on."""

    def order(arm: Arm) -> tuple[int, int]:
        constants = sum(name.startswith(f"{arm.schedule}.") for name in space.entries(arm))
        return constants, list(space.schedules).index(arm.schedule)

    return [default_parameters(space, arm) for arm in sorted(space.arms, key=order)]


def constants_to_set(space: Space, arm: Arm) -> int:
    """How many numbers tuning an arm decides."""
    return sum(not isinstance(search, Fixed) for search in space.entries(arm).values())


def nearest(search: Search, value: float) -> float:
    """The value that is searched and lies nearest; on a logarithmic range and among positive choices, by the ratio.

    >>> nearest(Range(0.1, 1.0, log=True), 0.01), nearest(Choices((0.0, 0.1, 1.0)), 0.2), nearest(Fixed(3.0), 1.0)
    (0.1, 0.1, 3.0)
    """
    match search:
        case Fixed(fixed):
            return fixed
        case Choices(values):
            return min(values, key=lambda choice: (choice != value, _distance(choice, value)))
        case Range(low, high, _, integer):
            inside = min(max(value, low), high)
            return round(inside) if integer else inside


def _distance(choice: float, value: float) -> float:
    """The ratio's logarithm between positive numbers, the difference between others: those come after all of these."""
    if choice > 0 and value > 0:
        return abs(math.log(choice) - math.log(value)) / _LARGEST_RATIO  # the ratio itself may be 0 or infinite
    return 0.0 if choice == value else 1.0 + abs(choice - value)


def _last_element(name: str, declared: Mapping[str, Any]) -> str:
    """The last declared element of a list that the study made longer than its default."""
    stem, _, _ = name.rpartition(".")
    return max((known for known in declared if known.startswith(f"{stem}.")), key=lambda n: int(n.rpartition(".")[2]))
