"""A whole pruned study against the same study unpruned and a slow oracle that judges from the curves."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from optuna.trial import TrialState

from sweep.door.result import Result
from sweep.errors import UsageError
from sweep.learning.training.settings import Settings
from sweep.search.choosing.pruners import PRUNERS
from tests.search.choosing import slow_pruners
from tests.search.choosing.slow_pruners import Verdicts, verdicts
from tests.studies import assert_same_results, content, run

EPOCHS = 8
SEARCH = {
    "learning_rate": {"low": 1e-3, "high": 10.0, "log": True},  # of the largest some diverge, soon or late
    "optimizers": ["sgd", "momentum", "rmsprop"],
    "schedules": ["constant", "step", "exponential", "plateau", "piecewise"],
    "schedule": {
        "step": {"every": {"low": 1, "high": 7, "integer": True}},
        "piecewise": {"boundaries": [{"low": 1, "high": 7, "integer": True}] * 2},
    },
}


def study(pruner: str, **section: Any) -> dict[str, Any]:
    """Six generations of eight."""
    section = {"trials": 48, "generation": 8, "pruner": pruner} | section
    return content(study=section, network={"epochs": EPOCHS}, search=SEARCH)


@functools.cache
def ran(pruner: str, objective: str = "validation_loss", replicates: int = 1, sampler: str = "random") -> Result:
    section: dict[str, Any] = {"objective": objective, "replicates": replicates, "sampler": sampler}
    return run(study(pruner, **section), Path(tempfile.mkdtemp()))


def judged(result: Result, pruner: str) -> Verdicts:
    objective = result.spec.study.objective
    return verdicts(result.trials, result.curves, pruner, objective, EPOCHS)


WHOLE = [(p, o, r) for p in slow_pruners.JUDGES for o in ("validation_loss", "validation_error") for r in (1, 2)]
pruned_studies = pytest.mark.parametrize(("pruner", "objective", "replicates"), WHOLE)


@pruned_studies
def test_exactly_those_are_pruned_whom_the_curves_of_the_unpruned_study_condemn(
    pruner: str, objective: str, replicates: int
) -> None:
    whole, pruned = ran("none", objective, replicates), ran(pruner, objective, replicates)
    expected = judged(whole, pruner)
    for row, full in zip(pruned.trials.to_dict("records"), whole.trials.to_dict("records"), strict=True):
        stopped = expected.pruned.get(row["number"])
        if stopped is None:
            assert (row["state"], row["epochs"]) == (full["state"], full["epochs"])
        else:
            assert (row["state"], row["epochs"]) == ("pruned", stopped)


@pruned_studies
def test_there_is_something_to_judge_in_these_studies(pruner: str, objective: str, replicates: int) -> None:
    """Otherwise the other tests would say less than they seem to."""
    result = ran(pruner, objective, replicates)
    found = judged(result, pruner)
    for rung in slow_pruners.rungs(pruner, EPOCHS):
        assert rung in found.pruned.values() or rung > EPOCHS / 2, "late in the training hardly anyone is bad"
        assert len(found.judged[rung]) > sum(stopped == rung for stopped in found.pruned.values())
        assert found.passed[rung]
    assert set(result.trials["state"]) == {"complete", "pruned", "diverged"}
    if objective == "validation_error":
        rung = slow_pruners.rungs(pruner, EPOCHS)[0]
        told = slow_pruners.as_told(result.curves, objective)
        seen = [told[number, rung] for number in found.judged[rung]]
        assert len(set(seen)) < len(seen), "there are ties"


@pruned_studies
def test_curves_are_those_of_the_unpruned_study_as_far_as_they_go(pruner: str, objective: str, replicates: int) -> None:
    whole, pruned = ran("none", objective, replicates), ran(pruner, objective, replicates)
    ends = whole.curves["number"].map(pruned.trials.set_index("number")["epochs"])
    expected = whole.curves[whole.curves["epoch"] <= ends].reset_index(drop=True)
    pd.testing.assert_frame_equal(pruned.curves, expected, check_exact=True)
    same = ["number", "optimizer", "schedule", "learning_rate", "generation", "seed"]
    pd.testing.assert_frame_equal(pruned.trials[same], whole.trials[same], check_exact=True)
    ended = pruned.trials["state"] != "pruned"
    assert pruned.trials.loc[ended, "objective"].tolist() == whole.trials.loc[ended, "objective"].tolist()


@pruned_studies
def test_optuna_knows_the_pruned_trials_with_their_curves(pruner: str, objective: str, replicates: int) -> None:
    result, rungs = ran(pruner, objective, replicates), slow_pruners.rungs(pruner, EPOCHS)
    told = slow_pruners.as_told(result.curves, objective)
    for row, trial in zip(result.trials.to_dict("records"), result.study.trials, strict=True):
        pruned = row["state"] == "pruned"
        assert trial.state == (TrialState.PRUNED if pruned else TrialState.COMPLETE)
        assert trial.value == row["objective"]
        if row["state"] != "diverged":
            end = row["epochs"]
            # Two ways of taking the mean of two numbers may differ by a rounding.
            assert min(row["objective"], told[trial.number, end]) == pytest.approx(told[trial.number, end], rel=1e-12)
            assert {0, end, *(rung for rung in rungs if rung <= end)} <= set(trial.intermediate_values)
            for epoch, value in trial.intermediate_values.items():
                assert value == pytest.approx(told[trial.number, epoch], rel=1e-12)
            assert trial.last_step == end


@pytest.mark.parametrize("pruner", slow_pruners.JUDGES)
def test_the_best_trial_is_one_that_was_trained_to_its_end(pruner: str) -> None:
    result = ran(pruner)
    complete = result.trials[result.trials["state"] == "complete"]
    assert result.best["number"] in set(complete["number"])
    assert result.best["objective"] == complete["objective"].min()
    assert result.study.best_trial.state == TrialState.COMPLETE
    assert (complete["epochs"] == EPOCHS).all()


@pytest.mark.parametrize("pruner", slow_pruners.JUDGES)
def test_with_tpe_the_verdicts_follow_from_the_studys_own_curves(pruner: str) -> None:
    result = ran(pruner, sampler="tpe")
    pruned = result.trials[result.trials["state"] == "pruned"]
    assert judged(result, pruner).pruned == dict(zip(pruned["number"], pruned["epochs"], strict=True))
    assert len(pruned)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("pruner", slow_pruners.JUDGES)
def test_how_a_generation_is_dealt_out_changes_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruner: str, rows: int
) -> None:
    monkeypatch.setattr(Settings, "population", lambda self, data: rows)
    assert_same_results(run(study(pruner, sampler="tpe"), tmp_path), ran(pruner, sampler="tpe"))


@pytest.mark.long  # in the short tier, of a study with splits
@pytest.mark.parametrize("workers", [1, 2])
def test_who_trains_a_pruned_study_changes_no_result(tmp_path: Path, workers: int) -> None:
    there = run(study("halving", sampler="tpe"), tmp_path, backend="loky", workers=workers)
    assert_same_results(there, ran("halving", sampler="tpe"))


@pytest.mark.parametrize("pruner", slow_pruners.JUDGES)
def test_what_pruning_saved_is_counted(pruner: str) -> None:
    result, trials = ran(pruner), ran(pruner).trials
    found, rungs = judged(result, pruner), slow_pruners.rungs(pruner, EPOCHS)
    spent = sum(trials["epochs"])
    without = sum(
        EPOCHS if state == "pruned" else e for state, e in zip(trials["state"], trials["epochs"], strict=True)
    )
    ended_well = set(trials.loc[trials["state"] != "diverged", "number"])
    said = result.pruning
    assert said == {
        "pruner": pruner,
        "rungs": rungs,
        "pruned": len(found.pruned),
        "share_saved": said["share_saved"],
        "not_judged": {rung: len(ended_well.intersection(found.passed[rung])) for rung in rungs},
    }
    assert said["share_saved"] == pytest.approx(1 - spent / without)
    assert 0.1 < said["share_saved"] < 0.75


def test_without_a_pruner_nothing_is_said_of_pruning() -> None:
    assert ran("none").pruning == {}


def test_a_pruned_trial_has_the_best_of_its_epochs_where_the_study_asks_for_the_best(tmp_path: Path) -> None:
    result = run(study("halving", at="best", sampler="random"), tmp_path)
    pruned = result.trials[result.trials["state"] == "pruned"].set_index("number")["objective"]
    lowest = result.curves.groupby("number")["validation_loss"].min()
    assert len(pruned)
    assert pruned.tolist() == lowest[pruned.index].tolist()
    # Judged is what a trial has at the rung all the same: all are compared after equal shares of their training.
    assert sorted(pruned.index) == sorted(judged(result, "halving").pruned)


def test_a_study_of_which_all_diverges_before_the_first_rung_ends(tmp_path: Path) -> None:
    far = content(study={"pruner": "halving"}, search={"learning_rate": 1e8, "optimizers": ["sgd"]})
    result = run(far, tmp_path)
    assert set(result.trials["state"]) == {"diverged"}
    assert result.pruning["share_saved"] == 0.0


@pytest.mark.parametrize("pruner", [name for name in PRUNERS if name != "none"])
def test_comparing_refuses_to_prune_in_one_line(tmp_path: Path, pruner: str) -> None:
    for in_file, option in ((pruner, None), ("", pruner)):
        comparing = content(study={"mode": "compare", "sampler": "", "pruner": in_file})
        with pytest.raises(UsageError, match=rf"pruner.*{pruner}.*each trained to its end.*leave the pruner out") as it:
            run(comparing, tmp_path / "runs", pruner=option)
        assert len(str(it.value).splitlines()) == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("pruner", [name for name in PRUNERS if name != "none"])
def test_a_training_of_one_epoch_cannot_be_pruned(tmp_path: Path, pruner: str) -> None:
    with pytest.raises(UsageError, match=rf"--pruner {pruner}: .*1 epochs has no rung") as caught:
        run(content(network={"epochs": 1}), tmp_path / "runs", pruner=pruner)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "runs").exists()
