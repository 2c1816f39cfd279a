"""The combinations of a space, and TPE on a space with finitely many configurations."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.hyper import Choices, Fixed, Range, Search
from sweep.search.choosing.samplers import SAMPLERS
from sweep.search.running.loop import total_trials
from sweep.search.space.combinations import COUNTABLE, Combinations, every_value, everything, grid, grid_values
from sweep.search.space.space import Space
from tests.search.choosing.test_samplers import goodness
from tests.studies import content, inside, laws, run, searches, tiny

optuna.logging.set_verbosity(optuna.logging.WARNING)


def some(low: int, high: int) -> st.SearchStrategy[Search]:
    """A number, choices, or a short range of whole numbers; all of them between two bounds."""
    numbers = st.integers(low, high)
    ranges = st.tuples(numbers, numbers).filter(lambda ends: 0 < ends[1] - ends[0] < 4)
    return (
        numbers.map(lambda n: Fixed(float(n)))
        | st.lists(numbers, min_size=2, max_size=3, unique=True).map(lambda n: Choices(tuple(map(float, n))))
        | ranges.map(lambda ends: Range(float(ends[0]), float(ends[1]), integer=True))
    )


flags: st.SearchStrategy[Search] = st.sampled_from([Fixed(True), Choices((False, True))])
rates: st.SearchStrategy[Search] = st.sampled_from([Fixed(0.1), Choices((0.01, 0.1)), Choices((0.5, 0.1, 1.0))])
finite_spaces = st.builds(
    Space,
    learning_rate=rates,
    optimizers=st.sampled_from([("sgd",), ("momentum",), ("sgd", "momentum")]).flatmap(
        lambda names: st.fixed_dictionaries({n: st.fixed_dictionaries(OWN[n]) for n in names})
    ),
    schedules=st.sampled_from([("constant",), ("step",), ("constant", "step"), ("piecewise", "constant")]).flatmap(
        lambda names: st.fixed_dictionaries({n: st.fixed_dictionaries(OWN[n]) for n in names})
    ),
)
OWN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "sgd": {},
    "momentum": {"nesterov": flags},
    "constant": {},
    "step": {"every": some(1, 9), "divisor": some(2, 9)},
    "piecewise": {"boundaries": st.tuples(some(1, 9), some(1, 9))},
}

Key = tuple[tuple[str, Any], ...]


def key(parameters: dict[str, Any]) -> Key:
    return tuple(sorted(parameters.items()))


def listed(search: Search) -> list[float]:
    """All values, counted up one by one."""
    match search:
        case Fixed(value):
            return [value]
        case Choices(values):
            return list(values)
        case Range(low, high):
            return [low + step for step in range(1000) if low + step <= high]


def by_nested_loops(space: Space) -> set[Key]:
    """Every configuration of a finite space."""
    found = set()
    for optimizer, schedule in itertools.product(space.optimizers, space.schedules):
        numbers: dict[str, Search] = {"learning_rate": space.learning_rate}
        for kind, constants in ((optimizer, space.optimizers[optimizer]), (schedule, space.schedules[schedule])):
            for field, search in constants.items():
                if isinstance(search, tuple):
                    numbers |= {f"{kind}.{field}.{place + 1}": element for place, element in enumerate(search)}
                else:
                    numbers[f"{kind}.{field}"] = search
        for values in itertools.product(*map(listed, numbers.values())):
            chosen = dict(zip(numbers, values, strict=True))
            free = {name: value for name, value in chosen.items() if not isinstance(numbers[name], Fixed)}
            found.add(key({"optimizer": optimizer, "schedule": schedule} | free))
    return found


@laws
@given(space=finite_spaces)
def test_everything_is_every_configuration_once(space: Space) -> None:
    every = everything(space)
    assert every is not None
    found = [every[index] for index in range(every.size)]
    assert len(found) == len(set(map(key, found)))
    assert set(map(key, found)) == by_nested_loops(space)
    for parameters in found:
        assert space.misfit(parameters) == ""
        assert space.configuration(parameters).optimizer.name == parameters["optimizer"]


@laws
@given(search=searches())
def test_a_grid_over_any_space_has_every_combination_of_its_values_once(search: dict[str, Any]) -> None:
    space = tiny(**content() | {"search": search}).space()
    over = grid(space)
    sizes = [math.prod(len(grid_values(s)) for s in space.entries(arm).values()) for arm in space.arms]
    assert over.size == sum(sizes)
    ends = [0, over.size - 1, *itertools.accumulate(sizes[:-1])]
    places = {min(max(end + step, 0), over.size - 1) for end in ends for step in range(-20, 20)}
    found = [over[place] for place in places]
    assert len(set(map(key, found))) == len(places)
    for parameters in found:
        assert space.misfit(parameters) == ""


@laws
@given(search=some(-9, 9))
def test_every_value_is_each_that_the_search_may_give(search: Search) -> None:
    values = list(every_value(search))
    assert values == listed(search)
    assert all(inside(search, value) for value in values)


@pytest.mark.parametrize("log", [False, True])
def test_a_range_of_any_numbers_cannot_be_counted(log: bool) -> None:
    continuous = Range(0.1, 0.2, log)
    with pytest.raises(ValueError, match="more values than can be counted"):
        every_value(continuous)
    assert everything(Space(continuous, {"sgd": {}}, {"constant": {}})) is None
    one_of_many = Space(Choices((0.1, 0.2)), {"sgd": {}, "momentum": {"momentum": continuous}}, {"constant": {}})
    assert everything(one_of_many) is None


@pytest.mark.parametrize(("last", "countable"), [(COUNTABLE, True), (COUNTABLE + 1, False)])
def test_there_is_an_end_to_counting(last: int, countable: bool) -> None:
    found = everything(Space(Fixed(0.1), {"sgd": {}}, {"step": {"every": Range(1.0, float(last), integer=True)}}))
    assert (found is not None) == countable
    if found:
        assert found[COUNTABLE - 1]["step.every"] == COUNTABLE


def test_a_combination_is_made_when_it_is_asked_for() -> None:
    many = Range(1.0, 1e6, integer=True)
    space = Space(Choices((0.1, 0.2)), {"sgd": {}}, {"step": {"every": many, "divisor": many}})
    over = Combinations(space, every_value)
    assert over.size == 2 * 10**12
    assert over[over.size - 1] == {
        "optimizer": "sgd", "schedule": "step", "learning_rate": 0.2, "step.every": 10**6, "step.divisor": 10**6,
    }  # fmt: skip


def proposed(space: Space, generation: int, enqueued: list[dict[str, Any]], count: int) -> list[Key]:
    """The configurations of a study's trials, some of them enqueued before it begins."""
    study = optuna.create_study(sampler=SAMPLERS["tpe"](space, 3, generation))
    for parameters in enqueued:
        study.enqueue_trial(parameters)
    study.optimize(lambda trial: goodness(space.suggest(trial)), n_trials=count)
    return [key(trial.params) for trial in study.trials]


