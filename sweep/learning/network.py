"""The stacked network: many small multilayer perceptrons of one shape, run as one array program.

A *row* is one network: one replicate of one trial. All parameters of K rows are one ``(rows, parameters)`` matrix; a
layer's weights are a view of it, ``(rows, inputs + 1, outputs)``, the last input being the constant 1 whose weights are
the biases. Every matrix product is one BLAS call a row, so a row's numbers do not depend on the rows beside it; the
element-wise work runs over all rows at once.

Rows of one trial are neighbours: row ``trial * replicates + replicate``. Replicates see different minibatches, trials
of one replicate the same one, so inputs have shape ``(replicates, inputs + 1, samples)`` and are broadcast over trials.

Samples are the last axis and classes the first of the logits: NumPy reduces short last axes slowly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from sweep.errors import UsageError, unknown
from sweep.learning.hyper import Array


@dataclass(frozen=True, slots=True)
class Activation:
    """A hidden layer's function and its derivative, both in place.

    `apply` overwrites pre-activations with activations; `backward` multiplies the loss gradient with the derivative,
    which it reads off the activations.
    """

    apply: Callable[[Array], None]
    backward: Callable[[Array, Array], None]


def _relu(z: Array) -> None:
    np.maximum(z, 0, out=z)


def _relu_backward(gradient: Array, activation: Array) -> None:
    np.multiply(gradient, activation > 0, out=gradient)


def _tanh(z: Array) -> None:
    np.tanh(z, out=z)


def _tanh_backward(gradient: Array, activation: Array) -> None:
    np.multiply(gradient, 1 - activation * activation, out=gradient)


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(_relu, _relu_backward),
    "tanh": Activation(_tanh, _tanh_backward),
}


def _sum_classes(values: Array) -> Array:
    """Sum over the first axis, class by class, whatever the other axes are.

    NumPy's own sum does that too, except when the other axes hold one number: then it sums pairwise, and a lone row
    would differ from the same row in company by a rounding.
    """
    if values[0].size > 1:
        return np.asarray(np.add.reduce(values, axis=0))
    return np.asarray(np.add.accumulate(values, axis=0)[-1])


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss of the outputs, ``(classes, rows, samples)``, against the targets, broadcastable to that.

    `losses` returns each sample's loss, ``(rows, samples)``, and overwrites the outputs with its gradient. `errors`
    returns each sample's share of the error: 0 or 1 for classes; for numbers the squared error over the variance of
    the target, so that its mean is 1 - R^2.
    """

    losses: Callable[[Array, Array], Array]
    errors: Callable[[Array, Array, Array], Array]


def _cross_entropy(outputs: Array, targets: Array) -> Array:
    """Softmax cross-entropy, natural logarithm: ``log(sum exp z) - z[target]``; gradient ``softmax(z) - target``."""
    outputs -= np.maximum.reduce(outputs, axis=0)
    chosen = _sum_classes(outputs * targets)
    np.exp(outputs, out=outputs)
    total = _sum_classes(outputs)
    outputs /= total
    outputs -= targets
    return np.asarray(np.log(total) - chosen)


def _misclassified(outputs: Array, targets: Array, variance: Array) -> Array:
    del variance
    return np.asarray(np.argmax(outputs, axis=0) != np.argmax(targets, axis=0))


def _squared_error(outputs: Array, targets: Array) -> Array:
    """Squared error, mean over the outputs of a sample: gradient ``2 (z - target) / outputs``."""
    outputs -= targets
    share = outputs.dtype.type(1 / len(outputs))
    losses: Array = _sum_classes(outputs * outputs) * share
    outputs *= 2 * share
    return losses


def _unexplained(outputs: Array, targets: Array, variance: Array) -> Array:
    difference = outputs - targets
    share = outputs.dtype.type(1 / len(outputs))
    unexplained: Array = _sum_classes(difference * difference / variance[:, None, None]) * share
    return unexplained


LOSSES: dict[str, Loss] = {
    "cross_entropy": Loss(_cross_entropy, _misclassified),
    "squared_error": Loss(_squared_error, _unexplained),
}


def _he(inputs: int, outputs: int, random: np.random.Generator) -> Array:
    """He et al. 2015, eq. 10: normal, variance 2 / inputs."""
    return np.asarray(random.normal(0.0, np.sqrt(2 / inputs), (inputs, outputs)))


