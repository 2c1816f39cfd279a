"""A linear model is a network without hidden layers: run, trained again, and kept; on data as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

import sweep
from sweep.door import retraining
from sweep.learning.configuration import Configuration
from sweep.learning.data.splits import split_off_test
from sweep.learning.optimizers.rules import Sgd
from sweep.search.running.planning import make
from tests.studies import CALM, content, run, tiny

STUDIES: dict[str, dict[str, Any]] = {
    "classes": {"data": {"name": "iris", "scale": False}},
    "numbers": {"data": {"name": "least_squares", "arguments": {"n_samples": 200}, "scale": False}},
    "scaled": {"data": {"name": "diabetes"}},
}


@pytest.mark.parametrize("initial", ["zero", "he"])
@pytest.mark.parametrize("name", STUDIES)
def test_a_linear_model_is_run_trained_again_and_kept(tmp_path: Path, name: str, initial: str) -> None:
    network = {"hidden": [], "initial_weights": initial}
    result = run(content(network=network, search=CALM, **STUDIES[name]), tmp_path)
    assert set(result.trials["state"]) == {"complete"}
    assert sweep.load(result.folder).spec.source().scale is (name == "scaled")
    assert retraining.rerun(result, int(result.best["number"])).reproduced
    saved = retraining.fit(result, tmp_path / "model.joblib")
    estimator = joblib.load(saved.file)
    table = split_off_test(result.spec.source(), result.spec.study.seed)
    inputs = np.asarray(table.features, float)
    np.testing.assert_array_equal(estimator.encoder_.transform(inputs) == inputs, name != "scaled")
    assert np.isfinite(estimator.score(table.features, table.target))
    assert estimator.loss_curve_[-1] < estimator.loss_curve_[0]


def test_a_linear_model_can_be_planned() -> None:
    plan = make(tiny(network={"hidden": [], "initial_weights": "zero"}), 1)
    assert plan.parameters == (4 + 1) * 3


def test_weights_that_start_at_zero_give_every_class_the_same_chance() -> None:
    curves = sweep.train([Configuration(0.01, Sgd())], "iris", hidden=(), initial_weights="zero", epochs=1)
    start = curves[curves["epoch"] == 0]
    assert start["validation_loss"].tolist() == pytest.approx([np.log(3)])


def test_zero_weights_in_hidden_layers_are_one_line() -> None:
    with pytest.raises(sweep.SweepError, match=r"initial_weights = 'zero': .*never learns") as caught:
        sweep.train([Configuration(0.01, Sgd())], "iris", hidden=(4,), initial_weights="zero", epochs=1)
    assert "\n" not in str(caught.value)
