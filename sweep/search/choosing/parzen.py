"""A density of configurations: a mixture of one kernel a trial, and of one, wide, that knows nothing.

The Parzen estimator of Bergstra et al. 2011, section 4, for several dimensions at once, numbers and choices mixed (as
in Falkner et al. 2018). Places are those of `sweep.search.space.scales`: numbers from 0 to 1, indices of choices.

A number's kernel is a normal density cut off at 0 and 1; a choice's has most of its weight on the trial's own choice
and spreads the weight of one more trial evenly over all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri

from sweep.learning.hyper import Array

WIDEST = 0.2  # of the range: the width of a number's kernel where the trials are spread as wide as can be
FINEST = 100  # a kernel is not narrower than the range over this, nor than the range over the number of kernels


@dataclass(frozen=True)
class Parzen:
    """A mixture over some dimensions.

    Attributes
    ----------
    centres : array, shape (trials, dimensions)
    choices : sequence of int
        For each dimension how many choices it has; 0: it is a number.
    widths : array, shape (dimensions,)
        Of the kernels of numbers.
    log_weights : array, shape (trials + 1,)
        Of the kernels; the last is the wide one's.
    """

    centres: Array
    choices: Sequence[int]
    widths: Array
    log_weights: Array

    @classmethod
    def of(cls, centres: Array, choices: Sequence[int], weights: Array | None = None) -> Parzen:
        """The density of some trials, the narrower its kernels the more there are; each weighs 1 unless told."""
        trials, dimensions = centres.shape
        rate = max(trials, 1) ** (-1 / (dimensions + 4))  # Scott 1992, eq. 6.42
        finest = 1 / min(FINEST, trials + 1)
        widths = np.full(dimensions, max(WIDEST * rate, finest))
        log_weights = np.zeros(trials + 1)
        if weights is not None:
            log_weights[:-1] = np.log(weights)
        return cls(centres, choices, widths, log_weights)

    def log_kernels(self, points: Array, dimensions: Sequence[int]) -> Array:
        """The logarithm of each kernel at each point, without its weight, in some dimensions; the last is the wide one.

        `points` has shape ``(points, len(dimensions))``, the result ``(points, trials + 1)``. A constant that is the
        same in every mixture over the same dimensions is left out.
        """
        total = np.zeros((len(points), len(self.centres) + 1))
        for column, dimension in zip(points.T, dimensions, strict=True):
            total += self._log_choice(column, dimension) if self.choices[dimension] else self._log(column, dimension)
        return total

    def _log(self, column: Array, dimension: int) -> Array:
        centres, widths = self._normal(dimension)
        inside = np.log(ndtr((1 - centres) / widths) - ndtr(-centres / widths)) + np.log(widths)
        return np.asarray(-0.5 * ((column[:, None] - centres) / widths) ** 2 - inside)

    def _normal(self, dimension: int) -> tuple[Array, Array]:
        """Centres and widths, the wide kernel's included: it stands in the middle and is as wide as the range."""
        widths = np.full(len(self.centres) + 1, self.widths[dimension])
        widths[-1] = 1.0
        return np.append(self.centres[:, dimension], 0.5), widths

    def _shares(self, dimension: int) -> Array:
        """The probability of each choice in each kernel, shape ``(trials + 1, choices)``."""
        trials, count = len(self.centres), self.choices[dimension]
        shares = np.full((trials + 1, count), 1 / (trials + 1))
        shares[np.arange(trials), self.centres[:, dimension].astype(int)] += 1
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def _log_choice(self, column: Array, dimension: int) -> Array:
        return np.asarray(np.log(self._shares(dimension)).T[column.astype(int)])

    def sample(self, kernels: Array, dimensions: Sequence[int], random: np.random.Generator) -> Array:
        """One point from each of the given kernels (their indices), shape ``(len(kernels), len(dimensions))``."""
        return np.stack([self._sample(kernels, dimension, random) for dimension in dimensions], axis=1)

    def _sample(self, kernels: Array, dimension: int, random: np.random.Generator) -> Array:
        uniform = random.random(len(kernels))
        if self.choices[dimension]:
            below = np.cumsum(self._shares(dimension), axis=1)[kernels] <= uniform[:, None]
            return np.asarray(np.minimum(below.sum(axis=1), self.choices[dimension] - 1.0))
        centres, widths = (part[kernels] for part in self._normal(dimension))
        low, high = ndtr(-centres / widths), ndtr((1 - centres) / widths)
        drawn: Array = centres + widths * ndtri(low + uniform * (high - low))
        return drawn.clip(0.0, 1.0)


def log_sum(log_kernels: Array) -> Array:
    """The logarithm of the sum of kernels, over the last axis."""
    return np.asarray(logsumexp(log_kernels, axis=-1))
