from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, load_linnerud
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import r2_score

from sweep.errors import DataError, UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import split, whole
from sweep.learning.data.table import Table, Task
from sweep.learning.estimators import NetworkClassifier, NetworkRegressor
from sweep.learning.hyper import Array
from sweep.learning.optimizers.rules import Adam, RMSProp
from sweep.learning.schedules.formulas import Cosine
from sweep.learning.training.loop import train
from sweep.learning.training.settings import Settings
from tests import reference

IRIS: tuple[Array, Array] = load_iris(return_X_y=True)
DIABETES: tuple[Array, Array] = load_diabetes(return_X_y=True)
LINNERUD: tuple[Array, Array] = load_linnerud(return_X_y=True)
CHOSEN = Configuration(0.01, RMSProp(decay=0.99), Cosine(duration=10.0))

both = pytest.mark.parametrize(("kind", "data"), [(NetworkClassifier, IRIS), (NetworkRegressor, DIABETES)])


def test_classifies_irises() -> None:
    fitted = NetworkClassifier(epochs=20).fit(*IRIS)
    assert fitted.score(*IRIS) > 0.9
    probabilities = fitted.predict_proba(IRIS[0])
    assert probabilities.shape == (150, 3)
    # each row is divided by its sum
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(axis=1)], fitted.predict(IRIS[0]))


def test_predicts_diabetes() -> None:
    fitted = NetworkRegressor(epochs=10).fit(*DIABETES)
    predicted = fitted.predict(DIABETES[0])
    assert predicted.shape == DIABETES[1].shape
    assert fitted.score(*DIABETES) > 0.4
    # In the units of the target, not standardised.
    assert abs(predicted.mean() - DIABETES[1].mean()) < 0.2 * DIABETES[1].std()


def test_several_targets_are_predicted_together() -> None:
    predicted = NetworkRegressor(epochs=200, validation=0.0).fit(*LINNERUD).predict(LINNERUD[0])
    assert predicted.shape == (20, 3)
    unexplained = ((predicted - LINNERUD[1]) ** 2).mean(axis=0) / LINNERUD[1].var(axis=0)
    assert (unexplained < 0.9).all()


def test_labels_may_be_text() -> None:
    labels = np.array(["setosa", "versicolor", "virginica"])[IRIS[1]]
    fitted = NetworkClassifier(epochs=20).fit(IRIS[0], labels)
    assert fitted.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert (fitted.predict(IRIS[0]) == labels).mean() > 0.9


@pytest.mark.parametrize("target_name", ["target", "price"])
def test_a_frame_may_have_text_and_a_column_of_any_name(target_name: str) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({target_name: random.normal(size=200), "town": random.choice(["Ulm", "Bonn", "Rom"], 200)})
    target = frame["town"].map({"Ulm": 10.0, "Bonn": 20.0, "Rom": 60.0}) + 20 * frame[target_name]
    fitted = NetworkRegressor(Configuration(0.05, Adam()), epochs=30).fit(frame, target)
    assert fitted.score(frame, target) > 0.95
    elsewhere = frame.assign(town="Paris")
    assert np.isfinite(fitted.predict(elsewhere)).all()


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("validation", [0.0, 0.25])
def test_it_is_the_training_of_a_sweep(validation: float, scale: bool) -> None:
    settings = Settings((8, 4), "tanh", "glorot", "float64", 5, 16)
    fitted = NetworkClassifier(
        CHOSEN, hidden=(8, 4), activation="tanh", initial_weights="glorot", dtype="float64", epochs=5, batch_size=16,
        validation=validation, scale=scale, seed=3,
    ).fit(*IRIS)  # fmt: skip
    table = Table(*IRIS, "classification")
    source = DataSource(name="n", validation=validation, test=0.0, scale=scale)
    data = split(table, source, 3) if validation else whole(table, source)
    training = train([CHOSEN], data, settings, 3)
    np.testing.assert_array_equal(fitted.parameters_, training.parameters[0, 0])
    np.testing.assert_array_equal(fitted.loss_curve_, training.train_loss[0, 0])
    np.testing.assert_array_equal(fitted.validation_loss_curve_, training.validation_loss[0, 0])


def test_it_predicts_what_the_reference_network_predicts() -> None:
    fitted = NetworkRegressor(hidden=(5, 4), dtype="float64", epochs=3, validation=0.0).fit(*LINNERUD)
    (inputs, targets), sizes = LINNERUD, (3, 5, 4, 3)
    layers = reference.layers_of(fitted.parameters_, sizes)
    scaled = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    outputs = np.array([reference.forward(layers, sample, "relu")[1][-1] for sample in scaled])
    # two ways to sum float64 numbers
    np.testing.assert_allclose(fitted.predict(inputs), outputs * targets.std(axis=0) + targets.mean(axis=0), rtol=1e-10)


