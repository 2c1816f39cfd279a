"""A hyperparameter's default, search range and domain, as data on a dataclass field.

A schedule or an optimizer is a frozen dataclass whose fields are its hyperparameters. What else is to be known of a
field (which values are legal, where to search, in which unit) is declared with it, by `hyper`, and read back by
`hyperparameters`. The search space, the tables, the messages and the conformance tests all follow from that.

The same class serves twice: with numbers in its fields it is one trial's record; with ``(trials, 1)`` columns in its
fields, made by `stack`, it is a population. NumPy broadcasting makes every formula mean the same for both.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from sweep.errors import UsageError

Array = NDArray[Any]
Scalar = float | Array  # a number, or a (trials, 1) column of them

Unit = Literal["", "epochs", "per epoch"]


@dataclass(frozen=True, slots=True)
class Domain:
    """The legal values of a hyperparameter: an interval, each end open or closed, perhaps whole numbers only."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    integer: bool = False

    def contains(self, value: Scalar) -> bool:
        """Whether the value (every value, for an array) is legal. NaN never is."""
        if not isinstance(value, float):
            return all(map(self.contains, np.ravel(value).astype(float).tolist()))
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return above and below and (value.is_integer() or not self.integer)

    def rule(self, name: str) -> str:
        """The rule as a reader would write it.

        >>> Domain(0.0, 1.0, high_open=True).rule("decay")
        '0 <= decay < 1'
        """
        if self == FLAG:
            return f"{name} = true or false"
        left = "" if self.low == -math.inf else f"{self.low:g} {'<' if self.low_open else '<='} "
        right = "" if self.high == math.inf else f" {'<' if self.high_open else '<='} {self.high:g}"
        text = f"{left}{name}{right}"
        if not right and self.high_open:
            text = f"{text} and finite"
        elif not left and not right:
            text = f"{name} is a number"
        return f"{text}, a whole number" if self.integer else text


POSITIVE = Domain(0.0, math.inf, low_open=True, high_open=True)
NOT_NEGATIVE = Domain(0.0, math.inf, high_open=True)
FRACTION = Domain(0.0, 1.0, high_open=True)
FLAG = Domain(0.0, 1.0, integer=True)


@dataclass(frozen=True, slots=True)
class Range:
    """Search between two numbers, both included. With `unit` ``""`` they are meant as they stand.

    With `unit` ``"epochs"`` they are fractions of the whole training, with ``"per epoch"`` they are amounts over the
    whole training: so a default range suits a training of 5 epochs as well as one of 500. `resolved` makes them plain.
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False
    unit: Unit = ""

    def resolved(self, epochs: int) -> Range:
        """The same range in plain numbers for a training of `epochs` epochs."""
        if self.unit == "":
            return self
        scale = float(epochs) if self.unit == "epochs" else 1.0 / epochs
        low, high = self.low * scale, self.high * scale
        if self.integer:
            low = max(1.0, math.floor(low))
            high = max(low, math.floor(high))
        return Range(low, high, self.log, self.integer)


@dataclass(frozen=True, slots=True)
class Choices:
    """Search among a few numbers."""

    values: tuple[float, ...]

    def resolved(self, epochs: int) -> Choices:
        """Choices are plain already."""
        del epochs
        return self


@dataclass(frozen=True, slots=True)
class Fixed:
    """Do not search: one number. With `unit` ``"epochs"`` it is a fraction of the whole training."""

    value: float
    unit: Unit = ""

    def resolved(self, epochs: int) -> Fixed:
        """The same value in plain numbers for a training of `epochs` epochs."""
        scale = {"": 1.0, "epochs": float(epochs), "per epoch": 1.0 / epochs}[self.unit]
        return Fixed(self.value * scale) if self.unit else self


Search = Range | Choices | Fixed


def contains(search: Search, value: Any) -> bool:
    """Whether a value is one that the search may give."""
    match search:
        case Fixed(fixed):
            return bool(value == fixed)
        case Choices(values):
            return value in values
        case Range(low, high, _, integer):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and low <= value <= high and not (integer and value != int(value))


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One field of a schedule or an optimizer, as the rest of the program sees it.

    `vector` fields hold a tuple of numbers; `search` and `padding` then speak of one element. A population whose rows
    have tuples of different lengths is filled up with `padding`, a value that changes nothing.
    """

    name: str
    default: float | tuple[float, ...]
    domain: Domain
    search: Search
    help: str
    vector: bool = False
    padding: float = math.nan

    @property
    def flag(self) -> bool:
        """Whether it is a matter of true or false (kept as 1 or 0)."""
        return self.domain == FLAG

    def check(self, owner: str, value: Scalar | Sequence[Scalar]) -> None:
        """Raise `UsageError` unless every value lies in the domain."""
        elements = value if isinstance(value, tuple | list) else (value,)
        for element in elements:
            said = isinstance(element, bool | np.bool) and not self.flag
            if said or not isinstance(element, np.ndarray | np.number | np.bool | int | float):
                raise UsageError(
                    f"{owner}.{self.name} = {element!r}: must be {'true or false' if self.flag else 'a number'}"
                )
            if not self.domain.contains(element if isinstance(element, float) else np.asarray(element)):
                raise UsageError(f"{owner}.{self.name} = {element}: must obey {self.domain.rule(self.name)}")


