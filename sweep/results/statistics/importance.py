"""Which hyperparameters decide whether a trial is among the best tenth: PED-ANOVA.

Watanabe et al. 2023 (arXiv 2304.10255), with conditional hyperparameters (Conditional PED-ANOVA, 2026, arXiv
2601.20800, theorem 4.2), to the last digits as in `optuna.importance.get_param_importances`. Computed here, for all
resamples at once: Optuna needs 0.7 s for 10,000 trials with 37 hyperparameters, and longer to be given them; 400
resamples take a third of a second here. So all trials are resampled, however many they are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import ndtr

from sweep.learning.hyper import Array, Choices, Range, Search
from sweep.results.statistics.summaries import numbers
from sweep.search.space.space import Space

BEST = 0.1  # of the trials: importance is about getting into these
FEWEST_RANKED = 20  # trials with an importance: two of them are the best tenth
STEPS = 50  # into which a range is cut, as in Optuna
RESAMPLES = 400
_MOST_COUNTS = 2_000_000  # of trials in resamples at once: 16 MB
_NARROWEST = 0.5 / 1.64  # cells: the least width of a kernel, as in Optuna


def importance(
    trials: pd.DataFrame, space: Space, *, resamples: int = RESAMPLES, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """How much each hyperparameter decides whether a trial is among the best tenth, most important first.

    The importance of a hyperparameter is the Pearson divergence between its density among the best tenth and among all
    trials; of a conditional one, among the trials that have it. Importances are shares: they sum to 1, also where
    nothing matters, and then only the width of the intervals tells. Complete and diverged trials count (a diverged one
    has a bad, finite objective); what was pruned was not trained to the end and is left out.

    The interval tells how far another study with as many trials might differ. It is a bootstrap over trials: the middle
    `level` of the deviations of the resamples from their median, put around the importance, all on the scale of
    arcsin(sqrt(share)), where the spread hardly depends on the share. Plain percentiles fail: a divergence is never
    negative, so noise adds to it, and resampling adds once more; of a strong hyperparameter's share they covered 65 %
    and often left out the importance itself, these 88 % and more (200 to 1000 trials, nominal 95 %). Where a sampler
    learns, trials are not independent, and the intervals are too narrow.

    Parameters
    ----------
    trials : DataFrame
        The table `trials`.
    space : Space
        What the study searches.
    resamples, seed : int
    level : float
        The confidence level.

    Returns
    -------
    DataFrame
        `name` (as Optuna has it: ``learning_rate``, ``rmsprop.decay``), `importance`, `low`, `high`. Hyperparameters
        with a single value, or that no trial has, are left out. No rows if there are fewer than `FEWEST_RANKED` such
        trials, or ties keep a best tenth from being told from the rest.
    """
    known = trials[trials["state"].isin(("complete", "diverged")) & np.isfinite(numbers(trials["objective"]))]
    known = known.sort_values(["objective", "number"])
    losses, scales = numbers(known["objective"]), _scales(known, space)
    columns = ["name", "importance", "low", "high"]
    count = len(losses)
    if count < FEWEST_RANKED or losses[_best(count) - 1] == losses[-1] or not scales:
        return pd.DataFrame(columns=columns).astype(dict.fromkeys(columns[1:], np.float64))
    cells = _incidence(scales)
    point = _shares(np.ones((1, count)), losses, scales, cells)[0]
    random = np.random.default_rng(seed)
    rows = max(1, _MOST_COUNTS // count)
    sizes = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    drawn = [_shares(_resampled(size, count, random), losses, scales, cells) for size in sizes]
    low, high = _around(point, np.concatenate(drawn), level)
    table = pd.DataFrame(dict(zip(columns, ([s.name for s in scales], point, low, high), strict=True)))
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


@dataclass(frozen=True, slots=True)
class _Scale:
    """A hyperparameter cut into `size` cells; the cell of each trial, -1 in one that has no such hyperparameter."""

    name: str
    size: int
    cell: Array
    choices: bool


def _scales(trials: pd.DataFrame, space: Space) -> list[_Scale]:
    """The scales of all hyperparameters that can vary and that some trial has, in the order of the space."""
    found = [
        _choices_scale(kind, trials[kind].tolist(), list(table))
        for kind, table in (("optimizer", space.optimizers), ("schedule", space.schedules))
    ]
    searches: dict[str, Search] = {}
    for arm in space.arms:
        searches |= space.entries(arm)
    for name, search in searches.items():
        match search:
            case Choices(choices):
                found.append(_choices_scale(name, _values(trials, name, space), choices))
            case Range():
                found.append(_range_scale(name, _values(trials, name, space), search))
    return [scale for scale in found if scale.size > 1 and scale.cell.max(initial=-1) >= 0]


def _values(trials: pd.DataFrame, name: str, space: Space) -> Array:
    """A hyperparameter's value in each trial, by Optuna's name; NaN where the trial has not got it."""
    kind, _, field = name.partition(".")
    if not field:
        return numbers(trials[name])
    role = "optimizer" if kind in space.optimizers else "schedule"
    if f"{role}.{field}" not in trials:
        return np.full(len(trials), np.nan)
    return numbers(trials[f"{role}.{field}"].where(trials[role] == kind))


def _choices_scale(name: str, values: Sequence[Any] | Array, choices: Sequence[Any]) -> _Scale:
    places: Mapping[Any, int] = {choice: place for place, choice in enumerate(choices)}  # true is 1.0: equal as keys
    cell = np.array([places.get(value, -1) for value in values], dtype=np.int64)
    return _Scale(name, len(choices), cell, True)


def _range_scale(name: str, values: Array, search: Range) -> _Scale:
    low, high, size = search.low, search.high, STEPS
    if search.integer and search.log:
        size = min(STEPS, math.ceil(math.log(high - low + 1) / math.log(2)) + 1)
    elif search.integer:
        size = min(STEPS, round(high - low) + 1)
    if size < 2 or low == high:
        return _Scale(name, 1, np.zeros(len(values), dtype=np.int64), False)
    if search.log:
        low, high = math.log(low), math.log(high)
        values = np.log(values, out=np.full(len(values), np.nan), where=values > 0)
    place = np.ceil((values - low) / ((high - low) / (size - 1)) - 0.5)  # what lies between two cells is the lower's
    cell = np.where(np.isfinite(place), np.clip(place, 0, size - 1), -1)
    return _Scale(name, size, cell.astype(np.int64), False)


def _incidence(scales: Sequence[_Scale]) -> Any:
    """Which trial lies in which cell, 0 or 1: a sparse array of shape ``(cells of all scales, trials)``."""
    firsts = np.cumsum([0, *(scale.size for scale in scales)])
    trials = [np.flatnonzero(scale.cell >= 0) for scale in scales]
    rows = np.concatenate([s.cell[t] + first for s, t, first in zip(scales, trials, firsts[:-1], strict=True)])
    shape = (int(firsts[-1]), len(scales[0].cell))
    return sparse.csr_array((np.ones(len(rows)), (rows, np.concatenate(trials))), shape=shape)


def _resampled(resamples: int, trials: int, random: np.random.Generator) -> Array:
    """How often each trial is in each resample, shape ``(resamples, trials)``."""
    drawn = random.integers(trials, size=(resamples, trials)) + trials * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * trials).reshape(resamples, trials).astype(np.float64)


def _best(trials: int) -> int:
    """How many trials are the best tenth."""
    return math.ceil(BEST * trials)


def _shares(counts: Array, losses: Array, scales: Sequence[_Scale], cells: Any) -> Array:
    """The importances in some resamples, shape ``(resamples, scales)``; trials are sorted, the best first.

    Up to a factor that all have in common, ``importance = best_with^2 / all_with * divergence`` (theorem 4.2 of
    Conditional PED-ANOVA), from the numbers of trials with the hyperparameter among the best tenth and among all.
    """
    upto, trials = counts.cumsum(axis=1), counts.shape[1]
    last = (upto < _best(trials)).sum(axis=1)  # the trial with which the best tenth is full; its equals are in
    best = counts * (np.arange(trials) < np.searchsorted(losses, losses[last], side="right")[:, None])
    in_best, in_all = (cells @ best.T).T, (cells @ counts.T).T
    found = np.zeros((len(counts), len(scales)))
    first = 0
    for column, scale in enumerate(scales):
        here = slice(first, first := first + scale.size)
        among_best, among_all = in_best[:, here], in_all[:, here]
        best_with, all_with = among_best.sum(axis=1), among_all.sum(axis=1)
        dense, density = _density(among_best, scale), _density(among_all, scale)
        divergence = (density * (dense / density - 1) ** 2).sum(axis=1)
        found[:, column] = best_with**2 / np.maximum(all_with, 1) * divergence
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0, found / np.where(total > 0, total, 1.0), 1 / len(scales))


def _density(histogram: Array, scale: _Scale) -> Array:
    """Parzen estimates on the cells from histograms, both of shape ``(resamples, cells)``, with a prior of weight 1.

    As in `optuna.importance._ped_anova`, its floor included. Of choices, each kernel leaks to all of them, the less the
    more kernels there are. Of a range, a kernel is a normal distribution about its cell, truncated, cell by cell.
    """
    size, total = scale.size, histogram.sum(axis=1, keepdims=True)
    if scale.choices:
        leak = 1 / ((histogram > 0).sum(axis=1, keepdims=True) + 1)
        kernels, prior = (total * leak + histogram) / (1 + size * leak), np.full(size, 1 / size)
    else:
        edges = ndtr((np.arange(-size, size) + 0.5) / _width(histogram, total))
        inside = (edges[:, size:] - edges[:, :size])[:, ::-1]  # of the kernel about each cell: what the ends leave
        # Row j of the windows is the kernel about cell size - 1 - j: a kernel is the same everywhere but for its place.
        windows = np.lib.stride_tricks.sliding_window_view(np.diff(edges, axis=1), size, axis=1)
        kernels = np.matmul((histogram / inside)[:, None, ::-1], windows)[:, 0]
        wide = np.diff(ndtr((np.arange(size + 1) - size / 2) / size))
        prior = wide / wide.sum()
    return np.asarray((kernels + prior) / (total + 1) + 1e-12)


def _width(histogram: Array, total: Array) -> Array:
    """The width of the kernels in cells, shape ``(resamples, 1)``: Scott's rule (1992)."""
    places, some = np.arange(histogram.shape[1]), np.maximum(total, 1)
    upto = histogram.cumsum(axis=1)
    first = (upto < np.maximum(total // 4, 1)).sum(axis=1, keepdims=True)
    third = (upto <= total * 3 // 4).sum(axis=1, keepdims=True)
    mean = (histogram @ places)[:, None] / some
    variance = (histogram * (places - mean) ** 2).sum(axis=1, keepdims=True) / np.maximum(total - 1, 1)
    scott = 1.059 * np.minimum((third - first) / 1.34, np.sqrt(variance)) * some**-0.2
    return np.asarray(np.maximum(scott, _NARROWEST))


def _around(point: Array, drawn: Array, level: float) -> tuple[Array, Array]:
    """The interval about each share, from the shares in the resamples, shape ``(resamples, scales)``."""

    def angle(share: Array) -> Array:
        return np.asarray(np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))))

    def share(angle: Array) -> Array:
        return np.asarray(np.sin(np.clip(angle, 0.0, np.pi / 2)) ** 2)

    angles = angle(drawn)
    deviations = angles - np.median(angles, axis=0)
    low, high = np.quantile(deviations, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.minimum(share(angle(point) + low), point), np.maximum(share(angle(point) + high), point)
