"""The default configuration of an arm: what tuning is measured against, and what a study tries first."""

from __future__ import annotations

import functools
import math
import sys
import tempfile
from collections.abc import Mapping
from fractions import Fraction
from itertools import groupby, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sweep
from sweep.door.result import Result
from sweep.errors import UsageError
from sweep.learning.hyper import Choices, Fixed, Range, Search, hyperparameters
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES, Piecewise, Step
from sweep.parity.conventions import CONVENTIONS
from sweep.search.choosing.samplers import SAMPLERS
from sweep.search.choosing.tpe import ENQUEUED
from sweep.search.space.defaults import (
    constants_to_set,
    default,
    default_parameters,
    first_trials,
    nearest,
)
from sweep.search.space.space import Arm, Space
from tests.search.space.test_named import named
from tests.studies import CALM, assert_same_results, content, everything, finite, inside, laws, run, tiny

# --------------------------------------------------------------------------------------------------------- the nearest

positive = st.floats(5e-324, sys.float_info.max)
numbers = st.sampled_from([0.0, -1.0, 1e-8, 0.1, 1.0]) | st.floats(-1e6, 1e6) | positive
choices = st.lists(numbers, min_size=2, max_size=6, unique=True).map(lambda values: Choices(tuple(values)))
flags = st.permutations([False, True]).map(lambda values: Choices(tuple(values)))


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    """Linear, logarithmic or of whole numbers."""
    form = draw(st.sampled_from(["linear", "log", "integer"]))
    if form == "integer":
        first, last = sorted((draw(st.integers(-50, 50)), draw(st.integers(-50, 50))))
        return Range(float(first), float(last), integer=True)
    number = positive if form == "log" else st.floats(-1e6, 1e6)
    low, high = sorted((draw(number), draw(number)))
    return Range(low, high, log=form == "log")


anything: st.SearchStrategy[Search] = choices | flags | ranges() | numbers.map(Fixed)


@laws
@given(search=anything, value=numbers)
def test_the_nearest_value_is_one_that_is_searched_and_is_its_own_nearest(search: Search, value: float) -> None:
    found = nearest(search, value)
    assert inside(search, found)
    assert nearest(search, found) == found


@laws
@given(search=anything, value=numbers, place=st.integers(0, 5))
def test_a_value_that_is_searched_is_its_own_nearest(search: Search, value: float, place: int) -> None:
    if isinstance(search, Choices):
        value = search.values[place % len(search.values)]
    elif isinstance(search, Fixed):
        value = search.value
    if inside(search, value):
        assert nearest(search, value) == value


def ratio(one: float, other: float) -> Fraction:
    """How many times the larger is the smaller, exactly."""
    small, large = sorted((Fraction(one), Fraction(other)))
    return large / small


@laws
@given(search=choices, value=numbers)
def test_the_nearest_choice_is_the_value_or_the_positive_one_of_the_smallest_ratio_or_that_of_the_smallest_difference(
    search: Choices, value: float
) -> None:
    found = nearest(search, value)
    above = [choice for choice in search.values if choice > 0]
    if value in search.values:
        assert found == value
    elif value > 0 and above:
        assert found in above
        # The logarithms of two ratios, of up to 1,500, are told apart to a rounding.
        assert ratio(found, value) <= min(ratio(choice, value) for choice in above) * (1 + Fraction(1, 10**12))
    else:
        least = min(abs(choice - value) for choice in search.values)
        assert 1.0 + abs(found - value) == 1.0 + least, "nearer than a rounding of 1 is as near"


@laws
@given(search=ranges(), value=numbers)
def test_the_nearest_value_of_a_range_is_the_value_or_the_end_on_its_side(search: Range, value: float) -> None:
    found = nearest(search, value)
    if value <= search.low or value >= search.high:
        assert found == (search.low if value <= search.low else search.high)
    elif search.integer:
        assert abs(found - value) <= 0.5
    else:
        assert found == value


