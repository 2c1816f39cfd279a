"""Samplers by name: who proposes the next configuration.

A proposal depends on the study's seed, the trial's number and the finished trials that the study knows, never on the
process or on what was drawn before. So a study that was killed and resumed proposes what it would have proposed.

They are samplers as Optuna means them, and can be given to any study over the same space; the loop of a study asks them
directly, for `Study.ask` looks through all trials each time.

To add a sampler: write one class here and put it in `SAMPLERS`. Nothing else.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from sweep.learning.hyper import Array
from sweep.learning.seeds import integer_seed
from sweep.search.choosing.chooser import Chooser
from sweep.search.choosing.optuna_samplers import PREFIX, Stock
from sweep.search.choosing.tpe import Proposer
from sweep.search.space.combinations import grid
from sweep.search.space.scales import quantile
from sweep.search.space.space import Arm, Space

IN_FLIGHT = 2  # generations: one trains, one waits; a generation is asked before the one before it is known


class Joint(Chooser):
    """A sampler that chooses all parameters of a trial together: abstract. Subclasses give `parameters`.

    The relative search space is the union of all parameters; a trial takes those of its arm.

    Parameters
    ----------
    space : Space
    seed : int
        The study's.
    generation : int
        How many trials are asked before the results of the first of them are known.
    """

    def __init__(self, space: Space, seed: int, generation: int) -> None:
        self.space = space
        self.seed = seed
        self.generation = generation
        self.union = space.distributions()
        self._fallback = RandomSampler(seed=seed)

    @abstractmethod
    def parameters(self, study: Study, number: int) -> Mapping[str, Any]:
        """The parameters of trial `number`: those of its arm, no other."""

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Give the union of all arms' parameters; it never changes."""
        del study, trial
        return self.union

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Give the parameters that are asked for."""
        return {n: v for n, v in self.parameters(study, trial.number).items() if n in search_space}

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        """Never asked for a name of the space; others get a random value."""
        return self._fallback.sample_independent(study, trial, name, distribution)


class Planned(Joint):
    """A sampler that knows each trial's parameters from the trial's number: abstract. Subclasses give `plan`."""

    @abstractmethod
    def plan(self, number: int) -> Mapping[str, Any]:
        """The parameters of trial `number`: those of its arm, no other."""

    def parameters(self, study: Study, number: int) -> Mapping[str, Any]:
        """Look the trial up in the plan."""
        del study
        return self.plan(number)


class Grid(Planned):
    """Every combination of a few values a hyperparameter, in an order shuffled by the seed, each once."""

    def __init__(self, space: Space, seed: int, generation: int) -> None:
        super().__init__(space, seed, generation)
        self.combinations = grid(space)
        # An affine map modulo the size is a permutation when its factor shares no divisor with the size: a shuffle
        # that needs no list, however large the grid.
        random, total = np.random.default_rng(integer_seed(seed, "sampler")), self.combinations.size
        self.offset = int(random.integers(total))
        self.factor = next(f for f in iter(lambda: int(random.integers(1, total + 1)), 0) if math.gcd(f, total) == 1)

    def most(self) -> int | None:
        """The size of the grid."""
        return self.combinations.size

    def plan(self, number: int) -> Mapping[str, Any]:
        """The combination that stands at `number` in the shuffled order; after the last, the first again."""
        total = self.combinations.size
        return self.combinations[(self.offset + self.factor * (number % total)) % total]


class Tpe(Joint):
    """Batched TPE, see `sweep.search.choosing.tpe`: a generation is proposed when the first of its trials is asked."""

    def __init__(self, space: Space, seed: int, generation: int) -> None:
        super().__init__(space, seed, generation)
        self._proposer = Proposer(space, seed, generation, lag=IN_FLIGHT - 1)
        self._proposed: tuple[int, list[dict[str, Any]]] = -1, []

    def most(self) -> int | None:
        """The number of configurations, if they can be counted: nothing is proposed twice."""
        every = self._proposer.every
        return None if every is None else every.size

    def parameters(self, study: Study, number: int) -> Mapping[str, Any]:
        """What is proposed for trial `number`."""
        generation, place = divmod(number, self.generation)
        if self._proposed[0] != generation:
            self._proposed = generation, self._proposer.propose(study.get_trials(deepcopy=False), generation)
        return self._proposed[1][place]


class Random(Planned):
    """Independent random configurations."""

    def plan(self, number: int) -> Mapping[str, Any]:
        """Every parameter at random."""
        uniform = dict(zip(self.union, self.point(number).tolist(), strict=True))
        arm = self.arm(number, uniform)
        chosen = self.space.active(uniform | {"optimizer": arm.optimizer, "schedule": arm.schedule})
        constants = {name: quantile(self.union[name], u) for name, u in chosen.items() if isinstance(u, float)}
        return chosen | constants

    def point(self, number: int) -> Array:
        """A number from 0 to 1 for each parameter that some trial may have."""
        return np.random.default_rng(integer_seed(self.seed, "sampler", number)).random(len(self.union))

    def arm(self, number: int, uniform: Mapping[str, float]) -> Arm:
        """The arm of trial `number`, from its point."""
        del number
        return Arm(*(quantile(self.union[name], uniform[name]) for name in ("optimizer", "schedule")))


class Qmc(Random):
    """Quasi-random search: points of a scrambled Sobol' sequence over the union of all parameters."""

    def __init__(self, space: Space, seed: int, generation: int) -> None:
        super().__init__(space, seed, generation)
        from scipy.stats import qmc

        self.sequence = qmc.Sobol(
            len(self.union), scramble=True, rng=np.random.default_rng(integer_seed(seed, "sampler"))
        )

    def point(self, number: int) -> Array:
        """Point `number` of the sequence."""
        if number < self.sequence.num_generated:
            self.sequence.reset()
        ahead = number - self.sequence.num_generated
        if ahead:  # a fresh sequence refuses to go 0 points forward
            self.sequence.fast_forward(ahead)
        return np.asarray(self.sequence.random(1)[0])


class Balanced(Random):
    """Independent random configurations, the arms taking turns: every arm gets the same number (mode "compare")."""

    def arm(self, number: int, uniform: Mapping[str, float]) -> Arm:
        """Arm `number` modulo the number of arms."""
        del uniform
        return self.space.arms[number % len(self.space.arms)]


def sampler(name: str, space: Space, seed: int, generation: int) -> Chooser:
    """A sampler by its name: one of `SAMPLERS`, or ``optuna:NAME``."""
    if name.startswith(PREFIX):
        return Stock(name, space, seed)
    return SAMPLERS[name](space, seed, generation)


SAMPLERS: dict[str, type[Joint]] = {"tpe": Tpe, "random": Random, "qmc": Qmc, "grid": Grid}
