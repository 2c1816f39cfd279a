"""Samples that weigh: what is trained and measured is what the slow trainer finds, and rows stay alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.table import Task
from sweep.learning.hyper import Array
from sweep.learning.network.functions import LOSSES
from sweep.learning.optimizers.rules import OPTIMIZERS, Adam, Momentum, Sgd
from sweep.learning.seeds import stream
from sweep.learning.training.loop import Script, Training, train
from sweep.learning.training.settings import Settings
from tests import reference
from tests.learning.bits import arrays_of, needs_numba
from tests.learning.slowly import by_the_reference
from tests.learning.strategies import (
    companies,
    configurations,
    data_sets,
    mixed,
    small_data,
    trainings,
    weighted,
    weighted_data_sets,
)
from tests.learning.training.test_tester import opened
from tests.learning.training.test_the_sentence import assert_same_alone_and_in_any_order
from tests.studies import laws

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_task = pytest.mark.parametrize("task", ["classification", "regression"])
METRICS = {
    "classification": ("loss", "error", "brier", "balanced_error"),
    "regression": ("loss", "error", "absolute_error"),
}


def on_every_part(data: Data, change: Callable[[Part], Part]) -> Data:
    """The data with all parts changed."""
    return replace(data, train=change(data.train), validation=change(data.validation), test=change(data.test))


def weights_of(part: Part) -> Array:
    assert part.weights is not None
    return part.weights


def assert_same(one: Training, other: Training) -> None:
    for name, values in arrays_of(one).items():
        np.testing.assert_array_equal(values, arrays_of(other)[name], err_msg=name)


# ----------------------------------------------------------------------------------------------------- what is trained


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_losses_are_those_of_the_slow_trainer(name: str, loss: str) -> None:
    if loss not in reference.LOSSES:
        pytest.skip(f"no oracle for {loss} in tests/reference.py")
    data = weighted(small_data(LOSSES[loss].task, outputs=3), 4)
    settings = Settings((4,), "tanh", dtype="float64", epochs=3, batch_size=6, replicates=2, loss=loss)
    chosen = Configuration(0.01, OPTIMIZERS[name]())
    training = train([chosen], data, settings, seed=6)
    for replicate in range(2):
        random = np.random.default_rng(stream(6, "order", replicate))
        orders = [random.permutation(20) for _ in range(3)]
        initial = settings.architecture(data).initial(stream(6, "weights", replicate))
        expected = by_the_reference(chosen, data, settings, initial, orders)
        # float64; roundings of 1e-16 grow over a dozen steps, most where a small cache is divided by
        np.testing.assert_allclose(training.train_loss[0, replicate], expected.training, rtol=1e-9)
        np.testing.assert_allclose(training.validation_loss[0, replicate], expected.validation, rtol=1e-9)


def times(part: Part, counts: Array) -> Part:
    """Every sample as often as it counts."""
    return Part(np.repeat(part.inputs, counts, axis=0), np.repeat(part.targets, counts, axis=0))


@pytest.mark.parametrize("counted", [[1, 2], [0, 1], [0, 1, 2, 3]], ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
@every_task
def test_a_sample_that_weighs_2_is_as_two_and_one_that_weighs_0_as_none(
    task: Task, name: str, counted: list[int]
) -> None:
    """In a full batch, for a minibatch would be cut otherwise; the weights are any multiple of the counts."""
    data = small_data(task, 20, outputs=3, held_out=20)
    counts = np.random.default_rng(3).choice(counted, 20)
    heavy = on_every_part(data, lambda part: replace(part, weights=0.3 * counts))
    repeated = on_every_part(data, lambda part: times(part, counts))
    settings = Settings((5,), dtype="float64", epochs=6, batch_size=1000, replicates=2, metrics=METRICS[task])
    population = [Configuration(0.01 * 3**k, OPTIMIZERS[name]()) for k in range(3)]
    training, tested = opened(population, heavy, settings, "last")
    expected, opened_there = opened(population, repeated, settings, "last")
    for curve, values in training.curves.items():
        # the same terms in another order; where the cache is small its roundings grow
        np.testing.assert_allclose(values, expected.curves[curve], rtol=1e-7, err_msg=curve)
    for metric, values in tested.metrics.items():
        np.testing.assert_allclose(values, opened_there.metrics[metric], rtol=1e-7, err_msg=metric)


def test_weights_of_classes_enter_the_loss_and_leave_every_other_metric_alone() -> None:
    data = weighted(small_data("classification", 20, outputs=3), 1)
    product = on_every_part(
        data, lambda part: replace(part, weights=weights_of(part) * part.class_weights, class_weights=None)
    )
    settings = Settings((5,), dtype="float64", epochs=4, batch_size=6, metrics=METRICS["classification"])
    together, both = (train([Configuration(0.05, Adam())], each, settings, 0) for each in (data, product))
    for curve in ("train_loss", "validation_loss"):
        np.testing.assert_allclose(together.curves[curve], both.curves[curve], rtol=1e-9)
    plain = replace(data, validation=replace(data.validation, class_weights=None))
    without = train([Configuration(0.05, Adam())], plain, settings, 0)
    for curve in ("validation_error", "validation_brier", "validation_balanced_error"):
        np.testing.assert_array_equal(together.curves[curve], without.curves[curve])
    assert not np.allclose(together.validation_loss, without.validation_loss)
    assert not np.allclose(together.curves["validation_brier"], both.curves["validation_brier"])


@every_task
def test_a_learning_rate_means_the_same_whatever_the_scale_of_the_weights(task: Task) -> None:
    data, settings = weighted(small_data(task, outputs=3)), Settings((4,), dtype="float64", epochs=3, batch_size=6)

    def scaled(by: float) -> Training:
        other = on_every_part(data, lambda part: replace(part, weights=by * weights_of(part)))
        return train([Configuration(0.02, Momentum())], other, settings, 0)

    for by in (1e-300, 1e-3, 7.0, 1e300):
        # two roundings of each weight
        np.testing.assert_allclose(scaled(by).validation_loss, scaled(1.0).validation_loss, rtol=1e-9)


# --------------------------------------------------------------------------------------------------------- to the bit


@laws
@given(
    data=data_sets,
    population=st.lists(configurations, min_size=1, max_size=3),
    settings=trainings,
    weight=st.floats(1e-300, 1e300),
    of_class=st.floats(1e-300, 1e300) | st.none(),
)
def test_equal_weights_are_as_good_as_none(
    data: Data, population: list[Configuration], settings: Settings, weight: float, of_class: float | None
) -> None:
    def even(part: Part) -> Part:
        rows = len(part.inputs)
        return replace(
            part, weights=np.full(rows, weight), class_weights=None if of_class is None else np.full(rows, of_class)
        )

    settings = replace(settings, metrics=METRICS[data.task])
    heavy = on_every_part(data, even)
    assert_same(train(population, heavy, settings, 3), train(population, data, settings, 3))


@every_dtype
@every_task
def test_weights_of_1_in_one_split_are_none_beside_a_split_that_has_others(task: Task, dtype: str) -> None:
    """Samples of several splits lie together, so the one cannot go without."""
    plain = small_data(task, 40, outputs=1 if task == "regression" else 3, held_out=30)
    settings = Settings((4,), dtype=dtype, epochs=3, batch_size=7, metrics=METRICS[task])
    alone = train(mixed(9), plain, settings, 2)

    def twice(part: Part) -> Part:
        inputs, targets = (np.tile(each, (2, 1)) for each in (part.inputs, part.targets))
        return Part(inputs, targets, 2, np.r_[np.full(len(part), 0.1), np.random.default_rng(1).random(len(part))])

    together = train(mixed(9), on_every_part(plain, twice), replace(settings, splits=2), 2)
    kept = (alone.diverged_at < 0) & (together.diverged_at < 0)  # a trial ends when the first of its splits diverges
    assert kept.sum() > 4
    for name, values in alone.curves.items():
        np.testing.assert_array_equal(together.curves[name][kept, :1], values[kept], err_msg=name)


@laws
@given(
    population=companies,
    data=weighted_data_sets,
    settings=trainings,
    seed=st.integers(0, 2**63),
)
def test_a_trial_trains_the_same_alone_in_company_and_in_any_order(
    population: tuple[list[Configuration], list[int]], data: Data, settings: Settings, seed: int
) -> None:
    assert_same_alone_and_in_any_order(*population, data, replace(settings, metrics=METRICS[data.task]), seed)


@needs_numba
@every_dtype
@every_task
def test_compiled_or_not_it_is_the_same(task: Task, dtype: str) -> None:
    data = weighted(small_data(task, 60, 8, 4, held_out=40))
    settings = Settings((8, 4), dtype=dtype, epochs=4, batch_size=16, replicates=2, metrics=METRICS[task])
    one, other = (train(mixed(24), data, settings, 5, compiled=compiled) for compiled in (True, False))
    assert_same(one, other)
    assert 0 < (one.diverged_at > 0).sum() < 20


@every_dtype
def test_the_test_part_is_weighed_and_each_trial_has_its_own_number(dtype: str) -> None:
    data = weighted(small_data("classification", outputs=3, held_out=300))
    settings = Settings((4,), dtype=dtype, epochs=3, batch_size=7, metrics=METRICS["classification"])
    training, found = opened(mixed(9), data, settings, "best")
    for trial, configuration in enumerate(mixed(9)):
        _, alone = opened([configuration], data, settings, "best")
        for name, values in found.metrics.items():
            np.testing.assert_array_equal(alone.metrics[name][0], values[trial], err_msg=name)
    assert (training.diverged_at < 0).sum() > 4
    without = replace(data, test=replace(data.test, weights=None))
    _, plain = opened(mixed(9), without, settings, "best")
    assert not np.array_equal(plain.metrics["error"], found.metrics["error"], equal_nan=True)


def test_a_script_may_take_a_sample_more_than_once_and_it_weighs_each_time() -> None:
    four = np.array([1.0, 2.0, 0.0, 5.0])
    data = on_every_part(small_data("regression", 4, held_out=4), lambda part: replace(part, weights=four))
    settings = Settings((), dtype="float64", epochs=1, batch_size=10)
    initial = settings.architecture(data).initial(stream(0, "weights", 0))[None]
    script = Script(initial, np.array([[[3, 3, 0]]]))
    found = train([Configuration(1e-3, Sgd())], data, settings, 0, script=script).train_loss[0, 0, 1]
    layers = reference.layers_of(initial[0], (3, 2))
    losses = [
        reference.squared_error(reference.forward(layers, x, "relu")[1][-1], t)[0]
        for x, t in zip(data.train.inputs, data.train.targets, strict=True)
    ]
    assert found == pytest.approx((10 * losses[3] + losses[0]) / 11, rel=1e-12)
