"""``run --from``: the best configurations of another run first, where they fit; and ``[[study.start]]`` by hand."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tomli_w

from sweep.door.result import Result, configuration_of, load
from sweep.door.warm_start import MOST, started
from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.optimizers.rules import Momentum, Sgd
from sweep.learning.schedules.formulas import Constant, Exponential, Piecewise, Step
from sweep.search.study_file.spec import read
from tests.search.running.test_resuming import stop_when
from tests.studies import assert_same_results, content, run, tiny
from tests.terminal import sweep

HERE = Path("study.toml")


@functools.cache
def other() -> Result:
    """A run of three optimizers, whose best configurations are to be taken over."""
    study = content(
        study={"name": "other", "trials": 32, "seed": 5},
        search={"optimizers": ["sgd", "momentum", "rmsprop"], "schedules": ["constant", "step"]},
    )
    return run(study, Path(tempfile.mkdtemp()))


def best(result: Result, count: int = MOST) -> list[dict[str, Any]]:
    rows = result.trials[result.trials["state"] == "complete"].to_dict("records")
    return sorted(rows, key=lambda row: (row["objective"], row["number"]))[:count]


SAME = {"optimizers": ["sgd", "momentum", "rmsprop"], "schedules": ["constant", "step"]}


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "optuna:TPESampler"])
def test_the_first_trials_are_the_best_of_the_other_run_in_order(tmp_path: Path, sampler: str) -> None:
    warned: list[str] = []
    study = content(study={"sampler": sampler, "trials": 16}, search=SAME)
    result = run(study, tmp_path, start_from=other().folder, warn=warned.append)
    expected = [configuration_of(pd.Series(row).dropna().to_dict(), other().spec) for row in best(other())]
    rows = [row.dropna().to_dict() for _, row in result.trials.iterrows()]
    assert [configuration_of(row, result.spec) for row in rows[:MOST]] == expected
    assert warned == []
    assert len(rows) == 16
    for trial in result.study.trials:  # as Optuna marks what was enqueued
        given = trial.system_attrs.get("fixed_params")
        assert given == (trial.params if trial.number < MOST else None)
    cold = run(study, tmp_path / "cold")
    if sampler in ("random", "qmc"):  # the others come where they would have come
        pd.testing.assert_series_equal(result.trials["learning_rate"][MOST:], cold.trials["learning_rate"][MOST:])


def test_what_does_not_fit_is_left_out_and_said_one_line_each(tmp_path: Path) -> None:
    warned: list[str] = []
    narrow = {"optimizers": ["momentum", "rmsprop"], "schedules": ["constant", "step"]}
    result = run(content(search=narrow), tmp_path, start_from=str(other().folder), warn=warned.append)
    misfits = [row["number"] for row in best(other()) if row["optimizer"] == "sgd"]
    fitting = [row["learning_rate"] for row in best(other()) if row["optimizer"] != "sgd"]
    assert misfits
    assert fitting
    assert warned == [
        f"trial {number} of {other().folder} does not fit: optimizer 'sgd' is not searched here" for number in misfits
    ]
    assert result.trials["learning_rate"].tolist()[: len(fitting)] == fitting
    assert len(result.spec.study.start) == len(fitting)


def test_no_more_are_taken_than_there_are_trials(tmp_path: Path) -> None:
    result = run(content(study={"trials": 3}, search=SAME), tmp_path, start_from=other().folder)
    assert result.trials["learning_rate"].tolist() == [row["learning_rate"] for row in best(other(), 3)]


def test_the_other_run_may_be_named_as_its_study(tmp_path: Path) -> None:
    run(content(study={"name": "first"}), tmp_path)
    assert len(run(content(), tmp_path, start_from="first").spec.study.start) == MOST
    with pytest.raises(UsageError, match="no run here"):
        run(content(study={"name": "third"}), tmp_path / "elsewhere", start_from="quickstart")


def test_a_resumed_run_keeps_its_start(tmp_path: Path) -> None:
    study = content(study={"sampler": "tpe", "trials": 20}, search=SAME)
    whole = run(study, tmp_path / "whole", start_from=other().folder)
    stopped = run(study, tmp_path / "stopped", start_from=other().folder, **stop_when(4))
    assert (stopped.trials["state"] == "running").any()
    resumed = run(study, tmp_path / "stopped")
    assert_same_results(resumed, whole)
    assert resumed.spec.study.start == whole.spec.study.start == load(whole.folder).spec.study.start
    assert_same_results(run(study, tmp_path / "stopped", start_from=other().folder), whole)


def test_a_run_that_began_without_refuses_to_begin_otherwise(tmp_path: Path) -> None:
    run(content(search=SAME), tmp_path)
    with pytest.raises(UsageError, match=r"different study \(study\.start"):
        run(content(search=SAME), tmp_path, start_from=other().folder)


def test_on_the_command_line_misfits_are_warnings_on_stderr(tmp_path: Path) -> None:
    narrow = content(search={"optimizers": ["momentum"], "schedules": ["constant", "step"]})
    (tmp_path / "tiny.toml").write_text(tomli_w.dumps(narrow))
    outcome = sweep("run", "tiny.toml", "--backend", "serial", "--from", str(other().folder), cwd=tmp_path)
    assert outcome.code == 0
    lines = [line for line in outcome.err.splitlines() if "does not fit" in line]
    assert len(lines) == sum(row["optimizer"] != "momentum" for row in best(other()))
    assert all(line.startswith("sweep: warning: trial ") for line in lines)


@pytest.mark.parametrize(
    ("section", "said"),
    [({"sampler": "grid"}, '"grid" tries its own combinations'), ({"mode": "compare"}, "independent random")],
    ids=["grid", "compare"],
)
def test_who_takes_no_given_trials_refuses_in_one_short_line(
    tmp_path: Path, section: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        run(content(study=section), tmp_path / "runs", start_from=other().folder)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"--from {other().folder}: ")
    assert len(line) < 300, "the configurations themselves are not shown"
    assert not (tmp_path / "runs").exists()


def test_a_run_of_which_nothing_is_complete_is_one_line(tmp_path: Path) -> None:
    far = run(content(study={"name": "far", "trials": 2}, search={"learning_rate": 1e8}), tmp_path)
    empty = run(content(study={"name": "empty"}), tmp_path, stopping=lambda: True)
    for result in (far, empty):
        with pytest.raises(UsageError, match=rf"--from {result.folder}: no trial of it is complete"):
            run(content(), tmp_path, start_from=result.folder)
    assert not (tmp_path / "tiny").exists()


def table(*configurations: Configuration, **columns: Any) -> pd.DataFrame:
    """Another run's table of complete trials, the first the best."""
    rows = [
        {"number": n, "state": "complete", "objective": float(n), **c.record()} for n, c in enumerate(configurations)
    ]
    return pd.DataFrame(rows).assign(**columns)


