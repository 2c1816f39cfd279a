"""Slow, obvious oracles, written from the textbooks for one scalar or one network; they share no code with `sweep`.

Nothing here is stacked, compiled or clever: a loop over samples, a closure for each parameter. If the program and an
oracle disagree, read the oracle first: it is meant to be seen right at a glance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

# ---------------------------------------------------------------------------------------------------------- optimizers
# Each one is made for one scalar parameter and remembers its own past: ``step(gradient, rate)`` is to be subtracted.

Stepper = Callable[[float, float], float]


def sgd() -> Stepper:
    return lambda gradient, rate: rate * gradient


def momentum(*, momentum: float) -> Stepper:
    velocity = 0.0

    def step(gradient: float, rate: float) -> float:
        nonlocal velocity
        velocity = momentum * velocity + rate * gradient
        return velocity

    return step


def nesterov(*, momentum: float) -> Stepper:
    """Sutskever et al. 2013, with the parameter kept at the place that is looked ahead to."""
    velocity = 0.0

    def step(gradient: float, rate: float) -> float:
        nonlocal velocity
        before = velocity
        velocity = momentum * velocity + rate * gradient
        return (1 + momentum) * velocity - momentum * before

    return step


def adagrad(*, epsilon: float, initial_cache: float) -> Stepper:
    total = initial_cache

    def step(gradient: float, rate: float) -> float:
        nonlocal total
        total += gradient**2
        return rate * gradient / (math.sqrt(total) + epsilon)

    return step


def rmsprop(*, decay: float, epsilon: float, initial_cache: float, momentum: float) -> Stepper:
    mean_square, velocity = initial_cache, 0.0

    def step(gradient: float, rate: float) -> float:
        nonlocal mean_square, velocity
        mean_square = decay * mean_square + (1 - decay) * gradient**2
        velocity = momentum * velocity + rate * gradient / (math.sqrt(mean_square) + epsilon)
        return velocity

    return step


def adam(*, momentum: float, decay: float, epsilon: float) -> Stepper:
    """Kingma and Ba 2015, algorithm 1, line by line."""
    t, m, v = 0, 0.0, 0.0

    def step(gradient: float, rate: float) -> float:
        nonlocal t, m, v
        t += 1
        m = momentum * m + (1 - momentum) * gradient
        v = decay * v + (1 - decay) * gradient**2
        m_hat = m / (1 - momentum**t)
        v_hat = v / (1 - decay**t)
        return rate * m_hat / (math.sqrt(v_hat) + epsilon)

    return step


OPTIMIZERS: dict[str, Callable[..., Stepper]] = {
    "sgd": sgd, "momentum": momentum, "nesterov": nesterov, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam,
}  # fmt: skip

# ----------------------------------------------------------------------------------------------------------- schedules
# Each one gives the factor at `time` epochs, from plain numbers; `losses` are the validation losses seen so far, the
# first one from before training.


def constant(time: float, losses: Sequence[float]) -> float:
    return 1.0


def step(time: float, losses: Sequence[float], *, every: float, divisor: float) -> float:
    return float((1 / divisor) ** math.floor(time / every))


def exponential(time: float, losses: Sequence[float], *, rate: float) -> float:
    return math.exp(-rate * time)


def inverse_time(time: float, losses: Sequence[float], *, rate: float) -> float:
    return 1 / (1 + rate * time)


def piecewise(time: float, losses: Sequence[float], *, boundaries: Sequence[float], factors: Sequence[float]) -> float:
    reached = [boundary for boundary in boundaries if boundary <= time]
    return factors[len(reached) - 1] if reached else 1.0


def plateau(time: float, losses: Sequence[float], *, drop: float, patience: float, threshold: float) -> float:
    if not losses:
        return 1.0
    factor, best, bad = 1.0, losses[0], 0
    for loss in losses[1:]:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if bad > patience:
            factor, bad = factor * drop, 0
    return factor


def linear(time: float, losses: Sequence[float], *, end: float, duration: float) -> float:
    return end if time >= duration else 1 - (1 - end) * time / duration


def cosine(time: float, losses: Sequence[float], *, end: float, duration: float) -> float:
    return end if time >= duration else end + (1 - end) / 2 * (1 + math.cos(math.pi * time / duration))


SCHEDULES: dict[str, Callable[..., float]] = {
    "constant": constant, "step": step, "exponential": exponential, "inverse_time": inverse_time,
    "piecewise": piecewise, "plateau": plateau, "linear": linear, "cosine": cosine,
}  # fmt: skip


def factor(name: str, time: float, constants: dict[str, Any], losses: Sequence[float] = ()) -> float:
    """A schedule's factor with its warm-up: a ramp, and then the schedule from its own start; the end stays put."""
    own = dict(constants)
    warmup = own.pop("warmup", 0.0)
    if time < warmup:
        return float(time / warmup)
    if "duration" in own:
        own["duration"] = max(own["duration"] - warmup, 0.0)
    return SCHEDULES[name](time - warmup, losses, **own)


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


