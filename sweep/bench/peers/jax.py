"""JAX: 32 models under ``vmap``, the whole training one jitted call with scans over minibatches and epochs."""

from __future__ import annotations

import functools
import time
from importlib import import_module
from typing import Any

import numpy as np

from sweep.bench.peers import Reading
from sweep.bench.peers.common import DECAY, EPSILON, Problem, initial, problem


def stacked(workload: str) -> Reading:
    """Train all models together. They share the order of the minibatches, so that these are gathered once."""
    given = problem(workload)
    trained, seconds = _compiled(workload, given.epochs)
    started = time.perf_counter()
    _, accuracies = trained()
    final = np.asarray(accuracies)[-1]  # waits for the result
    return Reading(1000 * (time.perf_counter() - started) / len(given.rates), float(final.mean()), seconds)


@functools.cache
def _compiled(workload: str, epochs: int) -> tuple[Any, float]:
    """The training compiled ahead of time and run once, and the seconds that compiling took."""
    jax = import_module("jax")
    given = problem(workload)
    arguments = _arguments(given)
    train = jax.jit(functools.partial(_train, given.batch, epochs))
    started = time.perf_counter()
    compiled = train.lower(*arguments).compile()
    seconds = time.perf_counter() - started
    jax.block_until_ready(compiled(*arguments))
    return functools.partial(compiled, *arguments), seconds


def _arguments(given: Problem) -> tuple[Any, ...]:
    jnp = import_module("jax.numpy")
    arrays = (given.inputs, given.classes, given.validation_inputs, given.validation_classes)
    models = len(given.rates)
    start = [tuple(np.tile(part, (models,) + (1,) * part.ndim) for part in pair) for pair in initial(given.sizes)]
    return tuple(map(jnp.asarray, arrays)), import_module("jax").tree.map(jnp.asarray, start), jnp.array(given.rates)


def _outputs(parameters: Any, inputs: Any) -> Any:
    """The outputs of one model."""
    jax = import_module("jax")
    *hidden, (weights, biases) = parameters
    for w, b in hidden:
        inputs = jax.nn.relu(inputs @ w + b)
    return inputs @ weights + biases


def _loss(parameters: Any, inputs: Any, classes: Any) -> Any:
    """The mean cross-entropy of one model."""
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    logarithms = jax.nn.log_softmax(_outputs(parameters, inputs))
    return -jnp.take_along_axis(logarithms, classes[:, None], axis=1).mean()


def _step(state: Any, rate: Any, inputs: Any, classes: Any) -> Any:
    """One model's update: RMSProp as Optax writes it, with epsilon outside the root."""
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    parameters, caches = state
    gradients = jax.grad(_loss)(parameters, inputs, classes)
    caches = jax.tree.map(lambda c, g: DECAY * c + (1 - DECAY) * g * g, caches, gradients)
    moved = jax.tree.map(lambda p, g, c: p - rate * g / (jnp.sqrt(c) + EPSILON), parameters, gradients, caches)
    return moved, caches


def _evaluate(parameters: Any, inputs: Any, classes: Any) -> tuple[Any, Any]:
    """One model's loss and accuracy."""
    return _loss(parameters, inputs, classes), (_outputs(parameters, inputs).argmax(axis=1) == classes).mean()


def _train(batch: int, epochs: int, arrays: Any, parameters: Any, rates: Any) -> tuple[Any, Any]:
    """All epochs; losses and accuracies of shape ``(epochs, models)``."""
    jax, jnp = import_module("jax"), import_module("jax.numpy")
    inputs, classes, validation, validation_classes = arrays
    samples = len(inputs)
    whole = samples // batch * batch
    step = jax.vmap(_step, in_axes=(0, 0, None, None))
    evaluate = jax.vmap(_evaluate, in_axes=(0, None, None))

    def minibatch(state: Any, chosen: Any) -> tuple[Any, None]:
        return step(state, rates, inputs[chosen], classes[chosen]), None

    def epoch(state: Any, key: Any) -> tuple[Any, Any]:
        order = jax.random.permutation(key, samples)
        state, _ = jax.lax.scan(minibatch, state, order[:whole].reshape(-1, batch))
        if whole < samples:  # the last minibatch is smaller
            state, _ = minibatch(state, order[whole:])
        return state, evaluate(state[0], validation, validation_classes)

    start = parameters, jax.tree.map(jnp.zeros_like, parameters)
    _, curves = jax.lax.scan(epoch, start, jax.random.split(jax.random.key(0), epochs))
    found: tuple[Any, Any] = curves
    return found
