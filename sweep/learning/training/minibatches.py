"""One part of a data set as the trainer uses it: cut into minibatches, and evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweep.learning.data.parts import Part
from sweep.learning.hyper import Array
from sweep.learning.network.metrics import Measuring, Outcome
from sweep.learning.network.stacked import StackedNetwork

EVALUATION_BLOCK = 256  # samples evaluated at once
GATHERED_STEPS = 8  # minibatches gathered at once: cheaper than one by one, and they stay in the cache


@dataclass(frozen=True, slots=True)
class Samples:
    """One part of a data set in the network's layout and precision.

    `inputs` has shape ``(samples, inputs + 1)``, the last column being 1; `targets` ``(samples, outputs)``; of several
    `splits` the samples stand one after the other. `variance` is that of each target over this part of each split,
    ``(outputs, splits)``. What samples count in the loss and in the metrics, on average 1, is laid out as a target is,
    ``(samples, 1)``; None: they all count the same.
    """

    inputs: Array
    targets: Array
    variance: Array
    splits: int = 1
    loss_weights: Array | None = None
    metric_weights: Array | None = None

    @classmethod
    def of(cls, part: Part | Samples, dtype: str) -> Samples:
        """Lay a part out; one that has been laid out is what it is.

        The samples stand row by row in memory: to gather some of another layout NumPy would copy all of it first.
        """
        if isinstance(part, Samples):
            return part
        inputs = np.ones((len(part.inputs), part.inputs.shape[1] + 1), dtype)
        inputs[:, :-1] = part.inputs
        weights = [
            None if each is None else each.reshape(-1, 1).astype(dtype)
            for each in (part.loss_weights, part.metric_weights)
        ]
        targets = part.targets.astype(dtype, order="C")
        return cls(inputs, targets, part.variance.T.astype(dtype), part.splits, *weights)

    def __len__(self) -> int:
        return len(self.inputs) // self.splits

    def minibatches(self, order: Array, batch: int) -> Iterator[tuple[int, Array, Array, Array | None]]:
        """Walk samples in `order`, shape ``(replicates, samples)``.

        Yields several at a time: the number of the first, their inputs ``(steps, replicates, batch, inputs + 1)``,
        targets ``(steps, outputs, replicates, batch)``, and weights in the loss ``(steps, 1, replicates, batch)``, if
        there are any. To gather them together is cheaper than one by one.
        """
        samples = order.shape[1]
        whole = samples // batch * batch
        starts = [*range(0, whole, batch * GATHERED_STEPS), *([whole] if whole < samples else [])]
        for start, stop in pairwise([*starts, samples]):
            chosen = order[:, start:stop].reshape(len(order), -1, min(batch, stop - start))
            inputs = self.inputs.take(chosen.transpose(1, 0, 2), axis=0)
            weights = None if self.loss_weights is None else _gathered(self.loss_weights, chosen)
            yield start // batch, inputs, _gathered(self.targets, chosen), weights

    def weight(self, order: Array) -> Array:
        """What the samples of an order, ``(replicates, samples)``, count in the loss together, ``(replicates,)``."""
        if self.loss_weights is None:
            return np.full(len(order), float(order.shape[1]))
        return np.asarray(self.loss_weights[:, 0].take(order).astype(float).sum(axis=1))

    def evaluate(self, network: StackedNetwork, measuring: Measuring) -> dict[str, Array]:
        """What is measured of each row on all samples, each of shape ``(rows,)``."""
        return measuring.of(self._outcomes(network))

    def _outcomes(self, network: StackedNetwork) -> Iterator[Outcome]:
        """What the networks give, some samples after the other; each is gone when the next one comes."""
        own = np.arange(network.replicates) * self.splits // network.replicates if self.splits > 1 else slice(None)

        def shown(values: Array, block: slice) -> Array:
            return np.ascontiguousarray(_by_split(values, self.splits)[own, block].transpose(2, 0, 1))

        for start in range(0, len(self), EVALUATION_BLOCK):
            block = slice(start, start + EVALUATION_BLOCK)
            inputs, targets = _by_split(self.inputs, self.splits)[own, block], shown(self.targets, block)
            weights = [
                None if each is None else shown(each, block) for each in (self.loss_weights, self.metric_weights)
            ]
            yield network.outcome(inputs, targets, self.variance[:, own], *weights)


def _by_split(samples: Array, splits: int) -> Array:
    """View samples that stand one split after the other as ``(splits, samples, ...)``."""
    return samples.reshape(splits, -1, samples.shape[-1])


def _gathered(samples: Array, chosen: Array) -> Array:
    """Some of what is ``(samples, size)``: the chosen are ``(replicates, steps, batch)``; see `Samples.minibatches`."""
    return np.ascontiguousarray(samples.take(chosen, axis=0).transpose(1, 3, 0, 2))
