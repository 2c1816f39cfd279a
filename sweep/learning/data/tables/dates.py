"""Dates as people write them, and the numbers that a network is told of a date."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweep.learning.hyper import Array

if TYPE_CHECKING:
    import pandas as pd

ISO = "ISO8601"
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S")
_MONTH_FIRST = ("%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y")
_DAY_FIRST = ("%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y")
_OTHERS = (
    "%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y",
    "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%b %Y", "%B %Y", "%b-%Y", "%a %b %d %H:%M:%S %Y",
)  # fmt: skip
_LIKE_A_DATE = re.compile(r"(?=.*\d)(\d{1,4}[-/. ]|[A-Z][a-z]{2,8}[-, ]).{3,36}")
MOST_BAD = 0.02  # of the dates of a column that may be none
DAY = 86400e9  # nanoseconds
_SEEN = 1000  # texts that decide the format

PARTS = ("days", "year sine", "year cosine", "week sine", "week cosine")
HOURS = ("day sine", "day cosine")


@dataclass(frozen=True, slots=True)
class Dated:
    """How the dates of a column are written; `sure` unless day and month could be the other way round."""

    format: str
    sure: bool = True


def written(texts: list[str], *, day_first: bool | None = None) -> Dated | None:
    """The format that all but a few of the texts have, or None.

    >>> written(["2023-01-02"]), written(["31/01/2023"])
    (Dated(format='ISO8601', sure=True), Dated(format='%d/%m/%Y', sure=True))
    >>> written(["01/02/2023"]), written(["Bern"])
    (Dated(format='%m/%d/%Y', sure=False), None)
    """
    texts = texts[:: max(1, len(texts) // _SEEN)]
    if not texts or not all(_LIKE_A_DATE.fullmatch(text) for text in texts[:20]):
        return None
    if re.match(r"\d{4}-\d", texts[0]) and _fits(texts, ISO):
        return Dated(ISO)
    month, day = (_first(texts, formats) for formats in (_MONTH_FIRST, _DAY_FIRST))
    if month and day:
        return Dated(day if day_first else month, sure=day_first is not None)
    found = month or day or _first(texts, _OTHERS)
    return Dated(found) if found else None


def _first(texts: list[str], formats: tuple[str, ...]) -> str | None:
    """The first of these formats, with a time or without, that the texts have."""
    for form in formats:
        for time in _TIMES if "%H" not in form else ("",):
            if _fits(texts[:3], form + time) and _fits(texts, form + time):
                return form + time
    return None


def _fits(texts: list[str], form: str) -> bool:
    import pandas as pd

    return bool(np.isnan(read(pd.Series(texts, dtype=object), form)).mean() <= MOST_BAD)


def read(values: pd.Series, form: str = ISO) -> Array:
    """Dates, as texts or as pandas has them, in nanoseconds since 1970 as float64; NaN where there is none."""
    import pandas as pd
    from pandas.api import types

    if types.is_timedelta64_dtype(values):
        found = pd.to_timedelta(values)
        return np.where(found.isna(), np.nan, found.astype("timedelta64[ns]").astype("int64").astype(float))
    if not types.is_datetime64_any_dtype(values):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = pd.to_datetime(values, format=form, errors="coerce", utc=True)
    if getattr(values.dtype, "tz", None) is not None:
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    nanoseconds = values.astype("datetime64[ns]").astype("int64").to_numpy().astype(float)
    return np.where(values.isna(), np.nan, nanoseconds)


def parts(nanoseconds: Array, *, hours: bool) -> dict[str, Array]:
    """What a network is told of dates: days since 1970, where in the year, in the week and, with `hours`, in the day.

    A place in a circle is two numbers, so that December is beside January.
    """
    days = nanoseconds / DAY
    date = np.floor(days)
    circles = {"year": date / 365.2425, "week": (date + 3) / 7} | ({"day": days} if hours else {})
    found = {"days": days}
    for name, turns in circles.items():
        found[f"{name} sine"], found[f"{name} cosine"] = np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)
    return found


def names(column: str, *, hours: bool) -> list[str]:
    """What the numbers of a column of dates are called."""
    return [f"{column}: {part}" for part in (*PARTS, *(HOURS if hours else ()))]
