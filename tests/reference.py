"""Slow, obvious oracles for one network and its training; they share no code with `sweep`.

Nothing here is stacked, compiled or clever: a loop over samples, and for each parameter a closure from
`tests.learning.textbook`, which has the optimizers and the schedules. If the program and an oracle disagree, read the
oracle first: it is meant to be seen right at a glance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.learning.textbook import OPTIMIZERS, SCHEDULES, Losses, factor, optimizer

__all__ = [
    "ACTIVATIONS", "LOSSES", "OPTIMIZERS", "SCHEDULES", "Layer", "Losses", "Outcome", "Recipe", "backward", "factor",
    "flat_of", "forward", "layers_of", "mean_loss", "optimizer", "train",
]  # fmt: skip

Vector = NDArray[np.float64]

# ------------------------------------------------------------------------------------------------------------- network
# One network as a list of layers, one sample at a time.


@dataclass
class Layer:
    """``z = inputs @ weights + biases``."""

    weights: Vector
    biases: Vector


def layers_of(flat: Vector, sizes: Sequence[int]) -> list[Layer]:
    """Cut a flat vector up: for each layer its weights row by row, then its biases."""
    layers, numbers = [], iter([float(number) for number in flat])
    for inputs, outputs in pairwise(sizes):
        weights = [[next(numbers) for _ in range(outputs)] for _ in range(inputs)]
        layers.append(Layer(np.array(weights), np.array([next(numbers) for _ in range(outputs)])))
    assert not list(numbers)
    return layers


def flat_of(layers: Sequence[Layer]) -> Vector:
    """The opposite of `layers_of`."""
    return np.array([n for layer in layers for n in [*layer.weights.ravel(), *layer.biases]])


def relu(z: float) -> float:
    return max(z, 0.0)


def relu_slope(z: float) -> float:
    return 1.0 if z > 0 else 0.0


def tanh_slope(z: float) -> float:
    return 1 / math.cosh(z) ** 2


def normal(z: float) -> float:
    """The probability that a standard normal number is below z."""
    return math.erfc(-z / math.sqrt(2)) / 2


def gelu_slope(z: float) -> float:
    """By the product rule, with the normal density."""
    return normal(z) + z * math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)


def logistic(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def silu_slope(z: float) -> float:
    return logistic(z) + z * logistic(z) * (1 - logistic(z))


ACTIVATIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "relu": (relu, relu_slope),
    "tanh": (math.tanh, tanh_slope),
    "gelu": (lambda z: z * normal(z), gelu_slope),
    "silu": (lambda z: z * logistic(z), silu_slope),
}


def forward(layers: Sequence[Layer], sample: Vector, activation: str) -> tuple[list[Vector], list[Vector]]:
    """The inputs of each layer, and what each layer makes of them before its activation."""
    function, _ = ACTIVATIONS[activation]
    inputs, results = [sample], []
    for layer in layers:
        results.append(inputs[-1] @ layer.weights + layer.biases)
        inputs.append(np.array([function(float(z)) for z in results[-1]]))
    return inputs[:-1], results


def cross_entropy(outputs: Vector, target: Vector) -> tuple[float, Vector]:
    """Loss and gradient of one sample: softmax, then minus the logarithm of the probability of the right class."""
    largest = float(max(outputs))
    exponentials = np.array([math.exp(z - largest) for z in outputs])
    probabilities = exponentials / exponentials.sum()
    right = int(np.argmax(target))
    loss = math.log(exponentials.sum()) - (float(outputs[right]) - largest)
    return loss, probabilities - target


def squared_error(outputs: Vector, target: Vector) -> tuple[float, Vector]:
    """Loss and gradient of one sample: the mean over the outputs."""
    differences = [float(z - t) for z, t in zip(outputs, target, strict=True)]
    loss = sum(d**2 for d in differences) / len(differences)
    return loss, np.array([2 * d / len(differences) for d in differences])


def huber(outputs: Vector, target: Vector) -> tuple[float, Vector]:
    """Loss and gradient of one sample: a parabola up to a difference of 1, and from there on its tangent."""
    differences = [float(z - t) for z, t in zip(outputs, target, strict=True)]
    loss = sum(d**2 / 2 if abs(d) <= 1 else abs(d) - 0.5 for d in differences) / len(differences)
    return loss, np.array([(d if abs(d) <= 1 else math.copysign(1.0, d)) / len(differences) for d in differences])


LOSSES: dict[str, Callable[[Vector, Vector], tuple[float, Vector]]] = {
    "huber": huber,
    "cross_entropy": cross_entropy,
    "squared_error": squared_error,
}


def backward(
    layers: Sequence[Layer], sample: Vector, target: Vector, activation: str, loss: str
) -> tuple[float, list[Layer]]:
    """Loss and gradient of one sample, by the chain rule, layer by layer from the last."""
    _, slope = ACTIVATIONS[activation]
    inputs, results = forward(layers, sample, activation)
    value, delta = LOSSES[loss](results[-1], target)
    gradients: list[Layer] = []
    for i in reversed(range(len(layers))):
        gradients.insert(0, Layer(np.outer(inputs[i], delta), delta))
        if i:
            delta = (layers[i].weights @ delta) * np.array([slope(float(z)) for z in results[i - 1]])
    return value, gradients


# ------------------------------------------------------------------------------------------------------------- trainer


@dataclass(frozen=True)
class Recipe:
    """One training: the network's functions, the optimizer, the schedule and their constants."""

    activation: str
    loss: str
    optimizer: str
    optimizer_constants: dict[str, Any]
    schedule: str
    schedule_constants: dict[str, Any]
    learning_rate: float
    batch_size: int


