"""A study that was stopped or killed and run again gives what it would have given undisturbed, times aside."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.trial import TrialState

import sweep
from sweep.door.result import Result
from sweep.door.run_folder import RunFolder
from sweep.door.studies import resolve
from sweep.learning.data.splits import prepare
from sweep.results.tables.tables import Tables
from sweep.search.choosing.samplers import SAMPLERS
from sweep.search.running.ledger import Ledger
from sweep.search.running.loop import Hooks, StudyLoop, open_study
from sweep.search.running.records import Progress
from sweep.search.running.workers import Finished, Job, Serial
from sweep.search.running.workers import run as train_job
from sweep.search.storage.journal import GroupCommitBackend
from sweep.search.storage.storage import open_for_writing
from tests.killing import Killed, killing
from tests.studies import assert_same_results, content, run
from tests.tiers import mostly_long

# What is run: the name of a sampler, and that of a pruner after a slash.
SUBJECTS = [*SAMPLERS, "tpe/halving", "tpe/median"]


def study(sampler: str, trials: int = 28) -> dict[str, Any]:
    """Seven generations of four: TPE leaves its ten random trials in the third."""
    name, _, pruner = sampler.partition("/")
    return content(study={"sampler": name, "pruner": pruner, "trials": trials})


@functools.cache
def undisturbed(sampler: str, trials: int = 28) -> Result:
    result = run(study(sampler, trials), Path(tempfile.mkdtemp()))
    assert len(result.trials) == len(result.curves["number"].unique()) == trials
    return result


def facts(result: Result) -> list[Any]:
    """What Optuna knows of each trial, times aside."""
    return [
        (t.number, t.state, t.value, t.params, t.intermediate_values, t.user_attrs | {"seconds": None})
        for t in result.study.trials
    ]


def assert_as_undisturbed(result: Result, sampler: str) -> None:
    assert_same_results(result, undisturbed(sampler))
    assert facts(result) == facts(undisturbed(sampler))
    ends = {TrialState.COMPLETE, TrialState.PRUNED} if "/" in sampler else {TrialState.COMPLETE}
    assert {t.state for t in result.study.trials} == ends


# The moments of the loop, as the function that is called there.
MOMENTS: dict[str, tuple[Any, str]] = {
    "ask": (Ledger, "ask"),
    "submit": (Serial, "submit"),
    "record": (Tables, "record"),
    "commit": (GroupCommitBackend, "commit"),
    "tell": (Ledger, "tell"),
    "report": (JournalStorage, "set_trial_intermediate_value"),
}


def killed_at(patch: pytest.MonkeyPatch, moment: str, call: int, *, after: bool) -> None:
    """Let the n-th call of a function kill the run, before or after it has done its work."""
    owner, name = MOMENTS[moment]
    patch.setattr(owner, name, killing(getattr(owner, name), call, after=after))


def run_until_killed(monkeypatch: pytest.MonkeyPatch, runs: Path, sampler: str, moment: str, **when: Any) -> None:
    options = {name: when.pop(name) for name in ("trials", "storage") if name in when}
    with monkeypatch.context() as patch:
        killed_at(patch, moment, **when)
        with pytest.raises(Killed):
            run(study(sampler), runs, **options)


# At each moment: the n-th call of the function.
CALLS = {"ask": 19, "submit": 5, "record": 9, "commit": 8, "tell": 14, "report": 40}


# The short tier kills the study that has most to remember at every moment, and the others at one.
def in_short(moment: str, _: int, after: bool, sampler: str) -> bool:
    if sampler == "tpe/halving":
        return after or moment in ("record", "tell")
    return after and moment == "commit"


@pytest.mark.parametrize(
    ("moment", "call", "after", "sampler"),
    mostly_long(
        [(*at, after, sampler) for at in CALLS.items() for after in (False, True) for sampler in SUBJECTS],
        in_short,
    ),
)
def test_a_killed_and_resumed_study_is_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, call: int, after: bool, sampler: str
) -> None:
    run_until_killed(monkeypatch, tmp_path, sampler, moment, call=call, after=after)
    assert_as_undisturbed(run(study(sampler), tmp_path), sampler)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_study_killed_at_its_very_first_step_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    run_until_killed(monkeypatch, tmp_path, "random", moment, call=1, after=True)
    assert_as_undisturbed(run(study("random"), tmp_path), "random")


@pytest.mark.parametrize("sampler", mostly_long(SUBJECTS, lambda sampler: sampler in ("random", "tpe/halving")))
def test_a_study_killed_again_and_again_is_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str
) -> None:
    for moment in MOMENTS:
        run_until_killed(monkeypatch, tmp_path, sampler, moment, call=3, after=True)
    assert_as_undisturbed(run(study(sampler), tmp_path, told=True), sampler)


@pytest.mark.parametrize("done", [0, 4, 12, 28])
def test_an_error_in_who_shows_the_progress_costs_nothing(tmp_path: Path, done: int) -> None:
    def notify(progress: Progress) -> None:
        if progress.done == done:
            raise Killed

    with pytest.raises(Killed):
        run(study("random"), tmp_path, notify=notify)
    assert_as_undisturbed(run(study("random"), tmp_path), "random")


SCRIPT = """
import os, signal, sys, sweep
from tests.search.running.test_resuming import study
def notify(progress):
    if progress.done >= 12:
        os.kill(os.getpid(), signal.SIGKILL)
