"""What a training gives: the curves, the divergence, the precision, the refusals."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.table import Task
from sweep.learning.hyper import telling
from sweep.learning.network.functions import ACTIVATIONS
from sweep.learning.network.metrics import Measuring
from sweep.learning.network.stacked import StackedNetwork
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import OPTIMIZERS, Adam, Momentum, Sgd
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import SCHEDULES, Piecewise, Plateau
from sweep.learning.seeds import stream
from sweep.learning.training.loop import train
from sweep.learning.training.machine import steady
from sweep.learning.training.minibatches import EVALUATION_BLOCK, Samples
from sweep.learning.training.population import Population
from sweep.learning.training.settings import Settings
from tests import reference
from tests.learning.bits import evaluated
from tests.learning.slowly import by_the_reference
from tests.learning.strategies import busy, configurations, data_sets, mixed, small_data, trainings, variants

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def compare_with_reference(configuration: Configuration, data: Data, settings: Settings) -> None:
    """Train once by the seed, and the oracle with what the seed decides."""
    made_of = settings.architecture(data)
    training = train([configuration], data, settings, seed=6)
    for replicate in range(settings.replicates):
        random = np.random.default_rng(stream(6, "order", replicate))
        orders = [random.permutation(len(data.train)) for _ in range(settings.epochs)]
        initial = made_of.initial(stream(6, "weights", replicate))
        expected = by_the_reference(configuration, data, settings, initial, orders)
        curves = training.train_loss, training.validation_loss, training.learning_rate
        wanted = expected.training, expected.validation, expected.rates
        for curve, points in zip(curves, wanted, strict=True):
            # float64; roundings of 1e-16 grow over some dozen steps, most where a small cache is divided by
            np.testing.assert_allclose(curve[0, replicate], points, rtol=1e-9)


# A minibatch of 6 of 20 samples leaves one of 2.
DOUBLE = Settings((4,), dtype="float64", epochs=4, batch_size=6)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)], ids=["0", "1", "2"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_losses_and_rates_are_those_of_the_slow_trainer_for_every_optimizer(
    name: str, hidden: tuple[int, ...], activation: str
) -> None:
    if activation not in reference.ACTIVATIONS:
        pytest.skip(f"no oracle for {activation} in tests/reference.py")
    settings = dataclasses.replace(DOUBLE, hidden=hidden, activation=activation)
    chosen = Configuration(0.01, OPTIMIZERS[name](), SCHEDULES["exponential"]())
    compare_with_reference(chosen, small_data("classification", outputs=3), settings)
    compare_with_reference(chosen, small_data("regression"), dataclasses.replace(settings, replicates=2))


@pytest.mark.parametrize(
    "rule", [rule for name in OPTIMIZERS for rule in variants(name)], ids=lambda rule: f"{rule.name}-{telling(rule)}"
)
def test_losses_and_rates_are_those_of_the_slow_trainer_for_every_knob(rule: Optimizer) -> None:
    chosen = Configuration(0.02, rule, SCHEDULES["exponential"](rate=0.3))  # type: ignore[call-arg]
    compare_with_reference(chosen, small_data("regression"), dataclasses.replace(DOUBLE, hidden=(2,), epochs=2))


@pytest.mark.parametrize(
    "schedule", [s for name in SCHEDULES for s in busy(name)], ids=lambda rule: f"{rule.name}-{telling(rule)}"
)
def test_losses_and_rates_are_those_of_the_slow_trainer_for_every_schedule(schedule: Schedule) -> None:
    chosen = Configuration(0.05, Momentum(momentum=0.5), schedule)
    compare_with_reference(chosen, small_data("regression"), dataclasses.replace(DOUBLE, hidden=(2,)))


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "constant"])
def test_the_schedules_compared_change_the_rate_while_they_train(name: str) -> None:
    for schedule in busy(name):
        training = train([Configuration(0.05, Momentum(momentum=0.5), schedule)], small_data("regression"), DOUBLE, 6)
        assert len(set(training.learning_rate[0, 0].tolist())) > 1


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_validation_error_is_the_share_that_is_wrong_or_not_explained(task: Task) -> None:
    data, settings = small_data(task, outputs=3), dataclasses.replace(DOUBLE, replicates=2)
    training = train([Configuration(0.01, Adam())], data, settings, seed=1)
    inputs, targets = data.validation.inputs, data.validation.targets
    for replicate, flat in enumerate(training.parameters[0]):
        layers = reference.layers_of(flat, settings.architecture(data).sizes)
        outputs = np.array([reference.forward(layers, sample, settings.activation)[1][-1] for sample in inputs])
        error = np.mean(((outputs - targets) ** 2).mean(axis=0) / targets.var(axis=0))
        if task == "classification":
            error = np.mean(outputs.argmax(axis=1) != targets.argmax(axis=1))
        # two ways to sum float64 numbers
        assert training.validation_error[0, replicate, -1] == pytest.approx(error, rel=1e-12)


def test_a_plateau_in_a_trial_answers_to_that_trials_losses_only() -> None:
    stuck = Configuration(1e-9, Sgd(), Plateau(patience=0.0, drop=0.5))
    moving = Configuration(0.01, Sgd(), Plateau(patience=0.0, drop=0.5, threshold=0.0))
    training = train([stuck, moving], small_data("regression"), DOUBLE, seed=0)
    assert training.learning_rate[0, 0].tolist() == [1e-9, 1e-9, 5e-10, 2.5e-10, 1.25e-10]
    assert training.learning_rate[1, 0].tolist() == [0.01] * 5


def test_a_plateau_that_watches_the_training_loss_starts_from_the_training_loss() -> None:
    watching = Plateau(patience=0.0, threshold=0.0, watch_training=True)
    training = train([Configuration(1e-6, Sgd(), watching)], small_data("regression"), DOUBLE, seed=6)
    losses, rates = training.train_loss[0, 0], training.learning_rate[0, 0]
    assert (np.diff(losses) < 0).all()
    assert losses[1] > training.validation_loss[0, 0, 0]  # compared with that, nothing would be better
    assert rates.tolist() == [1e-6] * 5


@given(population=st.lists(configurations, min_size=1, max_size=4), data=data_sets, settings=trainings)
def test_divergence_is_what_its_definition_says_of_the_curves(
    population: list[Configuration], data: Data, settings: Settings
) -> None:
    training = train(population, data, settings, seed=0)
    for k in range(len(population)):
        curves, epochs = (training.train_loss[k], training.validation_loss[k]), training.epochs[k]
        lost = [
            not all(np.isfinite(c[:, e]).all() for c in curves)
            or any(all(c[r, e] > 1.0001 * c[r, 0] for c in curves) for r in range(settings.replicates))
            for e in range(1, epochs + 1)
        ]  # fmt: skip
        assert not any(lost[:-1])
        assert training.diverged_at[k] == (epochs if lost[-1] else -1)
        assert lost[-1] or epochs == settings.epochs
        for curve in (*curves, training.validation_error[k], training.learning_rate[k]):
            assert np.isnan(curve[:, epochs + 1 :]).all()
        assert np.isfinite(training.learning_rate[k][:, : epochs + 1]).all()


def test_a_high_training_loss_alone_is_not_divergence_and_with_a_high_validation_loss_it_is() -> None:
    """One bias between two opposite targets overshoots in each step, and ends nearer to one far target than another."""
    epochs = {}
    for sign in (-1.0, 1.0):
        far = Part(np.zeros((2, 1)), np.full((2, 1), sign * 30.0))
        data = Data(
            "regression", Part(np.zeros((2, 1)), np.array([[3.0], [-3.0]])), far, far, np.empty(0), None, None, ""
        )
        chosen = Configuration(0.5, Sgd())  # the gradient is twice the distance: each step goes all the way
        training = train([chosen], data, Settings((), epochs=1, batch_size=1), seed=0)
        assert training.train_loss[0, 0].tolist() == [9.0, (9.0 + 36.0) / 2]
        risen = training.validation_loss[0, 0, 1] > training.validation_loss[0, 0, 0]
        epochs[bool(risen)] = int(training.diverged_at[0])
    assert epochs == {True: 1, False: -1}


def test_a_trial_that_diverges_late_is_marked_with_its_epoch_and_stopped() -> None:
    jump = Piecewise(boundaries=(2.0,), factors=(1e20,))
    population = [Configuration(0.01, Sgd()), Configuration(0.01, Sgd(), jump)]
    training = train(population, small_data("regression"), dataclasses.replace(DOUBLE, epochs=5), seed=0)
    assert training.diverged_at.tolist() == [-1, 3]
    assert training.epochs.tolist() == [5, 3]
    assert training.parameters[1].all()  # as it was left, whatever that is
    for curve in (training.train_loss, training.validation_loss, training.validation_error, training.learning_rate):
        assert np.isfinite(curve[1, 0, :3]).all()
        assert np.isnan(curve[1, 0, 4:]).all()
    np.testing.assert_array_equal(training.validation_loss[0, 0, :3], training.validation_loss[1, 0, :3])


@pytest.mark.parametrize("name", OPTIMIZERS)
@every_dtype
@pytest.mark.parametrize("rate", [1e10, 1e38, 1e300])
def test_a_rate_far_too_large_diverges_without_a_word(name: str, dtype: str, rate: float) -> None:
    """NumPy's warnings are errors in this suite."""
    chosen = Configuration(rate, OPTIMIZERS[name]())
    training = train([chosen], small_data("regression"), Settings((4,), dtype=dtype, epochs=3, batch_size=4), seed=0)
    assert training.diverged_at.tolist() == [1]


