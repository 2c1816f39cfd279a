"""The figure of the finalists' scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sweep.results.answer import LEADER
from sweep.results.plots import look
from sweep.results.wording import WORDS

if TYPE_CHECKING:
    from sweep.results.answer import Answer
    from sweep.results.statistics.verdicts import Verdict
    from sweep.search.space.space import Arm

# What stands for each word of the verdict: a place among the colours (None: grey) and the form of a marker.
_LOOKS: dict[str, tuple[int | None, str]] = {
    LEADER: (0, "diamond"), "equivalent": (2, "circle"), "undecided": (None, "circle-open"), "better": (1, "square"),
    "worse": (3, "triangle-left"),
}  # fmt: skip
_BELOW = 0.27  # of a row, by which the single seeds lie below the mean


def scores(answer: Answer) -> go.Figure | None:
    """Scores of the finalists.

    The mean over the fresh seeds with its 95 % interval for each arm that was judged, the leader on top; below each
    mean, faint, the single seeds. Smaller is better. Seeds are paired, so two intervals may overlap although the
    difference is clear: the colour says what the paired differences say.
    """
    verdict = answer.verdict
    if verdict is None:
        return None
    words = {verdict.leader: LEADER} | {each.arm: str(each.word) for each in verdict.against}
    name = answer.score.replace("_", " ")
    figure = look.figure(
        f"{name}, mean of {verdict.seeds} seeds", "", legend={"orientation": "h", "y": 1, "yanchor": "bottom"}
    )
    arms = list(verdict.scores)
    for word, (place, symbol) in _LOOKS.items():
        group = [arm for arm in arms if words[arm] == word]
        if group:
            ink = look.grey if place is None else lambda alpha=1.0, place=place: look.colour(place, alpha)
            rows = np.array([-arms.index(arm) for arm in group])
            figure.add_traces(_group(answer, verdict, group, rows, {"ink": ink, "said": WORDS[word], "symbol": symbol}))
    look.rows(figure, [str(arm) for arm in arms], row=40)
    every = np.concatenate(list(answer.scores.values()))
    if look.scale(every) == "log":
        look.log(figure, "xaxis", every)
    return look.tell(figure, _table(verdict, words, name))


def _group(answer: Answer, verdict: Verdict, arms: list[Arm], rows: Any, style: dict[str, Any]) -> list[go.Scatter]:
    """Means with intervals, and single seeds, of the arms with one word."""
    found, ink = [verdict.scores[arm] for arm in arms], style["ink"]()
    mean = np.array([each.mean for each in found])
    reach = {
        "type": "data", "symmetric": False, "thickness": 2, "width": 5, "color": ink,
        "array": [each.high - each.mean for each in found], "arrayminus": [each.mean - each.low for each in found],
    }  # fmt: skip
    seeds = np.concatenate([answer.scores[arm] for arm in arms])
    return [
        go.Scatter(
            x=look.numbers(seeds), y=look.numbers(np.repeat(rows - _BELOW, verdict.seeds)), mode="markers",
            marker={"size": 5, "color": style["ink"](0.35)}, hoverinfo="x", showlegend=False,
            legendgroup=style["said"],
        ),
        go.Scatter(
            x=mean, y=rows, error_x=reach, mode="markers", name=style["said"], legendgroup=style["said"],
            marker={"size": 10, "symbol": style["symbol"], "color": ink, "line": {"width": 2, "color": ink}},
            text=[str(arm) for arm in arms], hovertemplate="%{text}: %{x:.4g}<extra></extra>",
        ),
    ]  # fmt: skip


def _table(verdict: Verdict, words: dict[Arm, str], name: str) -> pd.DataFrame:
    rows = [(str(arm), found.mean, found.low, found.high, WORDS[words[arm]]) for arm, found in verdict.scores.items()]
    return pd.DataFrame(rows, columns=["arm", f"mean {name}", "low", "high", "word"])
