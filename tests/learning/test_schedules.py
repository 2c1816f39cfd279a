from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.hyper import Hyperparameter, hyperparameters, stack
from sweep.learning.schedules import SCHEDULES, Exponential, InverseTime, Piecewise, Plateau, Schedule, Step
from tests import reference
from tests.learning.strategies import EPOCHS, constants, illegal, rules, schedules

# Linear and cosine: their end is a moment of the training, not of their own clock.
ENDING = [name for name, kind in SCHEDULES.items() if {"end", "duration"} <= {p.name for p in hyperparameters(kind)}]

every_schedule = pytest.mark.parametrize("name", SCHEDULES)
times = st.floats(0.0, 3.0 * EPOCHS)
# Eighths are exact in binary, and so are their sums: no rounding decides on which side of a boundary a time falls.
eighths = st.integers(0, 24 * EPOCHS).map(lambda n: n / 8)
losses = st.floats(0.0, 10.0) | st.sampled_from([math.nan, math.inf, 1.0, 1.0 - 1e-3])


def watched(schedule: Schedule, seen: list[float]) -> tuple[Any, ...]:
    """The state after a start with the first loss and an epoch with each of the others."""
    state = schedule.start(np.array([[seen[0]]]))
    with np.errstate(invalid="ignore"):  # as in training: infinity times nothing is not a number, and not better
        for loss in seen[1:]:
            state = schedule.observe(state, np.array([[loss]]))
    return state


@every_schedule
@given(data=st.data())
def test_factor_is_that_of_the_textbook(name: str, data: st.DataObject) -> None:
    if name not in reference.SCHEDULES:
        pytest.skip(f"no oracle for {name} in tests/reference.py")
    chosen, time = data.draw(constants(SCHEDULES[name])), data.draw(times)
    seen = data.draw(st.lists(losses, min_size=1, max_size=12))
    schedule = SCHEDULES[name](**chosen)
    factor = np.squeeze(schedule.factor(time, watched(schedule, seen)))
    # NumPy's exp, power and cos are a few roundings off the C library's, more where the exponent is large; factors are
    # at most about 5, and near the end of a cosine or a line they are what is left of a difference of such numbers.
    assert factor == pytest.approx(reference.factor(name, time, chosen, seen), rel=1e-12, abs=1e-14)


@every_schedule
@given(data=st.data())
def test_factor_begins_at_1_without_warm_up(name: str, data: st.DataObject) -> None:
    chosen = data.draw(constants(SCHEDULES[name])) | {"warmup": 0.0}
    assume(0.0 not in chosen.get("boundaries", ()))  # a table may say otherwise, from epoch 0 on
    schedule = SCHEDULES[name](**chosen)
    # end + (1 - end) may be a rounding off 1
    assert schedule.factor(0.0, watched(schedule, [1.0])).item() == pytest.approx(1.0, abs=1e-15)


@every_schedule
@given(data=st.data())
def test_factor_is_never_negative_and_never_nan(name: str, data: st.DataObject) -> None:
    schedule = data.draw(rules(SCHEDULES[name]))
    seen = data.draw(st.lists(losses, min_size=1, max_size=5))
    moments = np.array(data.draw(st.lists(times, min_size=1, max_size=20)))
    assert np.all(schedule.factor(moments, watched(schedule, seen)) >= 0)


@every_schedule
@given(data=st.data())
def test_warm_up_rises_linearly_from_0(name: str, data: st.DataObject) -> None:
    chosen = data.draw(constants(SCHEDULES[name])) | {"warmup": data.draw(st.floats(0.1, 5.0))}
    share = data.draw(st.floats(0.0, 1.0, exclude_max=True))
    time = share * chosen["warmup"]
    assume(time < chosen["warmup"])
    # a product and a quotient: a rounding each
    assert SCHEDULES[name](**chosen).factor(time).item() == pytest.approx(share, rel=1e-15, abs=1e-300)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name not in ENDING])
