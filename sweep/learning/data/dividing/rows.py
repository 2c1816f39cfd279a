"""Samples divided at random, stratified by class.

The validation parts of several splits do not overlap while the samples last (k-fold), then the samples are divided
anew. A class of few samples has at least one in every training part; that of a single sample is never held out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from sweep.learning.data.dividing.common import (
    Indices,
    classes_of,
    count_of,
    fold_state,
    test_size,
    test_state,
    validation_size,
)
from sweep.learning.data.dividing.cutting import lost, sparing, stratified
from sweep.learning.data.dividing.refusals import check_sizes
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array

Cut = Callable[[Array, int, int], tuple[Array, Array]]


def divide(table: Table, source: DataSource, seed: int, splits: int) -> Iterator[Indices]:
    """Choose which sample belongs to which part, for each split."""
    classes, state = classes_of(table), test_state(source, seed)
    everything = np.arange(len(table))
    if source.rows is not None and source.rows < len(table):
        everything = _some(everything, source, classes, state)
    check_sizes(source, len(everything), count_of(classes, everything))
    validation, test = validation_size(source, len(everything)), test_size(source, len(everything))
    rest, apart = held_out(everything, test, classes, state) if test else (everything, np.empty(0, int))
    for own in itertools.islice(validations(rest, validation, classes, seed), splits):
        yield Indices(np.setdiff1d(rest, own), np.sort(own), np.sort(apart))


def _some(indices: Array, source: DataSource, classes: Array | None, state: int) -> Array:
    """Choose some of the samples, the classes in proportion (but for a handful that is left out: then at random)."""
    assert source.rows is not None
    leaving = len(indices) - source.rows
    strata = None if leaving < count_of(classes, indices) else classes
    try:
        chosen = stratified(indices, source.rows, strata, state)[1]
    except ValueError:
        if classes is None:
            raise
    else:
        if classes is None or count_of(classes, chosen) > 1 or count_of(classes, indices) == 1:
            return chosen
    check_sizes(source, source.rows, count_of(classes, indices))
    return spared(indices, leaving, classes, state)[0]


def held_out(indices: Array, count: int, classes: Array | None, state: int) -> tuple[Array, Array]:
    """What is left, with a sample of each class, and so many that are taken."""
    try:
        left, taken = stratified(indices, count, classes, state)
    except ValueError:
        if classes is None:
            raise
    else:
        if classes is None or not lost(classes, indices, left):
            return left, taken
    return spared(indices, count, classes, state)


def spared(indices: Array, count: int, classes: Array, state: int) -> tuple[Array, Array]:
    """The same by our own cut."""
    there = np.bincount(classes[indices], minlength=int(classes.max()) + 1)
    return sparing(indices, count, classes, state, np.maximum(there - 1, 0))


def validations(rest: Array, count: int, classes: Array | None, seed: int) -> Iterator[Array]:
    """Validation parts without end, each of so many samples; what is left of `rest` has a sample of each class."""

    def cut(left: Array, count: int, state: int) -> tuple[Array, Array]:
        if len(left) == count < len(rest):
            return left[:0], left
        return stratified(left, count, classes, state)

    def cut_sparing(left: Array, count: int, state: int) -> tuple[Array, Array]:
        assert classes is not None
        there = np.bincount(classes[rest], minlength=int(classes.max()) + 1)
        return sparing(left, count, classes, state, np.maximum(there - 1, 0))

    if classes is None:
        yield from _folds(rest, count, cut, seed)
        return
    folds = _folds(rest, count, cut, seed)
    try:
        first = next(folds)
    except ValueError:
        yield from _folds(rest, count, cut_sparing, seed)
        return
    if lost(classes, rest, np.setdiff1d(rest, first)):
        yield from _folds(rest, count, cut_sparing, seed)
        return
    # With little for training a tie may be decided against a rare class, in a later split if not in the first.
    others = (fold for fold in folds if not lost(classes, rest, np.setdiff1d(rest, fold)))
    yield from itertools.chain([first], others)


def _folds(rest: Array, count: int, cut: Cut, seed: int) -> Iterator[Array]:
    """Validation parts without end: each takes so many of what is left, and when too few are, of all anew."""
    left = rest
    for number in itertools.count():
        state = fold_state(seed, number)
        try:
            left, taken = cut(left, count, state)
        except ValueError:  # too few, of all samples or of a class
            if left is rest:
                raise
            left, taken = cut(rest, count, state)
        yield taken