def _glorot(inputs: int, outputs: int, random: np.random.Generator) -> Array:
    """Glorot and Bengio 2010, eq. 16: uniform, variance 2 / (inputs + outputs)."""
    limit = np.sqrt(6 / (inputs + outputs))
    return np.asarray(random.uniform(-limit, limit, (inputs, outputs)))


INITIAL_WEIGHTS: dict[str, Callable[[int, int, np.random.Generator], Array]] = {"he": _he, "glorot": _glorot}


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of a network and what it is made of; the same for every trial of a study.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, each hidden layer, outputs.
    loss : str
        A name of `LOSSES`.
    activation : str
        A name of `ACTIVATIONS`, for the hidden layers. The last layer is linear.
    initial_weights : str
        A name of `INITIAL_WEIGHTS`. Biases start at 0.
    dtype : str
        ``"float32"`` or ``"float64"``.
    """

    sizes: tuple[int, ...]
    loss: str
    activation: str = "relu"
    initial_weights: str = "he"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for kind, name, table in (
            ("loss", self.loss, LOSSES),
            ("activation", self.activation, ACTIVATIONS),
            ("initial weights", self.initial_weights, INITIAL_WEIGHTS),
            ("dtype", self.dtype, {"float32": 0, "float64": 0}),
        ):
            if name not in table:
                raise UsageError(f"network: {unknown(kind, name, table)}")
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise UsageError(f"network: layer sizes {list(self.sizes)}: need inputs and outputs, each at least 1")

    @property
    def layers(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each layer."""
        return tuple(pairwise(self.sizes))

    @property
    def parameters(self) -> int:
        """Weights and biases of one network."""
        return sum((inputs + 1) * outputs for inputs, outputs in self.layers)

    @property
    def biases(self) -> Array:
        """Which parameters are biases, shape ``(parameters,)``."""
        layers = [np.repeat([False, True], [inputs * outputs, outputs]) for inputs, outputs in self.layers]
        return np.concatenate(layers)

    def initial(self, seed: np.random.SeedSequence) -> Array:
        """Draw the initial parameters of one network, flat: each layer's weights row by row, then its biases."""
        random = np.random.default_rng(seed)
        draw = INITIAL_WEIGHTS[self.initial_weights]
        layers = [np.vstack([draw(i, o, random), np.zeros((1, o))]) for i, o in self.layers]
        return np.concatenate([layer.ravel() for layer in layers]).astype(self.dtype)

    def bytes_per_row(self, samples: int) -> int:
        """Memory of one row while it trains: parameters, gradient, two state arrays, activations of `samples`."""
        activations = sum(2 * (size + 1) * samples for size in self.sizes[1:])
        return int((4 * self.parameters + activations) * np.dtype(self.dtype).itemsize)


