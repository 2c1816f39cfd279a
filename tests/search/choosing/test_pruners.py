"""Pruners against plain Python, and what every pruner has to obey; when a schedule first moves."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sweep.learning.hyper import hyperparameters
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import SCHEDULES, Constant, Cosine, Piecewise, Plateau, Step
from sweep.search.choosing.pruners import MOMENTS, PRUNERS, ROUNDING, Halving, Judge, Median, first_move, is_judged
from tests.learning import textbook
from tests.learning.strategies import rules, watches
from tests.learning.textbook import need
from tests.search.choosing import slow_pruners
from tests.studies import laws

# Few different numbers, so that there are ties; and any others.
losses = st.integers(-4, 8).map(lambda n: n / 4) | st.floats(-1e6, 1e6)
populations = st.lists(losses, max_size=30)


def survivors(name: str, values: list[float], before: list[float]) -> list[bool]:
    found = PRUNERS[name]().survivors(np.array(values), np.array(before))
    assert found.shape == (len(values),)
    assert found.dtype == bool
    return [bool(each) for each in found]


@pytest.mark.parametrize("name", slow_pruners.JUDGES)
@laws
@given(values=populations, before=populations)
@example(values=[0.5], before=[])
@example(values=[0.5, 0.5, 0.25], before=[0.5])
@example(values=[0.5, 0.75], before=[0.25, 0.5, 0.5, 0.75, 1.0])
def test_a_verdict_is_that_of_plain_python(name: str, values: list[float], before: list[float]) -> None:
    assert survivors(name, values, before) == slow_pruners.JUDGES[name](values, before)


@pytest.mark.parametrize("name", PRUNERS)
@laws
@given(values=populations, before=populations)
def test_equals_stay_together_and_no_one_goes_on_past_a_better_one(
    name: str, values: list[float], before: list[float]
) -> None:
    goes_on = survivors(name, values, before)
    worst_kept = max((v for v, kept in zip(values, goes_on, strict=True) if kept), default=-math.inf)
    assert all(v > worst_kept for v, kept in zip(values, goes_on, strict=True) if not kept)


@pytest.mark.parametrize("name", PRUNERS)
@laws
@given(values=populations.filter(bool), before=populations)
def test_the_best_of_all_so_far_goes_on(name: str, values: list[float], before: list[float]) -> None:
    values[0] = min([*values, *before])
    assert survivors(name, values, before)[0]


@pytest.mark.parametrize("name", PRUNERS)
@laws
@given(values=populations.filter(bool))
def test_of_a_first_generation_somebody_goes_on(name: str, values: list[float]) -> None:
    assert any(survivors(name, values, []))


@pytest.mark.parametrize("name", PRUNERS)
@laws
@given(values=populations, before=populations, random=st.randoms(use_true_random=False))
def test_the_order_of_trials_and_of_earlier_ones_is_immaterial(
    name: str, values: list[float], before: list[float], random: np.random.Generator
) -> None:
    goes_on = survivors(name, values, before)
    order, shuffled = list(range(len(values))), list(before)
    random.shuffle(order)
    random.shuffle(shuffled)
    assert survivors(name, [values[i] for i in order], shuffled) == [goes_on[i] for i in order]


@pytest.mark.parametrize("name", PRUNERS)
@laws
@given(values=populations.filter(bool), before=populations, drop=st.floats(0.0, 1e3), data=st.data())
def test_whoever_goes_on_would_with_a_lower_loss(
    name: str, values: list[float], before: list[float], drop: float, data: st.DataObject
) -> None:
    kept = [place for place, goes_on in enumerate(survivors(name, values, before)) if goes_on]
    if kept:
        place = data.draw(st.sampled_from(kept))
        values[place] -= drop
        assert survivors(name, values, before)[place]


@pytest.mark.parametrize("name", PRUNERS)
@pytest.mark.parametrize("before", [[], [1.0] * 6])
def test_a_generation_of_which_nobody_is_left_is_judged_too(name: str, before: list[float]) -> None:
    assert survivors(name, [], before) == []


@laws
@given(values=st.lists(losses, unique=True, min_size=1, max_size=30))
def test_halving_keeps_the_better_half_of_a_first_generation(values: list[float]) -> None:
    assert sum(survivors("halving", values, [])) == math.ceil(len(values) / 2)


@laws
@given(values=populations, before=st.lists(losses, max_size=Median.enough - 1))
def test_the_median_rule_waits_until_enough_have_been_there(values: list[float], before: list[float]) -> None:
    assert all(survivors("median", values, before))


@pytest.mark.parametrize("name", PRUNERS)
@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5, 7, 8, 30, 100, 101])
def test_rungs_rise_and_lie_before_the_last_epoch_and_not_before_a_quarter(name: str, epochs: int) -> None:
    found = PRUNERS[name]().rungs(epochs)
    assert all(a < b for a, b in pairwise(found))
    assert all(epochs / 4 <= rung < epochs for rung in found)
    if name in slow_pruners.SHARES:
        assert list(found) == slow_pruners.rungs(name, epochs)


@pytest.mark.parametrize("name", PRUNERS)
def test_a_training_of_one_epoch_has_no_rung(name: str) -> None:
    assert PRUNERS[name]().rungs(1) == ()


def test_the_rungs_of_thirty_epochs() -> None:
    assert Halving().rungs(30) == (10, 20)
    assert Median().rungs(30) == (8, 15, 23)


@laws
@given(generations=st.lists(populations, max_size=5))
def test_a_judge_compares_with_all_who_were_judged_at_the_same_rung(generations: list[list[float]]) -> None:
    judge, before = Judge(Halving(), 30), list[float]()
    for place, values in enumerate(generations):
        if place % 2:  # as after a resumption: what was, is told and not judged again
            judge.remember(10, np.array(values))
        else:
            assert judge.survivors(10, np.array(values)).tolist() == slow_pruners.halving(values, before)
        before += values
    assert judge.survivors(20, np.array([2.0, 1.0])).tolist() == [False, True], "nobody has been at the other rung"


def moves_by_the_textbook(schedule: Schedule, time: float) -> bool:
    """Whether the rate is away from the base rate, to which the warm-up, if there is one, has brought it."""
    constants = {p.name: getattr(schedule, p.name) for p in hyperparameters(schedule)}
    now = textbook.factor(schedule.name, time, constants)
    return time >= constants["warmup"] and abs(now - 1.0) > ROUNDING + 1e-11 * abs(now)


@pytest.mark.parametrize("name", SCHEDULES)
@laws
@given(data=st.data(), epochs=st.integers(1, 12))
def test_a_rate_moves_first_when_the_textbook_moves_it(name: str, data: st.DataObject, epochs: int) -> None:
    need(name, textbook.SCHEDULES, "SCHEDULES")
    schedule = data.draw(rules(SCHEDULES[name]))
    first = first_move(schedule, epochs)
    moments = [step / MOMENTS for step in range(epochs * MOMENTS)]
    assert first == math.inf or first in moments
    if not watches(schedule):  # else it does not move by the clock
        assert not any(moves_by_the_textbook(schedule, time) for time in moments if time < first)
        if first != math.inf:
            assert first >= schedule.warmup
            assert abs(float(schedule.factor(first)) - 1.0) > ROUNDING


def test_a_warm_up_is_no_move() -> None:
    assert first_move(Step(every=10.0, warmup=5.0), 30) == 15.0
    assert first_move(SCHEDULES["constant"](warmup=5.0), 30) == math.inf


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_as_it_is_by_default_says_when_it_moves(name: str) -> None:
    schedule = SCHEDULES[name]()
    first = first_move(schedule, 30)
    assert first > 0.0
    stands = watches(schedule) or np.array_equal(schedule.factor(np.arange(30.0)), np.ones(30))
    assert (first == math.inf) == stands
    assert stands or name not in ("constant", "plateau")
    assert all(is_judged(first, rung) == (first < rung or first == math.inf) for rung in range(1, 30))


@pytest.mark.parametrize(
    ("schedule", "judged"),
    [
        (Step(every=20.0), [False, False, True]),
        (Step(every=8.0), [False, True, True]),
        (Step(every=7.0), [True, True, True]),
        (Step(every=40.0), [True, True, True]),
        (Step(every=20.0, divisor=1.0), [True, True, True]),
        (Piecewise(boundaries=(25.0, 10.0), factors=(0.5, 0.1)), [False, True, True]),
        (Cosine(duration=30.0, hold=10.0), [False, True, True]),
        (Constant(), [True, True, True]),
        (Plateau(patience=20.0), [True, True, True]),
    ],
    ids=["late step", "step at the rung", "step before", "step after the end", "step by nothing", "piecewise", "held",
         "constant", "plateau"],
)  # fmt: skip
def test_who_is_still_to_move_is_not_judged(schedule: Schedule, judged: list[bool]) -> None:
    moved = first_move(schedule, 30)
    assert [is_judged(moved, rung) for rung in Median().rungs(30)] == judged