RATE = {"learning_rate": {"low": 0.01, "high": 1.0, "log": True}}
WHOLE = {"low": 2, "high": 5, "integer": True}
PIECES = {"optimizers": ["sgd"], "schedules": ["piecewise"], **RATE}


def searching(kind: str, name: str, **entries: Any) -> dict[str, Any]:
    """A section that searches one optimizer and one schedule, narrowed."""
    used = {"optimizer": "sgd", "schedule": "constant"} | {kind: name}
    return {"optimizers": [used["optimizer"]], "schedules": [used["schedule"]], **RATE, kind: {name: entries}}


MOMENTUM, STEP = Configuration(0.1, Momentum(momentum=0.9, nesterov=True)), Configuration(0.1, Sgd(), Step(every=3.0))
TWO = Configuration(0.1, Sgd(), Piecewise(boundaries=(1.0, 2.0), factors=(0.5, 0.1)))
NARROW = {"low": 0.5, "high": 0.8}
NESTEROV = {"nesterov": [False, True], "momentum": 0.9}
# What is searched, the other run's configuration, and the parameters that it has here besides kinds and rate.
FITTING: dict[str, tuple[dict[str, Any], Configuration, dict[str, Any]]] = {
    "a fixed value": (searching("optimizer", "momentum", momentum=0.9, nesterov=True), MOMENTUM, {}),
    "a choice": (
        searching("optimizer", "momentum", momentum=[0.5, 0.9], nesterov=True), MOMENTUM, {"momentum.momentum": 0.9}
    ),
    "a flag": (searching("optimizer", "momentum", **NESTEROV), MOMENTUM, {"momentum.nesterov": True}),
    "a range": (
        searching("optimizer", "momentum", momentum={"low": 0.9, "high": 0.99}, nesterov=True),
        MOMENTUM, {"momentum.momentum": 0.9},
    ),
    "a whole number": (searching("schedule", "step", every=WHOLE, divisor=2.0), STEP, {"step.every": 3}),
    "a list": (
        PIECES | {"schedule": {"piecewise": {"boundaries": [[1.0, 2.0], WHOLE], "factors": [0.5, 0.1]}}},
        TWO, {"piecewise.boundaries.1": 1.0, "piecewise.boundaries.2": 2},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FITTING)
def test_what_fits_gets_the_values_that_the_space_gives(case: str) -> None:
    section, configuration, own = FITTING[case]
    spec = tiny(search=section)
    warm, misfits = started(spec, table(configuration), "there")
    assert misfits == []
    (found,) = warm.study.start
    kinds = {"optimizer": configuration.optimizer.name, "schedule": configuration.schedule.name}
    assert found == {**kinds, "learning_rate": 0.1, **own}
    assert {name: type(found[name]) for name in own} == {name: type(value) for name, value in own.items()}
    assert spec.space().misfit(found) == ""
    assert spec.space().configuration(found) == configuration


MISFITTING: dict[str, tuple[dict[str, Any], Configuration, str]] = {
    "another optimizer": (searching("optimizer", "sgd"), MOMENTUM, "optimizer 'momentum' is not searched here"),
    "another schedule": (searching("schedule", "constant"), STEP, "schedule 'step' is not searched here"),
    "another fixed value": (
        searching("optimizer", "momentum", momentum=0.5, nesterov=True), MOMENTUM,
        "momentum.momentum = 0.9: searched is 0.5",
    ),
    "no choice": (
        searching("optimizer", "momentum", momentum=[0.5, 0.6], nesterov=True),
        MOMENTUM, "momentum.momentum = 0.9: searched is [0.5, 0.6]",
    ),
    "outside a range": (
        searching("optimizer", "momentum", momentum=NARROW, nesterov=True),
        MOMENTUM, "momentum.momentum = 0.9: searched is {'low': 0.5, 'high': 0.8, 'log': False, 'integer': False}",
    ),
    "no whole number": (
        searching("schedule", "step", every=WHOLE, divisor=2.0),
        Configuration(0.1, Sgd(), Step(every=2.5)),
        "step.every = 2.5: searched is {'low': 2.0, 'high': 5.0, 'log': False, 'integer': True}",
    ),
    "a rate out of range": (
        searching("optimizer", "sgd"), Configuration(2.0, Sgd()),
        "learning_rate = 2.0: searched is {'low': 0.01, 'high': 1.0, 'log': True, 'integer': False}",
    ),
    "a longer list": (
        PIECES | {"schedule": {"piecewise": {"boundaries": [1.0, 2.0], "factors": [0.5, 0.1]}}},
        Configuration(0.1, Sgd(), Piecewise(boundaries=(1.0, 2.0, 3.0), factors=(0.5, 0.1, 0.2))),
        "piecewise.boundaries.3 = 3.0: is no parameter of such a trial",
    ),
    "a shorter list": (
        PIECES | {"schedule": {"piecewise": {"boundaries": [1.0, 2.0, 3.0], "factors": [0.5, 0.1, 0.2]}}},
        TWO, "piecewise.boundaries.3 = None: searched is 3.0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MISFITTING)
def test_what_does_not_fit_says_why(case: str) -> None:
    section, configuration, said = MISFITTING[case]
    # The other trial has columns that this one has not, and the other way round: they are null.
    trials = table(Configuration(0.1, Sgd(), Exponential(rate=1.0)), configuration)
    warm, misfits = started(tiny(search=section), trials, "there")
    assert misfits[-1] == f"trial 1 of there does not fit: {said}"
    assert warm.study.start == []


def test_the_same_configuration_is_taken_once_and_only_complete_trials_are() -> None:
    tried = [Configuration(rate, Sgd(), Constant()) for rate in (0.1, 0.1, 0.2, 0.3, 0.4)]
    trials = table(*tried, state=["complete", "complete", "pruned", "diverged", "complete"])
    warm, misfits = started(tiny(search=searching("optimizer", "sgd")), trials, "there")
    assert [chosen["learning_rate"] for chosen in warm.study.start] == [0.1, 0.4]
    assert misfits == []


BY_HAND = {
    "optimizers": ["sgd", "rmsprop"],
    "schedules": ["constant"],
    "learning_rate": {"low": 0.01, "high": 0.1, "log": True},
    "optimizer": {"rmsprop": {"decay": [0.9, 0.99], "epsilon": 1e-8, "initial_cache": 0.0}},
}
PLAIN = {"optimizer": "sgd", "schedule": "constant", "learning_rate": 0.05}
CACHED = {"optimizer": "rmsprop", "schedule": "constant", "learning_rate": 0.01, "rmsprop.decay": 0.99}


def written(folder: Path, *start: dict[str, Any]) -> Path:
    path = folder / "tiny.toml"
    path.write_text(tomli_w.dumps(content(study={"start": list(start)}, search=BY_HAND)))
    return path


def test_a_study_file_may_say_what_to_begin_with(tmp_path: Path) -> None:
    outcome = sweep("run", str(written(tmp_path, CACHED, PLAIN)), "--backend", "serial", "--json", cwd=tmp_path)
    assert outcome.code == 0
    result = load(tmp_path / "runs" / "tiny")
    assert [trial.params for trial in result.study.trials[:2]] == [CACHED, PLAIN]
    assert len(result.trials) == 12


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CACHED.items() if key != name}


MISTAKES: list[tuple[dict[str, Any], str]] = [
    (CACHED | {"optimizer": "adam"}, "optimizer = 'adam': searched are sgd, rmsprop"),
    (without("schedule"), "schedule = None: searched are constant"),
    (without("rmsprop.decay"), "rmsprop.decay: is needed and not there"),
    (CACHED | {"rmsprop.epsilon": 1e-8}, "rmsprop.epsilon: is no parameter of such a trial"),
    (PLAIN | {"rmsprop.decay": 0.9}, "rmsprop.decay: is no parameter of such a trial"),
    (CACHED | {"rmsprop.decay": 0.95}, "rmsprop.decay = 0.95: not among what is searched ([0.9, 0.99])"),
    (PLAIN | {"learning_rate": 1.0}, "learning_rate = 1.0: not among what is searched ({'low': 0.01, 'high': 0.1"),
    (PLAIN | {"learning_rate": "fast"}, "learning_rate = 'fast': not among what is searched"),
    (PLAIN | {"learning_rate": True}, "learning_rate = True: not among what is searched"),
    (CACHED | {"rmsprop.decay": [0.9]}, "rmsprop.decay = [0.9]: not among what is searched"),
    (PLAIN | {"optimizer": ["sgd"]}, "optimizer = ['sgd']: searched are sgd, rmsprop"),
]


@pytest.mark.parametrize(("start", "said"), MISTAKES, ids=[said.partition(":")[0] for _, said in MISTAKES])
def test_a_mistake_in_what_to_begin_with_is_one_line(tmp_path: Path, start: dict[str, Any], said: str) -> None:
    path = written(tmp_path, PLAIN, start)
    with pytest.raises(UsageError) as caught:
        read(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: study.start: number 2: {said}")


def test_two_constants_of_one_name_are_no_list(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text(tomli_w.dumps(content(study={"start": PLAIN}, search=BY_HAND)))
    with pytest.raises(UsageError, match=r"study\.start") as caught:
        read(path)
    assert len(str(caught.value).splitlines()) == 1