@dataclass
class StackedNetwork:
    """K networks of one architecture with their parameters, and the buffers to run them.

    Parameters
    ----------
    architecture : Architecture
    parameters : array, shape (rows, parameters)
        Changed by nobody but the caller's updates; views of it are the layers.
    replicates : int
        How many neighbouring rows belong to one trial.
    """

    architecture: Architecture
    parameters: Array
    replicates: int = 1
    gradient: Array = field(init=False)
    _buffers: dict[int, _Buffers] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.gradient = np.zeros_like(self.parameters)
        self._weights = self._views(self.parameters)
        self._gradients = self._views(self.gradient)
        self._activation = ACTIVATIONS[self.architecture.activation]
        self._loss = LOSSES[self.architecture.loss]

    @property
    def rows(self) -> int:
        """How many networks are stacked."""
        return len(self.parameters)

    def loss_and_gradient(self, inputs: Array, targets: Array) -> Array:
        """Run a minibatch forward and back.

        Parameters
        ----------
        inputs : array, shape (replicates, inputs + 1, samples)
            The last input is 1.
        targets : array, shape (outputs, replicates, samples)
            One-hot classes, or numbers.

        Returns
        -------
        array, shape (rows, samples)
            Each sample's loss. `gradient` then holds the gradient of their mean over the samples.
        """
        buffers = self._forward(inputs)
        losses = self._loss.losses(buffers.outputs, self._per_row(targets))
        outputs = buffers.outputs
        outputs *= outputs.dtype.type(1 / inputs.shape[-1])
        self._backward(inputs, buffers)
        return losses

    def evaluate(self, inputs: Array, targets: Array, variance: Array) -> tuple[Array, Array]:
        """Each sample's loss and error, both ``(rows, samples)``; shapes as in `loss_and_gradient`.

        `variance` is each target's variance, shape ``(outputs,)``; only squared error reads it.
        """
        outputs = self._forward(inputs).outputs
        wanted = self._per_row(targets)
        errors = self._loss.errors(outputs, wanted, variance)
        return self._loss.losses(outputs, wanted), errors

    def outputs(self, inputs: Array) -> Array:
        """The linear outputs, shape ``(outputs, rows, samples)``: logits, or standardised numbers."""
        return self._forward(inputs).outputs.copy()

    def _per_row(self, targets: Array) -> Array:
        """Give every row its replicate's targets."""
        if targets.shape[1] == 1:
            return targets
        trials = self.rows // self.replicates
        return np.tile(targets, (1, trials, 1))

    def _views(self, flat: Array) -> list[Array]:
        """Cut a ``(rows, parameters)`` matrix into layers, ``(rows, inputs + 1, outputs)`` each."""
        views, at = [], 0
        for inputs, outputs in self.architecture.layers:
            end = at + (inputs + 1) * outputs
            views.append(flat[:, at:end].reshape(len(flat), inputs + 1, outputs))
            at = end
        return views

    def _by_trial(self, rows: Array) -> Array:
        """View an array of rows as ``(trials, replicates, ...)``, to meet inputs that trials share."""
        return rows.reshape(-1, self.replicates, *rows.shape[1:])

    def _forward(self, inputs: Array) -> _Buffers:
        samples = inputs.shape[-1]
        if samples not in self._buffers:
            self._buffers[samples] = _Buffers.of(self.architecture, self.rows, samples, self.parameters.dtype)
        buffers = self._buffers[samples]
        for layer, weights in enumerate(self._weights):
            target = buffers.results[layer]
            flipped = weights.transpose(0, 2, 1)
            if layer == 0:
                np.matmul(self._by_trial(flipped), inputs, out=self._by_trial(target))
            else:
                np.matmul(flipped, buffers.activations[layer - 1], out=target)
            if layer < len(self._weights) - 1:
                self._activation.apply(target)
        return buffers

    def _backward(self, inputs: Array, buffers: _Buffers) -> None:
        # Contiguous: the strides of the outputs depend on the number of rows, and BLAS may choose its kernel by them; a
        # lone row would then differ from the same row in company by a rounding (seen with one hidden unit, one sample).
        delta = np.ascontiguousarray(buffers.results[-1])
        for layer in range(len(self._weights) - 1, 0, -1):
            activation = buffers.activations[layer - 1]
            np.matmul(activation, delta.transpose(0, 2, 1), out=self._gradients[layer])
            below = buffers.deltas[layer - 1]
            np.matmul(self._weights[layer][:, :-1], delta, out=below)
            self._activation.backward(below, activation[:, :-1])
            delta = below
        flipped = self._by_trial(delta.transpose(0, 2, 1))
        np.matmul(inputs, flipped, out=self._by_trial(self._gradients[0]))


@dataclass(frozen=True, slots=True)
class _Buffers:
    """Work space for one number of samples.

    `outputs` is the last layer, ``(outputs, rows, samples)``; `activations` the hidden layers with their row of ones,
    ``(rows, size + 1, samples)``; `results` where each layer's product goes, a view of the former as ``(rows, size,
    samples)``; `deltas` the loss gradients of the hidden layers.
    """

    outputs: Array
    activations: list[Array]
    results: list[Array]
    deltas: list[Array]

    @classmethod
    def of(cls, architecture: Architecture, rows: int, samples: int, dtype: np.dtype[Any]) -> _Buffers:
        hidden = architecture.sizes[1:-1]
        outputs = np.zeros((architecture.sizes[-1], rows, samples), dtype)
        activations = [np.ones((rows, size + 1, samples), dtype) for size in hidden]
        results = [a[:, :-1] for a in activations] + [outputs.transpose(1, 0, 2)]
        deltas = [np.empty((rows, size, samples), dtype) for size in hidden]
        return cls(outputs, activations, results, deltas)
