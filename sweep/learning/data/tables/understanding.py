"""A table understood as a whole: which columns are learnt from, what is predicted, and what each row is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.errors import DataError, UsageError, shortened, unknown
from sweep.learning.data.dividing.rare import grouped, rare
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table, Task
from sweep.learning.data.tables import columns, kinds, reading, targets
from sweep.learning.data.tables.columns import MISSING, Column
from sweep.learning.data.tables.kinds import LeftOut, Wishes
from sweep.learning.data.tables.numerals import PLAIN
from sweep.learning.data.tables.targets import Target
from sweep.learning.data.tables.tidy import doubled, tidied
from sweep.learning.data.tables.told import Told, counted
from sweep.learning.hyper import Array

if TYPE_CHECKING:
    import pandas as pd

_PARTS = {
    "train": ("train", "training", "learn", "fit"),
    "validation": ("validation", "valid", "val", "dev", "development"),
    "test": ("test", "testing", "holdout", "hold-out", "evaluation", "eval"),
}
_PART = {word: part for part, words in _PARTS.items() for word in words}


def load(source: DataSource) -> Table:
    """Load the file of a source.

    Raises
    ------
    DataError
        One line: the file, the column, the rule.
    """
    form = reading.Form(source.separator, source.encoding, source.header, source.sheet)
    frame, read = reading.read(Path(source.file), form, "check [data] file; it is relative to the study file")
    return understood_at(source.file, frame, source, read)


def understood_at(where: str, frame: pd.DataFrame, source: DataSource, read: Sequence[str] = ()) -> Table:
    """The same as `understood`; an error says where the table is from."""
    try:
        return understood(frame, source, read)
    except DataError as error:
        raise DataError(*(problem.at(where) for problem in error.problems)) from error


def understood(frame: pd.DataFrame, source: DataSource, read: Sequence[str] = ()) -> Table:
    """Understand a table that has the columns which the source names."""
    named = (*source.targets, *source.roles.values(), *source.ignore)
    frame, tidy = tidied(frame, named)
    if not len(frame):
        raise DataError("has no rows")
    _check_names(frame, source)
    for name in source.targets:
        if f"{name} (2)" in frame.columns:
            raise DataError(f"column {shortened(name)!r} is there twice with different values, and is the target")
    wishes = _wishes(source)
    target = targets.understood(frame, source.targets, source.task, wishes)
    if source.group_rare and target.task == "classification":
        target = replace(target, values=grouped(target.values))
    if not target.known.all():
        missing = int((~target.known).sum())
        tidy.rows.append(f"{missing} row{'s' * (missing > 1)} without {shortened(', '.join(source.targets), 60)}")
        frame = frame.loc[target.known].reset_index(drop=True)
    if source.positive and (classes := [name for name, _ in _counted(target)]) and source.positive not in classes:
        raise DataError(f"positive = {source.positive!r}: {unknown('class', source.positive, classes)}")
    beside = {*source.targets, *source.roles.values(), *source.ignore}
    features = frame[[name for name in frame.columns if name not in beside]]
    learnt, left = _features(features, wishes, source)
    left_out = {**tidy.columns, **dict.fromkeys(source.ignore, "as it was said"), **left}
    told = Told(
        len(frame), source.targets, target.task, target.why, _counted(target), tuple(learnt), tuple(left_out.items()),
        tuple(read), tuple(tidy.rows), tuple(source.roles.items()), tuple(_warnings(target)),
    )  # fmt: skip
    return Table(
        _clean(features, learnt), target.values, target.task, **_beside(frame, source), columns=tuple(learnt), told=told
    )


def features_only(frame: pd.DataFrame, target: Array, task: Task) -> Table:
    """A table whose target is known: every column is learnt from, and none is left out."""
    if twice := doubled(map(str, frame.columns)):
        raise DataError(f"column {shortened(twice)!r} is there twice: rename one")
    found = kinds.all_of(frame, Wishes(keep=True))
    for column in found:
        if isinstance(column, LeftOut):
            raise DataError(f"column {shortened(column.name)!r} {column.why}: must be numbers, texts or dates")
    learnt = tuple(column for column in found if isinstance(column, Column))
    return Table(_clean(frame, learnt), target, task, columns=learnt)


def _clean(frame: pd.DataFrame, learnt: Sequence[Column]) -> pd.DataFrame:
    from sweep.learning.data.tables.reader import Reader

    return Reader(tuple(learnt)).transform(frame)


def _check_names(frame: pd.DataFrame, source: DataSource) -> None:
    """Raise `DataError` unless all columns that are named are there."""
    said = (*source.categorical, *(name for name, _ in (*source.ordered, *source.kinds)))
    for column in (*source.targets, *source.ignore, *source.roles.values(), *said):
        if column not in frame.columns:
            raise DataError(unknown("column", column, map(str, frame.columns)))
    for name in source.targets:
        if name in source.ignore:
            raise UsageError(f"[data] ignore: {name!r} is the target")


def _wishes(source: DataSource) -> Wishes:
    chosen: dict[str, Any] = dict.fromkeys(source.categorical, "category") | dict(source.kinds)
    return Wishes(chosen, dict(source.ordered), source.decimal, source.na_values, source.day_first)


def _features(frame: pd.DataFrame, wishes: Wishes, source: DataSource) -> tuple[list[Column], dict[str, str]]:
    """The columns that are learnt from, and those that are not, with the reason."""
    found = kinds.all_of(frame, wishes)
    if not any(isinstance(column, Column) for column in found):  # better a time that counts the rows than nothing
        found = [_kept(frame[column.name], column, wishes) for column in found]
    learnt = [column for column in found if isinstance(column, Column)]
    left = {column.name: column.why for column in found if isinstance(column, LeftOut)}
    if not learnt:
        why = f": left out are {', '.join(f'{shortened(n, 40)} ({why})' for n, why in list(left.items())[:5])}"
        target = shortened(", ".join(source.targets))
        raise DataError(f"has no column but the target {target!r}{why if left else ''}: there is nothing to learn from")
    return learnt, left


def _kept(values: pd.Series, column: Column | LeftOut, wishes: Wishes) -> Column | LeftOut:
    """A column of different numbers that was left out, if it is not called an identifier."""
    if isinstance(column, Column) or column.why != kinds.IDENTIFIER or kinds.is_called_identifier(column.name):
        return column
    found = kinds.one(values, column.name, replace(wishes, keep=True))
    return replace(found, note="counts the rows") if isinstance(found, Column) and found.numeric else column


def _counted(target: Target) -> tuple[tuple[str, int], ...]:
    """The classes and how many samples each has; none of a regression."""
    return counted(target.values) if target.task == "classification" else ()


def _warnings(target: Target) -> list[str]:
    """What a person should know of the target."""
    few = rare(target.values) if target.task == "classification" else []
    if not few:
        return []
    listed = ", ".join(f"{shortened(str(label), 40)} ({count})" for label, count in few[:5])
    more = f" and {len(few) - 5} more" if len(few) > 5 else ""
    return [f"rare classes, hardly judged: {listed}{more}; group_rare = true makes them one"]


def _beside(frame: pd.DataFrame, source: DataSource) -> dict[str, Array]:
    """What is known of the rows beside their features."""
    found = {}
    for role, name in source.roles.items():
        key, read = _ROLES[role]
        found[key] = read(frame[name], shortened(name))
    return found


def _groups(values: pd.Series, name: str) -> Array:
    """Whose each row is; a row that does not say it is nobody else's."""
    del name
    known = columns.texts(values)
    for place in np.flatnonzero(known == MISSING):
        known[place] = f"{MISSING} {place}"
    return known.astype(str)


