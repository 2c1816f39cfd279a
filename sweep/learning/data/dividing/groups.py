"""Samples divided so that no group is in two parts: patients, say, each with several visits.

Whole groups are drawn at random until a part has about the size that is wanted, never further from it than half of a
group that it could have had; among several draws the one counts that is nearest in size and in the shares of the
classes. For every class one group that has it stays in the training part. The validation parts of several splits have
no group in common while the groups last; then the groups are divided anew. As groups differ in size, so do these parts
a little: all are cut down to the smallest, see `of_one_size`. A part of the rows are whole groups, but for one.

scikit-learn's own ways were tried: `GroupShuffleSplit` takes shares of the groups, not of the samples;
`StratifiedGroupKFold` makes folds of one size only, and took 160 s for 1,000,000 samples of 100,000 groups, where these
three parts take 3 s.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.errors import DataError
from sweep.learning.data.dividing.common import (
    Indices,
    classes_of,
    count_of,
    fold_state,
    of_one_size,
    test_size,
    test_state,
    validation_size,
)
from sweep.learning.data.dividing.cutting import leave_out
from sweep.learning.data.dividing.refusals import check_sizes
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array

FINE = 4_000  # groups that are looked at one by one; of more the most are taken as they come
DRAWS = 10
ASKED = 20  # groups among which one is chosen to stay
WORN_OUT = 0.75  # of the smallest part so far: with less than that the groups are divided anew


@dataclass(frozen=True, slots=True)
class _Groups:
    """Groups by their number: `counts`, a sparse array ``(groups, classes)`` of their samples, and their `sizes`."""

    counts: Any
    sizes: Array

    @classmethod
    def of(cls, groups: Array, classes: Array | None) -> _Groups:
        """The groups of these samples; in regression all are of one class."""
        from scipy.sparse import coo_array

        own = np.zeros(len(groups), int) if classes is None else classes
        shape = int(groups.max()) + 1, int(own.max()) + 1
        counts = coo_array((np.ones(len(groups)), (groups, own)), shape).tocsr()
        return cls(counts, np.bincount(groups))

    def staying(self, kept: Array, left: Array, random: np.random.Generator) -> Array:
        """A few of those left, so that they and those that are kept anyway have every class; none is superfluous."""
        there = np.asarray(self.counts[np.concatenate([kept, left])].sum(axis=0)).ravel() > 0
        has = self.counts[left] > 0
        lacking = there & ~(np.asarray(self.counts[kept].sum(axis=0)).ravel() > 0)
        wanted, columns = lacking.copy(), has.tocsc()
        of_class = np.diff(columns.indptr)
        chosen: list[int] = []
        for label in np.argsort(of_class, kind="stable"):
            if wanted[label]:
                able = columns.indices[columns.indptr[label] : columns.indptr[label + 1]]
                able = random.permutation(able)[:ASKED]
                best = int(able[np.argmax(has[able] @ wanted.astype(float))])
                chosen.append(best)
                wanted &= ~has[[best]].toarray()[0]
        for each in random.permutation(np.array(chosen, int)):
            others = [other for other in chosen if other != each]
            if others and (np.asarray(has[others].sum(axis=0)).ravel() > 0)[lacking].all():
                chosen = others
        return np.asarray(left[np.array(chosen, int)])

    def take(self, free: Array, count: int, random: np.random.Generator) -> Array:
        """Groups with about so many samples, the classes in proportion; at least one."""
        shares = np.asarray(self.counts[free].sum(axis=0)).ravel()
        target = shares * (count / shares.sum())
        best, least = free[:0], np.inf
        for _ in range(max(1, min(DRAWS, FINE // len(free)))):
            taken = self._drawn(random.permutation(free), target)
            missing = target - np.asarray(self.counts[taken].sum(axis=0)).ravel()
            distance = float(missing.sum() ** 2 + missing @ missing)
            if distance < least:
                best, least = taken, distance
        if not len(best):  # all are more than twice as large as what is wanted
            return random.permutation(free[self.sizes[free] == self.sizes[free].min()])[:1]
        return best

    def _drawn(self, order: Array, target: Array) -> Array:
        """The groups in this order that bring size and classes nearer to the target; then what brings the size nearer.

        With a target of `t` samples of a class where `m` are missing, one more group with `g` of them changes the
        squared distance by `g (g - 2 m)`, and so for the size.
        """
        bulk, fine = order[:-FINE], order[-FINE:]
        most = max(0.9 * target.sum(), target.sum() - self.sizes[fine].sum() / 2)
        bulk = bulk[np.cumsum(self.sizes[bulk]) <= most]
        missing = target - np.asarray(self.counts[bulk].sum(axis=0)).ravel()
        counts, sizes = self.counts[fine].toarray(), self.sizes[fine]
        taken = np.zeros(len(fine), bool)
        for place, (own, size) in enumerate(zip(counts, sizes.tolist(), strict=True)):
            if size < 2 * missing.sum() and own @ (own - 2 * missing) < 0:
                taken[place] = True
                missing = missing - own
        squares = (counts**2).sum(axis=1) + sizes**2
        while (fits := ~taken & (sizes < 2 * missing.sum())).any():
            change = squares - 2 * (counts @ missing + sizes * missing.sum())
            place = int(np.argmin(np.where(fits, change, np.inf)))
            taken[place] = True
            missing = missing - counts[place]
        return np.concatenate([bulk, fine[taken]])


def divide(table: Table, source: DataSource, seed: int, splits: int) -> Iterator[Indices]:
    """Choose which sample belongs to which part, for each split."""
    classes, state = classes_of(table), test_state(source, seed)
    everything = _some(table, classes, source, state)
    check_sizes(source, len(everything), count_of(classes, everything))
    of = np.unique(np.asarray(table.groups)[everything], return_inverse=True)[1]
    groups = _Groups.of(of, None if classes is None else classes[everything])
    rest, apart = np.arange(len(groups.sizes)), np.empty(0, int)
    parts = 3 if source.test else 2
    if len(rest) < parts:
        raise DataError(_too_few(source, f"has too few groups, {len(rest)} for {parts} parts"))
    if size := test_size(source, len(everything)):
        random = np.random.default_rng(state)
        rest, apart = _cut(groups, rest[:0], rest, size, random, source, spare=1)
    folds = _validations(groups, rest, validation_size(source, len(everything)), seed, source)
    test = everything[np.isin(of, apart)]
    divided = [
        Indices(everything[np.isin(of, np.setdiff1d(rest, own))], everything[np.isin(of, own)], test)
        for own in itertools.islice(folds, splits)
    ]
    yield from of_one_size(divided, classes, seed)


def _cut(
    groups: _Groups,
    kept: Array,
    left: Array,
    count: int,
    random: np.random.Generator,
    source: DataSource,
    spare: int = 0,
) -> tuple[Array, Array]:
    """What is left, and what is taken; `spare` of those left are held back beside those that every class needs."""
    free = np.setdiff1d(left, groups.staying(kept, left, random))
    free = np.sort(random.permutation(free)[spare:])
    if not len(free):
        raise DataError(_too_few(source, "has no group to hold out: each is the last that has some class"))
    taken = groups.take(free, count, random)
    return np.setdiff1d(left, taken), taken


def _validations(groups: _Groups, rest: Array, count: int, seed: int, source: DataSource) -> Iterator[Array]:
    """Validation parts without end, by the numbers of their groups."""
    left, least = rest, np.inf
    for number in itertools.count():
        random = np.random.default_rng(fold_state(seed, number))
        taken = rest[:0]
        if len(left) < len(rest):
            samples = int(groups.sizes[left].sum())
            wanted = min(count, round(samples / max(1, round(samples / count))))
            free = np.setdiff1d(left, groups.staying(np.setdiff1d(rest, left), left, random))
            taken = groups.take(free, wanted, random) if len(free) and wanted else taken
        if groups.sizes[taken].sum() < WORN_OUT * least:
            taken = rest[:0]
        if not len(taken):
            left = rest
            taken = _cut(groups, rest[:0], rest, count, random, source)[1]
        left = np.setdiff1d(left, taken)
        least = min(least, int(groups.sizes[taken].sum()))
        yield taken


def _some(table: Table, classes: Array | None, source: DataSource, state: int) -> Array:
    """So many samples: whole groups, but for one, with every class; of more groups only if these were not three."""
    everything = np.arange(len(table))
    if source.rows is None or source.rows >= len(table):
        return everything
    check_sizes(source, source.rows, count_of(classes, everything))
    of = np.unique(np.asarray(table.groups), return_inverse=True)[1]
    groups, random, leaving = _Groups.of(of, classes), np.random.default_rng(state), len(table) - source.rows
    every = np.arange(len(groups.sizes))
    free = np.setdiff1d(every, groups.staying(every[:0], every, random))
    free = np.sort(random.permutation(free)[2:])
    going = groups.take(free, leaving, random) if len(free) else free
    order = np.concatenate([random.permutation(going), random.permutation(np.setdiff1d(free, going))])
    place = np.full(len(every), len(every))
    place[order] = np.arange(len(order))
    in_order = np.argsort(place[of], kind="stable")
    loose = in_order[: int(groups.sizes[free].sum())]
    kept = np.setdiff1d(everything, loose[:leaving])
    return np.sort(leave_out(kept, max(0, leaving - len(loose)), classes, state, keep=1))


def _too_few(source: DataSource, what: str) -> str:
    """A refusal."""
    step = "set test = 0, or leave group out" if source.test else "leave group out"
    return f"{source.label}: {source.group or 'group'} {what}: {step}"
