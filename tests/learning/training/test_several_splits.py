"""A trial of several splits is as many separate trainings, to the last bit; the splits never touch each other.

That it trains the same alone, in company and with pauses is tested where that is tested of one split.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.source import DataSource, named
from sweep.learning.data.splits import prepare, split
from sweep.learning.data.tables.understanding import features_only
from sweep.learning.hyper import Array
from sweep.learning.optimizers.rules import Adam, Sgd
from sweep.learning.seeds import stream
from sweep.learning.training import tester
from sweep.learning.training.loop import Script, Training, train
from sweep.learning.training.settings import Settings
from sweep.learning.training.tester import At
from tests.learning.bits import needs_numba
from tests.learning.strategies import (
    arrays_of_part,
    configurations,
    mixed,
    one_after_the_other,
    several,
    small_data,
    trainings,
)
from tests.learning.training.test_pausing import CURVES, assert_equal
from tests.learning.training.test_tester import loss_and_error
from tests.studies import laws

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
PARTS = ("train", "validation", "test")


def cut_out(data: Data, number: int) -> Data:
    """One of the splits, as data of its own."""

    def part(which: str) -> Part:
        whole = getattr(data, which)
        size = len(whole.inputs) // whole.splits
        own = slice(number * size, (number + 1) * size)
        return Part(**{name: array[own] for name, array in arrays_of_part(whole).items()})

    return dataclasses.replace(data, train=part("train"), validation=part("validation"), test=part("test"))


def of_wine(splits: int) -> Data:
    data = prepare(named("wine"), 3, splits)
    assert data.splits == splits
    return data


def of_text(splits: int) -> Data:
    """Three classes by numbers and by towns, some of which are rare in some split's training part."""
    random = np.random.default_rng(4)
    towns = random.choice(["Ulm", "Bonn", "Rom"], 90).tolist()
    towns[::5] = [f"village {k // 2}" for k in range(18)]
    frame = pd.DataFrame({"number": random.normal(5.0, 3.0, 90), "town": towns, "other": random.normal(size=90)})
    labels = (frame["number"] > 5.0).to_numpy().astype(int) + (frame["town"] == "Ulm").to_numpy()
    data = split(features_only(frame, labels, "classification"), DataSource(name="towns"), 3, splits)
    known = {cut_out(data, k).train.inputs[:, 2:].any(axis=0).tobytes() for k in range(splits)}
    assert len(known) == splits, "or the splits would know the same towns"
    return data