def _times(values: pd.Series, name: str) -> Array:
    """When each row is from, as numbers: dates as days."""
    column = kinds.one(values, name, Wishes(keep=True))
    if isinstance(column, LeftOut) or column.kind not in ("date", "number"):
        raise DataError(f"column {name!r} of time holds neither dates nor numbers")
    found = next(iter(column.read(values).values()))  # of a date its days
    if np.isnan(found).any():
        raise DataError(f"column {name!r} of time has {int(np.isnan(found).sum())} missing values: fill or drop them")
    return found


def _parts(values: pd.Series, name: str) -> Array:
    known = columns.texts(values)
    strange = sorted({each for each in known if each.casefold() not in _PART})
    if strange:
        listed = shortened(", ".join(map(repr, strange)), 80)
        raise DataError(f"column {name!r} of split holds {listed}: must be train, validation or test")
    return np.array([_PART[each.casefold()] for each in known])


def _weights(values: pd.Series, name: str) -> Array:
    found = columns.numbers(values, PLAIN)
    if not (np.isfinite(found) & (found >= 0)).all():
        raise DataError(f"column {name!r} of weight has values that are no numbers of at least 0: mend or drop them")
    return found


_ROLES: dict[str, tuple[str, Any]] = {
    "group": ("groups", _groups),
    "time": ("times", _times),
    "split": ("parts", _parts),
    "weight": ("weights", _weights),
}
