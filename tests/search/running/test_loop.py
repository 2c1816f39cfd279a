from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.trial import TrialState

from sweep.door.result import Result
from sweep.learning.configuration import Configuration
from sweep.learning.optimizers.rules import Sgd
from sweep.search.running.records import RATE_GENERATIONS, Progress, Record
from sweep.search.running.workers import Serial
from sweep.search.space.combinations import grid
from sweep.search.space.space import Arm
from tests.studies import CALM, assert_same_results, content, finite, run, settled


def last(curves: pd.DataFrame, column: str) -> pd.Series:
    """Of each trial: the value after its last epoch, mean over replicates."""
    ends = curves[curves["epoch"] == curves.groupby("number")["epoch"].transform("max")]
    return ends.groupby("number")[column].mean()


def start(curves: pd.DataFrame, column: str) -> pd.Series:
    return curves[curves["epoch"] == 0].groupby("number")[column].mean()


@pytest.fixture(scope="module")
def ordinary(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run(content(search=CALM), tmp_path_factory.mktemp("ordinary"))


def test_a_run_trains_the_total_and_leaves_nothing_running(ordinary: Result) -> None:
    assert ordinary.trials["number"].tolist() == list(range(12))
    assert set(ordinary.trials["state"]) == {"complete"}
    assert [t.number for t in ordinary.study.trials] == list(range(12))
    assert {t.state for t in ordinary.study.trials} == {TrialState.COMPLETE}


def test_the_tables_and_the_storage_say_the_same(ordinary: Result) -> None:
    space = ordinary.spec.space()
    for row, trial in zip(ordinary.trials.to_dict("records"), ordinary.study.trials, strict=True):
        assert row["objective"] == trial.value
        record = space.configuration(trial.params).record()
        assert {key: row[key] for key in record} == record
        for name in ("validation_error", "train_loss", "epochs", "generation", "seconds"):
            assert trial.user_attrs[name] == row[name]


def test_the_study_carries_its_seed_question_and_objective(tmp_path: Path) -> None:
    study = run(content(study={"seed": 5, "question": "why?", "trials": 2}), tmp_path).study
    assert study.user_attrs["seed"] == 5
    assert study.user_attrs["question"] == "why?"
    assert study.metric_names == ["validation loss"]
    assert study.direction == optuna.study.StudyDirection.MINIMIZE


def test_generations_are_numbered_by_the_trials_numbers(ordinary: Result) -> None:
    assert (ordinary.trials["generation"] == ordinary.trials["number"] // 4).all()


def test_every_trial_carries_the_studys_seed_and_its_times(ordinary: Result) -> None:
    trials = ordinary.trials
    assert set(trials["seed"]) == {0}
    assert (trials["finished"] >= trials["started"]).all()
    assert (trials["seconds"] > 0).all()


@pytest.mark.long  # in the short tier, of a pruned study with splits
@pytest.mark.parametrize("workers", [1, 2])
def test_who_trains_changes_no_result(tmp_path: Path, workers: int) -> None:
    study = content(study={"trials": 8, "replicates": 2})
    here = run(study, tmp_path / "serial")
    there = run(study, tmp_path / "loky", backend="loky", workers=workers)
    assert_same_results(here, there)


def test_where_the_study_is_kept_changes_no_result(tmp_path: Path) -> None:
    study = content(study={"trials": 6})
    journal = run(study, tmp_path / "journal")
    database = run(study, tmp_path / "database", storage=f"sqlite:///{tmp_path / 'study.db'}")
    assert_same_results(journal, database)
    assert len(database.study.trials) == 6
    assert not (database.folder / "journal.log").exists()


def test_how_large_a_generation_is_changes_no_random_trial(tmp_path: Path, ordinary: Result) -> None:
    other = run(content(search=CALM, study={"generation": 5}), tmp_path)
    mine, theirs = (settled(r.trials).drop(columns="generation") for r in (ordinary, other))
    pd.testing.assert_frame_equal(mine, theirs, check_exact=True)


def test_the_total_counts_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run(content(study={"trials": 6}), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Serial, "submit", lambda self, job: pytest.fail("nothing is left to be trained"))
        for total in (6, 3):
            again = run(content(study={"trials": total}), tmp_path)
            pd.testing.assert_frame_equal(again.trials, before.trials)
    more = run(content(study={"trials": 10}), tmp_path)
    assert_same_results(more, run(content(study={"trials": 10}), tmp_path / "at once"))
    pd.testing.assert_frame_equal(more.trials[:6], before.trials)


def test_a_grid_ends_with_its_last_combination(tmp_path: Path) -> None:
    search = {"learning_rate": [0.01, 0.02, 0.05], "optimizers": ["sgd"], "schedules": ["constant"]}
    result = run(content(study={"sampler": "grid", "trials": 50}, search=search), tmp_path)
    assert sorted(result.trials["learning_rate"]) == [0.01, 0.02, 0.05]
    assert grid(result.spec.space()).size == 3


def test_comparing_gives_every_arm_the_same_number(tmp_path: Path) -> None:
    result = run(content(study={"mode": "compare", "sampler": "random"}), tmp_path)
    assert set(Counter(zip(result.trials["optimizer"], result.trials["schedule"], strict=True)).values()) == {3}


FAR_TOO_FAST = {"learning_rate": [0.01, 1.0, 10.0, 100.0, 1e8], "optimizers": ["sgd"], "schedules": ["constant"]}


@pytest.fixture(scope="module")
def wild(tmp_path_factory: pytest.TempPathFactory) -> Result:
    study = content(study={"trials": 5, "sampler": "grid"}, search=FAR_TOO_FAST, network={"epochs": 6})
    return run(study, tmp_path_factory.mktemp("wild"))


def test_a_trial_that_diverges_is_marked_and_the_study_goes_on(wild: Result) -> None:
    states = wild.trials.set_index("learning_rate")["state"]
    assert (states[0.01], states[1e8]) == ("complete", "diverged")
    diverged = wild.trials["state"] == "diverged"
    assert wild.trials["diverged_at"].notna().tolist() == diverged.tolist()
    assert (wild.trials.loc[diverged, "diverged_at"] == wild.trials.loc[diverged, "epochs"]).all()
    for trial, row in zip(wild.study.trials, wild.trials.to_dict("records"), strict=True):
        assert trial.state == TrialState.COMPLETE
        assert trial.value is not None
        assert finite([trial.value, *trial.intermediate_values.values()])
        assert trial.user_attrs.get("diverged_at", -1) == (row["diverged_at"] if row["state"] == "diverged" else -1)


def test_a_diverged_trials_objective_is_its_start_or_a_quarter_above_it_and_worse_the_earlier(tmp_path: Path) -> None:
    search = FAR_TOO_FAST | {"learning_rate": [0.3, 1.0, 2.0, 4.0, 10.0, 30.0, 100.0, 1e4], "optimizers": ["momentum"]}
    result = run(content(study={"trials": 40}, search=search, network={"epochs": 6}), tmp_path)
    trials = result.trials[result.trials["state"] == "diverged"].set_index("number")
    unit = start(result.curves, "validation_loss")[trials.index].clip(lower=1.0)
    assert (trials["objective"] / unit).between(1.0, 1.25).all()
    # All trials of a study start from the same networks, so the objective can only tell when a trial diverged.
    by_epoch = trials.groupby("diverged_at")["objective"].agg(["min", "max"])
    assert (by_epoch["min"] == by_epoch["max"]).all()
    assert by_epoch["min"].is_monotonic_decreasing
    assert len(by_epoch) > 1, "some diverge at once, some later"


def test_a_diverged_trials_curve_ends_where_it_stopped(wild: Result) -> None:
    lengths = wild.curves.groupby("number").size()
    assert lengths.tolist() == (wild.trials["epochs"] + 1).tolist()


def test_a_study_in_which_all_diverges_ends_without_a_best_trial(tmp_path: Path) -> None:
    result = run(content(study={"trials": 6}, search=FAR_TOO_FAST | {"learning_rate": 1e8}), tmp_path)
    assert set(result.trials["state"]) == {"diverged"}
    assert finite(result.trials["objective"])
    assert result.best == {}


def test_a_trial_reports_at_most_twenty_values_first_and_last_among_them(tmp_path: Path) -> None:
    result = run(content(study={"trials": 2}, search=CALM, network={"epochs": 50}), tmp_path)
    for trial in result.study.trials:
        curve = result.curves[result.curves["number"] == trial.number].set_index("epoch")["validation_loss"]
        assert len(trial.intermediate_values) <= 20
        assert {0, 50} <= set(trial.intermediate_values)
        assert all(curve[epoch] == value for epoch, value in trial.intermediate_values.items())


def test_a_short_trial_reports_every_epoch(ordinary: Result) -> None:
    assert [sorted(t.intermediate_values) for t in ordinary.study.trials] == [[0, 1, 2, 3]] * 12


def test_the_objective_is_the_last_validation_loss_unless_told_otherwise(ordinary: Result) -> None:
    trials = ordinary.trials.set_index("number")
    assert trials["objective"].tolist() == last(ordinary.curves, "validation_loss").tolist()
    assert trials["objective"].tolist() == trials["validation_loss"].tolist()


@pytest.mark.parametrize("objective", ["validation_loss", "validation_error"])
@pytest.mark.parametrize("at", ["last", "best"])
def test_the_objective_is_what_the_study_says_mean_over_replicates(tmp_path: Path, objective: str, at: str) -> None:
    study = {"objective": objective, "at": at, "replicates": 3, "trials": 4}
    search = {"learning_rate": 0.3, "optimizers": ["rmsprop"]}  # restless: the last epoch is not always the best
    result = run(content(study=study, search=search, network={"epochs": 8}), tmp_path)
    complete = result.trials[result.trials["state"] == "complete"]
    assert len(complete)
    for row in complete.to_dict("records"):
        curves = result.curves[result.curves["number"] == row["number"]]
        mean = curves.groupby("epoch")[objective].mean()
        # Two ways of summing three numbers differ by a rounding.
        assert row["objective"] == pytest.approx(mean.min() if at == "best" else mean.iloc[-1], rel=1e-12)
    names = result.study.metric_names
    assert names == [objective.replace("_", " ")]


def test_replicates_are_other_trainings_of_the_same_trials_and_the_first_is_the_only_one(
    tmp_path: Path, ordinary: Result
) -> None:
    tripled = run(content(search=CALM, study={"replicates": 3}), tmp_path)
    assert tripled.curves.groupby("number")["replicate"].unique().map(list).tolist() == [[0, 1, 2]] * 12
    first = tripled.curves[tripled.curves["replicate"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, ordinary.curves, check_exact=True)
    starts = tripled.curves[tripled.curves["epoch"] == 0].groupby("replicate")["validation_loss"].unique()
    assert all(len(values) == 1 for values in starts), "trials of one replicate share the initial weights"
    assert len({values[0] for values in starts}) == 3


def test_trials_say_the_mean_over_replicates_after_the_last_epoch(tmp_path: Path) -> None:
    result = run(content(search=CALM, study={"replicates": 2, "trials": 3}), tmp_path)
    for column in ("validation_loss", "validation_error", "train_loss"):
        np.testing.assert_allclose(result.trials[column], last(result.curves, column), rtol=1e-12)


def test_progress_tells_how_far_a_run_is(tmp_path: Path) -> None:
    seen: list[tuple[int, float | None]] = []

    def notify(progress: Progress) -> None:
        assert progress.total == 12
        seen.append((progress.done, progress.best))

    result = run(content(search=CALM), tmp_path, notify=notify)
    done = [number for number, _ in seen]
    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 12)
    assert seen[0][1] is None
    assert seen[-1][1] == result.trials["objective"].min()


def test_progress_counts_what_an_earlier_run_has_done(tmp_path: Path) -> None:
    study = content(study={"trials": 5, "sampler": "grid"}, search=FAR_TOO_FAST)
    finished = run(study, tmp_path)
    seen: list[Progress] = []
    run(study, tmp_path, notify=seen.append)
    (progress,) = seen
    assert progress.done == 5
    assert progress.diverged == (finished.trials["state"] == "diverged").sum() > 0
    assert progress.best == finished.best["objective"]
    assert progress.best_arm == "sgd x constant"


def test_the_speed_is_that_of_the_last_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = SimpleNamespace(now=100.0)
    monkeypatch.setattr("sweep.search.running.records.time", SimpleNamespace(monotonic=lambda: hands.now))
    progress = Progress(total=1000, done=500)
    assert progress.rate is None
    rates: list[float | None] = []
    for seconds in [50.0] + [2.0] * RATE_GENERATIONS + [4.0] * RATE_GENERATIONS:
        hands.now += seconds
        progress.done += 8
        progress.mark()
        rates.append(progress.rate)
    assert rates[0] is None, "the first generation waits for the workers to start"
    assert rates[1] == rates[RATE_GENERATIONS] == 4.0
    assert rates[-1] == 2.0, "what was long ago is forgotten"


def test_the_best_so_far_is_never_a_diverged_trial() -> None:
    arm, configuration = Arm("sgd", "constant"), Configuration(0.1, Sgd())
    progress = Progress(total=3)
    for number, (state, objective) in enumerate([("diverged", 0.1), ("complete", 0.5), ("complete", 0.7)]):
        progress.count(Record(number, state, arm, configuration, seed=0, generation=0, objective=objective))
    assert (progress.done, progress.diverged, progress.best) == (3, 1, 0.5)


def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock for the loop that stands still until a test sets it."""
    hands = SimpleNamespace(now=0.0)
    monkeypatch.setattr("sweep.search.running.loop.time", SimpleNamespace(monotonic=lambda: hands.now))
    return hands


def late(hands: SimpleNamespace, done: int) -> Callable[[Progress], None]:
    """Let the clock jump when so many trials are done."""

    def notify(progress: Progress) -> None:
        if progress.done >= done:
            hands.now = 1000.0

    return notify


def test_after_the_timeout_nothing_is_asked_and_what_trains_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = clock(monkeypatch)
    study = content(study={"trials": 40})
    result = run(study, tmp_path, timeout=10.0, notify=late(hands, done=8))
    states = result.trials["state"].tolist()
    assert set(states[:12]) <= {"complete", "diverged"}, "two generations are done, one was waiting"
    assert states[12:] == ["running"] * 4, "asked before the last one was known, and left to the next run"
    assert [t.state for t in result.study.trials[:12]] == [TrialState.COMPLETE] * 12


def test_a_run_in_time_is_not_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch)
    assert len(run(content(), tmp_path, timeout=10.0).trials) == 12


def test_a_run_told_to_stop_at_once_asks_nothing(tmp_path: Path) -> None:
    result = run(content(), tmp_path, stopping=lambda: True)
    assert len(result.trials) == 0
    assert len(result.curves) == 0
    assert result.best == {}


def test_the_study_is_in_the_storage_from_the_beginning(tmp_path: Path) -> None:
    assert run(content(), tmp_path, stopping=lambda: True).study.trials == []


def test_another_seed_gives_other_trials_and_other_weights(tmp_path: Path, ordinary: Result) -> None:
    other = run(content(search=CALM, study={"seed": 1}), tmp_path)
    assert not np.isin(other.trials["learning_rate"], ordinary.trials["learning_rate"]).any()
    assert start(other.curves, "validation_loss")[0] != start(ordinary.curves, "validation_loss")[0]
