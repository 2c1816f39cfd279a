"""Samples divided as the table says itself.

The shares of validation and test part do not matter where the table has these parts. Without a validation part it is
drawn from the training samples: its share of these, stratified, another one for each split; without a test part there
is none. A part of the rows has all parts, and the classes in them, in proportion.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from sweep.errors import DataError
from sweep.learning.data.dividing.common import Indices, classes_of, count_of, test_state, validation_size
from sweep.learning.data.dividing.cutting import leave_out
from sweep.learning.data.dividing.refusals import check_sizes, check_taught
from sweep.learning.data.dividing.rows import validations
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array

STEP = "give it samples of that class, or none of it to the other parts"


def divide(table: Table, source: DataSource, seed: int, splits: int) -> Iterator[Indices]:
    """Choose which sample belongs to which part, for each split."""
    assert table.parts is not None
    classes = classes_of(table)
    everything = np.arange(len(table))
    if source.rows is not None and source.rows < len(everything):
        everything = _some(table.parts, classes, source, test_state(source, seed))
    train, validation, test = (everything[table.parts[everything] == part] for part in ("train", "validation", "test"))
    if not len(train):
        raise DataError(f"{source.label}: {source.split or 'split'} gives no sample to the training part")
    check_taught(table, everything, train, source, STEP)
    if len(validation):
        check_sizes(source, len(everything), count_of(classes, train), (len(validation), len(test)))
        parts: Iterator[Array] = itertools.repeat(validation)
    else:
        share = validation_size(source, len(train))
        check_sizes(source, len(train), count_of(classes, train), (share, 0))
        parts = validations(train, share, classes, seed)
    for own in itertools.islice(parts, splits):
        yield Indices(np.setdiff1d(train, own), np.sort(own), test)


def _some(parts: Array, classes: Array | None, source: DataSource, state: int) -> Array:
    """So many samples of all parts, and of their classes, in proportion."""
    assert source.rows is not None
    of_part = np.unique(parts, return_inverse=True)[1]
    both = of_part if classes is None else of_part * (int(classes.max()) + 1) + classes
    strata = np.unique(both, return_inverse=True)[1]
    if source.rows <= strata.max():
        each = "part" if classes is None else "class in every part"
        raise DataError(f"{source.label}: rows = {source.rows} is too few to have a sample of each {each}: take more")
    everything = np.arange(len(parts))
    return np.sort(leave_out(everything, len(parts) - source.rows, strata, state, keep=1))
