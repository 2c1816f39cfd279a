"""A study judged by any metric of the table: its trials, its race, its verdict, its words; and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sweep.door import retraining
from sweep.door.terminal import summary
from sweep.errors import UsageError
from sweep.learning.network.metrics import METRICS, VALIDATION
from sweep.results import sentences
from sweep.results.tables import after_search
from sweep.results.telling import report
from tests.studies import CALM, assert_same_results, content, run, settled
from tests.tiers import mostly_long

DATA = {"classification": "iris", "regression": "diabetes"}
EVERY = [(name, task) for name in METRICS for task in METRICS[name].measures]


def judged_by(name: str, task: str, **keys: Any) -> dict[str, Any]:
    """A study with a race and finalists."""
    return content(
        study={"objective": VALIDATION + name, "splits": 2, "defaults": True, "trials": 8, **keys},
        data={"name": DATA[task]},
        search=CALM,
        verdict={"seeds": 3, "arms": 2},
    )


@pytest.mark.parametrize(("name", "task"), EVERY)
def test_a_study_is_judged_by_the_metric_that_it_names(name: str, task: str, tmp_path: Path) -> None:
    result = run(judged_by(name, task), tmp_path)
    last = result.curves[result.curves["epoch"] == 3].groupby("number")[VALIDATION + name].mean()
    assert result.trials["objective"].tolist() == pytest.approx(last.tolist(), rel=1e-12)
    assert result.trials[VALIDATION + name].tolist() == pytest.approx(last.tolist(), rel=1e-12)
    tested = after_search.read(result.folder, "finalists")
    assert tested["score"].tolist() == tested[f"test_{name}"].tolist()
    assert tested["objective"].tolist() == tested[VALIDATION + name].tolist()
    assert tested[[f"test_{each}" for each in result.spec.metrics]].notna().all().all()
    assert result.verdict is not None
    words = METRICS[name].words[task]
    said = sentences.recommended(result.answer)
    assert (words.name if words.percent or words.higher else f"test {name.replace('_', ' ')}") in said
    assert {"linear", "same"} <= result.answer.recommendation.beside.keys()  # type: ignore[union-attr]
    assert retraining.rerun(result, 0).reproduced
    assert summary.summary_data(result)["objective"] == VALIDATION + name
    assert f"{VALIDATION}{name}".replace("_", " ") in report.write(result.answer).read_text(encoding="utf-8")


def test_further_metrics_stand_beside_the_others_and_change_none(tmp_path: Path) -> None:
    plain = run(judged_by("loss", "classification"), tmp_path / "plain")
    more = run(judged_by("loss", "classification", metrics=["brier", "balanced_error"]), tmp_path / "more")
    columns = ["validation_brier", "validation_balanced_error"]
    for table in (more.trials, more.curves):
        assert table[columns].notna().all().all()
    without = (settled(more.trials).drop(columns=columns), more.curves.drop(columns=columns))
    for one, other in zip((settled(plain.trials), plain.curves), without, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"objective": "validation_brier"}, "study.objective: 'brier' is none for regression"),
        ({"metrics": ["balanced_error"]}, "study.metrics: 'balanced_error' is none for regression"),
        ({"objective": "validation_los"}, "unknown objective 'validation_los'; did you mean 'validation_loss'"),
        ({"metrics": ["accuracy"]}, "unknown metric 'accuracy'"),
    ],
)
def test_a_metric_that_is_unknown_or_none_for_the_task_is_one_line(
    keys: dict[str, Any], line: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        run(judged_by("loss", "regression", **keys), tmp_path)
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("backend", mostly_long(["serial", "loky"], lambda backend: backend == "serial"))
def test_a_pruned_study_goes_on_and_has_two_workers_by_another_metric_too(tmp_path: Path, backend: str) -> None:
    study = judged_by("balanced_error", "classification", pruner="halving", generation=4)
    one = run(study, tmp_path / "one")
    run(study, tmp_path / "two", trials=5)
    two = run(study, tmp_path / "two", backend=backend, workers=1 if backend == "serial" else 2)
    assert_same_results(one, two)
    again = run(study, tmp_path / "two")
    assert_same_results(one, again)
    assert all(math.isfinite(value) for value in one.trials["objective"])
