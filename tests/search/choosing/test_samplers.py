from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Choices, Fixed, Range, Search
from sweep.search.choosing.samplers import SAMPLERS, Balanced, Joint, Planned
from sweep.search.running.loop import total_trials
from sweep.search.space.combinations import GRID_POINTS, grid, grid_values
from sweep.search.space.space import Arm, Space
from tests.studies import content, everything, inside, laws, searches, tiny

optuna.logging.set_verbosity(optuna.logging.WARNING)

GENERATION = 4
EVERY: dict[str, type[Joint]] = SAMPLERS | {"balanced": Balanced}


def names(table: dict[str, Any]) -> list[Any]:
    return list(table)


PLANNED = {name: kind for name, kind in EVERY.items() if issubclass(kind, Planned)}
# Two arms and three choices: TPE's ten random trials are over soon, and a grid is small.
SMALL = tiny(
    search={
        "learning_rate": {"low": 1e-3, "high": 1.0, "log": True},
        "optimizers": ["sgd", "momentum"],
        "schedules": ["constant"],
        "optimizer": {"momentum": {"momentum": [0.5, 0.9, 0.99]}},
    }
).space()


def goodness(configuration: Configuration) -> float:
    """A stand-in for training: best near the rate 0.03."""
    return abs(math.log(configuration.learning_rate / 0.03)) + (configuration.optimizer.name == "sgd")


def proceed(study: optuna.Study, sampler: Joint, space: Space, until: int) -> list[Configuration]:
    """Ask and tell trials until there are so many; give the new ones' configurations."""
    found = []
    study.sampler = sampler
    while len(study.trials) < until:
        trial = study.ask()
        found.append(space.suggest(trial))
        study.tell(trial, goodness(found[-1]))
    return found


def proposals(kind: type[Joint], space: Space, seed: int, count: int = 24) -> list[Configuration]:
    return proceed(optuna.create_study(), kind(space, seed, GENERATION), space, count)


def assert_legal(space: Space, configuration: Configuration) -> None:
    """Every number is one that the space may give; that the fields are legal the configuration checks itself."""
    arm = Arm(configuration.optimizer.name, configuration.schedule.name)
    assert arm in space.arms
    record = configuration.record()
    for name, search in space.entries(arm).items():
        kind, _, field = name.partition(".")
        column = f"{'optimizer' if kind == arm.optimizer else 'schedule'}.{field}" if field else name
        assert inside(search, float(record[column])), name


@pytest.mark.parametrize("name", names(EVERY))
@pytest.mark.parametrize("space", [SMALL, everything().space()], ids=["small", "everything"])
def test_every_proposal_is_legal(name: str, space: Space) -> None:
    for configuration in proposals(EVERY[name], space, seed=3):
        assert_legal(space, configuration)


@pytest.mark.parametrize("name", names(PLANNED))
@laws
@given(search=searches(), seed=st.integers(0, 2**32 - 1))
def test_a_planned_proposal_is_legal_in_any_space(name: str, search: dict[str, Any], seed: int) -> None:
    space = tiny(**content() | {"search": search}).space()
    for configuration in proposals(PLANNED[name], space, seed, count=4):
        assert_legal(space, configuration)


@pytest.mark.parametrize("name", names(EVERY))
def test_two_fresh_studies_of_one_seed_are_proposed_the_same(name: str) -> None:
    assert proposals(EVERY[name], SMALL, seed=7) == proposals(EVERY[name], SMALL, seed=7)


@pytest.mark.parametrize("name", names(EVERY))
def test_another_seed_gives_other_proposals(name: str) -> None:
    assert proposals(EVERY[name], SMALL, seed=7) != proposals(EVERY[name], SMALL, seed=8)


@pytest.mark.parametrize("name", names(EVERY))
@pytest.mark.parametrize("pause", [1, 9, 17])
def test_a_new_sampler_goes_on_where_another_process_stopped(name: str, pause: int) -> None:
    study = optuna.create_study()
    before = proceed(study, EVERY[name](SMALL, 7, GENERATION), SMALL, pause)
    after = proceed(study, EVERY[name](SMALL, 7, GENERATION), SMALL, 24)
    assert before + after == proposals(EVERY[name], SMALL, seed=7)


@pytest.mark.parametrize("name", names(PLANNED))
@laws
@given(numbers=st.lists(st.integers(0, 300), min_size=1, max_size=8))
def test_a_plan_does_not_depend_on_the_order_of_asking(name: str, numbers: list[int]) -> None:
    one, other = PLANNED[name](SMALL, 5, GENERATION), PLANNED[name](SMALL, 5, GENERATION)
    assert isinstance(one, Planned)
    assert isinstance(other, Planned)
    asked = {number: one.plan(number) for number in numbers}
    assert asked == {number: other.plan(number) for number in sorted(set(numbers), reverse=True)}


