"""Rare classes: kept in every training part, told, made one class, refused only where nothing can be learnt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import DataError
from sweep.learning.data.dividing.rare import FEWEST_OF_A_CLASS, OTHER, grouped, rare
from sweep.learning.data.source import DataSource
from sweep.learning.estimators import NetworkClassifier
from sweep.learning.hyper import Array
from tests.learning.data.dividing.laws import divided, fresh, seeds, shares, table, tests
from tests.studies import laws

counts_drawn = st.lists(st.integers(1, 5) | st.integers(1, 40), min_size=2, max_size=12)


def labels(counts: list[int]) -> Array:
    """So many samples of each class."""
    return np.repeat(np.arange(len(counts)), counts)


@laws
@given(counts=counts_drawn, validation=shares, test=tests, splits=st.integers(1, 8), seed=seeds)
def test_every_table_with_room_for_its_classes_is_divided_and_each_is_in_every_training_part(
    counts: list[int], validation: float, test: float, splits: int, seed: int
) -> None:
    samples = sum(counts)
    sizes = max(1, round(validation * samples)), max(1, round(test * samples)) if test else 0
    source, data = DataSource(name="n", validation=validation, test=test), table(labels(counts))
    if samples - sum(sizes) < len(counts):
        with pytest.raises(DataError, match=f"n: {samples} samples of {len(counts)} classes cannot be split: "):
            divided(data, source, seed, splits)
        return
    for each in divided(data, source, seed, splits):
        assert (len(each.validation), len(each.test)) == sizes
        assert len(each.train) == samples - sum(sizes)
        assert set(data.target[each.train].tolist()) == set(range(len(counts)))


@laws
@given(
    counts=st.lists(st.integers(12, 60), min_size=1, max_size=4), lonely=st.integers(1, 3), validation=shares,
    test=tests, seed=seeds,
)  # fmt: skip
def test_a_class_of_one_sample_leaves_the_others_their_shares(
    counts: list[int], lonely: int, validation: float, test: float, seed: int
) -> None:
    data = table(labels([*counts, *[1] * lonely]))
    (each,) = divided(data, DataSource(name="n", validation=validation, test=test), seed)
    for part in (each.validation, each.test):
        found = np.bincount(data.target[part], minlength=len(counts) + lonely)
        assert not found[len(counts) :].any()
        for own, count in zip(found, counts, strict=False):
            # two cuts, each off by less than one sample, and its share of the places that the lonely ones cannot take
            assert abs(own - len(part) * count / len(data)) < 2 + lonely


@laws
@given(counts=counts_drawn.filter(lambda counts: sum(counts) >= 3 * len(counts)), seed=seeds)
def test_the_test_part_of_rare_classes_is_the_same_for_all_fresh_seeds(counts: list[int], seed: int) -> None:
    source = DataSource(name="n", validation=0.2, test=0.2, test_seed=seed)
    found = fresh(table(labels(counts)), source, range(5))
    (own,) = divided(table(labels(counts)), replace(source, test_seed=None), seed)
    np.testing.assert_array_equal(own.test, found[0].test)


@laws
@given(counts=counts_drawn.filter(lambda counts: sum(counts) >= 4 * len(counts)), seed=seeds, data=st.data())
def test_a_part_of_the_rows_can_be_taken_whatever_is_rare(counts: list[int], seed: int, data: st.DataObject) -> None:
    rows = data.draw(st.integers(3 * len(counts), sum(counts)))
    (each,) = divided(table(labels(counts)), DataSource(name="n", rows=rows), seed)
    assert len(each.train) + len(each.validation) + len(each.test) == rows


@pytest.mark.parametrize("seed", range(14))
def test_a_part_of_the_rows_does_not_lose_the_only_other_class(seed: int) -> None:
    data = table(labels([13, 1]))
    (each,) = divided(data, DataSource(name="n", rows=13), seed)
    assert set(np.asarray(data.target)[each.train]) == {0, 1}


def test_validation_parts_of_rare_classes_do_not_overlap_while_samples_last() -> None:
    data = table(labels([30, 12, 2, 1]))
    parts = [each.validation for each in divided(data, DataSource(name="n", validation=0.2, test=0.1), 0, 3)]
    assert len(set(np.concatenate(parts).tolist())) == 3 * len(parts[0])


# ---------------------------------------------------------------------------------------------------- told, and grouped


def test_rare_classes_are_told_with_their_counts() -> None:
    target = np.array(["often"] * 9 + ["four"] * 4 + ["three"] * 3 + ["once"], dtype=object)
    assert rare(target) == [("once", 1), ("three", 3)]
    assert rare(np.repeat([5, 6], 4)) == []


@laws
@given(target=st.lists(st.integers(0, 12), min_size=1, max_size=60))
def test_grouped_classes_are_the_rare_ones_and_no_other_label_changes(target: list[int]) -> None:
    before = np.array(target)
    after = grouped(before)
    for own, label in zip(target, after.tolist(), strict=True):
        few = target.count(own) < FEWEST_OF_A_CLASS
        assert label == (OTHER if few else str(own) if len(rare(before)) else own)
    np.testing.assert_array_equal(grouped(after), after)


def test_without_rare_classes_a_target_stays_what_it_is() -> None:
    target = np.repeat([1, 2, 3], 4)
    assert grouped(target) is target


# ------------------------------------------------------------------------------------------------------------- refusals


def names(rows: int, different: int) -> Array:
    """As good as no label twice."""
    return np.array([f"name {number % different}" for number in range(rows)], dtype=object)


def test_a_target_of_names_is_refused_in_one_line_with_what_to_do() -> None:
    source = DataSource(file="people.csv", target="surname")
    with pytest.raises(DataError) as caught:
        divided(table(names(250, 240)), source, 0)
    assert str(caught.value) == (
        "people.csv: surname has 240 different values in 250 rows: these are no classes: if they are amounts say "
        'task = "regression" under [data], if a few matter group_rare = true, if all do task = "classification"'
    )


def test_what_is_said_to_be_classes_or_divides_well_is_not_refused() -> None:
    said = DataSource(file="people.csv", target="surname", task="classification")
    divided(table(names(150, 75)), said, 0)
    divided(table(names(150, 40)), replace(said, task=None), 0)


def test_an_estimator_does_not_speak_of_study_files() -> None:
    features = np.zeros((6, 1))
    with pytest.raises(DataError) as caught:
        NetworkClassifier(validation=0.5).fit(features, [0, 1, 2, 3, 4, 5])
    assert str(caught.value) == (
        "the samples given: 6 samples of 6 classes cannot be split: 3 for the validation part leave 3 for training, "
        "which needs one of every class: add samples, or make validation smaller"
    )


@pytest.mark.parametrize("samples", [6, 12, 24])
def test_an_estimator_fits_few_samples_of_three_classes_without_being_told_how_to_split(samples: int) -> None:
    features = np.random.default_rng(0).normal(size=(samples, 2))
    model = NetworkClassifier(epochs=2).fit(features, np.arange(samples) % 3)
    assert model.classes_.tolist() == [0, 1, 2]
