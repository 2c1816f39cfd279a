"""How the figures look, and what goes with a figure in words.

Eight hues, in two tones: one for white paper, one for a dark page. In either, any two are at least 0.088 apart in
OKLab, also as seen with protanopia, deuteranopia or tritanopia (the six of Okabe and Ito 2008: 0.076), and all have a
contrast of 3 and more to the page. Beyond eight arms the dashes of the lines change.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from sweep.learning.hyper import Array

if TYPE_CHECKING:
    from sweep.results.answer import Answer

Rgb = tuple[int, int, int]

LIGHT: tuple[Rgb, ...] = (
    (25, 51, 135), (219, 124, 55), (76, 162, 139), (103, 28, 65), (140, 107, 8), (31, 110, 131), (177, 120, 242),
    (159, 3, 15),
)  # fmt: skip
DARK: tuple[Rgb, ...] = (
    (99, 129, 202), (244, 158, 113), (92, 230, 191), (173, 113, 132), (237, 227, 104), (112, 192, 204),
    (189, 146, 254), (247, 91, 45),
)  # fmt: skip
GREY_LIGHT, GREY_DARK = (107, 114, 128), (148, 156, 168)
GRID, TEXT, PAPER = "rgb(226,229,233)", "rgb(31,35,40)", "rgb(255,255,255)"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
SHOWN = 6  # arms that a figure shows at first; the others are switched on in its legend
BANDED = 4  # the same, where each has a band
HEIGHT = 400
_FEW_DECADES, _MANY_DECADES = 0.8, 3.0
WIDE_RANGE = 20.0  # a quotient of the largest by the smallest value, above which an axis is logarithmic


def colour(place: int, alpha: float = 1.0) -> str:
    """The colour of the arm at this place; see `places`."""
    return _css(LIGHT[place % len(LIGHT)], alpha)


def grey(alpha: float = 1.0) -> str:
    """The colour of what is no arm."""
    return _css(GREY_LIGHT, alpha)


def _css(rgb: Rgb, alpha: float) -> str:
    numbers = ",".join(map(str, rgb))
    return f"rgb({numbers})" if alpha == 1 else f"rgba({numbers},{alpha:g})"


def line(place: int, **more: Any) -> dict[str, Any]:
    """The line of the arm at this place."""
    return {"color": colour(place), "dash": DASHES[place // len(LIGHT) % len(DASHES)], "width": 2} | more


def places(answer: Answer) -> dict[str, int]:
    """Each arm's place in the order of `Answer.arms`: what its colour follows from, the same in all figures."""
    return {str(arm): place for place, arm in enumerate(answer.arms["arm"])}


def shown(place: int, most: int = SHOWN) -> bool | str:
    """Whether an arm is to be seen at first."""
    return True if place < most else "legendonly"


def numbers(values: Any) -> Array:
    """Numbers for a figure: single precision is more than a screen shows, and half as long in the file."""
    return np.asarray(values, dtype=np.float32)


def scale(values: Any) -> str:
    """``log`` where positive values differ much, else ``linear``."""
    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found)]
    if not found.size or found.min() <= 0:
        return "linear"
    return "log" if found.max() / found.min() > WIDE_RANGE else "linear"


def figure(x: str, y: str, *, height: int = HEIGHT, **layout: Any) -> go.Figure:
    """An empty figure with the titles of its axes."""
    found = go.Figure(layout={  # at once: in several steps it takes ten times as long
        "template": go.layout.Template(),  # plotly's own is longer than most of these figures
        "height": height,
        "margin": {"l": 64, "r": 16, "t": 16, "b": 52},
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": TEXT},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "hovermode": "closest",
        "legend": {"font": {"size": 12}, "groupclick": "togglegroup"},
        "xaxis": {"title": {"text": x}, **_axis()},
        "yaxis": {"title": {"text": y}, **_axis()},
    })  # fmt: skip
    return found.update_layout(**layout) if layout else found


def _axis() -> dict[str, Any]:
    return {"gridcolor": GRID, "zeroline": False, "automargin": True, "ticks": "outside", "tickcolor": GRID}


def log(figure: go.Figure, axis: str, values: Any) -> None:
    """Make an axis logarithmic, with ticks at 1, 2 and 5 of each decade, or at each decade where there are many."""
    figure.update_layout({axis: {"type": "log"}})
    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found) & (found > 0)]
    low, high = np.log10([found.min(), found.max()]) if found.size else (0.0, 0.0)
    if high - low < _FEW_DECADES:
        return  # plotly's own are fine there
    digits = (1, 2, 5) if high - low < _MANY_DECADES else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1, 1 + int(high - low) // 10)
    ticks = [digit * 10.0**power for power in powers for digit in digits]
    figure.update_layout({axis: {"tickvals": ticks, "ticktext": [f"{tick:.6g}" for tick in ticks]}})


def rows(figure: go.Figure, names: Sequence[str], row: int = 26) -> None:
    """Make the vertical axis one row a name, the first on top; the places are 0, -1, -2, ..."""
    figure.update_yaxes(
        tickvals=[-place for place in range(len(names))],
        ticktext=list(names),
        range=[0.6 - len(names), 0.6],
        fixedrange=True,
        showgrid=False,
        ticks="",
        title=None,
    )
    figure.update_layout(height=88 + row * len(names))


def band(x: Any, low: Any, high: Any, place: int, alpha: float = 0.15, **more: Any) -> go.Scatter:
    """The area between two curves; it belongs to the legend's entry of the arm at this place."""
    return go.Scatter(
        x=numbers(np.concatenate([x, np.asarray(x)[::-1]])),
        y=numbers(np.concatenate([low, np.asarray(high)[::-1]])),
        fill="toself",
        fillcolor=colour(place, alpha),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        **more,
    )


def tell(figure: go.Figure, table: pd.DataFrame | None = None, note: str = "") -> go.Figure:
    """Give a figure its numbers as a table, for whoever cannot see it, and a note on what it leaves out."""
    meta: dict[str, Any] = {"note": note} if note else {}
    if table is not None:
        meta["table"] = {"columns": list(table.columns), "rows": table.astype(object).to_numpy().tolist()}
    figure.layout.meta = meta or None
    return figure


@functools.cache
def dark_tones() -> dict[str, str]:
    """What each colour is on a dark page: red, green and blue as they stand in a figure, to the same."""
    pairs = [*zip(LIGHT, DARK, strict=True), (GREY_LIGHT, GREY_DARK)]
    return {",".join(map(str, light)): ",".join(map(str, dark)) for light, dark in pairs}
