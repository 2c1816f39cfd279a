"""Studies whose trials are judged on several splits: as reproducible as any other, and judged by the mean of all."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweep.door.result import Result
from sweep.learning.data.splits import prepare
from sweep.learning.training.loop import train
from sweep.search.space.defaults import first_trials
from tests.killing import Killed
from tests.search.choosing import slow_pruners
from tests.search.running.test_resuming import MOMENTS, killed_at, stop_when
from tests.studies import assert_same_results, content, run
from tests.tiers import mostly_long

SPLITS, REPLICATES, EPOCHS = 3, 2, 6
SEARCH: dict[str, Any] = {
    "learning_rate": {"low": 1e-3, "high": 10.0, "log": True},  # of the largest some diverge, soon or late
    "optimizers": ["sgd", "rmsprop"],
    "schedules": ["constant", "exponential"],
}
PRUNERS = ("none", "halving")
pruners = pytest.mark.parametrize("pruner", PRUNERS)
CALLS = [("ask", 3), ("ask", 15), ("submit", 5), ("record", 7), ("commit", 6), ("tell", 10)]


def study(pruner: str, trials: int = 24) -> dict[str, Any]:
    """Six generations of four, of which the first are the defaults."""
    section = {
        "sampler": "tpe", "pruner": pruner, "trials": trials, "splits": SPLITS, "replicates": REPLICATES,
        "defaults": True,
    }  # fmt: skip
    return content(study=section, network={"epochs": EPOCHS}, search=SEARCH)


@functools.cache
def undisturbed(pruner: str) -> Result:
    return run(study(pruner), Path(tempfile.mkdtemp()))


def test_there_is_something_to_compare() -> None:
    assert set(undisturbed("halving").trials["state"]) == {"complete", "pruned", "diverged"}
    for pruner in PRUNERS:
        result = undisturbed(pruner)
        assert [trial.params for trial in result.study.trials[:4]] == first_trials(result.spec.space())
        assert sorted(result.curves["replicate"].unique()) == list(range(SPLITS * REPLICATES))


@pytest.mark.parametrize(
    ("workers", "pruner"),
    mostly_long(
        [(workers, pruner) for workers in (1, 2) for pruner in PRUNERS],
        lambda workers, pruner: (workers, pruner) == (2, "halving"),
    ),
)
def test_who_trains_changes_no_result(tmp_path: Path, workers: int, pruner: str) -> None:
    there = run(study(pruner), tmp_path, backend="loky", workers=workers)
    assert_same_results(there, undisturbed(pruner))


@pytest.mark.parametrize(
    ("moment", "call", "pruner"),
    mostly_long(
        [(*at, pruner) for at in CALLS for pruner in PRUNERS],
        lambda moment, _, pruner: pruner == "halving" or moment == "commit",
    ),
)
def test_a_killed_and_resumed_study_is_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, call: int, pruner: str
) -> None:
    assert moment in MOMENTS
    with monkeypatch.context() as patch:
        killed_at(patch, moment, call, after=True)
        with pytest.raises(Killed):
            run(study(pruner), tmp_path)
    assert_same_results(run(study(pruner), tmp_path), undisturbed(pruner))


@pruners
@pytest.mark.parametrize("done", [4, 12])
def test_a_stopped_and_resumed_study_is_as_if_undisturbed(tmp_path: Path, pruner: str, done: int) -> None:
    run(study(pruner), tmp_path, **stop_when(done))
    assert_same_results(run(study(pruner), tmp_path), undisturbed(pruner))


@pruners
def test_a_study_run_to_a_smaller_total_first_is_as_if_run_at_once(tmp_path: Path, pruner: str) -> None:
    for trials in (2, 9):
        run(study(pruner, trials), tmp_path)
    assert_same_results(run(study(pruner), tmp_path), undisturbed(pruner))


def test_its_curves_are_those_of_a_training_on_all_splits_and_its_objective_is_their_mean() -> None:
    result = undisturbed("none")
    spec = result.spec
    data = prepare(spec.source(), spec.study.seed, SPLITS)
    for row, trial in zip(result.trials.to_dict("records"), result.study.trials, strict=True):
        training = train([spec.space().configuration(trial.params)], data, spec.settings(), spec.study.seed)
        own = result.curves[result.curves["number"] == row["number"]].sort_values(["replicate", "epoch"])
        shown = own["validation_loss"].to_numpy().reshape(SPLITS * REPLICATES, -1)
        np.testing.assert_array_equal(shown, training.validation_loss[0, :, : row["epochs"] + 1])
        if row["state"] == "complete":
            # six numbers summed in one order or another
            assert row["objective"] == pytest.approx(sum(shown[:, -1].tolist()) / len(shown), rel=1e-12)


def test_who_is_pruned_follows_from_the_mean_of_the_curves_of_all_splits() -> None:
    result = undisturbed("halving")
    pruned = result.trials[result.trials["state"] == "pruned"]
    expected = slow_pruners.verdicts(result.trials, result.curves, "halving", "validation_loss", EPOCHS)
    assert expected.pruned == dict(zip(pruned["number"], pruned["epochs"], strict=True))


@pytest.mark.parametrize(("said", "splits"), [(None, 3), (1, 1), (2, 2)])
def test_a_study_of_few_samples_has_three_splits_unless_it_says_otherwise_and_writes_it_down(
    tmp_path: Path, said: int | None, splits: int
) -> None:
    section: dict[str, Any] = {"trials": 2}
    few = content(study=section)
    del few["study"]["splits"]
    if said:
        few["study"]["splits"] = said
    for again in (False, True):
        result = run(few, tmp_path)
        assert result.spec.resolved()["study"]["splits"] == splits, again
        assert result.curves["replicate"].nunique() == splits


def test_a_study_that_was_begun_with_other_splits_is_another_one(tmp_path: Path) -> None:
    run(study("none", 4), tmp_path)
    other = study("none", 4)
    other["study"]["splits"] = 2
    with pytest.raises(Exception, match="splits") as caught:
        run(other, tmp_path)
    assert len(str(caught.value).splitlines()) == 1
