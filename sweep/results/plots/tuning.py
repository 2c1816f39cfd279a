"""Figures of what tuning costs: the best score after k trials, and which arm has it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from sweep.results import wording
from sweep.results.plots import look

if TYPE_CHECKING:
    import pandas as pd

    from sweep.learning.hyper import Array
    from sweep.results.answer import Answer
    from sweep.results.statistics.tuning_curves import TuningCurve

_SHOWN = 3  # arms at first: each has two bands, and one over the other they would hide the curves
_POINTS = 48  # of a curve: more than a screen shows on a logarithmic axis
_ALPHAS = (0.11, 0.05)  # of the bands, the narrow one first


def tuning_curves(answer: Answer) -> go.Figure | None:
    """Tuning curves.

    The median of the best objective that k random configurations of an arm give, with its 80 % band (stronger) and its
    95 % band: they hold for all k at once, whatever the law of the scores. Where two curves cross, the budget decides
    between the arms. A band that leaves the figure is not bounded by so few trials.
    """
    if not answer.tuning:
        return None
    objective = answer.spec.study.objective.replace("_", " ")
    figure = look.figure("trials k (log scale)", f"median best {objective}", height=460)
    look.log(figure, "xaxis", [1, max(len(curve.k) for curve in answer.tuning.values())])
    places = look.places(answer)
    curves = sorted(answer.tuning.items(), key=lambda item: places[str(item[0])])
    limits = _limits([curve for _, curve in curves[:_SHOWN]])
    log = look.scale(limits) == "log"
    figure.add_traces([trace for arm, curve in curves for trace in _arm(str(arm), curve, places[str(arm)], limits)])
    if log:
        look.log(figure, "yaxis", limits)
    figure.update_yaxes(range=list(np.log10(limits) if log else limits))
    return look.tell(figure, wording.tuning_table(answer))


def _limits(curves: list[TuningCurve]) -> Array:
    """From where to where the vertical axis goes: a little beyond the medians."""
    medians = np.concatenate([curve.median for curve in curves])
    low, high = float(medians.min()), float(medians.max())
    if look.scale(medians) == "log":
        return np.array([low / 1.3, high * 1.3])
    margin = 0.2 * (high - low) or 0.1 * abs(high) or 1.0
    return np.array([low - margin, high + margin])


def _arm(name: str, curve: TuningCurve, place: int, limits: Array) -> list[go.Scatter]:
    """An arm's bands, the wide one first, and its median."""
    most = len(curve.k)
    at = np.unique(np.geomspace(1, most, min(most, _POINTS)).round().astype(int)) - 1
    own: dict[str, Any] = {"legendgroup": name, "visible": look.shown(place, _SHOWN)}
    traces = []
    for level, alpha in sorted(zip(sorted(curve.bands), _ALPHAS, strict=False), reverse=True):
        low, high = (each[at] for each in curve.bands[level])
        # Neither 0 nor infinity can be drawn: a band that goes there ends well outside of the figure.
        low, high = np.where(low > 0, low, limits[0] / 10), np.where(np.isfinite(high), high, limits[1] * 10)
        traces.append(look.band(curve.k[at], low, high, place, alpha, **own))
    hover = f"{name}<br>best of %{{x}}: %{{y:.4g}}<extra></extra>"
    k, median = look.numbers(curve.k[at]), look.numbers(curve.median[at])
    drawn = {"x": k, "y": median, "name": name, "mode": "lines" if len(at) > 1 else "markers"}
    return [*traces, go.Scatter(**drawn, line=look.line(place), hovertemplate=hover, **own)]


def probability_best(answer: Answer) -> go.Figure | None:
    """Probability of being the best after k trials.

    How probable it is that k trials of an arm find a lower objective than k trials of any other arm, with a 95 %
    interval (approximate). At each k the probabilities of all arms sum to 1. The figure ends at half of the trials
    that an arm has: beyond, nearly all of them are drawn each time, and the interval says little.
    """
    table = answer.probability
    if table["arm"].nunique() < 2:
        return None
    figure = look.figure("trials k of each arm (log scale)", "probability of the lowest objective")
    most = int(table["k"].max())
    look.log(figure, "xaxis", [1, most])
    figure.update_xaxes(range=[-0.01 * math.log10(most), 1.01 * math.log10(most)] if most > 1 else None)
    figure.update_yaxes(range=[-0.02, 1.02], tickformat=".0%")
    places = look.places(answer)
    reached = table.groupby("arm")["probability"].max().sort_values(ascending=False, kind="stable")
    first = set(reached.index[: look.BANDED])
    by_arm = dict(iter(table.groupby("arm")))
    drawn = [(arm, by_arm[arm], place, arm in first) for arm, place in places.items() if arm in by_arm]
    figure.add_traces([trace for each in drawn for trace in _probability(*each)])
    wide = table.pivot_table(index="arm", columns="k", values="probability").loc[reached.index].round(3)
    wide.columns = [f"after {k}" for k in wide.columns]
    return look.tell(figure, wide.reset_index())


def _probability(arm: str, rows: pd.DataFrame, place: int, shown: bool) -> list[go.Scatter]:
    own: dict[str, Any] = {"legendgroup": arm, "visible": True if shown else "legendonly"}
    hover = f"{arm}<br>after %{{x}}: %{{y:.1%}}<extra></extra>"
    k, probability = look.numbers(rows["k"]), look.numbers(rows["probability"])
    line = go.Scatter(
        x=k, y=probability, name=arm, mode="lines+markers", line=look.line(place), hovertemplate=hover, **own
    )
    return [look.band(rows["k"], rows["low"], rows["high"], place, 0.12, **own), line]
