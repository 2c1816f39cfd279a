from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.hyper import Hyperparameter, hyperparameters, stack
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import OPTIMIZERS, AdaGrad, Adam, Momentum, Nesterov, RMSProp, Sgd
from tests import reference
from tests.learning.strategies import constants, gradient_values, gradients, illegal, rules, uses
from tests.learning.textbook import need
from tests.learning.walking import walk, well_conditioned

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@every_optimizer
@given(data=st.data())
def test_steps_are_those_of_the_textbook(name: str, data: st.DataObject) -> None:
    need(name, reference.OPTIMIZERS, "OPTIMIZERS")
    chosen, steps = data.draw(constants(OPTIMIZERS[name])), data.draw(gradients)
    assume(chosen.get("epsilon", 1.0) > 0)  # without it a first gradient of 0 divides 0 by 0
    length = len(steps)
    rates = data.draw(st.lists(st.floats(1e-3, 10.0), min_size=length, max_size=length))
    parameters = data.draw(st.lists(st.just(0.0) | st.floats(-2.0, 2.0), min_size=length, max_size=length))
    samples = data.draw(st.lists(st.integers(1, 32), min_size=length, max_size=length))
    taken = walk(OPTIMIZERS[name](**chosen), steps, np.array(rates), parameters, samples)
    assume(well_conditioned(chosen, taken.gradients))
    oracle = reference.optimizer(name, chosen)
    expected = [oracle(*now) for now in zip(parameters, steps, rates, samples, strict=True)]
    # float64 has 16 digits; 1 - decay^t costs four of them at decay 0.9999, and velocities may cancel.
    np.testing.assert_allclose(taken.steps, expected, rtol=1e-11, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("kind", [Momentum, Nesterov])
@given(steps=gradients)
def test_without_momentum_it_is_plain_descent(kind: type[Momentum | Nesterov], steps: list[float]) -> None:
    np.testing.assert_array_equal(walk(kind(momentum=0.0), steps, 0.1).steps, walk(Sgd(), steps, 0.1).steps)


@given(decay=st.sampled_from([0.5, 0.9, 0.99, 0.999]), steps=st.integers(1, 200), start=st.floats(0.01, 10.0))
def test_rmsprop_forgets_its_cache_by_the_decay_at_each_step(decay: float, steps: int, start: float) -> None:
    cache = walk(RMSProp(decay=decay, initial_cache=start), [0.0] * steps, 0.1).cache
    # one rounding a step
    assert cache == pytest.approx(start * decay**steps, rel=1e-16 * 2 * steps)


@given(steps=gradients, start=st.floats(0.0, 10.0))
def test_adagrad_never_forgets(steps: list[float], start: float) -> None:
    rule = AdaGrad(initial_cache=start)
    caches = [walk(rule, steps[:t], 0.1).cache for t in range(len(steps) + 1)]
    assert caches[0] == start
    assert caches == sorted(caches)


@given(steps=st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=20))
def test_rmsprop_with_a_cache_of_1_and_a_long_memory_begins_like_plain_descent(steps: list[float]) -> None:
    rule = RMSProp(decay=0.9999, initial_cache=1.0)
    # After 20 squared gradients of at most 4 the cache is within 20 * 1e-4 * 4 of 1, its root within half of that.
    np.testing.assert_allclose(walk(rule, steps, 1e-3).steps, walk(Sgd(), steps, 1e-3).steps, rtol=4e-3)


@given(gradient=gradient_values)
def test_first_step_of_rmsprop_from_an_empty_cache_is_31_6_rates_whatever_the_gradient(gradient: float) -> None:
    taken = walk(RMSProp(decay=0.999, epsilon=0.0, initial_cache=0.0), [gradient], 0.01).steps
    # 1 / sqrt(1 - 0.999) = 31.6; 1 - 0.999 keeps 13 digits
    assert taken[0] == pytest.approx(np.sign(gradient) * 0.01 * np.sqrt(1000.0), rel=1e-12)


@given(gradient=gradient_values)
def test_first_step_of_adam_is_the_rate_whatever_the_gradient(gradient: float) -> None:
    taken = walk(Adam(epsilon=0.0), [gradient], 0.01).steps
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
    np.testing.assert_allclose(walk(rule, steps, 1e12).steps, walk(Sgd(), steps, 1.0).steps, rtol=1e-8)


@given(start=st.floats(0.01, 10.0), gradient=st.floats(0.01, 10.0))
def test_a_larger_initial_cache_makes_a_smaller_first_step(start: float, gradient: float) -> None:
    for kind in (AdaGrad, RMSProp):
        from_empty, from_full = kind(initial_cache=0.0), kind(initial_cache=start)
        assert walk(from_full, [gradient], 0.1).steps[0] < walk(from_empty, [gradient], 0.1).steps[0]


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
def test_formula_keeps_the_precision_and_leaves_out_what_is_not_used(name: str, dtype: str) -> None:
    for rule in uses(name):
        shape = 2, 4
        columns = [np.broadcast_to(c, shape)[:, :1] for c in rule.coefficients(np.full(shape, 0.1), np.arange(4))]
        states = [None if value is None else np.full((2, 3), value) for value in rule.start()]
        given = [None if value is None else value.astype(dtype) for value in (np.ones((2, 3)), *states, *columns)]
        step, *after = rule.formula(*given)
        assert step.dtype == np.dtype(dtype)
        kinds = [None if value is None else value.dtype for value in after]
        assert kinds == [None if value is None else np.dtype(dtype) for value in states]


@every_optimizer
@given(data=st.data())
def test_a_gradient_of_nothing_leaves_a_resting_parameter_where_it_is(name: str, data: st.DataObject) -> None:
    chosen = data.draw(constants(OPTIMIZERS[name]))
    assume(chosen.get("epsilon", 1.0) > 0)
    assert walk(OPTIMIZERS[name](**chosen), [0.0] * 5, 0.1).steps.tolist() == [0.0] * 5


@every_optimizer
@given(data=st.data(), gradient=gradient_values)
def test_first_step_goes_down_the_gradient(name: str, data: st.DataObject, gradient: float) -> None:
    chosen = data.draw(constants(OPTIMIZERS[name]))
    assume(not chosen.get("centered") or chosen["epsilon"] > 0)  # what is left of a centered cache may be nothing
    assume(well_conditioned(chosen, np.array([gradient])))
    assert np.sign(walk(OPTIMIZERS[name](**chosen), [gradient], 0.1).steps[0]) == np.sign(gradient)


FIELDS = [(name, parameter) for name, kind in OPTIMIZERS.items() for parameter in hyperparameters(kind)]


@pytest.mark.parametrize(("name", "parameter"), FIELDS, ids=[f"{n}.{p.name}" for n, p in FIELDS])
def test_a_bad_constant_is_refused_by_field_value_and_rule(name: str, parameter: Hyperparameter) -> None:
    kind = "true or false" if parameter.flag else "a number"
    for value in illegal(parameter):
        argument: dict[str, Any] = {parameter.name: value}
        with pytest.raises(UsageError) as caught:
            OPTIMIZERS[name](**argument)
        message = str(caught.value)
        assert message.startswith(f"{name}.{parameter.name} = ")
        assert str(value) in message
        assert parameter.domain.rule(parameter.name) in message or f"must be {kind}" in message
