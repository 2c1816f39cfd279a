"""What the tests of the two executors share: any number that there is, and equality of bits."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sweep.learning.hyper import Array
from sweep.learning.network import executors
from sweep.learning.network.functions import Loss
from sweep.learning.network.metrics import Measuring, Outcome
from sweep.learning.network.stacked import StackedNetwork
from sweep.learning.training.loop import Training

needs_numba = pytest.mark.skipif(executors.numba is None, reason="numba cannot be imported")
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
both_executors = pytest.mark.parametrize(
    "compiled", [pytest.param(True, marks=needs_numba, id="compiled"), pytest.param(False, id="numpy")]
)


def assert_same_bits(one: Array, other: Array) -> None:
    """Nothing but the payload of a NaN may differ: nobody reads it, and the processor is free to choose it."""
    assert (one.dtype, one.shape) == (other.dtype, other.shape)
    if one.dtype.kind != "f":
        np.testing.assert_array_equal(one, other)
        return
    np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
    bits = f"u{one.dtype.itemsize}"
    differing = ~np.isnan(one) & (np.ascontiguousarray(one).view(bits) != np.ascontiguousarray(other).view(bits))
    assert not differing.any(), f"{one[differing]} and {other[differing]}"


def any_numbers(dtype: str, *shape: int) -> st.SearchStrategy[Array]:
    """NaN, infinities, both zeros, subnormals, from tiny to huge."""
    return arrays(dtype, shape, elements=st.floats(width=32 if dtype == "float32" else 64))


def many_numbers(dtype: str, *shape: int, seed: int = 0) -> Array:
    """The same for arrays larger than hypothesis likes: every fifth is a special one."""
    random, limits = np.random.default_rng(seed), np.finfo(dtype)
    numbers: Any = (random.normal(size=shape) * 10.0 ** random.uniform(-30, 30, shape)).astype(dtype)
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, limits.max, -limits.max, limits.tiny, 1.0, -1.0], dtype)
    return np.where(random.random(shape) < 0.2, random.choice(odd, shape), numbers)


def arrays_of(training: Training) -> dict[str, Array]:
    """Every array of a training by its name: its curves, and what else it holds."""
    others = (field.name for field in dataclasses.fields(Training) if field.name not in ("curves", "paused"))
    return {**training.curves, **{name: getattr(training, name) for name in others}}


class ClassesFirst:
    """A loss, for outputs ``(classes, rows, samples)``: as `train` and `evaluate` would be without their work space."""

    def __init__(self, loss: Loss) -> None:
        self._loss = loss

    def train(self, outputs: Array, targets: Array, scale: float = 1.0) -> Array:
        """Each sample's loss; overwrites the outputs with the gradient."""
        inner, parts = rows_first(outputs), np.full((2, *outputs.shape[1:]), np.nan, outputs.dtype)
        self._loss.train(inner, targets, outputs.dtype.type(scale), parts)
        outputs[...] = inner.transpose(1, 0, 2)
        return self._loss.losses(parts)

    def evaluate(self, outputs: Array, targets: Array) -> Array:
        """Each sample's loss."""
        return self._loss.evaluate(rows_first(outputs), targets)

    def errors(self, outputs: Array, targets: Array) -> Array:
        """Whether each sample's class is wrong."""
        of = Outcome(rows_first(outputs), targets, np.ones((len(targets), 1, 1)), self._loss)
        return Measuring("classification", ("error",)).each(of)["error"]


def evaluated(network: StackedNetwork, inputs: Array, targets: Array, variance: Array) -> tuple[Array, Array]:
    """Each sample's loss and error, both ``(rows, samples)``."""
    task = "classification" if network.architecture.loss == "cross_entropy" else "regression"
    found = Measuring(task).each(network.outcome(inputs, targets, variance))
    return found["loss"], found["error"]


def rows_first(values: Array) -> Array:
    """A copy, from ``(classes, rows, samples)`` to ``(rows, classes, samples)``."""
    return values.transpose(1, 0, 2).copy(order="C")
