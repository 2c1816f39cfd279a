"""Defaults and what is beside them: the learning rate, a name of one's own, a library's conventions, TPE, the grid."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from sweep.door.api import resolve
from sweep.errors import UsageError
from sweep.learning.hyper import Choices, Fixed, hyperparameters
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.parity.conventions import CONVENTIONS
from sweep.search.choosing.tpe import ENQUEUED
from sweep.search.space.defaults import default, default_parameters, nearest
from sweep.search.space.space import Arm
from sweep.search.study_file.spec import Spec, check_option, complete
from tests.studies import content, everything, finite, run, tiny

HERE = Path("study.toml")


def test_a_ratio_that_is_no_number_is_far() -> None:
    assert nearest(Choices((5e-324, 1e-3)), 10.0) == 1e-3  # the ratio of the first is 0
    assert nearest(Choices((0.0, 1e308)), 1e-308) == 1e308  # it is infinite


def test_a_study_of_forty_epochs_that_says_nothing_has_the_declared_defaults() -> None:
    """All of them are searched but that ramps end at 0; and what lasts the whole training lasts the study's."""
    space = everything().space()
    for arm in space.arms:
        kind = SCHEDULES[arm.schedule]
        whole = [p.name for p in hyperparameters(kind) if p.search == Fixed(1.0, unit="epochs")]
        own: dict[str, Any] = dict.fromkeys(whole, 40.0)
        if arm.schedule == "ramps":
            own = {"factors": (10.0, 0.001)}
        assert default(space, arm).schedule == kind(**own)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize(
    "entry",
    [{"low": 1e-6, "high": 10.0, "log": True}, {"low": 1e-4, "high": 1e-3, "log": True}, {"low": 0.5, "high": 1.0},
     0.25, [1e-5, 1.0]],
)  # fmt: skip
def test_the_learning_rate_is_the_optimizers_own_as_far_as_it_is_searched(name: str, entry: Any) -> None:
    space = tiny(search={"learning_rate": entry, "optimizers": [name]}).space()
    own = OPTIMIZERS[name].default_rate
    if isinstance(entry, dict):
        expected = min(max(own, entry["low"]), entry["high"])
    elif isinstance(entry, list):
        expected = min(entry, key=lambda rate: abs(math.log(rate / own)))
    else:
        expected = entry
    assert {default(space, arm).learning_rate for arm in space.arms} == {expected}


def test_a_name_of_the_studys_own_has_the_defaults_of_its_kind_as_far_as_they_are_searched() -> None:
    search = {
        "optimizers": ["mine", "rmsprop"],
        "optimizer": {"mine": {"like": "rmsprop", "decay": {"low": 0.95, "high": 0.999}, "momentum": 0.5}},
        "schedules": ["slow"],
        "schedule": {"slow": {"like": "step", "every": [2, 4], "divisor": [2.0, 5.0]}},
    }
    space = tiny(search=search).space()
    mine, plain = (default_parameters(space, Arm(name, "slow")) for name in ("mine", "rmsprop"))
    assert mine["learning_rate"] == plain["learning_rate"] == OPTIMIZERS["rmsprop"].default_rate
    assert (mine["mine.decay"], plain["rmsprop.decay"]) == (0.95, 0.9)
    assert "mine.momentum" not in mine
    assert (mine["slow.every"], mine["slow.divisor"]) == (4.0, 2.0)


@pytest.mark.parametrize("name", CONVENTIONS)
def test_under_a_convention_the_defaults_are_the_librarys_and_the_rate_our_own(name: str) -> None:
    found = CONVENTIONS[name]
    space = complete({"data": {"name": "iris"}, "search": {"convention": name}}, HERE).space()
    for arm in space.arms:
        record = default(space, arm).record()
        for word, own in (("optimizer", arm.optimizer), ("schedule", arm.schedule)):
            for key, value in found.values(word, own, {}).items():
                if isinstance(value, bool | int | float):
                    assert record[f"{word}.{key}"] == value
        assert record["learning_rate"] == OPTIMIZERS[arm.optimizer].default_rate


@pytest.mark.parametrize("generation", [3, 4, 8])
def test_tpe_keeps_away_from_the_defaults(tmp_path: Path, generation: int) -> None:
    """Of 24 configurations 4 are defaults: none of these is proposed again, and all others are."""
    search: dict[str, Any] = {
        "learning_rate": [0.001, 0.005, 0.05], "optimizers": ["sgd", "rmsprop"], "schedules": ["step", "constant"],
        "optimizer": {"rmsprop": {"decay": 0.9, "epsilon": 1e-8, "initial_cache": 0.0}},
        "schedule": {"step": {"every": [1, 2, 3], "divisor": 2.0}},
    }  # fmt: skip
    section = {"sampler": "tpe", "defaults": True, "trials": 24, "generation": generation}
    result = run(content(study=section, search=search), tmp_path)
    chosen = [tuple(sorted(trial.params.items())) for trial in result.study.trials]
    assert len(chosen) == len(set(chosen)) == 24
    assert [dict(each) for each in chosen[:4]] == result.spec.first_trials()


def silent(**section: Any) -> dict[str, Any]:
    """A study that does not say whether it begins with the defaults."""
    whole = content(study={"trials": 6} | section)
    del whole["study"]["defaults"]
    return whole


def said(defaults: bool) -> Spec:
    return tiny(study={"defaults": defaults})


def test_the_resolved_form_says_of_a_silent_study_what_it_does() -> None:
    for section in ({}, {"sampler": "grid"}, {"mode": "compare", "trials": 12}):
        spec = complete(silent(**section), HERE)
        again = complete(spec.resolved(), HERE)
        assert again.study.defaults is again.begins_with_defaults is spec.begins_with_defaults is (section == {})
        assert again.first_trials() == spec.first_trials()


def test_the_grid_may_be_asked_for_where_the_study_does_not_insist_on_defaults(tmp_path: Path) -> None:
    check_option(complete(silent(), HERE), "sampler", "grid")
    check_option(said(False), "sampler", "grid")
    with pytest.raises(UsageError, match=r"^--sampler grid: study.defaults: .*its own combinations only") as caught:
        check_option(said(True), "sampler", "grid")
    assert len(str(caught.value).splitlines()) == 1
    assert resolve(silent()).begins_with_defaults
    assert not resolve(silent(), sampler="grid").begins_with_defaults
    result = run(silent(), tmp_path, sampler="grid")
    assert not any(ENQUEUED in trial.system_attrs for trial in result.study.trials)
    assert finite(result.trials["objective"])
