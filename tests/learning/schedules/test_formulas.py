from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.hyper import Hyperparameter, hyperparameters
from sweep.learning.schedules.base import Annealed, Schedule
from sweep.learning.schedules.formulas import SCHEDULES, Exponential, InverseTime, Piecewise, Ramps, Step
from tests import reference
from tests.learning.strategies import constants, evenly, illegal, loss_pairs, moments, rules, schedules
from tests.learning.textbook import need
from tests.learning.walking import watched

# Linear, polynomial and cosine: their end is a moment of the training, not of their own clock.
ENDING = [name for name, kind in SCHEDULES.items() if issubclass(kind, Annealed)]

every_schedule = pytest.mark.parametrize("name", SCHEDULES)
# Eighths are exact in binary, and so are their sums: no rounding decides on which side of a boundary a time falls.
eighths = st.integers(0, 144).map(lambda n: n / 8)


def epochs(name: str, most: int) -> Any:
    """How many epochs of losses to draw: those that watch none are not asked to."""
    nothing = np.ones((1, 1))
    return {"min_size": 1, "max_size": most if SCHEDULES[name]().start(nothing, nothing) else 1}


# How far NumPy's exp, power and cos may be off the C library's: a few roundings, more where an exponent is large. A
# period of a restarted cosine begins at a sum of up to 180 others, at 18 epochs at most: 180 * 18 * 1e-16, over the
# shortest period of 0.1 it becomes 1e-11 of an angle.
ROUNDINGS = {"cosine_restarts": 1e-11}


def comparable(name: str, chosen: dict[str, Any], time: float) -> bool:
    """Whether an oracle that computes the same in another order can be expected to agree.

    Not where the oracle, which counts rounds one by one, had to count for ever. And not where a root is taken of the
    last rounding of 1 + cos, at the end of a cosine.
    """
    if name not in ENDING:
        return True
    left: float = chosen["duration"] - chosen["warmup"] - chosen["hold"]
    if left <= 0:
        return True
    share: float = (time - chosen["warmup"] - chosen["hold"]) / left
    away_from_the_end = abs(share % 2 - 1) > 1e-3
    return left > 1e-2 and (away_from_the_end or not chosen.get("exponent", 1.0) < 1)


@every_schedule
@given(data=st.data())
def test_factor_is_that_of_the_textbook(name: str, data: st.DataObject) -> None:
    need(name, reference.SCHEDULES, "SCHEDULES")
    chosen, time = data.draw(constants(SCHEDULES[name])), data.draw(moments)
    assume(comparable(name, chosen, time))
    seen = data.draw(st.lists(loss_pairs, **epochs(name, 12)))
    schedule = SCHEDULES[name](**chosen)
    factor = np.squeeze(schedule.factor(time, watched(schedule, seen)))
    off = ROUNDINGS.get(name, 1e-12)
    # Factors are at most about 5, and near the end of a cosine or a line what is left of a difference of such numbers.
    assert factor == pytest.approx(reference.factor(name, time, chosen, seen), rel=off, abs=max(off / 100, 1e-14))


@every_schedule
@given(data=st.data())
def test_factor_begins_at_1_without_warm_up(name: str, data: st.DataObject) -> None:
    chosen = data.draw(constants(SCHEDULES[name])) | {"warmup": 0.0}
    # A table may say otherwise, from epoch 0 on, and so may ramps that end there.
    assume(0.0 not in chosen.get("boundaries", ()) and 0.0 not in chosen.get("times", ()))
    schedule = SCHEDULES[name](**chosen)
    # end + (1 - end) may be a rounding off 1
    assert schedule.factor(0.0, watched(schedule, [(1.0, 1.0)])).item() == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize("name", ENDING)
def test_a_hold_as_long_as_the_duration_or_longer_begins_at_1_as_well(name: str) -> None:
    for hold in (5.0, 9.0):
        argument: dict[str, Any] = {"duration": 5.0, "hold": hold}
        factor = SCHEDULES[name](**argument).factor(np.array([0.0, 4.9, 20.0]))
        assert factor.tolist() == [1.0, 1.0, 0.0]  # the hold lasts, and then it ends at once


@every_schedule
@given(data=st.data())
def test_factor_is_never_negative_and_never_nan(name: str, data: st.DataObject) -> None:
    schedule, seen = data.draw(rules(SCHEDULES[name])), data.draw(st.lists(loss_pairs, **epochs(name, 12)))
    times = np.array(data.draw(st.lists(moments, min_size=1, max_size=20)))
    assert np.all(schedule.factor(times, watched(schedule, seen)) >= 0)


