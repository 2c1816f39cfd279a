"""When a schedule changes: at the update that is meant, whatever the rounding of the time.

Times are whole numbers of updates over the updates of an epoch, and so are the boundaries meant here. The lengths are
those of the reference (optimizers.md, surprises 4 and 6) at which libraries are an update late.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.hyper import Array
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import (
    CosineRestarts,
    InverseScaling,
    InverseTime,
    Piecewise,
    Polynomial,
    Ramps,
    Step,
)

LATE = [41, 47, 55, 61, 82, 83, 94, 97, 107, 109, 110, 115, 121, 122, 123, 141]
LENGTHS = [1, 3, 10, *LATE, 1000]
STEPS = [1, 2, 3, 7, 10, 32, 45, 49, 96, 1437]  # updates an epoch
every_pace = pytest.mark.parametrize("steps", STEPS)


def after_updates(schedule: Schedule, updates: Array, steps: int) -> Array:
    """The factor of the update that comes after so many."""
    return schedule.factor(updates / steps).reshape(-1)


@every_pace
def test_a_staircase_drops_at_every_multiple_of_its_length_and_at_no_other_update(steps: int) -> None:
    for length in LENGTHS:
        updates = np.arange(30 * length + 2)
        drops = updates // length
        falling = after_updates(Step(every=length / steps, divisor=2.0), updates, steps)
        np.testing.assert_array_equal(falling, 0.5**drops, err_msg=f"{length}")
        slower = after_updates(InverseTime(rate=steps / length, every=length / steps), updates, steps)
        # rate * every is 1 but for a rounding or two
        np.testing.assert_allclose(slower, 1.0 / (1.0 + drops), rtol=1e-15, err_msg=f"{length}")


@every_pace
def test_a_staircase_counts_from_the_end_of_warm_up_and_hold(steps: int) -> None:
    warmup, hold = 29, 31
    for length in LENGTHS:
        updates = np.arange(warmup, warmup + hold + 20 * length + 2)
        where: dict[str, Any] = {"warmup": warmup / steps, "hold": hold / steps, "every": length / steps}
        drops = np.maximum(updates - warmup - hold, 0) // length
        np.testing.assert_array_equal(after_updates(Step(**where), updates, steps), 0.5**drops, err_msg=f"{length}")


@every_pace
@pytest.mark.parametrize("warmup", [0, 29])
def test_a_table_changes_at_its_boundaries_or_one_update_after_them(steps: int, warmup: int) -> None:
    for length in LENGTHS:
        updates = np.arange(warmup, warmup + 6 * length)
        boundaries, factors = (length / steps, 3 * length / steps), (0.5, 0.25)
        for after in (False, True):
            table = Piecewise(boundaries=boundaries, factors=factors, after=after, warmup=warmup / steps)
            passed = sum(updates - warmup >= n * length + after for n in (1, 3))
            expected = np.array([1.0, *factors])[passed]
            np.testing.assert_array_equal(after_updates(table, updates, steps), expected, err_msg=f"{length}, {after}")


@every_pace
@pytest.mark.parametrize("warmup", [0, 29])
def test_ramps_jump_at_the_update_at_which_two_of_them_end(steps: int, warmup: int) -> None:
    for length in LENGTHS:
        updates = np.arange(warmup, warmup + 2 * length)
        ramps = Ramps(times=(length / steps,) * 2, factors=(1.0, 0.5), warmup=warmup / steps)
        expected = np.where(updates - warmup >= length, 0.5, 1.0)
        np.testing.assert_array_equal(after_updates(ramps, updates, steps), expected, err_msg=f"{length}")


@pytest.mark.parametrize("early", [0.0, 1e-15, 9e-10])
def test_a_time_less_than_a_billionth_before_a_boundary_counts_as_at_it(early: float) -> None:
    at, before = 6.0 - early, 6.0 - 2e-9
    for schedule in (
        Step(every=3.0, divisor=10.0), InverseTime(every=3.0), InverseScaling(),
        Piecewise(boundaries=(6.0,), factors=(0.5,)), CosineRestarts(first=2.0, peak_factor=0.5),
    ):  # fmt: skip
        # At the peak a cosine is flat; elsewhere nothing moves but at a boundary.
        assert schedule.factor(at).item() == pytest.approx(schedule.factor(6.0).item(), rel=1e-12)
        assert abs(schedule.factor(before).item() - schedule.factor(6.0).item()) > 0.01
    late = Piecewise(boundaries=(6.0,), factors=(0.5,), after=True)
    assert late.factor(6.0 + early).item() == 1.0
    assert late.factor(6.0 + 2e-9).item() == 0.5


def test_inverse_scaling_changes_with_the_epoch_only() -> None:
    for steps in STEPS:
        updates = np.arange(5 * steps)
        expected = (1.0 + 20.0 * (updates // steps)) ** -0.25
        factors = after_updates(InverseScaling(power=0.25, samples=20.0), updates, steps)
        np.testing.assert_allclose(factors, expected, rtol=1e-14)  # a power, by two functions


@every_pace
@pytest.mark.parametrize("grow", [1, 2, 3, 10])
def test_a_cosine_restarts_at_the_end_of_every_period_and_at_no_other_update(steps: int, grow: int) -> None:
    for length in LENGTHS:
        ends = [sum(length * grow**i for i in range(n)) for n in range(8)]
        updates = np.array([max(end + near, 0) for end in ends[:6] for near in (-1, 0, 1)])
        updates = updates[updates < 1e7]
        period = np.searchsorted(ends, updates, side="right") - 1
        share = (updates - np.array(ends)[period]) / (length * np.power(grow, period))
        expected = 0.5**period * 0.5 * (1 + np.cos(np.pi * share))
        schedule = CosineRestarts(first=length / steps, period_factor=grow, peak_factor=0.5)
        # A time of up to 1e7 epochs has digits down to 1e-9; over the shortest period of 1 update they are an angle.
        np.testing.assert_allclose(after_updates(schedule, updates, steps), expected, atol=1e-8, err_msg=f"{length}")


def test_a_cosine_restarts_where_a_period_counted_by_logarithms_would_not() -> None:
    """Keras is at its minimum for one step: at 210 with 1.1 from 100, at 1210 with 3 and at 1110 with 10 from 10."""
    for first, grow, end in ((100, Fraction(11, 10), 210), (10, Fraction(3), 1210), (10, Fraction(10), 1110)):
        for steps in STEPS:
            schedule = CosineRestarts(first=first / steps, period_factor=float(grow))
            before, at = after_updates(schedule, np.array([end - 1, end]), steps)
            assert at == 1.0
            assert before < 0.001


@pytest.mark.parametrize("grow", [2, 3, 10])
def test_a_cosine_is_at_its_end_just_before_it_restarts(grow: int) -> None:
    """By so little that a logarithm does not tell: a few billionths, or the least that a float64 time can tell."""
    schedule = CosineRestarts(first=10.0, period_factor=float(grow))
    for n in range(1, 8):
        end = float(10 * sum(grow**i for i in range(n)))
        for early in (3e-9, 1e-8, 1e-7):
            assert schedule.factor(end - max(early, 4 * np.spacing(end))).item() < 0.01
        assert schedule.factor(end).item() == 1.0


@given(first=st.integers(1, 200), grow=st.sampled_from([1.0, 1.1, 1.5, 2.0, 3.0, 7.0]), steps=st.sampled_from(STEPS))
def test_a_restarted_cosine_never_rises_but_at_its_restarts(first: int, grow: float, steps: int) -> None:
    updates = np.arange(12 * first)
    factors = after_updates(CosineRestarts(first=first / steps, period_factor=grow), updates, steps)
    risen = {int(t) + 1 for t in np.flatnonzero(np.diff(factors) > 0)}
    ends, length, end = set(), Fraction(first), Fraction(first)
    while end < len(updates):
        ends.add(-(-end.numerator // end.denominator))  # the first update at the end or after it
        length *= Fraction(grow).limit_denominator(10)
        end += length
    assert risen <= ends
    assert first == 1 or {t for t in ends if t < len(updates)} <= risen


def test_periods_of_one_length_go_on_for_ever_without_a_word() -> None:
    """NumPy's warnings are errors in this suite."""
    schedule = CosineRestarts(first=1.0, period_factor=1.0)
    assert schedule.factor(5000.0).item() == 1.0


@every_pace
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_a_polynomial_with_a_cycle_is_at_its_end_at_every_multiple_and_never_a_nan(steps: int, power: float) -> None:
    for length in LENGTHS:
        updates = np.arange(20 * length + 2)
        schedule = Polynomial(duration=length / steps, end=0.125, power=power, cycle=True)
        ways = np.maximum(-(-updates // length), 1)
        expected = 0.125 + 0.875 * ((ways * length - updates) / (ways * length)) ** power
        # At the end a root may be taken of a rounding or two of 1 less the share, 2e-16.
        off = 1e-13 if power >= 1 else 3e-8
        np.testing.assert_allclose(after_updates(schedule, updates, steps), expected, atol=off, err_msg=f"{length}")
