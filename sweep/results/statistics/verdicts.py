"""The verdict: whether the leading arm is better than the others, equivalent, or whether that is undecided.

Judged are the finalists: the best configuration of each leading arm, trained again on fresh seeds, which are paired:
with one seed all arms have the same split, initial weights and minibatches, so what counts are differences within a
seed. The leader is the arm with the lowest mean score, chosen from these same numbers; therefore a p-value is corrected
(Holm 1979) for all pairs of arms, not only for those with the leader: however the leader was found, the chance that any
arm is called better than its equal is at most `ALPHA`. Equal are arms that might change names: of two with the same
mean and noises of different shapes the test says too often (8 % of 600 tables, 20 seeds) that one is better.

- *better*: the corrected p-value of the sign-flip permutation test is at most `ALPHA`, and the interval leaves out 0;
- *equivalent*: the interval of the difference lies within plus or minus delta;
- *undecided*: neither; with the number of seeds that would probably decide it.

Intervals are BCa bootstrap intervals (Efron 1987) over the seeds. They say how far the answer depends on training and
on the split into training and validation part; the test part is one and the same. With 20 seeds they cover 93 % for
normal differences and 87 to 91 % for skewed ones, instead of 95 %.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from sweep.learning.hyper import Array
from sweep.search.space.space import Arm

ALPHA = 0.05
LEVEL = 1 - ALPHA
POWER = 0.8  # with which so many more seeds would decide
MOST_SEEDS = 1000  # more than this is not predicted
RESAMPLES = 9_999
FLIPS_A_PAIR = 400  # sign flips for each pair at the least: the smallest p-value must survive the correction
_CHUNK = 4_096  # sign flips at once

Word = Literal["better", "equivalent", "undecided", "worse"]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and its interval at `LEVEL`."""

    mean: float
    low: float
    high: float

    def __sub__(self, number: float) -> Interval:
        return Interval(self.mean - number, self.low - number, self.high - number)

    def within(self, delta: float) -> bool:
        """Whether all of it lies between minus and plus delta."""
        return -delta <= self.low and self.high <= delta

    @property
    def beyond_zero(self) -> bool:
        """Whether it leaves out 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True)
class Against:
    """The leader beside another arm.

    `difference` is the other's score less the leader's, `p` corrected; `wins` is the share of seeds in which the leader
    is ahead, with its exact interval. `more_seeds` is None unless the word is undecided; `MOST_SEEDS` means that or
    more.
    """

    arm: Arm
    word: Word
    difference: Interval
    p: float
    wins: Interval
    more_seeds: int | None

    def sentence(self) -> str:
        """The word, and about how many more seeds it needs."""
        if self.more_seeds is None:
            return self.word
        many = f"{MOST_SEEDS}+" if self.more_seeds >= MOST_SEEDS else f"~{self.more_seeds}"
        return f"undecided, {many} more"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The leader and how it stands beside each other arm, those with the lowest means first.

    Attributes
    ----------
    leader : Arm
    scores : mapping
        Each arm's mean score, the leader's first.
    against : tuple of Against
    seeds : int
    delta : float
        In the unit of the score.
    """

    leader: Arm
    scores: Mapping[Arm, Interval]
    against: tuple[Against, ...]
    seeds: int
    delta: float

    def those(self, word: Word) -> list[Against]:
        """The other arms with this word."""
        return [each for each in self.against if each.word == word]

    def sentence(self) -> str:
        """The verdict in one sentence."""
        if not self.against:
            return f"{self.leader} is the only arm."
        parts = []
        for word, said in (
            ("better", "better than"), ("equivalent", "equivalent to"), ("undecided", "undecided with"),
            ("worse", "worse than"),
        ):  # fmt: skip
            others = self.those(word)  # type: ignore[arg-type]
            if others:
                parts.append(f"{said} {_listed([str(each.arm) for each in others], len(self.against))}")
        return f"{self.leader} is {'; '.join(parts)}."


def _listed(names: Sequence[str], of: int) -> str:
    if len(names) == of and of > 2:
        return f"all {of} others"
    if len(names) > 3:
        return f"{len(names)} of the {of} others"
    return ", ".join(names)


def judge(scores: Mapping[Arm, Array], delta: float, leader: Arm | None = None) -> Verdict:
    """Judge paired scores.

    Parameters
    ----------
    scores : mapping
        Arm to its scores, arrays of shape ``(seeds,)``, smaller is better, one place one seed; at least two seeds.
    delta : float
        A difference that does not matter, as a share of the leader's mean score.
    leader : Arm, optional
        Chosen by other scores; left out: the one with the lowest mean.
    """
    arms = sorted(scores, key=lambda arm: (scores[arm].mean(), str(arm)))
    leader = leader or arms[0]
    arms = [leader, *(arm for arm in arms if arm != leader)]
    seeds = len(scores[leader])
    absolute = delta * abs(float(scores[leader].mean()))
    pairs = list(itertools.combinations(arms, 2))
    differences = np.array([scores[b] - scores[a] for a, b in pairs]).reshape(len(pairs), seeds)
    corrected = holm(sign_flip(differences))
    with_leader = [place for place, pair in enumerate(pairs) if pair[0] == leader]
    against = tuple(
        _against(pairs[place][1], differences[place], corrected[place], absolute, len(pairs)) for place in with_leader
    )
    return Verdict(leader, {arm: interval(scores[arm]) for arm in arms}, against, seeds, absolute)


