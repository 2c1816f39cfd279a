"""The softmax cross-entropy, sample by sample: its loss and gradient by an oracle, its error by Python's `max`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sweep.learning.hyper import Array
from sweep.learning.network.functions import LOSSES
from sweep.learning.network.stacked import Architecture, StackedNetwork
from tests import reference
from tests.learning.bits import ClassesFirst, both_executors, evaluated, every_dtype

ONES = np.ones(9)


@st.composite
def outputs_and_classes(draw: st.DrawFn, numbers: st.SearchStrategy[float]) -> tuple[Array, Array]:
    """Outputs ``(classes, rows, samples)`` and right classes ``(rows or 1, samples)``."""
    classes, rows, samples = draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(1, 5))
    shared = draw(st.booleans())
    right = arrays(int, (1 if shared else rows, samples), elements=st.integers(0, classes - 1))
    return draw(arrays(float, (classes, rows, samples), elements=numbers)), draw(right)


def one_hot(right: Array, classes: int, dtype: str = "float64") -> Array:
    return np.ascontiguousarray(np.moveaxis(np.eye(classes, dtype=dtype)[right], -1, 0))


def errors_of(compiled: bool, outputs: Array, right: Array) -> list[list[bool]]:
    """Whether each sample of each row is counted as wrong."""
    with np.errstate(invalid="ignore"):
        errors = ClassesFirst(LOSSES["cross_entropy"](compiled)).errors(outputs, one_hot(right, len(outputs)))
    assert errors.shape == outputs.shape[1:]
    return [[bool(error) for error in row] for row in errors]


def error_of(compiled: bool, outputs: list[float], right: int) -> bool:
    return errors_of(compiled, np.reshape(outputs, (-1, 1, 1)), np.array([[right]]))[0][0]


@both_executors
@given(drawn=outputs_and_classes(st.floats(-30, 30) | st.floats(-1e300, 1e300) | st.integers(-2, 2).map(float)))
def test_loss_and_gradient_are_the_oracles(compiled: bool, drawn: tuple[Array, Array]) -> None:
    outputs, right = drawn
    rows, samples = outputs.shape[1:]
    loss, targets, gradient = (
        ClassesFirst(LOSSES["cross_entropy"](compiled)),
        one_hot(right, len(outputs)),
        outputs.copy(),
    )
    losses = loss.train(gradient, targets)
    np.testing.assert_array_equal(losses, loss.evaluate(outputs, targets))
    assert losses.shape == (rows, samples)
    for k, i in np.ndindex(rows, samples):
        z, target = outputs[:, k, i], targets[:, k % targets.shape[1], i]
        expected, slope = reference.cross_entropy(z, target)
        # float64: a few roundings of numbers of the order of 1, or of a loss that is larger
        assert losses[k, i] == pytest.approx(expected, rel=1e-14, abs=1e-14)
        np.testing.assert_allclose(gradient[:, k, i], slope, rtol=1e-14, atol=1e-14)
        shares = [share + hot for share, hot in zip(gradient[:, k, i], target, strict=True)]
        assert math.fsum(shares) == pytest.approx(1, rel=1e-14)


@both_executors
@every_dtype
@pytest.mark.parametrize("size", [1.0, 1e4, 1e18, 1e37])
def test_huge_outputs_neither_overflow_nor_lose_their_loss(compiled: bool, dtype: str, size: float) -> None:
    outputs = (size * np.array([3.0, -2.0, 1.0])).reshape(3, 1, 1).astype(dtype)
    loss = ClassesFirst(LOSSES["cross_entropy"](compiled))
    for right in range(3):
        distance = math.fsum([float(outputs[0, 0, 0]), -float(outputs[right, 0, 0])])
        least = math.log(math.fsum(math.exp(float(z - outputs[0, 0, 0])) for z in outputs[:, 0, 0].astype(float)))
        losses = loss.train(outputs.copy(), one_hot(np.array([[right]]), 3, dtype))
        # float32: half of a last digit for the difference and one for the logarithm
        assert losses.item() == pytest.approx(distance + least, rel=3e-7)


@both_executors
@every_dtype
def test_one_class_has_no_loss_no_gradient_and_no_error(compiled: bool, dtype: str) -> None:
    outputs, targets = np.array([[[-1e30, 0.0, 7.0]]], dtype), np.ones((1, 1, 3), dtype)
    loss = ClassesFirst(LOSSES["cross_entropy"](compiled))
    assert not loss.evaluate(outputs, targets).any()
    assert not loss.errors(outputs, targets).any()
    assert not loss.train(outputs, targets).any()
    assert not outputs.any()


@both_executors
@given(drawn=outputs_and_classes(st.integers(-2, 2).map(float)) | outputs_and_classes(st.floats(-1e300, 1e300)))
def test_the_first_of_the_largest_outputs_is_the_prediction(compiled: bool, drawn: tuple[Array, Array]) -> None:
    """Of few different numbers several are often the largest, of many almost never."""
    outputs, right = drawn
    for k, row in enumerate(errors_of(compiled, outputs, right)):
        for i, error in enumerate(row):
            numbers = outputs[:, k, i].tolist()
            assert error == (numbers.index(max(numbers)) != right[k % len(right), i])


@both_executors
def test_a_tie_with_an_earlier_class_is_wrong_and_with_a_later_one_right(compiled: bool) -> None:
    assert [error_of(compiled, [2.0, 2.0, 2.0], right) for right in range(3)] == [False, True, True]
    assert [error_of(compiled, [1.0, 2.0, 2.0], right) for right in range(3)] == [True, False, True]
    assert [error_of(compiled, [2.0, 1.0, 2.0], right) for right in range(3)] == [False, True, True]
    assert [error_of(compiled, [0.0, -0.0], right) for right in range(2)] == [False, True]


@both_executors
def test_a_tie_in_one_sample_does_not_change_how_another_one_is_counted(compiled: bool) -> None:
    outputs = np.array([[[0.0, 5.0, 5.0, 1.0]], [[0.0, 5.0, 1.0, 5.0]]])
    for right in (0, 1):
        expected = [right == 1, right == 1, right == 1, right == 0]
        assert errors_of(compiled, outputs, np.full((1, 4), right)) == [expected]


@both_executors
@pytest.mark.parametrize(
    "outputs",
    [
        [math.nan] * 3,
        [math.nan, 1.0, 2.0],
        [math.inf, 0.0, 1.0],
        [0.0, math.inf, 1.0],
        [0.0, 1.0, math.inf],
        [-math.inf] * 3,
        [math.inf] * 3,
        [0.0, math.inf, math.inf],
        [2.0, math.nan, 1.0],
        [1.0, 2.0, math.nan],
        [-math.inf, 1.0, 0.0],
    ],
    ids=str,
)
def test_what_is_not_a_number_is_predicted_as_numpy_has_it(compiled: bool, outputs: list[float]) -> None:
    predicted = int(np.argmax(outputs))
    assert [error_of(compiled, outputs, right) for right in range(3)] == [right != predicted for right in range(3)]


@both_executors
def test_a_tie_in_one_row_is_counted_the_same_beside_a_row_of_nan(compiled: bool) -> None:
    made_of = Architecture((1, 2), "cross_entropy", dtype="float64")
    inputs, targets = np.ones((1, 1, 2)), one_hot(np.array([[1]]), 2)
    flat, ill = np.zeros((1, 4)), np.full((1, 4), np.nan)
    errors: list[Any] = []
    for rows in ([flat], [flat, ill]):
        network = StackedNetwork(made_of, np.concatenate(rows), compiled=compiled)
        with np.errstate(invalid="ignore"):
            errors.append(evaluated(network, inputs, targets, ONES[:2])[1][0].tolist())
    assert errors == [[True], [True]]
