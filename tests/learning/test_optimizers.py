from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.hyper import Array, Hyperparameter, hyperparameters, stack
from sweep.learning.optimizers import OPTIMIZERS, AdaGrad, Adam, Momentum, Nesterov, Optimizer, RMSProp, Sgd
from tests import reference
from tests.learning.strategies import constants, illegal, rules

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
# Gradients from far below to far above 1, of both signs, and exactly 0 (a dead unit).
gradient_values = st.floats(-6.0, 3.0).map(lambda power: 10.0**power).flatmap(lambda g: st.sampled_from([g, -g]))
gradients = st.lists(gradient_values | st.just(0.0), min_size=1, max_size=25)


def walk(rule: Optimizer, steps: list[float], rates: Array | float) -> tuple[Array, list[Array]]:
    """Run one scalar parameter through gradients: the steps taken, and the last state."""
    count = np.arange(len(steps))
    rate = np.broadcast_to(np.asarray(rates, dtype=float), (1, len(steps)))
    columns = [np.broadcast_to(column, rate.shape)[0] for column in rule.coefficients(rate, count)]
    state, taken = [np.asarray(value, dtype=float) for value in rule.start()], []
    for t, gradient in enumerate(steps):
        step, *state = rule.formula(np.float64(gradient), *state, *(column[t] for column in columns))
        taken.append(step)
    return np.array(taken), state


@every_optimizer
@given(data=st.data())
def test_steps_are_those_of_the_textbook(name: str, data: st.DataObject) -> None:
    if name not in reference.OPTIMIZERS:
        pytest.skip(f"no oracle for {name} in tests/reference.py")
    chosen, steps = data.draw(constants(OPTIMIZERS[name])), data.draw(gradients)
    assume(chosen.get("epsilon", 1.0) > 0)  # without it a first gradient of 0 divides 0 by 0
    rates = data.draw(st.lists(st.floats(1e-3, 10.0), min_size=len(steps), max_size=len(steps)))
    taken, _ = walk(OPTIMIZERS[name](**chosen), steps, np.array(rates))
    oracle = reference.OPTIMIZERS[name](**chosen)
    expected = [oracle(gradient, rate) for gradient, rate in zip(steps, rates, strict=True)]
    # float64 has 16 digits; 1 - decay^t costs four of them at decay 0.9999, and velocities may cancel.
    np.testing.assert_allclose(taken, expected, rtol=1e-11, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("kind", [Momentum, Nesterov])
@given(steps=gradients)
def test_without_momentum_it_is_plain_descent(kind: type[Momentum | Nesterov], steps: list[float]) -> None:
    np.testing.assert_array_equal(walk(kind(momentum=0.0), steps, 0.1)[0], walk(Sgd(), steps, 0.1)[0])


@given(decay=st.sampled_from([0.5, 0.9, 0.99, 0.999]), steps=st.integers(1, 200), start=st.floats(0.01, 10.0))
def test_rmsprop_forgets_its_cache_by_the_decay_at_each_step(decay: float, steps: int, start: float) -> None:
    _, (cache, _) = walk(RMSProp(decay=decay, initial_cache=start), [0.0] * steps, 0.1)
    # one rounding a step
    assert cache.item() == pytest.approx(start * decay**steps, rel=1e-16 * 2 * steps)


@given(steps=gradients, start=st.floats(0.0, 10.0))
def test_adagrad_never_forgets(steps: list[float], start: float) -> None:
    rule = AdaGrad(initial_cache=start)
    caches = [walk(rule, steps[:t], 0.1)[1][0].item() for t in range(len(steps) + 1)]
    assert caches[0] == start
    assert caches == sorted(caches)


@given(steps=st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=20))
def test_rmsprop_with_a_cache_of_1_and_a_long_memory_begins_like_plain_descent(steps: list[float]) -> None:
    rule = RMSProp(decay=0.9999, initial_cache=1.0)
    # After 20 squared gradients of at most 4 the cache is within 20 * 1e-4 * 4 of 1, its root within half of that.
    np.testing.assert_allclose(walk(rule, steps, 1e-3)[0], walk(Sgd(), steps, 1e-3)[0], rtol=4e-3)


@given(gradient=gradient_values)
def test_first_step_of_rmsprop_from_an_empty_cache_is_31_6_rates_whatever_the_gradient(gradient: float) -> None:
    taken, _ = walk(RMSProp(decay=0.999, epsilon=0.0, initial_cache=0.0), [gradient], 0.01)
    # 1 / sqrt(1 - 0.999) = 31.6; 1 - 0.999 keeps 13 digits
    assert taken[0] == pytest.approx(np.sign(gradient) * 0.01 * np.sqrt(1000.0), rel=1e-12)


