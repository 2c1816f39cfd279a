"""The recommendation: what it says is in the tables, and what is wrong with it is a finding."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from sweep.results import sentences
from sweep.results.answer import RECIPE, Answer
from sweep.results.recommendation import BEST_DEFAULT, Recommendation
from sweep.results.statistics.verdicts import Interval
from sweep.results.tables import after_search
from sweep.results.telling import note, report
from tests.results.made import in_schema, made


def told(folder: Path, task: str = "classification", **options: Any) -> Answer:
    """A made study with scikit-learn's models beside it, and a recipe that says what the targets are."""
    answer = made(folder, **options)
    data = {"fingerprint": "0", "task": task, "samples": [60, 20, 20]}
    (folder / RECIPE).write_text(json.dumps({"data": data}), encoding="utf-8")
    rows = [
        {"name": name, "replicate": replicate, "loss": loss, "error": loss / 4}
        for name, loss in (("linear", 0.9), ("same", 1.5))
        for replicate in range(3)
    ]
    after_search.write_baselines(folder, pd.DataFrame(rows))
    return Answer(folder, answer.spec)


def changed(answer: Answer, **columns: Any) -> Answer:
    """The same study, with other columns in the rows of what it recommends."""
    found = answer.recommendation
    assert found is not None
    table = after_search.read(answer.folder, "finalists")
    own = (table["optimizer"] == found.arm.optimizer) & (table["schedule"] == found.arm.schedule)
    own &= table["kind"] == found.kind
    for name, value in columns.items():
        table.loc[own, name] = value
    pq.write_table(in_schema(table, after_search.finalists_schema()), answer.folder / "finalists.parquet")
    return Answer(answer.folder, answer.spec)


def rows_of(answer: Answer) -> pd.DataFrame:
    found, table = answer.recommendation, answer.judged
    assert found is not None
    own = (table["optimizer"] == found.arm.optimizer) & (table["schedule"] == found.arm.schedule)
    return table[own & (table["kind"] == found.kind)]


def kinds(found: Recommendation | None) -> list[str]:
    assert found is not None
    return [each.kind for each in found.findings()]


def test_its_numbers_are_the_means_of_the_finalists_rows_on_the_test_part(tmp_path: Path) -> None:
    answer = told(tmp_path / "run")
    found, rows = answer.recommendation, rows_of(answer)
    assert found is not None
    assert found.score.mean == pytest.approx(rows["test_loss"].mean())
    assert found.error.mean == pytest.approx(rows["test_error"].mean())
    assert (found.trainings, found.diverged.mean, found.diverged.low) == (len(rows), 0.0, 0.0)
    first = rows[rows["replicate"] < 3]["score"].to_numpy()
    assert found.beside["linear"].mean == pytest.approx((0.9 - first).mean())
    assert found.beside["same"].mean == pytest.approx((1.5 - first).mean())


def test_a_linear_model_that_was_given_fewer_steps_is_told_so(tmp_path: Path) -> None:
    answer = told(tmp_path / "run")
    assert "a linear model" in [name for name, _, _ in sentences.beside(answer)]
    known = after_search.read_baselines(answer.folder)
    after_search.write_baselines(answer.folder, known.assign(steps=49))
    answer = Answer(answer.folder, answer.spec)
    assert "a linear model of 49 steps at the most" in [name for name, _, _ in sentences.beside(answer)]


def test_tuning_has_paid_where_the_best_default_is_worse_beyond_the_interval(tmp_path: Path) -> None:
    answer = told(tmp_path / "run", spread=0.005)  # in `made` a default is 0.05 worse
    found = answer.recommendation
    assert found is not None
    assert (found.kind, found.paid) == ("tuned", "paid")
    assert found.beside[BEST_DEFAULT].low > 0
    assert sentences.paid(answer).startswith("Tuning has paid: the best default")


def test_tuning_has_not_paid_where_a_default_is_recommended(tmp_path: Path) -> None:
    answer = told(tmp_path / "run", spread=0.5)  # so noisy that nothing is told apart
    found = answer.recommendation
    assert found is not None
    assert (found.kind, found.paid) == ("default", "not paid")
    assert "with its default settings" in sentences.recommended(answer)
    assert sentences.paid(answer).startswith("Tuning has not paid here")
    assert len(found.alike) > 1
    assert "fewest constants to set" in sentences.why(answer)


