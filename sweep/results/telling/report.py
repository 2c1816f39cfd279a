"""The report of a run folder: ``report.html``, a page that needs nothing else, and ``report.md`` for a pull request."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

import sweep
from sweep.errors import unwritable
from sweep.results import sentences, wording
from sweep.results.answer import Answer
from sweep.results.numbers import number
from sweep.results.plots import PLOTS, look, words
from sweep.results.tables.files import replacing
from sweep.results.telling import note

HTML, MARKDOWN = "report.html", "report.md"
SHOWN_ARMS = 12  # rows of the arms' table that are shown at first


def write(answer: Answer, now: datetime | None = None) -> Path:
    """Write both files into the run folder.

    Parameters
    ----------
    answer : Answer
    now : datetime, optional
        When this is, with its time zone; by default the time it is.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    SweepError
        They cannot be written.
    """
    when = (now or datetime.now(UTC)).astimezone(UTC)
    for name, text in ((HTML, page(answer, when)), (MARKDOWN, markdown(answer, when))):
        path = answer.folder / name
        try:
            with replacing(path) as beside:
                beside.write_text(text, encoding="utf-8")
        except OSError as error:
            raise unwritable(path, error) from error
    return answer.folder / HTML


# ------------------------------------------------------------------------------------------------------------ the page


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure as the page has it: its words, its data for the script, and its numbers for whoever cannot see it."""

    name: str
    title: str
    caption: str
    json: Markup
    columns: list[str]
    rows: list[list[str]]


def drawn(name: str, figure: go.Figure) -> Drawn:
    """Take a figure apart for the page."""
    title, caption = words(PLOTS[name])
    meta: Mapping[str, Any] = figure.layout.meta or {}
    if meta.get("note"):
        caption = f"{caption} {meta['note']}".strip()
    table = meta.get("table") or {"columns": [], "rows": []}
    rows = [[cell if isinstance(cell, str) else number(cell) for cell in row] for row in table["rows"]]
    figure.layout.meta = None
    return Drawn(name, title, caption, _script(figure.to_json(validate=False)), list(table["columns"]), rows)


def _script(text: str) -> Markup:
    """JSON that no parser of HTML takes for the end of its script element, or for anything else."""
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def page(answer: Answer, when: datetime) -> str:
    """The page as text."""
    figures = [drawn(name, figure) for name, plot in PLOTS.items() if (figure := plot(answer)) is not None]
    trial = _trial(answer)
    page: str = (
        _environment()
        .get_template("report.html")
        .render(
            answer=answer,
            study=answer.spec.study,
            when=f"{when:%Y-%m-%d %H:%M} UTC",
            version=sweep.__version__,
            state=wording.state(answer),
            headline=wording.headline(answer),
            basis=wording.basis(answer),
            trial=trial,
            recommended=sentences.recommended(answer) if answer.recommendation else "",
            paid=sentences.paid(answer),
            beside=sentences.beside(answer),
            why=[f"{said}." for said in (sentences.why(answer), sentences.divergence(answer)) if said],
            constants=sentences.settings(answer),
            commands=_commands(answer, trial),
            arms=wording.arms_table(answer),
            shown_arms=SHOWN_ARMS,
            figures=figures,
            not_drawn=answer.why_no_tuning,
            data=wording.data(answer),
            recipe=wording.recipe(answer),
            study_file=study_file(answer),
            tones=_script(json.dumps(look.dark_tones())),
            style=Markup(_source("report.css")),
            script=Markup(_source("report.js")),
            plotly=Markup(get_plotlyjs()),
        )
    )
    return page


@functools.cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("sweep.results.telling"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip


def _source(name: str) -> str:
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _trial(answer: Answer) -> int | None:
    """The number of the trial to use; None also if no trial had what is recommended."""
    return None if answer.chosen is None or pd.isna(answer.chosen["number"]) else int(answer.chosen["number"])


def _commands(answer: Answer, trial: int | None) -> list[tuple[str, str]]:
    """What to do with the result: words and a command each."""
    if answer.chosen is None:
        return []
    again = [] if trial is None else [("train it again", wording.command(answer, "rerun", str(trial)))]
    return [
        *again,
        ("keep it as a scikit-learn estimator", wording.command(answer, "fit", "-o", "model.joblib")),
        ("in PyTorch, Keras, Optax", wording.command(answer, "show")),
    ]


def study_file(answer: Answer) -> str:
    """The resolved study as it stands in the run folder."""
    path = answer.folder / "study.toml"
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


# -------------------------------------------------------------------------------------------------------- the Markdown


def markdown(answer: Answer, when: datetime) -> str:
    """The report for a pull request: no figures, no HTML, short."""
    study, parts = answer.spec.study, [f"# {note.escaped(answer.spec.study.name)}"]
    if study.question:
        parts.append(note.escaped(study.question))
    parts += [note.recommended(answer)]
    parts += [f"**{note.escaped(wording.headline(answer))}**", f"{wording.state(answer)}."]
    parts += ["\n".join(f"- {label}: {note.escaped(said)}." for label, said in wording.basis(answer))]
    if data := wording.data(answer):
        parts += ["\n".join(f"- {label}: {note.escaped(said)}" for label, said in data)]
    if arms := note.arms(answer, SHOWN_ARMS):
        parts += ["## Arms", arms]
    if findings := note.findings(answer):
        parts += ["## Findings", findings]
    parts += ["## Tuning", _tuning(answer), "## Reproduce", _reproduce(answer, when)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _tuning(answer: Answer) -> str:
    if not answer.tuning:
        return f"No tuning curves: {note.escaped(answer.why_no_tuning)}."
    table = wording.tuning_table(answer)
    left = len(table) - SHOWN_ARMS
    rows = table.head(SHOWN_ARMS).to_numpy().tolist()
    said = f"Best {wording.plain(answer.spec.study.objective)} of k trials: median with its 95 % band."
    grid = note.grid(list(table), [name != "arm" for name in table], rows)
    return f"{said}\n\n{grid}" + (f"\n\nand {left} more arms" if left > 0 else "")


def _reproduce(answer: Answer, when: datetime) -> str:
    """The commands and what the run was made with."""
    trial = _trial(answer)
    lines = [f"python -m sweep run {answer.folder / 'study.toml'} --runs again"]
    lines += [command for said, command in _commands(answer, trial) if said == "train it again"]
    recipe = [entry for entry in wording.recipe(answer) if entry[0] != "fresh seeds"]  # they follow from the seed
    made = [f"- {name}: {note.escaped(text)}" for name, text in recipe]
    found = ["```bash\n" + "\n".join(lines) + "\n```", "\n".join(made), f"Written {when:%Y-%m-%d %H:%M} UTC."]
    return "\n\n".join(part for part in found if part)
