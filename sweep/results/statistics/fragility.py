"""How easily an arm is tuned: what a badly chosen learning rate costs, and which share of its trials would do.

- `sensitivity`: what a learning rate chosen badly costs (Wortsman et al. 2023, arXiv 2309.14322, section 2.2).
- `near_best`: which share of an arm's configurations are nearly as good as the best.

Both from the table of trials alone. *Finished trials* are all that are not running.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from sweep.learning.hyper import Array
from sweep.results.statistics.summaries import finished, numbers

DECADES = 3.0  # of learning rates over which sensitivity is a mean
BIN = 0.5  # of a decade
FEWEST_RATES = 5  # trials of an arm with a sensitivity
RESAMPLES = 400
_MOST_BINS = round(DECADES / BIN)
_ARM = ["optimizer", "schedule"]


def sensitivity(trials: pd.DataFrame, start: float | pd.Series, *, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """What a learning rate chosen badly costs, for each arm: Wortsman et al. 2023, section 2.2.

    ``sensitivity = mean over rates of min(objective, start) - best objective``, where `start` is the objective before
    training: worse than not to train is as bad. The rates are those of the arm's trials in a window of three decades
    around its best trial's rate, moved into the range of its rates, or in all of that range if it is narrower. The mean
    is one over bins of half a decade (of a narrower range: equal ones of about that), so it does not matter where the
    sampler looked most; empty bins are left out.

    The other hyperparameters vary as they do in the trials, so what they cost is in it, too. A pruned trial counts with
    the objective that it had when it was stopped. Numbers compare only between arms in which the rate means the same,
    over windows that are alike.

    The interval comes from random halves of the arm's trials (subsampling: Politis, Romano and Wolf 1999; a half is as
    far from the whole as the whole is from the truth). More trials would have a better best one than these, as these
    have than a half of them: the upper end is raised by twice what halves lack on the mean. Simulated
    with 30 to 1000 trials, it covers what infinitely many would find in 90 % or more where the loss follows the rate
    (nominal 95 %); where the best trial is luck, only what as many trials find on average (88 % or more).

    Parameters
    ----------
    trials : DataFrame
        The table `trials`.
    start : float or Series
        The objective before training: of the study, or of each trial by its number.
    level : float
        The confidence level.
    seed : int
        Of the resampling; the same in each arm, so that an arm's interval does not depend on the others.

    Returns
    -------
    DataFrame
        `optimizer`, `schedule`, `sensitivity`, `low`, `high`, `rates_low`, `rates_high` (the window), `trials` (all
        finished ones). The numbers are null where fewer than `FEWEST_RATES` trials have an objective, none is complete,
        or the rates do not vary.
    """
    done = finished(trials).sort_values("number")
    before = numbers(done["number"].map(start)) if isinstance(start, pd.Series) else start
    objective, rates = numbers(done["objective"]), numbers(done["learning_rate"])
    usable = np.isfinite(objective) & (rates > 0)
    done = done.assign(
        rate=np.log10(rates, out=np.zeros(len(rates)), where=rates > 0),
        loss=np.fmin(objective, before),
        usable=usable & np.isfinite(rates),
    )
    columns = ["sensitivity", "low", "high", "rates_low", "rates_high"]
    rows = []
    for arm, own in done.groupby(_ARM):
        known = own[own["usable"]]
        complete = (known["state"] == "complete").to_numpy()
        found = _fragility(numbers(known["rate"]), numbers(known["loss"]), complete, level, seed)
        rows.append((*arm, *found, len(own)))
    return pd.DataFrame(rows, columns=[*_ARM, *columns, "trials"]).astype(dict.fromkeys(columns, np.float64))


def _fragility(rates: Array, losses: Array, complete: Array, level: float, seed: int) -> tuple[float, ...]:
    """An arm's sensitivity, its interval and its window of rates, from log10 of the rates; all NaN if it has none."""
    count = len(rates)
    if count < FEWEST_RATES or not complete.any() or rates.min() == rates.max():
        return (math.nan,) * 5
    point, low, width = (float(each[0]) for each in _mean_over_rates(rates[None], losses[None], complete[None]))
    half = count // 2
    drawn = np.random.default_rng(seed).random((RESAMPLES, count)).argpartition(half, axis=1)[:, :half]
    halves, _, _ = _mean_over_rates(rates[drawn], losses[drawn], complete[drawn])
    halves = halves[complete[drawn].any(axis=1)]
    if not len(halves):
        return point, math.nan, math.nan, 10**low, 10 ** (low + width)
    scale, mean = math.sqrt(half / (count - half)), float(halves.mean())
    reach = scale * float(np.quantile(np.abs(halves - mean), level))
    lack = scale * max(0.0, point - mean)
    return point, max(0.0, point - reach), point + reach + 2 * lack, 10**low, 10 ** (low + width)