def place_alone(
    configuration: Configuration, data: Data, settings: Settings, seed: int, place: int, epochs: int
) -> Training:
    """One configuration, trained on one split alone with the weights and the order of its place in the trial."""
    own = cut_out(data, place // settings.replicates)
    settings = dataclasses.replace(settings, splits=1, replicates=1, epochs=epochs)
    initial = settings.architecture(own).initial(stream(seed, "weights", place))
    order = np.random.default_rng(stream(seed, "order", place))
    orders = [order.permutation(len(own.train.inputs)) for _ in range(epochs)]
    return train([configuration], own, settings, 0, script=Script(initial[None], np.array(orders)[:, None]))


def assert_as_many_separate_trainings(
    population: Sequence[Configuration], data: Data, settings: Settings, seed: int
) -> Training:
    together = train(population, data, settings, seed)
    assert together.parameters.shape[:2] == (len(population), data.splits * settings.replicates)
    for trial, configuration in enumerate(population):
        epochs = int(together.epochs[trial])
        for place in range(data.splits * settings.replicates):
            alone = place_alone(configuration, data, settings, seed, place, epochs)
            for name in CURVES:
                got = getattr(together, name)[trial, place]
                np.testing.assert_array_equal(got[: epochs + 1], getattr(alone, name)[0, 0], err_msg=name)
                assert np.isnan(got[epochs + 1 :]).all()
            np.testing.assert_array_equal(together.parameters[trial, place], alone.parameters[0, 0])
    return together


@laws
@given(
    population=st.lists(configurations, min_size=1, max_size=2),
    data=several,
    settings=trainings,
    seed=st.integers(0, 2**63),
)
def test_a_trial_is_as_many_separate_trainings_as_it_has_splits_and_replicates(
    population: list[Configuration], data: Data, settings: Settings, seed: int
) -> None:
    settings = dataclasses.replace(settings, splits=data.splits)
    assert_as_many_separate_trainings(population, data, settings, seed)


@every_dtype
@pytest.mark.parametrize("name", ["wine", "diabetes", "text"])
def test_mixed_trials_on_real_splits_are_as_many_separate_trainings(name: str, dtype: str) -> None:
    data = of_text(3) if name == "text" else prepare(named(name), 3, 3)
    settings = Settings((8, 4), dtype=dtype, epochs=5, batch_size=16, replicates=2, splits=3)
    together = assert_as_many_separate_trainings(mixed(15), data, settings, seed=9)
    assert len(set(together.diverged_at.tolist())) > 2, "or this would compare less than it says"


@needs_numba
@every_dtype
def test_several_splits_are_the_same_bit_for_bit_compiled_or_not(dtype: str) -> None:
    settings = Settings((8,), dtype=dtype, epochs=4, batch_size=16, replicates=2, effective_rates=True, splits=3)
    one, other = (train(mixed(24), of_wine(3), settings, 5, compiled=compiled) for compiled in (True, False))
    assert_equal(one, other)
    np.testing.assert_array_equal(one.effective_rate, other.effective_rate)
    assert 0 < (one.diverged_at > 0).sum() < 20


@every_dtype
def test_the_first_split_is_the_single_one(dtype: str) -> None:
    """Weights and order are counted on from split to split, so those of the first one are what they always were."""
    single = Settings((6,), dtype=dtype, epochs=4, batch_size=16, replicates=2)
    population = [Configuration(0.01 * 2**k, Adam()) for k in range(4)]
    alone = train(population, of_wine(1), single, 7)
    together = train(population, of_wine(4), dataclasses.replace(single, splits=4), 7)
    assert (together.diverged_at < 0).all(), "a trial ends with the first of its trainings that diverges"
    for name in (*CURVES, "parameters"):
        np.testing.assert_array_equal(getattr(together, name)[:, :2], getattr(alone, name), err_msg=name)
    starts = together.validation_loss[0, :, 0]
    assert len(set(starts.tolist())) == 8, "each split and each replicate has weights of its own"


# ----------------------------------------------------------------------------------------------------------- divergence


@laws
@given(
    population=st.lists(configurations, min_size=1, max_size=3), data=several, settings=trainings,
    seed=st.integers(0, 2**63),
)  # fmt: skip
def test_a_trial_diverges_when_the_first_of_its_trainings_does(
    population: list[Configuration], data: Data, settings: Settings, seed: int
) -> None:
    settings = dataclasses.replace(settings, splits=data.splits)
    found = train(population, data, settings, seed)

    def has_diverged(trial: int, place: int, epoch: int) -> bool:
        """Not finite, or on both parts more than one ten-thousandth above what it was before."""
        curves = found.train_loss[trial, place].tolist(), found.validation_loss[trial, place].tolist()
        now, start = [curve[epoch] for curve in curves], [curve[0] for curve in curves]
        above = all(value > 1.0001 * before for value, before in zip(now, start, strict=True))
        return above or not all(map(math.isfinite, now))

    for trial in range(len(population)):
        first = next(
            (
                epoch
                for epoch in range(1, settings.epochs + 1)
                if any(has_diverged(trial, place, epoch) for place in range(data.splits * settings.replicates))
            ),
            -1,
        )
        assert found.diverged_at[trial] == first
        assert found.epochs[trial] == (settings.epochs if first < 0 else first)


def test_a_trial_that_diverges_on_one_split_alone_has_diverged() -> None:
    calm = small_data("regression", seed=1)
    steep = dataclasses.replace(calm, train=Part(30 * calm.train.inputs, calm.train.targets))
    rate, settings = Configuration(0.05, Sgd()), Settings((), epochs=4, batch_size=5, dtype="float64")
    assert [train([rate], data, settings, 3).diverged_at.tolist() for data in (calm, steep)] == [[-1], [1]]
    for order in ([calm, steep, calm], [steep, calm, calm], [calm, calm, steep]):
        together = train([rate], one_after_the_other(order), dataclasses.replace(settings, splits=3), 3)
        assert together.diverged_at.tolist() == [1]
        losses = dict(zip(map(id, order), together.validation_loss[0], strict=True))
        assert losses[id(calm)][1] < losses[id(calm)][0]


@every_dtype
@pytest.mark.parametrize("spoilt", range(6))
def test_a_training_of_nothing_but_nan_stays_alone(dtype: str, spoilt: int) -> None:
    """A script goes on where the loop would stop: so the others can be looked at to the end."""
    data = of_wine(3)
    settings = Settings((5,), dtype=dtype, epochs=3, batch_size=16, replicates=2, splits=3)
    random = np.random.default_rng(2)
    size = len(data.train)
    initial = np.stack([settings.architecture(data).initial(np.random.SeedSequence(k)) for k in range(6)])
    orders = np.array([[random.permutation(size) + place // 2 * size for place in range(6)] for _ in range(3)])
    ill = initial.copy()
    ill[spoilt] = np.nan
    population = mixed(15)
    well, other = (train(population, data, settings, 0, script=Script(each, orders)) for each in (initial, ill))
    rest = [place for place in range(6) if place != spoilt]
    assert np.isnan(other.validation_loss[:, spoilt]).all()
    for name in (*CURVES, "parameters"):
        np.testing.assert_array_equal(getattr(well, name)[:, rest], getattr(other, name)[:, rest], err_msg=name)


# ----------------------------------------------------------------------------------------------------- who is evaluated


@pytest.mark.parametrize("name", ["wine", "diabetes"])
def test_each_training_is_evaluated_on_the_parts_of_its_own_split(name: str) -> None:
    data = prepare(named(name), 3, 3)
    settings = Settings((6,), "tanh", dtype="float64", epochs=3, batch_size=16, replicates=2, splits=3)
    at: At = "last"
    watcher = tester.Tester(data, settings, 15, at)
    training = train(mixed(15), data, settings, 4, watch=watcher.watch)
    tested = watcher.tested(training, "validation_loss")
    assert tested.metrics["loss"].shape == (15, 6)
    ended = np.flatnonzero(training.diverged_at < 0).tolist()
    assert len(ended) > 6
    for trial in ended:
        for place in range(6):
            own = cut_out(data, place // 2)
            parameters = training.parameters[trial, place]
            seen = training.validation_loss[trial, place, -1], training.validation_error[trial, place, -1]
            # sums of some dozen to a hundred float64 numbers
            assert seen == pytest.approx(loss_and_error(parameters, own, own.validation, settings), rel=1e-10)
            opened = tested.metrics["loss"][trial, place], tested.metrics["error"][trial, place]
            assert opened == pytest.approx(loss_and_error(parameters, own, own.test, settings), rel=1e-10)


def test_always_saying_the_mean_of_its_own_validation_part_is_an_error_of_one_on_every_split() -> None:
    """The error of numbers is the squared error over the variance, and each split's validation part has its own."""
    splits = [small_data("regression", outputs=2, seed=k) for k in range(3)]
    for k, data in enumerate(splits):
        targets = data.validation.targets
        targets -= targets.mean(axis=0)
        targets *= 10.0**k
    settings = Settings((), dtype="float64", epochs=1, splits=3)
    nothing = Script(np.zeros((3, settings.architecture(splits[0]).parameters)), np.array([[[0], [20], [40]]]))
    found = train([Configuration(1e-9, Sgd())], one_after_the_other(splits), settings, 0, script=nothing)
    # ten squares summed in another order
    np.testing.assert_allclose(found.validation_error[0, :, 0], 1.0, rtol=1e-12)


# ------------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(("there", "wanted"), [(1, 2), (3, 1), (2, 3)])
def test_other_splits_than_the_settings_say_are_refused_in_one_line(there: int, wanted: int) -> None:
    data = one_after_the_other([small_data("regression", seed=k) for k in range(there)])
    said = rf"^train: data of {there} splits, settings for {wanted}: must be as many$"
    with pytest.raises(UsageError, match=said):
        train([Configuration(0.1, Sgd())], data, Settings((), epochs=1, splits=wanted), 0)


@pytest.mark.parametrize("splits", [0, -1, 1.5])
def test_as_many_splits_as_there_cannot_be_are_refused(splits: int) -> None:
    with pytest.raises(UsageError, match=rf"^splits = {splits}: must be a whole number, at least 1$"):
        Settings((), splits=splits)


@pytest.mark.parametrize(
    ("initial", "orders", "said"),
    [
        ((2, 8), np.zeros((1, 4, 5), int), r"script\.initial: shape \(2, 8\): must be \(4, 8\)"),
        ((4, 8), np.zeros((1, 2, 5), int), r"script\.orders: shape \(1, 2, 5\): must be \(1, 4, 'samples'\)"),
        ((4, 8), np.full((1, 4, 5), 40), r"script\.orders: must be numbers of samples, from 0 to 39"),
    ],
)
def test_a_script_is_for_all_trainings_and_may_take_the_samples_of_all_splits(
    initial: tuple[int, ...], orders: Array, said: str
) -> None:
    data = one_after_the_other([small_data("regression", seed=k) for k in range(2)])
    settings = Settings((), epochs=1, replicates=2, splits=2)
    with pytest.raises(UsageError, match=said):
        train([Configuration(0.1, Sgd())], data, settings, 0, script=Script(np.zeros(initial), orders))


def test_the_memory_of_the_samples_is_that_of_all_splits() -> None:
    one, three = of_wine(1), of_wine(3)
    assert three.bytes == 3 * one.bytes == 3 * 8 * sum(len(getattr(one, part)) for part in PARTS) * (13 + 3)
