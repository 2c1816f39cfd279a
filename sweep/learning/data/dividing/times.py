"""Samples divided by time: the test part is the latest, the validation part the latest before it.

Training is everything before. Samples of one time are not torn apart: the boundary moves to the nearest place between
two times, and only where there is none it stays. A part of the rows are the latest ones: what they leave has no gaps,
and the past is what drift makes worth least.

Several splits are rolling origins. Each looks at the same rest from a moment that is shifted back by a fraction of a
validation part; the windows of training end where those of validation begin. With `test_seed`, for the fresh splits of
the race and of the finalists, the seed draws how far. All are stacked, so the longer training windows lose their oldest
samples, and the larger validation windows random ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sweep.learning.data.dividing.common import (
    Indices,
    classes_of,
    count_of,
    of_one_size,
    test_size,
    validation_size,
)
from sweep.learning.data.dividing.cutting import lost
from sweep.learning.data.dividing.refusals import check_sizes, check_taught, smaller
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array
from sweep.learning.seeds import stream


@dataclass(frozen=True, slots=True)
class _Past:
    """All that is not tested, in the order of time: `places` of the samples, and `ends`, where a new time begins."""

    places: Array
    ends: Array
    validation: int

    def windows(self, shifts: list[int]) -> list[Indices]:
        """The parts as they are seen from so many samples before the end; training parts of one size."""
        found, whole = [], len(self.places)
        last = np.append(self.ends[self.ends > 1], whole) if len(self.ends) else self.ends
        for shift in shifts:
            end = nearest(whole - shift, last) if shift else whole
            found.append((nearest(end - self.validation, self.ends[self.ends < end]), end))
        length = min(begin for begin, _ in found)
        return [Indices(self.places[begin - length : begin], self.places[begin:end]) for begin, end in found]


def nearest(wanted: int, ends: Array) -> int:
    """The boundary between two times that is nearest to where one is wanted; that itself, if there is none."""
    return int(ends[np.argmin(np.abs(ends - wanted))]) if len(ends) else max(1, wanted)


def divide(table: Table, source: DataSource, seed: int, splits: int) -> Iterator[Indices]:
    """Choose which sample belongs to which part, for each split."""
    assert table.times is not None
    order = np.argsort(table.times, kind="stable")
    if source.rows is not None:
        order = order[-source.rows :]
    classes, samples = classes_of(table), len(order)
    check_sizes(source, samples, count_of(classes, order))
    ordered = table.times[order]
    ends = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    last = samples
    if size := test_size(source, samples):
        inner = ends[1:] if len(ends) > 1 else ends  # one is left for the validation part
        last = nearest(samples - size, inner[inner > 1])
    past = _Past(order[:last], ends[ends < last], validation_size(source, samples))
    divided = _rolling(past, classes, source, seed, splits)
    for each in of_one_size(divided, classes, seed):
        check_taught(table, order, each.train, source, f"it begins too late for that: {smaller(source)}")
        yield Indices(each.train, each.validation, np.sort(order[last:]))


def _rolling(past: _Past, classes: Array | None, source: DataSource, seed: int, splits: int) -> list[Indices]:
    """The windows of each split, as far apart as may be with every class in every training part."""
    span = min(past.validation, (len(past.places) - past.validation) // 2)
    drawn = 0.0 if source.test_seed is None else np.random.default_rng(stream(seed, "split")).random()
    while True:
        fractions = (drawn + np.arange(splits) / splits) % 1
        found = past.windows(np.floor(fractions * max(span, 0)).astype(int).tolist())
        if span < 1 or classes is None or not any(lost(classes, past.places, each.train) for each in found):
            return found
        span //= 2
