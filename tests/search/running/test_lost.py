"""Jobs that cost their workers' lives, and workers that die without anybody's fault: the run goes on."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from optuna.trial import TrialState

import sweep
from sweep.door.result import Result
from sweep.learning.configuration import Configuration
from sweep.learning.training.loop import train
from sweep.search.running import children, workers
from sweep.search.running.workers import TRIES, Finished, Job, Loky
from tests.killing import Killed
from tests.processes import are_gone, until
from tests.search.running.test_resuming import killed_at, stop_when
from tests.studies import assert_same_results, content, copied, run, settled
from tests.tiers import mostly_long

DEADLY = 0.005  # in the studies here a training at a rate near this one kills its worker


def study(sampler: str = "random", **section: Any) -> dict[str, Any]:
    """Seven generations of four with rates from 0.001 to 0.01."""
    search = {"learning_rate": {"low": 0.001, "high": 0.01, "log": True}}
    return content(study={"sampler": sampler, "trials": 28} | section, search=search)


def is_deadly(configuration: Configuration) -> bool:
    return abs(configuration.learning_rate - DEADLY) < 0.0008


class Executor:
    """One worker in this process; when it dies, the jobs behind it break too. Jobs are run when they are waited for."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Finished], Job]] = []
        self.broken = False

    def submit(self, function: Callable[[Job], Finished], job: Job) -> Future[Finished]:
        if self.broken:
            raise BrokenExecutor
        future: Future[Finished] = _Waited(self)
        self.waiting.append((future, job))
        return future

    def work(self) -> None:
        """Do all that waits, until the worker dies."""
        jobs, self.waiting = self.waiting, []
        for future, job in jobs:
            self.broken = self.broken or any(map(is_deadly, job.configurations))
            if self.broken:
                future.set_exception(BrokenExecutor())
            else:
                future.set_result(workers.run(job))

    def shutdown(self, *, wait: bool, kill_workers: bool) -> None:
        """Nothing to stop."""


class _Waited(Future[Finished]):
    def __init__(self, executor: Executor) -> None:
        super().__init__()
        self._executor = executor

    def result(self, timeout: float | None = None) -> Finished:
        self._executor.work()
        return super().result(0)


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that die of some configurations; every configuration is a job of its own."""

    def alone(configurations: Sequence[Configuration], *unused: Any) -> list[list[int]]:
        return [[place] for place in range(len(configurations))]

    monkeypatch.setattr(Loky, "_start", lambda self: Executor())
    monkeypatch.setattr("sweep.search.running.loop.shares", alone)


@functools.cache
def undisturbed(sampler: str = "random", pruner: str = "none") -> Result:
    return run(study(sampler, pruner=pruner), Path(tempfile.mkdtemp()))


def run_deadly(runs: Path, sampler: str = "random", **arguments: Any) -> Result:
    section = {"pruner": arguments.pop("pruner")} if "pruner" in arguments else {}
    return run(study(sampler, **section), runs, backend="loky", workers=1, **arguments)


@functools.cache
def whole_deadly(sampler: str = "random", pruner: str = "none") -> Result:
    """Such a study run to its end, for all who only look at it; asked for where workers are deadly."""
    return run_deadly(Path(tempfile.mkdtemp()), sampler, pruner=pruner, warn=lambda text: None)


def killers(result: Result) -> list[int]:
    space = result.spec.space()
    return [trial.number for trial in result.study.trials if is_deadly(space.configuration(trial.params))]


def given_up(warned: list[str]) -> list[int]:
    """The trials that warnings say are given up."""
    named = [line.removeprefix("given up, for their workers die: trials ") for line in warned if "given up" in line]
    return [int(number) for line in named for number in line.partition(":")[0].split(", ")]


@pytest.mark.usefixtures("deadly")
def test_a_job_that_kills_every_worker_fails_and_nobody_else_does(tmp_path: Path) -> None:
    warned: list[str] = []
    result = run_deadly(tmp_path, warn=warned.append)
    failed = result.trials[result.trials["state"] == "failed"]
    assert failed["number"].tolist() == killers(result)
    assert 2 <= len(failed) <= 14
    assert failed["objective"].isna().all()
    assert not result.curves["number"].isin(failed["number"]).any()
    assert len(result.trials) == 28
    others = ~undisturbed().trials["number"].isin(failed["number"])
    assert settled(result.trials)[others].equals(settled(undisturbed().trials)[others])
    for trial in result.study.trials:
        lost = trial.number in killers(result)
        assert trial.state == (TrialState.FAIL if lost else TrialState.COMPLETE)
        assert (trial.value is None) == lost
    assert given_up(warned) == killers(result)
    assert any(line.startswith("a worker died") and f"try {TRIES} of {TRIES}" in line for line in warned)


@pytest.mark.usefixtures("deadly")
def test_failed_trials_are_told_as_findings_and_are_never_the_best() -> None:
    result = whole_deadly()
    (finding,) = [finding for finding in result.findings if finding.kind == "failed"]
    assert f"{len(killers(result))} trials failed" in finding.evidence
    assert result.best["number"] not in killers(result)


@pytest.mark.usefixtures("deadly")
def test_a_resumed_run_counts_failed_trials_as_done(tmp_path: Path) -> None:
    warned: list[str] = []
    before = whole_deadly()
    copied(before, tmp_path)
    seen: list[Any] = []
    again = run_deadly(tmp_path, pruner="none", warn=warned.append, notify=seen.append)
    assert again.trials.equals(before.trials)
    assert warned == []
    assert (seen[-1].done, seen[-1].failed) == (28, len(killers(before)))


@pytest.mark.usefixtures("deadly")
@pytest.mark.parametrize(("sampler", "pruner"), [("tpe", "none"), ("random", "halving"), ("tpe", "halving")])
def test_a_stopped_run_with_failed_trials_goes_on_as_if_undisturbed(tmp_path: Path, sampler: str, pruner: str) -> None:
    options: dict[str, Any] = {"pruner": pruner, "warn": lambda text: None}
    whole = whole_deadly(sampler, pruner)
    assert (whole.trials["state"] == "failed").any()
    assert len(whole.trials) == 28
    run_deadly(tmp_path, sampler, **options, **stop_when(10))
    assert_same_results(run_deadly(tmp_path, sampler, **options), whole)


@pytest.mark.usefixtures("deadly")
@pytest.mark.parametrize("moment", ["tell", "record", "commit"])
def test_a_killed_run_with_failed_trials_goes_on_as_if_undisturbed_and_lets_no_killer_in_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    options: dict[str, Any] = {"pruner": "halving", "warn": lambda text: None}
    whole = whole_deadly(pruner="halving")
    call = {"tell": killers(whole)[1] + 2, "record": 9, "commit": 7}[moment]
    with monkeypatch.context() as patch:
        killed_at(patch, moment, call, after=True)
        with pytest.raises(Killed):
            run_deadly(tmp_path / "killed", **options)
    told = [t.number for t in sweep.load(tmp_path / "killed" / "tiny").study.trials if t.state == TrialState.FAIL]
    assert told
    assert set(told) < set(killers(whole))
    warned: list[str] = []
    assert_same_results(run_deadly(tmp_path / "killed", **options | {"warn": warned.append}), whole)
    assert given_up(warned) == [number for number in killers(whole) if number not in told]
    last_tries = [line for line in warned if f"try {TRIES} of {TRIES}" in line]
    assert len(last_tries) == len(killers(whole)) - len(told), "who was in their company is tried again once"


def test_who_runs_out_of_memory_fails_also_without_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(configurations: Sequence[Configuration], *rest: Any, **options: Any) -> Any:
        if any(map(is_deadly, configurations)):
            raise MemoryError
        return train(configurations, *rest, **options)

    def alone(configurations: Sequence[Configuration], *unused: Any) -> list[list[int]]:
        return [[place] for place in range(len(configurations))]

    monkeypatch.setattr("sweep.search.running.workers.train", exhausted)
    monkeypatch.setattr("sweep.search.running.loop.shares", alone)
    warned: list[str] = []
    result = run(study(), tmp_path, warn=warned.append)
    assert result.trials.loc[result.trials["state"] == "failed", "number"].tolist() == killers(result)
    assert set(result.trials["state"]) == {"complete", "failed"}
    assert warned
    assert all(line.startswith("given up") for line in warned)


def own_workers() -> list[psutil.Process]:
    """The loky workers of this process."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if "popen_loky" in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.mark.filterwarnings("ignore:A worker stopped")  # joblib says so when a worker dies; here it is meant to
