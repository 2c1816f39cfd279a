"""What a network is made of: activations, losses and initial weights, and the tables of them.

An activation is two element-wise formulas, run like those of the optimizers: by NumPy, or compiled into one loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sweep.learning.hyper import Array
from sweep.learning.network.executors import InPlace, by_class, in_place

ZERO, ONE = np.float32(0), np.float32(1)  # of the smaller type: they lift neither


@dataclass(frozen=True, slots=True)
class Activation:
    """A hidden layer's function and its derivative, element-wise.

    `function` turns a pre-activation into an activation; `backward` multiplies the loss gradient with the derivative,
    which it reads off the activation: ``(gradient, activation) -> gradient``. Where `own` is true `function` is left to
    NumPy: its vectorised exponentials beat a compiled loop, and round otherwise.
    """

    function: Callable[[Any], Any]
    backward: Callable[[Any, Any], Any]
    own: bool = False

    @property
    def keeps_one(self) -> bool:
        """Whether the function of 1 is 1: then it may run over the ones for the biases too."""
        return bool(self.function(ONE) == ONE)

    def executors(self, compiled: bool | None) -> tuple[InPlace, InPlace]:
        """Both, in place; see `sweep.learning.network.executors.in_place`."""
        function = in_place(self.function, 0, compiled=False if self.own else compiled)
        return function, in_place(self.backward, 1, compiled=compiled)


def _relu(z: Any) -> Any:
    # Of two zeros, or what counts as one, a processor may take either: adding 0 makes them one.
    return np.maximum(z, ZERO) + ZERO


def _relu_backward(gradient: Any, activation: Any) -> Any:
    return gradient * (activation > ZERO)


def _tanh(z: Any) -> Any:
    return np.tanh(z)


def _tanh_backward(gradient: Any, activation: Any) -> Any:
    return gradient * (ONE - activation * activation)


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(_relu, _relu_backward),
    "tanh": Activation(_tanh, _tanh_backward, own=True),
}


def sum_first(values: Array) -> Array:
    """Sum over the first axis, one after the other, whatever the other axes are.

    NumPy's own sum does that too, except where the first axis lies innermost in memory, or the others hold one number:
    then it sums pairwise, and a lone row would differ from the same row in company by a rounding.
    """
    values = np.ascontiguousarray(values)
    if values[0].size > 1:
        return np.asarray(np.add.reduce(values, axis=0))
    return np.asarray(np.add.accumulate(values, axis=0)[-1])


class Loss(Protocol):
    """A loss of the outputs, ``(rows, classes, samples)``, against the targets, ``(classes, rows or 1, samples)``.

    It is made with the choice of the executor; see `sweep.learning.network.executors.by_class`.
    """

    def train(self, outputs: Array, targets: Array, scale: Any, parts: Array) -> None:
        """Overwrite the outputs with `scale` times the gradient, and note the losses' parts, ``(2, rows, samples)``."""

    def losses(self, parts: Array) -> Array:
        """Each sample's loss: from parts ``(..., 2, rows, samples)`` to ``(..., rows, samples)``.

        Worked out for many steps at once, for a step has so little to do that one call more is felt.
        """

    def evaluate(self, outputs: Array, targets: Array) -> Array:
        """Each sample's loss, ``(rows, samples)``; leaves the outputs in disorder."""


def _larger(peak: Any, z: Any) -> Any:
    return np.maximum(peak, z)


def _centred(z: Any, target: Any, peak: Any, chosen: Any, unused: Any) -> tuple[Any, Any]:
    z = z - peak
    return z, chosen + z * target


def _sum(total: Any, exponential: Any) -> Any:
    return total + exponential


def _softmax_gradient(exponential: Any, target: Any, total: Any, unused: Any, scale: Any) -> tuple[Any, Any]:
    return (exponential / total - target) * scale, unused


