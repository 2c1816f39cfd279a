"""The in-place functions: NumPy's and the compiled one do the same, to the bit, whatever the numbers and the shapes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.hyper import Array
from sweep.learning.network import executors
from sweep.learning.network.executors import BLOCK, InPlace, by_class, in_place
from sweep.learning.network.functions import ACTIVATIONS, LOSSES
from sweep.learning.training.machine import steady
from tests import reference
from tests.learning.bits import (
    ClassesFirst,
    any_numbers,
    assert_same_bits,
    both_executors,
    every_dtype,
    many_numbers,
    needs_numba,
    rows_first,
)  # fmt: skip

SCALE = 0.7  # what `by_class` is given besides
every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_stage = pytest.mark.parametrize("stage", ["_centre", "_to_gradient"])

Processor = Callable[[], AbstractContextManager[object]]


def as_it_starts() -> AbstractContextManager[object]:
    """The processor keeps subnormal numbers, which it does not while a population trains."""
    return np.errstate(all="ignore")


every_processor = pytest.mark.parametrize("processor", [as_it_starts, steady], ids=["as-it-starts", "steady"])


def settled(values: Array) -> Array:
    """Without what no matrix product leaves (and of which a maximum with 0 is one or the other): -0.0, subnormals."""
    return np.where(np.abs(values) < np.finfo(values.dtype).tiny, values.dtype.type(0), values)


@st.composite
def gradients_and_activations(draw: st.DrawFn, dtype: str) -> tuple[Array, Array]:
    """Of shapes ``(rows, units)`` and ``(rows, units or more)``."""
    rows, units, more = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(0, 2))
    return draw(any_numbers(dtype, rows, units)), draw(any_numbers(dtype, rows, units + more))


@st.composite
def values_and_targets(draw: st.DrawFn, dtype: str) -> tuple[Array, Array]:
    """Of shapes ``(classes, rows, samples)`` and ``(classes, rows or 1, samples)``."""
    classes, rows, samples = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 9))
    targets = any_numbers(dtype, classes, draw(st.sampled_from([1, rows])), samples)
    return draw(any_numbers(dtype, classes, rows, samples)), draw(targets)


def value_of(function: InPlace, target: Array, *others: Array) -> Array:
    """What `in_place` makes of its first argument; the others it must leave alone."""
    result, given = target.copy(), [other.copy() for other in others]
    function(result, *given)
    for one, other in zip(given, others, strict=True):
        assert_same_bits(one, other)
    return result


def classes_of(function: InPlace, values: Array, targets: Array) -> tuple[Array, Array, Array]:
    """What `by_class` makes of values, and of two arrays that are full of rubbish; the targets it must leave alone."""
    result, given = rows_first(values), targets.copy()
    folded, carried = np.full_like(values[0], 7), np.full_like(values[0], np.nan)
    function(result, given, folded, carried, values.dtype.type(SCALE))
    assert_same_bits(given, targets)
    return result.transpose(1, 0, 2), folded, carried


def seen(activation: str, values: Array) -> list[Array]:
    """What a derivative is read off: an activation, and what went in, if it asks for that: any numbers serve."""
    return [values, values[:, ::-1]][: 1 + ACTIVATIONS[activation].looks_back]


def assert_activations_agree(activation: str, gradient: Array, values: Array, processor: Processor) -> None:
    functions, backwards = zip(*(ACTIVATIONS[activation].executors(c) for c in (True, False)), strict=True)
    with processor():
        activations = [value_of(function, settled(values)) for function in functions]
        gradients = [value_of(backward, gradient, *seen(activation, values)) for backward in backwards]
    assert_same_bits(*activations)
    assert_same_bits(*gradients)


def assert_stages_agree(stage: str, values: Array, targets: Array, processor: Processor) -> None:
    if stage == "_centre":
        values = settled(values)
    functions = [getattr(LOSSES["cross_entropy"](compiled), stage) for compiled in (True, False)]
    with processor():
        results = [classes_of(function, values, targets) for function in functions]
    for one, other in zip(*results, strict=True):
        assert_same_bits(one, other)


@needs_numba
@every_activation
@every_dtype
@every_processor
@given(data=st.data())
def test_an_activation_and_its_derivative_are_the_same_bit_for_bit_compiled_or_not(
    activation: str, dtype: str, processor: Processor, data: st.DataObject
) -> None:
    assert_activations_agree(activation, *data.draw(gradients_and_activations(dtype)), processor)


@needs_numba
@every_activation
@every_dtype
@pytest.mark.parametrize("units", [1, 3, 32, BLOCK + 1])
def test_an_activation_of_more_than_numpy_takes_at_once_is_the_same_compiled_or_not(
    activation: str, dtype: str, units: int
) -> None:
    for numbers in (BLOCK - units, BLOCK, BLOCK + units, 2 * BLOCK + 5 * units):
        rows = max(1, numbers // units)
        gradient, values = many_numbers(dtype, rows, units), many_numbers(dtype, rows, units + 1, seed=1)
        assert_activations_agree(activation, gradient, values, steady)


@needs_numba
@every_stage
@every_dtype
@every_processor
@given(data=st.data())
def test_a_stage_of_the_cross_entropy_is_the_same_bit_for_bit_compiled_or_not(
    stage: str, dtype: str, processor: Processor, data: st.DataObject
) -> None:
    assert_stages_agree(stage, *data.draw(values_and_targets(dtype)), processor)


@needs_numba
@every_stage
@every_dtype
@pytest.mark.parametrize("shape", [(1, 40, 33), (2, 1, 257), (10, 96, 32), (3, 700, 1)], ids=str)
@pytest.mark.parametrize("shared", [False, True])
def test_a_stage_of_the_cross_entropy_of_many_rows_is_the_same_compiled_or_not(
    stage: str, dtype: str, shape: tuple[int, int, int], shared: bool
) -> None:
    """Long enough to be vectorised."""
    classes, rows, samples = shape
    targets = many_numbers(dtype, classes, 1 if shared else rows, samples, seed=1)
    assert_stages_agree(stage, many_numbers(dtype, *shape), targets, steady)


@needs_numba
@pytest.mark.parametrize(("zero", "processor"), [(-0.0, as_it_starts), (1e-40, steady)])
def test_relu_of_what_is_nearly_0_is_the_same_bit_for_bit_compiled_or_not(zero: float, processor: Processor) -> None:
    values = np.full((1, 8), zero, "float32")
    with processor():
        results = [value_of(ACTIVATIONS["relu"].executors(compiled)[0], values) for compiled in (True, False)]
    assert_same_bits(*results)


# Formulas of which no two arguments, nor two of their uses, can be exchanged unnoticed; a product and a sum that
# could be fused.
def twice(target: Any) -> Any:
    return target + target * target


def mixed_up(target: Any, other: Any) -> Any:
    return target * target - other


def fold(folded: Any, value: Any) -> Any:
    return value * value - folded


def rule(value: Any, target: Any, folded: Any, carried: Any, scale: Any) -> tuple[Any, Any]:
    return value * folded - target * scale, carried * target + value


@both_executors
@every_dtype
@given(data=st.data(), block=st.integers(1, 30))
def test_in_place_puts_the_formulas_value_in_every_place_and_passes_further_columns_by(
    compiled: bool, dtype: str, data: st.DataObject, block: int
) -> None:
    target, other = data.draw(gradients_and_activations(dtype))
    rows, units = target.shape
    with as_it_starts(), mock.patch.object(executors, "BLOCK", block):
        alone = value_of(in_place(twice, 0, compiled=compiled), target)
        both = value_of(in_place(mixed_up, 1, compiled=compiled), target, other)
        expected = [[(twice(t), mixed_up(t, other[k, i])) for i, t in enumerate(row)] for k, row in enumerate(target)]
    wanted = np.array(expected, dtype).reshape(rows, units, 2)
    assert_same_bits(alone, wanted[..., 0])
    assert_same_bits(both, wanted[..., 1])


@both_executors
@every_dtype
@given(data=st.data())
def test_by_class_folds_from_the_first_class_and_carries_from_0(
    compiled: bool, dtype: str, data: st.DataObject
) -> None:
    """Each number by itself, as the docstring says it."""
    values, targets = data.draw(values_and_targets(dtype))
    result, wanted_folded, wanted_carried = values.copy(), np.empty_like(values[0]), np.empty_like(values[0])
    classes, rows, samples = values.shape
    with as_it_starts():
        for k, i in np.ndindex(rows, samples):
            folded, carried = values[0, k, i], values.dtype.type(0)
            for c in range(1, classes):
                folded = fold(folded, values[c, k, i])
            for c in range(classes):
                target = targets[c, k if targets.shape[1] > 1 else 0, i]
                result[c, k, i], carried = rule(values[c, k, i], target, folded, carried, values.dtype.type(SCALE))
            wanted_folded[k, i], wanted_carried[k, i] = folded, carried
        given = classes_of(by_class(fold, rule, compiled=compiled), values, targets)
    for one, other in zip(given, (result, wanted_folded, wanted_carried), strict=True):
        assert_same_bits(one, other)


@every_activation
@both_executors
def test_activations_are_what_their_names_say(activation: str, compiled: bool) -> None:
    if activation not in reference.ACTIVATIONS:
        pytest.skip(f"no oracle for {activation} in tests/reference.py")
    z = np.array([[-300.0, -6.0, -2.5, -1e-3, 0.0, 1e-3, 2.5, 300.0]])
    function, backward = ACTIVATIONS[activation].executors(compiled)
    activations = value_of(function, z)
    given = [activations, z][: 1 + ACTIVATIONS[activation].looks_back]
    slopes = value_of(backward, np.full_like(z, 2.0), *given)
    values, expected = zip(*([f(n) for f in reference.ACTIVATIONS[activation]] for n in z[0].tolist()), strict=True)
    np.testing.assert_allclose(activations[0], values, rtol=1e-14)
    np.testing.assert_allclose(slopes[0], 2.0 * np.array(expected), rtol=1e-13, atol=1e-15)  # 1 - tanh^2 cancels


@every_dtype
@pytest.mark.usefixtures("without_numba")
def test_without_numba_numpy_serves_activations_and_losses(dtype: str) -> None:
    gradient, values, targets = (many_numbers(dtype, 3, 4, 5, seed=seed) for seed in range(3))
    with steady():
        for name, activation in ACTIVATIONS.items():
            (function, backward), (same, back) = activation.executors(None), activation.executors(False)
            assert_same_bits(value_of(function, values[0]), value_of(same, values[0]))
            others = seen(name, values[0])
            assert_same_bits(value_of(backward, gradient[0], *others), value_of(back, gradient[0], *others))
        for loss in LOSSES.values():
            results = []
            for compiled in (None, False):
                outputs, evaluated = values.copy(), values.copy()
                made = ClassesFirst(loss(compiled))
                losses = made.train(outputs, targets, SCALE)
                results.append([losses, outputs, made.evaluate(evaluated, targets)])
            for one, other in zip(*results, strict=True):
                assert_same_bits(one, other)
