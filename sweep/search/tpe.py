"""Batched TPE: tree-structured Parzen estimators (Bergstra et al. 2011) that propose a whole generation at once.

Known trials are split into the best tenth and the rest, each is made a density, and of some candidates drawn from the
first that one is proposed for which the ratio of the two is largest. What is different here:

- A generation is one array program, so a trial costs a millisecond or two, however many are known. Of the rest, no more
  than `MOST_KERNELS` at random make the second density.
- Trials of a generation do not know one another's results. So each proposal joins the rest before the next one is
  chosen, as do all trials still running. Without that a large generation is no better than random search.
- Conditional hyperparameters are modelled given those that all trials share: first optimizer, schedule and learning
  rate together; then the constants of the optimizer, in trials that have it, given schedule and learning rate; then
  those of the schedule, given optimizer and learning rate.
- A generation proposes from what is known of the generations before it, but for the last `lag` of these, which count as
  running. So a proposal depends on the study, not on who was quick.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial

from sweep.learning.hyper import Array
from sweep.learning.streams import stream
from sweep.search.parzen import Parzen, log_sum
from sweep.search.scales import place, quantile, value_at
from sweep.search.space import Space

CANDIDATES = 24  # for each proposal, as in Optuna
MOST_GOOD = 25  # as in Optuna
MOST_KERNELS = 400
STARTUP = 10  # finished trials before the model begins, at least; and one for each arm of the space
TRIES = 100  # random configurations drawn for one that was not proposed before


Key = tuple[tuple[str, Any], ...]  # a configuration


@dataclass
class _History:
    """What is known: places in the union of all dimensions (NaN: the trial has not that one), and objectives.

    An objective is NaN while the trial runs. Row n is trial n.
    """

    places: Array
    objective: Array = field(default_factory=lambda: np.empty(0))
    keys: list[Key] = field(default_factory=list)
    settled: int = 0  # trials before this number are all known to the end

    def grow(self, trials: int) -> None:
        """Make room for so many trials."""
        more = trials - len(self.objective)
        if more > 0:
            self.places = np.vstack([self.places, np.full((more, self.places.shape[1]), np.nan)])
            self.objective = np.append(self.objective, np.full(more, np.nan))


class Proposer:
    """Proposes generations: the model, apart from Optuna's interface.

    Parameters
    ----------
    space : Space
    seed : int
        The study's.
    generation : int
        Trials proposed at once.
    lag : int
        How many of the latest generations count as running.
    """

    def __init__(self, space: Space, seed: int, generation: int, lag: int = 1) -> None:
        self.space, self.seed, self.size, self.lag = space, seed, generation, lag
        self.union = space.distributions()
        self.names = list(self.union)
        self.choices = [len(d.choices) if isinstance(d, CategoricalDistribution) else 0 for d in self.union.values()]
        self.shared = [i for i, name in enumerate(self.names) if "." not in name]
        self.startup = max(STARTUP, len(space.arms))
        self.arm_order = np.random.default_rng(stream(seed, "sampler")).permutation(len(space.arms))
        self._history = _History(np.empty((0, len(self.names))))

    def propose(self, trials: Sequence[FrozenTrial], generation: int) -> list[dict[str, Any]]:
        """The parameters of a generation's trials, given all trials of the study; later ones are not looked at."""
        random = np.random.default_rng(stream(self.seed, "sampler", generation))
        history = self._read(trials, generation * self.size)
        objective = history.objective.copy()
        objective[max(0, generation - self.lag) * self.size :] = np.nan
        if np.isfinite(objective).sum() < self.startup:
            proposals = self._design(generation, random)
        else:
            proposals = self._modelled(history.places, objective, random)
        return self._without_repeats(proposals, set(history.keys), random)

    def _read(self, trials: Sequence[FrozenTrial], end: int) -> _History:
        """Take in what is new of the trials before number `end`."""
        history = self._history
        history.grow(end)
        for trial in trials[history.settled : end]:
            row = history.places[trial.number]
            if np.isnan(row[self.shared[0]]):
                for i, name in enumerate(self.names):
                    if name in trial.params:
                        row[i] = place(self.union[name], trial.params[name])
                history.keys.append(_key(trial.params))
            if trial.value is not None:
                history.objective[trial.number] = trial.value
                history.settled += history.settled == trial.number
        return _History(history.places[:end], history.objective[:end], history.keys[:end])

    def _design(self, generation: int, random: np.random.Generator) -> list[dict[str, Any]]:
        """The start: arms take turns; everything else is a Latin hypercube."""
        from scipy.stats import qmc

        points = qmc.LatinHypercube(len(self.names), rng=random).random(self.size)
        found = []
        for row, point in enumerate(points):
            arm = self.space.arms[self.arm_order[(generation * self.size + row) % len(self.arm_order)]]
            drawn = {name: quantile(d, u) for (name, d), u in zip(self.union.items(), point, strict=True)}
            found.append(self.space.active(drawn | {"optimizer": arm.optimizer, "schedule": arm.schedule}))
        return found

    def _modelled(self, places: Array, objective: Array, random: np.random.Generator) -> list[dict[str, Any]]:
        points = np.full((self.size, len(self.names)), np.nan)
        points[:, self.shared] = self._chosen(places, objective, points, [], self.shared, random)
        for kind, table in (("optimizer", self.space.optimizers), ("schedule", self.space.schedules)):
            column = self.names.index(kind)
            given = [i for i in self.shared if i != column]
            for index, name in enumerate(table):
                own = [i for i, other in enumerate(self.names) if other.partition(".")[0] == name and "." in other]
                rows, known = points[:, column] == index, places[:, column] == index
                if own and rows.any():
                    chosen = self._chosen(places[known], objective[known], points[rows], given, own, random)
                    points[rows.nonzero()[0][:, None], own] = chosen
        return [
            {n: value_at(self.union[n], u) for n, u in zip(self.names, point, strict=True) if not np.isnan(u)}
            for point in points
        ]

    def _chosen(
        self,
        places: Array,
        objective: Array,
        points: Array,
        given: list[int],
        own: list[int],
        random: np.random.Generator,
    ) -> Array:
        """Places in the dimensions `own` for some points, whose places in the dimensions `given` are chosen."""
        known = np.flatnonzero(np.isfinite(objective))
        if not len(known):
            return self._uniform(len(points), own, random)
        ranked = known[np.argsort(objective[known], kind="stable")]
        best = ranked[: min(math.ceil(0.1 * len(ranked)), MOST_GOOD)]
        rest = np.setdiff1d(np.arange(len(objective)), best)
        if len(rest) > MOST_KERNELS:
            rest = np.sort(random.choice(rest, MOST_KERNELS, replace=False))
        dimensions = given + own
        choices = [self.choices[i] for i in dimensions]
        good, bad = (Parzen.of(places[rows][:, dimensions], choices) for rows in (best, rest))
        return _Choice(good, bad, points[:, given], len(own)).made(random)

    def _uniform(self, count: int, dimensions: list[int], random: np.random.Generator) -> Array:
        uniform = random.random((count, len(dimensions)))
        scales = np.array([self.choices[i] for i in dimensions])
        return np.asarray(np.where(scales > 0, np.floor(uniform * scales), uniform))

    def _without_repeats(
        self, proposals: list[dict[str, Any]], keys: set[Key], random: np.random.Generator
    ) -> list[dict[str, Any]]:
        """Put a random configuration in the place of one that was proposed before, while there are others."""
        found = []
        for proposal in proposals:
            for _ in range(TRIES):
                if _key(proposal) not in keys:
                    break
                drawn = {name: quantile(d, random.random()) for name, d in self.union.items()}
                proposal = self.space.active(drawn)
            keys.add(_key(proposal))
            found.append(proposal)
        return found


