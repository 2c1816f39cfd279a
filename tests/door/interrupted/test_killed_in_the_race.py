"""The race of a run: who runs it, that it goes on where it was stopped, and that no worker and no kill changes it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sweep
from sweep.door.result import Result
from sweep.door.retraining import fit
from sweep.learning.data.splits import prepare
from sweep.results.tables import after_search
from sweep.results.telling import report
from sweep.search.running.finalists import DEFAULT, fresh_seed
from sweep.search.running.race import race_seed
from sweep.search.running.records import Progress
from sweep.search.running.workers import Job, Serial
from sweep.search.space.defaults import default, default_parameters
from tests.door.finalists import assert_same_finalists, run_until_killed, tables
from tests.studies import assert_same_results, content, copied, run
from tests.tiers import mostly_long

SPLITS = 3


def racing(**sections: Any) -> dict[str, Any]:
    """Sixteen trials on three splits each, of four arms; two rounds of a race, two arms judged by four seeds."""
    own: dict[str, dict[str, Any]] = {
        "study": {"trials": 16, "splits": SPLITS, "defaults": True},
        "race": {"candidates": 2, "rounds": [2, 1]},
        "verdict": {"seeds": 4, "arms": 2},
    }
    return content(**{name: keys | sections.get(name, {}) for name, keys in own.items()})


def scores(result: Result) -> pd.DataFrame:
    return after_search.read(result.folder, "race")


def assert_same_runs(one: Result, other: Result) -> None:
    """All tables agree to the last bit, times aside."""
    assert_same_results(one, other)
    pd.testing.assert_frame_equal(scores(one), scores(other), check_exact=True)
    assert_same_finalists(one, other)
    pd.testing.assert_frame_equal(after_search.read_baselines(one.folder), after_search.read_baselines(other.folder))
    assert one.verdict == other.verdict
    assert one.configuration == other.configuration


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run(racing(), tmp_path_factory.mktemp("raced"))


# --------------------------------------------------------------------------------------------------------- who runs it


def test_the_best_of_each_leading_arm_and_all_defaults_run_on_the_first_splits(raced: Result) -> None:
    first = scores(raced)[scores(raced)["replicate"] < 2]
    defaults = first[first["kind"] == "default"]
    assert len(defaults) == 4 * 2, "the default of every arm, whoever leads"
    tuned = first[first["kind"] == "tuned"]
    assert 1 <= tuned.groupby(["optimizer", "schedule"])["number"].nunique().max() <= 2
    complete = raced.trials[raced.trials["state"] == "complete"]
    for (optimizer, schedule), own in tuned.groupby(["optimizer", "schedule"]):
        arm = complete[(complete["optimizer"] == optimizer) & (complete["schedule"] == schedule)]
        assert set(own["number"]) <= set(arm.nsmallest(3, "objective")["number"]), "but for the default one"


def test_fewer_run_from_round_to_round_and_the_best_are_left(raced: Result) -> None:
    table = scores(raced)
    counts = table.groupby("replicate").size().tolist()
    assert counts[0] == counts[1] > counts[2]
    who = ["optimizer", "schedule", "number"]
    means = table[table["replicate"] < 2].groupby(who, dropna=False)["objective"].mean()
    stayed = table[table["replicate"] == 2].set_index(who).index
    assert means.idxmin() in set(stayed)


def test_every_split_has_its_seed_and_none_is_one_of_the_search_or_of_the_finalists(raced: Result) -> None:
    seeds = scores(raced).groupby("replicate")["seed"].unique()
    assert [each.tolist() for each in seeds] == [[race_seed(raced.spec, split)] for split in range(3)]
    others = {raced.spec.study.seed, *(fresh_seed(raced.spec, replicate) for replicate in range(20))}
    assert not others & {each[0] for each in seeds}


def test_the_race_is_judged_by_validation_parts_alone(raced: Result) -> None:
    table = scores(raced)
    assert table[["test_loss", "test_error"]].isna().all(axis=None)
    pd.testing.assert_series_equal(table["score"], table["objective"], check_names=False)
    assert raced.answer.opened == len(raced.answer.finalists), "the test part is opened for the finalists alone"


def test_the_first_trials_are_the_defaults_of_the_arms(raced: Result) -> None:
    space = raced.spec.space()
    wanted = {(a.optimizer, a.schedule): default_parameters(space, a)["learning_rate"] for a in space.arms}
    first = raced.trials.head(len(space.arms))
    pairs = zip(first["optimizer"], first["schedule"], first["learning_rate"], strict=True)
    assert {(optimizer, schedule): rate for optimizer, schedule, rate in pairs} == wanted


# ------------------------------------------------------------------------------------------- disturbed, and by whomever


def test_two_workers_give_what_one_gives(raced: Result, tmp_path: Path) -> None:
    assert_same_runs(run(racing(), tmp_path, backend="loky", workers=2), raced)


@pytest.mark.parametrize("jobs", mostly_long([4, 5, 6, 7, 8], lambda jobs: jobs in (5, 8)))
def test_stopped_in_the_race_it_goes_on_to_the_same_tables(raced: Result, tmp_path: Path, jobs: int) -> None:
    progress: list[Progress] = []
    seen: set[tuple[str, int]] = set()

    def stopping() -> bool:
        if progress and progress[-1].stage:
            seen.add((progress[-1].stage, progress[-1].judged))
        return len(seen) > jobs - 4

    stopped = run(racing(), tmp_path, notify=progress.append, stopping=stopping)
    assert len(tables(stopped)[0]) < len(tables(raced)[0])
    assert_same_runs(run(racing(), tmp_path), raced)


@pytest.mark.parametrize("call", mostly_long(range(1, 8), lambda call: call in (2, 5)))
def test_killed_while_it_writes_it_goes_on_to_the_same_tables(
    raced: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    run_until_killed(monkeypatch, racing(), tmp_path, call)
    assert_same_runs(run(racing(), tmp_path), raced)


def test_run_again_it_trains_nobody(raced: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied(raced, tmp_path)

    def no_more(self: Serial, job: Job) -> None:
        raise AssertionError

    monkeypatch.setattr(Serial, "submit", no_more)
    assert_same_runs(run(racing(), tmp_path), raced)


def test_while_the_race_goes_on_there_is_no_verdict_and_that_is_said(tmp_path: Path) -> None:
    trained: list[int] = []

    def notify(progress: Progress) -> None:
        trained.extend([progress.judged] * (progress.stage == "race" and progress.judged > 0))

    stopped = run(racing(), tmp_path, notify=notify, stopping=lambda: bool(trained))
    assert not scores(stopped).empty
    assert stopped.verdict is None
    assert stopped.recommendation is None
    assert stopped.answer.why_no_verdict == "the race goes on"
    assert stopped.chosen == stopped.best


def test_another_race_is_no_other_study_and_trains_only_who_is_new(raced: Result, tmp_path: Path) -> None:
    first = run(racing(race={"candidates": 1}), tmp_path)
    before = scores(first)
    more = run(racing(), tmp_path)
    pd.testing.assert_frame_equal(before, scores(more).head(len(before)), check_exact=True)
    assert not (tmp_path / "tiny.1").exists()
    assert more.verdict == raced.verdict
    assert more.configuration == raced.configuration


# -------------------------------------------------------------------------------------------------- what is recommended


def test_what_is_recommended_is_what_everybody_is_told(raced: Result) -> None:
    found = raced.recommendation
    assert found is not None
    assert (raced.chosen["optimizer"], raced.chosen["schedule"]) == (found.arm.optimizer, found.arm.schedule)
    configuration = raced.configuration
    if found.kind == "default":
        assert configuration == default(raced.spec.space(), found.arm)
    else:
        assert raced.chosen["number"] == raced.answer.leading[found.arm]
    own = raced.answer.judged
    rows = own[(own["optimizer"] == found.arm.optimizer) & (own["schedule"] == found.arm.schedule)]
    rows = rows[rows["kind"] == found.kind]
    assert (rows["learning_rate"] == configuration.learning_rate).all()
    assert found.score.mean == pytest.approx(rows["score"].mean())
    assert found.error.mean == pytest.approx(rows["test_error"].mean())


def test_in_a_comparison_a_default_that_no_trial_had_can_be_recommended_shown_and_kept(tmp_path: Path) -> None:
    # All that is tuned has a hopeless rate; the nearest that a default may have is the best of these.
    low = {
        "learning_rate": {"low": 1e-9, "high": 0.005, "log": True},
        "optimizers": ["rmsprop"],
        "schedules": ["constant"],
    }
    study = racing(study={"mode": "compare", "trials": 4, "defaults": False, "sampler": ""}, search=low)
    study["search"] = {**low, "optimizer": {"rmsprop": {"decay": 0.9, "epsilon": 1e-8, "initial_cache": 0.0}}}
    result = run(study, tmp_path)
    assert result.recommendation is not None
    assert result.recommendation.kind == "default"
    assert result.recommendation.paid == "not paid"
    assert "number" not in result.chosen
    assert result.configuration.learning_rate == 0.005
    saved = fit(result, tmp_path / "model.joblib")
    assert saved.trial is None
    assert "default settings" in saved.sentence()
    assert sweep.load(result.folder).chosen == result.chosen


def test_the_models_it_is_compared_with_are_scikit_learns_on_the_same_parts(raced: Result) -> None:
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss

    known = after_search.read_baselines(raced.folder)
    assert sorted(known["replicate"].unique()) == [0, 1, 2, 3]
    source = dataclasses.replace(raced.spec.source(), test_seed=raced.spec.study.seed)
    for replicate in range(4):
        data = prepare(source, fresh_seed(raced.spec, replicate))
        classes = data.train.targets.argmax(axis=1)
        for name, model in (("linear", LogisticRegression(max_iter=1000)), ("same", DummyClassifier())):
            wanted = log_loss(
                data.test.targets.argmax(axis=1),
                model.fit(data.train.inputs, classes).predict_proba(data.test.inputs),
                labels=np.unique(classes),
            )
            row = known[(known["name"] == name) & (known["replicate"] == replicate)]
            assert row["loss"].item() == pytest.approx(wanted)


def test_a_study_that_asks_for_no_verdict_has_no_race(tmp_path: Path) -> None:
    result = run(racing(verdict={"seeds": 0}), tmp_path)
    assert scores(result).empty
    assert after_search.read_baselines(result.folder).empty
    assert result.chosen == result.best


def test_a_race_that_nobody_has_to_run_is_left_out(tmp_path: Path) -> None:
    one = {"optimizers": ["sgd"], "schedules": ["constant"], "learning_rate": 0.05}
    study = racing(study={"trials": 1}, verdict={"seeds": 3, "arms": 1})
    study["search"] = one
    result = run(study, tmp_path)
    assert scores(result).empty
    assert result.recommendation is not None
    assert result.recommendation.kind == "default"
    assert result.answer.leading == {result.recommendation.arm: DEFAULT}


def test_with_fewer_trials_than_arms_an_arm_that_no_trial_had_is_judged_and_told_like_any_other(tmp_path: Path) -> None:
    result = run(racing(study={"trials": 2}, verdict={"seeds": 3, "arms": 4}), tmp_path)
    assert set(result.answer.leading) == set(result.spec.space().arms)
    assert set(result.arms["arm"]) == {str(arm) for arm in result.spec.space().arms}
    assert report.write(result.answer).is_file()
