"""One trial's hyperparameters as objects."""

from __future__ import annotations

from dataclasses import dataclass

from sweep.errors import UsageError
from sweep.learning.hyper import POSITIVE, Hyperparameter, Range, hyperparameters
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import Constant

LEARNING_RATE = Hyperparameter(
    name="learning_rate",
    default=0.01,
    domain=POSITIVE,
    search=Range(1e-4, 1.0, log=True),
    help="the base learning rate; the schedule multiplies it",
)


@dataclass(frozen=True)
class Configuration:
    """What distinguishes one trial from another: a learning rate, an optimizer and a schedule.

    >>> from sweep.learning.optimizers.rules import Momentum
    >>> record = Configuration(0.1, Momentum()).record()
    >>> record["optimizer"], record["learning_rate"], record["optimizer.momentum"], record["schedule.warmup"]
    ('momentum', 0.1, 0.9, 0.0)
    """

    learning_rate: float
    optimizer: Optimizer
    schedule: Schedule = Constant()

    def __post_init__(self) -> None:
        LEARNING_RATE.check("configuration", self.learning_rate)
        if not isinstance(self.optimizer, Optimizer) or not isinstance(self.schedule, Schedule):
            kinds = f"{type(self.optimizer).__name__} and {type(self.schedule).__name__}"
            raise UsageError(f"configuration: needs an optimizer and a schedule, got {kinds}")

    @property
    def arm(self) -> str:
        """The optimizer with the schedule, as text."""
        return f"{self.optimizer.name} x {self.schedule.name}"

    def record(self) -> dict[str, str | float]:
        """The configuration as one flat row: plain names, then dotted ones."""
        row: dict[str, str | float] = {
            "optimizer": self.optimizer.name,
            "schedule": self.schedule.name,
            "learning_rate": float(self.learning_rate),
        }
        for prefix, rule in (("optimizer", self.optimizer), ("schedule", self.schedule)):
            for parameter in hyperparameters(rule):
                row |= dotted(f"{prefix}.{parameter.name}", getattr(rule, parameter.name))
        return row


def dotted(name: str, value: float | tuple[float, ...]) -> dict[str, float]:
    """One entry for a number, ``name.1``, ``name.2``, ... for a tuple of numbers."""
    if isinstance(value, tuple | list):
        return {f"{name}.{i}": float(element) for i, element in enumerate(value, start=1)}
    return {name: float(value)}
