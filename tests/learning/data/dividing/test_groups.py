"""No group is in two parts, and parts are as near to their sizes as groups allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import DataError
from sweep.learning.data.dividing import Indices, indices
from sweep.learning.data.dividing.common import of_one_size
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import split
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array
from tests.learning.data.dividing.laws import PARTS, divided, fresh, seeds, shares, table, tests
from tests.studies import laws

sizes_drawn = st.lists(st.integers(1, 12), min_size=6, max_size=40)


def grouped(sizes: Sequence[int], target: Any = None, order: int = 0) -> Table:
    """Groups of these sizes, their samples in any order; a regression unless classes are given, one for each group."""
    of = np.repeat(np.arange(len(sizes)), sizes)
    of = np.random.default_rng(order).permutation(of)
    values = np.random.default_rng(0).normal(size=len(of)) if target is None else np.array(target)[of]
    return table(values, groups=np.array([f"patient {number}" for number in of]))


def whole(data: Table, each: Indices) -> None:
    """No group is in two parts."""
    groups: Any = data.groups
    train, validation, test = (set(groups[getattr(each, part)].tolist()) for part in PARTS)
    assert not train & validation
    assert not (train | validation) & test


@laws
@given(
    sizes=sizes_drawn, validation=shares, test=tests, splits=st.integers(1, 8), seed=seeds, test_seed=st.none() | seeds
)
def test_no_group_is_in_two_parts(
    sizes: list[int], validation: float, test: float, splits: int, seed: int, test_seed: int | None
) -> None:
    data = grouped(sizes)
    source = DataSource(name="n", validation=validation, test=test, test_seed=test_seed)
    for each in divided(data, source, seed, splits):
        whole(data, each)
        assert bool(len(each.test)) == bool(test)


@laws
@given(sizes=st.lists(st.integers(1, 12), min_size=15, max_size=40), validation=shares, test=tests, seed=seeds)
def test_a_single_split_uses_all_samples_in_parts_of_about_the_size_that_was_asked_for(
    sizes: list[int], validation: float, test: float, seed: int
) -> None:
    data = grouped(sizes)
    (each,) = divided(data, DataSource(name="n", validation=validation, test=test), seed)
    assert len(each.train) + len(each.validation) + len(each.test) == len(data)
    for part, share in ((each.validation, validation), (each.test, test)):
        if share:
            # half of the largest group, and what is rounded
            assert abs(len(part) - share * len(data)) <= max(sizes) / 2 + 0.5


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("number", [30, 9_000])
def test_groups_of_one_size_make_parts_as_large_as_asked(number: int, size: int) -> None:
    (each,) = divided(grouped([size] * number), DataSource(name="n"), 0)
    assert [len(getattr(each, part)) / size / number for part in PARTS] == [0.6, 0.2, 0.2]


@laws
@given(
    sizes=st.lists(st.integers(1, 5), min_size=30, max_size=60), splits=st.integers(2, 4), seed=seeds,
    classes=st.booleans(),
)  # fmt: skip
def test_validation_parts_have_no_group_in_common_while_the_groups_last(
    sizes: list[int], splits: int, seed: int, classes: bool
) -> None:
    data = grouped(sizes, np.arange(len(sizes)) % 2 if classes else None)
    groups: Any = data.groups
    found = divided(data, DataSource(name="n"), seed, splits)
    own = [set(groups[each.validation].tolist()) for each in found]
    assert len(set().union(*own)) == sum(map(len, own))


@laws
@given(sizes=sizes_drawn, splits=st.integers(2, 8), seed=seeds)
def test_several_splits_begin_with_the_single_one_cut_down(sizes: list[int], splits: int, seed: int) -> None:
    data, source = grouped(sizes), DataSource(name="n")
    (one,), (first, *_) = (divided(data, source, seed, number) for number in (1, splits))
    assert first.test.tolist() == one.test.tolist()
    for part in ("train", "validation"):
        assert set(getattr(first, part)) <= set(getattr(one, part))


def test_several_splits_of_groups_stand_in_one_array() -> None:
    sizes = np.random.default_rng(0).integers(1, 30, 40).tolist()
    data = split(grouped(sizes, np.arange(40) % 3), DataSource(name="n"), 0, 4)
    assert data.splits == 4
    assert len(data.train.inputs) == 4 * len(data.train)
    assert len(data.validation.targets) == 4 * len(data.validation)


@laws
@given(counts=st.lists(st.tuples(st.integers(6, 20), st.integers(1, 9)), min_size=1, max_size=5), seed=seeds)
def test_splits_of_one_size_leave_out_no_more_than_they_must(counts: list[tuple[int, int]], seed: int) -> None:
    classes = np.random.default_rng(seed).permutation(np.arange(30) % 5)
    before = [Indices(np.arange(train), np.arange(20, 20 + validation)) for train, validation in counts]
    before = [replace(each, train=np.union1d(each.train, np.unique(classes, return_index=True)[1])) for each in before]
    after = of_one_size(before, classes, seed)
    for part in ("train", "validation"):
        least = min(len(getattr(each, part)) for each in before)
        for one, other in zip(before, after, strict=True):
            assert len(getattr(other, part)) == least
            assert set(getattr(other, part)) <= set(getattr(one, part))
            assert set(classes[one.train]) == set(classes[other.train])


@laws
@given(
    classes=st.lists(st.integers(0, 3), min_size=8, max_size=40), validation=shares, test=tests,
    splits=st.integers(1, 6), seed=seeds,
)  # fmt: skip
def test_every_class_is_in_every_training_part_though_a_single_group_has_it(
    classes: list[int], validation: float, test: float, splits: int, seed: int
) -> None:
    classes[:6] = [0, 0, 0, 1, 1, 9]  # and so there is always something that can be held out
    data = grouped([3] * len(classes), classes)
    for each in divided(data, DataSource(name="n", validation=validation, test=test), seed, splits):
        whole(data, each)
        assert set(data.target[each.train].tolist()) == set(classes)


def spread(found: Array, wanted: Array) -> float:
    """The largest difference between two shares of a class."""
    return float(np.abs(found / found.sum() - wanted / wanted.sum()).max())


@pytest.mark.parametrize("number", [60, 9_000])
def test_classes_are_in_proportion_where_random_groups_would_not_be(number: int) -> None:
    """Each group is of one class, as patients are: half the differences that as many random groups have."""
    random = np.random.default_rng(2)
    classes = random.choice(4, number, p=[0.5, 0.3, 0.1, 0.1])
    data = grouped(random.integers(1, 9, number).tolist(), classes)
    everything, groups = np.bincount(data.target), np.asarray(data.groups)
    ours, chance = [], []
    for seed in range(5):
        for each in indices(data, DataSource(name="n"), seed, 3):
            ours.append(spread(np.bincount(data.target[each.validation], minlength=4), everything))
            some = np.isin(groups, random.choice(np.unique(groups), number // 5, replace=False))
            chance.append(spread(np.bincount(data.target[some], minlength=4), everything))
    assert np.mean(ours) < 0.5 * np.mean(chance)


@laws
@given(sizes=sizes_drawn, seed=seeds)
def test_fresh_seeds_keep_the_test_part_and_divide_the_rest_anew(sizes: list[int], seed: int) -> None:
    data, source = grouped([*sizes, *[2] * 10]), DataSource(name="n", test_seed=seed)
    found = fresh(data, source, range(6))
    assert found[0].test.tolist() == divided(data, replace(source, test_seed=None), seed)[0].test.tolist()
    assert len({tuple(each.validation) for each in found}) > 2


@laws
@given(sizes=sizes_drawn, seed=seeds, data=st.data(), classes=st.booleans())
def test_a_part_of_the_rows_are_whole_groups_but_for_one(
    sizes: list[int], seed: int, data: st.DataObject, classes: bool
) -> None:
    least = 3 * max(sizes) + 10
    rows = data.draw(st.integers(least, least + sum(sizes)))
    drawn = grouped(sizes, np.arange(len(sizes)) % 2 if classes else None)
    (each,) = divided(drawn, DataSource(name="n", rows=rows), seed)
    whole(drawn, each)
    used = np.concatenate([getattr(each, part) for part in PARTS])
    assert len(used) == min(rows, len(drawn))
    names, counts = np.unique(np.asarray(drawn.groups)[used], return_counts=True)
    torn = [name for name, count in zip(names, counts, strict=True) if count < sizes[int(name.split()[1])]]
    assert len(torn) <= 1


def test_few_rows_of_large_groups_are_of_three_groups() -> None:
    (each,) = divided(grouped([100] * 5), DataSource(name="n", rows=30), 0)
    assert len(each.train) + len(each.validation) + len(each.test) == 30


@pytest.mark.parametrize(
    ("sizes", "classes", "test", "line"),
    [
        ([20, 20], None, 0.2, "has too few groups, 2 for 3 parts: set test = 0, or leave group out"),
        ([20], None, 0.0, "has too few groups, 1 for 2 parts: leave group out"),
        ([20, 20, 20], [0, 1, 2], 0.2, "has no group to hold out: each is the last that has some class: "),
    ],
    ids=["two groups", "one group", "each class a group"],
)  # fmt: skip
def test_too_few_groups_are_refused_in_one_line(
    sizes: list[int], classes: list[int] | None, test: float, line: str
) -> None:
    source = DataSource(file="visits.csv", target="y", group="patient", test=test)
    with pytest.raises(DataError) as caught:
        divided(grouped(sizes, classes), source, 0)
    assert str(caught.value).startswith(f"visits.csv: patient {line}")
    assert "\n" not in str(caught.value)


def test_two_ways_at_once_are_refused() -> None:
    both = replace(grouped([3] * 9), times=np.arange(27))
    with pytest.raises(DataError, match="n: group, time and split each say how the samples are divided: use one of"):
        divided(both, DataSource(name="n"), 0)
