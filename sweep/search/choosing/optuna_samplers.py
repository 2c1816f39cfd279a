"""Optuna's own samplers, ``optuna:NAME``: for those who want them, and to compare ours with.

They are asked as Optuna asks them, parameter by parameter, each trial when the one before it in its generation has its
parameters. One is made anew for each trial (and for each parameter that it draws on its own), seeded by the study's
seed and the trial's number: so a study that was killed and resumed proposes what it would have proposed. What a sampler
remembers it keeps in the storage; but a cache that it only keeps in memory it makes again.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from sweep.errors import UsageError, unknown
from sweep.learning.seeds import integer_seed
from sweep.search.choosing.chooser import Chooser
from sweep.search.space.space import Space

PREFIX = "optuna:"
# What cannot be had so: it ends a study by itself, which only `Study.optimize` lets it.
_ENDING = {"BruteForceSampler"}
_PROBES = 12  # finished trials of a probe: more than any sampler draws at random at its start


def names() -> list[str]:
    """The samplers that can be had by name alone, with the prefix."""
    found = []
    for name in sorted(set(optuna.samplers.__all__) - _ENDING):
        kind = getattr(optuna.samplers, name)
        if isinstance(kind, type) and issubclass(kind, BaseSampler) and not inspect.isabstract(kind):
            parameters = inspect.signature(kind).parameters.values()
            if all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
                found.append(f"{PREFIX}{name}")
    return found


def _made(name: str, seed: int) -> BaseSampler:
    """One of Optuna's samplers with its defaults; it keeps to itself which parameters it draws on their own."""
    kind = getattr(optuna.samplers, name.removeprefix(PREFIX))
    parameters = inspect.signature(kind).parameters.items()
    quiet = {name: False for name, p in parameters if name.startswith("warn_") and p.default}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.simplefilter("ignore", FutureWarning)
        sampler: BaseSampler = kind(seed=seed, **quiet)
    return sampler


@functools.cache
def check(name: str) -> None:
    """Raise `UsageError` if there is no such sampler, or it needs a package that is missing: it says so when used."""
    if name not in names():
        raise UsageError(f"sampler: {unknown('sampler', name, names())}")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(sampler=_made(name, 0))
        study.optimize(lambda trial: trial.suggest_float("x", 0, 1) + trial.suggest_float("y", 0, 1), n_trials=_PROBES)
    except ImportError as error:
        package = error.name or str(error)
        raise UsageError(f"sampler {name!r}: needs the package {package!r}: pip install {package}") from error
    finally:
        optuna.logging.set_verbosity(before)


class Stock(Chooser):
    """One of Optuna's samplers at work on a space.

    Parameters
    ----------
    name : str
        With the prefix.
    space : Space
    seed : int
        The study's.

    Raises
    ------
    UsageError
        It is not known, or cannot work here.
    """

    def __init__(self, name: str, space: Space, seed: int) -> None:
        check(name)
        self.name, self.space, self.seed = name, space, seed
        self._names = list(space.distributions())

    def _for(self, trial: FrozenTrial, place: int = 0) -> BaseSampler:
        return _made(self.name, integer_seed(self.seed, "sampler", trial.number, place))

    def parameters(self, study: Study, number: int) -> None:
        """It is asked as Optuna asks it: for one parameter after the other, of a trial that is there."""
        del study, number

    def resumed(self, study: Study, trial: FrozenTrial) -> Mapping[str, Any]:
        """Ask for those that the trial has not got: the earlier run may have been killed between two of them."""
        asked = Trial(study, trial._trial_id)
        self.space.suggest(asked)
        return asked.params

    def told(
        self, study: Study, storage: BaseStorage, trial_id: int, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Tell it."""
        self.after_trial(study, storage.get_trial(trial_id), state, values)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Ask it."""
        return self._for(trial).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Ask it."""
        return self._for(trial).sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        """Ask it, with a seed for this parameter: one that was drawn before a kill is not drawn again."""
        return self._for(trial, 1 + self._names.index(name)).sample_independent(study, trial, name, distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Tell it."""
        self._for(trial).before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Tell it."""
        self._for(trial).after_trial(study, trial, state, values)
