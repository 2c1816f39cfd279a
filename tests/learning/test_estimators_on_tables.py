"""Estimators on tables with names: what they remember of these, and what they say of others."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning

from sweep.errors import CheckFailed, DataError, SweepError, UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.estimators import NetworkClassifier
from sweep.learning.optimizers.rules import Adam, Momentum

X, Y = load_iris(return_X_y=True)
FRAME = pd.DataFrame(X, columns=list("abcd"))


def fitted(features: Any = FRAME) -> NetworkClassifier:
    return NetworkClassifier(epochs=3, seed=1).fit(features, Y)


def test_a_frame_of_another_library_is_the_same_frame() -> None:
    expected = fitted().predict_proba(FRAME)
    others: list[Any] = [pa.Table.from_pandas(FRAME)]
    polars = pytest.importorskip("polars", reason="polars is not installed")
    for other in [*others, polars.from_pandas(FRAME)]:
        model = fitted(other)
        assert model.n_features_in_ == 4
        for rows in (FRAME, other):
            np.testing.assert_array_equal(model.predict_proba(rows), expected)


def test_it_knows_the_names_of_a_frame_and_none_of_an_array() -> None:
    model = fitted()
    assert model.feature_names_in_.tolist() == list("abcd")
    assert model.feature_names_in_.dtype == object
    assert not hasattr(fitted(X), "feature_names_in_")
    assert not hasattr(model.fit(X, Y), "feature_names_in_")


def test_new_rows_may_have_other_orders_more_columns_and_an_index_for_a_column() -> None:
    model = fitted()
    expected = model.predict_proba(FRAME)
    for rows in (FRAME[list("dbca")], FRAME.assign(e="more"), FRAME.set_index("c"), FRAME.astype(str)):
        np.testing.assert_array_equal(model.predict_proba(rows), expected)


def test_an_array_where_a_frame_was_fitted_is_taken_by_its_order_with_a_warning() -> None:
    model = fitted()
    with pytest.warns(UserWarning, match="X does not have valid feature names, but NetworkClassifier was fitted with"):
        found = model.predict_proba(X)
    np.testing.assert_array_equal(found, model.predict_proba(FRAME))


def test_a_frame_where_an_array_was_fitted_is_taken_by_its_order_with_a_warning() -> None:
    model = fitted(X)
    with pytest.warns(UserWarning, match="X has feature names, but NetworkClassifier was fitted without"):
        found = model.predict_proba(FRAME)
    np.testing.assert_array_equal(found, model.predict_proba(X))


STRANGE: dict[str, tuple[Any, str]] = {
    "an array with too few columns": (
        X[:, :3],
        r"the shape \(150, 3\), .* DataFrame with the columns a, b, c, d",
    ),
    "a row": (X[0], r"array of the shape \(4,\)"),
    "a frame that lacks one": (FRAME.drop(columns="c"), "lacks a column: unknown column 'c'"),
    "a column twice": (pd.concat([FRAME, FRAME[["b"]]], axis=1), "column 'b' is there twice: rename one"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_other_columns_are_refused_in_one_line(name: str) -> None:
    rows, words = STRANGE[name]
    with pytest.raises(DataError, match=words) as caught:
        fitted().predict(rows)
    assert len(str(caught.value).splitlines()) == 1


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "configuration": ({"configuration": Adam()}, "configuration of type Adam: must be a Configuration"),
    "hidden": ({"hidden": 8}, r"hidden = 8: must be a tuple of whole numbers"),
    "seed": ({"seed": -1}, "seed = -1: must be a whole number, at least 0"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_parameter_of_another_kind_is_one_line(name: str) -> None:
    parameters, words = WRONG[name]
    with pytest.raises(UsageError, match=words):
        NetworkClassifier(**parameters).fit(X, Y)


def test_what_it_says_never_speaks_of_a_study_file() -> None:
    told = []
    for features, target in (
        (FRAME.set_axis(["a", "a", "c", "d"], axis=1), Y),
        (FRAME.assign(e=[[1]] * 150), Y),
        (FRAME[::20], Y[::20]),
        (FRAME[:2], Y[:2]),
        (FRAME.assign(a=1e200), Y),
        (FRAME, np.zeros(150, int)),
    ):
        try:
            NetworkClassifier(epochs=1, validation=0.5).fit(features, target)
        except SweepError as error:
            told.append(str(error))
    assert len(told) >= 5
    for text in told:
        assert len(text.splitlines()) == 1
        assert "[data]" not in text
        assert "study" not in text


def test_a_training_that_diverged_is_a_warning_and_predicts_no_numbers_in_one_line() -> None:
    model = NetworkClassifier(Configuration(1e20, Momentum()), epochs=8)
    with pytest.warns(ConvergenceWarning, match="NetworkClassifier: the training diverged"), np.errstate(all="ignore"):
        model.fit(X, Y)
    assert model.diverged_
    for predict in (model.predict, model.predict_proba):
        with pytest.raises(CheckFailed, match="predicts no numbers, for its training diverged"):
            predict(X)


def test_a_training_that_did_not_diverge_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fitted().predict(FRAME).shape == (150,)