@every_schedule
@given(data=st.data())
def test_warm_up_goes_linearly_from_its_start_to_1(name: str, data: st.DataObject) -> None:
    start = data.draw(st.just(0.0) | st.floats(0.0, 2.0))
    chosen = data.draw(constants(SCHEDULES[name])) | {"warmup": data.draw(st.floats(0.1, 5.0)), "warmup_start": start}
    share = data.draw(st.floats(0.0, 1.0, exclude_max=True))
    time = share * chosen["warmup"]
    assume(time < chosen["warmup"])
    factor = SCHEDULES[name](**chosen).factor(time).item()
    # a product and a quotient, then a product and a sum: a rounding each
    assert factor == pytest.approx(start + (1.0 - start) * share, rel=1e-15 if start == 0.0 else 4e-15, abs=1e-300)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name not in ENDING])
@given(data=st.data())
def test_after_its_warm_up_a_schedule_runs_from_its_own_start(name: str, data: st.DataObject) -> None:
    chosen = data.draw(constants(SCHEDULES[name]))
    warmup, time = data.draw(eighths), data.draw(eighths)
    later, at_once = SCHEDULES[name](**chosen | {"warmup": warmup}), SCHEDULES[name](**chosen | {"warmup": 0.0})
    state = watched(at_once, data.draw(st.lists(loss_pairs, **epochs(name, 12))))
    np.testing.assert_array_equal(later.factor(warmup + time, state), at_once.factor(time, state))


@pytest.mark.parametrize("name", ENDING)
@given(warmup=eighths, hold=eighths, left=eighths, end=st.floats(0.0, 2.0), after=moments)
def test_a_schedule_with_an_end_reaches_it_at_its_duration_whatever_warm_up_and_hold(
    name: str, warmup: float, hold: float, left: float, end: float, after: float
) -> None:
    assume(warmup + left > 0)
    hold = hold if left else 0.0  # no hold outlasts the duration here
    duration = warmup + hold + left
    schedule = SCHEDULES[name](warmup=warmup, hold=hold, duration=duration, end=end)  # type: ignore[call-arg]
    # 1 + (end - 1) may be a rounding off the end
    assert schedule.factor(duration).item() == pytest.approx(end, abs=1e-15)
    assert schedule.factor(duration + after).item() == pytest.approx(end, abs=1e-15)
    if left:
        held = schedule.factor(np.array([warmup, warmup + hold / 2, warmup + hold]))
        assert held == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("exponential", {"rate": 0.0}),
        ("inverse_time", {"rate": 0.0}),
        ("inverse_time", {"rate": 0.0, "every": 2.0}),
        ("inverse_scaling", {"power": 0.0}),
        ("step", {"divisor": 1.0}),
        ("step", {"floor": 1.0}),
        ("exponential", {"floor": 1.0}),
        ("exponential", {"hold": 1e9}),
        ("linear", {"end": 1.0}),
        ("polynomial", {"end": 1.0, "cycle": True}),
        ("cosine", {"end": 1.0, "bounce": True}),
        ("cosine_restarts", {"end": 1.0}),
        ("piecewise", {"boundaries": (), "factors": ()}),
        ("ramps", {"times": (), "factors": ()}),
        ("ramps", {"times": (2.0, 5.0), "factors": (1.0, 1.0), "cosine": True}),
    ],
    ids=str,
)
@given(time=moments)
def test_in_the_limit_a_schedule_is_constant(name: str, chosen: dict[str, Any], time: float) -> None:
    assert SCHEDULES[name](**chosen).factor(time).item() == 1.0


@given(time=moments, chosen=st.fixed_dictionaries({"end": st.floats(0.0, 2.0), "duration": st.floats(1.0, 20.0)}))
def test_a_polynomial_of_power_1_is_the_line(time: float, chosen: dict[str, float]) -> None:
    line, polynomial = SCHEDULES["linear"](**chosen), SCHEDULES["polynomial"](**chosen, power=1.0)  # type: ignore[call-arg]
    # two ways to mix 1 and the end, a few roundings of factors up to 2
    assert polynomial.factor(time).item() == pytest.approx(line.factor(time).item(), abs=2e-15)


@pytest.mark.parametrize("cosine", [False, True])
@given(time=moments, order=st.permutations([1.0, 2.5, 2.5, 7.0]))
def test_ramps_do_not_mind_the_order_of_their_times_and_end_at_the_last_factor(
    time: float, order: list[float], cosine: bool
) -> None:
    factors = (3.0, 0.5, 2.0, 0.25)
    sorted_, mixed = (Ramps(times=tuple(t), factors=factors, cosine=cosine) for t in (sorted(order), order))
    assert mixed.factor(time).item() == sorted_.factor(time).item()
    assert sorted_.factor(7.0 + time).item() == 0.25
    assert sorted_.factor([1.0, 2.5, 7.0]).tolist() == [3.0, 2.0, 0.25]  # type: ignore[arg-type]


