"""Which sample belongs to which part: stratified by class, decided by the seed, for one split or for several.

The validation parts of several splits do not overlap while the samples last (k-fold), then the samples are divided
anew. The test part is the same for all of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from sweep.errors import DataError
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array
from sweep.learning.seeds import integer_seed

FEWEST_OF_A_CLASS = 4  # fewer cannot be dealt to three parts, one of which is the larger


@dataclass(frozen=True, slots=True)
class Indices:
    """Which samples are in each part, by their place in the table."""

    train: Array
    validation: Array
    test: Array = field(default_factory=lambda: np.empty(0, int))


def indices(table: Table, source: DataSource, seed: int, splits: int = 1) -> Iterator[Indices]:
    """Choose which sample belongs to which part, for each split."""
    from sklearn.model_selection import train_test_split

    everything = np.arange(len(table.target))
    state = integer_seed(seed, "split")
    test_state = state if source.test_seed is None else integer_seed(source.test_seed, "split")
    classes = table.target if table.task == "classification" else None

    def cut(indices: Array, count: int, state: int) -> tuple[Array, Array]:
        strata = None if classes is None else classes[indices]
        rest, taken = train_test_split(indices, test_size=count, random_state=state, stratify=strata)
        return rest, taken

    try:
        if source.rows is not None and source.rows < len(everything):
            everything = _some(everything, source.rows, classes, test_state)
        rest, test = everything, np.empty(0, int)
        if source.test:
            rest, test = cut(everything, max(1, round(source.test * len(everything))), test_state)
        folds = _folds(rest, max(1, round(source.validation * len(everything))), cut, seed)
        first = next(folds)
    except ValueError as error:
        raise DataError(f"{source.label}: {_too_few(table, error)}") from error
    if classes is not None:
        _check_classes(classes, everything, np.setdiff1d(rest, first), source.label)
        # With little for training a tie may be decided against a rare class, in a later split if not in the first.
        folds = (fold for fold in folds if not len(_absent(classes, everything, np.setdiff1d(rest, fold))))
    for validation in itertools.islice(itertools.chain([first], folds), splits):
        yield Indices(np.setdiff1d(rest, validation), np.sort(validation), np.sort(test))


def _folds(
    rest: Array, count: int, cut: Callable[[Array, int, int], tuple[Array, Array]], seed: int
) -> Iterator[Array]:
    """Validation parts without end: each takes so many of what is left, and when too few are, of all anew."""
    left = rest
    for number in itertools.count():
        state = integer_seed(seed, "split", *([number] if number else []))
        if len(left) == count < len(rest):
            yield left
            left = rest
            continue
        try:
            left, taken = cut(left, count, state)
        except ValueError:  # too few, of all samples or of a class
            if left is rest:
                raise
            left, taken = cut(rest, count, state)
        yield taken


def _some(indices: Array, count: int, classes: Array | None, state: int) -> Array:
    """Choose some of the samples, the classes in proportion (but for a handful that is left out: then at random)."""
    from sklearn.model_selection import train_test_split

    handful = classes is not None and len(indices) - count < len(np.unique(classes))
    strata = None if handful else classes
    return np.asarray(train_test_split(indices, test_size=count, random_state=state, stratify=strata)[1])


def _absent(classes: Array, everything: Array, train: Array) -> Array:
    """The classes of which the training part has no sample."""
    return np.setdiff1d(classes[everything], classes[train])


def _check_classes(classes: Array, everything: Array, train: Array, label: str) -> None:
    """Raise `DataError` unless the training part has every class, and more than one."""
    if len(np.unique(classes[train])) < 2:
        raise DataError(f"{label}: the target has one class only: there is nothing to tell apart")
    absent = _absent(classes, everything, train)
    if len(absent):
        raise DataError(
            f"{label}: the training part has no sample of class {absent[0]!s}: make the other parts smaller"
        )


def _too_few(table: Table, error: ValueError) -> str:
    """Say why a split failed in the user's terms."""
    samples = len(table.target)
    if table.task == "classification" and samples:
        labels, counts = np.unique(table.target, return_counts=True)
        rarest = int(np.argmin(counts))
        label = labels[rarest].item() if isinstance(labels[rarest], np.generic) else labels[rarest]
        if counts[rarest] < FEWEST_OF_A_CLASS:
            return (
                f"cannot be split by class: class {label!r} has {counts[rarest]} of {samples} samples: each "
                "part needs one of every class; merge rare classes or add samples"
            )
        return (
            f"{samples} samples of {len(labels)} classes cannot be split: each part needs one of every class; add "
            "samples, or change validation and test under [data]"
        )
    return f"{samples} samples cannot be split: {error}"
