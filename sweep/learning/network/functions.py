"""What a network is made of: activations, losses and initial weights, and the tables of them.

An activation is two element-wise formulas, run like those of the optimizers: by NumPy, or compiled into one loop. A
loss of numbers is one element-wise function of a difference. To add one: write it here and put it in `ACTIVATIONS` or
`LOSSES`. Nothing else.

Sources: Hendrycks and Gimpel 2016, section 2 (GELU, SiLU); Huber 1964, eq. 5.
"""

from __future__ import annotations

import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from sweep.learning.data.table import Task
from sweep.learning.hyper import Array
from sweep.learning.network.executors import InPlace, by_class, in_place

ZERO, ONE = np.float32(0), np.float32(1)  # of the smaller type: they lift neither


@dataclass(frozen=True, slots=True)
class Activation:
    """A hidden layer's function and its derivative, element-wise.

    `function` turns a pre-activation into an activation; `backward` multiplies the loss gradient with the derivative,
    which it reads off the activation, ``(gradient, activation) -> gradient``, or off what went in as well:
    ``(gradient, activation, pre_activation) -> gradient``. Only then is what went in kept.

    What is compiled holds no number literals, and agrees with NumPy to the bit: it adds, multiplies, divides, compares
    and takes roots. Where `own` is true `function` is left to NumPy, and where `own_backward` is true `backward`: its
    exponentials are vectorised, and round otherwise than compiled ones.
    """

    function: Callable[[Any], Any]
    backward: Callable[..., Any]
    own: bool = False
    own_backward: bool = False

    @property
    def keeps_one(self) -> bool:
        """Whether the function of 1 is 1: then it may run over the ones for the biases too."""
        return bool(self.function(ONE) == ONE)

    @property
    def looks_back(self) -> bool:
        """Whether `backward` asks for what went in."""
        return self._given > 1

    @property
    def _given(self) -> int:
        """How many arguments `backward` has besides the gradient."""
        return len(inspect.signature(self.backward).parameters) - 1

    def executors(self, compiled: bool | None) -> tuple[InPlace, InPlace]:
        """Both, in place; see `sweep.learning.network.executors.in_place`."""
        function = in_place(self.function, 0, compiled=False if self.own else compiled)
        return function, in_place(self.backward, self._given, compiled=False if self.own_backward else compiled)


def _relu(z: Any) -> Any:
    # Of two zeros, or what counts as one, a processor may take either: adding 0 makes them one.
    return np.maximum(z, ZERO) + ZERO


def _relu_backward(gradient: Any, activation: Any) -> Any:
    return gradient * (activation > ZERO)


def _tanh(z: Any) -> Any:
    return np.tanh(z)


def _tanh_backward(gradient: Any, activation: Any) -> Any:
    return gradient * (ONE - activation * activation)


# Left to NumPy, where a number literal takes the type of the array.


def _below(z: Any) -> Any:
    """The normal distribution: the probability of less than z. The complement keeps its digits where that is small."""
    from scipy.special import erfc  # a quarter of a second to import: where it is needed

    return 0.5 * erfc(-math.sqrt(0.5) * z)


def _gelu(z: Any) -> Any:
    return z * _below(z)


def _gelu_backward(gradient: Any, activation: Any, z: Any) -> Any:
    return gradient * (_below(z) + z * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi))


def _logistic(z: Any) -> Any:
    """The logistic function; the exponential is of nothing above 0, or it would overflow."""
    small = np.exp(-np.abs(z))
    return np.where(z < 0, small, 1) / (1 + small)


def _silu(z: Any) -> Any:
    return z * _logistic(z)


def _silu_backward(gradient: Any, activation: Any, z: Any) -> Any:
    share = _logistic(z)
    return gradient * (share + activation * (1 - share))


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(_relu, _relu_backward),
    "tanh": Activation(_tanh, _tanh_backward, own=True),
    "gelu": Activation(_gelu, _gelu_backward, own=True, own_backward=True),
    "silu": Activation(_silu, _silu_backward, own=True, own_backward=True),
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


class Loss(ABC):
    """A loss of the outputs, ``(rows, classes, samples)``, against the targets, ``(classes, rows or 1, samples)``.

    It is made with the choice of the executor; see `sweep.learning.network.executors.by_class`. The abstract root;
    `task` says what kind of targets it is for.
    """

    task: ClassVar[Task]

    def __init__(self, compiled: bool | None) -> None:
        del compiled

    @abstractmethod
    def train(self, outputs: Array, targets: Array, scale: Any, parts: Array) -> None:
        """Overwrite the outputs with `scale` times the gradient, and note the losses' parts, ``(2, rows, samples)``."""

    @abstractmethod
    def losses(self, parts: Array) -> Array:
        """Each sample's loss: from parts ``(..., 2, rows, samples)`` to ``(..., rows, samples)``.

        Worked out for many steps at once, for a step has so little to do that one call more is felt.
        """

    @abstractmethod
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


