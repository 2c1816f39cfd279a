"""The search space: what a study lets vary, and how one Optuna trial becomes one configuration and back.

Names in Optuna: ``optimizer``, ``schedule`` and ``learning_rate`` in every trial; a constant of an optimizer or a
schedule as ``name.field`` (``rmsprop.decay``, ``step.every``; ``piecewise.boundaries.1`` for an element of a list),
and only in trials that use it. The name is that of its kind, or one that the study has given (``like``). A
hyperparameter with one possible value is fixed and is not a parameter of the trial.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Choices, Fixed, Range, Search, contains
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.search.space.entries import Constants, written


@dataclass(frozen=True)
class Arm:
    """One optimizer with one schedule, by the names that they have in the study."""

    optimizer: str
    schedule: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Arm:
        """The arm of a trial, from its parameters or its row in the table of trials."""
        return cls(str(row["optimizer"]), str(row["schedule"]))

    def __str__(self) -> str:
        return f"{self.optimizer} x {self.schedule}"


@dataclass(frozen=True)
class Space:
    """What a study searches: plain numbers everywhere, no unit left to resolve.

    Attributes
    ----------
    learning_rate : Search
    optimizers, schedules : mapping
        Name to its constants, in the order of the study file.
    like : mapping
        Which kind of optimizer or schedule a name stands for, if it is not that of the kind.
    """

    learning_rate: Search
    optimizers: Mapping[str, Constants]
    schedules: Mapping[str, Constants]
    like: Mapping[str, str] = field(default_factory=dict)

    @functools.cached_property
    def arms(self) -> list[Arm]:
        """Every optimizer with every schedule."""
        return [Arm(optimizer, schedule) for optimizer in self.optimizers for schedule in self.schedules]

    def entries(self, arm: Arm) -> dict[str, Search]:
        """Every number that a trial of this arm needs, by Optuna's name, fixed ones included."""
        found: dict[str, Search] = {"learning_rate": self.learning_rate}
        for name, table in ((arm.optimizer, self.optimizers), (arm.schedule, self.schedules)):
            for key, search in table[name].items():
                if isinstance(search, tuple):
                    found |= {f"{name}.{key}.{i}": element for i, element in enumerate(search, start=1)}
                else:
                    found[f"{name}.{key}"] = search
        return found

    def distributions(self) -> dict[str, BaseDistribution]:
        """Optuna's distribution of every parameter that some trial may have."""
        found: dict[str, BaseDistribution] = {
            "optimizer": CategoricalDistribution(tuple(self.optimizers)),
            "schedule": CategoricalDistribution(tuple(self.schedules)),
        }
        for arm in self.arms:
            entries = self.entries(arm).items()
            found |= {name: _distribution(search) for name, search in entries if not isinstance(search, Fixed)}
        return found

    def active(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the parameters that a trial with this optimizer and this schedule has."""
        names = parameters["optimizer"], parameters["schedule"]
        return {n: v for n, v in parameters.items() if "." not in n or n.partition(".")[0] in names}

    def suggest(self, trial: optuna.trial.BaseTrial) -> Configuration:
        """Let the study's sampler choose; only the constants of the chosen optimizer and schedule exist."""
        optimizer = trial.suggest_categorical("optimizer", tuple(self.optimizers))
        schedule = trial.suggest_categorical("schedule", tuple(self.schedules))
        arm = Arm(str(optimizer), str(schedule))
        return self._configuration(arm, {n: _suggest(trial, n, s) for n, s in self.entries(arm).items()})

    def configuration(self, parameters: Mapping[str, Any]) -> Configuration:
        """Make the configuration of a finished or running trial from its parameters."""
        arm = Arm.of(parameters)
        entries = self.entries(arm).items()
        return self._configuration(arm, {n: s.value if isinstance(s, Fixed) else parameters[n] for n, s in entries})

    def _configuration(self, arm: Arm, values: Mapping[str, float]) -> Configuration:
        def constants(name: str, table: Mapping[str, Constants]) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for key, search in table[name].items():
                parameter = f"{name}.{key}"
                if isinstance(search, tuple):
                    found[key] = tuple(float(values[f"{parameter}.{i}"]) for i in range(1, len(search) + 1))
                else:
                    found[key] = float(values[parameter])
            return found

        optimizer = OPTIMIZERS[self.kind(arm.optimizer)](**constants(arm.optimizer, self.optimizers))
        schedule = SCHEDULES[self.kind(arm.schedule)](**constants(arm.schedule, self.schedules))
        return Configuration(float(values["learning_rate"]), optimizer, schedule)

    def kind(self, name: str) -> str:
        """What a name of the study is called in `OPTIMIZERS` or `SCHEDULES`."""
        return self.like.get(name, name)

    def misfit(self, parameters: Mapping[str, Any]) -> str:
        """Why a trial of this space cannot have these parameters; empty: it can."""
        for kind, table in (("optimizer", self.optimizers), ("schedule", self.schedules)):
            if parameters.get(kind) not in list(table):  # what stands in a file need not be hashable
                return f"{kind} = {parameters.get(kind)!r}: searched are {', '.join(table)}"
        entries = self.entries(Arm.of(parameters))
        needed = {"optimizer", "schedule", *(n for n, search in entries.items() if not isinstance(search, Fixed))}
        for name in sorted(needed ^ set(parameters)):
            return f"{name}: " + ("is needed and not there" if name in needed else "is no parameter of such a trial")
        for name in sorted(needed & set(entries)):
            if not contains(entries[name], parameters[name]):
                return f"{name} = {parameters[name]!r}: not among what is searched ({written(entries[name])})"
        return ""

    def columns(self) -> list[str]:
        """The dotted names of all hyperparameters that some trial has, as the table of trials names them."""
        found: dict[str, None] = {}
        for prefix, table in (("optimizer", self.optimizers), ("schedule", self.schedules)):
            found |= dict.fromkeys(f"{prefix}.{name}" for constants in table.values() for name in _names(constants))
        return list(found)


def parameters_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the table of trials, without what does not apply to it, by Optuna's names; fixed numbers included."""
    found = {name: row[name] for name in ("optimizer", "schedule", "learning_rate")}
    for column, value in row.items():
        word, _, key = column.partition(".")
        if key:
            found[f"{row[word]}.{key}"] = value
    return found


def _names(constants: Constants) -> Iterator[str]:
    for key, search in constants.items():
        if isinstance(search, tuple):
            yield from (f"{key}.{i}" for i in range(1, len(search) + 1))
        else:
            yield key


def _distribution(search: Range | Choices) -> BaseDistribution:
    if isinstance(search, Choices):
        return CategoricalDistribution(search.values)
    if search.integer:
        return IntDistribution(int(search.low), int(search.high), log=search.log)
    return FloatDistribution(search.low, search.high, log=search.log)


def _suggest(trial: optuna.trial.BaseTrial, name: str, search: Search) -> float:
    match search:
        case Fixed(value):
            return value
        case Choices(values):
            return float(trial.suggest_categorical(name, values))
        case Range(low, high, log, True):
            return trial.suggest_int(name, int(low), int(high), log=log)
        case Range(low, high, log):
            return trial.suggest_float(name, low, high, log=log)