@given(rate=st.floats(1e-3, 5.0), time=st.floats(0.1, 30.0))
def test_exponential_falls_below_inverse_time_of_equal_rate(rate: float, time: float) -> None:
    assert Exponential(rate=rate).factor(time) < InverseTime(rate=rate).factor(time)


def test_piecewise_does_not_mind_the_order_of_its_boundaries() -> None:
    one, other = (Piecewise(boundaries=order, factors=(0.5, 0.1)) for order in ((2.0, 5.0), (5.0, 2.0)))
    times = np.arange(8.0)
    assert one.factor(times).tolist() == other.factor(times).tolist() == [1, 1, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1]


@every_schedule
@given(data=st.data())
def test_stacked_schedules_give_what_each_gives_alone_bit_for_bit(name: str, data: st.DataObject) -> None:
    stacked = data.draw(st.lists(rules(SCHEDULES[name]), min_size=2, max_size=5))
    # At least two times: that is how the population asks.
    times = np.array([*data.draw(st.lists(moments, min_size=2, max_size=6)), *data.draw(evenly)])
    seen = np.array(data.draw(st.lists(st.tuples(*[loss_pairs] * len(stacked)), **epochs(name, 5))))
    seen = seen.transpose(2, 0, 1)[..., None]  # the validation losses, then the training losses of each epoch's rows
    together = SCHEDULES[name].stacked(stacked)
    state = followed(together, seen)
    factors = together.factor(times, state)
    assert factors.shape == (len(stacked), len(times))
    for k, rule in enumerate(stacked):
        own = seen[:, :, [k]]
        alone = SCHEDULES[name].stacked([rule])
        np.testing.assert_array_equal(factors[k], alone.factor(times, followed(alone, own))[0])
        np.testing.assert_array_equal(factors[k], rule.factor(times, followed(rule, own)).reshape(-1))


def followed(schedule: Schedule, seen: Any) -> tuple[Any, ...]:
    """The state after the losses of the rows, epoch by epoch."""
    validation, training = seen
    state = schedule.start(validation[0], training[0])
    with np.errstate(invalid="ignore"):
        for losses in zip(validation[1:], training[1:], strict=True):
            state = schedule.observe(state, *losses)
    return state


@given(schedule=schedules, time=moments)
def test_time_may_be_a_number_or_an_array(schedule: Schedule, time: float) -> None:
    # NumPy takes other paths for a single number, so a rounding may differ; at the end of a cosine, of 1 + cos.
    alone = schedule.factor(time).item()
    assert alone == pytest.approx(schedule.factor([time, 0.0])[0], rel=1e-14, abs=1e-15)  # type: ignore[arg-type]


FIELDS = [(name, parameter) for name, kind in SCHEDULES.items() for parameter in hyperparameters(kind)]


@pytest.mark.parametrize(("name", "parameter"), FIELDS, ids=[f"{n}.{p.name}" for n, p in FIELDS])
def test_a_bad_constant_is_refused_by_field_value_and_rule(name: str, parameter: Hyperparameter) -> None:
    kind = "true or false" if parameter.flag else "a number"
    for value in illegal(parameter):
        argument: dict[str, Any] = {parameter.name: (value,) if parameter.vector else value}
        with pytest.raises(UsageError) as caught:
            SCHEDULES[name](**argument)
        message = str(caught.value)
        assert message.startswith(f"{name}.{parameter.name} = ")
        assert str(value) in message
        assert parameter.domain.rule(parameter.name) in message or f"must be {kind}" in message


def test_a_vector_field_refuses_a_number_and_a_number_field_a_vector() -> None:
    with pytest.raises(UsageError, match=r"piecewise\.boundaries = 3\.0: must be a list of numbers"):
        Piecewise(boundaries=3.0)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"step\.every = \(3\.0,\): must be one number"):
        Step(every=(3.0,))  # type: ignore[arg-type]


def test_piecewise_wants_one_factor_for_each_boundary() -> None:
    with pytest.raises(UsageError, match="2 boundaries and 1 factors: give one factor for each boundary"):
        Piecewise(boundaries=(1.0, 2.0), factors=(0.1,))


@pytest.mark.parametrize("counts", [(2, 1), (0, 1)])
def test_ramps_want_one_factor_for_each_time(counts: tuple[int, int]) -> None:
    times, factors = ((1.0,) * count for count in counts)
    message = f"{counts[0]} times and {counts[1]} factors: give one factor for each time"
    with pytest.raises(UsageError, match=message):
        Ramps(times=times, factors=factors)
