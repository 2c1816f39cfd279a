"""What is said of an answer in more than one place: numbers as text, the state, what a verdict rests on, the tables."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sweep.learning.configuration import Configuration, dotted
from sweep.learning.data.tables.told import lines
from sweep.learning.hyper import telling
from sweep.results.answer import LEADER, Answer
from sweep.results.numbers import NOTHING, interval, missing, number, p_value, spread
from sweep.results.statistics import summaries
from sweep.results.statistics.verdicts import LEVEL, MOST_SEEDS, Interval, Verdict
from sweep.search.running.loop import total_trials

STATES = ("complete", "diverged", "pruned", "failed", "running")
WORDS = {
    LEADER: "the leader", "better": "the leader is better", "equivalent": "equivalent", "undecided": "undecided",
    "worse": "the leader is worse",
}  # fmt: skip


# --------------------------------------------------------------------------------------------------- state and verdict


def plain(name: str) -> str:
    """A column's name as words."""
    return name.replace("_", " ")


def state(answer: Answer) -> str:
    """How far the study is: ``512 of 512 trials: 480 complete, 32 diverged``."""
    counts = answer.trials["state"].value_counts()
    listed = ", ".join(f"{counts[each]} {each}" for each in STATES if each in counts)
    return f"{len(summaries.finished(answer.trials))} of {total_trials(answer.spec)} trials: {listed or 'none yet'}"


def headline(answer: Answer) -> str:
    """The verdict in one sentence, or why there is none."""
    return answer.verdict.sentence() if answer.verdict else f"No verdict: {answer.why_no_verdict}."


def basis(answer: Answer) -> list[tuple[str, str]]:
    """What the verdict rests on: a label and a sentence each; empty without a verdict."""
    verdict, tested = answer.verdict, bool(answer.spec.data.test)
    if verdict is None:
        return []
    judged = (
        f"One configuration of each of {len(verdict.scores)} arms, tuned or default, trained again on {verdict.seeds} "
        f"fresh seeds, the same ones for all, by the mean {plain(answer.score)}; smaller is better"
    )
    chosen = "By fresh validation parts: the leader, and who represents an arm; the test part has no say in it"
    share = f"{100 * answer.spec.verdict.delta:g} %"
    delta = f"A difference below {number(verdict.delta)} ({share} of the leader's score) counts as none"
    opened = f"Opened for {answer.opened} configurations so far, defaults included; the search never reads it"
    if not tested:
        opened = "The study has none: scores are those on fresh validation parts"
    split = "the split into training and validation part" if tested else "the split"
    covered = (
        f"{100 * LEVEL:g} %, BCa bootstrap over the seeds. They cover what differs between seeds: the initial weights, "
        f"minibatches and {split}. They do not cover another test part, other data, or another search, which may lead "
        "to other configurations"
    )
    p = "Of the sign-flip test of the paired differences, corrected for all pairs of arms (Holm)"
    found = {
        "Judged": judged,
        "Chosen": chosen if tested else "",
        "Delta": delta,
        "Optimism": _optimism(answer, verdict, tested),
        "Test part": opened,
    }
    found |= {"Intervals": covered, "p-values": p if verdict.against else ""}
    return [(label, said) for label, said in found.items() if said]


def _optimism(answer: Answer, verdict: Verdict, tested: bool) -> str:
    """How the score of what is recommended compares with what the search had seen of it."""
    if answer.optimism is None or answer.choice is None:
        return ""
    part = "on the test part" if tested else "on fresh validation parts"
    leads = verdict.scores[answer.choice.recommended].mean
    difference = spread(answer.optimism, sign=True)
    return (
        f"The search saw {number(leads - answer.optimism.mean)} of what is recommended on its validation parts; {part} "
        f"it has {number(leads)}, the mean of {verdict.seeds} seeds: a difference of {difference}"
    )


# ---------------------------------------------------------------------------------------------------------- the tables


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, its interval if it has one, and what it is sorted by (None: last)."""

    text: str
    ends: str = ""
    key: float | str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table to be shown: titles, whether each column is of numbers, and the rows."""

    titles: list[str]
    numeric: list[bool]
    rows: list[list[Cell]]


def arms_table(answer: Answer, most: int | None = None) -> Table:
    """The arms, those judged first; columns in which nothing is known are left out."""
    columns = {
        "arm": "arm",
        "score": plain(answer.score),
        "difference": "behind the leader",
        "verdict": "verdict",
        "p": "p",
        "gain": "gain over the default",
        "objective": f"{plain(answer.spec.study.objective)} in the search",
        "trials": "trials",
        "diverged": "diverged",
    }
    frame = answer.arms
    kept = [name for name in columns if name in frame and frame[name].notna().any()]
    rows = [
        [_cell(name, row) for name in kept]
        for row in frame.head(len(frame) if most is None else most).to_dict("records")
    ]
    return Table([columns[name] for name in kept], [name not in ("arm", "verdict") for name in kept], rows)