def hyper(
    default: float | tuple[float, ...],
    help: str,
    *,
    domain: Domain,
    search: Search | None = None,
    padding: float = math.nan,
    kw_only: bool = False,
) -> Any:
    """Declare a field that is a hyperparameter.

    Parameters
    ----------
    default : float or tuple of float
        The field's default. A tuple declares a vector field.
    help : str
        One line for a reader, with the unit.
    domain : Domain
        The legal values.
    search : Range, Choices or Fixed, optional
        Where a study searches if it says nothing. Left out: the default is kept.
    padding : float
        For a vector field, the element that changes nothing.
    kw_only : bool
        As for `dataclasses.field`.
    """
    vector = isinstance(default, tuple)
    kept = Fixed(default[0] if isinstance(default, tuple) else default)
    declared = {
        "default": default, "domain": domain, "search": search or kept, "help": help, "vector": vector,
        "padding": padding,
    }  # fmt: skip
    return dataclasses.field(default=default, metadata={"hyper": declared}, kw_only=kw_only)


def flag(default: bool, help: str) -> Any:
    """Declare a keyword-only field that is true or false, and not searched unless a study says so."""
    return hyper(default, help, domain=FLAG, kw_only=True)


def hyperparameters(rule: Any) -> tuple[Hyperparameter, ...]:
    """The hyperparameters of a schedule or an optimizer (a class or an instance), in the order of its fields."""
    return _declared(rule if isinstance(rule, type) else type(rule))


@functools.cache
def _declared(kind: Any) -> tuple[Hyperparameter, ...]:
    fields = (field for field in dataclasses.fields(kind) if "hyper" in field.metadata)
    return tuple(Hyperparameter(name=f.name, **f.metadata["hyper"]) for f in fields)


def telling(rule: Any) -> dict[str, Any]:
    """The constants of a record that are worth telling: without the knobs that are left at their neutral value.

    >>> from sweep.learning.optimizers.rules import Momentum
    >>> telling(Momentum()), telling(Momentum(momentum=0.5, nesterov=True))
    ({'momentum': 0.9}, {'momentum': 0.5, 'nesterov': True})
    """
    found: dict[str, Any] = {}
    for parameter in hyperparameters(rule):
        value = getattr(rule, parameter.name)
        if value != parameter.default or not isinstance(parameter.search, Fixed):
            found[parameter.name] = bool(value) if parameter.flag else value
    return found


def check(rule: Any, owner: str) -> None:
    """Raise `UsageError` unless every hyperparameter of `rule` lies in its domain."""
    for parameter in hyperparameters(rule):
        value = getattr(rule, parameter.name)
        if parameter.vector != isinstance(value, tuple | list):
            kind = "a list of numbers" if parameter.vector else "one number"
            raise UsageError(f"{owner}.{parameter.name} = {value!r}: must be {kind}")
        parameter.check(owner, value)


Rule = TypeVar("Rule")


def stack(rules: Sequence[Rule]) -> Rule:
    """Many records of one class as one population: the same class with ``(len(rules), 1)`` float64 columns.

    >>> from sweep.learning.schedules.formulas import Step
    >>> stack([Step(every=5.0), Step(every=10.0)]).every.tolist()
    [[5.0], [10.0]]
    """
    kind = type(rules[0])
    columns = {p.name: _column(p, [getattr(rule, p.name) for rule in rules]) for p in hyperparameters(kind)}
    return kind(**columns)


def _column(parameter: Hyperparameter, values: Sequence[Any]) -> Array | tuple[Array, ...]:
    if not parameter.vector:
        return np.array(values, dtype=np.float64).reshape(-1, 1)
    longest = max(map(len, values))
    filled = [[*value, *[parameter.padding] * (longest - len(value))] for value in values]
    return tuple(np.array(filled, dtype=np.float64).reshape(len(values), longest).T[:, :, None].copy())