sweep.run(study("tpe"), runs=sys.argv[1], backend="serial", notify=notify)
"""


def test_a_process_that_was_really_killed_leaves_a_study_that_goes_on(tmp_path: Path) -> None:
    root = Path(sweep.__file__).parent.parent
    process = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], cwd=root, capture_output=True, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    left = sweep.load(tmp_path / "tiny")
    assert (left.trials["state"] == "running").any()
    assert_as_undisturbed(run(study("tpe"), tmp_path), "tpe")


def stop_when(done: int) -> dict[str, Any]:
    """Arguments of a run that is told to stop when so many trials are done."""
    seen: list[int] = [0]
    return {"notify": lambda progress: seen.append(progress.done), "stopping": lambda: seen[-1] >= done}


# At every generation: by luck, what TPE knows too early may not be among the best and change nothing.
@pytest.mark.parametrize(
    ("done", "sampler"),
    mostly_long(
        [(done, sampler) for done in range(4, 24, 4) for sampler in SUBJECTS],
        lambda done, sampler: done == 12 or sampler == "tpe",
    ),
)
def test_a_stopped_and_resumed_study_is_as_if_undisturbed(tmp_path: Path, done: int, sampler: str) -> None:
    stopped = run(study(sampler), tmp_path, **stop_when(done))
    assert done <= (stopped.trials["state"] != "running").sum() < 28
    # What was in flight is finished; what was asked meanwhile, so as not to know too much, waits for the next run.
    assert (stopped.trials["state"] == "running").sum() <= 4
    assert_as_undisturbed(run(study(sampler), tmp_path), sampler)


@pytest.mark.parametrize("sampler", SUBJECTS)
def test_a_study_run_to_a_smaller_total_first_is_as_if_run_at_once(tmp_path: Path, sampler: str) -> None:
    run(study(sampler, trials=12), tmp_path)
    assert_as_undisturbed(run(study(sampler), tmp_path), sampler)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_total_that_ends_within_a_generation_can_be_raised(tmp_path: Path, sampler: str) -> None:
    for trials in (3, 10, 17):
        run(study(sampler, trials), tmp_path)
    assert_as_undisturbed(run(study(sampler), tmp_path), sampler)


@pytest.mark.parametrize("moment", ["submit", "record", "commit"])
def test_a_study_killed_within_its_last_short_generation_can_be_given_a_larger_total(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    run_until_killed(monkeypatch, tmp_path, "random", moment, call=3, after=True, trials=10)
    assert_as_undisturbed(run(study("random"), tmp_path), "random")


@dataclass
class Later:
    """A job that nobody begins before it is waited for."""

    job: Job

    def result(self) -> Finished:
        return train_job(self.job)

    def cancel(self) -> bool:
        return True


class Lazy:
    """Workers that begin late: what is not waited for can be taken back."""

    workers = 2

    def equip(self, job: Job) -> None:
        pass

    def submit(self, job: Job) -> Later:
        return Later(job)

    def close(self, *, now: bool = False) -> None:
        pass


def run_lazily(folder: RunFolder, sampler: str, stopping: Callable[[], bool]) -> StudyLoop:
    spec = resolve(study(sampler))
    fingerprint = prepare(spec.source(), spec.study.seed).fingerprint
    with folder.locked():
        folder.write(spec)
        tables = Tables(folder.path, spec.space().columns())
        storage = open_for_writing(folder.address(spec))
        opened = open_study(spec, storage, fingerprint)
        loop = StudyLoop(spec, opened, storage, Lazy(), Hooks(tables.record, stopping=stopping))
        loop.run()
    return loop


@pytest.mark.parametrize(
    ("calls", "sampler"),
    mostly_long(
        [(calls, sampler) for calls in (5, 6, 7) for sampler in SUBJECTS],
        lambda calls, sampler: calls == 6 or sampler == "tpe",
    ),
)
def test_jobs_that_nobody_has_begun_are_taken_back_and_trained_next_time(
    tmp_path: Path, calls: int, sampler: str
) -> None:
    asked = 0

    def stopping() -> bool:
        nonlocal asked
        asked += 1
        return asked > calls

    loop = run_lazily(RunFolder(tmp_path / "tiny"), sampler, stopping)
    left = sweep.load(tmp_path / "tiny")
    running = left.trials.loc[left.trials["state"] == "running", "number"].tolist()
    assert running
    assert [t.number for t in loop.ledger.study.trials if t.state == TrialState.RUNNING] == running
    assert left.curves["number"].isin(running).sum() == 0
    assert_as_undisturbed(run(study(sampler), tmp_path), sampler)


@pytest.mark.parametrize(
    ("sampler", "trials", "moment", "call"),
    mostly_long(
        [("random", 4, "tell", 3), ("tpe", 16, "ask", 13), ("tpe/halving", 12, "tell", 7)],
        lambda sampler, *rest: sampler == "tpe/halving",
    ),
)
def test_a_killed_study_in_a_database_goes_on_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampler: str, trials: int, moment: str, call: int
) -> None:
    options: dict[str, Any] = {"trials": trials, "storage": f"sqlite:///{tmp_path / 'study.db'}"}
    run_until_killed(monkeypatch, tmp_path, sampler, moment, call=call, after=False, **options)
    assert_same_results(run(study(sampler), tmp_path, **options), undisturbed(sampler, trials))


def test_resuming_a_database_killed_while_telling_warns_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOMENTS, "report", (optuna.storages.RDBStorage, "set_trial_intermediate_value"))
    options: dict[str, Any] = {"trials": 2, "storage": f"sqlite:///{tmp_path / 'study.db'}"}
    run_until_killed(monkeypatch, tmp_path, "random", "report", call=2, after=True, **options)
    assert len(run(study("random"), tmp_path, **options).trials) == 2
