"""Tables as people have them, a CSV or Parquet file or a DataFrame: features, target and task, before any split."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sweep.errors import DataError, UsageError, unknown
from sweep.learning.data.table import Table, Task

if TYPE_CHECKING:  # pandas takes half a second to import, and only tables with text need it
    import pandas as pd

MOST_CLASSES = 20  # a whole-number target with more values than this is taken for a number
MOST_CATEGORIES = 100  # a text column with more values than this is taken for a mistake (a name, a key)
LARGEST = 1e100  # its square is far from overflowing when it is standardised


def load_file(path: Path, target: str, ignore: tuple[str, ...] = (), task: Task | None = None) -> Table:
    """Load a CSV or Parquet file (by its ending) with a target column.

    Raises
    ------
    DataError
        The file is missing, unreadable, lacks a column, or has missing values.
    """
    import pandas as pd

    readers: dict[str, Callable[[Path], pd.DataFrame]] = {".csv": _read_csv, ".parquet": pd.read_parquet}
    if path.suffix not in readers:
        raise DataError(f"{path}: ending {path.suffix!r}: must be one of {', '.join(readers)}")
    try:
        frame = readers[path.suffix](path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file: check [data] file; it is relative to the study file") from error
    except (OSError, ValueError, pd.errors.ParserWarning) as error:  # the parsers' own errors are ValueErrors
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]}: {one_line(error)}") from error
    frame.columns = frame.columns.map(str)
    for column in (target, *ignore):
        if column not in frame.columns:
            raise DataError(f"{path}: {unknown('column', column, frame.columns)}")
    if target in ignore:
        raise UsageError(f"[data] ignore: {target!r} is the target")
    return table_of(frame.drop(columns=list(ignore)), target, str(path), task)


def _read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file; a row with more fields than the header is an error, not a reason to shift the columns."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame: pd.DataFrame = pd.read_csv(path, index_col=False, low_memory=False)
    return frame


def table_of(frame: pd.DataFrame, target: str, where: str, task: Task | None = None) -> Table:
    """Turn a DataFrame into a `Table`, or say in one line why it cannot be.

    The task is read off the target, unless given: text, truth values and whole numbers with at most 20 different values
    are classes, all else is a number.
    """
    features, wanted = frame.drop(columns=[target]), frame[target]
    if frame.empty:
        raise DataError(f"{where}: has no rows")
    _refuse_missing(frame, where)
    _check_kind(wanted, where)
    if not len(features.columns):
        raise DataError(f"{where}: has no column but the target {target!r}: there is nothing to learn from")
    for name in features.columns:
        _check_feature(features[name], where)
    if task is None:
        task = _task_of(wanted)
    if task == "regression" and not _is_number(wanted):
        raise DataError(f"{where}: target {target!r} is {wanted.dtype}: regression needs numbers")
    if task == "regression":
        _refuse_infinite(wanted, f"{where}: target")
    return Table(features, wanted.to_numpy(), task)


def _task_of(target: pd.Series) -> Task:
    from pandas.api import types

    few_whole_numbers = types.is_integer_dtype(target) and target.nunique() <= MOST_CLASSES
    is_class = few_whole_numbers or types.is_bool_dtype(target) or not types.is_numeric_dtype(target)
    return "classification" if is_class else "regression"


def _is_number(column: pd.Series) -> bool:
    from pandas.api import types

    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def _refuse_missing(frame: pd.DataFrame, where: str) -> None:
    missing = {str(name): int(count) for name, count in frame.isna().sum().items() if count}
    if missing:
        listed = ", ".join(f"{name} ({count})" for name, count in missing.items())
        raise DataError(
            f"{where}: missing values in {listed} of {len(frame)} rows: fill or drop them first, or leave a "
            "feature out with ignore under [data]"
        )


def _check_feature(column: pd.Series, where: str) -> None:
    from pandas.api import types

    _check_kind(column, where)
    if types.is_numeric_dtype(column):
        _refuse_infinite(column, f"{where}: column")
    elif column.nunique() > MOST_CATEGORIES:
        raise DataError(
            f"{where}: text column {column.name!r} has {column.nunique()} different values, at most {MOST_CATEGORIES} "
            "are one-hot encoded: ignore it under [data]"
        )


def _refuse_infinite(column: pd.Series, where: str) -> None:
    values = column.to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise DataError(f"{where} {column.name!r} has infinite values: replace them first")
    if not (np.abs(values) <= LARGEST).all():
        raise DataError(f"{where} {column.name!r} has values beyond {LARGEST:g}: replace them first")


def _check_kind(column: pd.Series, where: str) -> None:
    """Raise `DataError` unless a column holds numbers, truth values or text, and one of them only."""
    from pandas.api import types

    dated = types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column)
    kinds = {type(value).__name__ for value in column} if types.is_object_dtype(column) else set()
    if dated or kinds & {"date", "datetime", "Timestamp"}:
        raise DataError(f"{where}: column {column.name!r} is a date: turn it into numbers, or ignore it under [data]")
    if not kinds <= {"str"}:
        held = ", ".join(sorted(kinds))
        raise DataError(f"{where}: column {column.name!r} holds {held}: must be all numbers or all text, or be ignored")


def one_line(error: Exception) -> str:
    """What went wrong, short enough to be read."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:197] + "..."
