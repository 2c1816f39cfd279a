"""What the Optuna dashboard shows of a study besides its trials: a note in Markdown, and a few figures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sweep.results import sentences, wording
from sweep.results.answer import Answer

if TYPE_CHECKING:
    import plotly.graph_objects as go

MOST_ARMS = 8
MOST_FINDINGS = 6
MOST_SIGNS = 3_900  # a note is kept in one cell of a database


def text(answer: Answer) -> str:
    """The note: recommendation, question, state, verdict, arms, findings, how to open the report; plain Markdown."""
    spec = answer.spec
    parts = [
        recommended(answer),
        escaped(spec.study.question)[:600] if spec.study.question else "",
        wording.state(answer) + ".",
        f"**{escaped(wording.headline(answer))}**",
        arms(answer, MOST_ARMS),
        findings(answer, MOST_FINDINGS),
        f"The report, with figures and all numbers: `{wording.command(answer, 'report', '--open')}`",
    ]
    return cut([part for part in parts if part], MOST_SIGNS)


def recommended(answer: Answer) -> str:
    """What to use and whether tuning has paid; first, why that is not the best trial of the dashboard."""
    if answer.recommendation is None:
        return ""
    said = [sentences.of_the_dashboard(answer), sentences.recommended(answer).rstrip("."), sentences.paid(answer)]
    first, use, paid = (escaped(each) for each in said)
    beside = [
        f"- {escaped(name)} is worse by {escaped(difference)}: {word}"
        for name, difference, word in sentences.beside(answer)
    ]
    lead = f"**{use}.**" + (f" {first}." if first else "")
    return "\n".join([lead, paid, "", *beside])


def cut(parts: Sequence[str], most: int) -> str:
    """The parts as paragraphs; while they are too long, the longest but one line is left out of the longest part."""
    kept = [part.splitlines() for part in parts]
    while sum(len(line.encode()) + 1 for lines in kept for line in [*lines, ""]) > most:
        longest = max(kept, key=lambda lines: sum(map(len, lines)))
        if len(longest) < 2:
            longest[0] = longest[0][: len(longest[0]) // 2] + " ..."
        else:
            longest.pop()
    return "\n\n".join("\n".join(lines) for lines in kept) + "\n"


def escaped(text: str) -> str:
    r"""Text in which Markdown sees nothing but text, in one line.

    >>> escaped("a <b> | *c*")
    'a \\<b\\> \\| \\*c\\*'
    """
    return re.sub(r"([\\`*\[\]<>|#~$&])", r"\\\1", " ".join(text.split()))


def grid(titles: Sequence[str], numeric: Sequence[bool], rows: Iterable[Sequence[str]]) -> str:
    """A table in GitHub's Markdown, numbers to the right."""
    lines = [titles, ["---:" if right else "---" for right in numeric]]
    lines += [[escaped(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def arms(answer: Answer, most: int) -> str:
    """The leading arms with their intervals, and how many more there are."""
    table = wording.arms_table(answer, most)
    if not table.rows:
        return ""
    rows = [[f"{cell.text} ({cell.ends})" if cell.ends else cell.text for cell in row] for row in table.rows]
    left = len(answer.arms) - len(rows)
    more = f"\n\nand {left} more {'arm' if left == 1 else 'arms'}" if left else ""
    return grid(table.titles, table.numeric, rows) + more


def findings(answer: Answer, most: int | None = None) -> str:
    """The findings as a list."""
    found = answer.findings[:most]
    return "\n".join(f"- **{escaped(each.evidence)}**: {escaped(each.advice)}" for each in found)


def figures(answer: Answer) -> dict[str, go.Figure]:
    """At most three small figures: the best trials' curves, how the search went or what tuning costs, the scores."""
    from sweep.results.plots import PLOTS, words
    from sweep.results.plots.training import top_curves

    second = "tuning-curves" if answer.tuning else "history"
    chosen = {"top-curves": top_curves, second: PLOTS[second], "scores": PLOTS["scores"]}
    drawn = {name: (plot(answer), words(plot)[0]) for name, plot in chosen.items()}
    return {name: _for_the_dashboard(figure, title) for name, (figure, title) in drawn.items() if figure is not None}


def _for_the_dashboard(figure: go.Figure, title: str) -> go.Figure:
    """The figure with its title, and its legend below: the dashboard shows a card half a window wide, and no words."""
    figure.update_layout(
        meta=None,
        title={"text": title, "x": 0.02, "font": {"size": 16}},
        margin={"t": 48},
        legend={"orientation": "h", "x": 0, "y": -0.3, "yanchor": "top"},
        height=480,
    )
    hidden = [trace for trace in figure.data if trace.visible == "legendonly"]
    if len(hidden) > 3 * MOST_ARMS:  # it is kept as text among the study's attributes
        figure.data = [trace for trace in figure.data if trace.visible != "legendonly"]
    return figure
