"""Pruning once more, slowly: plain Python over lists and the rows of the tables, nothing of it from `sweep`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd


def halving(mine: Sequence[float], others: Sequence[float]) -> list[bool]:
    """A trial goes on if fewer than half of all are strictly better."""
    everyone = [*mine, *others]
    return [2 * sum(other < value for other in everyone) < len(everyone) for value in mine]


def median(mine: Sequence[float], others: Sequence[float]) -> list[bool]:
    """A trial goes on if it is not above the median of five or more earlier ones."""
    return [len(others) < 5 or value <= statistics.median(others) for value in mine]


JUDGES: dict[str, Callable[[Sequence[float], Sequence[float]], list[bool]]] = {"halving": halving, "median": median}
SHARES = {"halving": ((1, 3), (2, 3)), "median": ((1, 4), (2, 4), (3, 4))}  # of the training


def rungs(pruner: str, epochs: int) -> list[int]:
    """The shares of the training after which a pruner judges, in whole epochs."""
    found: list[int] = []
    for share, whole in SHARES[pruner]:
        epoch = 0
        while whole * epoch < share * epochs:
            epoch += 1
        if epoch < epochs and epoch not in found:
            found.append(epoch)
    return found


def moves_at(row: Mapping[str, Any]) -> float:
    """When the rate of a trial first moves by the clock, read off its constants."""
    match row["schedule"]:
        case "step":
            return float(row["schedule.every"])
        case "piecewise":
            return float(min(row["schedule.boundaries.1"], row["schedule.boundaries.2"]))
        case "exponential":
            return 0.0
        case "constant" | "plateau":
            return math.inf
    raise AssertionError(f"say when {row['schedule']} moves")


@dataclass
class Verdicts:
    """Of each trial the epoch at which it was pruned; and of each rung who was judged there, and who was let pass."""

    pruned: dict[int, int] = field(default_factory=dict)
    judged: dict[int, list[int]] = field(default_factory=dict)
    passed: dict[int, list[int]] = field(default_factory=dict)


def as_told(curves: pd.DataFrame, objective: str) -> dict[tuple[int, int], float]:
    """The objective of each trial after each epoch: the mean over replicates, at most a quarter above what it was."""
    mean = {key: float(value) for key, value in curves.groupby(["number", "epoch"])[objective].mean().items()}
    return {(number, epoch): min(value, 1.25 * max(mean[number, 0], 1)) for (number, epoch), value in mean.items()}


def verdicts(trials: pd.DataFrame, curves: pd.DataFrame, pruner: str, objective: str, epochs: int) -> Verdicts:
    """Who is pruned when, from the curves of all trials (of a pruned trial they may end where it was pruned)."""
    values = as_told(curves, objective)
    found = Verdicts()
    for rung in rungs(pruner, epochs):
        before: list[float] = []
        for _, generation in trials.groupby("generation"):
            mine: list[int] = []
            for row in generation.to_dict("records"):
                number = row["number"]
                gone = number in found.pruned or (row["state"] == "diverged" and row["diverged_at"] <= rung)
                if gone:
                    continue
                still = rung <= moves_at(row) < math.inf
                (found.passed.setdefault(rung, []) if still else mine).append(number)
            seen = [values[number, rung] for number in mine]
            for number, goes_on in zip(mine, JUDGES[pruner](seen, before), strict=True):
                if not goes_on:
                    found.pruned[number] = rung
            found.judged.setdefault(rung, []).extend(mine)
            before += seen
    return found
