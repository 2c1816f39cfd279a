"""The test part is the latest, the validation part the latest before it, and no sample looks ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import DataError
from sweep.learning.data.dividing import Indices
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array
from tests.learning.data.dividing.laws import PARTS, divided, fresh, seeds, shares, table, tests
from tests.studies import laws

days = st.lists(st.integers(0, 400), min_size=12, max_size=80, unique=True)
years = st.lists(st.integers(0, 8), min_size=12, max_size=80)
fresh_seed = st.none() | seeds


def dated(times: Sequence[Any] | Array, target: Any = None) -> Table:
    """A regression over these times, unless classes are given."""
    when = np.array(times)
    return table(np.random.default_rng(0).normal(size=len(when)) if target is None else np.array(target), times=when)


def in_order(data: Table, each: Indices) -> None:
    """No training sample is later than one of the validation part, nor either than one of the test part."""
    times: Any = data.times
    assert times[each.train].max() <= times[each.validation].min()
    if len(each.test):
        assert times[each.validation].max() <= times[each.test].min()


@laws
@given(
    times=days | years, validation=shares, test=tests, splits=st.integers(1, 6), seed=seeds, test_seed=fresh_seed,
    rows=st.none() | st.integers(10, 80),
)  # fmt: skip
def test_no_part_looks_ahead(
    times: list[int], validation: float, test: float, splits: int, seed: int, test_seed: int | None, rows: int | None
) -> None:
    data = dated(times)
    source = DataSource(name="n", validation=validation, test=test, test_seed=test_seed, rows=rows)
    for each in divided(data, source, seed, splits):
        in_order(data, each)
        assert bool(len(each.test)) == bool(test)
        used = np.concatenate([getattr(each, part) for part in PARTS])
        left_out = np.setdiff1d(np.arange(len(data)), used)
        if rows is not None and rows < len(data) and splits == 1 and test_seed is None:
            assert len(used) == rows
            assert np.array(times)[left_out].max() <= np.array(times)[used].min(), "rows are the latest"


@laws
@given(times=days, validation=shares, test=tests, seed=seeds)
def test_a_single_split_uses_all_samples_in_parts_as_large_as_asked(
    times: list[int], validation: float, test: float, seed: int
) -> None:
    data = dated(times)
    (each,) = divided(data, DataSource(name="n", validation=validation, test=test), seed)
    assert len(each.validation) == max(1, round(validation * len(data)))
    assert len(each.test) == (max(1, round(test * len(data))) if test else 0)
    assert len(each.train) + len(each.validation) + len(each.test) == len(data)


@laws
@given(times=years, validation=shares, test=tests, splits=st.integers(1, 6), seed=seeds, test_seed=fresh_seed)
def test_samples_of_one_time_are_not_torn_apart_where_that_can_be_avoided(
    times: list[int], validation: float, test: float, splits: int, seed: int, test_seed: int | None
) -> None:
    data = dated(times)
    if np.unique(times, return_counts=True)[1][0] < 2 or len(set(times)) < (3 if test else 2):
        return  # too few times, or nothing but a single sample before the second
    source = DataSource(name="n", validation=validation, test=test, test_seed=test_seed)
    for each in divided(data, source, seed, splits):
        own = [set(np.array(times)[getattr(each, part)].tolist()) for part in PARTS]
        assert not own[0] & own[1]
        assert not (own[0] | own[1]) & own[2]


def test_a_boundary_moves_to_the_nearest_change_of_time() -> None:
    data = dated(np.repeat([2001, 2002, 2003, 2004], [40, 23, 16, 21]))
    (each,) = divided(data, DataSource(name="n"), 0)
    assert (len(each.train), len(each.validation), len(each.test)) == (63, 16, 21)


def test_a_single_time_is_divided_all_the_same() -> None:
    (each,) = divided(dated([7] * 10), DataSource(name="n"), 0)
    assert (len(each.train), len(each.validation), len(each.test)) == (6, 2, 2)


def test_dates_are_times() -> None:
    when = np.datetime64("2020-01-01") + np.random.default_rng(0).permutation(50)
    (each,) = divided(dated(when), DataSource(name="n"), 0)
    assert when[each.test].min() == np.datetime64("2020-01-01") + 40


def test_several_splits_are_rolling_origins() -> None:
    """A third of a validation part apart, all windows of one size, training ends where validation begins."""
    found = divided(dated(range(300)), DataSource(name="n"), 0, 3)
    assert [each.validation.tolist() for each in found] == [
        list(range(180, 240)), list(range(160, 220)), list(range(140, 200))
    ]  # fmt: skip
    assert [(each.train[0], each.train[-1]) for each in found] == [(40, 179), (20, 159), (0, 139)]


@laws
@given(seed=seeds)
def test_fresh_seeds_shift_the_validation_part_by_less_than_its_size(seed: int) -> None:
    data, source = dated(range(300)), DataSource(name="n", test_seed=seed)
    found = fresh(data, source, range(8))
    (own,) = divided(data, replace(source, test_seed=None), seed)
    assert own.test.tolist() == found[0].test.tolist() == list(range(240, 300))
    begins = [int(each.validation[0]) for each in found]
    assert len(set(begins)) > 4
    assert all(120 < begin <= 180 for begin in begins)
    assert all(each.train.tolist() == list(range(each.validation[0])) for each in found)


@laws
@given(
    target=st.lists(st.sampled_from("aaabbc"), min_size=20, max_size=60), splits=st.integers(1, 6),
    seed=seeds, test_seed=fresh_seed,
)  # fmt: skip
def test_a_class_that_begins_early_is_in_every_training_part(
    target: list[str], splits: int, seed: int, test_seed: int | None
) -> None:
    target[:3] = "abc"
    data = dated(range(len(target)), target)
    for each in divided(data, DataSource(name="n", test_seed=test_seed), seed, splits):
        assert set(data.target[each.train]) == set("abc")
        in_order(data, each)


def test_origins_move_together_where_a_class_that_has_ended_would_be_lost() -> None:
    """A third of a validation part apart the first window would begin at 13, after the last sample of the class."""
    data = dated(range(100), ["c"] * 10 + ["a", "b"] * 45)
    found = divided(data, DataSource(name="n", test=0.0), 0, 3)
    assert [int(each.validation[0]) for each in found] == [80, 77, 74]


def test_a_class_that_begins_too_late_to_be_learnt_is_refused_in_one_line() -> None:
    data = dated(range(50), ["a", "b"] * 20 + ["c"] * 10)
    with pytest.raises(DataError) as caught:
        divided(data, DataSource(file="t.csv", target="y", time="day"), 0)
    assert str(caught.value) == (
        "t.csv: class 'c' has 10 of 50 samples, none of them in the training part: it begins too late for that: make "
        "validation and test smaller under [data]"
    )
