"""What cannot be divided, in one line with the next step, in the words of the door that the samples came through."""

from __future__ import annotations

from typing import Any

import numpy as np

from sweep.errors import DataError, shortened
from sweep.learning.data.dividing.common import test_size, validation_size
from sweep.learning.data.dividing.rare import rare
from sweep.learning.data.source import GIVEN, DataSource
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array

MANY_CLASSES = 20  # more, most of them rare, look like numbers or names
LONGEST_LABEL = 60


def check_classes(table: Table, source: DataSource) -> None:
    """Raise `DataError` for a target whose values are no classes, where the task was guessed."""
    if table.task != "classification" or not source.file or source.task == "classification":
        return
    classes = len(np.unique(table.target))
    if classes <= MANY_CLASSES:
        return
    if 2 * sum(count for _, count in rare(table.target)) > len(table) and not _room_for_all(
        len(table), classes, source
    ):
        target = ", ".join(source.targets)
        raise DataError(
            f"{source.label}: {target} has {classes} different values in {len(table)} rows: these are no "
            'classes: if they are amounts say task = "regression" under [data], if a few matter group_rare = true, if '
            'all do task = "classification"'
        )


def _room_for_all(samples: int, classes: int, source: DataSource) -> bool:
    """Whether every part has room for one of each class."""
    return min(validation_size(source, samples), test_size(source, samples) or samples) >= classes


def check_sizes(source: DataSource, samples: int, classes: int, held_out: tuple[int, int] | None = None) -> None:
    """Raise `DataError` unless there are classes to tell apart, and a sample of each is left for training.

    `classes` is 0 for regression; `held_out` has the sizes of validation and test part, if not those that are wanted.
    """
    if classes == 1:
        raise DataError(f"{source.label}: the target has one class only: there is nothing to tell apart")
    validation, test = held_out or (validation_size(source, samples), test_size(source, samples))
    left = samples - validation - test
    if left >= max(1, classes):
        return
    parts = f"{validation} for the validation part" + (f" and {test} for the test part" if test else "")
    training = "which needs one of every class" if classes else "which needs one"
    of_classes = f" of {classes} classes" if classes else ""
    raise DataError(
        f"{source.label}: {samples} samples{of_classes} cannot be split: {parts} leave {max(0, left)} for training, "
        f"{training}: {'take more rows' if samples == source.rows else 'add samples'}, or {smaller(source)}"
    )


def check_taught(table: Table, everything: Array, train: Array, source: DataSource, step: str) -> None:
    """Raise `DataError` if the training part lacks a class."""
    if table.task != "classification":
        return
    labels, counts = np.unique(table.target[everything], return_counts=True)
    lacking = np.flatnonzero(~np.isin(labels, table.target[train]))
    if len(lacking):
        first = lacking[np.argmax(counts[lacking])]
        more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        raise DataError(
            f"{source.label}: class {told(labels[first])}{more} has {counts[first]} of {len(everything)} samples, none "
            f"of them in the training part: {step}"
        )


def told(value: Any) -> str:
    """A value as a person reads it."""
    return shortened(repr(value.item() if isinstance(value, np.generic) else value), LONGEST_LABEL)


def smaller(source: DataSource) -> str:
    """What makes the training part larger."""
    if source.name == GIVEN:
        return "make validation smaller"
    return f"make {'validation and test' if source.test else 'validation'} smaller under [data]"
