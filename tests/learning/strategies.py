"""What the property tests of this room draw: rules of any kind with any constants, populations, small data sets.

Everything follows from the tables and from what the fields declare, so a newcomer's class is drawn as well.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

from sweep.learning.configuration import Configuration
from sweep.learning.datasets import Task
from sweep.learning.hyper import Choices, Domain, Fixed, Hyperparameter, hyperparameters
from sweep.learning.network import ACTIVATIONS, INITIAL_WEIGHTS
from sweep.learning.optimizers import OPTIMIZERS, Optimizer
from sweep.learning.schedules import SCHEDULES, Piecewise, Schedule
from sweep.learning.splits import Data, Part
from sweep.learning.training import Settings

EPOCHS = 6  # ranges that are fractions of the training are meant for one of this length
BEYOND = 5.0  # how far an endless domain is drawn from
MARGIN = (
    1e-4  # how near an open end a constant may come: 1 - 0.9999 still keeps 12 digits, and 1 / 1e-4 overflows nowhere
)

Rule = TypeVar("Rule", Optimizer, Schedule)


def legal(domain: Domain) -> st.SearchStrategy[float]:
    """Any legal number that is neither astronomically large nor next to nothing."""
    low = max(domain.low, -BEYOND)
    high = min(domain.high, max(low, 0.0) + BEYOND)
    if domain.integer:
        return st.integers(math.ceil(low), math.floor(high)).map(float)
    inside = st.floats(low + MARGIN * domain.low_open, high - MARGIN * domain.high_open)
    return inside.map(lambda number: number if abs(number) >= MARGIN else 0.0 if domain.contains(0.0) else MARGIN)


def illegal(parameter: Hyperparameter) -> list[Any]:
    """Values that a hyperparameter must refuse: wrong kinds, and numbers just outside its domain."""
    domain = parameter.domain
    outside = [math.nan, "0.5", True, None]
    outside += [domain.low if domain.low_open else domain.low - 1] * math.isfinite(domain.low)
    outside += [domain.high if domain.high_open else domain.high + 1]
    return outside + [1.5] * domain.integer


def searched(parameter: Hyperparameter) -> st.SearchStrategy[float]:
    """A number that a study would try if it said nothing."""
    search = parameter.search.resolved(EPOCHS)
    if isinstance(search, Fixed):
        return st.just(float(search.value))
    if isinstance(search, Choices):
        return st.sampled_from(search.values)
    if search.integer:
        return st.integers(int(search.low), int(search.high)).map(float)
    return st.floats(search.low, search.high)


def constants(kind: type[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Keyword arguments of one rule; its vector fields get one common length."""

    def of_length(length: int) -> st.SearchStrategy[dict[str, Any]]:
        drawn: dict[str, st.SearchStrategy[Any]] = {}
        for parameter in hyperparameters(kind):
            number = searched(parameter) | legal(parameter.domain)
            drawn[parameter.name] = st.tuples(*[number] * length) if parameter.vector else number
        return st.fixed_dictionaries(drawn)

    return st.integers(0, 3).flatmap(of_length)


def rules(kind: type[Rule]) -> st.SearchStrategy[Rule]:
    """One optimizer or schedule of this kind."""
    return constants(kind).map(lambda chosen: kind(**chosen))


optimizers: st.SearchStrategy[Optimizer] = st.sampled_from(sorted(OPTIMIZERS)).flatmap(lambda n: rules(OPTIMIZERS[n]))
schedules: st.SearchStrategy[Schedule] = st.sampled_from(sorted(SCHEDULES)).flatmap(lambda n: rules(SCHEDULES[n]))

# From rates that learn over rates that diverge in an epoch to rates that overflow at the first update.
learning_rates = st.floats(-4.0, 3.0).map(lambda power: 10.0**power) | st.sampled_from([1e8, 1e20, 1e38, 1e300])

configurations: st.SearchStrategy[Configuration] = st.builds(Configuration, learning_rates, optimizers, schedules)


def small_data(
    task: Task, samples: int = 20, inputs: int = 3, outputs: int = 2, *, seed: int = 0, held_out: int = 10
) -> Data:
    """A data set that a linear network can learn most of, so that small rates do not diverge on it."""
    random = np.random.default_rng(seed)
    teacher = random.normal(size=(inputs, outputs))

    def part(count: int) -> Part:
        given = random.normal(size=(count, inputs))
        targets = given @ teacher + 0.1 * random.normal(size=(count, outputs))
        if task == "classification":
            targets = np.eye(outputs)[np.argmax(targets, axis=1)]
        return Part(given, targets)

    return Data(task, part(samples), part(held_out), part(held_out), np.arange(outputs), None, None, "")


trainings = st.builds(
    Settings,
    hidden=st.lists(st.integers(1, 6), max_size=3).map(tuple),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    initial_weights=st.sampled_from(sorted(INITIAL_WEIGHTS)),
    dtype=st.sampled_from(["float32", "float64"]),
    epochs=st.integers(1, 4),
    batch_size=st.integers(1, 30),  # from single samples to more than there are
    replicates=st.integers(1, 3),
)
data_sets = st.builds(
    small_data,
    st.sampled_from(["classification", "regression"]),
    samples=st.integers(1, 25),
    inputs=st.integers(1, 5),
    outputs=st.integers(1, 4),
    held_out=st.integers(1, 6),
)


def mixed(count: int) -> list[Configuration]:
    """Every optimizer with every schedule in turn; every fifth trial jumps to a rate far too large, soon or late."""
    random = np.random.default_rng(11)
    optimizers, schedules = list(OPTIMIZERS.values()), list(SCHEDULES.values())
    population = []
    for k in range(count):
        schedule: Schedule = schedules[(k // 2) % len(schedules)](warmup=float(k % 3))
        if k % 5 == 4:
            schedule = Piecewise(boundaries=(float(k % 4),), factors=(10.0 ** random.uniform(4, 30),))
        optimizer = optimizers[k % len(optimizers)]()
        population.append(Configuration(10.0 ** random.uniform(-3, -1), optimizer, schedule))
    return population


BUSY: dict[str, dict[str, Any]] = {  # constants that make a schedule do something within four epochs
    "step": {"every": 1.5},
    "piecewise": {"boundaries": (1.0, 2.25), "factors": (0.1, 0.5)},
    "plateau": {"patience": 0.0, "threshold": 0.3},
    "linear": {"duration": 3.0, "warmup": 0.75},
    "cosine": {"duration": 3.0, "end": 0.1},
}


def busy(name: str) -> Schedule:
    """A schedule of this kind that changes the rate within four epochs."""
    return SCHEDULES[name](**BUSY.get(name, {}))
