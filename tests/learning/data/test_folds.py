"""Several splits of the same samples: disjoint validation parts, one test part, each scaled by its own training."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.errors import DataError
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.source import DataSource, named
from sweep.learning.data.splits import prepare, samples, split
from sweep.learning.data.table import Table
from sweep.learning.data.tables.understanding import features_only
from sweep.learning.hyper import Array
from tests.learning.data.test_splits import numbered
from tests.studies import laws

PARTS = ("train", "validation", "test")
seeds = st.integers(0, 2**32)
fractions = st.sampled_from([0.05, 0.1, 0.15, 0.2, 0.25, 1 / 3, 0.4])


def unscaled(**fields: Any) -> DataSource:
    """A source whose inputs stay what they are: the numbers of the samples."""
    return DataSource(name="n", scale=False, **fields)


def counted(samples: int) -> Table:
    """A regression table whose one feature is the sample's number; nothing is stratified."""
    return Table(np.arange(samples, dtype=float)[:, None], np.random.default_rng(0).normal(size=samples), "regression")


def blocks(part: Part) -> list[Array]:
    """The inputs of each split."""
    size = len(part.inputs) // part.splits
    return [part.inputs[first : first + size] for first in range(0, size * part.splits, size)] if size else []


def chosen(data: Data, part: str, column: int = 0) -> list[list[int]]:
    """The numbers of the samples in a part of each split."""
    return [np.rint(block[:, column]).astype(int).tolist() for block in blocks(getattr(data, part))]


# ---------------------------------------------------------------------------------------------------------- the samples


@laws
@given(
    count=st.integers(10, 120), validation=fractions, test=st.sampled_from([0.0, 0.1, 0.2, 0.4]),
    splits=st.integers(1, 12), seed=seeds,
)  # fmt: skip
def test_validation_parts_do_not_overlap_while_samples_last_and_then_begin_anew(
    count: int, validation: float, test: float, splits: int, seed: int
) -> None:
    data = split(counted(count), unscaled(validation=validation, test=test), seed, splits)
    parts, trained = chosen(data, "validation"), chosen(data, "train")
    tested = chosen(data, "test") or [[]] * splits
    size = round(validation * count) or 1
    assert data.splits == splits == len(parts) == len(trained)
    assert (len(data.validation), len(data.test)) == (size, round(test * count))
    left = count - len(data.test)
    for own, rest, apart in zip(parts, trained, tested, strict=True):
        assert len(own) == size
        assert sorted(own + rest + apart) == list(range(count))
        assert apart == tested[0]
    folds = left // size
    for first in range(0, splits, folds):
        among = [number for own in parts[first : first + folds] for number in own]
        assert len(set(among)) == len(among)
    if splits > folds:
        assert set(parts[folds]) & {number for own in parts[:folds] for number in own}


@pytest.mark.parametrize("table", [counted(60), numbered([36, 24])], ids=["regression", "classification"])
@pytest.mark.parametrize("test", [0.0, 0.2])
def test_validation_parts_that_go_in_evenly_use_up_every_sample(table: Table, test: float) -> None:
    folds = 5 if test == 0.0 else 4
    data = split(table, unscaled(validation=0.2, test=test), 3, folds)
    used = [number for own in chosen(data, "validation") for number in own] + (chosen(data, "test") or [[]])[0]
    assert sorted(used) == list(range(60))


@laws
@given(count=st.integers(30, 90), splits=st.integers(2, 12), seed=seeds)
def test_when_the_samples_are_used_up_they_are_divided_otherwise(count: int, splits: int, seed: int) -> None:
    parts = chosen(split(counted(count), unscaled(validation=0.25), seed, splits), "validation")
    assert len({tuple(part) for part in parts}) == splits, "no two are alike, by the odds"