@every_dtype
def test_every_buffer_of_a_population_has_the_precision_asked_for(dtype: str) -> None:
    data = small_data("regression")
    population = mixed(12) + [Configuration(0.01, rule) for name in OPTIMIZERS for rule in variants(name)]
    settings = Settings((4,), dtype=dtype, epochs=1)
    assert train(population, data, settings, seed=0).parameters.dtype == np.dtype(dtype)
    made_of, losses = settings.architecture(data), (np.ones(1), np.ones(1))
    stacked = Population.of(population, made_of, made_of.initial(stream(0, "weights", 0))[None], losses)
    count = np.arange(3)
    stacked.prepare(stacked.rates(count / 2, count), count, np.full(3, 10))
    with steady():
        for first, inputs, targets, _ in Samples.of(data.train, dtype).minibatches(np.arange(20)[None], 10):
            assert inputs.dtype == targets.dtype == np.dtype(dtype)
            for place in range(len(inputs)):
                stacked.network.loss_and_gradient(inputs[place], targets[place])
                stacked.update(first + place)
    groups = stacked.optimizers
    states = [slot for group in groups for slot in (*group.state, group.coefficients) if slot is not None]
    decays = [group.weight_decay for group in groups if group.weight_decay]
    pulls = [pull for decay in decays for pull in (decay.share, decay.added, decay.removed)]
    passes = stacked.network._passes.values()
    work = [a for p in passes for views in (p._first, p._first_back, *p._forward, *p._back) for a in views]
    buffers = [stacked.network.parameters, stacked.network.gradient, *states, *pulls, *work]
    assert {buffer.dtype for buffer in buffers} == {np.dtype(dtype)}


