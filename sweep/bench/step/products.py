"""The matrix products of a training and nothing else: what a stacked trainer would cost if all else were free.

A layout is the order of the axes in which the layers' values are kept; it decides which operands BLAS finds
transposed. Each is measured, and the fastest counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweep.learning.hyper import Array
from sweep.learning.training.machine import steady


@dataclass(frozen=True, slots=True)
class Product:
    """One stacked matrix product: ``result = left @ right``, all rows."""

    left: Array
    right: Array
    result: Array


Layout = Callable[[Sequence[int], int, int], list[Product]]


def samples_first(sizes: Sequence[int], rows: int, batch: int) -> list[Product]:
    """Hidden layers ``(rows, samples, size + 1)``, outputs ``(outputs, rows, samples)``: as the trainer has them.

    Weights and their gradients are views of one ``(rows, parameters)`` matrix each.
    """
    weights, gradients = _flat_layers(sizes, rows), _flat_layers(sizes, rows)
    values = [_some(rows if i else 1, batch, size + 1) for i, size in enumerate(sizes[:-1])]
    outputs, output_deltas = _some(sizes[-1], rows, batch), _some(rows, sizes[-1], batch)
    results = [*(value[..., :-1] for value in values[1:]), outputs.transpose(1, 2, 0)]
    deltas = [*(_some(rows, batch, size) for size in sizes[1:-1]), _flipped(output_deltas)]
    return _sequence(values, weights, results, deltas, gradients)


def samples_first_apart(sizes: Sequence[int], rows: int, batch: int) -> list[Product]:
    """Everything ``(rows, samples, size)``, and every layer's weights an array of its own."""
    weights, gradients = _layers(sizes, rows), _layers(sizes, rows)
    values = [_some(rows if i else 1, batch, size + 1) for i, size in enumerate(sizes[:-1])]
    results = [_some(rows, batch, size) for size in sizes[1:]]
    deltas = [_some(rows, batch, size) for size in sizes[1:]]
    return _sequence(values, weights, results, deltas, gradients)


def units_first(sizes: Sequence[int], rows: int, batch: int) -> list[Product]:
    """Everything ``(rows, size, samples)``, weights ``(rows, outputs, inputs + 1)``."""
    weights, gradients = ([_some(rows, o, i + 1) for i, o in pairwise(sizes)] for _ in range(2))
    values = [_some(rows if i else 1, size + 1, batch) for i, size in enumerate(sizes[:-1])]
    deltas = [_some(rows, size, batch) for size in sizes[1:]]
    forward = [
        Product(weight, value, _some(rows, weight.shape[1], batch))
        for weight, value in zip(weights, values, strict=True)
    ]
    back = [
        Product(delta, _flipped(value), gradient)
        for delta, value, gradient in zip(deltas, values, gradients, strict=True)
    ]
    through = [
        Product(_flipped(weight[..., :-1]), above, below)
        for weight, above, below in zip(weights[1:], deltas[1:], deltas[:-1], strict=True)
    ]
    return _ordered(forward, back, through)


LAYOUTS: dict[str, Layout] = {
    "samples first": samples_first,
    "samples first, layers apart": samples_first_apart,
    "units first": units_first,
}


def _sequence(
    values: Sequence[Array],
    weights: Sequence[Array],
    results: Sequence[Array],
    deltas: Sequence[Array],
    gradients: Sequence[Array],
) -> list[Product]:
    """The products of a step where samples stand before units."""
    forward = [Product(*found) for found in zip(values, weights, results, strict=True)]
    back = [
        Product(_flipped(value), delta, gradient)
        for value, delta, gradient in zip(values, deltas, gradients, strict=True)
    ]
    through = [
        Product(above, _flipped(weight[:, :-1]), below)
        for above, weight, below in zip(deltas[1:], weights[1:], deltas[:-1], strict=True)
    ]
    return _ordered(forward, back, through)


def _ordered(forward: list[Product], back: list[Product], through: list[Product]) -> list[Product]:
    """In the order of a step: forward; then from the last layer to the first its gradient and what it passes on."""
    ordered = [*forward, back[-1]]
    for passed_on, gradient in zip(reversed(through), reversed(back[:-1]), strict=True):
        ordered += [passed_on, gradient]
    return ordered


def measure(layout: str, sizes: Sequence[int], rows: int, minibatches: Sequence[int], epochs: int) -> float:
    """Seconds that the products of some epochs take: those of the training steps, without the evaluation's."""
    by_size = {batch: LAYOUTS[layout](sizes, rows, batch) for batch in set(minibatches)}
    steps = [by_size[batch] for batch in minibatches]
    with steady():
        run(steps[-1:])
        started = time.perf_counter()
        for _ in range(epochs):
            run(steps)
        return time.perf_counter() - started


def run(steps: Sequence[Sequence[Product]]) -> None:
    """Make the products of some steps."""
    matmul = np.matmul
    for products in steps:
        for product in products:
            matmul(product.left, product.right, out=product.result)


def _some(*shape: int) -> Array:
    """An array of numbers around 1: how long a product takes does not depend on them, unless they are subnormal."""
    return np.random.default_rng(0).uniform(0.5, 1.5, shape).astype(np.float32)


def _layers(sizes: Sequence[int], rows: int) -> list[Array]:
    return [_some(rows, inputs + 1, outputs) for inputs, outputs in pairwise(sizes)]


def _flat_layers(sizes: Sequence[int], rows: int) -> list[Array]:
    """Layers as views of one ``(rows, parameters)`` matrix."""
    ends = np.cumsum([0, *((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))])
    flat = _some(rows, int(ends[-1]))
    shapes = [(rows, inputs + 1, outputs) for inputs, outputs in pairwise(sizes)]
    return [flat[:, start:stop].reshape(shape) for (start, stop), shape in zip(pairwise(ends), shapes, strict=True)]


def _flipped(matrices: Array) -> Array:
    return matrices.transpose(0, 2, 1)
