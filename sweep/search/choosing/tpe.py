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
from optuna.trial import FrozenTrial, TrialState

from sweep.learning.hyper import Array
from sweep.learning.seeds import stream
from sweep.search.choosing.parzen import Parzen, log_sum
from sweep.search.space.combinations import everything
from sweep.search.space.scales import place, quantile, value_at
from sweep.search.space.space import Space

CANDIDATES = 24  # for each proposal, as in Optuna
MOST_GOOD = 25  # as in Optuna
MOST_KERNELS = 400
STARTUP = 10  # finished trials before the model begins, as in Optuna; what is asked meanwhile is no model's, either
FRESH = 25  # trials that weigh 1 among those that were not good; as in Optuna
TRIES = 100  # random configurations drawn for one that was not proposed before
ENQUEUED = "fixed_params"  # the system attribute by which Optuna knows a trial that no sampler was asked for


Key = tuple[tuple[str, Any], ...]  # a configuration


@dataclass
class _History:
    """What is known: places in the union of all dimensions (NaN: the trial has not that one), and results.

    A result is an objective and a `tier`: a complete trial is better than a pruned one, a pruned one the better the
    later, and a diverged one is the worst. NaN while the trial runs, and for ever if it failed. Row n is trial n.
    """

    places: Array
    objective: Array = field(default_factory=lambda: np.empty(0))
    tier: Array = field(default_factory=lambda: np.empty(0))
    keys: list[Key] = field(default_factory=list)
    settled: int = 0  # trials before this number are all known to the end

    def grow(self, trials: int) -> None:
        """Make room for so many trials."""
        more = trials - len(self.objective)
        if more > 0:
            self.places = np.vstack([self.places, np.full((more, self.places.shape[1]), np.nan)])
            self.objective = np.append(self.objective, np.full(more, np.nan))
            self.tier = np.append(self.tier, np.zeros(more))


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
        self.arm_order = np.random.default_rng(stream(seed, "sampler")).permutation(len(space.arms))
        self.every = everything(space)
        self._history = _History(np.empty((0, len(self.names))))

    def propose(self, trials: Sequence[FrozenTrial], generation: int) -> list[dict[str, Any]]:
        """The parameters of a generation's trials, given all trials of the study.

        The first trials of the generation may have been enqueued: they keep their parameters, and the others keep away
        from these. Later trials are not looked at.
        """
        own = trials[generation * self.size : (generation + 1) * self.size]
        enqueued = [trial.params for trial in own if ENQUEUED in trial.system_attrs]
        random = np.random.default_rng(stream(self.seed, "sampler", generation))
        history = self._read(trials, generation * self.size)
        objective = history.objective.copy()
        objective[max(0, generation - self.lag) * self.size :] = np.nan
        if np.isfinite(objective).sum() < STARTUP:
            proposals = self._design(generation, random)
        else:
            proposals = self._modelled(history.places, _ranks(objective, history.tier), random)
        known = {*history.keys, *map(_key, enqueued)}
        return enqueued + self._without_repeats(proposals[len(enqueued) :], known, random)

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
            if trial.state.is_finished():
                history.objective[trial.number] = np.nan if trial.value is None else trial.value
                history.tier[trial.number] = _tier(trial)
                history.settled += history.settled == trial.number
        return _History(history.places[:end], history.objective[:end], history.tier[:end], history.keys[:end])

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

    def _modelled(self, places: Array, rank: Array, random: np.random.Generator) -> list[dict[str, Any]]:
        points = np.full((self.size, len(self.names)), np.nan)
        points[:, self.shared] = self._chosen(places, rank, points, [], self.shared, random)
        for kind, table in (("optimizer", self.space.optimizers), ("schedule", self.space.schedules)):
            column = self.names.index(kind)
            given = [i for i in self.shared if i != column]
            for index, name in enumerate(table):
                own = [i for i, other in enumerate(self.names) if other.partition(".")[0] == name and "." in other]
                rows, known = points[:, column] == index, places[:, column] == index
                if own and rows.any():
                    chosen = self._chosen(places[known], rank[known], points[rows], given, own, random)
                    points[rows.nonzero()[0][:, None], own] = chosen
        return [
            {n: value_at(self.union[n], u) for n, u in zip(self.names, point, strict=True) if not np.isnan(u)}
            for point in points
        ]

    def _chosen(
        self,
        places: Array,
        rank: Array,
        points: Array,
        given: list[int],
        own: list[int],
        random: np.random.Generator,
    ) -> Array:
        """Places in the dimensions `own` for some points, whose places in the dimensions `given` are chosen."""
        known = np.flatnonzero(np.isfinite(rank))
        if not len(known):
            return self._uniform(len(points), own, random)
        ranked = known[np.argsort(rank[known])]
        best = ranked[: min(math.ceil(0.1 * len(ranked)), MOST_GOOD)]
        rest = np.setdiff1d(np.arange(len(rank)), best)
        weights = fading(len(rest))
        if len(rest) > MOST_KERNELS:
            some = np.sort(random.choice(len(rest), MOST_KERNELS, replace=False))
            rest, weights = rest[some], weights[some]
        dimensions = given + own
        choices = [self.choices[i] for i in dimensions]
        good = Parzen.of(places[best][:, dimensions], choices)
        bad = Parzen.of(places[rest][:, dimensions], choices, weights)
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
            if _key(proposal) in keys:
                proposal = self._new(keys, random) or proposal
            keys.add(_key(proposal))
            found.append(proposal)
        return found

    def _new(self, keys: set[Key], random: np.random.Generator) -> dict[str, Any] | None:
        """A random configuration that is not among `keys`, or None if there is none."""
        for _ in range(TRIES):
            drawn = self.space.active({name: quantile(d, random.random()) for name, d in self.union.items()})
            if _key(drawn) not in keys:
                return drawn
        if self.every is None:
            return None
        total = self.every.size
        first = int(random.integers(total))
        places = ((first + step) % total for step in range(total))
        return next((c for c in map(self.every.__getitem__, places) if _key(c) not in keys), None)


def fading(trials: int) -> Array:
    """The weights of trials, the oldest first: 1 for the latest `FRESH`, down to next to nothing for the first.

    So what the search has come to lately weighs more, and a place where nothing new is found is left for another
    (Optuna's default).

    >>> fading(27).round(2).tolist()[:4]
    [0.04, 1.0, 1.0, 1.0]
    """
    old = max(trials - FRESH, 0)
    return np.append(np.linspace(1 / max(trials, 1), 1.0, old), np.ones(trials - old))


def _tier(trial: FrozenTrial) -> float:
    """How a finished trial's end ranks before its objective is looked at; small is good."""
    if "diverged_at" in trial.user_attrs:
        return 2.0
    if trial.state == TrialState.PRUNED:
        return 1.0 / (1.0 + (trial.last_step or 0))
    return 0.0


def _ranks(objective: Array, tier: Array) -> Array:
    """Each trial's rank among those with a result, the best 0; NaN for the others."""
    known = np.flatnonzero(np.isfinite(objective))
    ranks = np.full(len(objective), np.nan)
    ranks[known[np.lexsort((objective[known], tier[known]))]] = np.arange(len(known))
    return ranks


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
        near = self._near(self.good)
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

    def _near(self, density: Parzen) -> Array:
        """The logarithm of each kernel's share at each of the points."""
        return density.log_weights + density.log_kernels(self.given, self.before)

    def _conditional(self, density: Parzen, candidates: Array) -> tuple[Array, Array, Array]:
        """The log density of each candidate given its point; and that of both, and of the point alone, unscaled."""
        near = np.repeat(self._near(density), CANDIDATES, axis=0)
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
