"""What is to be predicted: numbers or classes; said, or read off the target and then told with the way to say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweep.errors import DataError, shortened
from sweep.learning.data.dividing.rare import FEWEST_OF_A_CLASS
from sweep.learning.data.table import Task
from sweep.learning.data.tables import columns, kinds, numerals
from sweep.learning.data.tables.columns import MISSING, Column
from sweep.learning.data.tables.kinds import Wishes
from sweep.learning.hyper import Array

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 20  # a whole-number target with more values than this is taken for a number
MOST_EVEN_CLASSES = 100  # unless its values are as frequent as classes are that somebody has collected
_EVEN = 3.0  # the largest of such classes is at most so many times the smallest
_FEWEST_OF_EVEN = 5


@dataclass(frozen=True, slots=True)
class Target:
    """The target of the rows that have one: `values` ``(rows,)`` or ``(rows, targets)``; `known` marks these rows."""

    values: Array
    known: Array
    task: Task
    why: str = ""


def understood(frame: pd.DataFrame, names: Sequence[str], task: Task | None, wishes: Wishes) -> Target:
    """Read one target column, or several of numbers.

    Raises
    ------
    DataError
        It does not suit the task, or holds what nobody can predict.
    """
    if len(names) > 1:
        return _several(frame, names, task, wishes)
    (name,) = names
    if not (columns.texts(frame[name]) != MISSING).any():
        raise DataError(f"no row has a target {shortened(name)!r}")
    column = kinds.one(frame[name], name, Wishes(decimal=wishes.decimal, na_values=wishes.na_values, keep=True))
    if not isinstance(column, Column):
        raise DataError(f"target {shortened(name)!r} {column.why}: must be numbers or classes")
    if column.kind == "date" and task != "classification":
        raise DataError(f"target {shortened(name)!r} holds dates: turn them into numbers, or say another target")
    truth = _is_truth(frame[name])
    if column.kind == "number" and not truth and task != "classification":
        found = _numbers(frame[name], name, column)
        task, why = ("regression", "") if task else _task_of(found.values)
        if task == "regression":
            return Target(found.values, found.known, task, why)
        return Target(_whole(found.values), found.known, task, why)
    if task == "regression":
        held = "true or false" if truth else "text"
        raise DataError(f"target {shortened(name)!r} is {held}: regression needs numbers")
    return _classes(frame[name], column, "" if task else "true or false" if truth else "text")


def _is_truth(values: pd.Series) -> bool:
    if not columns.is_text(values):
        return str(values.dtype) in ("bool", "boolean")
    return numerals.is_truth([each for each in set(columns.texts(values)) if each != MISSING])


def _numbers(values: pd.Series, name: str, column: Column) -> Target:
    """Numbers of the rows that have one."""
    if not columns.is_text(values) and np.isinf(values.to_numpy(dtype=float, na_value=np.nan)).any():
        raise DataError(f"target {shortened(name)!r} has infinite values: replace them first")
    found = columns.checked(name, columns.numbers(values, column.numeral, column.words))
    known = ~np.isnan(found)
    return Target(found[known], known, "regression")


def _whole(values: Array) -> Array:
    """Numbers as whole numbers if all are."""
    return values.astype(np.int64) if len(values) and (values % 1 == 0).all() else values


def _task_of(values: Array) -> tuple[Task, str]:
    """The task that numbers are likely meant for, and why, with what to say if it is the other one."""
    if (values % 1 != 0).any():
        return "regression", "numbers with fractions"
    found, counts = np.unique(values, return_counts=True)
    many = f"{len(found)} different whole numbers"
    classes = f'{many} taken for classes: say task = "regression" if they are amounts'
    amounts = f'{many} taken for amounts: say task = "classification" if they are classes'
    if len(found) <= 2:
        return "classification", classes
    consecutive = found[-1] - found[0] == len(found) - 1 and found[0] in (0, 1)
    even = counts.min() >= _FEWEST_OF_EVEN and counts.max() <= _EVEN * counts.min()
    if (len(found) <= MOST_CLASSES and counts.min() >= FEWEST_OF_A_CLASS) or (
        len(found) <= MOST_EVEN_CLASSES and consecutive and even
    ):
        return "classification", classes
    return "regression", amounts


def _classes(values: pd.Series, column: Column, why: str) -> Target:
    """Classes of the rows that have one: whole numbers and truth values as such, all else as texts."""
    known_texts = columns.texts(values)
    known = known_texts != MISSING
    if column.words:
        plain_words = [word for word in column.words if word in numerals.BLANK or word == "?"]
        known &= ~np.isin([each.casefold() for each in known_texts], plain_words)
    labels: Any = known_texts[known]
    if numerals.is_truth(list(set(labels))):
        return Target(np.array([each.casefold() == "true" for each in labels], bool), known, "classification", why)
    if column.kind == "number" and all(numerals.is_plain(each) for each in set(labels)):
        return Target(_whole(labels.astype(float)), known, "classification", why)
    return Target(labels, known, "classification", why)


def _several(frame: pd.DataFrame, names: Sequence[str], task: Task | None, wishes: Wishes) -> Target:
    """Several targets, all of them numbers."""
    if task == "classification":
        raise DataError(f"targets {shortened(', '.join(names))}: several targets are numbers: say one for classes")
    found = []
    for name in names:
        column = kinds.one(frame[name], name, Wishes(decimal=wishes.decimal, na_values=wishes.na_values, keep=True))
        if not isinstance(column, Column) or column.kind != "number" or _is_truth(frame[name]):
            raise DataError(f"target {shortened(name)!r} is no number: several targets must be numbers")
        found.append(_numbers(frame[name], name, column))
    known = np.all([each.known for each in found], axis=0)
    if not known.any():
        raise DataError(f"no row has a target {shortened(', '.join(names))!r}")
    whole = np.full((len(frame), len(found)), np.nan)
    for place, each in enumerate(found):
        whole[each.known, place] = each.values
    return Target(whole[known], known, "regression", "" if task else "several targets")
