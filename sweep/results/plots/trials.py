"""Figures of all trials of the search: where good learning rates lie, what matters, how the search went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sweep.results import wording
from sweep.results.plots import look
from sweep.results.statistics import summaries

if TYPE_CHECKING:
    from sweep.learning.hyper import Array
    from sweep.results.answer import Answer

_CELLS = 160  # to each side of a figure: two trials of an arm in one cell cannot be told apart
_MOST_ROWS = 16
_STATES = {"complete": "circle", "pruned": "circle-open", "diverged": "x-thin-open"}


def learning_rates(answer: Answer) -> go.Figure | None:
    """Learning rate and objective.

    Every finished trial: a valley says where an arm's good rates lie, its width how forgiving they are. Crosses have
    diverged (they are told a bad but finite objective), rings were pruned (the objective when they were stopped). Both
    axes are logarithmic.
    """
    done = summaries.finished(answer.trials)
    done = done[done["objective"].notna() & (done["learning_rate"] > 0)]
    if done.empty:
        return None
    log = bool((done["objective"] > 0).all())
    figure = look.figure("learning rate", answer.spec.study.objective.replace("_", " "), height=480)
    look.log(figure, "xaxis", done["learning_rate"])
    if log:
        look.log(figure, "yaxis", done["objective"])
    rates = np.log(done["learning_rate"].to_numpy(float))
    thin = _thinned(done, rates, log, by=["optimizer", "schedule", "state"])
    arms = dict(iter(thin.groupby(thin["optimizer"] + " x " + thin["schedule"])))
    traces = []
    for arm, place in look.places(answer).items():
        states = dict(iter(arms[arm].groupby("state"))) if arm in arms else {}
        drawn = [_points(arm, states[state], place, symbol) for state, symbol in _STATES.items() if state in states]
        for trace in drawn[1:]:
            trace.showlegend = False
        traces += drawn
    figure.add_traces(traces)
    left = len(done) - len(thin)
    note = f"{left} of {len(done)} trials lie on others of their arm and are not drawn." if left else ""
    return look.tell(figure, _best_rates(answer), note)


def _thinned(done: pd.DataFrame, x: Array, log: bool, by: Sequence[str] = ()) -> pd.DataFrame:
    """One trial, the best, of each cell of the figure and each kind."""
    objective = done["objective"].to_numpy(float)
    cells = {"x": _cell(x), "y": _cell(np.log(objective) if log else objective)}
    keys = pd.DataFrame(cells, index=done.index).join(done[["objective", *by]]).sort_values("objective", kind="stable")
    first = keys.drop(columns="objective").drop_duplicates().index
    return done.loc[done.index.isin(first)]


def _cell(values: Array) -> Array:
    low, width = values.min(), np.ptp(values) or 1.0
    return np.asarray(np.floor((values - low) / width * _CELLS))


def _points(arm: str, rows: pd.DataFrame, place: int, symbol: str) -> go.Scatter:
    line = {"width": 1.3} if symbol != "circle" else {"width": 0}
    return go.Scatter(
        x=look.numbers(rows["learning_rate"]), y=look.numbers(rows["objective"]),
        customdata=rows["number"].to_numpy(np.int32), mode="markers", name=arm, legendgroup=arm,
        marker={"color": look.colour(place), "symbol": symbol, "size": 6, "opacity": 0.75, "line": line},
        hovertemplate=f"trial %{{customdata}}, {arm}<br>rate %{{x:.3g}}: %{{y:.4g}}<extra></extra>",
        visible=look.shown(place),
    )  # fmt: skip


def _best_rates(answer: Answer) -> pd.DataFrame:
    columns = {"arm": "arm", "learning_rate": "best trial's learning rate", "objective": "its objective"}
    return answer.arms[list(columns)].rename(columns=columns)


def importance(answer: Answer) -> go.Figure | None:
    """Importance of the hyperparameters.

    How much each hyperparameter decides whether a trial is among the best tenth, as shares that sum to 1, with 95 %
    intervals (a bootstrap over the trials; too narrow if a sampler chose them). A constant of an optimizer or a
    schedule is judged among the trials that have it.
    """
    table = answer.importance
    if table.empty:
        return None
    shown = table.head(_MOST_ROWS)
    figure = look.figure("importance", "")
    figure.add_trace(_with_intervals(shown["name"], shown[["importance", "low", "high"]], "%{x:.1%}"))
    look.rows(figure, shown["name"].tolist())
    figure.update_xaxes(tickformat=".0%", range=[-0.02, 1.02 * shown["high"].max()])
    note = f"{len(table) - len(shown)} less important ones are in the table." if len(table) > len(shown) else ""
    return look.tell(figure, table.rename(columns={"name": "hyperparameter"}), note)


def sensitivity(answer: Answer) -> go.Figure | None:
    """Sensitivity to the learning rate.

    What a badly chosen learning rate costs: the mean objective over three decades of rates around the best one, less
    the best objective, with 95 % intervals. Smaller is more forgiving; the constants vary, too, as they did in the
    search.
    """
    table = answer.arms
    if "sensitivity" not in table or table["sensitivity"].isna().all():
        return None
    columns = ["sensitivity", "sensitivity_low", "sensitivity_high"]
    known = table[table["sensitivity"].notna()]
    shown = known.head(_MOST_ROWS)
    figure = look.figure(f"{answer.spec.study.objective.replace('_', ' ')} lost", "")
    figure.add_trace(_with_intervals(shown["arm"], shown[columns], "%{x:.4g}", [look.colour(p) for p in shown.index]))
    look.rows(figure, shown["arm"].tolist())
    highest = 1.02 * shown["sensitivity_high"].fillna(shown["sensitivity"]).max()
    figure.update_xaxes(range=[-0.015 * highest, highest] if highest > 0 else None)
    more = len(known) - len(shown)
    note = f"The leading {len(shown)} arms; {more} more are in the table." if more else ""
    names = {"sensitivity_low": "low", "sensitivity_high": "high"}
    return look.tell(figure, known[["arm", *columns]].rename(columns=names), note)


def _with_intervals(names: pd.Series, found: pd.DataFrame, form: str, colours: list[str] | None = None) -> go.Scatter:
    """A dot a row with its interval, from the columns mean, low and high."""
    mean, low, high = (found[column].to_numpy(float) for column in found)
    ink = colours or look.colour(0)
    return go.Scatter(
        x=mean, y=-np.arange(len(found)), mode="markers", marker={"size": 9, "color": ink}, showlegend=False,
        error_x={
            "type": "data", "symmetric": False, "array": high - mean, "arrayminus": mean - low, "thickness": 1.6,
            "width": 4, "color": look.grey(),
        },
        text=names.tolist(), hovertemplate=f"%{{text}}: {form}<extra></extra>",
    )  # fmt: skip


def history(answer: Answer) -> go.Figure | None:
    """History of the search.

    The lowest objective found so far against the trial's number, and, faint, the single trials. A line that still
    falls at the right end says that more trials may pay.
    """
    done = summaries.finished(answer.trials).dropna(subset="objective")
    complete = done[done["state"] == "complete"]
    if answer.spec.study.mode != "optimize" or complete.empty:
        return None
    objective = answer.spec.study.objective.replace("_", " ")
    figure = look.figure("trial", objective)
    log = bool((done["objective"] > 0).all())
    if log:
        look.log(figure, "yaxis", done["objective"])
    last = done["number"].max()
    figure.update_xaxes(range=[-0.01 * last - 0.5, 1.01 * last + 0.5])
    dots = _thinned(done, done["number"].to_numpy(float), log)
    hover = "trial %{x}: %{y:.4g}<extra></extra>"
    figure.add_trace(
        go.Scatter(
            x=look.numbers(dots["number"]), y=look.numbers(dots["objective"]), mode="markers", name="single trials",
            marker={"color": look.grey(0.4), "size": 4}, hovertemplate=hover,
        )
    )  # fmt: skip
    steps = wording.best_so_far(answer)
    # The last step goes on to the last trial.
    x = look.numbers([*steps["number"], last])
    y = look.numbers([*steps["objective"], steps["objective"].min()])
    line = look.line(0, shape="hv")
    figure.add_trace(go.Scatter(x=x, y=y, mode="lines", name="lowest so far", line=line, hovertemplate=hover))
    return look.tell(figure, steps[["number", "objective", "arm"]].rename(columns={"number": "trial"}))
