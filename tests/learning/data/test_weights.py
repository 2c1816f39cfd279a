"""Weights on their way from a table to the parts: whose they are, what balances classes, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.utils.class_weight import compute_class_weight

from sweep.errors import DataError, SweepError, UsageError
from sweep.learning.baselines import baselines
from sweep.learning.data.parts import Data
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import split, whole
from sweep.learning.data.table import Table
from sweep.learning.data.weighing import hashable
from sweep.learning.hyper import Array

SOURCE = DataSource(name="n", weight="w", scale=False)
PARTS = ("train", "validation", "test")


def numbered(samples: int = 60, classes: int = 3, seed: int = 0) -> Table:
    """Samples whose one feature is their number, and whose weight is a tenth of that; few of the last class."""
    labels = np.sort(np.random.default_rng(seed).integers(0, classes + 2, samples) % classes)
    numbers = np.arange(samples, dtype=float)
    return Table(numbers[:, None], labels, "classification", weights=numbers / 10)


def with_class_weight(given: Any, source: DataSource = SOURCE) -> DataSource:
    return replace(source, class_weight=hashable(given))


@given(seed=st.integers(0, 2**32), splits=st.integers(1, 4))
def test_every_sample_keeps_its_weight(seed: int, splits: int) -> None:
    data = split(numbered(), SOURCE, seed, splits)
    for name in PARTS:
        part = getattr(data, name)
        np.testing.assert_array_equal(part.weights, part.inputs[:, 0] / 10)
        assert part.class_weights is None
    assert data.weighted


def test_a_sample_that_is_watched_and_trained_on_keeps_it_too() -> None:
    data = whole(numbered(), SOURCE)
    assert data.train.weights is not None
    np.testing.assert_array_equal(data.train.weights, data.validation.weights)
    assert (len(data.test), data.test.weights) == (0, None)


def test_features_and_targets_are_scaled_as_without_weights() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=80), "town": random.choice(["Ulm", "Rom"], 80)})
    table = Table(frame, random.normal(size=80), "regression")
    plain, heavy = (split(each, DataSource(name="n"), 1) for each in (table, replace(table, weights=random.random(80))))
    for name in PARTS:
        np.testing.assert_array_equal(getattr(plain, name).inputs, getattr(heavy, name).inputs)
        np.testing.assert_array_equal(getattr(plain, name).targets, getattr(heavy, name).targets)


@pytest.mark.parametrize("splits", [1, 3])
def test_weights_belong_to_the_fingerprint_and_to_the_memory(splits: int) -> None:
    table = numbered()
    plain, *_ = found = [
        split(each, source, 0, splits)
        for each, source in (
            (replace(table, weights=None), SOURCE),
            (table, SOURCE),
            (replace(table, weights=np.ones(60)), SOURCE),
            (replace(table, weights=None), with_class_weight("balanced")),
            (table, with_class_weight("balanced")),
        )
    ]
    assert len({data.fingerprint for data in found}) == 5
    assert [data.weighted for data in found] == [False, True, True, False, True]
    samples = splits * 60
    more = [data.bytes - plain.bytes for data in found]
    assert more == [0, 8 * samples, 8 * samples, 8 * samples, 16 * samples]


# --------------------------------------------------------------------------------------------------- weights of classes


@pytest.mark.parametrize("weighs", [False, True])
@pytest.mark.parametrize("labels", [[0, 1, 2], ["a", "b", "c"], [0.5, 1.0, 7.0]])
@given(seed=st.integers(0, 2**32))
def test_balanced_is_scikit_learns_on_the_training_part_of_each_split(
    labels: list[Any], weighs: bool, seed: int
) -> None:
    table = numbered()
    names = np.array(labels)
    table = replace(table, target=names[table.target], weights=table.weights if weighs else None)
    data = split(table, with_class_weight("balanced"), seed, 3)
    for k in range(3):
        own = slice(k * len(data.train), (k + 1) * len(data.train))
        numbers = data.train.inputs[own, 0].astype(int)
        given = table.weights[numbers] if table.weights is not None else None
        expected = compute_class_weight("balanced", classes=names, y=table.target[numbers], sample_weight=given)
        for name in PARTS:
            part = getattr(data, name)
            own = slice(k * len(part), (k + 1) * len(part))
            wanted = expected[part.targets[own].argmax(axis=1)]
            # sums of some dozen numbers, in another order
            np.testing.assert_allclose(part.class_weights[own], wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("labels", "given"),
    [
        (["no", "yes"], {"yes": 3}),
        ([0, 1], {"1": 3.0}),
        ([0, 1], {1: 3.0}),
        ([0, 1], {np.int64(1): 3.0, np.int64(0): 1}),
        ([0.0, 1.0], {"1": 3.0}),
        ([0.0, 1.0], {"1.0": 3.0, "0": 1.0}),
        ([0.0, 1.0], {1: 3.0}),
        ([False, True], {"true": 3.0}),
        ([False, True], {"True": 3.0, "false": 1.0}),
        ([False, True], {True: 3.0}),
    ],
    ids=str,
)
def test_a_class_is_named_as_it_is_or_as_it_is_written_and_one_that_is_not_named_has_1(
    labels: list[Any], given: dict[Any, float]
) -> None:
    table = numbered(classes=2)
    table = replace(table, target=np.array(labels)[table.target])
    data = split(table, with_class_weight(given), 0)
    for name in PARTS:
        part = getattr(data, name)
        np.testing.assert_array_equal(part.class_weights, np.where(part.targets[:, 1] == 1, 3.0, 1.0))


# ------------------------------------------------------------------------------------------------------------ baselines


def inputs_of(table: Table) -> Table:
    random = np.random.default_rng(5)
    return replace(table, features=random.normal(size=(len(table), 3)) + table.target[:, None])


def test_baselines_of_classes_are_fitted_and_measured_with_weights() -> None:
    data = split(inputs_of(numbered(150)), with_class_weight("balanced"), 0)
    train, test = data.train, data.test
    assert train.weights is not None
    assert test.weights is not None
    heavy, there = train.weights * train.class_weights, test.weights * test.class_weights
    found = baselines(data, ("loss", "error", "balanced_error"))
    wanted = test.targets.argmax(axis=1)
    model = LogisticRegression(max_iter=1000)
    model.fit(train.inputs, train.targets.argmax(axis=1), sample_weight=heavy / heavy.mean())
    probabilities = model.predict_proba(test.inputs)
    # what a solver of another run leaves over
    assert found["linear"]["loss"] == pytest.approx(log_loss(wanted, probabilities, sample_weight=there), rel=1e-6)
    right = accuracy_score(wanted, probabilities.argmax(axis=1), sample_weight=test.weights)
    assert found["linear"]["error"] == pytest.approx(1 - right, rel=1e-12)
    assert found["same"]["loss"] == pytest.approx(np.log(3), rel=1e-9), "balanced: all classes are as likely"
    assert found["same"]["balanced_error"] == pytest.approx(2 / 3)


def test_baselines_of_numbers_are_fitted_and_measured_with_weights() -> None:
    table = replace(inputs_of(numbered(150)), task="regression", target=np.random.default_rng(1).gamma(1.0, size=150))
    data = split(table, SOURCE, 0)
    train, test = data.train, data.test
    assert train.weights is not None
    found = baselines(data)
    for name, model in (("linear", Ridge()), ("same", DummyRegressor())):
        model.fit(train.inputs, train.targets, sample_weight=train.weights / train.weights.mean())
        predicted = model.predict(test.inputs).reshape(-1, 1)
        wanted = 1 - r2_score(test.targets, predicted, sample_weight=test.weights)
        assert found[name]["error"] == pytest.approx(wanted, rel=1e-9)


# ------------------------------------------------------------------------------------------------------------- refusals


def changed(change: Callable[[Array], None]) -> Table:
    table = numbered()
    assert table.weights is not None
    change(table.weights)
    return table


def all_zero(data: Data, name: str, value: float = 0.0) -> Table:
    numbers = getattr(data, name).inputs[:, 0].astype(int)
    return changed(lambda weights: weights.__setitem__(numbers, value))


PLAIN = split(numbered(), SOURCE, 0)
LAST = numbered().target == 2
BAD: list[tuple[Table, DataSource, type[SweepError], str]] = [
    *(
        (
            changed(lambda weights, value=value: weights.__setitem__([7, 9], value)),  # type: ignore[misc]
            SOURCE,
            DataError,
            rf"n: weights in w: {said}, the first of 2 in 60 samples: must be numbers, 0 or more: mend or drop",
        )
        for value, said in ((-0.5, "-0.5"), (np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"))
    ),
    *(
        (
            all_zero(PLAIN, name, value),
            SOURCE,
            DataError,
            rf"n: weights in w: 0 for all {len(getattr(PLAIN, name))} samples of the {word} part: some must be above 0",
        )
        for name, word, value in (
            ("train", "training", 0.0),
            ("validation", "validation", 1e-310),
            ("test", "test", 0.0),
        )
    ),
    (
        changed(lambda weights: weights.__setitem__(LAST, 0.0)),
        with_class_weight("balanced"),
        DataError,
        "n: all samples of class '2' in the training part weigh 0: class_weight = 'balanced' cannot balance it: drop",
    ),
    (
        numbered(),
        with_class_weight({"1": 2.0, "3": 1.0}),
        DataError,
        r"n: class_weight: unknown class '3'. Known: 0, 1, 2",
    ),
    *(
        (
            replace(numbered(), task="regression"),
            with_class_weight(given),
            UsageError,
            rf"n: class_weight = {said}: is for classes, and the targets are numbers: leave it out",
        )
        for given, said in (("balanced", "'balanced'"), ({"1": 2}, r"\{'1': 2.0\}"))
    ),
]


@pytest.mark.parametrize(("table", "source", "error", "said"), BAD, ids=[f"{k}" for k in range(len(BAD))])
def test_weights_that_cannot_be_used_are_one_line(
    table: Table, source: DataSource, error: type[SweepError], said: str
) -> None:
    with pytest.raises(error, match=f"^{said}") as caught:
        split(table, source, 0)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == (4 if error is DataError else 2)
