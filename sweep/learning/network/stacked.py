"""The stacked network: many small multilayer perceptrons of one shape, run as one array program.

A *row* is one network: one replicate of one trial. All parameters of K rows are one ``(rows, parameters)`` matrix; a
layer's weights are a view of it, ``(rows, inputs + 1, outputs)``, the last input being the constant 1 whose weights are
the biases. Every matrix product is one BLAS call a row, so a row's numbers do not depend on the rows beside it; the
element-wise work runs over all rows at once.

Rows of one trial are neighbours: row ``trial * replicates + replicate``. Replicates see different minibatches, trials
of one replicate the same one, so inputs have shape ``(replicates, samples, inputs + 1)`` and are broadcast over trials.

Where a layer keeps its samples decides the speed, for BLAS is slow when its second operand alone is transposed (here
1.7 times). Hidden layers are ``(rows, samples, size + 1)``, so that the two large products of the first layer need no
such thing. Outputs are ``(rows, outputs, samples)``: what runs over classes then runs along the samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from sweep.errors import Problem, UsageError, unknown
from sweep.learning.hyper import Array
from sweep.learning.network.functions import ACTIVATIONS, INITIAL_WEIGHTS, LOSSES, never_learns
from sweep.learning.network.metrics import Outcome


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
        A name of `INITIAL_WEIGHTS`; "zero" without hidden layers only. Biases start at 0.
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
        if rule := never_learns(self.initial_weights, self.sizes[1:-1]):
            raise UsageError(Problem(rule, "initial_weights", self.initial_weights, where="network"))

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
        kept = 3 if ACTIVATIONS[self.activation].looks_back else 2
        activations = sum(kept * (size + 1) * samples for size in self.sizes[1:])
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
    compiled : bool, optional
        The executor of activations and losses; no result depends on it. Left out: compiled, if numba is there.
    """

    architecture: Architecture
    parameters: Array
    replicates: int = 1
    compiled: bool | None = None
    gradient: Array = field(init=False)
    _passes: dict[int, _Pass] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.gradient = np.zeros_like(self.parameters)
        self._loss = LOSSES[self.architecture.loss](self.compiled)

    @property
    def rows(self) -> int:
        """How many networks are stacked."""
        return len(self.parameters)

    def loss_and_gradient(self, inputs: Array, targets: Array) -> Array:
        """Run a minibatch forward and back.

        Parameters
        ----------
        inputs : array, shape (replicates, samples, inputs + 1)
            The last input is 1.
        targets : array, shape (outputs, replicates, samples)
            One-hot classes, or numbers.

        Returns
        -------
        array, shape (rows, samples)
            Each sample's loss. `gradient` then holds the gradient of their mean over the samples.
        """
        parts = np.zeros((2, self.rows, inputs.shape[1]), self.parameters.dtype)
        self.train(inputs, targets, parts)
        return self.losses(parts)

    def train(self, inputs: Array, targets: Array, parts: Array, weights: Array | None = None) -> None:
        """The same, but for the losses: of these it notes the parts, ``(2, rows, samples)``; see `losses`.

        With `weights`, ``(1, replicates, samples)``, the gradient is the mean over the samples of weight x gradient.
        """
        through = self._pass(inputs)
        outputs = through.forward(inputs)
        self._loss.train(outputs, self._per_row(targets), through.share, parts)
        if weights is not None:
            outputs *= self._per_row(weights).transpose(1, 0, 2)  # where the gradient by the outputs now stands
        through.backward(inputs)

    def losses(self, parts: Array, weights: Array | None = None) -> Array:
        """Each sample's loss, of one or several steps, from the parts that `train` has noted; times its weight."""
        losses = self._loss.losses(parts)
        return losses if weights is None else losses * self._per_row(weights[..., 0, :, :])

    def outcome(
        self,
        inputs: Array,
        targets: Array,
        variance: Array,
        loss_weights: Array | None = None,
        metric_weights: Array | None = None,
    ) -> Outcome:
        """What the networks give for samples, to be measured before they are run again; shapes as in `train`.

        `variance` is each target's variance, ``(outputs,)`` or, each replicate's own, ``(outputs, replicates)``.
        """
        targets, variance = self._per_row(targets), self._per_row(variance.reshape(len(variance), -1, 1))
        weights = [None if each is None else self._per_row(each)[0] for each in (metric_weights, loss_weights)]
        return Outcome(self._pass(inputs).forward(inputs), targets, variance, self._loss, *weights)

    def outputs(self, inputs: Array) -> Array:
        """The linear outputs, shape ``(outputs, rows, samples)``: logits, or standardised numbers."""
        return self._pass(inputs).forward(inputs).transpose(1, 0, 2).copy()

    def _pass(self, inputs: Array) -> _Pass:
        """The work space for so many samples; made when it is first needed."""
        samples = inputs.shape[1]
        if samples not in self._passes:
            self._passes[samples] = _Pass(self, samples)
        return self._passes[samples]

    def _per_row(self, targets: Array) -> Array:
        """Give every row its replicate's targets, shape ``(outputs, replicates, ...)``; one for all stays one."""
        if targets.shape[1] == 1:
            return targets
        trials = self.rows // self.replicates
        return np.tile(targets, (1, trials, 1))

    def layers_of(self, flat: Array) -> list[Array]:
        """Cut a ``(rows, parameters)`` matrix into layers, views of ``(rows, inputs + 1, outputs)`` each."""
        views, at = [], 0
        for inputs, outputs in self.architecture.layers:
            end = at + (inputs + 1) * outputs
            views.append(flat[:, at:end].reshape(len(flat), inputs + 1, outputs))
            at = end
        return views

    def by_trial(self, rows: Array) -> Array:
        """View an array of rows as ``(trials, replicates, ...)``, to meet inputs that trials share."""
        return rows.reshape(-1, self.replicates, *rows.shape[1:])


