"""What is measured of a network: each metric against scikit-learn's, and what holds for any metric of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as oracles

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import prepare
from sweep.learning.hyper import Array
from sweep.learning.network.functions import LOSSES
from sweep.learning.network.metrics import ALWAYS, METRICS, Measuring, Metric, Outcome, Words, measured, weightless
from sweep.learning.network.stacked import StackedNetwork
from sweep.learning.optimizers.rules import Adam
from sweep.learning.training.loop import train
from sweep.learning.training.minibatches import EVALUATION_BLOCK
from sweep.learning.training.settings import Settings
from tests.learning.strategies import mixed, weighted

NAMES = {"classification": "breast_cancer", "regression": "diabetes"}
EVERY = [(name, task) for name, metric in METRICS.items() for task in metric.measures]
every_metric = pytest.mark.parametrize(("name", "task"), EVERY)


def data_of(task: str) -> Data:
    """Samples enough for several blocks of the validation part."""
    return prepare(DataSource(name=NAMES[task], validation=0.7, test=0.1), 0)


def settings_of(task: str) -> Settings:
    names = tuple(name for name, each in EVERY if each == task)
    return Settings((6,), dtype="float64", epochs=3, metrics=measured(names))


def softmax(outputs: Array) -> Array:
    return np.asarray(np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True))


ORACLES: dict[tuple[str, str], Callable[..., float]] = {
    ("loss", "classification"): lambda wanted, given, **weights: oracles.log_loss(
        wanted.argmax(axis=1), softmax(given), **weights
    ),
    ("loss", "regression"): oracles.mean_squared_error,
    ("error", "classification"): lambda wanted, given, **weights: 1 - oracles.accuracy_score(
        wanted.argmax(axis=1), given.argmax(axis=1), **weights
    ),
    ("error", "regression"): lambda wanted, given, **weights: 1 - oracles.r2_score(wanted, given, **weights),
    ("absolute_error", "regression"): oracles.mean_absolute_error,
    ("brier", "classification"): lambda wanted, given, **weights: 2 * oracles.brier_score_loss(
        wanted.argmax(axis=1), softmax(given)[:, 1], **weights
    ),
    ("balanced_error", "classification"): lambda wanted, given, **weights: 1 - oracles.balanced_accuracy_score(
        wanted.argmax(axis=1), given.argmax(axis=1), **weights
    ),
}  # fmt: skip


@pytest.mark.parametrize("weighs", [False, True])
@every_metric
def test_a_metric_is_scikit_learns_of_the_trained_networks_outputs(name: str, task: str, weighs: bool) -> None:
    if (name, task) not in ORACLES:
        pytest.skip(f"no oracle for {name} of {task} in ORACLES")
    data, settings = data_of(task), settings_of(task)
    assert len(data.validation) > EVALUATION_BLOCK
    given: dict[str, Array] = {}
    if weighs:
        data, settings = weighted(data), replace(settings, metrics=measured([name]))
        own, of_class = data.validation.weights, data.validation.class_weights
        assert own is not None
        given["sample_weight"] = own * of_class if name == "loss" and of_class is not None else own
    training = train([Configuration(0.01, Adam())], data, settings, 0)
    network = StackedNetwork(settings.architecture(data), training.parameters[0])
    inputs = np.c_[data.validation.inputs, np.ones(len(data.validation))]
    outputs = network.outputs(inputs[None])[:, 0].T
    expected = ORACLES[name, task](data.validation.targets, outputs, **given)
    assert training.curves[f"validation_{name}"][0, 0, -1] == pytest.approx(expected, rel=1e-9)


@every_metric
def test_a_row_has_the_same_alone_as_with_others(name: str, task: str) -> None:
    data, settings = data_of(task), replace(settings_of(task), dtype="float32")
    together = train(mixed(6), data, settings, 0).curves[f"validation_{name}"]
    for place, configuration in enumerate(mixed(6)):
        alone = train([configuration], data, settings, 0).curves[f"validation_{name}"]
        np.testing.assert_array_equal(alone[0], together[place])


@every_metric
def test_a_sample_that_weighs_2_counts_as_two_and_one_that_weighs_0_as_none(name: str, task: str) -> None:
    """Or the metric is refused: one of the whole part that does not say that it goes by weights."""
    data, settings = data_of(task), replace(settings_of(task), metrics=measured([name]))
    counts = np.random.default_rng(0).choice([0, 1, 2], len(data.validation))
    chosen = np.repeat(np.arange(len(counts)), counts)
    repeated = Part(data.validation.inputs[chosen], data.validation.targets[chosen])
    heavy = replace(data, validation=replace(data.validation, weights=counts))
    if name in weightless([name]):
        with pytest.raises(UsageError, match=f"^metric '{name}': does not go by the weights of the samples: leave"):
            train(mixed(3), heavy, settings, 0)
        return
    found, expected = (
        train(mixed(3), each, settings, 0).curves[f"validation_{name}"]
        for each in (heavy, replace(data, validation=repeated))
    )
    # a few hundred float64 numbers, summed in another order
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_whole_metric_that_does_not_say_that_it_weighs_is_refused_with_weights_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worst = Metric({"regression": lambda of: np.abs(of.outputs[:, 0]).max(axis=1)}, {}, whole=True)
    monkeypatch.setitem(METRICS, "worst", worst)
    data, settings = data_of("regression"), Settings((), epochs=1, metrics=measured(["worst"]))
    assert np.isfinite(train(mixed(1), data, settings, 0).curves["validation_worst"]).all()
    with pytest.raises(UsageError, match=r"^metric 'worst': does not go by the weights of the samples: [^\n]+$"):
        train(mixed(1), weighted(data), settings, 0)
    even = replace(data, validation=replace(data.validation, weights=np.full(len(data.validation), 3.0)))
    assert np.isfinite(train(mixed(1), even, settings, 0).curves["validation_worst"]).all()


@every_metric
def test_less_is_better_and_the_targets_themselves_are_the_best(name: str, task: str) -> None:
    random = np.random.default_rng(0)
    targets = np.eye(3)[random.integers(3, size=90)].T if task == "classification" else random.normal(size=(1, 90))
    scale = 50.0 if task == "classification" else 1.0  # logits
    best, shuffled = scale * targets, scale * targets[:, random.permutation(90)]
    measuring = Measuring(task, (name,))
    loss = LOSSES["cross_entropy" if task == "classification" else "squared_error"](False)
    found = []
    for outputs in (best, shuffled):
        of = Outcome(outputs[None].copy(), targets[:, None], targets.var(axis=1)[:, None, None], loss)
        values = (measuring.each(of) | measuring.whole(of))[name]
        assert values.shape == ((1,) if METRICS[name].whole else (1, 90))
        found.append(float(values.mean()))
    assert found[0] == pytest.approx(0.0, abs=1e-12)
    assert found[1] > 0.1


@every_metric
def test_people_have_words_for_it(name: str, task: str) -> None:
    words = METRICS[name].words[task]
    assert words.name
    said = words.said(0.25, 0.2, 0.3)
    assert words.name in said
    assert ("0.750 (0.700 to 0.800)" if words.higher else "25.0" if words.percent else "0.250") in said


def test_what_is_more_for_people_is_less_for_us_and_the_interval_turns_round() -> None:
    assert Words("R2", higher=True).said(0.1, 0.08, 0.15) == "R2 0.900 (0.850 to 0.920)"
    assert Words("wrong", percent=True).said(0.023, 0.021, 0.025) == "2.3 % wrong (2.1 to 2.5 %)"


def test_loss_and_error_are_measured_always_and_nothing_twice() -> None:
    assert measured(["brier", "error", "brier"]) == (*ALWAYS, "brier")


def test_what_else_is_measured_changes_no_other_number() -> None:
    data = data_of("classification")
    plain = train(mixed(4), data, Settings((6,), epochs=3), 0)
    more = train(mixed(4), data, Settings((6,), epochs=3, metrics=measured(["brier", "balanced_error"])), 0)
    for name, curve in plain.curves.items():
        np.testing.assert_array_equal(curve, more.curves[name])
    np.testing.assert_array_equal(plain.parameters, more.parameters)
