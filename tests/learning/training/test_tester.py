"""The test part, opened: what is said of it is what plain NumPy finds with the trained parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.source import named
from sweep.learning.data.splits import prepare
from sweep.learning.hyper import Array
from sweep.learning.optimizers.rules import Adam, Sgd
from sweep.learning.schedules.formulas import Piecewise
from sweep.learning.training import tester
from sweep.learning.training.loop import Training, train
from sweep.learning.training.population import Population
from sweep.learning.training.settings import Settings
from sweep.learning.training.tester import At
from tests.learning.strategies import configurations, data_sets, mixed, small_data, trainings
from tests.studies import laws

SEED = 5

# ---------------------------------------------------------------------------------------------------------- the oracle

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {"relu": lambda z: np.maximum(z, 0.0), "tanh": np.tanh}


def outputs(flat: Array, sizes: Sequence[int], inputs: Array, activation: str) -> Array:
    """A network's outputs; each layer's weights stand row by row, then its biases."""
    values, numbers = inputs, np.asarray(flat, dtype=float)
    for layer, (wide, narrow) in enumerate(pairwise(sizes)):
        weights, biases, numbers = np.split(numbers, [wide * narrow, (wide + 1) * narrow])
        values = values @ weights.reshape(wide, narrow) + biases
        if layer < len(sizes) - 2:
            values = ACTIVATIONS[activation](values)
    assert not len(numbers)
    return values


def loss_and_error(flat: Array, data: Data, part: Part, settings: Settings) -> tuple[float, float]:
    """Cross-entropy and the share that is wrong; or the mean square and 1 - R^2, mean over the outputs."""
    sizes = data.inputs, *settings.hidden, data.outputs
    found = outputs(flat, sizes, part.inputs, settings.activation)
    if data.task == "classification":
        log_of_sum = np.log(np.exp(found - found.max(axis=1, keepdims=True)).sum(axis=1)) + found.max(axis=1)
        losses = log_of_sum - (found * part.targets).sum(axis=1)
        return float(losses.mean()), float((found.argmax(axis=1) != part.targets.argmax(axis=1)).mean())
    squares = (found - part.targets) ** 2
    return float(squares.mean()), float((squares.mean(axis=0) / part.targets.var(axis=0)).mean())


def opened(
    population: Sequence[Configuration], data: Data, settings: Settings, at: At, curve: str = "validation_loss"
) -> tuple[Training, tester.Tested]:
    """A training, and what the test part says of it."""
    watcher = tester.Tester(data, settings, len(population), at)
    training = train(population, data, settings, SEED, watch=watcher.watch)
    return training, watcher.tested(training, curve)


# ------------------------------------------------------------------------------------------------- after the last epoch


@pytest.mark.parametrize("name", ["wine", "diabetes"])
@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize(("hidden", "activation"), [((), "relu"), ((6,), "tanh"), ((8, 4), "relu")])
def test_the_last_networks_have_on_the_test_part_what_a_plain_forward_pass_gives(
    name: str, dtype: str, close: float, hidden: tuple[int, ...], activation: str
) -> None:
    data = prepare(named(name), 3)
    settings = Settings(hidden, activation, dtype=dtype, epochs=4, batch_size=16, replicates=2)
    population = mixed(15)
    training, found = opened(population, data, settings, "last")
    assert found.metrics["loss"].shape == found.metrics["error"].shape == (15, 2)
    assert (training.diverged_at < 0).sum() > 8
    for trial, replicate in np.argwhere(training.diverged_at[:, None] + np.zeros(2) < 0):
        expected = loss_and_error(training.parameters[trial, replicate], data, data.test, settings)
        reached = [each[trial, replicate] for each in found.metrics.values()]
        # float32: 24 bits, some dozen terms a sum; a wrong sample more or less is possible only where two classes tie.
        assert reached == pytest.approx(expected, rel=close)


@pytest.mark.parametrize("at", ["last", "best"])
def test_what_diverged_has_no_number(at: At) -> None:
    data, settings = small_data("regression"), Settings((3,), epochs=4, replicates=2)
    soon, late = Configuration(1e30, Sgd()), Configuration(0.01, Sgd(), Piecewise(boundaries=(3.0,), factors=(1e30,)))
    training, found = opened([soon, Configuration(0.01, Sgd()), late], data, settings, at)
    assert training.diverged_at.tolist() == [1, -1, 4]
    for number in (found.metrics["loss"], found.metrics["error"]):
        assert np.isnan(number[[0, 2]]).all()
        assert np.isfinite(number[1]).all()


# --------------------------------------------------------------------------------------------------- at the best epoch


@pytest.mark.parametrize("curve", ["validation_loss", "validation_error"])
@pytest.mark.parametrize("name", ["wine", "diabetes"])
def test_the_best_networks_are_those_of_the_epoch_that_validation_chose(name: str, curve: str) -> None:
    data, population = prepare(named(name), 3), [Configuration(0.01 * 2**k, Adam()) for k in range(8)] + mixed(7)
    settings = Settings((6,), "tanh", dtype="float64", epochs=8, batch_size=16, replicates=2)
    kept: dict[tuple[int, int], Array] = {}  # the parameters of trial and epoch

    def keep(epoch: int, networks: Population) -> None:
        for place, trial in enumerate(networks.trials.tolist()):
            kept[trial, epoch] = networks.network.parameters[2 * place : 2 * place + 2].copy()

    training, found = opened(population, data, settings, "best", curve=curve)
    train(population, data, settings, SEED, watch=keep)
    chosen = set()
    for trial in np.flatnonzero(training.diverged_at < 0).tolist():
        mean = getattr(training, curve)[trial].mean(axis=0).tolist()
        epoch = mean.index(min(mean))
        chosen.add(epoch)
        for replicate in range(2):
            expected = loss_and_error(kept[trial, epoch][replicate], data, data.test, settings)
            assert [each[trial, replicate] for each in found.metrics.values()] == pytest.approx(expected, rel=1e-9)
    assert len(chosen) > 2, "or this would compare less than it says"


def test_the_test_part_has_no_say_in_which_epoch_is_the_best() -> None:
    data = small_data("regression", held_out=12)
    settings = Settings((4,), dtype="float64", epochs=6, batch_size=4)
    population = [Configuration(0.02 * 2**k, Adam()) for k in range(6)]
    worse = replace(data, test=Part(data.test.inputs, 5 * data.test.targets + 1))
    training, found = opened(population, data, settings, "best")
    other_training, other = opened(population, worse, settings, "best")
    np.testing.assert_array_equal(training.validation_loss, other_training.validation_loss)
    np.testing.assert_array_equal(training.parameters, other_training.parameters)
    assert not np.array_equal(found.metrics["loss"], other.metrics["loss"], equal_nan=True)
    _, tempted = opened(population, replace(data, validation=data.test), settings, "best")
    assert (found.metrics["loss"] >= tempted.metrics["loss"]).all()
    assert (found.metrics["loss"] > tempted.metrics["loss"]).any()


def test_of_equally_good_epochs_the_first_is_the_best() -> None:
    """The validation part has one sample: its error is 0 or 1, in most epochs the same."""
    data = small_data("classification", held_out=1)
    data = replace(data, test=small_data("classification", held_out=40).test)
    settings = Settings((), dtype="float64", epochs=6, batch_size=4)
    kept: list[Array] = []
    chosen = [Configuration(0.05, Sgd())]
    training, found = opened(chosen, data, settings, "best", curve="validation_error")
    train(
        chosen, data, settings, SEED, watch=lambda epoch, networks: kept.append(networks.network.parameters[0].copy())
    )
    errors = training.validation_error[0, 0].tolist()
    assert errors.count(min(errors)) > 1
    expected = loss_and_error(kept[errors.index(min(errors))], data, data.test, settings)
    assert (found.metrics["loss"][0, 0], found.metrics["error"][0, 0]) == pytest.approx(expected)


# -------------------------------------------------------------------------------------------------------- the sentence


@laws
@given(
    population=st.lists(configurations, min_size=1, max_size=4),
    data=data_sets,
    settings=trainings,
    at=st.sampled_from(["last", "best"]),
)
def test_a_trial_is_tested_the_same_alone_and_in_company_and_to_be_tested_changes_nothing(
    population: list[Configuration], data: Data, settings: Settings, at: At
) -> None:
    training, found = opened(population, data, settings, at)
    unwatched = train(population, data, settings, SEED)
    np.testing.assert_array_equal(training.parameters, unwatched.parameters)
    np.testing.assert_array_equal(training.validation_loss, unwatched.validation_loss)
    for trial, configuration in enumerate(population):
        _, alone = opened([configuration], data, settings, at)
        np.testing.assert_array_equal(alone.metrics["loss"][0], found.metrics["loss"][trial])
        np.testing.assert_array_equal(alone.metrics["error"][0], found.metrics["error"][trial])


def test_every_trial_has_its_own_number_where_optimizers_are_mixed_and_some_leave() -> None:
    data, settings = prepare(named("wine"), 3), Settings((8,), epochs=6, batch_size=16)
    population = mixed(32)
    training, found = opened(population, data, settings, "best")
    assert len(set(training.diverged_at.tolist())) > 2
    order = np.random.default_rng(0).permutation(32)
    _, shuffled = opened([population[place] for place in order], data, settings, "best")
    np.testing.assert_array_equal(shuffled.metrics["loss"], found.metrics["loss"][order])
    assert len(set(found.metrics["loss"][training.diverged_at < 0, 0].tolist())) == (training.diverged_at < 0).sum()


def test_nothing_of_the_test_part_is_looked_at_before_it_may_count() -> None:
    data, settings = small_data("regression"), Settings((3,), epochs=4)
    watcher = tester.Tester(data, settings, 1, "last")
    seen: list[bool] = []

    def watch(epoch: int, population: Population) -> None:
        watcher.watch(epoch, population)
        seen.append(bool(np.isfinite(watcher.metrics["loss"]).any()))

    train([Configuration(0.01, Adam())], data, settings, 0, watch=watch)
    assert seen == [False] * 4 + [True]
