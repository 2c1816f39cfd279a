"""Figures of how the best configurations train: losses and rates, epoch by epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sweep.results.plots import look

if TYPE_CHECKING:
    from sweep.results.answer import Answer

_TOP = 10  # trials
_RANGE = (0.1, 0.9)  # quantiles of the seeds
_EFFECTIVE = {"low": "effective_rate_25", "mean": "effective_rate_50", "high": "effective_rate_75"}


def learning_curves(answer: Answer) -> go.Figure | None:
    """Learning curves of the best configurations.

    Above, the validation loss of the best configuration of each leading arm, epoch by epoch; below, its learning rate.
    Both axes are logarithmic. With several trainings of it: their mean and the range from the 10th to the 90th
    percentile.
    """
    trained = _trained(answer)
    if not trained:
        return None
    figure = look.figure("epoch", "validation loss", height=560)
    lower = {**figure.layout.yaxis.to_plotly_json(), "title": {"text": "learning rate"}, "domain": [0.0, 0.3]}
    figure.update_layout(xaxis={"anchor": "y2"}, yaxis={"domain": [0.36, 1.0]}, yaxis2=lower)
    places = look.places(answer)
    found = {arm: _over_seeds(curves, "validation_loss") for arm, curves in trained.items()}
    rates = {arm: _over_seeds(curves, "learning_rate") for arm, curves in trained.items()}
    for drawn, axis in ((found, "y"), (rates, "y2")):
        for arm, rows in drawn.items():
            figure.add_traces(_drawn(arm, rows[rows["mean"] > 0], places[arm], axis))
        look.log(figure, f"yaxis{axis[1:]}", pd.concat(drawn.values()))
    return look.tell(figure, _ends(found, "validation loss"), _diverged(answer))


def schedules(answer: Answer) -> go.Figure | None:
    """Schedules of the best configurations.

    The learning rate over time as a share of the base rate, for the best configuration of each leading arm: when its
    schedule acts, and how much is left at the end. A flat line is a schedule that never acted, or a constant one.
    """
    trained = _trained(answer)
    if not trained:
        return None
    figure = look.figure("epoch", "learning rate / base rate")
    figure.update_yaxes(rangemode="tozero", tickformat=".0%")
    places, found = look.places(answer), {}
    for arm, curves in trained.items():
        share = curves.assign(share=curves["learning_rate"] / curves["base"])
        found[arm] = rows = _over_seeds(share, "share")
        figure.add_traces(_drawn(arm, rows, places[arm], "y"))
    return look.tell(figure, _ends(found, "share of the base rate"))


def effective_rates(answer: Answer) -> go.Figure | None:
    """Effective rates.

    What a gradient is multiplied with in the end, for the best configuration of each leading arm: the median over the
    network's parameters, and their middle half (parameters whose gradient is always 0 have rate / epsilon, far above).
    An adaptive optimizer has a schedule of its own in it: AdaGrad's rates only fall, a cache started at 0 makes the
    first ones large.
    """
    trained = _trained(answer, needs=_EFFECTIVE["mean"])
    if not trained:
        return None
    figure = look.figure("epoch", "effective rate (log scale)", height=460)
    places, found = look.places(answer), {}
    for arm, curves in trained.items():
        rows = curves.groupby("epoch")[list(_EFFECTIVE.values())].median()
        found[arm] = rows = rows.set_axis(list(_EFFECTIVE), axis=1)
        figure.add_traces(_drawn(arm, rows[(rows > 0).all(axis=1)], places[arm], "y"))
    look.log(figure, "yaxis", pd.concat(found.values()))
    return look.tell(figure, _ends(found, "median effective rate"))


def _trained(answer: Answer, needs: str = "validation_loss") -> dict[str, pd.DataFrame]:
    """The curves of what represents each leading arm: on the fresh seeds if it was judged, else from the search.

    With its learning rate as `base`. Without rows that have no finite number in the column that it `needs`; arms of
    which nothing is left are left out.
    """
    found = _of_finalists(answer) or _of_trials(answer)
    kept = {arm: rows[np.isfinite(rows[needs].to_numpy(float))] for arm, rows in found.items() if needs in rows}
    order = sorted(kept, key=look.places(answer).__getitem__)
    return {arm: kept[arm] for arm in order if len(kept[arm])}


def _of_finalists(answer: Answer) -> dict[str, pd.DataFrame]:
    """The curves of the arms' representatives, by arm; nothing before they are known."""
    if answer.choice is None:
        return {}
    keys = ["optimizer", "schedule", "kind"]
    rates = answer.judged.groupby(keys)["learning_rate"].first().rename("base")
    groups = dict(list(answer.judged_curves.merge(rates, on=keys).groupby(keys)))
    wanted = {(arm.optimizer, arm.schedule, kind): str(arm) for arm, kind in answer.choice.representatives.items()}
    return {arm: groups[key] for key, arm in wanted.items() if key in groups}