ACTIVATIONS: dict[str, tuple[Callable[[float], float], Callable[[float], float]]] = {
    "relu": (relu, relu_slope),
    "tanh": (math.tanh, tanh_slope),
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


LOSSES: dict[str, Callable[[Vector, Vector], tuple[float, Vector]]] = {
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


def mean_loss(layers: Sequence[Layer], samples: Samples, recipe: Recipe) -> float:
    """The mean over samples of the loss."""
    each = [
        LOSSES[recipe.loss](forward(layers, x, recipe.activation)[1][-1], t)[0] for x, t in zip(*samples, strict=True)
    ]
    return sum(each) / len(each)


def train(
    flat: Vector, sizes: Sequence[int], training: Samples, validation: Samples, orders: Sequence[Any], recipe: Recipe
) -> tuple[list[float], list[float], list[float]]:
    """Train one network; the training loss, the validation loss and the last rate of each epoch, 0 = before training.

    `orders` holds, for each epoch, the order in which the samples are used.
    """
    parameters = [float(number) for number in flat]
    steppers = [OPTIMIZERS[recipe.optimizer](**recipe.optimizer_constants) for _ in parameters]
    train_losses = [mean_loss(layers_of(np.array(parameters), sizes), training, recipe)]
    losses = [mean_loss(layers_of(np.array(parameters), sizes), validation, recipe)]
    rates = [recipe.learning_rate * factor(recipe.schedule, 0.0, recipe.schedule_constants, losses)]
    per_epoch = math.ceil(len(training[0]) / recipe.batch_size)
    for epoch, order in enumerate(orders):
        total, seen, rate = 0.0, list(losses), rates[-1]
        for i in range(per_epoch):
            batch = order[i * recipe.batch_size : (i + 1) * recipe.batch_size]
            loss, gradient = minibatch(parameters, sizes, training, batch, recipe)
            time = (epoch * per_epoch + i) / per_epoch
            rate = recipe.learning_rate * factor(recipe.schedule, time, recipe.schedule_constants, seen)
            parameters = [p - step(g, rate) for p, step, g in zip(parameters, steppers, gradient, strict=True)]
            total += loss
        train_losses.append(total / len(training[0]))
        losses.append(mean_loss(layers_of(np.array(parameters), sizes), validation, recipe))
        rates.append(rate)
    return train_losses, losses, rates


def minibatch(
    parameters: Sequence[float], sizes: Sequence[int], training: Samples, batch: Sequence[int], recipe: Recipe
) -> tuple[float, Vector]:
    """The sum of the samples' losses and the mean of their gradients."""
    layers = layers_of(np.array(parameters), sizes)
    total, gradient = 0.0, np.zeros(len(parameters))
    for i in batch:
        loss, one = backward(layers, training[0][i], training[1][i], recipe.activation, recipe.loss)
        total += loss
        gradient += flat_of(one) / len(batch)
    return total, gradient
