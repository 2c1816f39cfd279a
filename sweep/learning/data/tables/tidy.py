"""What spreadsheets and programs leave beside a table: empty rows and columns, a saved index, columns twice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_UNNAMED = re.compile(r"(unnamed: \d+(_level_\d+)?)?", re.IGNORECASE)
_SAVED = re.compile(r"(unnamed: 0(\.\d+)?|__index_level_\d+__|index|level_0)?", re.IGNORECASE)


@dataclass(slots=True)
class Removed:
    """What was left out of a table: columns with the reason, and rows in words."""

    columns: dict[str, str] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)


def tidied(frame: pd.DataFrame, wanted: tuple[str, ...]) -> tuple[pd.DataFrame, Removed]:
    """Leave out what is no data; columns that are `wanted` by name stay. All columns have different names then."""
    left = Removed()
    frame = _without_empty(frame, left)
    names = [str(name).strip() for name in frame.columns]
    chosen: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in chosen and frame.iloc[:, place].equals(frame.iloc[:, chosen[name]]):
            left.columns[name if name not in wanted else f"{name} (a second time)"] = "is there twice"
        elif place == 0 and name not in wanted and _is_saved_index(name, frame.iloc[:, 0]):
            left.columns[name or "(first column)"] = "a saved index"
        else:
            chosen[_free(name or f"column {place + 1}", chosen)] = place
    found = frame.iloc[:, list(chosen.values())]
    found.columns = list(chosen)
    return found, left


def doubled(names: Iterable[str]) -> str:
    """The first of the names that is there twice; empty if there is none."""
    return next((name for name, count in Counter(names).items() if count > 1), "")


def _free(name: str, taken: dict[str, Any]) -> str:
    """A name that no other column has."""
    found, number = name, 2
    while found in taken:
        found, number = f"{name} ({number})", number + 1
    return found


def _without_empty(frame: pd.DataFrame, left: Removed) -> pd.DataFrame:
    """Without rows that hold nothing, and columns that hold nothing and have no name."""
    empty = frame.isna().all(axis=1).to_numpy()
    if empty.any():
        left.rows.append(f"{int(empty.sum())} empty rows" if empty.sum() > 1 else "1 empty row")
        frame = frame.loc[~empty].reset_index(drop=True)
    nothing = [
        bool(_UNNAMED.fullmatch(str(name).strip())) and bool(frame.iloc[:, place].isna().all())
        for place, name in enumerate(frame.columns)
    ]
    if any(nothing):
        left.rows.append("empty columns without a name")
        frame = frame.iloc[:, [place for place, none in enumerate(nothing) if not none]]
    return frame


def _is_saved_index(name: str, column: pd.Series) -> bool:
    """Whether a column counts the rows, and is called as programs call a saved index."""
    import pandas as pd

    if not _SAVED.fullmatch(name) or column.isna().any():
        return False
    numbers = pd.to_numeric(column, errors="coerce")
    return bool(numbers.notna().all() and numbers.is_unique and (numbers % 1 == 0).all())