@given(data=st.data())
def test_after_its_warm_up_a_schedule_runs_from_its_own_start(name: str, data: st.DataObject) -> None:
    chosen = data.draw(constants(SCHEDULES[name]))
    warmup, time = data.draw(eighths), data.draw(eighths)
    later, at_once = SCHEDULES[name](**chosen | {"warmup": warmup}), SCHEDULES[name](**chosen | {"warmup": 0.0})
    seen = data.draw(st.lists(losses, min_size=1, max_size=5))
    state = watched(at_once, seen)
    np.testing.assert_array_equal(later.factor(warmup + time, state), at_once.factor(time, state))


@pytest.mark.parametrize("name", ENDING)
@given(warmup=eighths, left=eighths, end=st.floats(0.0, 2.0), after=times)
def test_a_schedule_with_an_end_reaches_it_at_its_duration_whatever_the_warm_up(
    name: str, warmup: float, left: float, end: float, after: float
) -> None:
    assume(warmup + left > 0)
    schedule = SCHEDULES[name](warmup=warmup, duration=warmup + left, end=end)  # type: ignore[call-arg]
    # 1 + (end - 1) may be a rounding off the end
    assert schedule.factor(warmup + left).item() == pytest.approx(end, abs=1e-15)
    assert schedule.factor(warmup + left + after).item() == pytest.approx(end, abs=1e-15)
    if left:
        assert schedule.factor(warmup).item() == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(
    "schedule",
    [
        SCHEDULES["exponential"](rate=0.0),  # type: ignore[call-arg]
        SCHEDULES["inverse_time"](rate=0.0),  # type: ignore[call-arg]
        SCHEDULES["step"](divisor=1.0),  # type: ignore[call-arg]
        SCHEDULES["linear"](end=1.0),  # type: ignore[call-arg]
        SCHEDULES["cosine"](end=1.0),  # type: ignore[call-arg]
        SCHEDULES["piecewise"](boundaries=(), factors=()),  # type: ignore[call-arg]
    ],
    ids=lambda schedule: schedule.name,
)
@given(time=times)
def test_in_the_limit_a_schedule_is_constant(schedule: Schedule, time: float) -> None:
    assert schedule.factor(time).item() == 1.0


@given(seen=st.lists(losses, min_size=1, max_size=30), drop=st.floats(0.1, 1.0))
def test_plateau_of_endless_patience_never_drops(seen: list[float], drop: float) -> None:
    schedule = Plateau(drop=drop, patience=1e6, threshold=1.0)
    assert schedule.factor(1.0, watched(schedule, seen)).item() == 1.0


@given(seen=st.lists(losses, min_size=2, max_size=30))
def test_plateau_never_drops_while_the_loss_falls(seen: list[float]) -> None:
    falling = sorted({loss for loss in seen if math.isfinite(loss)}, reverse=True)
    assume(len(falling) > 1)
    schedule = Plateau(drop=0.5, patience=0, threshold=0.0)
    assert schedule.factor(1.0, watched(schedule, falling)).item() == 1.0


@given(seen=st.lists(losses, min_size=1, max_size=30), patience=st.integers(0, 5))
def test_plateau_that_wants_the_impossible_drops_as_soon_as_it_may(seen: list[float], patience: int) -> None:
    schedule = Plateau(drop=0.5, patience=float(patience), threshold=1.0)
    drops = (len(seen) - 1) // (patience + 1)
    assert schedule.factor(1.0, watched(schedule, seen)).item() == 0.5**drops


@given(
    seen=st.lists(losses, min_size=1, max_size=30),
    drop=st.sampled_from([0.1, 0.5, 0.9]),
    patience=st.integers(0, 4).map(float),
    threshold=st.sampled_from([0.0, 1e-3, 0.5]),
)
def test_plateau_counts_as_the_textbook_after_every_epoch(
    seen: list[float], drop: float, patience: float, threshold: float
) -> None:
    schedule = Plateau(drop=drop, patience=patience, threshold=threshold)
    for epochs in range(1, len(seen) + 1):
        known = seen[:epochs]
        expected = reference.plateau(0.0, known, drop=drop, patience=patience, threshold=threshold)
        assert schedule.factor(1.0, watched(schedule, known)).item() == expected


def test_plateau_that_has_seen_no_better_loss_than_nan_drops() -> None:
    schedule = Plateau(drop=0.5, patience=1)
    assert schedule.factor(1.0, watched(schedule, [1.0, math.nan, math.nan])).item() == 0.5


