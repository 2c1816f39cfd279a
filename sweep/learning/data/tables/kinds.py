"""What kind of column it is: guessed from its values, or as it was said.

=================  ===============================================================================================
number             numbers, true or false, and texts that are numbers but for a few (``numerals``)
date               dates, and texts that are dates (``dates``)
category           texts with few different values, or many that come again
text               texts of several words
constant           one value only: left out
identifier         a number or a name for each row that says nothing else: left out
=================  ===============================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sweep.errors import shortened
from sweep.learning.data.table import Kind
from sweep.learning.data.tables import columns, dates, numerals
from sweep.learning.data.tables.columns import MISSING, Column

if TYPE_CHECKING:
    import pandas as pd

IDENTIFIER = "an identifier"
FEW = 50  # different texts are categories whatever else
_WORDS = 3.0  # on average, and it is a text
FEWEST_ROWS = 20  # of which an identifier can be told
_IDENTIFIER = re.compile(
    r"(.*[_\W])?(id|ids|uuid|guid|key|index|idx|nr|no|number|row|rows|rownum|rownames|serial)", re.IGNORECASE
)
_IDENTIFIER_ENDING = re.compile(r".*[a-z](ID|Id|UUID|Key|Index|No|Nr)")
_CODE = re.compile(r"0\d+")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is said of the columns, and need not be guessed.

    Attributes
    ----------
    kinds : mapping
        Column to kind; to ``"number"`` also if it would be left out.
    orders : mapping
        Column to its values from low to high; empty: in their natural order.
    decimal : str
    na_values : tuple of str
    day_first : bool, optional
    keep : bool
        Leave nothing out.
    """

    kinds: Mapping[str, Kind] = field(default_factory=dict)
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    decimal: str = ""
    na_values: tuple[str, ...] = ()
    day_first: bool | None = None
    keep: bool = False

    @property
    def none(self) -> tuple[str, ...]:
        """The words that stand for a missing value, as they are compared: in small letters."""
        return tuple(word.strip().casefold() for word in self.na_values)


NOTHING = Wishes()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A column that nothing can be learnt from, and why."""

    name: str
    why: str


def all_of(frame: pd.DataFrame, wishes: Wishes = NOTHING) -> list[Column | LeftOut]:
    """Every column of a table, in its order.

    Where one column is sure of its decimal mark, the others follow it: ``1,234`` beside ``0,5`` is no thousand.
    """
    found = [one(frame.iloc[:, place], str(name), wishes) for place, name in enumerate(frame.columns)]
    if wishes.decimal or not any(_comma(column) for column in found):
        return found
    commas = replace(wishes, decimal=",")
    return [
        one(frame.iloc[:, place], column.name, commas) if isinstance(column, Column) and _grouped(column) else column
        for place, column in enumerate(found)
    ]


def _comma(column: Column | LeftOut) -> bool:
    return isinstance(column, Column) and column.kind == "number" and column.numeral.decimal == ","


def _grouped(column: Column) -> bool:
    return column.kind == "number" and column.numeral.thousands and column.numeral.decimal == "."


def one(values: pd.Series, name: str, wishes: Wishes = NOTHING) -> Column | LeftOut:
    """One column, guessed or as it was said."""
    import pandas as pd

    said: Kind | None = "ordered" if name in wishes.orders else wishes.kinds.get(name)
    if (nested := _nested(values)) and not said:
        return LeftOut(name, f"holds {nested}")
    if said in (None, "number") and (plain := _plain_numbers(values)) is not None:
        values = plain
    if columns.is_text(values) or said in ("category", "ordered", "text"):
        return _written(values, name, wishes, said)
    if wishes.none and values.dtype.kind not in "Mm":
        values = pd.Series(columns.numbers(values, numerals.PLAIN, wishes.none))
    missing, distinct = int(values.isna().sum()), int(values.nunique())
    if not said and not wishes.keep and (why := _nothing(distinct, missing) or _counts(values, name, missing)):
        return LeftOut(name, why)
    if values.dtype.kind == "M" or "timestamp" in str(values.dtype) or said == "date":
        return Column(name, "date", missing, distinct, hours=_has_hours(dates.read(values)))
    note = _infinite_note(values)
    return Column(name, "number", missing + _infinite(values), distinct, words=wishes.none, note=note)


def _plain_numbers(values: pd.Series) -> pd.Series | None:
    """The numbers of texts that are all as programs write them, and no codes: most columns of a CSV, quickly read."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not columns.is_text(values) or values.dtype == "category" or _nested(values):
        return None
    found = columns.as_programs_write(values)
    if found is None or found.isna().all() or columns.is_text(found):
        return None
    codes = pc.match_substring_regex(pa.array(values.astype("str"), from_pandas=True), r"^\s*[-+]?0\d")
    return None if pc.any(codes).as_py() else found


