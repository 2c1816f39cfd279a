"""The probability that an arm is the best after k trials: which arm to take depends on how much it can be tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import gammaln

from sweep.errors import UsageError
from sweep.learning.hyper import Array
from sweep.results.statistics.tuning_curves import check_k, check_level, checked
from sweep.search.space.space import Arm


def probability_best(
    scores: Mapping[Arm, Array], k: Sequence[int], *, level: float = 0.95, resamples: int = 200, seed: int = 0
) -> pd.DataFrame:
    """How probable it is that an arm's best of k trials is the lowest of all arms'.

    The estimate is the share of all ways to draw k of every arm's trials, without replacement, in which the arm wins
    (a U-statistic: unbiased); where several arms share the lowest score, each gets its part of the win. So the
    probabilities sum to 1. The interval, one for each arm and k, is the percentile bootstrap's over the arms' trials.
    It is approximate: of two equal arms with 64 trials, one of 95 % had the truth in 94, 93, 87 and 82 % of 300
    simulations at k = 1, 4, 16 and 64.

    Parameters
    ----------
    scores : mapping
        An arm to the scores of its independent trials; smaller is better.
    k : sequence of int
        Numbers of trials.
    level : float
        That of the intervals.
    resamples, seed : int
        The bootstrap's; the same ones give the same table.

    Returns
    -------
    DataFrame
        `arm` (its name), `k`, `probability`, `low`, `high`; one row for each arm and k.

    Raises
    ------
    UsageError
        No arm, an arm without scores or with one that is not a number, or with fewer than k.

    Examples
    --------
    >>> arms = {Arm("sgd", "constant"): [0.1, 0.4], Arm("adam", "constant"): [0.2, 0.3]}
    >>> probability_best(arms, [1, 2])[["arm", "k", "probability"]]
                   arm  k  probability
    0   sgd x constant  1          0.5
    1   sgd x constant  2          1.0
    2  adam x constant  1          0.5
    3  adam x constant  2          0.0
    """
    if not scores:
        raise UsageError("scores: no arm: give the scores of one at least")
    check_level(level)
    sound = [checked(values, str(arm)) for arm, values in scores.items()]
    for arm, values in zip(scores, sound, strict=True):
        for each in k:
            check_k(each, len(values), str(arm))
    pool = _Pool.of(sound)
    ways = _ways(max(map(len, sound)), np.array(k))
    rng = np.random.default_rng(seed)
    drawn = np.array([pool.shares(pool.resampled(rng), ways) for _ in range(resamples)])
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    rows = pd.MultiIndex.from_product([[str(arm) for arm in scores], k], names=["arm", "k"]).to_frame(index=False)
    return rows.assign(probability=pool.shares(pool.counts, ways).ravel(), low=low.ravel(), high=high.ravel())


def _ways(most: int, k: Array) -> Array:
    """The logarithm of how many ways there are to draw k of m trials, shape ``(k, most + 1)``; for none, -1000."""
    m, k = np.arange(most + 1), k[:, None]
    left = m - k
    some = gammaln(m + 1) - gammaln(k + 1) - gammaln(np.maximum(left, 0) + 1)
    # Counts are ratios of two such numbers: where the first alone is 0, the ratio is below the smallest double.
    return np.asarray(np.where(left >= 0, some, -1000.0))


@dataclass(frozen=True, slots=True)
class _Tied:
    """Scores that several arms share: their `places` by score, and in these where each begins and how many share it.

    `nodes` and `weights` integrate a polynomial of degree ``max(sizes) - 1`` over (0, 1) exactly.
    """

    places: Array
    starts: Array
    sizes: Array
    nodes: Array
    weights: Array

    def others(self, survival: Array) -> Array:
        """The share of its wins that each arm keeps: the integral over t of the product of ``s + t (1 - s)``.

        As if each tied arm drew a number and the lowest won; s is the probability that another arm is not tied.
        """
        survival = survival[:, self.places]
        share = np.zeros_like(survival)
        for node, weight in zip(self.nodes, self.weights, strict=True):
            kept = survival + node * (1 - survival)
            share += weight * np.repeat(np.multiply.reduceat(kept, self.starts, axis=1), self.sizes, axis=1) / kept
        return share


def _ties(sizes: Array) -> list[_Tied]:
    """The scores that arms share, in a few parts: each takes as many nodes (1, 2, 4, ...) as are exact for it."""
    found, nodes = [], 1
    while nodes < sizes.max():
        here = (sizes > nodes) & (sizes <= 2 * nodes)  # n nodes are exact up to the degree 2 n - 1
        if here.any():
            places = np.flatnonzero(np.repeat(here, sizes))
            own = sizes[here]
            points, weights = np.polynomial.legendre.leggauss(nodes)
            found.append(_Tied(places, np.cumsum(own) - own, own, (1 + points) / 2, weights / 2))
        nodes *= 2
    return found


@dataclass(frozen=True, slots=True)
class _Pool:
    """The scores of all arms as entries, one for each arm and distinct score: arm by arm, each arm's rising.

    Of each entry: how many trials have it (`counts`), and how many its arm and those before it have (`ends`). Of each
    arm: where its entries (`firsts`) and its trials (`edges`) begin; `entry` is each trial's. `order` sorts the entries
    by score; there, each score begins at `starts` and is that of `sizes` arms.
    """

    counts: Array
    ends: Array
    firsts: Array
    edges: Array
    entry: Array
    order: Array
    starts: Array
    sizes: Array
    tied: list[_Tied]

    @classmethod
    def of(cls, scores: Sequence[Array]) -> _Pool:
        distinct = [np.unique(each, return_counts=True) for each in scores]
        values = np.concatenate([value for value, _ in distinct])
        counts = np.concatenate([count for _, count in distinct])
        lengths = np.array([len(value) for value, _ in distinct])
        edges = np.append(0, np.cumsum([len(each) for each in scores]))
        order = np.argsort(values, kind="stable")
        starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))
        sizes = np.diff(starts, append=len(order))
        ends, firsts = np.repeat(edges[1:], lengths), np.cumsum(lengths) - lengths
        entry = np.repeat(np.arange(len(counts)), counts)
        return cls(counts, ends, firsts, edges, entry, order, starts, sizes, _ties(sizes))

    def resampled(self, rng: np.random.Generator) -> Array:
        """The counts when each arm's trials are drawn again, as many, with replacement."""
        drawn = [rng.integers(begin, end, end - begin) for begin, end in pairwise(self.edges.tolist())]
        return np.bincount(self.entry[np.concatenate(drawn)], minlength=len(self.counts))

    def shares(self, counts: Array, ways: Array) -> Array:
        """The probability that each arm wins, shape ``(arms, k)``, when `counts` trials have each score."""
        above = self.ends - np.cumsum(counts)  # of the same arm
        # Of an arm whose best is not below this score: the probability that it is above.
        survival = np.exp(ways[:, above[self.order]] - ways[:, (above + counts)[self.order]])
        passed = np.cumprod(survival, axis=1)[:, self.starts[1:] - 1]
        won = np.repeat(np.insert(passed, 0, 1.0, axis=1), self.sizes, axis=1) * (1 - survival)
        for tied in self.tied:
            won[:, tied.places] *= tied.others(survival)
        by_arm = np.empty_like(won)
        by_arm[:, self.order] = won
        return np.asarray(np.add.reduceat(by_arm, self.firsts, axis=1).T)
