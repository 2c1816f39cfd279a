"""How the race of a study stands, from its tables: who runs, who is left, and who has to be trained next.

The rules are in `sweep.search.running.race`. Nothing is kept but the scores: who is a candidate follows from the table
of trials, and who is left after a round from the table ``race.parquet``, which has the columns of
``finalists.parquet``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
import pandas as pd

from sweep.learning.hyper import Array
from sweep.results.statistics import neighbours, summaries
from sweep.results.tables.after_search import whose
from sweep.search.running import race
from sweep.search.running.finalists import DEFAULT, Finalist
from sweep.search.space.defaults import default, default_parameters
from sweep.search.space.space import Arm, parameters_of
from sweep.search.study_file.spec import Spec


def resolution(samples: int) -> float:
    """What so many samples can tell of a loss: less than one of them at even odds is nothing.

    >>> round(resolution(100), 4)
    0.0069
    """
    return math.log(2) / samples if samples else 0.0


def leading(trials: pd.DataFrame, most: int, tie: float = 0.0) -> dict[Arm, float]:
    """The arms with the lowest best objectives, at most so many, with these; those that tie with the last one, too.

    An objective not above `tie` is as good as any other.
    """
    arms = summaries.arms(trials).dropna(subset="objective")
    cut = _cut(arms["objective"], most, tie)
    pairs = zip(arms["optimizer"], arms["schedule"], arms["objective"], strict=True)
    return {Arm(optimizer, schedule): objective for optimizer, schedule, objective in list(pairs)[:cut]}


def _cut(objectives: pd.Series, most: int, tie: float) -> int:
    """How many of some rising objectives to take: so many, and those that tie with the last of them."""
    values = objectives.to_numpy(float)
    if len(values) <= most:
        return len(values)
    return min(race.TIES * most, int(np.searchsorted(values, max(values[most - 1], tie), side="right")))


@dataclass(frozen=True)
class Racing:
    """The race of a study.

    Attributes
    ----------
    spec : Spec
    trials : DataFrame
        The table of trials.
    scores : DataFrame
        The table of the race.
    tie : float
        Objectives not above it tie.
    start : float
        The objective before training.
    """

    spec: Spec
    trials: pd.DataFrame
    scores: pd.DataFrame
    tie: float = 0.0
    start: float = 1.0

    @cached_property
    def candidates(self) -> list[Finalist]:
        """The best configurations of each leading arm, in the order of the arms, and the defaults of all arms."""
        space = self.spec.space()
        complete = self.trials[self.trials["state"] == "complete"].sort_values(["objective", "number"])
        if complete.empty:
            return []
        of_arm = dict(list(complete.groupby(["optimizer", "schedule"], sort=False)))
        tuned = [
            finalist
            for arm in leading(self.trials, self.spec.verdict.arms, self.tie)
            for finalist in self._tuned(arm, of_arm[arm.optimizer, arm.schedule])
        ]
        return [*tuned, *(Finalist(arm, DEFAULT, default(space, arm)) for arm in space.arms)]

    def _tuned(self, arm: Arm, rows: pd.DataFrame) -> list[Finalist]:
        """An arm's best different configurations but for its default one, from its complete trials, best first."""
        space = self.spec.space()
        seen = [default_parameters(space, arm)]
        searched, objectives = set(seen[0]), list[float]()
        found: list[Finalist] = []
        for row in rows.to_dict("records"):
            parameters = parameters_of({name: value for name, value in row.items() if not pd.isna(value)})
            key = {name: value for name, value in parameters.items() if name in searched}
            if key in seen:
                continue
            seen.append(key)
            objectives.append(row["objective"])
            if len(found) >= _cut(pd.Series(objectives), self.spec.race.candidates, self.tie):
                break
            found.append(Finalist(arm, int(row["number"]), space.configuration(parameters)))
        return found

    @cached_property
    def begun(self) -> bool:
        """Whether anybody has been trained."""
        return not self.scores.empty

    @cached_property
    def splits(self) -> list[int]:
        """How many splits there have been after each round."""
        return list(accumulate(self.spec.race.rounds))

    @cached_property
    def missing(self) -> dict[int, list[Finalist]]:
        """Who has to be trained next: those of the first round that is not done, by split."""
        return self._state[1]

    @cached_property
    def left(self) -> list[Finalist]:
        """Who is left after the rounds that are done, those with the lowest risk first."""
        return self._state[0]

    @cached_property
    def _state(self) -> tuple[list[Finalist], dict[int, list[Finalist]]]:
        alive = self.candidates
        finalists, rounds = self.most_finalists, len(self.spec.race.rounds)
        if len(alive) <= finalists and all(count <= 1 for count in self._counts(alive).values()):
            return alive, {}  # all run in the last round
        for number, splits in enumerate(self.splits, start=1):
            missing = self._without(alive, splits)
            if missing:
                return alive, missing
            risk = self.risk(alive, splits)
            keep = race.left_after(number, len(self.candidates), finalists, rounds)
            kept = race.survivors([each.arm for each in alive], risk, keep, self.spec.verdict.arms)
            alive = [alive[place] for place in sorted(kept, key=lambda place: risk[place])]
        return alive, {}

    @property
    def most_finalists(self) -> int:
        """How many run in the last round: of each arm to be judged the best tuned one, and the default."""
        return 2 * min(len(self.spec.space().arms), self.spec.verdict.arms)

    def _counts(self, those: Sequence[Finalist]) -> dict[Arm, int]:
        """How many tuned ones each arm has."""
        found: dict[Arm, int] = {}
        for each in those:
            found[each.arm] = found.get(each.arm, 0) + (each.kind == "tuned")
        return found

    @cached_property
    def _known(self) -> dict[tuple[str, str, int], dict[int, tuple[float, bool]]]:
        """The scores so far: whose, split, score and whether it has diverged."""
        found: dict[tuple[str, str, int], dict[int, tuple[float, bool]]] = {}
        numbers = self.scores["number"].fillna(DEFAULT).astype(int)
        rows = zip(self.scores["optimizer"], self.scores["schedule"], numbers, self.scores["replicate"],
                   self.scores["objective"], self.scores["state"] == "diverged", strict=True)  # fmt: skip
        for optimizer, schedule, number, split, score, diverged in rows:
            found.setdefault((optimizer, schedule, number), {})[split] = score, diverged
        return found

    def _of(self, each: Finalist) -> Mapping[int, tuple[float, bool]]:
        """One's scores so far, by split."""
        return self._known.get(whose(each), {})

    def _without(self, those: Sequence[Finalist], splits: int) -> dict[int, list[Finalist]]:
        """Who has not run on which of the first splits; those on which all have run are left out."""
        found = {split: [each for each in those if split not in self._of(each)] for split in range(splits)}
        return {split: each for split, each in found.items() if each}

    @cached_property
    def _neighbours(self) -> dict[tuple[str, str, int], float]:
        """The share of each candidate's neighbours that diverged in the search."""
        found = neighbours.shares(self.trials, self.spec.space(), self.candidates)
        return dict(zip(map(whose, self.candidates), found.tolist(), strict=True))

    def diverging(self, those: Sequence[Finalist]) -> Array:
        """The share of their neighbours that diverged in the search."""
        return np.array([self._neighbours.get(whose(each), 0.0) for each in those])

    @property
    def ceiling(self) -> float:
        """What a training counts for that diverges."""
        return race.DIVERGED * (max(1.0, self.start) if math.isfinite(self.start) else 1.0)

    def both(self, those: Sequence[Finalist], splits: int) -> tuple[Array, Array]:
        """Their scores on the first splits, and whether they diverged, of shape ``(candidates, splits)``."""
        found = np.array([[self._of(each)[split] for split in range(splits)] for each in those])
        found = found.reshape(len(those), splits, 2)
        return found[..., 0], found[..., 1].astype(bool)

    def risk(self, those: Sequence[Finalist], splits: int) -> Array:
        """Their risks after the first splits."""
        return race.risks(*self.both(those, splits), self.diverging(those), self.ceiling)

    def common(self, those: Sequence[Finalist]) -> int:
        """How many of the splits all of them have run on."""
        splits = self.splits[-1] if self.splits else 0
        return min(self._without(those, splits), default=splits)

    @cached_property
    def leading(self) -> dict[Arm, Finalist | None]:
        """The arms that are judged, best first, with the best tuned candidate of each; None: it has but its default.

        Empty while the race goes on.
        """
        if self.missing:
            return {}
        arms = list(dict.fromkeys(each.arm for each in self.left))[: self.spec.verdict.arms]
        return {arm: self._best_tuned(arm) for arm in arms}

    def _best_tuned(self, arm: Arm) -> Finalist | None:
        """The arm's tuned candidate that was longest in the race, of these the one with the lowest risk."""
        own = [each for each in self.candidates if each.arm == arm and each.kind == "tuned"]
        if not own:
            return None
        for each in self.left:
            if each in own:
                return each
        if not self.begun:
            return own[0]
        longest = max(len(self._of(each)) for each in own)
        those = [each for each in own if len(self._of(each)) == longest]
        return those[int(np.argmin(self.risk(those, longest)))] if longest else own[0]
