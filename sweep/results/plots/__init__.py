"""Figures: one function a plot, and the table of them at the end.

A plot is a function from an answer to a plotly figure, or to None where there is nothing to draw. The first line of its
docstring is its title in the report, the rest its caption: what is seen, and how to read it. To add one: write the
function here (or in a file beside) and put it in `PLOTS`. Nothing else. `look` has the colours, which are the same for
an arm in all figures, and the axes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from sweep.results.plots.finalists import scores
from sweep.results.plots.parity import check, losses, save
from sweep.results.plots.training import effective_rates, learning_curves, schedules
from sweep.results.plots.trials import history, importance, learning_rates, sensitivity
from sweep.results.plots.tuning import probability_best, tuning_curves

if TYPE_CHECKING:
    from sweep.results.answer import Answer

Plot = Callable[["Answer"], go.Figure | None]


def words(plot: Plot) -> tuple[str, str]:
    """A plot's title and caption, from its docstring."""
    title, _, rest = (inspect.getdoc(plot) or str(getattr(plot, "__name__", ""))).partition("\n\n")
    return " ".join(title.split()).rstrip("."), " ".join(rest.partition("\n\n")[0].split())


PLOTS: Mapping[str, Plot] = {
    "scores": scores,
    "tuning-curves": tuning_curves,
    "probability-best": probability_best,
    "learning-curves": learning_curves,
    "learning-rates": learning_rates,
    "importance": importance,
    "sensitivity": sensitivity,
    "schedules": schedules,
    "effective-rates": effective_rates,
    "history": history,
}

__all__ = ["PLOTS", "Plot", "check", "losses", "save", "words"]