@given(rate=st.floats(1e-3, 5.0), time=st.floats(0.1, 30.0))
def test_exponential_falls_below_inverse_time_of_equal_rate(rate: float, time: float) -> None:
    assert Exponential(rate=rate).factor(time) < InverseTime(rate=rate).factor(time)


def test_step_drops_at_the_multiples_of_its_period_and_nowhere_else() -> None:
    before, at = np.nextafter([3.0, 6.0], 0.0), np.array([3.0, 6.0])
    schedule = Step(every=3.0, divisor=10.0)
    np.testing.assert_allclose(schedule.factor(before), [1.0, 0.1], rtol=1e-15)
    np.testing.assert_allclose(schedule.factor(at), [0.1, 0.01], rtol=1e-15)


def test_piecewise_does_not_mind_the_order_of_its_boundaries() -> None:
    one, other = (Piecewise(boundaries=order, factors=(0.5, 0.1)) for order in ((2.0, 5.0), (5.0, 2.0)))
    moments = np.arange(8.0)
    assert one.factor(moments).tolist() == other.factor(moments).tolist() == [1, 1, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1]


@every_schedule
@given(data=st.data())
def test_stacked_schedules_give_what_each_gives_alone_bit_for_bit(name: str, data: st.DataObject) -> None:
    stacked = data.draw(st.lists(rules(SCHEDULES[name]), min_size=2, max_size=5))
    # At least two times: that is how the population asks.
    moments = np.array(data.draw(st.lists(times, min_size=2, max_size=70)))
    seen = np.array(data.draw(st.lists(st.tuples(*[losses] * len(stacked)), min_size=1, max_size=5)))[:, :, None]
    together = stack(stacked)
    states = [together.start(seen[0]), *(stack([rule]).start(seen[0, [k]]) for k, rule in enumerate(stacked))]
    for loss in seen[1:]:
        states[0] = together.observe(states[0], loss)
        states[1:] = [rule.observe(states[k + 1], loss[[k]]) for k, rule in enumerate(stacked)]
    factors = together.factor(moments, states[0])
    assert factors.shape == (len(stacked), len(moments))
    for k, rule in enumerate(stacked):
        np.testing.assert_array_equal(factors[k], stack([rule]).factor(moments, states[k + 1])[0])
        np.testing.assert_array_equal(factors[k], rule.factor(moments, states[k + 1]).reshape(-1))


@given(schedule=schedules, time=times)
def test_time_may_be_a_number_or_an_array(schedule: Schedule, time: float) -> None:
    # NumPy takes other paths for a single number, so a rounding may differ.
    assert schedule.factor(time).item() == pytest.approx(schedule.factor([time, 0.0])[0], rel=1e-14)  # type: ignore[arg-type]


FIELDS = [(name, parameter) for name, kind in SCHEDULES.items() for parameter in hyperparameters(kind)]


@pytest.mark.parametrize(("name", "parameter"), FIELDS, ids=[f"{n}.{p.name}" for n, p in FIELDS])
def test_a_bad_constant_is_refused_by_field_value_and_rule(name: str, parameter: Hyperparameter) -> None:
    for value in illegal(parameter):
        argument: dict[str, Any] = {parameter.name: (value,) if parameter.vector else value}
        with pytest.raises(UsageError) as caught:
            SCHEDULES[name](**argument)
        message = str(caught.value)
        assert message.startswith(f"{name}.{parameter.name} = ")
        assert str(value) in message
        assert parameter.domain.rule(parameter.name) in message or "must be a number" in message


def test_a_vector_field_refuses_a_number_and_a_number_field_a_vector() -> None:
    with pytest.raises(UsageError, match=r"piecewise\.boundaries = 3\.0: must be a list of numbers"):
        Piecewise(boundaries=3.0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"step\.every = \(3\.0,\): must be one number"):
        Step(every=(3.0,))  # type: ignore[arg-type]


def test_piecewise_wants_one_factor_for_each_boundary() -> None:
    with pytest.raises(UsageError, match="2 boundaries and 1 factors: give one factor for each boundary"):
        Piecewise(boundaries=(1.0, 2.0), factors=(0.1,))
