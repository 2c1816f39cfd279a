"""Epochs as updates: whole numbers where they are meant, and what compiled programs make of them."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from sweep.learning.hyper import Scalar
from sweep.learning.schedules.base import ROUNDING
from sweep.learning.schedules.formulas import Piecewise
from sweep.parity.lines.writing import number

LARGEST = 2**31 - 1  # counts are 32-bit numbers in JAX
DENOMINATORS = 20  # lengths like 2.5 or 1.2 updates: counted in halves or fifths


def in_steps(epochs: Scalar, steps: int) -> Fraction:
    """Epochs as updates: a whole number or a simple fraction, if they are that but for a rounding."""
    exact = float(epochs) * steps
    if abs(exact - round(exact)) <= ROUNDING * steps:
        return Fraction(round(exact))
    simple = Fraction(exact).limit_denominator(DENOMINATORS)
    return simple if abs(simple - Fraction(exact)) <= ROUNDING else Fraction(exact)


def whole(epochs: Scalar, steps: int) -> int | None:
    """Epochs as a whole number of updates, above 0; None if they are none."""
    found = in_steps(epochs, steps)
    return int(found) if found.denominator == 1 and found > 0 else None


def shown(value: Fraction) -> str:
    """A whole number where it is one."""
    return str(value) if value.denominator == 1 and abs(value) <= LARGEST else number(float(value))


def reached(moment: Fraction, steps: int, *, after: bool = False) -> int:
    """The first count at which a moment has come; or, one update later if it is a whole number, at which it is past."""
    late = ROUNDING if after else -ROUNDING
    return math.ceil(moment + Fraction(late * steps))


def moments(schedule: Piecewise, steps: int) -> list[int]:
    """The counts from which the factors hold, in order."""
    return sorted(reached(in_steps(b, steps), steps, after=bool(schedule.after)) for b in schedule.boundaries)


def divides(length: int, rounded: Any = np.floor) -> bool:
    """Whether a compiled program counts these lengths right: it divides by multiplying with 1 / length; not by 41."""
    multiples = np.arange(1, max(2**20 // length, 2))
    for dtype in (np.float32, np.float64):
        inverse: Any = dtype(1.0) / dtype(length)
        if np.any(rounded((multiples * length).astype(dtype) * inverse) != multiples):
            return False
    return True


def doubles(first: int) -> bool:
    """Whether a logarithm finds the right period at each restart of periods that double, in both precisions."""
    periods = np.arange(1, 20)
    for dtype in (np.float32, np.float64):
        passed: Any = np.asarray(first * (2.0**periods - 1.0), dtype) / np.asarray(first, dtype)
        if np.any(np.floor(np.log(1 + passed) / np.log(dtype(2.0))) != periods):
            return False
    return True
