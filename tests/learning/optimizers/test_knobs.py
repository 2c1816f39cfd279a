"""Laws of the knobs that optimizers share: velocity, decays, effective rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sweep.learning.hyper import Array
from sweep.learning.optimizers.base import Optimizer, WithVelocity
from sweep.learning.optimizers.rules import OPTIMIZERS, AdaGrad, Adam, Momentum, Nesterov, RMSProp, Sgd
from tests.learning import textbook
from tests.learning.strategies import constants, gradient_values, gradients
from tests.learning.textbook import need
from tests.learning.walking import Walk, walk, well_conditioned

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
with_velocity = pytest.mark.parametrize("name", [n for n, kind in OPTIMIZERS.items() if issubclass(kind, WithVelocity)])
SCALED = [name for name, kind in OPTIMIZERS.items() if kind.effective is not Optimizer.effective]


@st.composite
def walks(draw: st.DrawFn, /, name: str, **fixed: Any) -> tuple[dict[str, Any], list[float], Array]:
    """Constants, gradients and rates; what is fixed overrides what is drawn; nothing that divides by 0."""
    chosen = draw(constants(OPTIMIZERS[name])) | fixed
    assume(chosen.get("epsilon", 1.0) > 0)
    steps = draw(gradients)
    assume(well_conditioned(chosen, np.array(steps)))
    return chosen, steps, np.array(draw(st.lists(st.floats(1e-3, 10.0), min_size=len(steps), max_size=len(steps))))


def close(one: Walk, other: Walk, digits: float) -> None:
    """Steps agree to a share of the largest of them: velocities may cancel."""
    np.testing.assert_allclose(one.steps, other.steps, rtol=digits, atol=digits * np.abs(other.steps).max())


# ------------------------------------------------------------------------------------------------------------- velocity


@given(data=st.data())
def test_nesterov_is_momentum_that_looks_ahead_bit_for_bit(data: st.DataObject) -> None:
    for ahead in (True, False):
        chosen, steps, rates = data.draw(walks("momentum", nesterov=ahead))
        np.testing.assert_array_equal(
            walk(Nesterov(**chosen), steps, rates).steps, walk(Momentum(**chosen), steps, rates).steps
        )
    assert Nesterov().nesterov
    assert not Momentum().nesterov
    np.testing.assert_array_equal(
        walk(Nesterov(), steps, rates).steps, walk(Momentum(nesterov=True), steps, rates).steps
    )


@with_velocity
@given(data=st.data())
def test_without_momentum_the_other_knobs_of_the_velocity_change_nothing(name: str, data: st.DataObject) -> None:
    chosen, steps, rates = data.draw(walks(name, momentum=0.0))
    plain = chosen | {"nesterov": False, "dampening": 0.0, "rate_in_velocity": True}
    one, other = (walk(OPTIMIZERS[name](**c), steps, rates) for c in (chosen, plain))
    np.testing.assert_array_equal(one.steps, other.steps)


@pytest.mark.parametrize("kind", [AdaGrad, RMSProp])
def test_without_momentum_no_velocity_is_kept(kind: type[AdaGrad | RMSProp]) -> None:
    assert kind(momentum=0.0).start()[-1] is None
    assert kind(momentum=0.5).start()[-1] == 0.0
    assert kind(momentum=np.array([[0.0], [0.5]])).start()[-1] == 0.0


@with_velocity
@given(data=st.data(), rate=st.floats(1e-3, 10.0))
def test_the_place_of_the_rate_is_invisible_while_the_rate_is_constant(
    name: str, data: st.DataObject, rate: float
) -> None:
    chosen, steps, _ = data.draw(walks(name, rate_decay=0.0))
    inside, outside = (OPTIMIZERS[name](**chosen | {"rate_in_velocity": place}) for place in (True, False))
    close(walk(inside, steps, rate), walk(outside, steps, rate), 1e-13)  # some roundings, times up to 25 steps


@with_velocity
def test_the_place_of_the_rate_shows_at_the_first_update_after_a_change(name: str) -> None:
    rates = np.array([0.1, 0.1, 0.05])
    inside, outside = (
        walk(OPTIMIZERS[name](momentum=0.5, rate_in_velocity=place), [1.0, 1.0, 1.0], rates).steps  # type: ignore[call-arg]
        for place in (True, False)
    )
    np.testing.assert_allclose(inside[:2], outside[:2], rtol=1e-15)
    assert inside[2] > 1.2 * outside[2]  # an old velocity spent at the old rate, which was the double


@given(share=st.floats(0.0, 0.999), momentum=st.floats(0.01, 0.99), steps=gradients)
def test_dampening_leaves_the_first_push_alone_and_lowers_the_others(
    share: float, momentum: float, steps: list[float]
) -> None:
    damped = walk(Momentum(momentum=momentum, dampening=share), steps, 0.1)
    lowered = [steps[0], *(gradient * (1.0 - share) for gradient in steps[1:])]
    # a product more or less in each push
    close(damped, walk(Momentum(momentum=momentum), lowered, 0.1), 1e-13)


# --------------------------------------------------------------------------------------------------------------- decays


@every_optimizer
@given(data=st.data())
def test_the_decay_of_the_rate_is_inverse_time_counted_in_updates(name: str, data: st.DataObject) -> None:
    chosen, steps, rates = data.draw(walks(name))
    by_hand = rates / (1.0 + chosen["rate_decay"] * np.arange(len(steps)))
    one = walk(OPTIMIZERS[name](**chosen), steps, rates)
    np.testing.assert_array_equal(
        one.steps, walk(OPTIMIZERS[name](**chosen | {"rate_decay": 0.0}), steps, by_hand).steps
    )


@every_optimizer
@given(data=st.data())
def test_weight_decay_adds_to_the_gradient_or_takes_off_the_parameter(name: str, data: st.DataObject) -> None:
    chosen, steps, rates = data.draw(walks(name, weight_decay_over_batch=False))
    places = data.draw(st.lists(st.floats(-2.0, 2.0), min_size=len(steps), max_size=len(steps)))
    strength, plain = chosen["weight_decay"], OPTIMIZERS[name](**chosen | {"weight_decay": 0.0})
    added = [g + strength * w for g, w in zip(steps, places, strict=True)]
    assume(well_conditioned(chosen, np.array(added)))
    joined = walk(OPTIMIZERS[name](**chosen | {"weight_decay_decoupled": False}), steps, rates, places)
    np.testing.assert_array_equal(joined.steps, walk(plain, added, rates).steps)
    decoupled = walk(OPTIMIZERS[name](**chosen | {"weight_decay_decoupled": True}), steps, rates, places)
    now = rates / (1.0 + chosen["rate_decay"] * np.arange(len(steps)))
    taken = now * strength * np.array(places)
    np.testing.assert_array_equal(decoupled.steps, taken + walk(plain, steps, rates).steps)


@given(strength=st.floats(0.0, 5.0), samples=st.lists(st.integers(1, 99), min_size=1, max_size=9))
def test_weight_decay_over_the_batch_is_divided_by_its_size(strength: float, samples: list[int]) -> None:
    rates = np.full((1, len(samples)), 0.1)
    plain, shared = (
        Sgd(weight_decay=strength, weight_decay_over_batch=over).weight_pulls(rates, np.array(samples))
        for over in (False, True)
    )
    np.testing.assert_array_equal(shared[0], plain[0] / samples)
    assert not plain[1].any()
    assert not shared[1].any()


# ------------------------------------------------------------------------------------------------------ effective rates


def effective(rule: Optimizer, steps: list[float], rate: float) -> tuple[float, float]:
    """The effective rate at the last of these steps, and what the step was."""
    taken = walk(rule, steps, rate)
    count = np.array([len(steps) - 1])
    rates = rule.rates(np.full((1, 1), rate), count)
    state = tuple(None if value is None else np.full((1, 1), value) for value in taken.state)
    return float(rule.effective(rates, count, state).item()), float(taken.steps[-1])


@pytest.mark.parametrize("name", SCALED)
@given(data=st.data(), last=gradient_values)
def test_the_effective_rate_is_the_step_over_the_gradient(name: str, data: st.DataObject, last: float) -> None:
    """Without velocity; Adam's mean gradient is the gradient where its momentum is 0. A newcomer may remember more."""
    need(name, textbook.EFFECTIVE, "EFFECTIVE")
    chosen, steps, rates = data.draw(walks(name, momentum=0.0))
    assume(well_conditioned(chosen, np.array([*steps, last])))
    found, step = effective(OPTIMIZERS[name](**chosen), [*steps, last], rates[0])
    # a product and a quotient in another order
    assert found == pytest.approx(step / last, rel=1e-14)


