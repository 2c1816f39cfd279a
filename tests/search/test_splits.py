"""A study whose trials are judged on several splits: what its curves are, and that nobody's hand changes a result."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweep.door.api import Result
from sweep.learning.training import Settings
from tests.search.judging import verdicts
from tests.search.test_pruned_study import EPOCHS
from tests.search.test_pruned_study import study as wide
from tests.search.test_resuming import Killed, facts, killed_at, stop_when
from tests.studies import CALM, assert_same_results, content, run

SPLITS = 3
SUBJECTS = pytest.mark.parametrize("subject", ["tpe", "tpe/halving"])


def study(subject: str, **section: Any) -> dict[str, Any]:
    """Five generations of four, beginning with the four defaults; the name of a pruner stands after a slash."""
    sampler, _, pruner = subject.partition("/")
    own = {"sampler": sampler, "pruner": pruner, "trials": 20, "splits": SPLITS, "defaults": True}
    return content(study=own | section)


@functools.cache
def undisturbed(subject: str) -> Result:
    return run(study(subject), Path(tempfile.mkdtemp()))


@pytest.mark.parametrize("replicates", [1, 2])
def test_a_trial_has_a_curve_of_every_replicate_on_every_split(tmp_path: Path, replicates: int) -> None:
    result = run(content(search=CALM, study={"trials": 5, "splits": SPLITS, "replicates": replicates}), tmp_path)
    rows = result.curves.groupby(["number", "epoch"])["replicate"].apply(list)
    assert len(rows) == 5 * (3 + 1)
    assert all(row == list(range(SPLITS * replicates)) for row in rows)
    start = result.curves[result.curves["epoch"] == 0].groupby("replicate")["validation_loss"].unique()
    assert all(len(values) == 1 for values in start), "trials share the splits and the initial weights"
    assert len({values[0] for values in start}) == SPLITS * replicates
    ends = result.curves[result.curves["epoch"] == 3].groupby("number")["validation_loss"].mean()
    # Two ways of summing a few numbers.
    np.testing.assert_allclose(result.trials["objective"], ends, rtol=1e-12)


def test_the_first_of_several_splits_is_the_only_one(tmp_path: Path) -> None:
    one, three = (run(content(search=CALM, study={"splits": n}), tmp_path / str(n)) for n in (1, SPLITS))
    first = three.curves[three.curves["replicate"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, one.curves, check_exact=True)


@SUBJECTS
@pytest.mark.parametrize("workers", [1, 2])
def test_who_trains_on_several_splits_changes_no_result(tmp_path: Path, subject: str, workers: int) -> None:
    there = run(study(subject), tmp_path, backend="loky", workers=workers)
    assert_same_results(there, undisturbed(subject))


@SUBJECTS
def test_a_stopped_and_resumed_study_of_several_splits_is_as_if_undisturbed(tmp_path: Path, subject: str) -> None:
    stopped = run(study(subject), tmp_path, **stop_when(8))
    assert 8 <= (stopped.trials["state"] != "running").sum() < 20
    resumed = run(study(subject), tmp_path)
    assert_same_results(resumed, undisturbed(subject))
    assert facts(resumed) == facts(undisturbed(subject))


@SUBJECTS
@pytest.mark.parametrize(("moment", "call"), [("ask", 3), ("ask", 14), ("record", 6), ("tell", 9)])
def test_a_killed_and_resumed_study_of_several_splits_is_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: str, moment: str, call: int
) -> None:
    with monkeypatch.context() as patch:
        killed_at(patch, moment, call, after=True)
        with pytest.raises(Killed):
            run(study(subject), tmp_path)
    resumed = run(study(subject), tmp_path)
    assert_same_results(resumed, undisturbed(subject))
    assert facts(resumed) == facts(undisturbed(subject))


@SUBJECTS
def test_a_study_of_several_splits_can_be_given_a_larger_total(tmp_path: Path, subject: str) -> None:
    run(study(subject, trials=8), tmp_path)
    assert_same_results(run(study(subject), tmp_path), undisturbed(subject))


@pytest.mark.parametrize("rows", [1, 4, 10])
def test_how_trials_of_several_splits_are_dealt_out_changes_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(Settings, "population", lambda self, data: rows)
    assert_same_results(run(study("tpe/halving"), tmp_path), undisturbed("tpe/halving"))


def test_pruning_judges_the_mean_over_all_splits(tmp_path: Path) -> None:
    """Exactly those are pruned whom the curves of the same study without a pruner condemn."""
    whole, pruned = (run(wide(pruner, splits=SPLITS), tmp_path / pruner) for pruner in ("none", "halving"))
    expected = verdicts(whole.trials, whole.curves, "halving", "validation_loss", EPOCHS).pruned
    found = pruned.trials[pruned.trials["state"] == "pruned"]
    assert len(found)
    assert dict(zip(found["number"], found["epochs"], strict=True)) == expected
    ends = whole.curves["number"].map(pruned.trials.set_index("number")["epochs"])
    curves = whole.curves[whole.curves["epoch"] <= ends].reset_index(drop=True)
    pd.testing.assert_frame_equal(pruned.curves, curves, check_exact=True)