@given(gradient=gradient_values)
def test_first_step_of_adam_is_the_rate_whatever_the_gradient(gradient: float) -> None:
    taken, _ = walk(Adam(epsilon=0.0), [gradient], 0.01)
    # 1 - 0.999 keeps 13 digits
    assert taken[0] == pytest.approx(np.sign(gradient) * 0.01, rel=1e-12)


@pytest.mark.parametrize(
    "rule", [AdaGrad(epsilon=1e12), RMSProp(epsilon=1e12), Adam(momentum=0.0, epsilon=1e12)], ids=lambda r: r.name
)
@given(steps=gradients)
def test_with_a_huge_epsilon_and_the_rate_in_proportion_it_is_plain_descent(
    rule: Optimizer, steps: list[float]
) -> None:
    # Roots of caches are at most 5,000 here (25 gradients of 1,000): that over epsilon.
    np.testing.assert_allclose(walk(rule, steps, 1e12)[0], walk(Sgd(), steps, 1.0)[0], rtol=1e-8)


@given(start=st.floats(0.01, 10.0), gradient=st.floats(0.01, 10.0))
def test_a_larger_initial_cache_makes_a_smaller_first_step(start: float, gradient: float) -> None:
    for kind in (AdaGrad, RMSProp):
        from_empty, from_full = kind(initial_cache=0.0), kind(initial_cache=start)
        assert walk(from_full, [gradient], 0.1)[0][0] < walk(from_empty, [gradient], 0.1)[0][0]


@every_optimizer
@given(data=st.data())
def test_coefficients_spread_over_trials_and_steps_in_float64(name: str, data: st.DataObject) -> None:
    several = data.draw(st.lists(rules(OPTIMIZERS[name]), min_size=2, max_size=4))
    shape = len(several), 5
    columns = stack(several).coefficients(np.full(shape, 0.1), np.arange(5))
    for column in columns:
        assert np.broadcast_shapes(np.shape(column), shape) == shape
        assert np.asarray(column).dtype == np.float64


@every_optimizer
@given(data=st.data())
def test_coefficients_of_a_stack_are_those_of_each_trial_alone_bit_for_bit(name: str, data: st.DataObject) -> None:
    several = data.draw(st.lists(rules(OPTIMIZERS[name]), min_size=2, max_size=4))
    steps = data.draw(st.integers(2, 40))  # the trainer asks for at least two
    rates = np.random.default_rng(steps).uniform(1e-3, 1.0, (len(several), steps))
    count = np.arange(1000, 1000 + steps)
    together = stack(several).coefficients(rates, count)
    for k, rule in enumerate(several):
        for column, alone in zip(together, stack([rule]).coefficients(rates[[k]], count), strict=True):
            spread = np.broadcast_to(column, rates.shape)[k]
            np.testing.assert_array_equal(spread, np.broadcast_to(alone, (1, steps))[0])


@every_optimizer
@every_dtype
def test_formula_keeps_the_precision(name: str, dtype: str) -> None:
    rule = OPTIMIZERS[name]()
    shape = 2, 4
    columns = [np.broadcast_to(c, shape)[:, :1] for c in rule.coefficients(np.full(shape, 0.1), np.arange(4))]
    states = [np.full((2, 3), value) for value in rule.start()]
    arguments = [np.asarray(value).astype(dtype) for value in (np.ones((2, 3)), *states, *columns)]
    results = rule.formula(*arguments)
    assert [result.dtype for result in results] == [np.dtype(dtype)] * (1 + len(states))


@every_optimizer
@given(data=st.data())
def test_a_gradient_of_nothing_leaves_a_resting_parameter_where_it_is(name: str, data: st.DataObject) -> None:
    chosen = data.draw(constants(OPTIMIZERS[name]))
    assume(chosen.get("epsilon", 1.0) > 0)
    taken, _ = walk(OPTIMIZERS[name](**chosen), [0.0] * 5, 0.1)
    assert taken.tolist() == [0.0] * 5


@every_optimizer
@given(data=st.data(), gradient=gradient_values)
def test_first_step_goes_down_the_gradient(name: str, data: st.DataObject, gradient: float) -> None:
    rule = data.draw(rules(OPTIMIZERS[name]))
    assert np.sign(walk(rule, [gradient], 0.1)[0][0]) == np.sign(gradient)


FIELDS = [(name, parameter) for name, kind in OPTIMIZERS.items() for parameter in hyperparameters(kind)]


@pytest.mark.parametrize(("name", "parameter"), FIELDS, ids=[f"{n}.{p.name}" for n, p in FIELDS])
def test_a_bad_constant_is_refused_by_field_value_and_rule(name: str, parameter: Hyperparameter) -> None:
    for value in illegal(parameter):
        argument: dict[str, Any] = {parameter.name: value}
        with pytest.raises(UsageError) as caught:
            OPTIMIZERS[name](**argument)
        message = str(caught.value)
        assert message.startswith(f"{name}.{parameter.name} = ")
        assert str(value) in message
        assert parameter.domain.rule(parameter.name) in message or "must be a number" in message