@given(data=st.data(), last=gradient_values)
def test_adams_effective_rate_is_what_the_unbiased_mean_gradient_is_multiplied_by(
    data: st.DataObject, last: float
) -> None:
    chosen, steps, rates = data.draw(walks("adam"))
    mean = 0.0
    for gradient in [*steps, last]:
        mean = chosen["momentum"] * mean + (1.0 - chosen["momentum"]) * gradient
    unbiased = mean / (1.0 - chosen["momentum"] ** (len(steps) + 1))
    found, step = effective(Adam(**chosen), [*steps, last], rates[0])
    # The mean may cancel to next to nothing: compare the steps, on the scale of the largest gradient.
    scale = found * max(map(abs, [*steps, last]))
    assert found * unbiased == pytest.approx(step, rel=1e-12, abs=1e-14 * scale / (1.0 - chosen["momentum"]))


@pytest.mark.parametrize("name", sorted(OPTIMIZERS.keys() - set(SCALED)))
@given(data=st.data(), rate=st.floats(1e-3, 10.0))
def test_of_an_optimizer_that_does_not_adapt_the_effective_rate_is_the_rate(
    name: str, data: st.DataObject, rate: float
) -> None:
    chosen, steps, _ = data.draw(walks(name))
    assert effective(OPTIMIZERS[name](**chosen), steps, rate)[0] == rate / (
        1.0 + chosen["rate_decay"] * (len(steps) - 1)
    )


def test_the_first_effective_rate_of_rmsprop_is_31_6_rates_from_0_and_one_from_1() -> None:
    """The ambiguity: what nobody specified."""
    found = [effective(RMSProp(decay=0.999, initial_cache=start), [0.001], 0.01)[0] for start in (0.0, 1.0)]
    # from 0: 1 / (sqrt(0.001) * 0.001); from 1: 1 / sqrt(0.999)
    assert found == pytest.approx([0.01 * np.sqrt(1000.0) / 0.001, 0.01 / np.sqrt(0.999)], rel=1e-3)
