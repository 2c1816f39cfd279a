"""The figure of `python -m sweep verify --plot`, and how a figure is written to a file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from sweep.errors import UsageError
from sweep.parity.comparing import Comparison
from sweep.results.tables.files import replacing

COLUMNS = 5
THEIRS, OURS = "#b9c0c8", "#c2410c"


def losses(comparisons: Sequence[Comparison]) -> go.Figure:
    """Loss per iteration of every training compared: theirs wide and grey, ours thin upon it."""
    drawn = [(comparison, comparison.curves) for comparison in comparisons if comparison.curves is not None]
    rows = max(1, math.ceil(len(drawn) / COLUMNS))
    titles = [_title(comparison) for comparison, _ in drawn]
    space = 0.42 / rows
    figure = make_subplots(
        rows=rows, cols=COLUMNS, subplot_titles=titles, vertical_spacing=space, horizontal_spacing=0.04
    )
    for place, (_, curves) in enumerate(drawn):
        cell = {"row": place // COLUMNS + 1, "col": place % COLUMNS + 1}
        for name, values, line in zip(("theirs", "ours"), reversed(curves), _lines(), strict=True):
            x = list(range(1, len(values) + 1))
            figure.add_trace(go.Scatter(x=x, y=values, name=name, line=line), **cell)
    figure.update_annotations(font_size=11)
    figure.update_xaxes(tickfont_size=9, gridcolor="#eee")
    figure.update_yaxes(tickfont_size=9, gridcolor="#eee")
    figure.update_layout(
        title="Loss per iteration: theirs wide and grey, ours thin upon it; the number: largest relative difference",
        title_font_size=15,
        showlegend=False,
        height=120 + 175 * rows,
        width=1300,
        plot_bgcolor="white",
        margin={"l": 40, "r": 20, "t": 110, "b": 30},
    )
    return figure


def _lines() -> tuple[dict[str, Any], dict[str, Any]]:
    return {"color": THEIRS, "width": 5}, {"color": OURS, "width": 1.2}


def _title(comparison: Comparison) -> str:
    verdict = f"{comparison.worst:.0e}" if comparison.passed else f"<b>{comparison.worst:.0e} FAILED</b>"
    bits = "" if comparison.dtype == "float64" else " f4"
    return f"{comparison.library} {comparison.setting}{bits}: {verdict}"


def check(file: Path) -> None:
    """Raise `UsageError` unless a figure can be written to a file of this name: before the work is done."""
    if file.suffix not in (".html", ".png", ".svg", ".pdf"):
        raise UsageError(f"{file}: must end in .html, .png, .svg or .pdf")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"{file}: cannot be written: there is no folder {file.parent}: choose another place")


def save(figure: go.Figure, file: Path) -> None:
    """Write a figure: ``.html``, one self-contained page; or ``.png``, ``.svg``, ``.pdf``, with the package kaleido.

    Raises
    ------
    UsageError
        Another ending, or what is needed for it is not there.
    """
    check(file)
    try:
        with replacing(file) as beside:
            if file.suffix == ".html":
                figure.write_html(beside, include_plotlyjs=True, full_html=True)
            else:
                figure.write_image(beside)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror or error}: choose another place") from error
    except (ValueError, RuntimeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(
            f"{file}: pictures need the package kaleido and Chrome (pip install kaleido), or take .html: {reason}"
        ) from error