def test_it_says_whether_its_training_diverged() -> None:
    assert not NetworkRegressor(epochs=2).fit(*DIABETES).diverged_
    with pytest.warns(ConvergenceWarning, match="the training diverged, .* lower the learning rate"):
        fitted = NetworkRegressor(Configuration(1e10, Adam()), epochs=4).fit(*DIABETES)
    assert fitted.diverged_
    assert np.isnan(fitted.loss_curve_[-1])


@both
def test_the_seed_decides_everything(kind: type[Any], data: tuple[Array, Array]) -> None:
    first, again, other = (kind(epochs=2, seed=s).fit(*data).predict(data[0]) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_loss_may_be_chosen_if_it_fits_the_task() -> None:
    plain, chosen = (NetworkRegressor(epochs=3, loss=loss).fit(*DIABETES) for loss in (None, "huber"))
    assert chosen.loss_curve_[0] < 0.5 * plain.loss_curve_[0]
    assert not np.array_equal(chosen.parameters_, plain.parameters_)
    with pytest.raises(
        UsageError, match=r"loss = 'huber': is for regression, .* use \"cross_entropy\", or leave it out"
    ):
        NetworkClassifier(loss="huber").fit(*IRIS)


# ------------------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("validation", [0.0, 0.25])
@both
def test_with_weights_it_is_the_training_of_a_sweep(
    kind: type[Any], data: tuple[Array, Array], validation: float
) -> None:
    weights = np.random.default_rng(0).integers(0, 4, len(data[1]))
    fitted = kind(CHOSEN, epochs=3, validation=validation, seed=3).fit(*data, sample_weight=weights.tolist())
    task: Task = "classification" if kind is NetworkClassifier else "regression"
    table = Table(*data, task, weights=weights.astype(float))
    source = DataSource(name="n", validation=validation, test=0.0)
    prepared = split(table, source, 3) if validation else whole(table, source)
    training = train([CHOSEN], prepared, Settings(epochs=3), 3)
    np.testing.assert_array_equal(fitted.parameters_, training.parameters[0, 0])
    np.testing.assert_array_equal(fitted.loss_curve_, training.train_loss[0, 0])
    plain = kind(CHOSEN, epochs=3, validation=validation, seed=3).fit(*data)
    assert not np.array_equal(plain.parameters_, fitted.parameters_)
    even = kind(CHOSEN, epochs=3, validation=validation, seed=3).fit(*data, np.full(len(data[1]), 7.1))
    np.testing.assert_array_equal(plain.parameters_, even.parameters_)


def test_a_score_may_be_weighted() -> None:
    weights = np.random.default_rng(0).random(150)
    fitted = NetworkClassifier(epochs=2).fit(*IRIS, weights)
    right = fitted.predict(IRIS[0]) == IRIS[1]
    assert fitted.score(*IRIS, sample_weight=weights) == pytest.approx(weights[right].sum() / weights.sum())
    numbers, weights = NetworkRegressor(epochs=5).fit(*DIABETES), np.random.default_rng(0).random(442)
    expected = r2_score(DIABETES[1], numbers.predict(DIABETES[0]), sample_weight=weights)
    assert numbers.score(*DIABETES, sample_weight=weights) == pytest.approx(expected)


def test_weights_of_classes_move_what_is_predicted_to_the_rare_class() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(["common", "rare"], [270, 30])
    features = random.normal(size=(300, 2)) + (labels == "rare")[:, None]
    plain, balanced, given = (
        NetworkClassifier(CHOSEN, class_weight=each, validation=0.0).fit(features, labels)
        for each in (None, "balanced", {"common": 300 / (2 * 270), "rare": 300 / (2 * 30)})
    )
    np.testing.assert_array_equal(balanced.parameters_, given.parameters_)
    found = [(each.predict(features) == "rare")[labels == "rare"].mean() for each in (plain, balanced)]
    assert found[0] < 0.5 < found[1]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.full(150, -1.0), "the samples given: weights in sample_weight: -1, the first of 150"),
        (np.full(150, np.nan), "the samples given: weights in sample_weight: nan, the first of 150"),
        (np.zeros(150), "the samples given: weights in sample_weight: 0 for all 135 samples of the training part"),
    ],
    ids=["negative", "nan", "zero"],
)
def test_weights_that_cannot_be_used_are_one_line(weights: Array, said: str) -> None:
    with pytest.raises(DataError, match=f"^{said}"):
        NetworkClassifier(epochs=1).fit(*IRIS, weights)