def _of_trials(answer: Answer) -> dict[str, pd.DataFrame]:
    """The curves of the leading arms' best trials, by arm."""
    base = answer.trials[["number", "learning_rate"]].rename(columns={"learning_rate": "base"})
    groups = dict(list(answer.curves.merge(base, on="number").groupby("number")))
    return {str(arm): groups[number] for arm, number in answer.leading.items() if number in groups}


def _over_seeds(curves: pd.DataFrame, column: str) -> pd.DataFrame:
    """Mean and range over the trainings, by epoch: `mean`, `low`, `high`."""
    groups = curves.groupby("epoch")[column]
    low, high = (groups.quantile(each) for each in _RANGE)
    return pd.DataFrame({"mean": groups.mean(), "low": low, "high": high})


def _drawn(arm: str, rows: pd.DataFrame, place: int, axis: str) -> list[go.Scatter]:
    """A curve with its range; in the figure's upper part it has the legend's entry."""
    own: dict[str, Any] = {"legendgroup": arm, "visible": look.shown(place, look.BANDED), "yaxis": axis}
    traces = []
    if (rows["high"] > rows["low"]).any():
        traces.append(look.band(rows.index, rows["low"], rows["high"], place, 0.14, **own))
    traces.append(
        go.Scatter(
            x=look.numbers(rows.index), y=look.numbers(rows["mean"]), mode="lines", name=arm,
            line=look.line(place, shape="vh" if _stairs(rows["mean"]) else "linear"),
            hovertemplate=f"{arm}<br>epoch %{{x}}: %{{y:.4g}}<extra></extra>", showlegend=axis == "y", **own,
        )
    )  # fmt: skip
    return traces


def _stairs(curve: pd.Series) -> bool:
    """Whether a curve mostly stays as it is: then it is a staircase. A rate is that of its epoch's last update."""
    steps = curve.diff().iloc[1:]
    return len(steps) > 0 and bool((steps == 0).mean() > 1 / 3)


def _ends(found: dict[str, pd.DataFrame], name: str) -> pd.DataFrame:
    """The curves in a few numbers."""
    rows = [
        (arm, *(curve["mean"].iloc[place] for place in (0, len(curve) // 2, -1)), curve["mean"].min())
        for arm, curve in found.items()
    ]
    ends = [f"{name} {when}" for when in ("at the start", "half-way", "at the end")]
    return pd.DataFrame(rows, columns=["arm", *ends, "lowest"])


def _diverged(answer: Answer) -> str:
    """Which arms have seeds whose curves end early."""
    rows = answer.judged[answer.judged["state"] == "diverged"]
    counts = rows.groupby(["optimizer", "schedule", "kind"]).size().to_dict()
    kinds = {} if answer.choice is None else answer.choice.representatives
    found = {arm: counts.get((arm.optimizer, arm.schedule, kind), 0) for arm, kind in kinds.items()}
    if not any(found.values()):
        return ""
    listed = ", ".join(f"{arm} ({count})" for arm, count in found.items() if count)
    return f"Seeds that diverged, and whose curves end early: {listed}."


def top_curves(answer: Answer) -> go.Figure | None:
    """Curves of the best trials.

    The objective of the best trials of the search, epoch by epoch, in the colours of their arms.
    """
    complete = answer.trials[answer.trials["state"] == "complete"]
    best = complete.sort_values(["objective", "number"]).head(_TOP)
    objective = answer.spec.study.objective
    curves = answer.curves[answer.curves["number"].isin(best["number"])]
    if curves.empty:
        return None
    figure = look.figure("epoch", objective.replace("_", " "))
    places = look.places(answer)
    means = curves.groupby(["number", "epoch"])[objective].mean()
    if look.scale(means) == "log":
        look.log(figure, "yaxis", means)
    for row in best.to_dict("records"):
        number, arm = row["number"], f"{row['optimizer']} x {row['schedule']}"
        if number in means:
            curve, name = means.loc[number], f"{number}: {arm}"
            hover = f"trial {name}<br>epoch %{{x}}: %{{y:.4g}}<extra></extra>"
            x, y = look.numbers(curve.index), look.numbers(curve)
            line = look.line(places[arm], width=1.6)
            figure.add_trace(go.Scatter(x=x, y=y, mode="lines", name=name, line=line, hovertemplate=hover))
    return figure