@pytest.mark.parametrize(
    ("values", "value", "expected"),
    [
        ((0.001, 0.1), 0.009, 0.001),  # nine times, and eleven times
        ((0.001, 0.1), 0.011, 0.1),
        ((0.0, 1.0), 1e-8, 1.0),  # nothing is no small number: it may mean another rule
        ((0.0, 1.0), 0.0, 0.0),
        ((-1.0, -4.0), 3.0, -1.0),
        ((5e-324, 1e308), 1e-300, 5e-324),
        ((5e-324, 1e308), 1.0, 1e308),
    ],
)
def test_known_nearest_choices(values: tuple[float, ...], value: float, expected: float) -> None:
    assert nearest(Choices(values), value) == expected


# -------------------------------------------------------------------------------------------------------- the defaults


@laws
@given(search=named())
def test_the_default_of_every_arm_is_a_trial_that_the_study_might_have_tried(search: dict[str, Any]) -> None:
    space = tiny(search=search).space()
    for arm in space.arms:
        parameters = default_parameters(space, arm)
        assert space.misfit(parameters) == ""
        assert Arm.of(parameters) == arm
        assert default(space, arm) == space.configuration(parameters)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("epochs", [1, 3, 40])
def test_defaults_fit_the_space_of_every_convention_at_every_length(convention: str, epochs: int) -> None:
    found = 0
    for optimizer, schedule in product(OPTIMIZERS, SCHEDULES):
        search = {"convention": convention, "optimizers": [optimizer], "schedules": [schedule]}
        try:
            space = tiny(search=search, network={"epochs": epochs}).space()
        except UsageError:
            continue  # the library has not both
        found += 1
        assert space.misfit(default_parameters(space, Arm(optimizer, schedule))) == ""
    assert found > 3


def declared(space: Space, arm: Arm) -> dict[str, Any]:
    """What each number of an arm is by default, whatever the study searches; the last element of a list goes on."""
    optimizer, schedule = OPTIMIZERS[space.kind(arm.optimizer)], SCHEDULES[space.kind(arm.schedule)]
    found: dict[str, Any] = {"learning_rate": optimizer.default_rate}
    for name, kind in ((arm.optimizer, optimizer), (arm.schedule, schedule)):
        for parameter in hyperparameters(kind):
            if isinstance(parameter.default, tuple):
                for place in range(12):
                    last = min(place, len(parameter.default) - 1)
                    found[f"{name}.{parameter.name}.{place + 1}"] = parameter.default[last]
            else:
                found[f"{name}.{parameter.name}"] = parameter.default
    return found


@laws
@given(search=named())
def test_a_default_keeps_what_is_fixed_and_has_else_what_is_declared_or_lies_nearest(search: dict[str, Any]) -> None:
    space = tiny(search=search).space()
    for arm in space.arms:
        wanted, found = declared(space, arm), default_parameters(space, arm)
        for name, entry in space.entries(arm).items():
            if isinstance(entry, Fixed):
                assert name not in found
            elif inside(entry, wanted[name]):
                assert found[name] == wanted[name]
            else:
                assert found[name] == nearest(entry, wanted[name])


def test_the_default_of_every_arm_is_what_somebody_has_who_sets_nothing_where_the_ranges_have_room() -> None:
    """In a study of 40 epochs that says nothing, only the constants of schedules that go by its length are its own."""
    space = everything().space()
    for arm in space.arms:
        found, kind = default(space, arm), OPTIMIZERS[arm.optimizer]
        assert found.learning_rate == kind.default_rate
        assert found.optimizer == kind()
        plain = SCHEDULES[arm.schedule]()
        for parameter in hyperparameters(plain):
            own, usual = getattr(found.schedule, parameter.name), getattr(plain, parameter.name)
            assert own == usual or parameter.search.resolved(40) != parameter.search or isinstance(own, tuple)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_usual_rate_of_every_optimizer_is_one_that_a_study_would_search(name: str) -> None:
    kind = OPTIMIZERS[name]
    assert kind.default_rate > 0
    assert finite(kind.default_rate)
    rate = tiny(search={"optimizers": [name]}).space().learning_rate
    assert inside(rate, kind.default_rate)