def _mean_over_rates(rates: Array, losses: Array, complete: Array) -> tuple[Array, Array, Array]:
    """The sensitivity in samples of shape ``(samples, trials)``; where the window of rates begins, and its width."""
    samples = np.arange(len(rates))
    best = np.where(complete, losses, np.inf).argmin(axis=1)
    lowest, highest = rates.min(axis=1), rates.max(axis=1)
    width = np.minimum(highest - lowest, DECADES)
    low = np.clip(rates[samples, best] - width / 2, lowest, highest - width)
    bins = np.clip(np.round(width / BIN), 1, _MOST_BINS)
    scaled = (rates - low[:, None]) / np.where(width > 0, width, 1.0)[:, None]
    inside = (scaled >= -1e-9) & (scaled <= 1 + 1e-9)  # rounding must not push a rate out, nor below its bin
    bin_ = np.clip(np.floor(scaled * bins[:, None] + 1e-9), 0, bins[:, None] - 1).astype(np.int64)
    flat, size = (samples[:, None] * _MOST_BINS + bin_)[inside], len(rates) * _MOST_BINS
    counts = np.bincount(flat, minlength=size).reshape(-1, _MOST_BINS)
    sums = np.bincount(flat, weights=losses[inside], minlength=size).reshape(-1, _MOST_BINS)
    means = (sums / np.maximum(counts, 1)).sum(axis=1) / (counts > 0).sum(axis=1)
    return np.maximum(means - losses[samples, best], 0.0), low, width


def near_best(trials: pd.DataFrame, delta: float, *, level: float = 0.95) -> pd.DataFrame:
    """The share of each arm's finished trials that are nearly as good as the best: how easily it is tuned.

    Near is a complete trial whose objective is at most ``best * (1 + delta)``; objectives are not negative. All other
    finished trials are not near, whatever became of them. Where a sampler looked for good configurations the share is
    that of its proposals, not of the space.

    Parameters
    ----------
    trials : DataFrame
        The table `trials`.
    delta : float
    level : float
        The confidence level of the intervals, which are exact (Clopper and Pearson 1934), the best objective given.

    Returns
    -------
    DataFrame
        `optimizer`, `schedule`; `share`, `share_low`, `share_high` (near the study's best trial); `share_own`,
        `share_own_low`, `share_own_high` (near the arm's); `trials` (all finished ones). Null where no trial is
        complete: in the study, or in the arm.
    """
    done = finished(trials)
    objective = numbers(done["objective"])
    done = done.assign(score=np.where((done["state"] == "complete") & np.isfinite(objective), objective, np.nan))
    own = done.groupby(_ARM)["score"].transform("min")
    near = {"share": done["score"].min(), "share_own": own}
    done = done.assign(**{name: done["score"] <= best * (1 + delta) for name, best in near.items()})
    table = done.groupby(_ARM).agg(
        share=("share", "sum"), share_own=("share_own", "sum"), own=("score", "count"), trials=("number", "size")
    )
    found: dict[str, Array] = {}
    for name, complete in (("share", table["own"].sum()), ("share_own", table["own"])):
        share = _exact(numbers(table[name]), numbers(table["trials"]), level)
        found |= {name + end: np.where(complete > 0, each, np.nan) for end, each in share.items()}
    return pd.DataFrame(found | {"trials": table["trials"]}, index=table.index).reset_index()


def _exact(near: Array, trials: Array, level: float) -> dict[str, Array]:
    """A share and its exact interval, by the ends of the columns' names."""
    tail = (1 - level) / 2
    low = betaincinv(np.maximum(near, 1), trials - near + 1, tail)
    high = betaincinv(near + 1, np.maximum(trials - near, 1), 1 - tail)
    return {"": near / trials, "_low": np.where(near > 0, low, 0.0), "_high": np.where(near < trials, high, 1.0)}
