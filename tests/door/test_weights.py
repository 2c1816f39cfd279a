"""A study of a table whose samples and classes weigh, from its file to the estimator that is fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from sweep.door import retraining
from sweep.errors import DataError, UsageError
from sweep.learning.baselines import baselines
from sweep.learning.data.splits import prepare, split_off_test
from sweep.learning.network.metrics import METRICS, Metric, Words
from sweep.results.tables import after_search
from tests.studies import CALM, assert_same_results, content, run

SAMPLES = 120


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two classes, one of them rare; the weights are another column."""
    random = np.random.default_rng(2)
    rare = np.arange(SAMPLES) % 5 == 0
    frame = pd.DataFrame(random.normal(size=(SAMPLES, 3)), columns=list("abc"))
    frame["a"] += 2 * rare
    frame["n"] = random.integers(1, 9, SAMPLES)
    frame["sold"] = np.where(rare, "yes", "no")
    frame.to_csv(tmp_path / "my.csv", index=False)
    return tmp_path / "my.csv"


def study(file: Path, weight: str = "n", given: Any = "balanced", **keys: Any) -> dict[str, Any]:
    """With finalists; judged by what has samples weighed as a whole."""
    data = {"file": str(file), "target": "sold", "name": "", **({"weight": weight} if weight else {})}
    network = {"class_weight": given} if given else {}
    return content(
        study={"metrics": ["balanced_error"], "splits": 2, "trials": 8, "defaults": True, **keys},
        data=data, network=network, search=CALM, verdict={"seeds": 2, "arms": 1},
    )  # fmt: skip


def test_a_study_with_weights_reproduces_and_its_estimator_has_them(file: Path, tmp_path: Path) -> None:
    result = run(study(file), tmp_path / "runs")
    assert retraining.rerun(result, int(result.best["number"])).reproduced
    spec = result.spec
    data = prepare(spec.source(), spec.study.seed, spec.splits)
    assert data.train.weights is not None
    assert data.inputs == 3
    known = after_search.read_baselines(result.folder)
    assert known.groupby("name")["balanced_error"].mean()["same"] == pytest.approx(0.5)
    assert known.groupby("name")["loss"].mean()["same"] == pytest.approx(np.log(2), rel=1e-6)
    fitted = joblib.load(retraining.fit(result, tmp_path / "model.joblib").file)
    assert fitted.class_weight == "balanced"
    rest = split_off_test(spec.source(), spec.study.seed)
    assert rest.weights is not None
    again = type(fitted)(**fitted.get_params()).fit(rest.features, rest.target, rest.weights)
    np.testing.assert_array_equal(again.parameters_, fitted.parameters_)


def test_each_of_the_weights_moves_what_is_found(file: Path, tmp_path: Path) -> None:
    every = [("n", "balanced"), ("n", {"yes": 2.0}), ("n", None), ("", "balanced"), ("", None)]
    losses = []
    for number, (weight, given) in enumerate(every):
        result = run(study(file, weight, given), tmp_path / str(number))
        losses.append(tuple(result.trials["objective"]))
        data = prepare(result.spec.source(), 0, 2)
        assert baselines(prepare(result.spec.source(), 0))["linear"]["loss"] > 0
        assert data.weighted == bool(weight)
    assert len(set(losses)) == len(every)


def test_processes_that_read_the_parts_from_a_file_find_the_same(file: Path, tmp_path: Path) -> None:
    serial = run(study(file), tmp_path / "serial")
    loky = run(study(file), tmp_path / "loky", backend="loky", workers=2)
    assert_same_results(serial, loky)


def test_a_metric_that_does_not_go_by_weights_is_refused_before_anything_is_written(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = {"classification": Words("worst")}
    worst = Metric({"classification": lambda of: of.outputs.max(axis=(1, 2))}, words, whole=True)
    monkeypatch.setitem(METRICS, "worst", worst)
    said = r"^study\.metrics: 'worst' does not go by the weights of the samples: use one of loss, error, [^\n]+$"
    with pytest.raises(UsageError, match=said):
        run(study(file, metrics=["worst"]), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    assert "validation_worst" in run(study(file, "", metrics=["worst"]), tmp_path / "runs").trials


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"third": 2.0}, DataError, r"my\.csv: class_weight: unknown class 'third'\. Known: no, yes"),
        ({"yess": 2.0}, DataError, r"my\.csv: class_weight: unknown class 'yess'; did you mean 'yes'\? Known: no, yes"),
        (
            {"yes": 0},
            UsageError,
            r".*network\.class_weight = \{'yes': 0\}: the weight of 'yes' must be a number above 0",
        ),
    ],
)
def test_weights_of_classes_that_cannot_be_used_are_one_line(
    file: Path, tmp_path: Path, given: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=f"^{said}$"):
        run(study(file, given=given), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_weights_of_classes_where_there_are_none_are_one_line(tmp_path: Path) -> None:
    numbers = content(data={"name": "diabetes"}, network={"class_weight": "balanced"})
    said = "^diabetes: class_weight = 'balanced': is for classes, and the targets are numbers: leave it out$"
    with pytest.raises(UsageError, match=said):
        run(numbers, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
