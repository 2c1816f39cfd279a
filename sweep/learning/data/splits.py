"""From a table to what a network eats: train, validation and test parts, scaled by the training part alone (or not).

The split is stratified by class and decided by the seed. Means, variances and categories are learnt from the training
part. The test part is carried along and touched by no search.

One seed can also make several splits of the same samples, with one test part: their validation parts do not overlap
while the samples last (k-fold), then the samples are divided anew. Each split is scaled by its own training part. They
stand one after the other in the same arrays, and are trained as rows of one population.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable
from pathlib import Path

import numpy as np

from sweep.learning.data import identity, memory
from sweep.learning.data.datasets import load_named
from sweep.learning.data.dividing import Indices, indices
from sweep.learning.data.keeping import Keeping
from sweep.learning.data.parts import Data, Facts, joined
from sweep.learning.data.scaling import scaled
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.data.tables import understanding

TABLE_GIVEN = "the table given"  # what a table that a program holds is called


def prepare(source: DataSource, seed: int, splits: int = 1) -> Data:
    """Load, split (into several splits, if so asked) and scale; kept, so that a worker does it once (`Keeping`).

    A file that has changed since is read again.

    Raises
    ------
    DataError
        The data cannot be loaded or are too few to be split.
    """
    return _prepared(source, seed, splits, identity.state(source.file))


@Keeping
def _prepared(source: DataSource, seed: int, splits: int, state: Hashable) -> Data:
    del state
    return split(table_of(source), source, seed, splits)


def facts(source: DataSource, seed: int, splits: int = 1) -> Facts:
    """What is known of prepared data; kept longer than these, which may be large.

    Raises
    ------
    DataError
        As `prepare`.
    """
    return _facts(source, seed, splits, identity.state(source.file))


@functools.lru_cache(maxsize=64)
def _facts(source: DataSource, seed: int, splits: int, state: Hashable) -> Facts:
    return _prepared(source, seed, splits, state).facts


def let_go() -> None:
    """Keep no prepared data any more: whoever needs them has them in a file."""
    _prepared.cache_clear()


def forget() -> None:
    """Forget all that has been loaded, as a new process has not loaded it."""
    for kept in (_prepared, _facts, _loaded):
        kept.cache_clear()


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
    if not source.file:
        return load_named(source.name, dict(source.arguments))
    frame = identity.from_memory(source.file)
    if frame is None:
        return understanding.load(source)
    return understanding.understood_at(TABLE_GIVEN, frame, source)


def table_of(source: DataSource) -> Table:
    """The same; kept, since many splits are made of it."""
    return _loaded(source.unsplit, identity.state(source.file))


@functools.lru_cache(maxsize=1)
def _loaded(source: DataSource, state: Hashable) -> Table:
    del state
    if source.file and not identity.is_held(source.file):
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
