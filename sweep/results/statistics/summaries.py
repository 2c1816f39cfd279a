"""From the tables to what a reader wants to know: the best trial, the arms, and the findings.

A *finding* is a warning as data: its kind, the evidence and the advice. They are made here and rendered elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweep.learning.hyper import Array, Range
from sweep.results.statistics.verdicts import Verdict
from sweep.search.space.space import Arm, Space

EDGE = 0.02  # of a range (of its logarithm, where searched so): a best value within that of an end counts as at the end
MANY_DIVERGED = 0.2  # of the finished trials
STATES_FINISHED = ("complete", "diverged", "pruned", "failed")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a reader should know before believing the result."""

    kind: str
    evidence: str
    advice: str


def finished(trials: pd.DataFrame) -> pd.DataFrame:
    """The trials that are not running."""
    return trials[trials["state"].isin(STATES_FINISHED)]


def numbers(column: pd.Series) -> Array:
    """A column as float64, NaN where it is null."""
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))


def best_trial(trials: pd.DataFrame) -> pd.Series | None:
    """The complete trial with the smallest objective (the earliest of equals), or None if there is none."""
    complete = trials[trials["state"] == "complete"]
    if complete.empty:
        return None
    return complete.loc[complete["objective"].idxmin()]


def arms(trials: pd.DataFrame) -> pd.DataFrame:
    """One row an arm, best first: how many trials it had, how many diverged, and its best trial.

    Columns: `optimizer`, `schedule`, `trials`, `diverged`, `objective`, `validation_error`, `learning_rate`, `number`;
    the last four are null for an arm without a complete trial.
    """
    done = finished(trials)
    keys = ["optimizer", "schedule"]
    counted = done.assign(diverged=(done["state"] == "diverged").astype(int))
    counts = counted.groupby(keys).agg(trials=("number", "size"), diverged=("diverged", "sum"))
    complete = done[done["state"] == "complete"]
    rows = complete.loc[complete.groupby(keys)["objective"].idxmin()]
    shown = rows[[*keys, "objective", "validation_error", "learning_rate", "number"]].set_index(keys)
    table = counts.join(shown).reset_index().astype({"number": "Int64"})
    return table.sort_values(["objective", "optimizer", "schedule"], ignore_index=True)


def share_saved(trials: pd.DataFrame, epochs: int) -> float:
    """The share of epochs that pruning saved, of all that the finished trials would have been trained without it."""
    done = finished(trials)
    saved = epochs * (done["state"] == "pruned").sum() - done.loc[done["state"] == "pruned", "epochs"].sum()
    spent = done["epochs"].sum()
    return float(saved / (spent + saved)) if saved else 0.0


def findings(
    trials: pd.DataFrame,
    curves: pd.DataFrame,
    space: Space,
    chosen: pd.Series | None = None,
    what: str = "the best trial",
) -> list[Finding]:
    """Everything worth a warning: of the trials, and of the row that is to be used, which is called `what`.

    Left out, it is the best trial.
    """
    found = [*_diverged(trials), *_failed(trials)]
    if chosen is None:
        chosen = best_trial(trials)
    if chosen is not None and not pd.isna(chosen["number"]):
        found += [*_at_edge(chosen, space, what), *_never_fired(chosen, curves, space, what)]
    return found


def ties(trials: pd.DataFrame, tie: float) -> list[Finding]:
    """Where several trials have the lowest objective there is, or one below what their validation samples can tell."""
    complete = trials.loc[trials["state"] == "complete", "objective"]
    alike = int((complete <= max(tie, complete.min())).sum()) if len(complete) else 0
    if alike < 2:
        return []
    evidence = (
        f"{alike} trials tie: their validation samples cannot tell objectives below {max(tie, complete.min()):.2g}"
    )
    return [Finding("ties", evidence, "fresh splits decide between them: enlarge validation under [data], or splits")]


def _diverged(trials: pd.DataFrame) -> Iterator[Finding]:
    done = finished(trials)
    bad = done[done["state"] == "diverged"]
    if len(bad) <= MANY_DIVERGED * len(done):
        return
    alive = done[done["state"] == "complete"]["learning_rate"]
    advice = "lower the high end of search.learning_rate"
    if len(alive):
        advice += f"; half of the trials that trained had a rate below {alive.median():.2g}"
    share = 100 * len(bad) / len(done)
    yield Finding("many diverged", f"{len(bad)} of {len(done)} trials diverged ({share:.0f} %)", advice)


def _failed(trials: pd.DataFrame) -> Iterator[Finding]:
    failed = trials.loc[trials["state"] == "failed", "number"].tolist()
    if failed:
        evidence = f"{len(failed)} trials failed, for their workers died: {', '.join(map(str, failed[:5]))}"
        yield Finding("failed", evidence + (", ..." if len(failed) > 5 else ""), "use fewer --workers: memory ran out")


def _at_edge(best: pd.Series, space: Space, what: str) -> Iterator[Finding]:
    """Choi et al. 2019: an optimum at the edge of its range was not found, only bounded."""
    arm = Arm(best["optimizer"], best["schedule"])
    for name, search in space.entries(arm).items():
        if not isinstance(search, Range):
            continue
        kind, _, field = name.partition(".")
        column = name if not field else f"{'optimizer' if kind == arm.optimizer else 'schedule'}.{field}"
        value = float(best[column])
        place = _place(value, search)
        if min(place, 1 - place) > EDGE:
            continue
        side, bound = ("low", search.low) if place < 0.5 else ("high", search.high)
        key = "search.learning_rate" if not field else f"search.{column.split('.')[0]}.{name}"
        evidence = f"{what}'s {name} = {value:.4g} lies at the {side} end of its range ({bound:.4g})"
        yield Finding("best at the edge", evidence, f"widen {key}: the best value may lie beyond")


def _place(value: float, search: Range) -> float:
    """Where a value lies in its range: 0 at the low end, 1 at the high end."""
    if search.log:
        return math.log(value / search.low) / math.log(search.high / search.low)
    return (value - search.low) / (search.high - search.low)


def _never_fired(best: pd.Series, curves: pd.DataFrame, space: Space, what: str) -> Iterator[Finding]:
    rates = curves.loc[curves["number"] == best["number"], "learning_rate"]
    if space.kind(best["schedule"]) != "constant" and len(rates) > 1 and rates.nunique() == 1:
        yield Finding(
            "schedule never fired",
            f"{what}'s {best['schedule']} schedule left the rate as it was in all {best['epochs']} epochs",
            "do not credit the schedule: compare with constant, or narrow its constants so that it acts",
        )


def judged_in_part(verdict: Verdict, seeds: int) -> Iterator[Finding]:
    """Where not all of the fresh seeds have been trained."""
    if verdict.seeds < seeds:
        evidence = f"the verdict rests on {verdict.seeds} of {seeds} fresh seeds"
        yield Finding("judged in part", evidence, "run the study again: it goes on with the others")


def not_told_apart(verdict: Verdict) -> Iterator[Finding]:
    """Where the differences are smaller than what matters, or than the noise between seeds."""
    for word, evidence, advice in (
        ("equivalent", "is no better than {}, by any amount that matters", "take the one with the fewest constants"),
        ("undecided", "is not told apart from {} by {} seeds", "raise seeds under [verdict]"),
    ):
        same = [str(each.arm) for each in verdict.against if each.word == word]
        if same:
            names = ", ".join(same[:3]) + (f" and {len(same) - 3} more" if len(same) > 3 else "")
            yield Finding("not told apart", f"{verdict.leader} {evidence.format(names, verdict.seeds)}", advice)
