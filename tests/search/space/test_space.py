from __future__ import annotations

from typing import Any

import optuna
import pytest
from hypothesis import given

from sweep.learning.configuration import LEARNING_RATE
from sweep.learning.hyper import Choices, Fixed, Range, hyperparameters
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.search.space.space import Arm, Space
from tests.studies import KINDS, content, everything, inside, laws, searches, tiny

PLAIN = {"optimizer", "schedule", "learning_rate"}
ARMS = [Arm(optimizer, schedule) for optimizer in OPTIMIZERS for schedule in SCHEDULES]


def only(arm: Arm) -> Space:
    """The space of one arm, its constants at their defaults."""
    search = {"optimizers": [arm.optimizer], "schedules": [arm.schedule]}
    return tiny(search=search, network={"epochs": 40}).space()


def asked(space: Space, count: int) -> list[tuple[optuna.Trial, Any]]:
    """Random trials with the configurations that were suggested for them."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trials = [study.ask() for _ in range(count)]
    return [(trial, space.suggest(trial)) for trial in trials]


@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_a_configuration_and_the_parameters_of_its_trial_say_the_same(arm: Arm) -> None:
    space = only(arm)
    for trial, suggested in asked(space, 5):
        assert space.configuration(trial.params) == suggested
        assert suggested.arm == str(arm)


@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_a_trial_of_an_arm_has_the_constants_of_its_own_optimizer_and_schedule_only(arm: Arm) -> None:
    space = everything().space()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.enqueue_trial({"optimizer": arm.optimizer, "schedule": arm.schedule})
    trial = study.ask()
    space.suggest(trial)
    searched = {name for name, search in space.entries(arm).items() if not isinstance(search, Fixed)}
    assert set(trial.params) == {"optimizer", "schedule"} | searched
    owners = {name.split(".")[0] for name in searched} - {"learning_rate"}
    assert owners <= {arm.optimizer, arm.schedule}


@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_the_entries_of_an_arm_are_its_fields(arm: Arm) -> None:
    fields = {
        f"{name}.{parameter.name}"
        for name in (arm.optimizer, arm.schedule)
        for parameter in hyperparameters(KINDS[name])
    }
    entries = [name for name in everything().space().entries(arm) if name != "learning_rate"]
    assert {".".join(name.split(".")[:2]) for name in entries} == fields


@pytest.mark.parametrize("arm", ARMS, ids=str)
def test_the_columns_of_an_arm_are_the_keys_of_its_record(arm: Arm) -> None:
    space = only(arm)
    (_, configuration), *_ = asked(space, 1)
    assert space.columns() == [key for key in configuration.record() if key not in PLAIN]


def test_the_columns_of_a_study_are_those_of_its_arms() -> None:
    assert set(everything().space().columns()) == {column for arm in ARMS for column in only(arm).columns()}


@laws
@given(search=searches())
def test_what_is_suggested_is_legal_in_range_and_comes_back(search: dict[str, Any]) -> None:
    space = tiny(**content() | {"search": search}).space()
    domains = {f"{name}.{p.name}": p.domain for name, kind in KINDS.items() for p in hyperparameters(kind)}
    domains["learning_rate"] = LEARNING_RATE.domain
    for trial, suggested in asked(space, 3):
        assert space.configuration(trial.params) == suggested
        entries = space.entries(Arm(suggested.optimizer.name, suggested.schedule.name))
        for name, entry in entries.items():
            value = entry.value if isinstance(entry, Fixed) else trial.params[name]
            assert inside(entry, value)
            assert domains[".".join(name.split(".")[:2])].contains(value)


@laws
@given(search=searches())
def test_the_distributions_are_exactly_the_parameters_that_trials_may_have(search: dict[str, Any]) -> None:
    space = tiny(**content() | {"search": search}).space()
    searched = {n for arm in space.arms for n, s in space.entries(arm).items() if not isinstance(s, Fixed)}
    assert set(space.distributions()) == {"optimizer", "schedule"} | searched
    for trial, _ in asked(space, 2):
        for name, distribution in trial.distributions.items():
            assert distribution == space.distributions()[name]


def test_a_fixed_value_reaches_the_configuration_without_being_a_parameter() -> None:
    search = {"optimizers": ["rmsprop"], "optimizer": {"rmsprop": {"decay": 0.97, "epsilon": [1e-6]}}}
    for trial, configuration in asked(tiny(search=search).space(), 3):
        assert {"rmsprop.decay", "rmsprop.epsilon", "rmsprop.momentum"}.isdisjoint(trial.params)
        record = configuration.record()
        assert (record["optimizer.decay"], record["optimizer.epsilon"]) == (0.97, 1e-6)


def test_a_fixed_learning_rate_is_no_parameter_either() -> None:
    ((trial, configuration),) = asked(tiny(search={"learning_rate": 0.125}).space(), 1)
    assert "learning_rate" not in trial.params
    assert configuration.learning_rate == 0.125


def test_each_element_of_a_list_is_a_parameter_of_its_own() -> None:
    boundaries = [5, {"low": 6, "high": 9, "integer": True}, [10, 20]]
    constants = {"boundaries": boundaries, "factors": [0.5, 0.1, {"low": 0.01, "high": 0.02}]}
    search = {"schedules": ["piecewise"], "schedule": {"piecewise": constants}}
    space = tiny(search=search).space()
    for trial, configuration in asked(space, 5):
        first, second, third = configuration.schedule.boundaries
        assert first == 5.0
        assert (second, third) == (trial.params["piecewise.boundaries.2"], trial.params["piecewise.boundaries.3"])
        assert "piecewise.boundaries.1" not in trial.params
        assert 6 <= second <= 9
        assert third in (10.0, 20.0)
        assert configuration.record()["schedule.factors.3"] == trial.params["piecewise.factors.3"]
    numbered = [name for name in space.columns() if name[-1].isdigit()]
    assert numbered == [f"schedule.{field}.{i}" for field in ("boundaries", "factors") for i in (1, 2, 3)]


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (Choices((0.5, 0.9)), optuna.distributions.CategoricalDistribution((0.5, 0.9))),
        (Range(1, 8, integer=True), optuna.distributions.IntDistribution(1, 8)),
        (Range(1, 8, log=True, integer=True), optuna.distributions.IntDistribution(1, 8, log=True)),
        (Range(0.1, 8.0), optuna.distributions.FloatDistribution(0.1, 8.0)),
        (Range(0.1, 8.0, log=True), optuna.distributions.FloatDistribution(0.1, 8.0, log=True)),
    ],
)
def test_a_search_becomes_the_distribution_that_means_the_same(search: Any, expected: Any) -> None:
    space = Space(search, {"sgd": {}}, {"constant": {"warmup": Fixed(0.0)}})
    assert space.distributions()["learning_rate"] == expected
    ((trial, _),) = asked(space, 1)
    assert trial.distributions["learning_rate"] == expected
