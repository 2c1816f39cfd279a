"""Runs that are really killed, terminated or interrupted, and run again: they end as if nobody had disturbed them."""

from __future__ import annotations

import functools
import json
import random
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from sweep.door.result import Result
from tests.processes import Run, are_gone, parts, result_in, running, until, write_study
from tests.studies import assert_same_results, content, settled

pytestmark = pytest.mark.long

SEED = 20
EARLY = 4  # one in so many kills comes in the start-up: in Python's imports, or while the workers start
TRIALS, GENERATION = 400, 4
WORKERS = ("-q", "--workers", "2")


def study(trials: int = TRIALS, **extra: Any) -> dict[str, Any]:
    """Many generations that take a moment each, so that a kill at any time hits another step of the loop."""
    return content(study={"sampler": "tpe", "trials": trials, "generation": GENERATION, **extra})


def long_study(epochs: int, trials: int) -> dict[str, Any]:
    """Generations of one trial a worker, which take long; the rates are such that none diverges."""
    return content(
        study={"sampler": "tpe", "trials": trials, "generation": 2},
        network={"epochs": epochs},
        search={"optimizers": ["sgd"], "learning_rate": {"low": 1e-4, "high": 1e-3, "log": True}},
    )


@functools.cache
def undisturbed(extra: str = "{}") -> tuple[Result, float, float]:
    """The study run at once; how long it took until the first generation was begun, and a generation takes then."""
    place = Path(tempfile.mkdtemp())
    write_study(place, study(**json.loads(extra)))
    started = time.time()
    with running(place, "tiny.toml", *WORKERS) as run:
        assert run.code() == 0, run.said()
        assert run.said() == []
    result = result_in(place)
    begun, ended = result.trials["started"].min().timestamp(), result.trials["finished"].max().timestamp()
    return result, begun - started, (ended - begun) / (TRIALS / GENERATION)


def told(result: Result) -> list[tuple[Any, ...]]:
    """What Optuna knows of each trial, times aside."""
    return [
        (t.number, t.state, t.value, t.params, t.intermediate_values, t.user_attrs | {"seconds": None})
        for t in result.study.trials
    ]


def assert_as_if_undisturbed(result: Result, expected: Result) -> None:
    assert_same_results(result, expected)
    assert told(result) == told(expected)
    assert all(trial.state.is_finished() for trial in result.study.trials)
    assert "running" not in set(result.trials["state"])


def finished(result: Result) -> Any:
    """The rows of finished trials, by their numbers."""
    return result.trials[result.trials["state"] != "running"].set_index("number")


def kept(before: Result, after: Result, *, times: bool = True) -> bool:
    """Whether what was recorded of finished trials is still there; without times, they may have been trained again."""
    earlier = finished(before)
    later = finished(after).loc[earlier.index]
    return earlier.empty or bool(earlier.equals(later) if times else settled(earlier).equals(settled(later)))


def progressed(run: Run, before: int) -> bool:
    assert run.alive(), f"ended before it was disturbed: {run.said()}"
    return parts(run.place, "curves") > before


def killed(place: Path, wait: float, *, early: bool) -> list[psutil.Process]:
    """Run the study and kill it: `wait` seconds after its start or, else, after it has finished another generation."""
    before = parts(place, "curves")
    with running(place, "tiny.toml", *WORKERS) as run:
        if not early:
            until(lambda: progressed(run, before), "another generation")
        time.sleep(wait)
        children = run.children()
        run.kill()
        assert run.process.returncode == -signal.SIGKILL, "it had ended before it was killed"
        assert run.said() == []
        until(lambda: are_gone(children), "the children of the killed run to end", 30)
        assert run.said() == [], "a child complained of the death of its parent"
    return children


@pytest.mark.parametrize(("kills", "extra"), [(20, "{}"), (8, '{"pruner": "halving"}')])  # keys of [study]
def test_a_run_killed_many_times_ends_as_if_undisturbed(tmp_path: Path, kills: int, extra: str) -> None:
    expected, startup, generation = undisturbed(extra)
    chance = random.Random(SEED)
    early = set(chance.sample(range(kills), kills // EARLY))
    write_study(tmp_path, study(**json.loads(extra)))
    moments, children = [], 0
    for kill in range(kills):
        wait = chance.uniform(0, startup if kill in early else 3 * generation)
        moments.append((parts(tmp_path, "curves"), "start-up" if kill in early else "loop", round(wait, 4)))
        try:
            children += len(killed(tmp_path, wait, early=kill in early))
        except AssertionError as error:
            error.add_note(f"seed {SEED}, kills (generations before, where, seconds waited): {moments}")
            raise
    with running(tmp_path, "tiny.toml", *WORKERS) as run:
        assert run.code() == 0, run.said()
    try:
        assert_as_if_undisturbed(result_in(tmp_path), expected)
    except AssertionError as error:
        error.add_note(f"seed {SEED}, kills (generations before, where, seconds waited): {moments}")
        raise
    assert len({before for before, *_ in moments}) > kills - len(early) - 1, "kills at different stages of the study"
    assert children >= 2 * (kills - len(early)), "the workers were looked for and found"
    assert list((tmp_path / "temporary").iterdir()) == []


def workers(run: Run) -> list[psutil.Process]:
    """The processes among its children that train."""
    return [child for child in run.children() if "LokyProcess" in " ".join(child.cmdline())]


@pytest.mark.parametrize("when", ["starting", "training"])
def test_no_worker_of_a_killed_run_lives_on(tmp_path: Path, when: str) -> None:
    write_study(tmp_path, long_study(epochs=1_000_000, trials=4))  # many minutes a job
    with running(tmp_path, "tiny.toml", *WORKERS) as run:
        until(lambda: len(workers(run)) == 2, "two workers")
        children = run.children()
        if when == "training":
            until(lambda: parts(tmp_path, "trials") > 1, "a generation to be handed over")
            until(lambda: min(sum(p.cpu_times()[:2]) for p in workers(run)) > 4, "the workers to be at it")
        run.kill()
        until(lambda: are_gone(children), "the children of the killed run to end", 30)
        assert run.said() == []
    assert list((tmp_path / "temporary").iterdir()) == []


SIGNALS = pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])