@final
class CrossEntropy(Loss):
    """Softmax cross-entropy, natural logarithm: ``log(sum exp z) - z[target]``; gradient ``softmax(z) - target``.

    The outputs are counted from the largest, or the exponential would overflow. The parts are the sum and z[target].
    """

    task: ClassVar[Task] = "classification"

    def __init__(self, compiled: bool | None) -> None:
        self._centre = by_class(_larger, _centred, compiled=compiled)
        self._to_gradient = by_class(_sum, _softmax_gradient, compiled=compiled)

    def train(self, outputs: Array, targets: Array, scale: Any, parts: Array) -> None:
        """Two passes over the classes, with the exponentials between them."""
        total, chosen = parts
        spare = np.empty_like(total)
        self._centre(outputs, targets, spare, chosen, scale)
        np.exp(outputs, out=outputs)
        self._to_gradient(outputs, targets, total, spare, scale)

    def losses(self, parts: Array) -> Array:
        """Take the logarithm of the sum."""
        return np.asarray(np.log(parts[..., 0, :, :]) - parts[..., 1, :, :])

    def evaluate(self, outputs: Array, targets: Array) -> Array:
        """Count the outputs from the largest, too."""
        spare, chosen = np.empty((2, len(outputs), outputs.shape[2]), outputs.dtype)
        self._centre(outputs, targets, spare, chosen, outputs.dtype.type(1))
        np.exp(outputs, out=outputs)
        return np.asarray(np.log(sum_first(outputs.transpose(1, 0, 2))) - chosen)


class OfNumbers(Loss):
    """A loss of numbers: the mean over a sample's outputs of a function of the difference from the target; abstract.

    Subclasses give `of`. One part is the loss.
    """

    task: ClassVar[Task] = "regression"

    @staticmethod
    @abstractmethod
    def of(difference: Array) -> tuple[Array, Array]:
        """The loss of each difference and its slope, element-wise, in the precision of the differences."""

    def train(self, outputs: Array, targets: Array, scale: Any, parts: Array) -> None:
        """Share both out over the outputs."""
        outputs = outputs.transpose(1, 0, 2)
        outputs -= targets
        share = outputs.dtype.type(1 / len(outputs))
        loss, slope = self.of(outputs)
        np.multiply(sum_first(loss), share, out=parts[0])
        outputs[...] = slope * (share * scale)

    @final
    def losses(self, parts: Array) -> Array:
        """Give the first part."""
        return np.asarray(parts[..., 0, :, :])

    @final
    def evaluate(self, outputs: Array, targets: Array) -> Array:
        """Average over the outputs."""
        loss, _ = self.of(outputs.transpose(1, 0, 2) - targets)
        return np.asarray(sum_first(loss) * outputs.dtype.type(1 / len(loss)))


@final
class SquaredError(OfNumbers):
    """Squared error: ``d^2`` of a difference d; gradient ``2 d / outputs``."""

    @staticmethod
    def of(difference: Array) -> tuple[Array, Array]:
        """Square it."""
        return difference * difference, 2 * difference

    def train(self, outputs: Array, targets: Array, scale: Any, parts: Array) -> None:
        """The same in place: one array less, and a slope that overflows no sooner than its share."""
        outputs = outputs.transpose(1, 0, 2)
        outputs -= targets
        share = outputs.dtype.type(1 / len(outputs))
        np.multiply(sum_first(outputs * outputs), share, out=parts[0])
        outputs *= 2 * share * scale


@final
class Huber(OfNumbers):
    """Huber's loss, for targets with outliers: ``d^2 / 2`` up to a difference of 1, ``|d| - 1/2`` beyond.

    The targets are standardised: 1 is their standard deviation in the training part.
    """

    @staticmethod
    def of(difference: Array) -> tuple[Array, Array]:
        """Square what is near; the slope of what is far is 1."""
        near = np.clip(difference, -1, 1)
        return near * (difference - 0.5 * near), near


LOSSES: dict[str, type[Loss]] = {"cross_entropy": CrossEntropy, "squared_error": SquaredError, "huber": Huber}


def misfit(loss: str, task: Task) -> str:
    """Why a loss cannot serve a task; empty: it can.

    >>> misfit("huber", "regression")
    ''
    """
    if LOSSES[loss].task == task:
        return ""
    others = " or ".join(f'"{name}"' for name, kind in LOSSES.items() if kind.task == task)
    return f"is for {LOSSES[loss].task}, and the data are for {task}: use {others}, or leave it out"


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