def _against(arm: Arm, difference: Array, p: float, delta: float, pairs: int) -> Against:
    found = interval(difference)
    word: Word = "undecided"
    if found.within(delta):
        word = "equivalent"
    elif p <= ALPHA and found.beyond_zero:
        word = "better" if found.mean > 0 else "worse"
    more = more_seeds(difference, delta, pairs) if word == "undecided" else None
    return Against(arm, word, found, float(p), share(int((difference > 0).sum()), len(difference)), more)


def interval(values: Array) -> Interval:
    """The mean of some numbers with its BCa bootstrap interval."""
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if np.ptp(values) <= 1e-12 * max(1e-300, float(np.abs(values).max())):  # nothing varies: BCa would divide by 0
        return Interval(mean, mean, mean)
    found = stats.bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, confidence_level=LEVEL, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    return Interval(mean, float(found.low), float(found.high))


@functools.cache
def share(count: int, of: int) -> Interval:
    """A share with its exact interval (Clopper and Pearson 1934)."""
    found = stats.binomtest(count, of).proportion_ci(LEVEL, method="exact")
    return Interval(count / of, float(found.low), float(found.high))


def sign_flip(differences: Array) -> Array:
    """Two-sided p-values of the sign-flip permutation test that the mean is 0, one for each row of differences.

    All ``2**seeds`` flips where they are few; else random ones, and the p-value counts the data as one of them.
    """
    rows, seeds = differences.shape
    flips = max(RESAMPLES, FLIPS_A_PAIR * rows)
    exact = 2**seeds <= flips
    # What is as far out up to a rounding counts: the identity itself must.
    observed = np.abs(differences.sum(axis=1)) * (1 - 1e-9) - 1e-300
    reached = np.zeros(rows, int)
    for signs in _every_sign(seeds) if exact else _random_signs(seeds, flips):
        reached += (np.abs(signs @ differences.T) >= observed).sum(axis=0)
    return np.asarray(reached / 2**seeds if exact else (reached + 1) / (flips + 1))


def _every_sign(seeds: int) -> Iterator[Array]:
    """All rows of 1 and -1, in chunks."""
    for first in range(0, 2**seeds, _CHUNK):
        numbers = np.arange(first, min(first + _CHUNK, 2**seeds))[:, None]
        yield 1.0 - 2.0 * (numbers >> np.arange(seeds) & 1)


def _random_signs(seeds: int, flips: int) -> Iterator[Array]:
    """Random rows of 1 and -1, in chunks."""
    random = np.random.default_rng(0)
    for first in range(0, flips, _CHUNK):
        yield 1.0 - 2.0 * random.integers(0, 2, (min(_CHUNK, flips - first), seeds), dtype=np.int8)


def holm(p: Array) -> Array:
    """P-values corrected for their number, step down (Holm 1979)."""
    if not len(p):
        return p
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(np.minimum(1.0, p[order] * (len(p) - np.arange(len(p)))))
    corrected = np.empty(len(p))
    corrected[order] = stepped
    return corrected


def more_seeds(difference: Array, delta: float, pairs: int) -> int:
    """About how many more seeds would decide, with `POWER`, if mean and spread stay as they are; at most `MOST_SEEDS`.

    The smaller of two counts by the normal approximation: until the mean is told from 0 (at the strictest level of the
    correction, and not before there are enough signs to flip for such a p-value), and until it is told from the nearer
    end of plus or minus delta, if it lies within.
    """
    seeds, mean, spread = len(difference), abs(float(difference.mean())), float(difference.std(ddof=1))
    power = _normal(POWER)
    told = (_normal(1 - ALPHA / 2 / pairs) + power) * spread
    same = (_normal(1 - ALPHA / 2) + power) * spread
    fewest = 1 + math.log2(pairs / ALPHA)  # the smallest p-value there can be is 2 / 2**seeds
    needed = min(max(fewest, _count(told, mean)), _count(same, delta - mean))
    return math.ceil(min(MOST_SEEDS, max(1, needed - seeds)))


@functools.cache
def _normal(level: float) -> float:
    """A quantile of the normal distribution."""
    return float(stats.norm.ppf(level))


def _count(deviation: float, distance: float) -> float:
    """After how many seeds a deviation of the sum of one shrinks to the distance."""
    return (deviation / distance) ** 2 if distance > 1e-6 * deviation else math.inf if deviation else 0.0
