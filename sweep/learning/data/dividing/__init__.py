"""Which sample belongs to which part, decided by the seed, for one split or for several.

A way of dividing a file: at random, stratified by class (`rows`); without tearing a group apart (`groups`); by time
(`times`); as the table says itself (`given`). Which one follows from what the table knows of its samples.

Of every way hold: the parts are disjoint; the splits of one job have as many samples each, as they are stacked; the
test part is the same for all of them, and follows from `test_seed`, if there is one; every class is in every training
part.
"""

from __future__ import annotations

from collections.abc import Iterator

from sweep.errors import DataError
from sweep.learning.data.dividing import given, groups, rows, times
from sweep.learning.data.dividing.common import Indices
from sweep.learning.data.dividing.refusals import check_classes
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table

__all__ = ["Indices", "indices"]
ONE_WAY = "group, time and split each say how the samples are divided: use one of them"


def indices(table: Table, source: DataSource, seed: int, splits: int = 1) -> Iterator[Indices]:
    """Choose which sample belongs to which part, for each split.

    Raises
    ------
    DataError
        The samples cannot be divided so.
    """
    known = {given.divide: table.parts, groups.divide: table.groups, times.divide: table.times}
    ways = [way for way, column in known.items() if column is not None] or [rows.divide]
    if len(ways) > 1:
        raise DataError(f"{source.label}: {ONE_WAY}")
    check_classes(table, source)
    yield from ways[0](table, source, seed, splits)