@pytest.mark.parametrize("pruner", mostly_long(["none", "halving"], lambda pruner: pruner == "halving"))
def test_a_worker_that_is_really_killed_costs_nothing_and_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pruner: str
) -> None:
    warned: list[str] = []
    calls = 0
    hand_over = Loky.hand_over

    def and_kill(pool: Loky, job: Job) -> Future[Finished]:
        """Hand the job over, and kill a worker while all stand still."""
        nonlocal calls
        calls += 1
        if calls != 9:
            return hand_over(pool, job)
        stopped = own_workers()
        for worker in stopped:
            worker.suspend()
        future = hand_over(pool, job)
        stopped[0].kill()
        until(future.done, "the executor to see that a worker has died")
        return future

    monkeypatch.setattr(Loky, "hand_over", and_kill)
    options: dict[str, Any] = {"backend": "loky", "workers": 2, "warn": warned.append}
    result = run(study("tpe", pruner=pruner), tmp_path, **options)
    assert_same_results(result, undisturbed("tpe", pruner))
    assert "failed" not in set(result.trials["state"])
    assert warned
    assert all(line.startswith("a worker died") and f"(try 2 of {TRIES})" in line for line in warned)


ORPHAN = """
import os, time
from sweep.search.running import children
children.ORPHANED = 0.05
parent, child = os.getpid(), os.fork()
if child:
    os.wait()
else:
    children.get_ready(parent)
    print(os.getpid(), flush=True)
    time.sleep(600)
"""


def test_a_worker_whose_parent_is_killed_ends_by_itself() -> None:
    root = Path(sweep.__file__).parent.parent
    parent = subprocess.Popen([sys.executable, "-c", ORPHAN], cwd=root, stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        with parent.stdout as out:
            orphan = psutil.Process(int(out.readline()))
        time.sleep(0.3)
        assert not are_gone([orphan]), "it does not go before its parent"
        parent.kill()
        parent.wait()
        until(lambda: are_gone([orphan]), "the orphan to end")
    finally:
        parent.kill()
        parent.wait()


def test_a_worker_whose_parent_died_before_it_could_look_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []

    def end(code: int) -> None:
        ended.append(code)
        raise SystemExit

    monkeypatch.setattr(os, "_exit", end)
    never = SimpleNamespace(sleep=lambda seconds: pytest.fail("there is nothing to wait for"))
    monkeypatch.setattr("sweep.search.running.children.time", never)
    with pytest.raises(SystemExit):
        children._die_with(os.getppid() + 1)
    assert ended == [1]
