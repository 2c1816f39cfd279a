"""A training prescribed to the letter, and one that is watched."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.hyper import Array
from sweep.learning.optimizers.rules import OPTIMIZERS, Adam, Momentum, RMSProp, Sgd
from sweep.learning.schedules.formulas import Piecewise, Step
from sweep.learning.seeds import stream
from sweep.learning.training.loop import Script, Training, train
from sweep.learning.training.population import Population
from sweep.learning.training.settings import Settings
from tests.learning import textbook
from tests.learning.bits import arrays_of
from tests.learning.slowly import by_the_reference
from tests.learning.strategies import mixed, small_data, uses, variants

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
DOUBLE = Settings((3,), dtype="float64", epochs=3, batch_size=6)


def script_for(data: Data, settings: Settings, samples: int, seed: int = 0) -> Script:
    """Random parameters, biases and all, and samples drawn with replacement, for each epoch and replicate."""
    random = np.random.default_rng(seed)
    initial = random.normal(0.0, 0.5, (settings.replicates, settings.architecture(data).parameters))
    orders = random.integers(0, len(data.train), (settings.epochs, settings.replicates, samples))
    return Script(initial, orders)


def assert_same(one: Training, other: Training) -> None:
    for name, values in arrays_of(one).items():
        np.testing.assert_array_equal(values, arrays_of(other)[name], err_msg=name)


# --------------------------------------------------------------------------------------------------------------- script


@pytest.mark.parametrize("samples", [1, 5, 6, 20, 47])
@pytest.mark.parametrize(
    "rule",
    [
        Momentum(dampening=0.5),
        RMSProp(epsilon=0.1, centered=True),
        Adam(weight_decay=0.5, weight_decay_over_batch=True),
    ],
    ids=lambda rule: rule.name,
)
def test_a_script_is_followed_to_the_letter_with_more_samples_or_fewer(rule: Any, samples: int) -> None:
    """20 samples are there; 47 of them, in minibatches of 6, end with one of 5."""
    data, settings = small_data("classification", outputs=3), dataclasses.replace(DOUBLE, replicates=2)
    script = script_for(data, settings, samples)
    chosen = Configuration(0.05, rule, Step(every=0.5))
    training = train([chosen], data, settings, seed=0, script=script)
    for replicate in range(2):
        orders = list(script.orders[:, replicate])
        expected = by_the_reference(chosen, data, settings, script.initial[replicate], orders)
        found = training.train_loss, training.validation_loss, training.learning_rate, training.parameters
        wanted = expected.training, expected.validation, expected.rates, expected.parameters
        for numbers, others in zip(found, wanted, strict=True):
            # float64; roundings of 1e-16 grow over some dozen steps
            np.testing.assert_allclose(numbers[0, replicate], others, rtol=1e-9, atol=1e-12)


def test_a_script_of_what_the_seed_would_draw_changes_nothing() -> None:
    data, settings, seed = small_data("regression"), dataclasses.replace(DOUBLE, replicates=2), 7
    made_of, replicates = settings.architecture(data), range(2)
    initial = np.stack([made_of.initial(stream(seed, "weights", r)) for r in replicates])
    randoms = [np.random.default_rng(stream(seed, "order", r)) for r in replicates]
    orders = np.array([[random.permutation(len(data.train)) for random in randoms] for _ in range(settings.epochs)])
    population = [Configuration(0.01, rule) for name in OPTIMIZERS for rule in uses(name)]
    drawn = train(population, data, settings, seed)
    assert drawn.diverged_at.tolist() == [-1] * len(population)
    assert_same(train(population, data, settings, seed=1, script=Script(initial, orders)), drawn)


@every_dtype
def test_by_a_script_no_trial_is_stopped_and_none_is_called_diverged(dtype: str) -> None:
    data, settings = small_data("regression"), dataclasses.replace(DOUBLE, dtype=dtype)
    population = [Configuration(1e30, Sgd()), Configuration(0.01, Adam()), Configuration(3.0, Sgd())]
    script = script_for(data, settings, 20)
    training = train(population, data, settings, seed=0, script=script)
    assert training.epochs.tolist() == [3, 3, 3]
    assert training.diverged_at.tolist() == [-1, -1, -1]
    assert not np.isfinite(training.validation_loss[0, 0, 1:]).any()
    assert training.validation_loss[2, 0, 1] > 2 * training.validation_loss[2, 0, 0]
    assert np.isfinite(training.learning_rate).all()
    alone = train(population[1:2], data, settings, seed=0, script=script)
    np.testing.assert_array_equal(training.validation_loss[1], alone.validation_loss[0])
    np.testing.assert_array_equal(training.parameters[1], alone.parameters[0])


# --------------------------------------------------------------------------------------------------------------- biases


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("decoupled", [False, True])
@every_dtype
def test_biases_that_are_spared_go_their_way_as_without_weight_decay(name: str, decoupled: bool, dtype: str) -> None:
    """All inputs are 0, so the weights do nothing but decay, and the biases alone learn."""
    blank = small_data("regression")
    data = dataclasses.replace(blank, train=Part(0 * blank.train.inputs, blank.train.targets))
    settings = Settings((), dtype=dtype, epochs=4, batch_size=6)
    script = script_for(data, settings, 20)
    biases = settings.architecture(data).biases
    after = {}
    for strength, spared in ((0.0, True), (0.2, True), (0.2, False)):
        rule = OPTIMIZERS[name](weight_decay=strength, weight_decay_decoupled=decoupled, weight_decay_biases=not spared)
        after[strength, spared] = train([Configuration(0.05, rule)], data, settings, 0, script=script).parameters[0, 0]
    plain, spared_, all_ = after[0.0, True], after[0.2, True], after[0.2, False]
    np.testing.assert_array_equal(spared_[biases], plain[biases])
    assert (all_[biases] != plain[biases]).any()  # not all: of a step there may be but the sign
    np.testing.assert_array_equal(plain[~biases], script.initial[0][~biases].astype(dtype))
    np.testing.assert_array_equal(spared_[~biases], all_[~biases])
    assert (spared_[~biases] != plain[~biases]).any()
    if decoupled or name in textbook.OPTIMIZERS:  # a step that is the same for any gradient goes past 0, and back
        assert (np.abs(spared_[~biases]) < np.abs(plain[~biases])).all()


# ---------------------------------------------------------------------------------------------------------------- watch


def test_a_watch_is_called_before_training_and_after_each_epoch_and_changes_nothing() -> None:
    data, population, epochs, shown = small_data("regression"), mixed(9), [], []

    def watch(epoch: int, seen: Population) -> None:
        epochs.append(epoch)
        shown.append(seen.network.parameters.copy())

    watched = train(population, data, DOUBLE, seed=1, watch=watch)
    assert epochs == [0, 1, 2, 3]
    assert_same(watched, train(population, data, DOUBLE, seed=1))
    assert len({tuple(row) for row in shown[0].tolist()}) == 1  # one initial network for all
    for epoch, parameters in enumerate(shown):
        assert len(parameters) == ((watched.diverged_at < 0) | (watched.diverged_at > epoch)).sum()


def test_a_watch_sees_the_trials_that_are_left_at_the_places_that_are_said() -> None:
    leaves = Configuration(0.01, Adam(), Piecewise(boundaries=(1.0,), factors=(1e30,)))
    population = [Configuration(0.01, RMSProp()), leaves, Configuration(0.01, Sgd())]
    found: dict[int, dict[int, Array]] = {}

    def watch(epoch: int, seen: Population) -> None:
        rows = zip(seen.trials.tolist(), seen.network.parameters.copy(), strict=True)
        found[epoch] = dict(rows)

    training = train(population, small_data("regression"), DOUBLE, seed=1, watch=watch)
    assert training.diverged_at.tolist() == [-1, 2, -1]
    assert {epoch: sorted(trials) for epoch, trials in found.items()} == {
        0: [0, 1, 2], 1: [0, 1, 2], 2: [0, 2], 3: [0, 2],
    }  # fmt: skip
    for trial in (0, 2):
        np.testing.assert_array_equal(found[3][trial], training.parameters[trial, 0])


def test_a_watch_is_not_called_any_more_when_all_trials_are_gone() -> None:
    epochs: list[int] = []
    population = [Configuration(1e30, Sgd())]
    train(population, small_data("regression"), DOUBLE, seed=1, watch=lambda epoch, seen: epochs.append(epoch))
    assert epochs == [0]


def test_a_watch_of_a_script_sees_every_epoch() -> None:
    data, epochs = small_data("regression"), []
    population = [Configuration(1e30, Sgd())]
    script = script_for(data, DOUBLE, 9)
    train(population, data, DOUBLE, 1, script=script, watch=lambda epoch, seen: epochs.append(epoch))
    assert epochs == [0, 1, 2, 3]


def test_effective_rates_are_those_of_the_last_update_of_an_epoch() -> None:
    adaptive = RMSProp(epsilon=0.1, rate_decay=0.3)
    population = [Configuration(0.05, Sgd(), Step(every=1.5)), Configuration(0.02, adaptive, Step(every=1.5))]
    shown: list[Array] = []

    def watch(epoch: int, seen: Population) -> None:
        if epoch:
            (cache,) = (group.state[0] for group in seen.optimizers if group.rule.name == "rmsprop")
            assert cache is not None
            rates = np.empty_like(seen.network.parameters)
            rates[seen.trials == 0], rates[seen.trials == 1] = 1.0, 1.0 / (np.sqrt(cache) + 0.1)
            shown.append((seen.effective_rates() / rates)[np.argsort(seen.trials)])

    training = train(population, small_data("regression"), DOUBLE, seed=1, watch=watch)
    for epoch, scalars in enumerate(shown, start=1):
        # a quotient taken twice
        expected = np.repeat(training.learning_rate[:, :, epoch], scalars.shape[1], axis=1)
        np.testing.assert_allclose(scalars, expected, rtol=1e-14)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_effective_rates_are_each_rows_own_also_after_others_have_left(decay: float) -> None:
    """What a watch sees of a trial is what it would see of it alone."""
    leaves = Configuration(0.02, Adam(), Piecewise(boundaries=(1.0,), factors=(1e30,)))
    rules = [rule for name in OPTIMIZERS for rule in variants(name)[:2]]
    population = [leaves, *(Configuration(0.01 + 0.001 * k, rule, Step(every=1.0)) for k, rule in enumerate(rules))]
    population = [
        dataclasses.replace(c, optimizer=dataclasses.replace(c.optimizer, rate_decay=decay)) for c in population
    ]

    def rates_of(chosen: list[Configuration]) -> dict[tuple[int, int], Array]:
        found: dict[tuple[int, int], Array] = {}

        def watch(epoch: int, seen: Population) -> None:
            if epoch:
                rows = zip(seen.trials.tolist(), seen.effective_rates(), strict=True)
                found.update({(epoch, trial): row for trial, row in rows})

        train(chosen, small_data("regression"), DOUBLE, seed=1, watch=watch)
        return found

    together = rates_of(population)
    for k in range(1, len(population)):
        alone = rates_of([population[k]])
        for epoch in (1, 2, 3):
            np.testing.assert_array_equal(together[epoch, k], alone[epoch, 0])


@pytest.mark.parametrize(
    ("initial", "orders", "said"),
    [
        ((2, 8), (3, 1, 5), r"script\.initial: shape \(2, 8\): must be \(1, 8\)"),
        ((1, 8), (2, 1, 5), r"script\.orders: shape \(2, 1, 5\): must be \(3, 1, 'samples'\)"),
        ((1, 8), (3, 1, 0), r"script\.orders: shape \(3, 1, 0\)"),
        ((1, 8), (3, 5), r"script\.orders: shape \(3, 5\)"),
    ],
)
def test_a_script_that_does_not_fit_is_one_line(initial: tuple[int, ...], orders: tuple[int, ...], said: str) -> None:
    settings = Settings((), epochs=3)
    script = Script(np.zeros(initial), np.zeros(orders, int))
    with pytest.raises(UsageError, match=said):
        train([Configuration(0.1, Sgd())], small_data("regression"), settings, seed=0, script=script)


def test_a_script_of_samples_that_are_not_there_is_one_line() -> None:
    script = Script(np.zeros((1, 8)), np.full((3, 1, 5), 20))
    with pytest.raises(UsageError, match=r"script\.orders: must be numbers of samples, from 0 to 19"):
        train([Configuration(0.1, Sgd())], small_data("regression"), Settings((), epochs=3), seed=0, script=script)


def test_effective_rates_before_training_are_those_of_the_state_as_it_is() -> None:
    seen: list[Array] = []

    def watch(epoch: int, population: Population) -> None:
        seen.append(population.effective_rates())

    rule = RMSProp(initial_cache=4.0, epsilon=0.0)
    train([Configuration(0.1, rule)], small_data("regression"), Settings((), epochs=1), seed=0, watch=watch)
    np.testing.assert_allclose(seen[0], 0.05)  # 0.1 / sqrt(4)