@laws
@given(space=finite_spaces, generation=st.integers(1, 9), data=st.data())
def test_tpe_proposes_each_configuration_once_until_they_are_used_up(
    space: Space, generation: int, data: st.DataObject
) -> None:
    every = by_nested_loops(space)
    enqueued = data.draw(st.lists(st.sampled_from(sorted(every)), max_size=12, unique=True))
    count = min(len(every), 60)
    found = proposed(space, generation, [dict(chosen) for chosen in enqueued], count)
    assert found[: len(enqueued)] == enqueued
    assert len(set(found)) == count
    assert set(found) <= every


def test_tpe_goes_on_when_a_generation_is_larger_than_what_is_left() -> None:
    space = Space(Choices((0.1, 0.2, 0.3, 0.4, 0.5)), {"sgd": {}}, {"constant": {}})
    found = proposed(space, 4, [], 12)
    assert len(set(found[:5])) == 5
    assert len(found) == 12


FINITE = {
    "learning_rate": [0.01, 0.02, 0.05],
    "optimizers": ["sgd", "momentum"],
    "schedules": ["constant"],
    "optimizer": {"momentum": {"momentum": [0.5, 0.9, 0.99]}},
}
START = [
    {"optimizer": "momentum", "schedule": "constant", "learning_rate": 0.05, "momentum.momentum": 0.9},
    {"optimizer": "sgd", "schedule": "constant", "learning_rate": 0.02},
]


@pytest.mark.parametrize("generation", [4, 5, 12, 50])
@pytest.mark.parametrize("start", [[], START], ids=["cold", "warm"])
def test_a_study_over_a_finite_space_ends_when_it_is_used_up(
    tmp_path: Path, generation: int, start: list[dict[str, Any]]
) -> None:
    study = content(study={"sampler": "tpe", "trials": 50, "generation": generation, "start": start}, search=FINITE)
    result = run(study, tmp_path)
    assert total_trials(result.spec) == len(result.trials) == 12
    assert [trial.params for trial in result.study.trials[: len(start)]] == start
    assert {key(trial.params) for trial in result.study.trials} == by_nested_loops(result.spec.space())


def test_a_finite_space_limits_nobody_who_does_not_count() -> None:
    for sampler, total in (("tpe", 12), ("grid", 12), ("random", 50), ("qmc", 50), ("optuna:TPESampler", 50)):
        assert total_trials(tiny(study={"sampler": sampler, "trials": 50}, search=FINITE)) == total
        assert total_trials(tiny(study={"sampler": sampler, "trials": 7}, search=FINITE)) == 7
