"""Tuning curves: the best score to expect of an arm after k trials, and how sure that is.

An arm's trials are independent random configurations; their scores (smaller is better) are a sample of a law with the
distribution function F. The best of k has its median where ``F = 1 - 0.5 ** (1/k)``, so a band for F is a band for the
whole curve, for all k at once (Lourie, Cho and He 2023, arXiv 2311.09480; the equal-tailed ones). That for F has
exactly its level, whatever the law, if it is continuous. That for the curve has more, for it needs F below its median
only: with 64 trials 94 % instead of 80 %, 99 % instead of 95 %. With equal scores both have more, never less.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import betaincinv, gammaln

from sweep.errors import UsageError
from sweep.learning.hyper import Array
from sweep.search.space.space import Arm

LEVELS = (0.8, 0.95)
MOST_EXACT = 10_000  # trials: a band for so many takes two seconds; the time grows with the power 1.4 of their number


@dataclass(frozen=True, slots=True)
class TuningCurve:
    """The best score to expect after k trials.

    Attributes
    ----------
    k : array
        Numbers of trials, from 1.
    median : array
        The estimated median of the best of k.
    bands : mapping
        Level to the arrays `low` and `high`. With that probability at least, the true median lies between them for all
        k at once. `high` is infinite where the trials are too few to bound it.
    """

    k: Array
    median: Array
    bands: Mapping[float, tuple[Array, Array]]


def tuning_curve(
    scores: Array, most: int | None = None, levels: Sequence[float] = LEVELS, lowest: float = 0.0
) -> TuningCurve:
    """Estimate the tuning curve of one arm.

    F at y, from the i-th smallest score up to the next one, lies between ``low[i]`` and ``high[i + 1]`` of `bounds`.
    So the curve at k is at most the first score whose low bound reaches ``p = 1 - 0.5 ** (1/k)``, and at least the
    score before the first whose high bound does.

    Parameters
    ----------
    scores : array, shape (trials,)
        Independent ones; smaller is better.
    most : int, optional
        The largest k; by default the number of trials.
    levels : sequence of float
        Those of the bands.
    lowest : float
        What no score can be below.

    Raises
    ------
    UsageError
        No score, one that is not a number or below `lowest`, or fewer than `most`.

    Examples
    --------
    >>> curve = tuning_curve([0.4, 0.1, 0.3, 0.2], levels=[0.8])
    >>> curve.median
    array([0.2, 0.2, 0.1, 0.1])
    >>> curve.bands[0.8]
    (array([0., 0., 0., 0.]), array([inf, 0.4, 0.3, 0.3]))
    """
    return _curve(scores, most, levels, lowest, "scores")


def _curve(scores: Array, most: int | None, levels: Sequence[float], lowest: float, where: str) -> TuningCurve:
    ranked = np.sort(checked(scores, where))
    count = len(ranked)
    if ranked[0] < lowest:
        raise UsageError(f"{where}: a score is {ranked[0]:g}: must be at least {lowest:g}: give a lower `lowest`")
    most = count if most is None else most
    check_k(most, count, where)
    k = np.arange(1, most + 1)
    reached = 1 - 0.5 ** (1 / k)
    below, above = np.append(lowest, ranked), np.append(ranked, np.inf)
    bands = {}
    for level in levels:
        low, high = bounds(count, level)
        bands[level] = (below[np.searchsorted(high, reached)], above[np.searchsorted(low, reached)])
    return TuningCurve(k, ranked[np.searchsorted(np.arange(1, count + 1) / count, reached)], bands)


@functools.cache
def bounds(count: int, level: float) -> tuple[Array, Array]:
    """Bounds on F at the sorted scores of `count` trials that all hold at once, with a probability of exactly `level`.

    The i-th of n sorted uniform numbers has the law Beta(i, n + 1 - i). Its bounds leave out the same share at each
    end, for every i, and that share is found such that all bounds hold together with probability `level`. Above
    `MOST_EXACT` trials it is ``(1 - level) / (2 n)`` (Bonferroni): wider than need be by up to half, but where a tuning
    curve reads it, at the best few scores, far narrower than the inequality of Dvoretzky, Kiefer and Wolfowitz.

    Raises
    ------
    UsageError
        The level does not lie between 0 and 1, or there is no trial.

    Examples
    --------
    >>> [bound.round(6) for bound in bounds(2, 0.95)]
    [array([0.006655, 0.115181]), array([0.884819, 0.993345])]
    """
    check_level(level)
    if count < 1:
        raise UsageError(f"bounds: {count} trials: there must be one at least: run the study first")

    def both(tail: float) -> tuple[Array, Array]:
        ranks = np.arange(1, count + 1)
        low = betaincinv(ranks, ranks[::-1], tail)
        return low, 1 - low[::-1]

    bonferroni = (1 - level) / (2 * count)
    if count > MOST_EXACT:
        found = both(bonferroni)
    else:
        # One bound alone gives the other end, but for a single trial it is the root itself: begin well outside.
        ends = np.log([bonferroni / 2, (1 - level / 2) / 2])
        found = both(np.exp(brentq(lambda tail: coverage(*both(np.exp(tail))) - level, *ends)))
    for bound in found:
        bound.flags.writeable = False  # the cache gives the same arrays to everybody
    return found


def coverage(low: Array, high: Array) -> float:
    """The probability that sorted uniform numbers all lie within their bounds, without simulation.

    Their counting process is that of Poisson, given its total. It starts at 0, and between one bound and the next a
    Poisson number is added. The i-th number is at least ``low[i]`` if fewer than i were counted there, and at most
    ``high[i]`` if i were counted there. So only the probabilities of a few counts are carried (Noé 1972; Moscovich and
    Nadler 2017).

    Parameters
    ----------
    low, high : array, shape (n,)
        Both rising, between 0 and 1.
    """
    count = len(low)
    times = np.concatenate([low, high])
    order = np.argsort(times, kind="stable")
    is_low = order < count
    least = np.cumsum(~is_low)
    most: Array = np.cumsum(is_low) - is_low
    means = count * np.diff(times[order], prepend=0.0, append=1.0)
    reach = np.arange(1, 20 + int(means.max() + 10 * np.sqrt(means.max())))  # what is cut off is below 1e-20
    steps = np.exp(-means)[:, None] * np.cumprod(np.insert(means[:, None] / reach, 0, 1.0, axis=1), axis=1)
    before = np.append(0, least[:-1])
    state = np.ones(1)  # the probabilities of the counts from `before` on
    for step, first, end in zip(steps, (least - before).tolist(), (most - before + 1).tolist(), strict=False):
        state = np.convolve(state, step)[first:end]
    total = np.exp(count * np.log(count) - count - gammaln(count + 1))
    return float(state[0] * steps[-1, 0] / total)  # at the last bound all are counted; after it, none


def independent(trials: pd.DataFrame) -> pd.DataFrame:
    """The finished trials, if they can be an independent sample of every arm; those still running are left out.

    Diverged ones stay: they have a finite, bad objective, and to leave them out would flatter their arm. The table does
    not say which sampler proposed the trials: only one that proposes at random gives independent ones.

    Raises
    ------
    UsageError
        A trial was pruned or failed, two of an arm have the same configuration, or none is finished.
    """
    done = trials[trials["state"] != "running"]
    if done.empty:
        raise UsageError("trials: none is finished: a tuning curve needs some: run the study first")
    for row in done[~done["state"].isin(["complete", "diverged"])].to_dict("records"):
        where = f"trial {row['number']} ({Arm(row['optimizer'], row['schedule'])}): state = {row['state']!r}"
        if row["state"] == "pruned":
            raise UsageError(f'{where}: a tuning curve needs trials trained to their end: use mode = "compare"')
        raise UsageError(f"{where}: a tuning curve needs the score of every trial: use fewer --workers, with --fresh")
    same = ["optimizer", "schedule", "learning_rate", *(name for name in done if "." in name)]
    repeated = done[done.duplicated(same, keep=False)]
    if len(repeated):
        _, twins = next(iter(repeated.groupby(same, dropna=False, sort=False)))
        one, other = twins["number"].iloc[:2]
        arm = Arm(*twins[["optimizer", "schedule"]].iloc[0])
        raise UsageError(
            f"trials {one} and {other} ({arm}): the same configuration: a tuning curve needs independent ones: "
            'use mode = "compare" with ranges, not with a few choices'
        )
    return done


def scores_of(trials: pd.DataFrame) -> dict[Arm, Array]:
    """The objectives of every arm's finished trials, if they are `independent`; the arms in the order of the table."""
    groups = independent(trials).groupby(["optimizer", "schedule"], sort=False)["objective"]
    return {Arm(*names): objectives.to_numpy(float) for names, objectives in groups}