def test_as_many_weights_as_samples_are_wanted() -> None:
    for wrong in (np.ones(149), np.ones((150, 2))):
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples|should be a 1d array"):
            NetworkClassifier(epochs=1).fit(*IRIS, wrong)


def test_weights_of_classes_that_cannot_be_used_are_one_line() -> None:
    for wrong in ("balance", {}, {0: 0.0}, {0: float("nan")}, [1, 2, 3]):
        with pytest.raises(
            UsageError, match=r"^NetworkClassifier: class_weight = .*: (must be|the weight of '0' must)"
        ):
            NetworkClassifier(class_weight=wrong, epochs=1).fit(*IRIS)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"^the samples given: class_weight: unknown class '3'\. Known: 0, 1, 2$"):
        NetworkClassifier(class_weight={3: 2.0}, epochs=1).fit(*IRIS)
    with pytest.raises(UsageError, match="class_weight = 'balanced': is for classes, and the targets are numbers"):
        NetworkRegressor(class_weight="balanced", epochs=1).fit(*DIABETES)


@both
def test_parameters_can_be_read_set_and_cloned(kind: type[Any], data: tuple[Array, Array]) -> None:
    estimator = kind(CHOSEN, hidden=(4,), epochs=2, seed=5)
    assert estimator.get_params()["configuration"] == CHOSEN
    architecture = {"hidden", "activation", "loss", "initial_weights", "dtype"}
    training = {"configuration", "epochs", "batch_size", "scale", "validation", "seed", "class_weight"}
    assert set(estimator.get_params()) == architecture | training
    copy = clone(estimator.fit(*data))
    assert copy.get_params() == estimator.get_params()
    assert not hasattr(copy, "parameters_")
    np.testing.assert_array_equal(copy.fit(*data).predict(data[0]), estimator.predict(data[0]))
    assert copy.set_params(epochs=7).epochs == 7


@both
def test_before_fit_it_says_so(kind: type[Any], data: tuple[Array, Array]) -> None:
    with pytest.raises(NotFittedError, match=f"{kind.__name__} instance is not fitted yet"):
        kind().predict(data[0])


def test_before_fit_there_are_no_probabilities() -> None:
    with pytest.raises(NotFittedError, match="NetworkClassifier instance is not fitted yet"):
        NetworkClassifier().predict_proba(IRIS[0])


@both
def test_it_survives_a_file(kind: type[Any], data: tuple[Array, Array], tmp_path: Path) -> None:
    fitted = kind(CHOSEN, epochs=2).fit(*data)
    joblib.dump(fitted, tmp_path / "network.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "network.joblib").predict(data[0]), fitted.predict(data[0]))


@both
def test_it_may_be_fitted_again(kind: type[Any], data: tuple[Array, Array]) -> None:
    fitted = kind(epochs=2).fit(data[0][:, :2], data[1])
    assert fitted.n_features_in_ == 2
    fresh = kind(epochs=2).fit(*data)
    np.testing.assert_array_equal(fitted.fit(*data).predict(data[0]), fresh.predict(data[0]))


@pytest.mark.parametrize("validation", [-0.1, 1.0, float("nan")])
def test_a_validation_share_out_of_range_is_refused(validation: float) -> None:
    with pytest.raises(UsageError, match="must obey 0 <= validation < 1"):
        NetworkClassifier(validation=validation).fit(*IRIS)


def test_missing_values_in_a_frame_are_filled_in_when_it_is_trained_and_when_it_predicts() -> None:
    frame = pd.DataFrame(IRIS[0], columns=list("abcd"))
    whole = NetworkClassifier(epochs=30, seed=1).fit(frame, IRIS[1])
    frame.loc[::10, "b"] = np.nan
    torn = NetworkClassifier(epochs=30, seed=1).fit(frame, IRIS[1])
    for model in (whole, torn):
        assert np.isfinite(model.predict_proba(frame)).all()
        assert model.score(frame, IRIS[1]) > 0.85


def test_missing_targets_are_refused() -> None:
    target = DIABETES[1].copy()
    target[3] = np.nan
    with pytest.raises((DataError, ValueError)):
        NetworkRegressor(epochs=1).fit(DIABETES[0], target)


def test_as_many_targets_as_samples_are_wanted() -> None:
    with pytest.raises((DataError, ValueError)):
        NetworkClassifier(epochs=1).fit(IRIS[0], IRIS[1][:-1])