@laws
@given(
    counts=st.lists(st.integers(12, 40), min_size=2, max_size=4), validation=st.sampled_from([0.1, 0.2, 0.3]),
    test=st.sampled_from([0.0, 0.2]), splits=st.integers(2, 8), seed=seeds,
)  # fmt: skip
def test_every_split_has_its_share_of_every_class_and_one_test_part(
    counts: list[int], validation: float, test: float, splits: int, seed: int
) -> None:
    data = split(numbered(counts), unscaled(validation=validation, test=test), seed, splits)
    labels = np.repeat(np.arange(len(counts)), counts)
    left = sum(counts) - len(data.test)
    folds = left // len(data.validation)
    parts = chosen(data, "validation")
    for place, (train, own) in enumerate(zip(chosen(data, "train"), parts, strict=True)):
        found = Counter(labels[own].tolist())
        for label, count in enumerate(counts):
            # At most one cut more than there are folds, each off by less than one sample.
            assert abs(found[label] - len(own) * count / sum(counts)) < 2 + place % folds
        assert Counter(labels[train].tolist()).keys() == set(range(len(counts)))
    among = [number for own in parts[: min(folds, splits)] for number in own]
    # A class may be used up a fold earlier than the samples are.
    assert len(set(among)) >= len(among) - len(data.validation)
    among = [number for own in parts[: min(folds - 1, splits)] for number in own]
    assert len(set(among)) == len(among)
    targets = data.test.targets.reshape(splits, -1, len(counts))
    assert all(tested == chosen(data, "test")[0] for tested in chosen(data, "test"))
    np.testing.assert_array_equal(targets, np.broadcast_to(targets[:1], targets.shape))


@laws
@given(
    counts=st.lists(st.integers(2, 6) | st.integers(7, 60), min_size=2, max_size=6), validation=fractions,
    test=st.sampled_from([0.0, 0.1, 0.2, 0.4]), seed=seeds,
)  # fmt: skip
def test_what_can_be_split_once_can_be_split_often(
    counts: list[int], validation: float, test: float, seed: int
) -> None:
    """However rare a class: no later split may lack what the first one has."""
    source = unscaled(validation=validation, test=test)
    try:
        split(numbered(counts), source, seed)
    except DataError:
        return
    data = split(numbered(counts), source, seed, 20)
    labels = np.repeat(np.arange(len(counts)), counts)
    assert data.splits == 20
    for train in chosen(data, "train"):
        assert set(labels[train].tolist()) == set(range(len(counts)))


@pytest.mark.parametrize("counts", [[4, 10], [3, 19, 10, 28]])
@pytest.mark.parametrize("seed", range(12))
def test_with_next_to_nothing_for_training_it_has_every_class_all_the_same(counts: list[int], seed: int) -> None:
    """By a stratified draw alone half of all seeds would lack the rare class, in the first split or in a later one."""
    source, labels = unscaled(validation=0.445, test=0.4), np.repeat(np.arange(len(counts)), counts)
    one, data = (split(numbered(counts), source, seed, splits) for splits in (1, 12))
    assert chosen(data, "validation")[0] == chosen(one, "validation")[0]
    assert all(set(labels[train].tolist()) == set(range(len(counts))) for train in chosen(data, "train"))


@pytest.mark.parametrize("splits", [5, 10, 40])
def test_a_class_of_four_samples_is_in_every_training_part(splits: int) -> None:
    data = split(numbered([70, 30, 4]), unscaled(), 1, splits)
    labels = np.repeat(np.arange(3), [70, 30, 4])
    assert all(2 in labels[train] for train in chosen(data, "train"))


# ------------------------------------------------------------------------------------------- one of them, several, none


@pytest.mark.parametrize("name", ["iris", "diabetes", "linnerud"])
def test_the_first_split_is_the_single_one_and_fewer_splits_are_the_first_of_more(name: str) -> None:
    one, three, five = (prepare(named(name), 7, splits) for splits in (1, 3, 5))
    assert one.encoder is not None
    assert three.encoder is three.scaler is five.encoder is None
    assert len({one.fingerprint, three.fingerprint, five.fingerprint}) == 3
    for part in PARTS:
        for array in ("inputs", "targets"):
            single, some, more = (getattr(getattr(data, part), array) for data in (one, three, five))
            np.testing.assert_array_equal(some[: len(single)], single)
            np.testing.assert_array_equal(more[: len(some)], some)
            assert (len(some), len(more)) == (3 * len(single), 5 * len(single))
        assert len(getattr(three, part)) == len(getattr(one, part))


