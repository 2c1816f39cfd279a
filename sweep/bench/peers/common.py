"""What the peers share: the workload's arrays in float32, and the learning rates."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweep.bench.step.kernel import STACKED
from sweep.bench.step.workloads import WORKLOADS, pure
from sweep.learning.hyper import Array

DECAY, EPSILON = 0.9, 1e-8


@dataclass(frozen=True)
class Problem:
    """A workload as other libraries take it: inputs ``(samples, inputs)``, classes ``(samples,)``."""

    inputs: Array
    classes: Array
    validation_inputs: Array
    validation_classes: Array
    sizes: tuple[int, ...]
    batch: int
    epochs: int
    rates: tuple[float, ...]


@functools.cache
def problem(workload: str) -> Problem:
    """A workload's arrays and numbers, loaded once a process."""
    chosen = WORKLOADS[workload]
    data = chosen.data()
    return Problem(
        data.train.inputs.astype(np.float32),
        data.train.targets.argmax(axis=1),
        data.validation.inputs.astype(np.float32),
        data.validation.targets.argmax(axis=1),
        chosen.sizes(),
        chosen.settings.batch_size,
        chosen.settings.epochs,
        tuple(configuration.learning_rate for configuration in pure(STACKED, chosen.settings.epochs)),
    )


def initial(sizes: tuple[int, ...], seed: int = 0) -> list[tuple[Array, Array]]:
    """Weights ``(inputs, outputs)`` by He's rule and biases, a pair a layer."""
    random = np.random.default_rng(seed)
    return [
        (random.normal(0.0, np.sqrt(2 / i), (i, o)).astype(np.float32), np.zeros(o, np.float32))
        for i, o in pairwise(sizes)
    ]