@pytest.mark.parametrize("length", [1, 2, 3, 12])
def test_a_list_longer_than_its_default_goes_on_with_the_last_element(length: int) -> None:
    lists = {"boundaries": [{"low": 1.0, "high": 40.0}] * length, "factors": [{"low": 0.01, "high": 1.0}] * length}
    space = tiny(search={"schedules": ["piecewise"], "schedule": {"piecewise": lists}}).space()
    found = default(space, Arm("sgd", "piecewise")).schedule
    assert isinstance(found, Piecewise)
    assert found.boundaries == (10.0, 20.0, *[20.0] * 10)[:length]
    assert found.factors == (0.1, 0.01, *[0.01] * 10)[:length]


def test_in_a_short_training_a_default_drops_the_rate_while_there_is_time() -> None:
    space = tiny(search={"schedules": ["step"]}, network={"epochs": 4}).space()
    assert Step().every > 4
    found = default(space, Arm("sgd", "step")).schedule
    assert isinstance(found, Step)
    assert found.every < 4


@laws
@given(search=named())
def test_constants_to_set_are_the_numbers_that_are_searched(search: dict[str, Any]) -> None:
    space = tiny(search=search).space()
    for arm in space.arms:
        assert constants_to_set(space, arm) == len(default_parameters(space, arm).keys() - {"optimizer", "schedule"})


# -------------------------------------------------------------------------------------------------------- what is first


@laws
@given(search=named())
def test_the_first_trials_are_the_defaults_of_all_arms_once_each(search: dict[str, Any]) -> None:
    space = tiny(search=search).space()
    found = first_trials(space)
    assert sorted(map(str, map(Arm.of, found))) == sorted(map(str, space.arms))
    assert all(each == default_parameters(space, Arm.of(each)) for each in found)


@laws
@given(search=named())
def test_every_optimizer_comes_with_the_simplest_schedule_first(search: dict[str, Any]) -> None:
    space = tiny(search=search).space()
    found = [Arm.of(each) for each in first_trials(space)]
    schedules = [schedule for schedule, _ in groupby(found, key=lambda arm: arm.schedule)]
    assert len(schedules) == len(set(schedules)), "one schedule after the other"
    for schedule in schedules:
        assert [arm.optimizer for arm in found if arm.schedule == schedule] == list(space.optimizers)
    counts = [
        sum(len(entry) if isinstance(entry, tuple) else 1 for entry in space.schedules[name].values())
        for name in schedules
    ]
    assert counts == sorted(counts)


def test_the_first_of_all_is_a_constant_rate() -> None:
    found = first_trials(everything().space())
    assert [each["schedule"] for each in found[: len(OPTIMIZERS)]] == ["constant"] * len(OPTIMIZERS)


SEARCH: dict[str, Any] = {
    "optimizers": ["sgd", "rmsprop"], "schedules": ["step", "constant"], "learning_rate": CALM["learning_rate"],
}  # fmt: skip


def study(**section: Any) -> dict[str, Any]:
    """Three generations of eight; the defaults of four arms are the first half of the first."""
    return content(study={"trials": 24, "generation": 8, "defaults": True} | section, search=SEARCH)


@functools.cache
def at_once(sampler: str) -> Result:
    return run(study(sampler=sampler), Path(tempfile.mkdtemp()))


