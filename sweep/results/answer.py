"""The answer of a study: everything that is said of it, worked out from its run folder, each part when it is asked for.

The terminal, ``--json``, the report and the dashboard all read it here, so they say the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sweep.errors import UsageError
from sweep.learning.hyper import Array
from sweep.results import judged, statistics, tables, tuning, worth
from sweep.results.probability import probability_best
from sweep.results.statistics import Finding
from sweep.results.tuning import TuningCurve
from sweep.results.verdicts import Interval, Verdict, interval, judge
from sweep.search.space import Arm
from sweep.search.spec import Spec

RECIPE = "recipe.json"
LEADER = "leader"


@dataclass(frozen=True)
class Answer:
    """What a study has found.

    Attributes
    ----------
    folder : Path
        The run folder.
    spec : Spec
    """

    folder: Path
    spec: Spec

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial."""
        return tables.read(self.folder, "trials")

    @cached_property
    def curves(self) -> pd.DataFrame:
        """One row a trial, replicate and epoch."""
        return tables.read(self.folder, "curves")

    @cached_property
    def judged(self) -> pd.DataFrame:
        """The finalists that count now, one row each and seed: the best trial of each leading arm, and its default."""
        every = judged.read(self.folder, "finalists")
        return every[self._current(every)].reset_index(drop=True)

    @cached_property
    def judged_curves(self) -> pd.DataFrame:
        """Their curves, one row each, seed and epoch."""
        every = judged.read(self.folder, "finalist_curves")
        return every[self._current(every)].reset_index(drop=True)

    def _current(self, every: pd.DataFrame) -> pd.Series:
        """Which rows are those of the leading arms' best trials, or of their defaults."""
        best = {(arm.optimizer, arm.schedule): number for arm, number in self.leading.items()}
        number = pd.Series([best.get(pair, -2) for pair in zip(every["optimizer"], every["schedule"], strict=True)])
        number.index = every.index
        known = (every["number"] == number).fillna(False).astype(bool)
        wanted = every["replicate"] < self.spec.verdict.seeds
        return wanted & (known | ((every["kind"] == "default") & (number >= 0)))

    @cached_property
    def leading(self) -> dict[Arm, int]:
        """The arms to be judged, with the number of the best trial of each."""
        return leading(self.trials, self.spec.verdict.arms)

    @cached_property
    def opened(self) -> int:
        """For how many configurations the test part has been opened so far, defaults included."""
        return len(judged.read(self.folder, "finalists").groupby(["optimizer", "schedule", "number"], dropna=False))

    @property
    def score(self) -> str:
        """The name of what is judged: ``test_loss``, ``validation_error``, ..."""
        part = "test" if self.spec.data.test else "validation"
        return self.spec.study.objective.replace("validation", part)

    @cached_property
    def scores(self) -> dict[Arm, Array]:
        """The paired scores of the tuned finalists, each of shape ``(seeds,)``; empty unless all are there."""
        wide = self._paired("tuned")
        return {arm: wide[arm].to_numpy() for arm in wide} if len(wide) > 1 else {}

    def _paired(self, kind: str) -> pd.DataFrame:
        """The scores of all leading arms, a column each, in the replicates in which all have a finite one."""
        rows = self.judged[(self.judged["kind"] == kind) & np.isfinite(self.judged["score"])]
        arms = [Arm(*pair) for pair in zip(rows["optimizer"], rows["schedule"], strict=True)]
        wide = rows.assign(arm=arms).pivot(index="replicate", columns="arm", values="score")
        return wide.reindex(columns=list(self.leading)).dropna()

    @cached_property
    def verdict(self) -> Verdict | None:
        """The verdict, if the finalists have been trained."""
        return judge(self.scores, self.spec.verdict.delta) if self.scores else None

    @property
    def why_no_verdict(self) -> str:
        """Why there is no verdict (yet); empty: there is one."""
        if self.verdict:
            return ""
        if self.spec.verdict.seeds < 2:
            return "the study asks for none: set seeds to 2 or more under [verdict]"
        if not self.leading:
            return "no trial is complete"
        if not np.isfinite(self.judged["score"]).all():
            return "a finalist's score is not a finite number: look for outliers in the data"
        return "the finalists are trained when all trials are done"

    @property
    def chosen(self) -> pd.Series | None:
        """The row of the trial to use: the leader's, if there is a verdict, else the best; None if none is complete."""
        if not self.verdict:
            return statistics.best_trial(self.trials)
        return self.trials[self.trials["number"] == self.leading[self.verdict.leader]].iloc[0]

    @cached_property
    def gains(self) -> dict[Arm, Interval]:
        """What tuning has gained: the score of each arm's default configuration less that of its tuned one."""
        gained = (self._paired("default") - self._paired("tuned")).dropna()
        return {arm: interval(gained[arm].to_numpy()) for arm in gained} if len(gained) > 1 else {}

    @cached_property
    def optimism(self) -> Interval | None:
        """By how much the leader's score is above the objective that the search has seen of it."""
        if not self.verdict:
            return None
        number = self.leading[self.verdict.leader]
        seen = float(self.trials.set_index("number").loc[number, "objective"])
        return self.verdict.scores[self.verdict.leader] - seen

    @cached_property
    def tuning(self) -> dict[Arm, TuningCurve]:
        """The tuning curve of each arm; empty if there is none to be drawn, see `why_no_tuning`."""
        return self._tuning[0]

    @property
    def why_no_tuning(self) -> str:
        """Why there are no tuning curves; empty: there are."""
        return self._tuning[1]

    @cached_property
    def _tuning(self) -> tuple[dict[Arm, TuningCurve], str]:
        if self.spec.study.mode != "compare":
            reason = 'they need independent random configurations: mode = "compare"'
            return {}, reason
        try:
            return tuning.tuning_curves(self.trials), ""
        except UsageError as error:
            return {}, str(error)

    @cached_property
    def probability(self) -> pd.DataFrame:
        """P(arm is best after k trials), see `sweep.results.probability`; empty without tuning curves.

        For k up to half of the trials that every arm has: beyond, nearly all of them are drawn each time.
        """
        if not self.tuning:
            return pd.DataFrame(columns=["arm", "k", "probability", "low", "high"])
        least = max(1, min(len(curve.k) for curve in self.tuning.values()) // 2)
        k = sorted({*(2**power for power in range(least.bit_length()) if 2**power <= least), least})
        return probability_best(tuning.scores_of(self.trials), k)

    @cached_property
    def importance(self) -> pd.DataFrame:
        """How much each hyperparameter matters for being among the best tenth of the trials."""
        return worth.importance(self.trials, self.spec.space())

    @cached_property
    def start(self) -> float:
        """The objective before training, mean over the replicates; NaN while there are no curves."""
        curves = self.curves
        return float(curves.loc[curves["epoch"] == 0, self.spec.study.objective].mean())

    @cached_property
    def arms(self) -> pd.DataFrame:
        """One row an arm: those judged first, by their scores; then the others, by their best objective.

        Besides the columns of `sweep.results.statistics.arms`: `arm`; `verdict` (leader, better, equivalent or
        undecided: of the leader beside it), `more_seeds`, `p`; each with its interval (`_low`, `_high`): `score`,
        `difference` (to the leader's score), `wins` (share of seeds in which the leader is ahead), `gain` (over the
        default), `sensitivity` (to the learning rate), `share` (of the configurations within delta of the best of all)
        and `share_own` (of the best of the arm). Null where it is not known.
        """
        found = statistics.arms(self.trials)
        names = [str(Arm(*pair)) for pair in zip(found["optimizer"], found["schedule"], strict=True)]
        found["arm"] = pd.Series(names, found.index, dtype=str)  # text also where there is none
        keys = ["optimizer", "schedule"]
        sensitivity = worth.sensitivity(self.trials, self.start).rename(
            columns={"low": "sensitivity_low", "high": "sensitivity_high"}
        )
        near = worth.near_best(self.trials, self.spec.verdict.delta)
        for more in (sensitivity, near):
            found = found.merge(more.drop(columns="trials"), on=keys, how="left")
        found = found.merge(self._judged_arms(), on="arm", how="left")
        return found.sort_values(["score", "objective", "arm"], ignore_index=True)

    def _judged_arms(self) -> pd.DataFrame:
        names = ["score", "difference", "wins", "gain"]
        columns = ["arm", "verdict", "more_seeds", "p", *(n + end for n in names for end in ("", "_low", "_high"))]
        rows: list[dict[str, Any]] = []
        if self.verdict:
            rows.append({"arm": str(self.verdict.leader), "verdict": LEADER, **self._intervals(self.verdict.leader)})
            for each in self.verdict.against:
                row = {"arm": str(each.arm), "verdict": each.word, "more_seeds": each.more_seeds, "p": each.p}
                beside = spread("difference", each.difference) | spread("wins", each.wins)
                rows.append({**row, **self._intervals(each.arm), **beside})
        frame = pd.DataFrame(rows, columns=columns)
        numbers = [name for name in columns if name not in ("arm", "verdict", "more_seeds")]
        return frame.astype({"more_seeds": "Int64"} | dict.fromkeys(numbers, float))

    def _intervals(self, arm: Arm) -> dict[str, float]:
        assert self.verdict is not None
        found = spread("score", self.verdict.scores[arm])
        return found | (spread("gain", self.gains[arm]) if arm in self.gains else {})

    @cached_property
    def findings(self) -> list[Finding]:
        """What to know before believing the result."""
        found = statistics.findings(self.trials, self.curves, self.spec.space())
        if self.verdict:
            found += [*statistics.judged_in_part(self.verdict, self.spec.verdict.seeds)]
            found += [*statistics.not_told_apart(self.verdict)]
        return found

    @cached_property
    def recipe(self) -> Mapping[str, Any]:
        """What the run was made with: versions, machine, data fingerprint, seeds; empty for a run that kept none."""
        file = self.folder / RECIPE
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return found


def leading(trials: pd.DataFrame, most: int) -> dict[Arm, int]:
    """The arms with the lowest best objectives, at most so many, with the number of the best trial of each."""
    rows = statistics.arms(trials).dropna(subset="objective").head(most)
    pairs = zip(rows["optimizer"], rows["schedule"], strict=True)
    return {Arm(*pair): int(number) for pair, number in zip(pairs, rows["number"], strict=True)}


def spread(name: str, found: Interval) -> dict[str, float]:
    """A mean and its interval as three entries."""
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
