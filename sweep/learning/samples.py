"""One part of a data set as the trainer uses it: cut into minibatches, and evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweep.learning.hyper import Array
from sweep.learning.network import StackedNetwork
from sweep.learning.splits import Part

EVALUATION_BLOCK = 256  # samples evaluated at once
GATHERED_STEPS = 8  # minibatches gathered at once: cheaper than one by one, and they stay in the cache


@dataclass(frozen=True, slots=True)
class Samples:
    """One part of a data set in the network's layout and precision.

    `inputs` has shape ``(samples, inputs + 1)``, the last column being 1; `targets` ``(samples, outputs)``; `variance`
    is that of each target over this part.
    """

    inputs: Array
    targets: Array
    variance: Array

    @classmethod
    def of(cls, part: Part, dtype: str) -> Samples:
        """Lay a part out."""
        inputs = np.concatenate([part.inputs, np.ones((len(part), 1))], axis=1)
        variance = np.maximum(part.targets.var(axis=0), np.finfo(np.float32).tiny)
        return cls(inputs.astype(dtype), part.targets.astype(dtype), variance.astype(dtype))

    def __len__(self) -> int:
        return len(self.inputs)

    def minibatches(self, order: Array, batch: int) -> Iterator[tuple[int, Array, Array]]:
        """Walk samples in `order`, shape ``(replicates, samples)``.

        Yields several at a time: the number of the first, their inputs ``(steps, replicates, batch, inputs + 1)`` and
        targets ``(steps, outputs, replicates, batch)``. To gather them together is cheaper than one by one.
        """
        samples = order.shape[1]
        whole = samples // batch * batch
        starts = [*range(0, whole, batch * GATHERED_STEPS), *([whole] if whole < samples else [])]
        for start, stop in pairwise([*starts, samples]):
            chosen = order[:, start:stop].reshape(len(order), -1, min(batch, stop - start))
            inputs = self.inputs.take(chosen.transpose(1, 0, 2), axis=0)
            targets = np.ascontiguousarray(self.targets.take(chosen, axis=0).transpose(1, 3, 0, 2))
            yield start // batch, inputs, targets

    def evaluate(self, network: StackedNetwork) -> tuple[Array, Array]:
        """Mean loss and mean error of each row over all samples, both of shape ``(rows,)``, summed in float64."""
        loss, error = np.zeros(network.rows), np.zeros(network.rows)
        for start in range(0, len(self), EVALUATION_BLOCK):
            block = slice(start, start + EVALUATION_BLOCK)
            inputs = self.inputs[block][None]
            targets = np.ascontiguousarray(self.targets[block].T)[:, None]
            losses, errors = network.evaluate(inputs, targets, self.variance)
            loss += losses.sum(axis=1, dtype=float)
            error += errors.sum(axis=1, dtype=float)
        return loss / len(self), error / len(self)
