"""What the property tests of this room draw: rules of any kind with any constants, populations, small data sets.

Everything follows from the tables and from what the fields declare, so a newcomer's class is drawn as well.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from itertools import product
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.table import Task
from sweep.learning.hyper import Choices, Domain, Fixed, Hyperparameter, hyperparameters
from sweep.learning.network.functions import ACTIVATIONS, INITIAL_WEIGHTS, LINEAR_ONLY
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import SCHEDULES, Join, Piecewise
from sweep.learning.training.settings import Settings

EPOCHS = 6  # ranges that are fractions of the training are meant for one of this length
BEYOND = 5.0  # how far an endless domain is drawn from
MARGIN = (
    1e-4  # how near an open end a constant may come: 1 - 0.9999 still keeps 12 digits, and 1 / 1e-4 overflows nowhere
)

Rule = TypeVar("Rule", Optimizer, Schedule)

# Gradients from far below to far above 1, of both signs, and exactly 0 (a dead unit).
gradient_values = st.floats(-6.0, 3.0).map(lambda power: 10.0**power).flatmap(lambda g: st.sampled_from([g, -g]))
gradients = st.lists(gradient_values | st.just(0.0), min_size=1, max_size=25)


def legal(domain: Domain) -> st.SearchStrategy[float]:
    """Any legal number that is neither astronomically large nor next to nothing."""
    low = max(domain.low, -BEYOND)
    high = min(domain.high, max(low, 0.0) + BEYOND)
    if domain.integer:
        return st.integers(math.ceil(low), math.floor(high)).map(float)
    inside = st.floats(low + MARGIN * domain.low_open, high - MARGIN * domain.high_open)
    return inside.map(lambda number: number if abs(number) >= MARGIN else 0.0 if domain.contains(0.0) else MARGIN)


# Where an oracle that counts one by one, or a sum that both sides round, would decide a comparison.
NARROWED: dict[tuple[str, str], st.SearchStrategy[float]] = {
    ("step", "every"): st.floats(0.1, BEYOND),  # at most 180 drops in the times drawn: each rounds the factor once
    ("cosine_restarts", "first"): st.floats(0.1, BEYOND),  # at most 180 periods, summed one by one
    # Each next period is computed as a difference, over the factor less 1: near 1 little is left of the digits.
    ("cosine_restarts", "period_factor"): st.just(1.0) | st.floats(1.01, BEYOND),
}


def values(kind: type[Any], parameter: Hyperparameter) -> st.SearchStrategy[Any]:
    """A value of this field (of one element, for a vector): what would be searched, and anything else that is legal."""
    if parameter.flag:
        return st.sampled_from([False, True, 0, 1, 0.0, 1.0])
    allowed = NARROWED.get((kind.name, parameter.name), legal(parameter.domain))
    return searched(parameter) | allowed


def illegal(parameter: Hyperparameter) -> list[Any]:
    """Values that a hyperparameter must refuse: wrong kinds, and numbers just outside its domain."""
    domain = parameter.domain
    outside = [math.nan, "0.5", None, *([0.5, -1, 2, "true"] if parameter.flag else [True])]
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


def constants(kind: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Keyword arguments of one rule; its vector fields get one common length."""
    if not any(parameter.vector for parameter in hyperparameters(kind)):
        return _of_length(kind, 0)
    return st.integers(0, 3).flatmap(lambda length: _of_length(kind, length))


@functools.cache
def _of_length(kind: Any, length: int) -> st.SearchStrategy[dict[str, Any]]:
    """Made once: making strategies takes longer than drawing from them."""
    drawn: dict[str, st.SearchStrategy[Any]] = {}
    for parameter in hyperparameters(kind):
        number = values(kind, parameter)
        drawn[parameter.name] = st.tuples(*[number] * length) if parameter.vector else number
    return st.fixed_dictionaries(drawn)


def rules(kind: type[Rule]) -> st.SearchStrategy[Rule]:
    """One optimizer or schedule of this kind."""
    return constants(kind).map(lambda chosen: kind(**chosen))


def watches(schedule: Schedule) -> bool:
    """Whether a schedule watches a loss."""
    nothing = np.ones((1, 1))
    return bool(schedule.start(nothing, nothing))


optimizers: st.SearchStrategy[Optimizer] = st.one_of([rules(kind) for kind in OPTIMIZERS.values()])
schedules: st.SearchStrategy[Schedule] = st.one_of([rules(kind) for kind in SCHEDULES.values()])
open_loop: st.SearchStrategy[Schedule] = st.one_of([rules(kind) for kind in SCHEDULES.values() if not watches(kind())])


