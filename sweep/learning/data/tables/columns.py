"""A column of a table as it was understood: how its values are read, today and in a table of new rows.

Numbers are read as float64 with NaN where they are missing, categories and texts as strings, dates as numbers. What was
decided when the table was first looked at is kept, so that new rows in which a column is written otherwise (``7`` in
place of ``"7"``, no missing value, one more category) are read alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.errors import DataError, shortened
from sweep.learning.data.table import Kind
from sweep.learning.data.tables import dates
from sweep.learning.data.tables.numerals import BLANK, PLAIN, Numeral
from sweep.learning.hyper import Array

if TYPE_CHECKING:
    import pandas as pd

MISSING = "(missing)"  # the category of a missing value
LARGEST = 1e100  # its square is far from overflowing when it is standardised


@dataclass(frozen=True, slots=True)
class Column:
    """A column that is learnt from.

    Attributes
    ----------
    name : str
    kind : str
    missing, distinct : int
        Missing and different values when it was looked at.
    numeral : Numeral
        How numbers are written, if as text.
    words : tuple of str
        Texts that stand for a missing value, in small letters; blanks always do.
    order : tuple of str
        Of an ordered column, from low to high.
    format : str
        Of a date written as text.
    hours : bool
        Whether the time of the day is told of a date.
    note : str
        What a person should know of how it was read.
    """

    name: str
    kind: Kind
    missing: int = 0
    distinct: int = 0
    numeral: Numeral = PLAIN
    words: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    format: str = dates.ISO
    hours: bool = False
    note: str = ""

    @property
    def outputs(self) -> list[str]:
        """The names of the clean columns that it becomes."""
        return dates.names(self.name, hours=self.hours) if self.kind == "date" else [self.name]

    @property
    def numeric(self) -> bool:
        """Whether it becomes numbers."""
        return self.kind in ("number", "ordered", "date")

    def read(self, values: pd.Series) -> dict[str, Array]:
        """What it becomes, by the names in `outputs`.

        Raises
        ------
        DataError
            A number is too large to be squared.
        """
        if self.kind == "number":
            return {self.name: checked(self.name, numbers(values, self.numeral, self.words))}
        if self.kind == "date":
            found = dates.parts(self._dates(values), hours=self.hours)
            return {f"{self.name}: {part}": value for part, value in found.items()}
        known = self._without_words(texts(values))
        if self.kind == "ordered":
            places = {text: float(place) for place, text in enumerate(self.order)}
            return {self.name: np.array([places.get(text, np.nan) for text in known])}
        return {self.name: known}

    def _dates(self, values: pd.Series) -> Array:
        import pandas as pd

        if values.dtype.kind in "Mm" or isinstance(values.dtype, pd.DatetimeTZDtype | pd.ArrowDtype):
            return dates.read(values)
        return dates.read(pd.Series(texts(values), dtype=object), self.format)

    def _without_words(self, known: Array) -> Array:
        if self.words:
            known[np.isin([text.casefold() for text in known], self.words)] = MISSING
        return known


def checked(name: str, values: Array) -> Array:
    """Numbers, infinite ones missing; raises `DataError` for those that are too large to be squared."""
    infinite = np.isinf(values)
    values = np.where(infinite, np.nan, values) if infinite.any() else values
    with np.errstate(invalid="ignore"):
        if (np.abs(values) > LARGEST).any():
            raise DataError(f"column {shortened(name)!r} has values beyond {LARGEST:g}: replace them first")
    return values


def is_text(values: pd.Series) -> bool:
    """Whether a column holds texts, or a mixture, or categories: not numbers, truth values or dates alone."""
    from pandas.api import types

    held = values.cat.categories.to_series() if values.dtype == "category" else values
    if types.is_object_dtype(held):
        return True
    return not (types.is_numeric_dtype(held) or types.is_datetime64_any_dtype(held) or types.is_timedelta64_dtype(held))


def numbers(values: pd.Series, numeral: Numeral, words: Sequence[str] = ()) -> Array:
    """Values as float64; NaN where none can be read or a word for none stands, which may be a number."""
    import pandas as pd
    from pandas.api import types

    if values.dtype == "category":
        values = values.astype(values.cat.categories.dtype)
    if types.is_timedelta64_dtype(values):
        return dates.read(values)
    if not is_text(values):
        return _without(_plain(values), words)
    if numeral == PLAIN and (plain := as_programs_write(values)) is not None:
        return _without(_plain(plain), words)
    known = pd.Series(texts(values))
    none = {MISSING, *words}
    means = {each: np.nan if each.casefold() in none else numeral.value(each) for each in known.unique()}
    return np.asarray(known.map(means), dtype=np.float64)


def as_programs_write(values: pd.Series) -> pd.Series | None:
    """Texts as numbers, if all that are there are numbers as programs write them."""
    import pandas as pd

    found = pd.to_numeric(values, errors="coerce")
    return found if found.isna().equals(values.isna()) else None


def _plain(values: pd.Series) -> Array:
    """Numbers of any type as float64."""
    if isinstance(values.dtype, np.dtype):
        return np.asarray(values.to_numpy(), dtype=np.float64)
    return np.asarray(values.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _without(values: Array, words: Sequence[str]) -> Array:
    """Numbers, NaN in place of those that stand for a missing value."""
    none = [value for word in words if not np.isnan(value := PLAIN.value(word))]
    return np.where(np.isin(values, none), np.nan, values) if none else values


def texts(values: pd.Series) -> Array:
    """Values as an array of str without spaces at their ends; `MISSING` where there is none.

    A whole number is the same text whatever type it has: 7, 7.0 and "7".
    """
    import pandas as pd
    from pandas.api import types

    if values.dtype == "category":
        values = values.astype(object)
    if types.is_float_dtype(values):
        whole = values.dropna() % 1 == 0
        found = values.astype("Int64").astype(object) if whole.all() else values.astype(object)
    elif isinstance(values.dtype, pd.StringDtype):
        found = values.str.strip()
    else:
        found = values.astype(object)
    known = np.where(found.isna(), MISSING, found.astype(object)).astype(object)
    if not isinstance(values.dtype, pd.StringDtype):
        known = np.array([text(value) for value in known], dtype=object)
    blank = np.isin(known, _blank(known))
    known[blank] = MISSING
    return known


def text(value: Any) -> str:
    """One value as a text."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _blank(known: Array) -> list[str]:
    """Those of the texts that stand for nothing."""
    import pandas as pd

    return [each for each in pd.unique(known) if each.casefold() in BLANK]