def test_what_is_prepared_is_a_single_split_unless_more_are_asked_for() -> None:
    assert prepare(named("iris"), 0).splits == 1
    assert prepare(named("iris"), 0, 1).fingerprint == prepare(named("iris"), 0).fingerprint


def test_another_seed_makes_other_splits() -> None:
    one, other = (chosen(split(counted(60), unscaled(), seed, 4), "validation") for seed in (0, 1))
    assert not {tuple(part) for part in one} & {tuple(part) for part in other}


def test_without_a_test_part_no_split_has_one() -> None:
    data = split(counted(40), unscaled(test=0.0), 0, 4)
    assert len(data.test) == len(data.test.inputs) == len(data.test.targets) == 0
    assert data.test.inputs.shape == (0, 1)


def test_how_many_samples_there_are_is_known_without_splitting_them() -> None:
    assert samples(named("iris")) == 150
    assert samples(DataSource(name="iris", rows=60)) == 60
    assert samples(DataSource(name="iris", rows=1000)) == 150


@pytest.mark.parametrize("splits", [1, 3])
def test_what_cannot_be_split_is_refused_in_the_same_line_however_often(splits: int) -> None:
    with pytest.raises(DataError, match="n: 4 samples of 3 classes cannot be split: 1 for the validation part and 1"):
        split(numbered([2, 1, 1]), DataSource(name="n"), 0, splits)


# -------------------------------------------------------------------------------------- scaled by its own training part


@laws
@given(count=st.integers(20, 80), targets=st.integers(1, 3), splits=st.integers(2, 6), seed=seeds)
def test_every_split_is_scaled_by_its_own_training_part(count: int, targets: int, splits: int, seed: int) -> None:
    random = np.random.default_rng(count)
    features, wanted = random.normal(3.0, 5.0, (count, 2)), random.normal(-2.0, 7.0, (count, targets))
    numbers = split(counted(count), unscaled(), seed, splits)
    data = split(Table(features, wanted, "regression"), DataSource(name="n"), seed, splits)
    for place, train in enumerate(chosen(numbers, "train")):
        for array, raw in (("inputs", features), ("targets", wanted)):
            mean, deviation = raw[train].mean(axis=0), raw[train].std(axis=0)
            for part in PARTS:
                expected = (raw[chosen(numbers, part)[place]] - mean) / deviation
                whole = getattr(getattr(data, part), array)
                found = whole[place * len(expected) : (place + 1) * len(expected)]
                # two ways of summing some dozen float64 numbers of about 10
                np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


