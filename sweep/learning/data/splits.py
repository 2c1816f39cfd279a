"""From a table to what a network eats: train, validation and test parts, scaled by the training part alone (or not).

The split is stratified by class and decided by the seed. Means, variances and categories are learnt from the training
part. The test part is carried along and touched by no search.

One seed can also make several splits of the same samples, with one test part: their validation parts do not overlap
while the samples last (k-fold), then the samples are divided anew. Each split is scaled by its own training part. They
stand one after the other in the same arrays, and are trained as rows of one population.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from sweep.learning.data import memory
from sweep.learning.data.datasets import load_named
from sweep.learning.data.dividing import Indices, indices
from sweep.learning.data.keeping import Keeping
from sweep.learning.data.parts import Data, Facts, joined
from sweep.learning.data.scaling import scaled
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.data.tables import understanding


@Keeping
def prepare(source: DataSource, seed: int, splits: int = 1) -> Data:
    """Load, split (into several splits, if so asked) and scale; kept, so that a worker does it once (`Keeping`).

    Raises
    ------
    DataError
        The data cannot be loaded or are too few to be split.
    """
    return split(table_of(source), source, seed, splits)


@functools.lru_cache(maxsize=64)
def facts(source: DataSource, seed: int, splits: int = 1) -> Facts:
    """What is known of prepared data; kept longer than these, which may be large.

    Raises
    ------
    DataError
        As `prepare`.
    """
    return prepare(source, seed, splits).facts


def samples(source: DataSource) -> int:
    """How many samples there are, in all parts together."""
    count = len(table_of(source))
    return count if source.rows is None else min(count, source.rows)


def load(source: DataSource) -> Table:
    """Load the data, unsplit.

    Raises
    ------
    SweepError
        They are not there, or cannot be used.
    """
    return understanding.load(source) if source.file else load_named(source.name, dict(source.arguments))


def table_of(source: DataSource) -> Table:
    """The same; kept, since many splits are made of it."""
    return _loaded(source.unsplit)


@functools.lru_cache(maxsize=1)
def _loaded(source: DataSource) -> Table:
    if source.file:
        memory.check_file(Path(source.file), (*source.ignore, *source.targets))
    return load(source)


def split(table: Table, source: DataSource, seed: int, splits: int = 1) -> Data:
    """Split and scale a table as `source` says."""
    return joined([scaled(table, indices, source) for indices in indices(table, source, seed, splits)])


def whole(table: Table, source: DataSource) -> Data:
    """Scale a table without splitting it: every sample is a training sample, and watched as the validation part."""
    everything = np.arange(len(table.target))
    return scaled(table, Indices(everything, everything), source)


def split_off_test(source: DataSource, seed: int) -> Table:
    """The samples of the training and validation parts, as they are before scaling."""
    table = table_of(source)
    first = next(indices(table, source, seed))
    return table.rows(np.sort(np.concatenate([first.train, first.validation])))
