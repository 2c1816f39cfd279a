"""Effective rates, ``rate / (sqrt(cache) + epsilon)``, against caches kept step by step, one parameter at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data
from sweep.learning.data.source import named
from sweep.learning.data.splits import prepare
from sweep.learning.hyper import Array
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import OPTIMIZERS, AdaGrad, Adam, RMSProp, Sgd
from sweep.learning.schedules.formulas import Exponential, Step
from sweep.learning.training.loop import QUANTILES, Pause, Script, train
from sweep.learning.training.population import Population
from sweep.learning.training.settings import Settings
from sweep.search.space.space import parameters_of
from tests.learning import textbook
from tests.learning.slowly import by_the_reference, constants_of
from tests.learning.strategies import configurations, data_sets, mixed, small_data, trainings, variants
from tests.reference import Recipe, minibatch
from tests.studies import content, laws, run, settled

CURVES = ("learning_rate", "train_loss", "validation_loss", "validation_error")
EPOCHS, BATCH = 3, 8
SIZES = (3, 4, 2)

VELOCITY = ("momentum", "nesterov", "dampening", "rate_in_velocity")
DECAYS = ("rate_decay", "weight_decay", "weight_decay_decoupled", "weight_decay_biases", "weight_decay_over_batch")


def effective(name: str, constants: dict[str, Any], gradients: Sequence[float], rate: float) -> float:
    """By the textbook; velocity and decays are left aside."""
    left_aside = DECAYS if name == "adam" else (*DECAYS, *VELOCITY)
    own = {key: value for key, value in constants.items() if key not in left_aside}
    return textbook.EFFECTIVE[name](gradients, rate, **own)


class Log:
    """What each parameter's optimizer was given: its gradients, with what weight decay added to them, and its rates."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.steps: list[list[tuple[float, float]]] = []  # by parameter, for the steppers are made in their order
        made = textbook.OPTIMIZERS[name]

        def logging(**constants: Any) -> textbook.Stepper:
            step, own = made(**constants), list[tuple[float, float]]()
            self.steps.append(own)

            def logged(gradient: float, rate: float) -> float:
                own.append((gradient, rate))
                return step(gradient, rate)

            return logged

        monkeypatch.setitem(textbook.OPTIMIZERS, name, logging)

    def effective(self, name: str, constants: dict[str, Any], updates: int) -> list[float]:
        """Each parameter's effective rate at the last of so many updates."""
        seen = [own[:updates] for own in self.steps]
        return [effective(name, constants, [gradient for gradient, _ in own], own[-1][1]) for own in seen]


def quantile(values: Sequence[float], share: float) -> float:
    """Between the two values on whose places the share falls, linearly."""
    ordered, place = sorted(values), share * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def scripted(replicates: int) -> tuple[Data, Settings, Script]:
    """20 samples in minibatches of 8: three updates an epoch, the last one of 4."""
    data = small_data("classification", inputs=SIZES[0], outputs=SIZES[-1])
    settings = Settings((SIZES[1],), "tanh", dtype="float64", epochs=EPOCHS, batch_size=BATCH, replicates=replicates,
                        effective_rates=True)  # fmt: skip
    random = np.random.default_rng(0)
    initial = random.normal(0.0, 0.5, (replicates, settings.architecture(data).parameters))
    orders = np.array([[random.permutation(len(data.train)) for _ in range(replicates)] for _ in range(EPOCHS)])
    return data, settings, Script(initial, orders)


UPDATES = [1, 3, 6, 9]  # until the recording of each epoch: 0 stands for the very first update


