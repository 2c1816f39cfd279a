"""A run whose trials are done trains its finalists: once, whole, and as if nobody had disturbed it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest

import sweep
from sweep.door.result import Result
from sweep.door.terminal.verdict import data
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.splits import prepare
from sweep.learning.hyper import Array
from sweep.search.running import workers
from sweep.search.running.finalists import fresh_seed
from sweep.search.running.records import Progress
from sweep.search.running.workers import Finished, Job, Lost, Serial
from tests.door.finalists import SEEDS, assert_same_finalists, run_until_killed, study, tables
from tests.studies import assert_same_results, copied, run, settled
from tests.tiers import mostly_long

# ----------------------------------------------------------------------------------------------------- a run to its end


def test_every_leading_arm_is_judged_tuned_and_as_it_comes_with_every_fresh_seed(undisturbed: Result) -> None:
    finalists, curves = tables(undisturbed)
    leading = undisturbed.answer.leading
    assert len(leading) == 3
    assert len(finalists) == 3 * 2 * SEEDS
    for replicate in range(SEEDS):
        rows = finalists[finalists["replicate"] == replicate]
        tuned = rows[rows["kind"] == "tuned"]
        pairs = zip(tuned["optimizer"], tuned["schedule"], tuned["number"], strict=True)
        assert list(pairs) == [(arm.optimizer, arm.schedule, number) for arm, number in leading.items()]
        assert rows.loc[rows["kind"] == "default", "optimizer"].tolist() == tuned["optimizer"].tolist()
        assert (rows["seed"] == fresh_seed(undisturbed.spec, replicate)).all()
    best = undisturbed.trials.set_index("number")["learning_rate"]
    defaults = finalists[finalists["kind"] == "default"]
    assert (defaults["learning_rate"] == defaults["optimizer"].map({"sgd": 0.05, "rmsprop": 0.005})).all()
    tuned = finalists[finalists["kind"] == "tuned"]
    assert (tuned["learning_rate"].to_numpy() == best[tuned["number"]].to_numpy()).all()
    assert np.isfinite(finalists["score"]).all()
    assert len(curves) == (finalists["epochs"] + 1).sum()


def test_the_verdict_is_that_of_the_scores_in_the_table(undisturbed: Result) -> None:
    verdict = undisturbed.verdict
    assert verdict is not None
    means = tables(undisturbed)[0].query("kind == 'tuned'").groupby(["optimizer", "schedule"])["score"].mean()
    assert (verdict.leader.optimizer, verdict.leader.schedule) == means.idxmin()
    assert verdict.scores[verdict.leader].mean == pytest.approx(means.min())
    assert verdict.seeds == SEEDS
    assert undisturbed.chosen["number"] == undisturbed.answer.leading[verdict.leader]


def test_a_search_is_what_it_is_without_finalists(undisturbed: Result, tmp_path: Path) -> None:
    assert_same_results(undisturbed, run(study(verdict={"seeds": 0}), tmp_path))
    assert not (tmp_path / "tiny" / "finalists.parquet").exists()


@pytest.mark.long  # in the short tier, with a race before them
def test_finalists_do_not_depend_on_who_trains(undisturbed: Result, tmp_path: Path) -> None:
    assert_same_finalists(undisturbed, run(study(), tmp_path, backend="loky", workers=2))


def test_to_run_it_again_trains_nobody(undisturbed: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied(undisturbed, tmp_path)

    def no_more(self: Serial, job: Job) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(Serial, "submit", no_more)
    before = [path.stat().st_mtime_ns for path in sorted((tmp_path / "tiny").glob("finalist*"))]
    again = run(study(), tmp_path)
    assert_same_finalists(again, undisturbed)
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "tiny").glob("finalist*"))] == before


def test_progress_counts_the_finalists_after_the_trials(tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []

    def notify(progress: Progress) -> None:
        seen.append((progress.done, progress.judged, progress.to_judge))

    run(study(), tmp_path, notify=notify)
    judging_ = [each for each in seen if each[2]]
    assert judging_ == [(12, 6 * n, 6 * SEEDS) for n in range(1, SEEDS + 1)]
    assert all(each[1] == 0 for each in seen if not each[2])


def test_a_study_that_is_not_done_judges_nobody(tmp_path: Path) -> None:
    stopped = run(study(), tmp_path, timeout=1e-6)
    assert (stopped.trials["state"] == "complete").sum() < 12
    assert tables(stopped)[0].empty
    assert stopped.verdict is None
    assert stopped.answer.why_no_verdict


def test_a_study_of_diverged_trials_alone_judges_nobody_and_says_why(tmp_path: Path) -> None:
    hopeless = run(study(search={"learning_rate": {"low": 1e20, "high": 1e30, "log": True}}), tmp_path)
    assert (hopeless.trials["state"] == "diverged").all()
    assert tables(hopeless)[0].empty
    assert hopeless.answer.why_no_verdict == "no trial is complete"
    assert json.dumps(data(hopeless.answer), allow_nan=False)


# ---------------------------------------------------------------------------------------------------------- interrupted


@pytest.mark.parametrize("replicates", mostly_long([0, 1, 3, 5], lambda replicates: replicates == 1))
def test_interrupted_judging_goes_on_to_the_same_tables(undisturbed: Result, tmp_path: Path, replicates: int) -> None:
    progress: list[Progress] = []

    def stopping() -> bool:
        return bool(progress) and progress[-1].done == 12 and progress[-1].judged >= 6 * replicates

    stopped = run(study(), tmp_path, notify=progress.append, stopping=stopping)
    begun = len(tables(stopped)[0]) // 6
    assert replicates <= begun < SEEDS or (replicates, begun) == (5, SEEDS)
    assert_same_finalists(run(study(), tmp_path), undisturbed)


@pytest.mark.parametrize("call", mostly_long(range(1, 6), lambda call: call == 3))
def test_a_run_that_is_killed_while_it_records_finalists_goes_on_to_the_same_tables(
    undisturbed: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """Also between the two tables: curves without scores are not there twice."""
    run_until_killed(monkeypatch, study(), tmp_path, call)
    assert_same_finalists(run(study(), tmp_path), undisturbed)


def test_finalists_whose_workers_die_are_a_warning_and_the_run_ends(
    undisturbed: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = Serial.submit
    jobs: list[Job] = []

    class Gone:
        def result(self) -> Finished:
            raise Lost("the worker of 6 trials died (killed, or out of memory) 3 times")

    def deadly(self: Serial, job: Job) -> Any:
        if job.test is None:
            return submit(self, job)
        jobs.append(job)
        return Gone() if len(jobs) > 2 else submit(self, job)

    warned: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(Serial, "submit", deadly)
        result = run(study(), tmp_path, warn=warned.append)
    (line,) = warned
    assert "the finalists are not judged to the end" in line
    assert "died" in line
    assert len(tables(result)[0]) == 2 * 6
    assert_same_finalists(run(study(), tmp_path), undisturbed)


# --------------------------------------------------------------------------------------------------- more of everything


def numbers(result: Result) -> dict[tuple[str, str], int]:
    return {(arm.optimizer, arm.schedule): number for arm, number in result.answer.leading.items()}


def test_more_trials_retrain_only_the_arms_that_have_a_new_best_one(tmp_path: Path) -> None:
    first = run(study(study={"trials": 6}), tmp_path)
    before, best = tables(first), numbers(first)
    jobs: list[int] = []
    more = run(study(study={"trials": 24}), tmp_path, notify=lambda progress: jobs.append(progress.to_judge))
    after = tables(more)
    for own, others in zip(before, after, strict=True):
        pd.testing.assert_frame_equal(own, others.head(len(own)), check_exact=True)
    added = after[0].iloc[len(before[0]) :]
    tuned = added[added["kind"] == "tuned"]
    found = set(zip(tuned["optimizer"], tuned["schedule"], tuned["number"], strict=True))
    now = {(*pair, number) for pair, number in numbers(more).items()}
    assert found == now - {(*pair, number) for pair, number in best.items()}
    assert found, "or this would compare less than it says"
    defaults = added[added["kind"] == "default"]
    assert set(zip(defaults["optimizer"], defaults["schedule"], strict=True)) == set(numbers(more)) - set(best)
    assert jobs[-1] == len(added)
    at_once = run(study(study={"trials": 24, "generation": first.spec.study.generation}), tmp_path / "once")
    assert at_once.verdict == more.verdict


def test_more_seeds_train_the_new_ones_only(undisturbed: Result, tmp_path: Path) -> None:
    first = run(study(verdict={"seeds": 3, "arms": 3}), tmp_path)
    before = tables(first)
    more = run(study(), tmp_path)
    for own, others in zip(before, tables(more), strict=True):
        pd.testing.assert_frame_equal(own, others.head(len(own)), check_exact=True)
    added = tables(more)[0].iloc[len(before[0]) :]
    assert sorted(added["replicate"].unique()) == [3, 4, 5]
    assert_same_finalists(more, undisturbed)


def test_more_arms_train_the_new_ones_only(undisturbed: Result, tmp_path: Path) -> None:
    first = run(study(verdict={"seeds": SEEDS, "arms": 2}), tmp_path)
    before = tables(first)[0]
    more = run(study(), tmp_path)
    added = tables(more)[0].iloc[len(before) :]
    assert len(added[["optimizer", "schedule"]].drop_duplicates()) == 1
    assert more.verdict == undisturbed.verdict
    fewer = run(study(verdict={"seeds": SEEDS, "arms": 2}), tmp_path)
    assert fewer.verdict == first.verdict
    assert len(tables(fewer)[0]) == len(tables(more)[0])


@pytest.mark.parametrize("section", [{"seeds": 0}, {"seeds": 3}, {"arms": 1}, {"delta": 0.5}])
def test_another_verdict_is_no_other_study(undisturbed: Result, tmp_path: Path, section: dict[str, Any]) -> None:
    copied(undisturbed, tmp_path)
    other = run(study(verdict={"seeds": SEEDS, "arms": 3} | section), tmp_path)
    assert_same_results(other, undisturbed)
    assert_same_finalists(other, undisturbed)
    assert sweep.load(tmp_path / "tiny").spec.verdict.model_dump().items() >= section.items()
    assert not (tmp_path / "tiny.1").exists()


# -------------------------------------------------------------------------------------------------------- the test part


def spoilt(data: Data) -> Data:
    """The same with nothing but NaN in its test part."""

    def nothing(values: Array) -> Array:
        return np.full_like(values, np.nan)

    return dataclasses.replace(data, test=Part(nothing(data.test.inputs), nothing(data.test.targets)))


@pytest.mark.parametrize(
    "section",
    mostly_long(
        [{}, {"sampler": "tpe"}, {"pruner": "halving", "trials": 24}, {"at": "best"}],
        lambda section: not section or "pruner" in section,
    ),
)
def test_the_search_never_reads_the_test_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: dict[str, Any]
) -> None:
    options = {"study": section, "network": {"epochs": 9}, "verdict": {"seeds": 2, "arms": 2}}
    clean = run(study(**options), tmp_path / "clean")
    monkeypatch.setattr(workers, "prepare", lambda *what: spoilt(prepare(*what)))
    spoiled = run(study(**options), tmp_path / "spoilt")
    pd.testing.assert_frame_equal(settled(clean.trials), settled(spoiled.trials), check_exact=True)
    pd.testing.assert_frame_equal(clean.curves, spoiled.curves, check_exact=True)
    finalists = tables(spoiled)[0]
    whole = finalists["state"] == "complete"
    assert whole.any()
    assert finalists.loc[whole, ["score", "test_loss"]].isna().all(axis=None)
    assert not tables(clean)[0]["score"].isna().any()
    pd.testing.assert_series_equal(finalists["objective"], tables(clean)[0]["objective"], check_exact=True)
    assert spoiled.verdict is None
    assert "not a finite number" in spoiled.answer.why_no_verdict
    assert json.dumps(data(spoiled.answer), allow_nan=False)


def test_without_a_test_part_the_fresh_validation_part_judges(tmp_path: Path) -> None:
    result = run(study(data={"test": 0.0}), tmp_path)
    finalists = tables(result)[0]
    assert finalists[["test_loss", "test_error"]].isna().all(axis=None)
    pd.testing.assert_series_equal(finalists["score"], finalists["objective"], check_names=False)
    assert result.answer.score == "validation_loss"
    assert result.verdict is not None


def test_the_error_is_judged_where_the_error_is_the_objective(tmp_path: Path) -> None:
    result = run(study(study={"objective": "validation_error"}), tmp_path)
    finalists = tables(result)[0]
    whole = finalists["state"] == "complete"
    pd.testing.assert_series_equal(finalists["score"][whole], finalists["test_error"][whole], check_names=False)
    assert result.verdict is not None
    assert json.dumps(data(result.answer), allow_nan=False)