def tuning_curves(trials: pd.DataFrame, most: int | None = None) -> dict[Arm, TuningCurve]:
    """The tuning curve of every arm, up to `most` trials (by default, each to as many as it has).

    Raises
    ------
    UsageError
        The trials are not `independent`, or an arm has fewer than `most`.
    """
    return {arm: _curve(scores, most, LEVELS, 0.0, str(arm)) for arm, scores in scores_of(trials).items()}


def checked(scores: Array, where: str) -> Array:
    """The scores as an array; `UsageError`, which says `where`, if there is none or one is not a finite number."""
    found = np.asarray(scores, dtype=float)
    if not found.size:
        raise UsageError(f"{where}: no score: there must be one at least: run the study first")
    if not np.isfinite(found).all():
        bad = found[~np.isfinite(found)][0]
        raise UsageError(f"{where}: a score is {bad}: must be a finite number: give the objectives of finished trials")
    return found


def check_k(k: int, count: int, where: str) -> None:
    """Raise `UsageError` unless k lies between 1 and the number of trials."""
    if not 1 <= k <= count:
        rule = f"must be from 1 to {count}, the number of trials"
        raise UsageError(f"{where}: k = {k}: {rule}: choose another k, or run more trials")


def check_level(level: float) -> None:
    """Raise `UsageError` unless a level lies between 0 and 1."""
    if not 0 < level < 1:
        raise UsageError(f"level = {level:g}: must lie between 0 and 1: 0.95, for example")
