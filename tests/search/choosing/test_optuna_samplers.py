"""Optuna's own samplers by name: they run, they learn, and what is said of ours holds for them."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages._cached_storage import _CachedStorage

import sweep
from sweep.door.result import Result
from sweep.errors import UsageError
from sweep.search.choosing import optuna_samplers
from tests.killing import Killed
from tests.search.choosing.test_samplers import assert_legal
from tests.search.running.test_resuming import (
    MOMENTS,
    assert_as_undisturbed,
    killed_at,
    run_until_killed,
    study,
    undisturbed,
)
from tests.studies import assert_same_results, content, run
from tests.terminal import python
from tests.tiers import mostly_long

TPE = "optuna:TPESampler"


def skip_without_its_package(name: str) -> None:
    try:
        optuna_samplers.check(name)
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(params=optuna_samplers.names())
def name(request: pytest.FixtureRequest) -> str:
    skip_without_its_package(request.param)
    return str(request.param)


# Choices, whole numbers, flags, a list, constants of one arm only.
MANY_KINDS = {
    "optimizers": ["sgd", "rmsprop"],
    "schedules": ["constant", "step", "piecewise"],
    "optimizer": {"rmsprop": {"nesterov": [False, True], "initial_cache": [0.0, 1.0]}},
}


# CMA-ES looks at numbers that all trials have, if there are two of them at least.
NUMBERS = {"optimizers": ["momentum"], "schedules": ["exponential"]}


def of(name: str, data: str = "iris", search: Mapping[str, Any] = MANY_KINDS, **keys: Any) -> dict[str, Any]:
    return content(study={"sampler": name, "trials": 32, **keys}, data={"name": data}, search=search)


@functools.cache
def ran(name: str, seed: int = 0, trials: int = 32) -> Result:
    return run(of(name, seed=seed, trials=trials), Path(tempfile.mkdtemp()))


def rates(result: Result) -> list[float]:
    return [float(rate) for rate in result.trials["learning_rate"]]


def test_those_are_offered_that_need_nothing_but_a_name() -> None:
    assert {TPE, "optuna:CmaEsSampler", "optuna:GPSampler", "optuna:RandomSampler"} <= set(optuna_samplers.names())
    for unfit in ("BaseSampler", "GridSampler", "PartialFixedSampler", "BruteForceSampler"):
        assert f"optuna:{unfit}" not in optuna_samplers.names()


def test_what_one_proposes_is_legal_and_is_trained(name: str) -> None:
    result = ran(name)
    assert set(result.trials["state"]) <= {"complete", "diverged"}
    assert len(result.trials) == 32
    for trial in result.study.trials:
        assert result.spec.space().misfit(trial.params) == ""
        assert_legal(result.spec.space(), result.spec.space().configuration(trial.params))
        assert trial.user_attrs["generation"] == trial.number // 4


def test_another_seed_proposes_others(name: str) -> None:
    if name == "optuna:QMCSampler":
        pytest.skip("by default its points are not scrambled: the same whatever the seed")
    assert not set(rates(ran(name))[:4]) & set(rates(ran(name, seed=1, trials=4)))


@pytest.mark.parametrize("name", [TPE, "optuna:CmaEsSampler"])
def test_one_learns_from_what_was_told_also_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    skip_without_its_package(name)
    results = {data: run(of(name, data=data, search=NUMBERS), tmp_path / data) for data in ("iris", "wine")}
    one, other = map(rates, results.values())
    assert one[:8] == other[:8], "two generations are asked before anything is known"
    assert one[8:] != other[8:]
    with monkeypatch.context() as patch:
        killed_at(patch, "ask", 27, after=True)
        with pytest.raises(Killed):
            run(of(name, search=NUMBERS), tmp_path / "killed")
    assert_same_results(run(of(name, search=NUMBERS), tmp_path / "killed"), results["iris"])


@pytest.mark.long  # in the short tier, of a study with our own
def test_who_trains_changes_no_result(tmp_path: Path) -> None:
    there = run(study(TPE), tmp_path, backend="loky", workers=2)
    assert_same_results(there, undisturbed(TPE))


@pytest.mark.parametrize(
    ("moment", "call", "name"),
    mostly_long(
        [(*at, name) for at in (("ask", 19), ("commit", 8), ("tell", 14)) for name in optuna_samplers.names()],
        lambda moment, _, name: moment == "ask" and name in (TPE, "optuna:NSGAIISampler"),
    ),
    indirect=["name"],
)
def test_a_killed_and_resumed_study_is_as_if_undisturbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, call: int, name: str
) -> None:
    run_until_killed(monkeypatch, tmp_path, name, moment, call=call, after=True)
    assert_as_undisturbed(run(study(name), tmp_path), name)


def test_a_trial_that_was_half_asked_is_asked_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials, half = 20, 17  # of the last generation, for which it has left its random start
    whole = undisturbed(TPE, trials)
    options: dict[str, Any] = {"trials": trials, "storage": f"sqlite:///{tmp_path / 'study.db'}"}
    monkeypatch.setitem(MOMENTS, "parameter", (_CachedStorage, "set_trial_param"))
    call = sum(len(trial.params) for trial in whole.study.trials[:half]) + 2
    run_until_killed(monkeypatch, tmp_path, TPE, "parameter", call=call, after=True, **options)
    left = sweep.load(tmp_path / "tiny").study.trials
    assert len(left) == half + 1
    assert set(left[half].params) == {"optimizer", "schedule"} < set(whole.study.trials[half].params)
    assert_same_results(run(study(TPE), tmp_path, **options), whole)


def test_a_stopped_and_resumed_study_is_as_if_undisturbed(tmp_path: Path) -> None:
    done: list[int] = [0]
    stop: dict[str, Any] = {"notify": lambda progress: done.append(progress.done), "stopping": lambda: done[-1] >= 12}
    assert (run(study(TPE), tmp_path, **stop).trials["state"] == "running").any()
    assert_as_undisturbed(run(study(TPE), tmp_path), TPE)


def test_a_pruned_study_goes_with_one(tmp_path: Path) -> None:
    pruned = f"{TPE}/halving"
    done: list[int] = [0]
    stop: dict[str, Any] = {"notify": lambda progress: done.append(progress.done), "stopping": lambda: done[-1] >= 9}
    run(study(pruned), tmp_path, **stop)
    assert_as_undisturbed(run(study(pruned), tmp_path), pruned)


def test_a_missing_package_is_one_line_with_what_to_install_and_nothing_is_written(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['cmaes'] = None\n"
        "from sweep.door.cli import main\n"
        "main(['run', 'quickstart', '--trials', '8', '--sampler', 'optuna:CmaEsSampler', '--backend', 'serial'])"
    )
    outcome = python(code, tmp_path)
    assert outcome.code == 2
    assert outcome.err.splitlines() == [
        "sweep: sampler 'optuna:CmaEsSampler': needs the package 'cmaes': pip install cmaes"
    ]
    assert outcome.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "near"), [("optuna:TPESamplr", TPE), ("optuna:CMAESSampler", "optuna:CmaEsSampler"), ("tpee", "tpe")]
)
def test_an_unknown_name_is_one_line_with_the_nearest(tmp_path: Path, name: str, near: str) -> None:
    with pytest.raises(UsageError, match=rf"--sampler {name}: .*did you mean '{near}'") as caught:
        run(content(), tmp_path / "runs", sampler=name)
    assert len(str(caught.value).splitlines()) == 1
    assert TPE in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_asking_whether_one_works_leaves_optunas_voice_as_it_was() -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    optuna_samplers.check.__wrapped__(TPE)
    assert optuna.logging.get_verbosity() == optuna.logging.WARNING