def defaults_of(study: Mapping[str, Any]) -> list[dict[str, Any]]:
    return first_trials(sweep.door.api.resolve(study).space())


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "grid"] + ["optuna:TPESampler"])
def test_the_first_trials_of_a_study_are_the_defaults_of_its_arms_and_the_sampler_knows_it(
    sampler: str,
) -> None:
    result = at_once(sampler)
    wanted = defaults_of(study(sampler=sampler))
    trials = result.study.trials
    assert [trial.params for trial in trials[:4]] == wanted
    assert [trial.system_attrs.get(ENQUEUED) for trial in trials[:4]] == wanted
    assert not any(ENQUEUED in trial.system_attrs for trial in trials[4:])
    assert len(trials) == 24
    assert [trial.user_attrs["generation"] for trial in trials] == [n // 8 for n in range(24)]
    assert all(result.spec.space().misfit(trial.params) == "" for trial in trials)


def test_what_the_defaults_have_reached_changes_what_is_proposed_next(tmp_path: Path) -> None:
    """TPE, past its random start: the same study on other data goes on otherwise."""
    results = [
        run(study(sampler="tpe", trials=32) | {"data": {"name": name}}, tmp_path / name) for name in ("iris", "wine")
    ]
    one, other = ([trial.params for trial in result.study.trials] for result in results)
    assert one[:10] == other[:10]
    assert one != other


def test_a_study_says_nothing_and_tries_the_defaults_unless_it_compares_or_goes_over_a_grid() -> None:
    for mode, sampler, wanted in (
        ("optimize", "", True), ("optimize", "tpe", True), ("optimize", "random", True), ("optimize", "qmc", True),
        ("optimize", "grid", False), ("compare", "", False),
    ):  # fmt: skip
        said = content(study={"mode": mode, "sampler": sampler})
        del said["study"]["defaults"]
        spec = sweep.door.api.resolve(said)
        assert (spec.first_trials() != []) is wanted
        assert spec.resolved()["study"]["defaults"] is wanted


def test_without_defaults_the_sampler_proposes_all(tmp_path: Path) -> None:
    result = run(study(defaults=False), tmp_path)
    assert not any(ENQUEUED in trial.system_attrs for trial in result.study.trials)
    wanted = defaults_of(study())
    assert not any(trial.params in wanted for trial in result.study.trials)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"mode": "compare", "sampler": ""}, r"defaults.*: leave it out, or use mode = \"optimize\""),
        ({"sampler": "grid"}, r'defaults.*the sampler "grid" tries its own combinations only: use another sampler'),
    ],
    ids=["compare", "grid"],
)
def test_comparing_and_a_grid_refuse_defaults_in_one_line(tmp_path: Path, section: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        run(study(**section), tmp_path / "runs")
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_an_arm_has_its_default_first_also_where_a_total_is_smaller_than_there_are_arms(tmp_path: Path) -> None:
    result = run(study(trials=3), tmp_path)
    assert [trial.params for trial in result.study.trials] == defaults_of(study())[:3]


@pytest.mark.parametrize(
    ("sampler", "totals"),
    [
        *product([name for name in SAMPLERS if name != "grid"], [(2,), (6, 13)]),
        ("optuna:TPESampler", (2,)),  # Optuna's own know, when a run begins again, all that was told: here nothing
    ],
)
def test_a_total_that_is_raised_later_gives_what_it_gives_at_once(
    tmp_path: Path, sampler: str, totals: tuple[int, ...]
) -> None:
    """Also where it ends among the defaults, or within a generation."""
    for total in totals:
        run(study(sampler=sampler, trials=total), tmp_path / "raised")
    raised = run(study(sampler=sampler), tmp_path / "raised")
    assert_same_results(raised, at_once(sampler))


def test_what_a_study_is_told_to_start_from_comes_first_and_no_default_twice(tmp_path: Path) -> None:
    wanted = defaults_of(study())
    own = {"optimizer": "sgd", "schedule": "constant", "learning_rate": 0.0042}
    assert own not in wanted
    told = [own, wanted[2]]
    result = run(study(start=told), tmp_path)
    assert [trial.params for trial in result.study.trials[:5]] == [own, wanted[2], wanted[0], wanted[1], wanted[3]]
    assert all(ENQUEUED in trial.system_attrs for trial in result.study.trials[:5])
    assert ENQUEUED not in result.study.trials[5].system_attrs


def test_a_study_may_start_from_given_configurations_alone(tmp_path: Path) -> None:
    own = {"optimizer": "sgd", "schedule": "constant", "learning_rate": 0.0042}
    result = run(study(start=[own], defaults=False), tmp_path)
    assert result.study.trials[0].params == own
    assert ENQUEUED not in result.study.trials[1].system_attrs


def test_defaults_that_diverge_are_told_like_any_other(tmp_path: Path) -> None:
    far = {"learning_rate": {"low": 1e6, "high": 1e8, "log": True}, "optimizers": ["sgd", "momentum"]}
    result = run(content(study={"defaults": True}, search=far), tmp_path)
    first = result.trials.head(4)
    assert set(first["state"]) == {"diverged"}
    assert (first["learning_rate"] == 1e6).all(), "the nearest that is searched"
    assert all(math.isfinite(value) for value in first["objective"])
