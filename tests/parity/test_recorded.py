"""The official libraries' recorded trainings: ours beside theirs, alone and stacked, in both executors."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sweep.learning.hyper import hyperparameters
from sweep.learning.network import executors
from sweep.learning.schedules.base import Schedule
from sweep.parity import comparing, recordings, words
from sweep.parity.comparing import Comparison, Curves, compare, compare_rates, compare_runs, factors, train_runs
from sweep.parity.lesson import lesson

RECORDED = recordings.load()
CONFIGURATIONS = [words.configuration(run.knobs, run.schedule, run.id) for run in RECORDED.runs]
needs_numba = pytest.mark.skipif(executors.numba is None, reason="numba cannot be imported")


@functools.cache
def stacked() -> list[Curves]:
    """All of them, trained in as few populations as possible."""
    return train_runs(RECORDED, RECORDED.runs)


def failures(comparisons: list[Comparison]) -> list[tuple[str, str, float]]:
    return [(c.library, c.setting, c.worst) for c in comparisons if not c.passed]


def test_all_99_recorded_trainings_are_reproduced() -> None:
    comparisons = [compare(run, ours) for run, ours in zip(RECORDED.runs, stacked(), strict=True)]
    assert len(comparisons) == 99
    assert not failures(comparisons)
    assert {c.tolerance for c in comparisons if c.dtype == "float64"} == {1e-9}
    assert {c.tolerance for c in comparisons if c.dtype == "float32"} == {1e-4}
    assert all(c.loss is not None and c.weights is not None for c in comparisons)


def test_all_60_recorded_schedules_are_reproduced() -> None:
    comparisons = compare_rates(RECORDED)
    assert len(comparisons) == 60
    assert not failures(comparisons)


@pytest.mark.long
def test_every_recorded_training_gives_the_same_numbers_alone() -> None:
    for run, beside in zip(RECORDED.runs, stacked(), strict=True):
        (alone,) = train_runs(RECORDED, [run])
        np.testing.assert_array_equal(alone.loss, beside.loss, err_msg=run.id)
        np.testing.assert_array_equal(alone.final, beside.final, err_msg=run.id)
        np.testing.assert_array_equal(alone.rates, beside.rates, err_msg=run.id)


@needs_numba
def test_both_executors_give_the_same_numbers() -> None:
    interpreted = train_runs(RECORDED, RECORDED.runs, compiled=False)
    for run, one, other in zip(RECORDED.runs, stacked(), interpreted, strict=True):
        np.testing.assert_array_equal(one.loss, other.loss, err_msg=run.id)
        np.testing.assert_array_equal(one.final, other.final, err_msg=run.id)


# ------------------------------------------------------------------------------------------------- a mutation test
# Breaking a knob means: it is ignored, and the default holds. Some recorded training must notice.

KNOBS = sorted({p.name for c in CONFIGURATIONS for p in hyperparameters(c.optimizer)})


@pytest.mark.parametrize("knob", KNOBS)
def test_a_broken_knob_is_noticed_by_a_recorded_training(knob: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutants: dict[str, Any] = {}
    for run, configuration in zip(RECORDED.runs, CONFIGURATIONS, strict=True):
        for parameter in hyperparameters(configuration.optimizer):
            if parameter.name == knob and getattr(configuration.optimizer, knob) != parameter.default:
                changes: dict[str, Any] = {knob: parameter.default}
                optimizer = replace(configuration.optimizer, **changes)
                mutants[run.id] = replace(configuration, optimizer=optimizer)
    broken = [run for run in RECORDED.runs if run.id in mutants]
    assert broken, f"no recorded training uses {knob}"
    monkeypatch.setattr(words, "configuration", lambda knobs, schedule, owner: mutants[owner])
    noticed = [c for c in compare_runs(RECORDED.model_copy(update={"runs": broken})) if not c.passed]
    assert noticed


SEQUENCES = [(*words.timed(recorded.schedule, recorded.id), recorded.lr) for recorded in RECORDED.schedules]
# Every constant of which some recorded sequence has another value than our default.
USED = sorted(
    {
        (rule.name, p.name)
        for _, rule, _ in SEQUENCES
        for p in hyperparameters(rule)
        if getattr(rule, p.name) != p.default
    }
)
# The metrics' first best is infinity, whether it is taken from before the training or not; and no recorded rate falls
# so low that a drop is too small to be made.
UNNOTICED = {("plateau", "baseline"), ("plateau", "least_change")}


@pytest.mark.parametrize(("name", "field"), sorted(set(USED) - UNNOTICED))
def test_a_broken_constant_of_a_schedule_is_noticed_by_a_recorded_sequence(name: str, field: str) -> None:
    noticed = []
    for base, rule, recorded in SEQUENCES:
        defaults = {p.name: p.default for p in hyperparameters(rule)}
        if rule.name == name and getattr(rule, field) != defaults[field]:
            value = shortened(getattr(rule, field)) if isinstance(defaults[field], tuple) else defaults[field]
            ours = base * factors(broken(rule, field, value), len(recorded), RECORDED.metrics)
            noticed.append(comparing.relative(ours, recorded, comparing.largest(recorded)) > 1e-9)
    assert any(noticed)


def shortened(values: tuple[float, ...]) -> tuple[float, ...]:
    """Other numbers, as many."""
    return tuple(0.9 * value for value in values)


def broken(rule: Schedule, field: str, value: Any) -> Schedule:
    changes: dict[str, Any] = {field: value}
    return replace(rule, **changes)


# ------------------------------------------------------------------------------------------------------- the lesson


def test_the_first_steps_from_an_empty_cache_are_3_16_rates_long_and_from_a_full_one_not() -> None:
    empty, full = lesson(RECORDED.problems["A"]).starts
    assert (empty.initial_cache, full.initial_cache) == (0.0, 1.0)
    # 1 / sqrt(1 - 0.9), whatever the gradient; epsilon 1e-8 is beside gradients of 0.1 nothing
    assert empty.step[0] == pytest.approx(np.sqrt(10), rel=1e-5)
    # rate / sqrt(0.9 + 0.1 g^2): the median gradient is small
    assert full.effective[0] == pytest.approx(1 / np.sqrt(0.9), rel=0.01)
    assert all(e > f for e, f in zip(empty.effective[:6], full.effective[:6], strict=True))


def test_the_lesson_is_what_keras_and_tensorflow_1_recorded() -> None:
    """The same settings but for epsilon, 1e-7 and 1e-10 there: a difference of a few thousandths."""
    empty, full = lesson(RECORDED.problems["A"]).starts
    assert empty.loss[0] == full.loss[0]
    by_id = {run.id: run for run in RECORDED.runs}
    keras, optax = by_id["keras3/rmsprop/f8"].loss, by_id["optax/rmsprop_as_tf1/f8"].loss
    assert empty.loss[5] == pytest.approx(keras[19], rel=5e-3)
    assert full.loss[1] == pytest.approx(optax[1], rel=0.2)