def assert_only_our_own_lines(run: Run) -> None:
    assert run.said()
    assert all(line.startswith("sweep: ") for line in run.said()), run.said()
    assert "go on with: python -m sweep run" in run.said()[-1]


@SIGNALS
@pytest.mark.parametrize("when", ["starting", "training"])
def test_a_signal_ends_a_run_that_goes_on_as_if_undisturbed(tmp_path: Path, number: int, code: int, when: str) -> None:
    write_study(tmp_path, study())
    with running(tmp_path, "tiny.toml", *WORKERS) as run:
        if when == "starting":
            until(lambda: len(workers(run)) == 2, "two workers, which import now")
        else:
            until(lambda: progressed(run, 20), "21 generations")
        children = run.children()
        run.send(number)
        assert run.code() == code, run.said()
        until(lambda: are_gone(children), "the workers to end", 30)
        assert_only_our_own_lines(run)
    stopped = result_in(tmp_path)
    # What was in flight is finished and kept; the next generation may have been asked, for the next run to train.
    left = (stopped.trials["state"] == "running").sum()
    assert left <= GENERATION
    assert left == sum(not trial.state.is_finished() for trial in stopped.study.trials)
    assert (len(finished(stopped)) > 20 * GENERATION) == (when == "training")
    with running(tmp_path, "tiny.toml", *WORKERS) as run:
        assert run.code() == 0, run.said()
    again = result_in(tmp_path)
    assert kept(stopped, again)
    assert_as_if_undisturbed(again, undisturbed()[0])


@pytest.mark.parametrize("presses", [2, 8])
def test_a_second_ctrl_c_stops_a_run_now_and_keeps_what_was_recorded(tmp_path: Path, presses: int) -> None:
    write_study(tmp_path, long_study(epochs=1500, trials=6))
    with running(tmp_path, "tiny.toml", *WORKERS) as run:
        until(lambda: progressed(run, 1), "the first generation")
        before = result_in(tmp_path)
        children = run.children()
        run.send(signal.SIGINT)
        until(lambda: len(run.said()) > 0, "the answer to the first Ctrl-C")
        for _ in range(presses - 1):
            if run.alive():
                run.send(signal.SIGINT)
                time.sleep(0.02)
        assert run.code() == 130, run.said()
        until(lambda: are_gone(children), "the workers to end", 30)
        assert_only_our_own_lines(run)
    stopped = result_in(tmp_path)
    assert kept(before, stopped)
    assert 0 < len(finished(before)) <= len(finished(stopped)) < 6
    assert (stopped.trials["state"] == "running").any(), "jobs that ran were not waited for"
    with running(tmp_path, "tiny.toml", *WORKERS) as run:
        assert run.code() == 0, run.said()
    again = result_in(tmp_path)
    # A generation that was recorded and not yet told when the second Ctrl-C came is trained again.
    assert kept(stopped, again, times=False)
    write_study(tmp_path / "other", long_study(epochs=1500, trials=6))
    with running(tmp_path / "other", "tiny.toml", "-q", "--backend", "serial") as run:
        assert run.code() == 0, run.said()
    assert_as_if_undisturbed(again, result_in(tmp_path / "other"))


def test_the_number_of_trials_is_the_total_also_after_a_kill(tmp_path: Path) -> None:
    write_study(tmp_path, study())
    arguments = ("tiny.toml", *WORKERS, "--trials", "40")
    with running(tmp_path, *arguments) as run:
        until(lambda: progressed(run, 1), "two generations")
        run.kill()
    with running(tmp_path, *arguments) as run:
        assert run.code() == 0, run.said()
    result = result_in(tmp_path)
    assert len(finished(result)) == len(result.trials) == len(result.study.trials) == 40
    # A study's first trials are the same whatever its total is.
    pd.testing.assert_frame_equal(settled(result.trials), settled(undisturbed()[0].trials.head(40)), check_exact=True)
