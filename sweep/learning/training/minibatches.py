"""One part of a data set as the trainer uses it: cut into minibatches, and evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sweep.learning.data.parts import Part
from sweep.learning.hyper import Array
from sweep.learning.network.metrics import Measuring, Outcome, joined
from sweep.learning.network.stacked import StackedNetwork

EVALUATION_BLOCK = 256  # samples evaluated at once
GATHERED_STEPS = 8  # minibatches gathered at once: cheaper than one by one, and they stay in the cache


@dataclass(frozen=True, slots=True)
class Samples:
    """One part of a data set in the network's layout and precision.

    `inputs` has shape ``(samples, inputs + 1)``, the last column being 1; `targets` ``(samples, outputs)``; of several
    `splits` the samples stand one after the other. `variance` is that of each target over this part of each split,
    ``(outputs, splits)``.
    """

    inputs: Array
    targets: Array
    variance: Array
    splits: int = 1

    @classmethod
    def of(cls, part: Part | Samples, dtype: str) -> Samples:
        """Lay a part out; one that has been laid out is what it is.

        The samples stand row by row in memory: to gather some of another layout NumPy would copy all of it first.
        """
        if isinstance(part, Samples):
            return part
        inputs = np.ones((len(part.inputs), part.inputs.shape[1] + 1), dtype)
        inputs[:, :-1] = part.inputs
        variance = np.zeros((part.targets.shape[1], part.splits))
        if len(part):
            variance = _by_split(part.targets, part.splits).var(axis=1).T
        variance = np.maximum(variance, np.finfo(np.float32).tiny)
        return cls(inputs, part.targets.astype(dtype, order="C"), variance.astype(dtype), part.splits)

    def __len__(self) -> int:
        return len(self.inputs) // self.splits

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

    def evaluate(self, network: StackedNetwork, measuring: Measuring) -> dict[str, Array]:
        """What is measured of each row on all samples, each of shape ``(rows,)``; means are summed in float64."""
        sums: dict[str, Array] = {}
        outcomes = []
        for outcome in self._outcomes(network):
            if measuring.wholes:
                outcomes.append(replace(outcome, outputs=outcome.outputs.copy()))
            for name, values in measuring.each(outcome).items():
                sums[name] = sums.get(name, np.zeros(network.rows)) + values.sum(axis=1, dtype=float)
        found = {name: np.asarray(each / len(self)) for name, each in sums.items()}
        if outcomes:
            found |= measuring.whole(joined(outcomes))
        return {name: found[name] for name in measuring.names}

    def _outcomes(self, network: StackedNetwork) -> Iterator[Outcome]:
        """What the networks give, some samples after the other; each is gone when the next one comes."""
        own = np.arange(network.replicates) * self.splits // network.replicates if self.splits > 1 else slice(None)
        every, wanted, variance = (
            _by_split(self.inputs, self.splits),
            _by_split(self.targets, self.splits),
            self.variance,
        )
        for start in range(0, len(self), EVALUATION_BLOCK):
            block = slice(start, start + EVALUATION_BLOCK)
            inputs, targets = every[own, block], wanted[own, block].transpose(2, 0, 1)
            yield network.outcome(inputs, np.ascontiguousarray(targets), variance[:, own])


def _by_split(samples: Array, splits: int) -> Array:
    """View samples that stand one split after the other as ``(splits, samples, ...)``."""
    return samples.reshape(splits, -1, samples.shape[-1])
