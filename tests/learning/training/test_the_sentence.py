"""The sentence: a trial's result depends on its configuration and its seed, and on nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data
from sweep.learning.data.source import named
from sweep.learning.data.splits import prepare
from sweep.learning.data.table import Task
from sweep.learning.hyper import telling
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import OPTIMIZERS, Adam, RMSProp, Sgd
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import SCHEDULES, Piecewise, Ramps
from sweep.learning.training.loop import Training, train
from sweep.learning.training.machine import steady
from sweep.learning.training.population import Population
from sweep.learning.training.settings import Settings
from tests.learning.bits import arrays_of
from tests.learning.strategies import (
    busy,
    companies,
    mixed,
    rules,
    several,
    small_data,
    trainings,
    uses,
    variants,
)

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def assert_rows_equal(one: Training, rows: Sequence[int], other: Training, others: Sequence[int]) -> None:
    """Every number of these trials is the same, bit for bit; NaN equals NaN."""
    for name, values in arrays_of(one).items():
        np.testing.assert_array_equal(values[list(rows)], arrays_of(other)[name][list(others)], err_msg=name)


def assert_same_alone_and_in_any_order(
    population: Sequence[Configuration], order: Sequence[int], data: Data, settings: Settings, seed: int
) -> Training:
    """What `train` gives for all of them, after having compared it with each alone and with another order."""
    together = train(population, data, settings, seed)
    shuffled = train([population[i] for i in order], data, settings, seed)
    assert_rows_equal(together, order, shuffled, range(len(order)))
    for i, configuration in enumerate(population):
        assert_rows_equal(together, [i], train([configuration], data, settings, seed), [0])
    return together


@given(
    population=companies,
    data=several,
    settings=trainings,
    seed=st.integers(0, 2**63),
)
def test_a_trial_trains_the_same_alone_in_company_and_in_any_order(
    population: tuple[list[Configuration], list[int]], data: Data, settings: Settings, seed: int
) -> None:
    settings = dataclasses.replace(settings, splits=data.splits)
    assert_same_alone_and_in_any_order(*population, data, settings, seed)


@pytest.mark.parametrize(("dtype", "batch_size"), [("float32", 1), ("float64", 1), ("float64", 2)])
def test_a_lone_trial_with_one_hidden_unit_and_tiny_minibatches_trains_the_same(dtype: str, batch_size: int) -> None:
    settings = Settings((1,), dtype=dtype, epochs=3, batch_size=batch_size)
    population = [Configuration(0.1 * (k + 1), Sgd()) for k in range(8)]
    data = small_data("classification", 20, inputs=5, outputs=10)
    assert_same_alone_and_in_any_order(population, range(8), data, settings, seed=0)


@every_dtype
def test_thirty_two_mixed_trials_on_real_data_train_the_same_alone_and_in_any_order(dtype: str) -> None:
    data = prepare(named("wine"), 3)
    settings = Settings(hidden=(16, 8), dtype=dtype, epochs=6, batch_size=16, replicates=2)
    population = mixed(32)
    order = np.random.default_rng(5).permutation(32).tolist()
    training = assert_same_alone_and_in_any_order(population, order, data, settings, seed=9)
    # Otherwise this would compare less than it says.
    assert {c.optimizer.name for c in population} == set(OPTIMIZERS)
    assert {c.schedule.name for c in population} == set(SCHEDULES)
    assert len(set(training.diverged_at.tolist())) > 2
    assert (training.epochs == 6).sum() > 16


@pytest.mark.parametrize("name", OPTIMIZERS)
@every_dtype
def test_a_trial_trains_the_same_beside_others_that_use_what_it_leaves_unused(name: str, dtype: str) -> None:
    """Velocity, mean, weight decay: each used or not, by trials that stay and by trials that leave early and late."""
    data = small_data("classification", outputs=3)
    settings = Settings((4,), dtype=dtype, epochs=5, batch_size=6, replicates=2)
    leaps = [Piecewise(boundaries=(float(k % 3),), factors=(1e30,)) for k in range(len(uses(name)))]
    leaving = [Configuration(0.02, rule, leap) for rule, leap in zip(uses(name), leaps, strict=True)]
    staying = [Configuration(0.02, rule) for rule in (*uses(name), *variants(name))]
    population = [*leaving, *staying]
    order = np.random.default_rng(5).permutation(len(population)).tolist()
    training = assert_same_alone_and_in_any_order(population, order, data, settings, seed=9)
    assert (training.diverged_at[: len(leaving)] > 0).all()
    assert (training.diverged_at[len(leaving) :] < 0).all()


def test_weight_decay_does_not_touch_the_rows_of_others() -> None:
    """Not even where nothing times what is there is not nothing."""
    chosen = [Configuration(0.5, Sgd()), Configuration(0.5, Sgd(weight_decay=0.1))]
    architecture = Settings((), dtype="float64").architecture(small_data("regression"))
    initial = np.full((1, architecture.parameters), np.inf)
    population = Population.of(chosen, architecture, initial, (np.ones(1), np.ones(1)))
    population.network.gradient[:] = 1.0
    with steady():
        population.prepare(np.full((2, 2), 0.5), np.arange(2), np.full(2, 4))
        population.update(0)
    np.testing.assert_array_equal(population.network.parameters, np.repeat([[np.inf], [np.nan]], 8, axis=1))


def test_it_does_not_depend_on_how_long_the_tables_of_others_are() -> None:
    """Tables are filled up to one length."""
    data, settings = small_data("regression"), Settings((3,), dtype="float64", epochs=4, batch_size=3)
    tables = [((0.5,), (0.03,)), ((0.75, 1.25), (1.7, 0.03)), ((0.1, 0.3, 1.0), (0.3, 0.07, 0.9)), ((), ())]
    schedules: list[Schedule] = [
        *(Ramps(times=times, factors=factors, cosine=c) for times, factors in tables for c in (False, True)),
        *(Piecewise(boundaries=times, factors=factors, after=a) for times, factors in tables for a in (False, True)),
    ]
    population = [Configuration(0.02, Sgd(), schedule) for schedule in schedules]
    assert_same_alone_and_in_any_order(population, range(len(population))[::-1], data, settings, seed=2)


@pytest.mark.parametrize("batch_size", [1, 7, 16, 1000])
@pytest.mark.parametrize("hidden", [(), (1,), (32,), (33, 5)], ids=str)
@pytest.mark.parametrize("task", ["classification", "regression"])
@every_dtype
def test_it_does_not_depend_on_how_many_others_there_are(
    hidden: tuple[int, ...], batch_size: int, task: Task, dtype: str
) -> None:
    """Sizes at which a product or a sum may take another path: a lone sample left over, more than eight outputs."""
    data = small_data(task, 33, inputs=13, outputs=11)
    settings = Settings(hidden, dtype=dtype, epochs=2, batch_size=batch_size)
    population = mixed(9)
    together = train(population, data, settings, seed=1)
    for count in (1, 2, 3, 8):
        assert_rows_equal(together, range(count), train(population[:count], data, settings, seed=1), range(count))


@given(data=st.data())
def test_a_trial_that_overflows_spoils_only_its_row(data: st.DataObject) -> None:
    healthy = Configuration(
        0.01, data.draw(st.sampled_from(sorted(OPTIMIZERS)).flatmap(lambda n: rules(OPTIMIZERS[n])))
    )
    ill = Configuration(1e300, data.draw(st.sampled_from([Sgd(), RMSProp(), Adam()])))
    settings = Settings((3,), epochs=2, batch_size=4)
    training = train([ill, healthy, ill], small_data("regression"), settings, seed=0)
    assert training.diverged_at[[0, 2]].tolist() == [1, 1]
    assert_rows_equal(training, [1], train([healthy], small_data("regression"), settings, seed=0), [0])


@every_dtype
@pytest.mark.parametrize(
    "kind",
    [*(rule for name in OPTIMIZERS for rule in uses(name)), *(rule for name in SCHEDULES for rule in busy(name))],
    ids=lambda kind: f"{kind.name}-{telling(kind)}",
)
def test_what_a_trial_remembers_survives_the_departure_of_others(kind: Optimizer | Schedule, dtype: str) -> None:
    stays = Configuration(0.02, *((kind,) if isinstance(kind, Optimizer) else (Sgd(), kind)))
    leaves = Configuration(0.02, stays.optimizer, Piecewise(boundaries=(2.0,), factors=(1e30,)))
    diverges = Configuration(1e30, Sgd(), stays.schedule)
    settings, data = Settings((4,), dtype=dtype, epochs=6, batch_size=6), small_data("regression")
    training = train([leaves, diverges, stays], data, settings, seed=0)
    assert training.diverged_at.tolist() == [3, 1, -1]
    assert_rows_equal(training, [2], train([stays], data, settings, seed=0), [0])


@given(settings=trainings, seed=st.integers(0, 2**63))
def test_the_same_seed_trains_the_same_and_another_one_does_not(settings: Settings, seed: int) -> None:
    data, chosen = small_data("regression"), [Configuration(0.01, Sgd())]
    first, again, other = (train(chosen, data, settings, s) for s in (seed, seed, seed + 1))
    assert_rows_equal(first, [0], again, [0])
    assert not np.array_equal(first.parameters, other.parameters)


@every_dtype
def test_one_replicate_is_the_first_of_several_and_they_differ(dtype: str) -> None:
    data, population = small_data("classification"), mixed(6)
    one = train(population, data, Settings((4,), dtype=dtype, epochs=3, batch_size=4), seed=2)
    three = train(population, data, Settings((4,), dtype=dtype, epochs=3, batch_size=4, replicates=3), seed=2)
    for k in range(len(population)):
        if three.epochs[k] == one.epochs[k] == 3:  # a trial stops when any of its replicates diverges
            np.testing.assert_array_equal(three.parameters[k, 0], one.parameters[k, 0])
            np.testing.assert_array_equal(three.validation_loss[k, 0], one.validation_loss[k, 0])
            assert len({tuple(replicate) for replicate in three.parameters[k].tolist()}) == 3
    assert (three.epochs == 3).sum() >= 3


def test_trials_begin_with_the_same_losses_and_replicates_do_not() -> None:
    training = train(mixed(8), small_data("regression"), Settings((4,), replicates=3, epochs=1), seed=2)
    for curve in (training.train_loss, training.validation_loss, training.validation_error):
        before = curve[:, :, 0]
        assert (before == before[0]).all()
        assert len(set(before[0].tolist())) == 3


def test_trials_of_one_replicate_see_the_same_minibatches() -> None:
    """Two trials of one configuration are one trial twice."""
    twin = Configuration(0.05, Adam())
    training = train([twin, *mixed(5), twin], small_data("regression"), Settings((4,), epochs=3, batch_size=5), seed=4)
    assert_rows_equal(training, [0], training, [6])


def test_the_test_part_has_no_influence() -> None:
    data, population, settings = small_data("regression"), mixed(6), Settings((4,), epochs=2)
    spoilt = dataclasses.replace(data.test, inputs=data.test.inputs * np.nan, targets=data.test.targets * np.nan)
    with_it = train(population, data, settings, seed=0)
    without = train(population, dataclasses.replace(data, test=spoilt), settings, seed=0)
    assert_rows_equal(with_it, range(6), without, range(6))
