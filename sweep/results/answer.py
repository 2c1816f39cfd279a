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
from sweep.learning.network.metrics import ERROR, TEST, VALIDATION, metric_of
from sweep.results import provenance
from sweep.results.racing import Racing, resolution
from sweep.results.recommendation import Recommendation
from sweep.results.statistics import summaries, tuning_curves
from sweep.results.statistics.choice import Choice, Who, choose
from sweep.results.statistics.fragility import near_best, sensitivity
from sweep.results.statistics.importance import importance
from sweep.results.statistics.probability_best import probability_best
from sweep.results.statistics.summaries import Finding
from sweep.results.statistics.tuning_curves import TuningCurve
from sweep.results.statistics.verdicts import Interval, Verdict, interval, judge
from sweep.results.tables import after_search, tables
from sweep.search.running import race as search_race
from sweep.search.running.finalists import DEFAULT, Finalist
from sweep.search.space.defaults import constants_to_set, default, default_parameters
from sweep.search.space.space import Arm, parameters_of
from sweep.search.study_file.spec import Spec

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
    def race(self) -> Racing:
        """How the race stands."""
        return Racing(self.spec, self.trials, after_search.read(self.folder, "race"), self.tie, self.start)

    @property
    def task(self) -> str | None:
        """``classification`` or ``regression``; None if the run has not noted that."""
        task: str | None = self.recipe.get("data", {}).get("task")
        return task

    @property
    def understood(self) -> Mapping[str, Any]:
        """What was understood of the data, as ``told`` says it; empty if the run has not noted that."""
        found: Mapping[str, Any] = self.recipe.get("data", {}).get("understood", {})
        return found

    @property
    def tie(self) -> float:
        """Objectives not above it tie: less than one validation sample at even odds, if the targets are classes."""
        if self.task != "classification":
            return 0.0
        return resolution(self.recipe["data"]["samples"][1] * self.spec.splits)

    @cached_property
    def judged(self) -> pd.DataFrame:
        """The finalists that count now, one row each and seed: the best tuned one of each leading arm, its default."""
        every = after_search.read(self.folder, "finalists")
        if every.empty:  # and it need not be known who leads
            return every
        return every[self._current(every)].reset_index(drop=True)

    @cached_property
    def judged_curves(self) -> pd.DataFrame:
        """Their curves, one row each, seed and epoch."""
        every = after_search.read(self.folder, "finalist_curves")
        return every[self._current(every)].reset_index(drop=True)

    def _current(self, every: pd.DataFrame) -> pd.Series:
        """Which rows are those of the leading arms' tuned configurations, or of their defaults."""
        best = {(arm.optimizer, arm.schedule): number for arm, number in self.leading.items()}
        number = pd.Series([best.get(pair, -2) for pair in zip(every["optimizer"], every["schedule"], strict=True)])
        number.index = every.index
        known = (every["number"] == number).fillna(False).astype(bool)
        wanted = every["replicate"] < self.spec.verdict.seeds
        return wanted & (known | ((every["kind"] == "default") & (number >= DEFAULT)))

    @cached_property
    def leading(self) -> dict[Arm, int]:
        """The arms to be judged, with the number of each one's tuned finalist (-1: it has but its default).

        Of a run that has had no race: the arms with the best trials, and these. None while a race goes on.
        """
        if self.race.begun or not self.race.missing:
            return {arm: DEFAULT if best is None else best.number for arm, best in self.race.leading.items()}
        best = summaries.arms(self.trials).dropna(subset="objective").head(self.spec.verdict.arms)
        pairs = zip(best["optimizer"], best["schedule"], best["number"], strict=True)
        return {Arm(optimizer, schedule): int(number) for optimizer, schedule, number in pairs}

    @property
    def finalists(self) -> list[Finalist]:
        """Who is trained with fresh seeds and tested."""
        space, rows = self.spec.space(), self.trials.set_index("number")
        tuned = [
            Finalist(arm, number, space.configuration(parameters_of(rows.loc[number].dropna().to_dict())))
            for arm, number in self.leading.items()
            if number != DEFAULT
        ]
        return [*tuned, *(Finalist(arm, DEFAULT, default(space, arm)) for arm in self.leading)]

    @cached_property
    def opened(self) -> int:
        """For how many configurations the test part has been opened so far, defaults included."""
        tested = after_search.read(self.folder, "finalists")
        return len(tested.groupby(["optimizer", "schedule", "number"], dropna=False))

    @property
    def score(self) -> str:
        """The name of what is judged: ``test_loss``, ``validation_error``, ..."""
        return self.column(metric_of(self.spec.study.objective))

    def column(self, metric: str) -> str:
        """Where a metric of the finalists stands: that on the test part, or if there is none on the validation part."""
        return (TEST if self.spec.data.test else VALIDATION) + metric

    @cached_property
    def choice(self) -> Choice | None:
        """Who represents each arm, who leads and who is recommended; None: the finalists have not been trained."""
        found = self._paired("objective", "diverged")
        if not found or len(next(iter(found.values()))) < 2:
            return None
        by_name = {(each.arm, each.kind): each for each in self.finalists}
        finalists = [by_name[who] for who in found]
        before, failed = self.race.both(finalists, self.race.common(finalists))
        last = np.array(list(found.values()))
        scores = np.concatenate([before, last[..., 0]], axis=1)
        diverged = np.concatenate([failed, last[..., 1] > 0], axis=1)
        risk = search_race.risks(scores, diverged, self.race.diverging(finalists), self.race.ceiling)
        constants = {arm: constants_to_set(self.spec.space(), arm) for arm in self.leading}
        return choose(dict(zip(found, scores, strict=True)), dict(zip(found, risk.tolist(), strict=True)), constants)

    @cached_property
    def scores(self) -> dict[Arm, Array]:
        """The paired scores of the arms' representatives, each of shape ``(seeds,)``; empty unless all are there."""
        found = self.paired
        if self.choice is None or len(next(iter(found.values()), ())) < 2:
            return {}
        return {arm: found[arm, self.choice.representatives[arm]][:, 0] for arm in self.leading}

    @cached_property
    def paired(self) -> dict[Who, Array]:
        """The scores of all finalists, each of shape ``(seeds, 1)``, for the seeds with which all are finite."""
        return self._paired("score")

    def _paired(self, *columns: str) -> dict[Who, Array]:
        """Columns of all finalists, each of shape ``(seeds, columns)``, for the seeds with which all are finite."""
        if self.judged.empty:
            return {}
        rows = self.judged.assign(diverged=(self.judged["state"] == "diverged").astype(float))
        own = {
            (Arm(*pair[:2]), pair[2]): group.set_index("replicate")[list(columns)]
            for pair, group in rows.groupby(["optimizer", "schedule", "kind"])
        }
        wanted = [(each.arm, each.kind) for each in self.finalists]
        if not wanted or any(who not in own for who in wanted):
            return {}
        wide = pd.concat([own[who] for who in wanted], axis=1, keys=range(len(wanted)))
        wide = wide[np.isfinite(wide.to_numpy(float)).all(axis=1)].sort_index()
        return {who: wide[place].to_numpy(float) for place, who in enumerate(wanted)}

    @cached_property
    def verdict(self) -> Verdict | None:
        """The verdict, if the finalists have been trained."""
        if not self.scores or self.choice is None:
            return None
        return judge(self.scores, self.spec.verdict.delta, self.choice.leader)

    @property
    def why_no_verdict(self) -> str:
        """Why there is no verdict (yet); empty: there is one."""
        if self.verdict:
            return ""
        if self.spec.verdict.seeds < 2:
            return "the study asks for none: set seeds to 2 or more under [verdict]"
        if not self.race.candidates:
            return "no trial is complete"
        if not self.leading:
            return "the race goes on"
        if not np.isfinite(self.judged["score"]).all():
            return "a finalist's score is not a finite number: look for outliers in the data"
        return "the finalists are trained when all trials are done"

    @cached_property
    def recommendation(self) -> Recommendation | None:
        """What to use and what it is worth, if there is a verdict."""
        if self.verdict is None or self.choice is None:
            return None
        known = after_search.read_baselines(self.folder)
        metric = metric_of(self.spec.study.objective)
        errors = self.column(ERROR)
        return Recommendation.of(self.choice, self.paired, self.judged, errors, known, metric, self.optimism)

    @property
    def best(self) -> pd.Series | None:
        """The row of the complete trial with the lowest objective: the luckiest."""
        return summaries.best_trial(self.trials)

    @cached_property
    def chosen(self) -> pd.Series | None:
        """The row of the configuration to use: what is recommended, or while nothing is, the best trial.

        A default configuration that no trial has had is a row without a number. None if no trial is complete.
        """
        if not self.verdict or self.choice is None:
            return self.best
        arm = self.choice.recommended
        if self.choice.kind == "tuned":
            return self.trials[self.trials["number"] == self.leading[arm]].iloc[0]
        return self._default_row(arm)

    def _default_row(self, arm: Arm) -> pd.Series:
        """The trial that had the arm's default configuration, or a row like that of a trial, without a number."""
        space = self.spec.space()
        wanted = default_parameters(space, arm)
        own = self.trials[(self.trials["optimizer"] == arm.optimizer) & (self.trials["schedule"] == arm.schedule)]
        for _, row in own.iterrows():
            had = parameters_of(row.dropna().to_dict())
            if row["state"] == "complete" and all(had.get(name) == value for name, value in wanted.items()):
                return row
        record = space.configuration(wanted).record() | {"optimizer": arm.optimizer, "schedule": arm.schedule}
        row = pd.Series(record, dtype=object).reindex(self.trials.columns)
        return row.rename("default")

    @cached_property
    def gains(self) -> dict[Arm, Interval]:
        """What tuning has gained: the score of each arm's default configuration less that of its tuned one."""
        found = self.paired
        arms = [arm for arm in self.leading if (arm, "tuned") in found and len(found[arm, "tuned"]) > 1]
        return {arm: interval((found[arm, "default"] - found[arm, "tuned"])[:, 0]) for arm in arms}

    @cached_property
    def optimism(self) -> Interval | None:
        """By how much the score of what is recommended is above the objective that the search has seen of it."""
        if not self.verdict or self.choice is None or self.chosen is None or pd.isna(self.chosen["objective"]):
            return None
        return self.verdict.scores[self.choice.recommended] - float(self.chosen["objective"])

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
            return tuning_curves.tuning_curves(self.trials), ""
        except UsageError as error:
            return {}, str(error)

    @cached_property
    def probability(self) -> pd.DataFrame:
        """P(arm is best after k trials), see `sweep.results.statistics.probability_best`; empty without tuning curves.

        For k up to half of the trials that every arm has: beyond, nearly all of them are drawn each time.
        """
        if not self.tuning:
            return pd.DataFrame(columns=["arm", "k", "probability", "low", "high"])
        least = max(1, min(len(curve.k) for curve in self.tuning.values()) // 2)
        k = sorted({*(2**power for power in range(least.bit_length()) if 2**power <= least), least})
        return probability_best(tuning_curves.scores_of(self.trials), k)

    @cached_property
    def importance(self) -> pd.DataFrame:
        """How much each hyperparameter matters for being among the best tenth of the trials."""
        return importance(self.trials, self.spec.space())

    @cached_property
    def start(self) -> float:
        """The objective before training, mean over the replicates; NaN while there are no curves."""
        curves = self.curves
        return float(curves.loc[curves["epoch"] == 0, self.spec.study.objective].mean())

    @cached_property
    def arms(self) -> pd.DataFrame:
        """One row an arm: those judged first, by their scores; then the others, by their best objective.

        Besides the columns of `summaries.arms`: `arm`; `verdict` (leader, better, equivalent or undecided: of the
        leader beside it), `more_seeds`, `p`; each with its interval (`_low`, `_high`): `score`,
        `difference` (to the leader's score), `wins` (share of seeds in which the leader is ahead), `gain` (over the
        default), `sensitivity` (to the learning rate), `share` (of the configurations within delta of the best of all)
        and `share_own` (of the best of the arm). Null where it is not known.
        """
        found = summaries.arms(self.trials)
        known = set(zip(found["optimizer"], found["schedule"], strict=True))
        untried = [arm for arm in self.leading if (arm.optimizer, arm.schedule) not in known]  # but by default
        for place, arm in enumerate(untried, start=len(found)):
            found.loc[place, ["optimizer", "schedule", "trials", "diverged"]] = [arm.optimizer, arm.schedule, 0, 0]
        names = [str(Arm(*pair)) for pair in zip(found["optimizer"], found["schedule"], strict=True)]
        found["arm"] = pd.Series(names, found.index, dtype=str)  # text also where there is none
        keys = ["optimizer", "schedule"]
        ends = {"low": "sensitivity_low", "high": "sensitivity_high"}
        fragile = sensitivity(self.trials, self.start).rename(columns=ends)
        for more in (fragile, near_best(self.trials, self.spec.verdict.delta)):
            found = found.merge(more.drop(columns="trials"), on=keys, how="left")
        found = found.merge(self._judged_arms(), on="arm", how="left")
        found["behind"] = found["verdict"] != LEADER  # it was chosen by other numbers, and need not have the best score
        found = found.sort_values(["behind", "score", "objective", "arm"], ignore_index=True)
        return found.drop(columns="behind")

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

    @property
    def what(self) -> str:
        """What the configuration to use is called."""
        return "the recommended configuration" if self.verdict else "the best trial"

    @cached_property
    def findings(self) -> list[Finding]:
        """What to know before believing the result."""
        found = summaries.findings(self.trials, self.curves, self.spec.space(), self.chosen, self.what)
        found += summaries.ties(self.trials, self.tie)
        if self.recommendation:
            found += self.recommendation.findings()
        if self.verdict:
            found += [*summaries.judged_in_part(self.verdict, self.spec.verdict.seeds)]
            found += [*summaries.not_told_apart(self.verdict)]
        changed = provenance.changed(self.recipe, self.spec.data.file)
        return [changed.finding, *found] if changed else found

    @cached_property
    def recipe(self) -> Mapping[str, Any]:
        """What the run was made with: versions, machine, data fingerprint, seeds; empty for a run that kept none."""
        file = self.folder / RECIPE
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return found


def spread(name: str, found: Interval) -> dict[str, float]:
    """A mean and its interval as three entries."""
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
