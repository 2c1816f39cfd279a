"""The search space: what a study lets vary, and how one Optuna trial becomes one configuration and back.

Names in Optuna: ``optimizer``, ``schedule`` and ``learning_rate`` in every trial; a constant of an optimizer or a
schedule as ``kind.field`` (``rmsprop.decay``, ``step.every``; ``piecewise.boundaries.1`` for an element of a list),
and only in trials that use that kind. A hyperparameter with one possible value is fixed and is not a parameter of the
trial.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Choices, Fixed, Range, Search, contains
from sweep.learning.optimizers import OPTIMIZERS
from sweep.learning.schedules import SCHEDULES
from sweep.search.entries import Constants, written


@dataclass(frozen=True)
class Arm:
    """One optimizer with one schedule."""

    optimizer: str
    schedule: str

    def __str__(self) -> str:
        return f"{self.optimizer} x {self.schedule}"


@dataclass(frozen=True)
class Space:
    """What a study searches: plain numbers everywhere, no unit left to resolve.

    Attributes
    ----------
    learning_rate : Search
    optimizers, schedules : mapping
        Kind to its constants, in the order of the study file.
    """

    learning_rate: Search
    optimizers: Mapping[str, Constants]
    schedules: Mapping[str, Constants]

    @functools.cached_property
    def arms(self) -> list[Arm]:
        """Every optimizer with every schedule."""
        return [Arm(optimizer, schedule) for optimizer in self.optimizers for schedule in self.schedules]

    def entries(self, arm: Arm) -> dict[str, Search]:
        """Every number that a trial of this arm needs, by Optuna's name, fixed ones included."""
        found: dict[str, Search] = {"learning_rate": self.learning_rate}
        for kind, table in ((arm.optimizer, self.optimizers), (arm.schedule, self.schedules)):
            for field, search in table[kind].items():
                if isinstance(search, tuple):
                    found |= {f"{kind}.{field}.{i}": element for i, element in enumerate(search, start=1)}
                else:
                    found[f"{kind}.{field}"] = search
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
        kinds = parameters["optimizer"], parameters["schedule"]
        return {n: v for n, v in parameters.items() if "." not in n or n.partition(".")[0] in kinds}

    def suggest(self, trial: optuna.trial.BaseTrial) -> Configuration:
        """Let the study's sampler choose; only the constants of the chosen optimizer and schedule exist."""
        optimizer = trial.suggest_categorical("optimizer", tuple(self.optimizers))
        schedule = trial.suggest_categorical("schedule", tuple(self.schedules))
        arm = Arm(str(optimizer), str(schedule))
        return self._configuration(arm, {n: _suggest(trial, n, s) for n, s in self.entries(arm).items()})

    def configuration(self, parameters: Mapping[str, Any]) -> Configuration:
        """Make the configuration of a finished or running trial from its parameters."""
        arm = Arm(parameters["optimizer"], parameters["schedule"])
        entries = self.entries(arm).items()
        return self._configuration(arm, {n: s.value if isinstance(s, Fixed) else parameters[n] for n, s in entries})

    def _configuration(self, arm: Arm, values: Mapping[str, float]) -> Configuration:
        def constants(kind: str, table: Mapping[str, Constants]) -> dict[str, Any]:
            found: dict[str, Any] = {}
            for field, search in table[kind].items():
                name = f"{kind}.{field}"
                if isinstance(search, tuple):
                    found[field] = tuple(float(values[f"{name}.{i}"]) for i in range(1, len(search) + 1))
                else:
                    found[field] = float(values[name])
            return found

        optimizer = OPTIMIZERS[arm.optimizer](**constants(arm.optimizer, self.optimizers))
        schedule = SCHEDULES[arm.schedule](**constants(arm.schedule, self.schedules))
        return Configuration(float(values["learning_rate"]), optimizer, schedule)

    def misfit(self, parameters: Mapping[str, Any]) -> str:
        """Why a trial of this space cannot have these parameters; empty: it can."""
        for kind, table in (("optimizer", self.optimizers), ("schedule", self.schedules)):
            if parameters.get(kind) not in list(table):  # what stands in a file need not be hashable
                return f"{kind} = {parameters.get(kind)!r}: searched are {', '.join(table)}"
        entries = self.entries(Arm(parameters["optimizer"], parameters["schedule"]))
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
        kind, _, field = column.partition(".")
        if field:
            found[f"{row[kind]}.{field}"] = value
    return found


def _names(constants: Constants) -> Iterator[str]:
    for field, search in constants.items():
        if isinstance(search, tuple):
            yield from (f"{field}.{i}" for i in range(1, len(search) + 1))
        else:
            yield field


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
