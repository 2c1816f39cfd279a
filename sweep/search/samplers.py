"""Samplers by name: who proposes the next configuration.

A proposal depends on the study's seed, the trial's number and the finished trials that the study knows, never on the
process or on what was drawn before: every trial gets a sampler seeded for it. So a study that was killed and resumed
proposes what it would have proposed.

To add a sampler: write one function here, ``(space, seed) -> (number -> optuna sampler)``, and put it in `SAMPLERS`.
Nothing else.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from sweep.learning.hyper import Choices, Fixed, Range, Search
from sweep.learning.streams import integer_seed
from sweep.search.space import Arm, Space

ForTrial = Callable[[int], BaseSampler]

TPE_STARTUP_PER_ARM = (
    1.0  # random trials before TPE begins, for each arm of the space; Optuna's own default is 10 in all
)
GRID_POINTS = 5  # numbers that a grid takes from a range


class Planned(BaseSampler):
    """A sampler that knows each trial's parameters from the trial's number: base for designs made beforehand.

    The relative search space is the union of all parameters; a trial takes those of its arm. Subclasses give `plan`.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self.space = space
        self.seed = seed
        self.union = space.distributions()
        self._fallback = RandomSampler(seed=seed)

    @abstractmethod
    def plan(self, number: int) -> Mapping[str, Any]:
        """The parameters of trial `number`; those it does not use may be among them."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Give the union of all arms' parameters; it never changes."""
        del study, trial
        return self.union

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Look the trial up in the plan."""
        del study
        return {name: value for name, value in self.plan(trial.number).items() if name in search_space}

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        """Never asked for a name of the space; others get a random value."""
        return self._fallback.sample_independent(study, trial, name, distribution)


class Qmc(Planned):
    """Quasi-random search: points of a scrambled Sobol' sequence over the union of all parameters."""

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        from scipy.stats import qmc

        self.sequence = qmc.Sobol(
            len(self.union), scramble=True, rng=np.random.default_rng(integer_seed(seed, "sampler"))
        )

    def plan(self, number: int) -> Mapping[str, Any]:
        """Point `number` of the sequence, each coordinate through its distribution."""
        if number < self.sequence.num_generated:
            self.sequence.reset()
        ahead = number - self.sequence.num_generated
        if ahead:  # a fresh sequence refuses to go 0 points forward
            self.sequence.fast_forward(ahead)
        point = self.sequence.random(1)[0]
        return {name: _quantile(d, float(u)) for (name, d), u in zip(self.union.items(), point, strict=True)}


class Grid(Planned):
    """Every combination of a few values a hyperparameter, in an order shuffled by the seed, each once.

    Choices are taken as they are, ranges at `GRID_POINTS` evenly spaced numbers (of the logarithm, where `log`).
    """

    def __init__(self, space: Space, seed: int) -> None:
        super().__init__(space, seed)
        self.levels = {arm: {n: grid_values(s) for n, s in space.entries(arm).items()} for arm in space.arms}
        self.sizes = [math.prod(map(len, levels.values())) for levels in self.levels.values()]
        # An affine map modulo the size is a permutation when its factor shares no divisor with the size: a shuffle
        # that needs no list, however large the grid.
        random, total = np.random.default_rng(integer_seed(seed, "sampler")), sum(self.sizes)
        self.offset = int(random.integers(total))
        self.factor = next(f for f in iter(lambda: int(random.integers(1, total + 1)), 0) if math.gcd(f, total) == 1)

    def plan(self, number: int) -> Mapping[str, Any]:
        """The combination that stands at `number` in the shuffled order; after the last, the first again."""
        total = sum(self.sizes)
        index = (self.offset + self.factor * (number % total)) % total
        ends = np.cumsum(self.sizes)
        place = int(np.searchsorted(ends, index, side="right"))
        arm = self.space.arms[place]
        index -= int(ends[place]) - self.sizes[place]
        chosen: dict[str, Any] = {"optimizer": arm.optimizer, "schedule": arm.schedule}
        for name, values in self.levels[arm].items():
            index, level = divmod(index, len(values))
            chosen[name] = values[level]
        return chosen


class Balanced(Planned):
    """Independent random configurations, the arms taking turns: every arm gets the same number (mode "compare")."""

    def plan(self, number: int) -> Mapping[str, Any]:
        """Arm `number` modulo the number of arms, everything else at random."""
        arms = self.space.arms
        arm: Arm = arms[number % len(arms)]
        random = np.random.default_rng(integer_seed(self.seed, "sampler", number))
        drawn = {name: _quantile(d, float(random.random())) for name, d in self.union.items()}
        return drawn | {"optimizer": arm.optimizer, "schedule": arm.schedule}


def _quantile(distribution: BaseDistribution, u: float) -> Any:
    """The value of a distribution at u, 0 <= u < 1."""
    match distribution:
        case CategoricalDistribution():
            return distribution.choices[int(u * len(distribution.choices))]
        case IntDistribution(low=low, high=high, log=log):
            if not log:
                return low + int(u * (high - low + 1))
            return min(high, max(low, round(_between(low - 0.5, high + 0.5, log, u))))
        case FloatDistribution(low=low, high=high, log=log):
            return min(high, max(low, _between(low, high, log, u)))
    raise TypeError(f"no quantile for {distribution!r}")


def _between(low: float, high: float, log: bool, u: float) -> float:
    if log:
        return float(math.exp(math.log(low) + u * (math.log(high) - math.log(low))))
    return low + u * (high - low)


def grid_values(search: Search) -> Sequence[float]:
    """The values that a grid tries."""
    match search:
        case Fixed(value):
            return (value,)
        case Choices(values):
            return values
        case Range(low, high, log, integer):
            spaced = np.geomspace(low, high, GRID_POINTS) if log else np.linspace(low, high, GRID_POINTS)
            clipped = np.clip(spaced, low, high)  # geomspace may miss its own ends by a rounding
            return tuple(dict.fromkeys(np.round(clipped).astype(int).tolist() if integer else clipped.tolist()))


def grid_size(space: Space) -> int:
    """How many combinations the grid of a space has."""
    return sum(Grid(space, 0).sizes)


def _random(space: Space, seed: int) -> ForTrial:
    del space
    return lambda number: RandomSampler(seed=integer_seed(seed, "sampler", number))


def _tpe(space: Space, seed: int) -> ForTrial:
    startup = max(10, math.ceil(TPE_STARTUP_PER_ARM * len(space.arms)))
    return lambda number: TPESampler(seed=integer_seed(seed, "sampler", number), n_startup_trials=startup)


def _planned(kind: type[Planned]) -> Callable[[Space, int], ForTrial]:
    def for_study(space: Space, seed: int) -> ForTrial:
        sampler = kind(space, seed)
        return lambda number: sampler

    return for_study


SAMPLERS: dict[str, Callable[[Space, int], ForTrial]] = {
    "tpe": _tpe,
    "random": _random,
    "qmc": _planned(Qmc),
    "grid": _planned(Grid),
}

balanced = _planned(Balanced)