class _CrossEntropy:
    """Softmax cross-entropy, natural logarithm: ``log(sum exp z) - z[target]``; gradient ``softmax(z) - target``.

    The outputs are counted from the largest, or the exponential would overflow. The parts are the sum and z[target].
    """

    def __init__(self, compiled: bool | None) -> None:
        self._centre = by_class(_larger, _centred, compiled=compiled)
        self._to_gradient = by_class(_sum, _softmax_gradient, compiled=compiled)

    def train(self, outputs: Array, targets: Array, scale: Any, parts: Array) -> None:
        total, chosen = parts
        spare = np.empty_like(total)
        self._centre(outputs, targets, spare, chosen, scale)
        np.exp(outputs, out=outputs)
        self._to_gradient(outputs, targets, total, spare, scale)

    def losses(self, parts: Array) -> Array:
        return np.asarray(np.log(parts[..., 0, :, :]) - parts[..., 1, :, :])

    def evaluate(self, outputs: Array, targets: Array) -> Array:
        spare, chosen = np.empty((2, len(outputs), outputs.shape[2]), outputs.dtype)
        self._centre(outputs, targets, spare, chosen, outputs.dtype.type(1))
        np.exp(outputs, out=outputs)
        return np.asarray(np.log(sum_first(outputs.transpose(1, 0, 2))) - chosen)


class _SquaredError:
    """Squared error, mean over the outputs of a sample: gradient ``2 (z - target) / outputs``. One part is the loss."""

    def __init__(self, compiled: bool | None) -> None:
        del compiled

    def train(self, outputs: Array, targets: Array, scale: Any, parts: Array) -> None:
        outputs = outputs.transpose(1, 0, 2)
        outputs -= targets
        share = outputs.dtype.type(1 / len(outputs))
        np.multiply(sum_first(outputs * outputs), share, out=parts[0])
        outputs *= 2 * share * scale

    def losses(self, parts: Array) -> Array:
        return np.asarray(parts[..., 0, :, :])

    def evaluate(self, outputs: Array, targets: Array) -> Array:
        difference = outputs.transpose(1, 0, 2) - targets
        return np.asarray(sum_first(difference * difference) * outputs.dtype.type(1 / len(difference)))


LOSSES: dict[str, Callable[[bool | None], Loss]] = {"cross_entropy": _CrossEntropy, "squared_error": _SquaredError}


def _he(inputs: int, outputs: int, random: np.random.Generator) -> Array:
    """He et al. 2015, eq. 10: normal, variance 2 / inputs."""
    return np.asarray(random.normal(0.0, np.sqrt(2 / inputs), (inputs, outputs)))


def _glorot(inputs: int, outputs: int, random: np.random.Generator) -> Array:
    """Glorot and Bengio 2010, eq. 16: uniform, variance 2 / (inputs + outputs)."""
    limit = np.sqrt(6 / (inputs + outputs))
    return np.asarray(random.uniform(-limit, limit, (inputs, outputs)))


def _zero(inputs: int, outputs: int, random: np.random.Generator) -> Array:
    """All zero: where theory begins with linear models, such as that of Wilson et al. 2017."""
    del random
    return np.zeros((inputs, outputs))


INITIAL_WEIGHTS: dict[str, Callable[[int, int, np.random.Generator], Array]] = {
    "he": _he, "glorot": _glorot, "zero": _zero,
}  # fmt: skip
LINEAR_ONLY = ("zero",)  # of the initial weights: with hidden layers no gradient but that of the last biases is not 0


def never_learns(initial_weights: str, hidden: Sequence[int]) -> str:
    """Why a network with these hidden layers cannot start so; empty: it can.

    >>> never_learns("zero", [])
    ''
    """
    if initial_weights not in LINEAR_ONLY or not hidden:
        return ""
    others = " or ".join(f'"{name}"' for name in INITIAL_WEIGHTS if name not in LINEAR_ONLY)
    return (
        f"a network with hidden = {list(hidden)} never learns from it: use hidden = [], or initial_weights = {others}"
    )