def test_double_and_single_precision_agree_while_a_training_is_short() -> None:
    chosen, data = [Configuration(0.01, Sgd())], small_data("regression")
    single, double = (train(chosen, data, Settings((4,), dtype=d, epochs=2), seed=0) for d in ("float32", "float64"))
    # float32 has 7 digits, and a few steps lose one of them
    np.testing.assert_allclose(single.validation_loss, double.validation_loss, rtol=1e-5)
    assert not np.array_equal(single.validation_loss, double.validation_loss)


def test_many_samples_are_evaluated_block_by_block_and_summed_in_float64() -> None:
    made_of = Settings((4,)).architecture(small_data("regression"))
    network = StackedNetwork(made_of, made_of.initial(stream(0, "weights", 0))[None])
    samples = Samples.of(small_data("regression", 700).train, "float32")
    measured = samples.evaluate(network, Measuring("regression"))
    inputs, targets = samples.inputs[None], np.ascontiguousarray(samples.targets.T)[:, None]
    blocks = [slice(at, at + EVALUATION_BLOCK) for at in range(0, 700, EVALUATION_BLOCK)]
    assert len(blocks) > 1
    each = [evaluated(network, inputs[:, b], targets[:, :, b].copy(), samples.variance) for b in blocks]
    for mean, values in zip(measured.values(), zip(*each, strict=True), strict=True):
        # Exact but for the order of a float64 sum: a float32 sum would be off by 1e-8.
        assert mean.item() == pytest.approx(sum(float(v) for block in values for v in block[0]) / 700, rel=1e-13)


def test_training_learns() -> None:
    training = train([Configuration(0.05, Adam())], small_data("regression", 200), Settings((8,), epochs=20), seed=0)
    assert training.validation_loss[0, 0, -1] < 0.2 * training.validation_loss[0, 0, 0]


def test_one_epoch_gives_curves_of_two_points() -> None:
    training = train(mixed(3), small_data("regression"), Settings((4,), epochs=1, replicates=2), seed=0)
    assert training.train_loss.shape == training.learning_rate.shape == (3, 2, 2)
    assert training.epochs.tolist() == [1, 1, 1]


def test_there_must_be_something_to_train() -> None:
    with pytest.raises(UsageError, match="no configurations given: give at least one"):
        train([], small_data("regression"), Settings(), seed=0)


@pytest.mark.parametrize("name", ["epochs", "batch_size", "replicates"])
@pytest.mark.parametrize("value", [0, -1])
def test_settings_below_1_are_refused(name: str, value: int) -> None:
    with pytest.raises(UsageError, match=f"{name} = {value}: must be a whole number, at least 1"):
        Settings(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong", [{"activation": "rely"}, {"initial_weights": "glorott"}, {"dtype": "float"}, {"hidden": (4, 0)}], ids=str
)
def test_settings_of_which_no_network_can_be_made_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="network: "):
        train(mixed(1), small_data("regression"), Settings(**wrong), seed=0)
