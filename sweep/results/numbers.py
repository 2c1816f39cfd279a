"""Numbers as people read them: one way for the terminal, the report, the note and the README.

Light to import: no pandas, so that a progress line need not wait for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.results.statistics.verdicts import Interval

NOTHING = "-"


def number(value: Any) -> str:
    """A number as a person reads it, with four significant digits; a dash where there is none.

    >>> number(0.08214), number(12000), number(None), number(float("nan"))
    ('0.08214', '12000', '-', '-')
    """
    if missing(value):
        return NOTHING
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e9 else f"{value:.4g}"


def missing(value: Any) -> bool:
    """Whether a cell of a table has nothing in it."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ == "NAType"


def interval(mean: float, low: float, high: float, sign: bool = False) -> tuple[str, str]:
    """A mean and its interval, with as many decimals as tell two digits of the interval's width.

    >>> interval(0.082143, 0.079012, 0.085277)
    ('0.0821', '0.0790 to 0.0853')
    >>> interval(0.5, 0.5, 0.5, sign=True)
    ('+0.5', '+0.5 to +0.5')
    """
    plus, width = "+" if sign else "", high - low
    decimals = 1 - math.floor(math.log10(width)) if 0 < width < math.inf else 99
    form = f"{plus}.{max(0, decimals)}f" if decimals <= 7 else f"{plus}.4g"
    texts = [f"{value:{form}}" for value in (mean, low, high)]
    return texts[0], f"{texts[1]} to {texts[2]}"


def spread(found: Interval, sign: bool = False) -> str:
    """A mean with its interval in brackets."""
    mean, ends = interval(found.mean, found.low, found.high, sign)
    return f"{mean} ({ends})"


def p_value(value: float) -> str:
    """A p-value.

    >>> p_value(0.0312), p_value(0.0002)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if value < 0.001 else f"{value:.2g}" if value >= 0.1 else f"{value:.3f}"