def test_tpe_learns_from_what_was_told() -> None:
    def late(better: float) -> list[Configuration]:
        study = optuna.create_study()
        study.sampler = SAMPLERS["tpe"](SMALL, 7, GENERATION)
        for _ in range(24):
            trial = study.ask()
            study.tell(trial, better * goodness(SMALL.suggest(trial)))
        return [SMALL.configuration(trial.params) for trial in study.trials]

    small, large = late(better=1.0), late(better=-1.0)
    # The first ten are random; a generation does not know the one before it.
    assert small[:16] == large[:16]
    assert small[16:] != large[16:]


@pytest.mark.parametrize("power", [1, 3, 5])
@laws
@given(seed=st.integers(0, 2**32 - 1))
def test_qmc_puts_one_trial_into_each_of_as_many_bins_of_every_dimension(power: int, seed: int) -> None:
    # The defining property of a scrambled Sobol' sequence in base 2, in each coordinate alone. Random search has it
    # with a probability of 32! / 32^32, about 1e-13, for 32 trials.
    count = 2**power
    search = {"learning_rate": {"low": 1e-3, "high": 1.0, "log": True}, "optimizers": ["rmsprop"]}
    search |= {"schedules": ["step"], "optimizer": {"rmsprop": {"decay": {"low": 0.5, "high": 0.9}}}}
    plan = SAMPLERS["qmc"](tiny(search=search).space(), seed, GENERATION)
    assert isinstance(plan, Planned)
    points = [plan.plan(number) for number in range(count)]
    rates = np.log(np.array([point["learning_rate"] for point in points]) / 1e-3) / math.log(1e3)
    decays = (np.array([point["rmsprop.decay"] for point in points]) - 0.5) / 0.4
    for places in (rates, decays):
        assert sorted(np.floor(places * count).astype(int)) == list(range(count))


@laws
@given(seed=st.integers(0, 2**32 - 1))
def test_the_grid_visits_every_combination_once_and_then_again(seed: int) -> None:
    size = GRID_POINTS * (1 + 3)  # rates for sgd; rates with each momentum for momentum
    assert grid(SMALL).size == size
    sampler = SAMPLERS["grid"](SMALL, seed, GENERATION)
    assert isinstance(sampler, Planned)
    visited = [tuple(sorted(sampler.plan(number).items())) for number in range(2 * size)]
    assert len(set(visited[:size])) == size
    assert visited[size:] == visited[:size]


def test_the_grid_of_an_arm_has_the_constants_of_that_arm_only() -> None:
    arms = Counter(c.optimizer.name for c in proposals(SAMPLERS["grid"], SMALL, seed=0, count=grid(SMALL).size))
    assert arms == {"sgd": GRID_POINTS, "momentum": 3 * GRID_POINTS}


def test_a_grid_study_has_no_more_trials_than_combinations() -> None:
    search = {"learning_rate": [0.1, 0.2], "optimizers": ["sgd"], "schedules": ["constant"]}
    assert total_trials(tiny(search=search, study={"sampler": "grid", "trials": 50})) == 2
    assert total_trials(tiny(search=search, study={"sampler": "grid", "trials": 1})) == 1
    assert total_trials(tiny(search=search, study={"sampler": "random", "trials": 50})) == 50


RANGES = st.tuples(st.integers(1, 500), st.integers(1, 500), st.booleans(), st.booleans()).filter(lambda r: r[0] < r[1])


@given(bounds=RANGES)
def test_a_grid_takes_distinct_rising_values_of_a_range_from_end_to_end(bounds: tuple[int, int, bool, bool]) -> None:
    low, high, log, integer = bounds
    search = Range(float(low), float(high), log, integer)
    values = grid_values(search)
    assert (values[0], values[-1]) == (low, high)
    assert all(a < b for a, b in itertools.pairwise(values))
    assert all(inside(search, value) for value in values)
    assert len(values) == GRID_POINTS or (integer and len(values) < GRID_POINTS)


@pytest.mark.parametrize(("search", "values"), [(Fixed(0.5), (0.5,)), (Choices((0.1, 0.9)), (0.1, 0.9))])
def test_a_grid_takes_a_fixed_value_and_choices_as_they_are(search: Search, values: tuple[float, ...]) -> None:
    assert tuple(grid_values(search)) == values


@laws
@given(search=searches(), seed=st.integers(0, 2**32 - 1), rounds=st.integers(1, 3))
def test_balanced_gives_every_arm_the_same_number_however_many_are_asked(
    search: dict[str, Any], seed: int, rounds: int
) -> None:
    space = tiny(**content() | {"search": search}).space()
    count = rounds * len(space.arms)
    asked = proposals(Balanced, space, seed, count)
    assert Counter(c.arm for c in asked) == dict.fromkeys(map(str, space.arms), rounds)
    fewer = count // 2
    assert proposals(Balanced, space, seed, fewer) == asked[:fewer]


def test_balanced_draws_the_rates_of_an_arm_independently() -> None:
    sgd = [c for c in proposals(Balanced, SMALL, seed=0, count=200) if c.optimizer.name == "sgd"]
    places = np.log([c.learning_rate / 1e-3 for c in sgd]) / math.log(1e3)
    assert len(set(places)) == len(sgd)
    # The mean of 100 uniform numbers lies within 0.15 (five standard errors) of 0.5; the seed is fixed.
    assert abs(places.mean() - 0.5) < 0.15