def _cell(name: str, row: Mapping[Any, Any]) -> Cell:
    value = row[name]
    if missing(value):
        return Cell(NOTHING)
    if name == "verdict":
        return Cell(WORDS[value], _more_seeds(row["more_seeds"]), list(WORDS).index(value))
    if name == "p":
        return Cell(p_value(value), key=float(value))
    if f"{name}_low" in row:
        mean, ends = interval(value, row[f"{name}_low"], row[f"{name}_high"], sign=name in ("difference", "gain"))
        return Cell(mean, ends, float(value))
    return Cell(value, key=value) if isinstance(value, str) else Cell(number(value), key=float(value))


def _more_seeds(count: Any) -> str:
    if missing(count):
        return ""
    return f"{MOST_SEEDS} or more seeds needed" if count >= MOST_SEEDS else f"about {count} more seeds"


def tuning_table(answer: Answer) -> pd.DataFrame:
    """The median of the best of k trials with its 95 % band, as text: an arm a row, k = 1, 2, 4, ... the columns."""
    order = [str(arm) for arm in answer.arms["arm"]]
    curves = sorted(answer.tuning.items(), key=lambda item: order.index(str(item[0])))
    most = max((len(curve.k) for _, curve in curves), default=0)
    powers = [2**power for power in range(most.bit_length())]
    rows: list[dict[str, str]] = []
    for arm, curve in curves:
        low, high = curve.bands[max(curve.bands)]
        row = {"arm": str(arm)}
        for k in powers:
            at = k - 1
            row[f"k = {k}"] = _median(curve.median[at], low[at], high[at]) if k <= len(curve.k) else NOTHING
        rows.append(row)
    return pd.DataFrame(rows, columns=["arm", *(f"k = {k}" for k in powers)])


def _median(median: float, low: float, high: float) -> str:
    """A median with its band, which may be open to one side."""
    if low > 0 and math.isfinite(high):
        return spread(Interval(median, low, high))
    if math.isfinite(high):
        return f"{number(median)} (at most {number(high)})"
    return f"{number(median)} (at least {number(low)})" if low > 0 else f"{number(median)} (any)"


def best_so_far(answer: Answer) -> pd.DataFrame:
    """The trials that were the best when they were finished: `number`, `objective`, `arm`."""
    complete = answer.trials[answer.trials["state"] == "complete"]
    steps = complete[complete["objective"] < complete["objective"].cummin().shift(fill_value=math.inf)]
    return steps.assign(arm=steps["optimizer"] + " x " + steps["schedule"])[["number", "objective", "arm"]]


# --------------------------------------------------------------------------------- the configuration, and how to repeat


def constants(configuration: Configuration) -> dict[str, float]:
    """A configuration's learning rate and constants, without the knobs left at their neutral value."""
    found = {"learning_rate": configuration.learning_rate}
    for prefix, rule in (("optimizer", configuration.optimizer), ("schedule", configuration.schedule)):
        for name, value in telling(rule).items():
            found |= dotted(f"{prefix}.{name}", value)
    return found


def command(answer: Answer, verb: str, *rest: str) -> str:
    """A command on this run, to be pasted into a shell."""
    name = answer.spec.study.name
    where = name if answer.folder == Path("runs") / name else str(answer.folder)
    return shlex.join(["python", "-m", "sweep", verb, where, *rest])


def recipe(answer: Answer) -> list[tuple[str, str]]:
    """What the run was made with: a name and a text each; the plain entries of a group stand in one text."""
    made = {key: _without(value, "understood") for key, value in answer.recipe.items()}
    plain_ones = {key: value for key, value in made.items() if not isinstance(value, Mapping)}
    groups = [(plain(key), value) for key, value in made.items() if isinstance(value, Mapping)]
    return [*((plain(key), _listed(value)) for key, value in plain_ones.items()), *_groups(groups)]


def data(answer: Answer) -> list[tuple[str, str]]:
    """What was understood of the data: a label and a sentence each."""
    return lines(answer.understood) if answer.understood else []


def _without(value: Any, name: str) -> Any:
    return {key: each for key, each in value.items() if key != name} if isinstance(value, Mapping) else value


def _groups(groups: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, str]]:
    for name, group in groups:
        inner = [(f"{name}: {plain(key)}", value) for key, value in group.items() if isinstance(value, Mapping)]
        rest = [f"{plain(key)} {_listed(value)}" for key, value in group.items() if not isinstance(value, Mapping)]
        if rest:
            yield name, "; ".join(rest)
        yield from _groups(inner)


def _listed(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return NOTHING if missing(value) else str(value)