def _nested(values: pd.Series) -> str:
    """What a column holds that is no single value: lists, say; nothing else is one."""
    if values.dtype != object:
        return ""
    odd = {
        type(value).__name__ for value in values if isinstance(value, list | dict | tuple | set | bytes | np.ndarray)
    }
    return ", ".join(sorted(odd))


def _infinite(values: pd.Series) -> int:
    return int(np.isinf(values.to_numpy()).sum()) if values.dtype.kind == "f" else 0


def _infinite_note(values: pd.Series) -> str:
    found = _infinite(values)
    return f"{found} infinite, taken for missing" if found else ""


def _nothing(distinct: int, missing: int) -> str:
    """Why nothing can be learnt of so many different values."""
    if not distinct:
        return "empty"
    return "constant" if distinct == 1 and not missing else ""


def _counts(values: pd.Series, name: str, missing: int) -> str:
    """Whether numbers only count the rows, or are called as what does."""
    if missing or len(values) < FEWEST_ROWS or values.dtype.kind not in "iu" or not values.is_unique:
        return ""
    return _identifies(name, int(values.min()), int(values.max()), len(values))


def _identifies(name: str, low: float, high: float, rows: int) -> str:
    """Whether whole numbers, another in each row, only tell rows apart: they have no gap, or the name says so."""
    return IDENTIFIER if high - low == rows - 1 or is_called_identifier(name) else ""


def is_called_identifier(name: str) -> bool:
    """Whether a column is called as those that tell rows apart.

    >>> is_called_identifier("customer_id"), is_called_identifier("rowNo"), is_called_identifier("paid")
    (True, True, False)
    """
    return bool(_IDENTIFIER.fullmatch(name) or _IDENTIFIER_ENDING.fullmatch(name))


def _written(values: pd.Series, name: str, wishes: Wishes, said: Kind | None) -> Column | LeftOut:
    """A column of texts."""
    import pandas as pd

    known = columns.texts(values)
    counts = {text: int(count) for text, count in pd.Series(known).value_counts(sort=False).items()}
    blank, none = counts.pop(MISSING, 0), wishes.none
    gone = [text for text in counts if text.casefold() in none]
    blank += sum(counts.pop(text) for text in gone)
    facts = Column(name, "category", blank, len(counts), words=tuple(sorted(text.casefold() for text in gone)))
    if said == "ordered":
        return _ordered(facts, list(counts), wishes.orders.get(name, ()), values)
    if said == "category":
        return facts
    if said == "text":
        return replace(facts, kind="text")
    why = "" if said or wishes.keep else _nothing(len(counts), blank)
    return LeftOut(name, why) if why else _guessed(facts, counts, wishes, said)


def _ordered(facts: Column, found: list[str], order: tuple[str, ...], values: pd.Series) -> Column:
    """An order as it was given, or of the values themselves: pandas' own, numbers by size, texts by the alphabet."""
    if not order and values.dtype == "category" and values.cat.ordered:
        order = tuple(columns.text(each) for each in values.cat.categories)
    if not order:
        order = tuple(sorted(found, key=_natural))
    strange = [text for text in found if text not in order]
    note = f"not in the order, taken for missing: {shortened(', '.join(strange), 60)}" if strange else ""
    return replace(facts, kind="ordered", order=order, note=note or f"{shortened(' < '.join(order), 60)}")