@pytest.mark.parametrize("rule", [rule for name in OPTIMIZERS for rule in variants(name)], ids=str)
def test_the_quantiles_are_those_of_rate_over_root_of_cache_plus_epsilon(
    rule: Optimizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    textbook.need(rule.name, textbook.OPTIMIZERS, "OPTIMIZERS")
    textbook.need(rule.name, textbook.EFFECTIVE, "EFFECTIVE")
    data, settings, script = scripted(replicates=2)
    chosen = Configuration(0.05, rule, Exponential(rate=0.4))
    found = train([chosen], data, settings, seed=0, script=script).effective_rate[0]
    assert found.shape == (2, EPOCHS + 1, len(QUANTILES))
    for replicate in range(2):
        log = Log(monkeypatch, rule.name)
        by_the_reference(chosen, data, settings, script.initial[replicate], list(script.orders[:, replicate]))
        for epoch, updates in enumerate(UPDATES):
            each = log.effective(rule.name, constants_of(rule), updates)
            expected = [quantile(each, share) for share in QUANTILES]
            # float64; a root of a small difference (centered) keeps half of the digits that it had
            np.testing.assert_allclose(found[replicate, epoch], expected, rtol=1e-8)


@pytest.mark.parametrize("rule", [AdaGrad(), RMSProp(decay=0.99, initial_cache=0.1), Adam()], ids=str)
def test_each_parameter_has_its_own_in_its_place(rule: Optimizer, monkeypatch: pytest.MonkeyPatch) -> None:
    data, settings, script = scripted(replicates=1)
    chosen = Configuration(0.05, rule)
    seen: dict[int, Array] = {}

    def watch(epoch: int, population: Population) -> None:
        place = population.trials.tolist().index(1)
        seen[epoch] = population.effective_rates()[place].copy()

    train([Configuration(0.1, Sgd()), chosen, Configuration(0.1, rule)], data, settings, 0, script=script, watch=watch)
    log = Log(monkeypatch, rule.name)
    by_the_reference(chosen, data, settings, script.initial[0], list(script.orders[:, 0]))
    for epoch, updates in list(enumerate(UPDATES))[1:]:
        np.testing.assert_allclose(seen[epoch], log.effective(rule.name, constants_of(rule), updates), rtol=1e-8)


@pytest.mark.parametrize("initial_cache", [0.01, 1.0])
def test_before_training_it_is_that_of_the_cache_as_it_starts(initial_cache: float) -> None:
    data, settings, script = scripted(replicates=1)
    seen: list[Array] = []

    def watch(epoch: int, population: Population) -> None:
        if epoch == 0:
            seen.append(population.effective_rates())

    rule = RMSProp(epsilon=1e-3, initial_cache=initial_cache, rate_decay=0.5)
    train([Configuration(0.05, rule, Step(every=1.0))], data, settings, 0, script=script, watch=watch)
    np.testing.assert_allclose(seen[0], 0.05 / (math.sqrt(initial_cache) + 1e-3), rtol=1e-12)


def test_the_first_update_of_rmsprop_is_32_times_the_nominal_rate_in_size_where_the_cache_starts_at_0() -> None:
    """What the first recorded number is for: rate * |g| / sqrt(0.001 g^2), whatever the gradient."""
    data, settings, script = scripted(replicates=1)
    chosen = Configuration(0.01, RMSProp(decay=0.999, epsilon=0.0))
    recipe = Recipe("tanh", "cross_entropy", "rmsprop", {}, "constant", {}, 0.01, BATCH)
    first, samples = script.orders[0, 0, :BATCH].tolist(), (data.train.inputs, data.train.targets)
    _, gradients = minibatch(script.initial[0].tolist(), SIZES, samples, first, recipe, [1.0] * len(samples[0]))
    expected = 0.01 * math.sqrt(1000) / np.abs(gradients)
    found = train([chosen], data, settings, seed=0, script=script).effective_rate[0, 0, 0]
    np.testing.assert_allclose(found, [quantile(expected.tolist(), share) for share in QUANTILES], rtol=1e-8)


@laws
@given(
    population=st.lists(configurations, min_size=1, max_size=4),
    data=data_sets,
    settings=trainings.map(lambda drawn: replace(drawn, effective_rates=True)),
    seed=st.integers(0, 2**63),
)
def test_they_are_the_same_alone_and_in_company_and_to_record_them_changes_nothing(
    population: list[Configuration], data: Data, settings: Settings, seed: int
) -> None:
    together = train(population, data, settings, seed)
    without = train(population, data, replace(settings, effective_rates=False), seed)
    for trial, configuration in enumerate(population):
        alone = train([configuration], data, settings, seed)
        np.testing.assert_array_equal(alone.effective_rate[0], together.effective_rate[trial])
    for name in (*CURVES, "epochs", "diverged_at", "parameters"):
        np.testing.assert_array_equal(getattr(together, name), getattr(without, name), err_msg=name)
    assert without.effective_rate.shape == (*together.train_loss.shape, 0)


def test_thirty_two_mixed_trials_have_them_for_as_many_epochs_as_they_trained() -> None:
    data, settings = prepare(named("wine"), 3), Settings((8,), epochs=5, batch_size=16, effective_rates=True)
    training = train(mixed(32), data, settings, seed=9)
    assert len(set(training.diverged_at.tolist())) > 2, "or this would compare less than it says"
    for trial, epochs in enumerate(training.epochs):
        alone = train([mixed(32)[trial]], data, settings, seed=9).effective_rate[0]
        np.testing.assert_array_equal(training.effective_rate[trial], alone)
        known = training.effective_rate[trial, 0]
        assert np.isnan(known[epochs + 1 :]).all()
        if training.diverged_at[trial] < 0:
            assert np.isfinite(known).all()
            assert (np.diff(known, axis=1) >= 0).all()


def test_who_watches_sees_those_of_the_trials_that_are_left() -> None:
    data, settings = prepare(named("wine"), 3), Settings((8,), epochs=5, batch_size=16, effective_rates=True)
    seen: dict[int, Array] = {}

    def watch(epoch: int, population: Population) -> None:
        seen[epoch] = np.full((32, len(QUANTILES)), np.nan)
        seen[epoch][population.trials] = np.quantile(population.effective_rates(), QUANTILES, axis=1).T

    training = train(mixed(32), data, settings, seed=9, watch=watch)
    for epoch in range(1, 6):
        left = ~np.isnan(seen[epoch][:, 0])
        np.testing.assert_array_equal(seen[epoch][left], training.effective_rate[left, 0, epoch])
    assert left.sum() < 30, "or nobody would have left"


@pytest.mark.parametrize("first", [0, 1, 2, 4])
def test_pauses_change_none_of_them(first: int) -> None:
    data, settings = prepare(named("wine"), 3), Settings((8,), epochs=5, batch_size=16, effective_rates=True)
    population = mixed(32)
    whole = train(population, data, settings, seed=9)
    begun = train(population, data, settings, seed=9, until=first)
    assert begun.paused is not None
    left = list(begun.paused.trials)
    pause = Pause(first, begun.paused.start, {place: begun.paused.trials[trial] for place, trial in enumerate(left)})
    ended = train([population[trial] for trial in left], data, settings, seed=9, begin=pause)
    columns = slice(first + 1, None) if first else slice(None)
    np.testing.assert_array_equal(ended.effective_rate[:, :, columns], whole.effective_rate[left][:, :, columns])
    if first:
        np.testing.assert_array_equal(begun.effective_rate[:, :, : first + 1], whole.effective_rate[:, :, : first + 1])


# --------------------------------------------------------------------------------------------------------- the studies

COLUMNS = ["effective_rate_05", "effective_rate_25", "effective_rate_50", "effective_rate_75", "effective_rate_95"]


def study(**section: Any) -> dict[str, Any]:
    """Trials of which some are pruned and some diverge."""
    search = {"optimizers": ["rmsprop", "adam"], "learning_rate": {"low": 1e-4, "high": 30.0, "log": True}}
    return content(study={"trials": 24, "generation": 8, **section}, search=search, network={"epochs": 9})


def test_the_curves_of_a_study_have_five_columns_more_if_it_asks_for_them(tmp_path: Path) -> None:
    without = run(study(), tmp_path / "without")
    with_them = run(study(effective_rates=True), tmp_path / "with")
    assert [*without.curves, *COLUMNS] == list(with_them.curves)
    pd.testing.assert_frame_equal(with_them.curves.drop(columns=COLUMNS), without.curves, check_exact=True)
    pd.testing.assert_frame_equal(settled(with_them.trials), settled(without.trials), check_exact=True)
    training = train(
        [with_them.spec.space().configuration(parameters_of(with_them.trials.iloc[5].dropna().to_dict()))],
        prepare(with_them.spec.source(), 0), with_them.spec.settings(), seed=0,
    )  # fmt: skip
    rows = with_them.curves[with_them.curves["number"] == 5]
    np.testing.assert_array_equal(rows[COLUMNS], training.effective_rate[0, 0, : len(rows)])


def test_pruned_studies_record_what_others_do(tmp_path: Path) -> None:
    pruned = run(study(effective_rates=True, pruner="halving"), tmp_path / "pruned")
    whole = run(study(effective_rates=True), tmp_path / "whole")
    assert {"pruned", "complete", "diverged"} <= set(pruned.trials["state"])
    both = pruned.curves.merge(whole.curves, on=["number", "replicate", "epoch"], suffixes=("", "_whole"))
    assert len(both) == len(pruned.curves) < len(whole.curves)
    for name in COLUMNS:
        np.testing.assert_array_equal(both[name], both[f"{name}_whole"])
    alive = both[both["number"].isin(pruned.trials.loc[pruned.trials["state"] != "diverged", "number"])]
    assert np.isfinite(alive[COLUMNS]).all(axis=None)
