"""The loss that a study chooses: searched by, judged by, trained by again; refused where it does not fit the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from sweep.door import retraining
from sweep.learning.baselines import baselines
from sweep.learning.data.parts import Data
from sweep.learning.data.source import named
from sweep.learning.data.splits import prepare
from sweep.learning.network.functions import LOSSES
from sweep.results.tables import after_search
from tests import reference
from tests.studies import CALM, content, run, tiny
from tests.terminal import sweep, tiny_study

HUBER: dict[str, Any] = {"data": {"name": "diabetes"}, "network": {"loss": "huber"}, "search": CALM}


def test_a_study_is_searched_judged_and_trained_again_by_the_loss_that_it_chooses(tmp_path: Path) -> None:
    result = run(content(verdict={"arms": 1, "seeds": 2}, **HUBER), tmp_path / "chosen")
    other = run(content(data={"name": "diabetes"}, search=CALM), tmp_path / "left")
    assert result.spec.network.loss == "huber"
    assert 'loss = "huber"' in (result.folder / "study.toml").read_text()
    assert "loss" not in (other.folder / "study.toml").read_text().partition("[network]")[2].partition("[search]")[0]
    # Standardised targets: a tenth or so of the differences is beyond 1, and what is below counts half.
    starts = [found.curves.query("epoch == 0")["validation_loss"].iloc[0] for found in (result, other)]
    assert 0.2 * starts[1] < starts[0] < 0.5 * starts[1]
    assert retraining.rerun(result, int(result.best["number"])).reproduced
    estimator = joblib.load(retraining.fit(result, tmp_path / "model.joblib").file)
    assert estimator.loss == estimator.architecture_.loss == "huber"
    losses = after_search.read_baselines(result.folder).groupby("name")["loss"].mean()
    assert losses["linear"] < losses["same"] < 0.5 < starts[1]


@pytest.fixture(scope="module")
def data() -> dict[str, Data]:
    return {"regression": prepare(named("linnerud"), 0), "classification": prepare(named("iris"), 0)}


@pytest.mark.parametrize("loss", LOSSES)
def test_baselines_are_told_in_the_loss_of_the_network(loss: str, data: dict[str, Data]) -> None:
    if loss not in reference.LOSSES:
        pytest.skip(f"no oracle for {loss} in tests/reference.py")
    found = data[LOSSES[loss].task]
    given, plain = baselines(found, loss=loss), baselines(found)
    means = found.train.targets.mean(axis=0)
    outputs = means if LOSSES[loss].task == "regression" else np.log(means)
    expected = np.mean([reference.LOSSES[loss](outputs, target)[0] for target in found.test.targets])
    assert given["same"]["loss"] == pytest.approx(expected, rel=1e-12)
    assert [each["error"] for each in given.values()] == [each["error"] for each in plain.values()]
    assert (given == plain) == (loss == found.loss)


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        ("hubert", "network.loss: unknown loss 'hubert'; did you mean 'huber'?"),
        ("huber", "network.loss = 'huber': is for regression, and the data are for classification: use "),
    ],
)
def test_a_loss_that_cannot_be_is_one_line_with_exit_code_2(loss: str, said: str, tmp_path: Path) -> None:
    tiny_study(tmp_path, extra=f'loss = "{loss}"\n')
    for arguments in (("--dry-run",), ("--backend", "serial")):
        outcome = sweep("run", "tiny.toml", *arguments, cwd=tmp_path)
        assert (outcome.code, len(outcome.err.splitlines())) == (2, 1), outcome.err
        assert said in outcome.err
    assert not (tmp_path / "runs").exists()


def test_a_task_has_one_default_loss_which_fits_it(data: dict[str, Data]) -> None:
    assert {task: found.loss for task, found in data.items()} == {
        "regression": "squared_error", "classification": "cross_entropy",
    }  # fmt: skip
    assert tiny().network.loss is None
