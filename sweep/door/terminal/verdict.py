"""The verdict as a person sees it in the terminal, and as data for ``--json``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pandas as pd
from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sweep.results import sentences, wording
from sweep.results.answer import Answer
from sweep.results.numbers import interval, number, spread
from sweep.results.statistics.verdicts import LEVEL, Verdict

MOST_IMPORTANT = 4
STYLES = {"better": "green", "equivalent": "cyan", "undecided": "yellow", "worse": "red"}


def recommended(answer: Answer) -> Iterator[RenderableType]:
    """What to use, how good it is, what it is compared with, and whether tuning has paid; nothing without a verdict."""
    if answer.recommendation is None:
        return
    yield Text(f"\n{sentences.recommended(answer)}", style="bold green")
    yield Text(sentences.paid(answer), style="bold")
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    for name in ("beside", f"is worse by ({wording.plain(answer.score)})", ""):
        table.add_column(name)
    for row in sentences.beside(answer):
        table.add_row(*row)
    yield Padding(table, (0, 0, 0, 2))
    for said in (sentences.why(answer), sentences.divergence(answer)):
        if said:
            yield Padding(Text(f"{said}.", style="dim"), (0, 0, 0, 2))


def recommendation(answer: Answer) -> dict[str, Any] | None:
    """The recommendation as plain data; None while there is none."""
    found = answer.recommendation
    if found is None:
        return None
    return {
        "arm": str(found.arm),
        "kind": found.kind,
        "sentence": sentences.recommended(answer),
        "tuning": found.paid,
        "tuning_sentence": sentences.paid(answer),
        "why": sentences.why(answer),
        "score": asdict(found.score),
        "error": asdict(found.error),
        "beside": {name: asdict(difference) for name, difference in found.beside.items()},
        "best_default": None if found.best_default is None else str(found.best_default),
        "leader": str(found.leader),
        "not_told_apart": [str(arm) for arm in found.alike],
        "diverged": asdict(found.diverged),
        "trainings": found.trainings,
        "settings": sentences.settings(answer),
    }


def shown(answer: Answer) -> Iterator[RenderableType]:
    """The verdict, the arms that were judged, and what it rests on; or why there is none."""
    verdict = answer.verdict
    if verdict is None:
        yield Text(f"\nNo verdict: {answer.why_no_verdict}.")
        return
    yield Text(f"\nVerdict: {verdict.sentence()}", style="bold")
    yield Padding(_table(answer, verdict), (0, 0, 0, 1))
    score = answer.score.replace("_", " ")
    basis = (
        f"Mean {score} of one configuration of each arm, trained again on {verdict.seeds} fresh paired seeds; "
        f"{100 * LEVEL:.0f} % intervals; a difference below {number(verdict.delta)} is none; "
        "~N more: so many seeds more would probably decide it."
    )
    yield Padding(Text(basis, style="dim"), (0, 0, 0, 2))
    if answer.optimism is not None and answer.choice is not None:
        seen = verdict.scores[answer.choice.recommended].mean - answer.optimism.mean
        said = f"The search has seen {number(seen)} of it: {score} is {spread(answer.optimism, sign=True)} beside that."
        yield Padding(Text(said), (0, 0, 0, 2))


def worth(answer: Answer) -> Iterator[RenderableType]:
    """Which hyperparameters mattered most for being among the best tenth of the trials."""
    rows = answer.importance.head(MOST_IMPORTANT).to_dict("records")
    shares = [(row["name"], *interval(row["importance"], row["low"], row["high"])) for row in rows]
    said = [f"{name} {share} ({ends})" for name, share, ends in shares]
    if said:
        yield Text("\nWhat mattered for being among the best tenth (shares)", style="bold")
        yield Padding(Text(", ".join(said)), (0, 0, 0, 2))


def _table(answer: Answer, verdict: Verdict) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), show_edge=False, header_style="dim")
    for name in ("", "mean", "behind the leader", "the leader is"):
        table.add_column(name, no_wrap=name in ("mean", "behind the leader"))
    table.add_row(str(verdict.leader), number(verdict.scores[verdict.leader].mean), "", "")
    for each in verdict.against:
        word = Text(each.sentence(), style=STYLES[each.word])
        table.add_row(str(each.arm), number(verdict.scores[each.arm].mean), spread(each.difference, sign=True), word)
    return table


def data(answer: Answer) -> dict[str, Any]:
    """The verdict as plain data; `sentence` says why, if there is none."""
    verdict = answer.verdict
    if verdict is None:
        return {"leader": None, "sentence": answer.why_no_verdict}
    return {
        "leader": str(verdict.leader),
        "sentence": verdict.sentence(),
        "score": answer.score,
        "seeds": verdict.seeds,
        "delta": verdict.delta,
        "level": LEVEL,
        "configurations_tested": answer.opened,
        "optimism": asdict(answer.optimism) if answer.optimism else None,
        "scores": {str(arm): asdict(found) for arm, found in verdict.scores.items()},
        "gains": {str(arm): asdict(found) for arm, found in answer.gains.items()},
        "against": [{**asdict(each), "arm": str(each.arm), "sentence": each.sentence()} for each in verdict.against],
    }


def tuning(answer: Answer) -> dict[str, Any]:
    """Tuning curves and the probability of being best as plain data; `reason` says why there are none."""
    curves = {
        str(arm): {
            "k": curve.k.tolist(),
            "median": curve.median.tolist(),
            "bands": {f"{level:g}": [_finite(low), _finite(high)] for level, (low, high) in curve.bands.items()},
        }
        for arm, curve in answer.tuning.items()
    }
    best = [{**row, "arm": str(row["arm"])} for row in answer.probability.to_dict("records")]
    return {"reason": answer.why_no_tuning, "curves": curves, "best_after": best}


def _finite(values: Any) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def importance(answer: Answer) -> list[dict[str, Any]]:
    """How much each hyperparameter matters, most first."""
    frame: pd.DataFrame = answer.importance
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]