TOWNS = ("Ulm", "Bonn", "Rom", "Lima", "Oslo")


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Numbered samples of two columns of text, with categories from common to unique."""
    count = draw(st.integers(15, 50))
    common = st.sampled_from(TOWNS[:2])
    towns = [draw(common | st.sampled_from(TOWNS)) if draw(st.booleans()) else draw(common) for _ in range(count)]
    seconds = draw(st.lists(st.sampled_from(["Ulm", "x", "town = 'Ulm'"]), min_size=count, max_size=count))
    return pd.DataFrame({"number": np.arange(float(count)), "town": towns, "birth": seconds})


@settings(laws, max_examples=20)  # each fits up to nine encoders
@given(frame=frames(), splits=st.integers(2, 8), seed=seeds)
def test_categories_are_those_of_the_splits_own_training_part_and_mean_the_same_input_in_all(
    frame: pd.DataFrame, splits: int, seed: int
) -> None:
    data = split(features_only(frame, frame["number"].to_numpy(), "regression"), unscaled(), seed, splits)
    texts = {column: frame[column].tolist() for column in ("town", "birth")}
    counts = [  # of each split, how often a category is in its training part
        Counter((column, texts[column][number]) for column in texts for number in train)
        for train in chosen(data, "train")
    ]

    def meant(own: Counter[tuple[str, str]], column: str, number: int) -> tuple[str, str] | None:
        """The category, or that of the rare ones if it is rare or new; if none is rare, a new one is nothing."""
        if own[column, texts[column][number]] > 1:
            return column, texts[column][number]
        rare = any(count == 1 for (of, _), count in own.items() if of == column)
        return (column, "(rare)") if rare else None

    numbers = range(len(frame))
    everywhere = {meant(own, column, number) for own in counts for column in texts for number in numbers} - {None}
    assert data.inputs == 1 + len(everywhere)
    place_of: dict[Any, set[int]] = {}
    for part in PARTS:
        for own, block in zip(counts, blocks(getattr(data, part)), strict=True):
            for row in block:
                categories = {meant(own, column, round(row[0])) for column in texts} - {None}
                lit = set(np.flatnonzero(row[1:]).tolist())
                assert set(row[1:].tolist()) <= {0.0, 1.0}
                assert len(lit) == len(categories), "what the split's own training part lacks is all zeros"
                for category in categories:
                    place_of[category] = place_of.get(category, lit) & lit
    # Where two categories always come together either could be either; else each has one input, and no other has it.
    assert all(place_of.values())
    assert set(place_of) <= everywhere


def test_a_category_that_one_splits_training_part_lacks_is_zeros_there_and_an_input_in_the_others() -> None:
    target = np.random.default_rng(0).normal(size=50)
    validated = chosen(split(counted(50), unscaled(), 2, 3), "validation")
    rare = validated[1][0]  # held out by the second split alone
    frame = pd.DataFrame({"number": np.arange(50.0), "town": ["Ulm", "Bonn"] * 25})
    frame.loc[rare, "town"] = "Rom"
    data = split(features_only(frame, target, "regression"), unscaled(), 2, 3)
    assert data.inputs == 1 + 3
    lit = [block[:, 1:].sum(axis=1) for part in ("train", "validation") for block in blocks(getattr(data, part))]
    assert [int((row == 0).sum()) for row in lit] == [0, 0, 0, 0, 1, 0]
    (unknown,) = (row for row in blocks(data.validation)[1] if not row[1:].any())
    assert round(unknown[0]) == rare


def test_the_first_split_of_text_is_the_single_one_with_zeros_for_what_is_rare_in_it() -> None:
    frame = pd.DataFrame({"number": np.arange(50.0), "town": [f"town {k // 2}" for k in range(50)]})
    frame.loc[20:, "town"] = "Ulm"
    table = features_only(frame, np.random.default_rng(0).normal(size=50), "regression")
    one, three = (split(table, DataSource(name="n"), 2, splits) for splits in (1, 3))
    assert one.inputs < three.inputs
    for part in PARTS:
        first = blocks(getattr(three, part))[0]
        np.testing.assert_array_equal(first[:, : one.inputs], getattr(one, part).inputs)
        assert not first[:, one.inputs :].any()


def test_a_category_is_not_confused_with_a_column_that_is_called_like_it() -> None:
    """The inputs of splits are matched by their names, so these must differ whatever is in a name."""
    frame = pd.DataFrame({
        "a_b": ["c", "d"] * 20, "a": ["b_c", "x"] * 20, "'a' = 'x'": ["y", "z"] * 20, "n": np.arange(40.0)
    })  # fmt: skip
    frame.loc[[3, 9, 13, 19, 23, 29], "a"] = "b_d"
    data = split(features_only(frame, np.arange(40.0) % 7, "regression"), unscaled(), 0, 4)
    assert data.inputs == 1 + 2 + 3 + 2
    assert (data.train.inputs[:, 1:].sum(axis=1) == 3).all()