def _joined(count: int) -> st.SearchStrategy[Join]:
    parts = [open_loop] * count
    # eighths: of them and their differences every digit is kept
    places = st.lists(st.integers(0, 100), min_size=count - 1, max_size=count - 1).map(sorted)
    return st.builds(
        Join,
        parts=st.tuples(*parts),
        boundaries=places.map(lambda chosen: tuple(n / 8 for n in chosen)),
        scales=st.just(()) | st.tuples(*[st.floats(0.0, 3.0)] * count),
        warmup=st.sampled_from([0.0, 0.5, 3.0]),
        warmup_start=st.sampled_from([0.0, 0.25]),
    )


joins: st.SearchStrategy[Join] = st.one_of([_joined(count) for count in (1, 2, 3, 4)])

# From rates that learn over rates that diverge in an epoch to rates that overflow at the first update.
learning_rates = st.floats(-4.0, 3.0).map(lambda power: 10.0**power) | st.sampled_from([1e8, 1e20, 1e38, 1e300])

configurations: st.SearchStrategy[Configuration] = st.builds(
    Configuration, learning_rates, optimizers, schedules | joins
)

moments = st.floats(0.0, 3.0 * EPOCHS)  # epochs
evenly = st.integers(0, 64).map(lambda count: np.linspace(0.0, 3.0 * EPOCHS, count).tolist())  # as many as steps
losses = st.floats(0.0, 10.0) | st.sampled_from([math.nan, math.inf, 1.0, 1.0 - 1e-3])
loss_pairs = st.tuples(losses, losses)  # of validation and training


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


def weighted(data: Data, seed: int = 0) -> Data:
    """The same with weights of the samples, some of them 0, and weights of the classes, if there are any."""
    random = np.random.default_rng(seed)
    of_class = random.uniform(0.2, 5.0, data.outputs)

    def part(given: Part) -> Part:
        weights = random.uniform(0.1, 30.0, len(given.inputs)) * (random.random(len(given.inputs)) < 0.7)
        weights[:: len(given)] = 0.5  # the first of each split: or all might be 0
        classes = of_class[given.targets.argmax(axis=1)] if data.task == "classification" else None
        return dataclasses.replace(given, weights=weights, class_weights=classes)

    return dataclasses.replace(data, train=part(data.train), validation=part(data.validation), test=part(data.test))


trainings = st.builds(
    Settings,
    hidden=st.lists(st.integers(1, 6), max_size=3).map(tuple),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    initial_weights=st.sampled_from(sorted(set(INITIAL_WEIGHTS) - set(LINEAR_ONLY))),
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
weighted_data_sets = st.builds(weighted, data_sets, st.integers(0, 99))


def arrays_of_part(part: Part) -> dict[str, Any]:
    """The arrays that a part has, by their names."""
    every = {name: getattr(part, name) for name in ("inputs", "targets", "weights", "class_weights")}
    return {name: array for name, array in every.items() if array is not None}


def one_after_the_other(splits: Sequence[Data]) -> Data:
    """Several data of the same shape as the splits of one."""

    def part(which: str) -> Part:
        parts = [getattr(data, which) for data in splits]
        arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in arrays_of_part(parts[0])}
        return Part(splits=len(parts), **arrays)

    return dataclasses.replace(splits[0], train=part("train"), validation=part("validation"), test=part("test"))


def rolled(data: Data, by: int) -> Data:
    """Data of the same shape that are others: each part's inputs exchanged among its samples, and moved a little."""

    def other(part: Part) -> Part:
        return dataclasses.replace(part, inputs=np.roll(part.inputs, by, axis=0) + 0.1 * by)

    return dataclasses.replace(data, train=other(data.train), validation=other(data.validation), test=other(data.test))


_unweighted = st.builds(
    lambda data, count: one_after_the_other([rolled(data, k) for k in range(count)]), data_sets, st.integers(1, 5)
)
# Trials, and another order of them.
companies = st.lists(configurations, min_size=2, max_size=4).flatmap(
    lambda drawn: st.tuples(st.just(drawn), st.permutations(range(len(drawn))))
)
several = _unweighted | st.builds(weighted, _unweighted, st.integers(0, 99))


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