def test_the_share_of_wrong_answers_or_r2_stands_beside_the_loss(tmp_path: Path) -> None:
    classes = told(tmp_path / "classes")
    error = rows_of(classes)["test_error"].mean()
    assert f"{100 * error:.1f} % wrong answers" in sentences.recommended(classes)
    assert "test loss" in sentences.recommended(classes)
    numbers = told(tmp_path / "numbers", task="regression")
    assert f"R2 {1 - error:.3f}" in sentences.recommended(numbers)
    assert "always the mean" in [name for name, _, _ in sentences.beside(numbers)]


def test_who_is_better_worse_or_neither_is_said_of_each(tmp_path: Path) -> None:
    answer = told(tmp_path / "run", spread=0.005)
    words = {name: word for name, _, word in sentences.beside(answer)}
    assert words["a linear model"] == words["always the most frequent class"] == "it is better"
    behind = changed(answer, score=2.0)
    assert ("a linear model", "it is worse") in [(name, word) for name, _, word in sentences.beside(behind)]


def test_a_configuration_that_diverges_now_and_then_is_known_by_it(tmp_path: Path) -> None:
    answer = told(tmp_path / "run", spread=0.001)
    assert "diverges" not in kinds(answer.recommendation)
    found = answer.recommendation
    assert found is not None
    often = replace(found, diverged=Interval(1 / 6, 0.004, 0.64))
    (finding,) = [each for each in often.findings() if each.kind == "diverges"]
    assert "1 of 6 trainings" in finding.evidence


def test_optimism_of_the_search_is_a_finding_where_it_is_large(tmp_path: Path) -> None:
    answer = told(tmp_path / "run")
    found = answer.recommendation
    assert found is not None
    assert "optimism" not in kinds(replace(found, optimism=Interval(0.01, 0.005, 0.02)))
    assert "optimism" not in kinds(replace(found, optimism=Interval(1.0, -0.1, 2.0)))
    score = found.score.mean
    lucky = replace(found, optimism=Interval(0.9 * score, 0.5 * score, 1.2 * score))
    assert "optimism" in kinds(lucky)


def test_no_better_than_the_same_answer_or_worse_than_a_linear_model_is_a_finding(tmp_path: Path) -> None:
    answer = told(tmp_path / "run")
    assert not {"no better than chance", "linear is better"} & set(kinds(answer.recommendation))
    assert {"no better than chance", "linear is better"} <= set(kinds(changed(answer, score=2.0).recommendation))


def test_findings_look_at_what_is_recommended_and_not_at_the_luckiest_trial(tmp_path: Path) -> None:
    answer = told(tmp_path / "run", spread=0.5)
    assert answer.what == "the recommended configuration"
    assert not [each for each in answer.findings if "best trial" in each.evidence]


def test_the_dashboards_note_begins_with_it_and_says_why_not_the_best_trial(tmp_path: Path) -> None:
    answer = told(tmp_path / "run", spread=0.5)
    first = note.text(answer).splitlines()[0]
    assert first.startswith("**Use ")
    best = answer.best
    assert best is not None
    assert f"The best trial that the dashboard shows, {int(best['number'])}, is the luckiest" in first
    alone = made(tmp_path / "searched", judging=False)
    assert not note.text(alone).startswith("**Use ")


def test_the_report_has_it_on_top_and_in_its_markdown(tmp_path: Path) -> None:
    answer = told(tmp_path / "run", spread=0.5)
    page = report.write(answer).read_text(encoding="utf-8")
    assert page.index(">Recommendation</h2>") < page.index(">Verdict</h2>")
    assert sentences.recommended(answer) in page
    assert "Use " in (answer.folder / report.MARKDOWN).read_text(encoding="utf-8")


def test_without_a_verdict_nothing_is_recommended_and_the_best_trial_is_to_be_used(tmp_path: Path) -> None:
    answer = made(tmp_path / "run", judging=False)
    assert answer.recommendation is None
    assert sentences.recommended(answer).startswith("No recommendation: ")
    assert sentences.beside(answer) == []
    assert answer.chosen is not None
    assert answer.best is not None
    assert answer.chosen["number"] == answer.best["number"]
    assert np.isfinite(answer.chosen["objective"])