class _Pass:
    """Forward and back through a stacked network with a fixed number of samples.

    All arrays, and all the views of them that a step needs, are made once: a step has so little to do that making them
    anew would be felt.
    """

    def __init__(self, network: StackedNetwork, samples: int) -> None:
        *hidden, last = network.architecture.sizes[1:]
        rows, dtype = network.rows, network.parameters.dtype
        self.share = dtype.type(1 / samples)
        self._outputs = np.zeros((rows, last, samples), dtype)
        weights, gradients = network.layers_of(network.parameters), network.layers_of(network.gradient)
        activations = [np.ones((rows, samples, size + 1), dtype) for size in hidden]
        activation = ACTIVATIONS[network.architecture.activation]
        before = [[np.ones_like(a)] if activation.looks_back else [] for a in activations]  # what went in, if asked for
        results = [*(a[..., :-1] for a in activations), _flipped(self._outputs)]
        deltas = [*(np.empty((rows, samples, size), dtype) for size in hidden), _flipped(self._outputs)]
        self._first = network.by_trial(weights[0]), network.by_trial(results[0])
        self._first_back = network.by_trial(deltas[0]), network.by_trial(gradients[0])
        self._forward = [
            (_flat(activation), activation, weight, result, *kept)
            for activation, weight, result, kept in zip(activations, weights[1:], results[1:], before, strict=True)
        ]
        self._back = [
            (_flipped(seen[0]), above, gradient, _flipped(weight[:, :-1]), below, _flat(below), *map(_flat, seen))
            for seen, above, gradient, weight, below in zip(
                ([a, *kept] for a, kept in zip(activations, before, strict=True)),
                deltas[1:], gradients[1:], weights[1:], deltas[:-1], strict=True,
            )
        ][::-1]  # fmt: skip
        self._activate, self._activate_back = activation.executors(network.compiled)
        self._restore_ones = not activation.keeps_one

    def forward(self, inputs: Array) -> Array:
        """Run the inputs through; return the outputs, ``(rows, outputs, samples)``, to be overwritten."""
        weights, result = self._first
        np.matmul(inputs, weights, out=result)
        for flat, activation, weights, result, *before in self._forward:
            for kept in before:
                kept[...] = activation
            self._activate(flat)
            if self._restore_ones:
                activation[..., -1] = 1
            np.matmul(activation, weights, out=result)
        return self._outputs

    def backward(self, inputs: Array) -> None:
        """Fill the network's gradient from the gradient by the outputs, which stands in their place."""
        for activation, above, gradient, weights, below, flat, *seen in self._back:
            np.matmul(activation, above, out=gradient)
            np.matmul(above, weights, out=below)
            self._activate_back(flat, *seen)
        delta, gradient = self._first_back
        np.matmul(_flipped(inputs), delta, out=gradient)


def _flat(values: Array) -> Array:
    """View ``(rows, samples, size)`` as ``(rows * samples, size)``."""
    return values.reshape(-1, values.shape[-1])


def _flipped(matrices: Array) -> Array:
    """View a stack of matrices as that of their transposes."""
    return matrices.transpose(0, 2, 1)