def _natural(text: str) -> tuple[float, str]:
    value = numerals.PLAIN.value(text)
    return (np.inf, text) if np.isnan(value) else (value, text)


def _guessed(facts: Column, counts: dict[str, int], wishes: Wishes, said: Kind | None) -> Column | LeftOut:
    """A number, a date, a category, a text, or an identifier."""
    if said in (None, "number"):
        written = numerals.written(counts, wishes.decimal or None)
        if written and (said or not _codes(counts)):
            return _number(facts, counts, written, wishes, said)
    if said in (None, "date") and (dated := dates.written(list(counts), day_first=wishes.day_first)):
        return _date(facts, list(counts), dated)
    if said in ("number", "date"):
        return replace(facts, note=f"cannot be read as a {said}")
    distinct, rows = len(counts), sum(counts.values())
    wordy = np.mean([text.count(" ") + 1 for text in list(counts)[:1000]]) >= _WORDS
    if distinct <= FEW and not (distinct == rows >= FEWEST_ROWS):
        return replace(facts, note="codes with leading zeros" if _codes(counts) else "")
    if wordy:
        return replace(facts, kind="text")
    named = distinct > 0.9 * rows and (is_called_identifier(facts.name) or distinct > 0.98 * rows)
    return LeftOut(facts.name, IDENTIFIER) if named and not wishes.keep else facts


def _codes(counts: Mapping[str, int]) -> bool:
    """Whether digits are no number: one begins with a zero."""
    return any(_CODE.fullmatch(text) for text in counts)


def _number(
    facts: Column, counts: Mapping[str, int], written: numerals.Written, wishes: Wishes, said: Kind | None
) -> Column | LeftOut:
    """A column of numbers that are written as texts."""
    missing = sum(counts[text] for text in counts if text.casefold() in written.words)
    values = [written.numeral.value(text) for text in counts if text.casefold() not in written.words]
    rows = sum(counts.values()) - missing
    distinct = len(set(values))
    whole = all(value.is_integer() for value in values)
    if not said and not wishes.keep:
        why = _nothing(distinct, facts.missing + missing)
        if whole and not missing + facts.missing and distinct == rows >= FEWEST_ROWS:
            why = why or _identifies(facts.name, min(values), max(values), rows)
        if why:
            return LeftOut(facts.name, why)
    words = tuple(sorted({*facts.words, *written.words}))
    note = _how(counts, written)
    return replace(
        facts, kind="number", missing=facts.missing + missing, distinct=distinct, words=words, numeral=written.numeral,
        note=note,
    )  # fmt: skip


def _how(counts: Mapping[str, int], written: numerals.Written) -> str:
    """How the numbers are written, if not as programs do; an example each."""
    numeral, said = written.numeral, []
    odd = next((text for text in counts if not numerals.is_plain(text) and text.casefold() not in written.words), "")
    if odd and not numerals.is_truth([odd]):
        said.append(f"{shortened(odd, 30)!r} is {numeral.value(odd):g}")
    if numeral.thousands and not written.sure:
        said.append('the comma is between thousands (decimal = "," if not)')
    if written.words:
        said.append(f"{shortened(', '.join(map(repr, written.words)), 60)} taken for missing")
    return "; ".join(said)


def _date(facts: Column, found: list[str], dated: dates.Dated) -> Column:
    """A column of dates that are written as texts."""
    import pandas as pd

    hours = _has_hours(dates.read(pd.Series(found[:10_000], dtype=object), dated.format))
    order = dated.format.replace("%", "")
    note = "" if dated.sure else f"read as {order}, month first (day_first = true if not)"
    if not note and dated.format != dates.ISO:
        note = f"read as {order}"
    return replace(facts, kind="date", format=dated.format, hours=hours, note=note)


def _has_hours(nanoseconds: np.ndarray) -> bool:
    """Whether dates have times of the day."""
    known = nanoseconds[~np.isnan(nanoseconds)]
    return bool((known % dates.DAY != 0).any())
