"""The data sets that are made to a paper's recipe: `least_squares` and `separable`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.datasets import load_named
from sweep.learning.data.source import named
from sweep.learning.data.splits import prepare
from sweep.learning.optimizers.rules import AdaGrad, Adam, RMSProp, Sgd
from sweep.learning.training.loop import train
from sweep.learning.training.settings import Settings


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("least_squares", {"n_samples": 0}, r"\[data\.arguments\] n_samples = 0: must be a whole number, at least 1"),
        ("least_squares", {"n_features": 1}, "n_features = 1: must be a whole number from 2 to 2000"),
        ("least_squares", {"n_features": True}, "n_features = True: must be"),
        ("least_squares", {"condition": 0.5}, "condition = 0.5: must be a number from 1 to 1e10"),
        ("least_squares", {"condition": "ill"}, "condition = 'ill': must be a number"),
        ("least_squares", {"noise": float("nan")}, "noise = nan: must be a number from 0"),
        ("least_squares", {"random_state": -1}, "random_state = -1: must be a whole number from 0 to 4294967295"),
        ("least_squares", {"n_samples": 10**12}, "1e12 samples: needs about .* GB of memory"),
        ("separable", {"n_samples": 2.0}, "n_samples = 2.0: must be a whole number"),
        ("separable", {"n_samples": 10**6}, "1000000 samples: needs about .* GB of memory"),
        ("separable", {"positive": 0.5}, "positive = 0.5: must be a number between 0.5 and 1"),
        ("separable", {"positive": 1}, "positive = 1: must be a number between 0.5 and 1"),
        ("separable", {"random_state": 2**32}, "random_state = 4294967296: must be"),
    ],
)
def test_an_argument_that_cannot_be_used_is_one_line(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        load_named(name, arguments)
    assert "\n" not in str(caught.value)


@settings(max_examples=30)
@given(
    n_features=st.integers(2, 40),
    condition=st.floats(1.0, 1e6),
    noise=st.floats(0.0, 3.0),
    random_state=st.integers(0, 2**32 - 1),
)
def test_least_squares_are_as_ill_conditioned_as_asked_scaled_or_not(
    n_features: int, condition: float, noise: float, random_state: int
) -> None:
    made = {"n_samples": 4000, "n_features": n_features, "condition": condition, "noise": noise}
    table = load_named("least_squares", made | {"random_state": random_state})
    features = np.asarray(table.features)
    for correlation in (np.cov(features.T), np.corrcoef(features.T)):
        eigenvalues = np.linalg.eigvalsh(correlation)
        # Of a hundred samples a feature, the eigenvalues are off by a few tenths (Marchenko and Pastur 1967).
        assert eigenvalues[-1] / eigenvalues[0] == pytest.approx(condition, rel=0.8)
    fitted, residual, *_ = np.linalg.lstsq(features, table.target, rcond=None)
    assert np.isfinite(fitted).all()
    # Six standard errors of a variance from 4000 normal numbers; and one that is not random.
    assert float(residual.sum()) / 4000 == pytest.approx(noise**2, rel=6 * np.sqrt(2 / 4000), abs=1e-6)
    # Six standard errors of a variance, and as many of the noise along the true weights; and what it adds elsewhere.
    off = 6 * (np.sqrt(2 / 4000) + 2 * noise / np.sqrt(4000)) + noise**2 * n_features / 4000
    assert (features @ fitted).var() == pytest.approx(1.0, abs=off)


@given(
    n_samples=st.integers(1, 30), positive=st.floats(0.5, 1, exclude_min=True, exclude_max=True), seed=st.integers(0, 9)
)
def test_separable_has_the_construction_of_the_paper(n_samples: int, positive: float, seed: int) -> None:
    made = load_named("separable", {"n_samples": n_samples, "positive": positive, "random_state": seed})
    features, labels = np.asarray(made.features), made.target
    assert features.shape == (n_samples, 5 * n_samples + 2)
    np.testing.assert_array_equal(features[:, 0], labels)
    assert (features[:, 1] == 1).all()
    own = features[:, 2:]
    assert set(own.ravel()) <= {0.0, 1.0}
    assert (own.sum(axis=0) <= 1).all(), "no two samples share one"
    np.testing.assert_array_equal(own.sum(axis=1), np.where(labels == 1, 1, 5))
    # Their lemma 3.1, with a bias: if most labels are 1, the signs of the features' sums separate all samples alike.
    inputs = np.column_stack([features, np.ones(n_samples)])
    if labels.sum() > 0:
        np.testing.assert_array_equal(inputs @ np.sign(inputs.T @ labels), 4 * labels)


def test_as_many_labels_are_1_as_asked_but_for_chance() -> None:
    for positive in (0.55, 0.9):
        share = (load_named("separable", {"n_samples": 1000, "positive": positive}).target == 1).mean()
        assert share == pytest.approx(positive, abs=5 * np.sqrt(positive * (1 - positive) / 1000))


def test_on_separable_data_plain_descent_generalises_and_adaptive_methods_say_1_of_everything() -> None:
    source = named("separable", {"n_samples": 100}, scale=False)
    data = prepare(source, 0)
    rules = [Sgd(), AdaGrad(initial_cache=0.0), RMSProp(initial_cache=0.0), Adam()]
    how = Settings(hidden=(), initial_weights="zero", epochs=60, batch_size=len(data.train))
    training = train([Configuration(0.1, rule) for rule in rules], data, how, 0)
    negatives = float(data.validation.targets[:, 0].mean())
    assert negatives > 0
    np.testing.assert_allclose(training.validation_error[:, 0, -1], [0.0, *[negatives] * 3], rtol=1e-12)
    assert (training.train_loss[:, 0, -1] < 0.1).all()