DECAYS: list[dict[str, Any]] = [
    {},
    {"rate_decay": 0.05},
    {"weight_decay": 0.1},
    {"weight_decay": 0.5, "weight_decay_over_batch": True},
    {"weight_decay": 0.1, "weight_decay_biases": False},
    {"weight_decay": 0.1, "weight_decay_decoupled": True, "rate_decay": 0.05},
    {"weight_decay": 0.5, "weight_decay_decoupled": True, "weight_decay_biases": 0, "weight_decay_over_batch": 1},
]
KNOBS: list[dict[str, Any]] = [
    {"momentum": 0.0, "nesterov": True, "dampening": 0.5, "rate_in_velocity": False},  # no velocity: nothing to do
    {"momentum": 0.5, "nesterov": False},
    {"momentum": 0.5, "nesterov": True},
    {"momentum": 0.5, "dampening": 0.3, "rate_in_velocity": True},
    {"momentum": 0.5, "dampening": 0.3, "rate_in_velocity": False},
    {"momentum": 0.5, "dampening": 0.3, "rate_in_velocity": False, "nesterov": True},
    {"epsilon": 0.1, "epsilon_inside": True, "initial_cache": 0.1},
    {"epsilon": 0.1, "centered": True},  # with a tiny epsilon it is ill-conditioned, see the field
    {"epsilon": 0.1, "centered": True, "momentum": 0.5, "epsilon_inside": True},
    {"bias_correction": True, "decay": 0.99},
    {"epsilon": 0.1, "epsilon_before_correction": True},
]


def variants(name: str) -> list[Optimizer]:
    """An optimizer with its knobs in many positions."""
    fields = {parameter.name for parameter in hyperparameters(OPTIMIZERS[name])}
    return [OPTIMIZERS[name](**chosen) for chosen in DECAYS + KNOBS if chosen.keys() <= fields]


def uses(name: str) -> list[Optimizer]:
    """An optimizer with each combination of what it may use of its state, and with weight decay or none."""
    fields = {parameter.name for parameter in hyperparameters(OPTIMIZERS[name])}
    switches: dict[str, tuple[float, float]] = {
        "momentum": (0.0, 0.5), "centered": (0.0, 1.0), "weight_decay": (0.0, 0.1),
    }  # fmt: skip
    own = {field: both for field, both in switches.items() if field in fields}
    fixed = {"epsilon": 0.1} if "epsilon" in fields else {}
    return [OPTIMIZERS[name](**fixed, **dict(zip(own, chosen, strict=True))) for chosen in product(*own.values())]


BUSY: dict[str, list[dict[str, Any]]] = {  # constants that make a schedule do something within four epochs
    "constant": [{}, {"warmup": 1.5}, {"warmup": 1.5, "warmup_start": 0.4}],
    "step": [{"every": 1.5}, {"every": 0.5, "hold": 1.0, "floor": 0.2}],
    "exponential": [{"rate": 0.5}, {"rate": 1.0, "hold": 0.75, "floor": 0.2, "warmup": 0.5}],
    "inverse_time": [{"rate": 0.5}, {"rate": 1.0, "every": 0.75}, {"rate": 5.0, "hold": 1.0, "floor": 0.1}],
    "inverse_scaling": [{}, {"power": 0.25, "samples": 20.0}],
    "piecewise": [
        {"boundaries": (1.0, 2.25), "factors": (0.1, 0.5)},
        {"boundaries": (1.0, 2.25), "factors": (0.1, 0.5), "after": True},
    ],
    "ramps": [
        {"times": (1.25, 3.0), "factors": (2.0, 0.1)},
        {"times": (1.25, 2.0, 2.0), "factors": (2.0, 0.5, 0.1), "cosine": True},
    ],
    "plateau": [
        {"patience": 0.0, "threshold": 0.3},
        {"patience": 0.0, "threshold": 0.5, "floor": 0.3, "baseline": False, "watch_training": True},
        {"patience": 0.0, "threshold": 1.0, "cooldown": 1.0, "least_change": 0.3, "running_best": True, "absolute": 1},
    ],
    "linear": [{"duration": 3.0, "warmup": 0.75}, {"duration": 3.0, "hold": 1.0, "end": 0.2}],
    "polynomial": [{"duration": 3.0, "hold": 0.5}, {"duration": 1.5, "power": 0.5, "cycle": True, "end": 0.1}],
    "cosine": [
        {"duration": 3.0, "end": 0.1},
        {"duration": 3.0, "hold": 0.5, "exponent": 2.0},
        {"duration": 1.5, "bounce": True, "warmup": 0.25},
    ],
    "cosine_restarts": [
        {"first": 1.0},
        {"first": 0.75, "period_factor": 1.0, "peak_factor": 0.5, "end": 0.1, "warmup": 1.0},
    ],
}  # fmt: skip


def busy(name: str) -> list[Schedule]:
    """Schedules of this kind that change the rate within four epochs, with their knobs in many positions."""
    return [SCHEDULES[name](**chosen) for chosen in BUSY.get(name, [{}])]