Samples = tuple[Vector, Vector]  # inputs (samples, inputs), targets (samples, outputs)


Weights = Sequence[float]  # one a sample


def mean_loss(layers: Sequence[Layer], samples: Samples, recipe: Recipe, weights: Weights) -> float:
    """The weighted mean over samples of the loss."""
    each = [
        LOSSES[recipe.loss](forward(layers, x, recipe.activation)[1][-1], t)[0] for x, t in zip(*samples, strict=True)
    ]
    return sum(w * loss for w, loss in zip(weights, each, strict=True)) / sum(weights)


@dataclass
class Outcome:
    """The losses and the last rate of each epoch, 0 = before training; the parameters at the end."""

    training: list[float]
    validation: list[float]
    rates: list[float]
    parameters: list[float]


def train(
    flat: Vector,
    sizes: Sequence[int],
    training: Samples,
    validation: Samples,
    orders: Sequence[Any],
    recipe: Recipe,
    weights: tuple[Weights, Weights] | None = None,
) -> Outcome:
    """Train one network; `orders` holds, for each epoch, the samples in the order in which they are used.

    `weights` are those of the training samples and of the validation samples; each is 1 if there are none.
    """
    given, watched = weights or ([1.0] * len(training[0]), [1.0] * len(validation[0]))
    heavy = [w * len(given) / sum(given) for w in given]  # 1 on average
    parameters, done = [float(number) for number in flat], 0
    movers = [optimizer(recipe.optimizer, recipe.optimizer_constants, bias=bias) for bias in biases(sizes)]
    layers = layers_of(flat, sizes)
    start = mean_loss(layers, training, recipe, heavy), mean_loss(layers, validation, recipe, watched)
    out = Outcome([start[0]], [start[1]], [], [])
    out.rates.append(rate_at(0, 1, recipe, out))
    for order in orders:
        total, seen, per_epoch = 0.0, sum(heavy[i] for i in order), math.ceil(len(order) / recipe.batch_size)
        for i in range(per_epoch):
            batch = order[i * recipe.batch_size : (i + 1) * recipe.batch_size]
            loss, gradient = minibatch(parameters, sizes, training, batch, recipe, heavy)
            rate = recipe.learning_rate * rate_factor(done, per_epoch, recipe, out)
            steps = zip(parameters, movers, gradient, strict=True)
            parameters = [p - change(p, g, rate, len(batch)) for p, change, g in steps]
            total, done = total + loss, done + 1
        out.rates.append(rate_at(done - 1, per_epoch, recipe, out))
        out.training.append(total / seen)
        out.validation.append(mean_loss(layers_of(np.array(parameters), sizes), validation, recipe, watched))
    out.parameters = parameters
    return out


def rate_factor(updates: int, per_epoch: int, recipe: Recipe, out: Outcome) -> float:
    """The schedule's factor after so many updates, when it has seen the losses of the epochs that are over."""
    losses = list(zip(out.validation, out.training, strict=True))
    return factor(recipe.schedule, updates / per_epoch, recipe.schedule_constants, losses)


def rate_at(updates: int, per_epoch: int, recipe: Recipe, out: Outcome) -> float:
    """The rate of the update after so many, with the optimizer's own decay."""
    decay: float = 1 + recipe.optimizer_constants["rate_decay"] * updates
    return recipe.learning_rate * rate_factor(updates, per_epoch, recipe, out) / decay


def biases(sizes: Sequence[int]) -> list[bool]:
    """Which parameters are biases: those at the end of each layer."""
    return [bias for i, o in pairwise(sizes) for bias in [False] * (i * o) + [True] * o]


def minibatch(
    parameters: Sequence[float],
    sizes: Sequence[int],
    training: Samples,
    batch: Sequence[int],
    recipe: Recipe,
    weights: Weights,
) -> tuple[float, Vector]:
    """The sum of the samples' losses and the mean of their gradients, each times its weight."""
    layers = layers_of(np.array(parameters), sizes)
    total, gradient = 0.0, np.zeros(len(parameters))
    for i in batch:
        loss, one = backward(layers, training[0][i], training[1][i], recipe.activation, recipe.loss)
        total += weights[i] * loss
        gradient += weights[i] * flat_of(one) / len(batch)
    return total, gradient