def _key(parameters: Mapping[str, Any]) -> Key:
    return tuple(sorted(parameters.items()))


class _Choice:
    """One choice for each of some points: of candidates from the good density that with the best ratio to the bad one.

    The first dimensions of the densities are given, the `own` last ones are to be chosen.
    """

    def __init__(self, good: Parzen, bad: Parzen, given: Array, own: int) -> None:
        self.good, self.bad, self.given = good, bad, given
        self.before = list(range(given.shape[1]))
        self.own = list(range(given.shape[1], given.shape[1] + own))

    def made(self, random: np.random.Generator) -> Array:
        """The choices, shape ``(points, own)``."""
        near = self.good.log_kernels(self.given, self.before)
        candidates = self.good.sample(_drawn(near, random).ravel(), self.own, random)
        gain = self._conditional(self.good, candidates)[0]
        _, joint, marginal = self._conditional(self.bad, candidates)
        each = np.arange(len(candidates)).reshape(-1, CANDIDATES)
        chosen = np.empty((len(self.given), len(self.own)))
        for point, mine in enumerate(each):
            best = mine[np.argmax((gain - joint + marginal)[mine])]
            chosen[point] = candidates[best]
            self._join(joint, marginal, candidates, np.append(self.given[point], chosen[point]))
        return chosen

    def _conditional(self, density: Parzen, candidates: Array) -> tuple[Array, Array, Array]:
        """The log density of each candidate given its point; and that of both, and of the point alone, unscaled."""
        near = np.repeat(density.log_kernels(self.given, self.before), CANDIDATES, axis=0)
        joint, marginal = log_sum(near + density.log_kernels(candidates, self.own)), log_sum(near)
        return joint - marginal, joint, marginal

    def _join(self, joint: Array, marginal: Array, candidates: Array, chosen: Array) -> None:
        """Let a choice join the bad density, in place: its result is not known, and others are to keep away."""
        lone = Parzen.of(chosen[None], self.bad.choices)
        near = np.repeat(lone.log_kernels(self.given, self.before)[:, 0], CANDIDATES)
        np.logaddexp(joint, near + lone.log_kernels(candidates, self.own)[:, 0], out=joint)
        np.logaddexp(marginal, near, out=marginal)


def _drawn(log_weights: Array, random: np.random.Generator) -> Array:
    """Kernels drawn for each point by their weights, shape ``(points, CANDIDATES)``."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    shares = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
    uniform = random.random((len(shares), CANDIDATES))
    return np.asarray(np.minimum((shares[:, None, :] <= uniform[:, :, None]).sum(axis=2), shares.shape[1] - 1))
