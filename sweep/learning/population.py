"""A population: trials stacked, with the state of their optimizers and schedules.

Trials are sorted by optimizer, so that each optimizer works on a contiguous slice of rows. A schedule needs no such
place: it only fills its rows of the matrix of rates. Stopped trials are taken out by index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from sweep.learning.configuration import Configuration
from sweep.learning.executors import Update, update_function
from sweep.learning.hyper import Array, stack
from sweep.learning.network import Architecture, StackedNetwork
from sweep.learning.optimizers import Optimizer
from sweep.learning.schedules import Schedule, State


@dataclass
class _OptimizerGroup:
    """The rows of one optimizer: a slice, the hyperparameters as columns, the state, and the update."""

    rows: slice
    rule: Optimizer
    state: tuple[Array, ...]
    update: Update
    coefficients: Array = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(cls, rows: slice, rules: Sequence[Optimizer], parameters: Array) -> _OptimizerGroup:
        rule = stack(rules)
        count = rows.stop - rows.start
        like = parameters[rows]
        state = tuple(np.zeros_like(like) + np.asarray(value).astype(like.dtype) for value in rule.start())
        width = len(rule.coefficients(np.ones((count, 2)), np.arange(2)))
        return cls(rows, rule, state, update_function(rule.formula, len(state), width))

    def prepare(self, rates: Array, count: Array, dtype: str) -> None:
        """Work the coefficients of an epoch's steps out, in float64: shape ``(steps, rows, coefficients)``."""
        shape = rates[self.rows].shape
        columns = self.rule.coefficients(rates[self.rows], count)
        spread = [np.broadcast_to(column, shape).T for column in columns]
        self.coefficients = np.ascontiguousarray(np.stack(spread, axis=-1).astype(dtype))


@dataclass
class _ScheduleGroup:
    """The rows of one kind of schedule: their indices, the constants as columns, the state."""

    rows: Array
    rule: Schedule
    state: State


class Population:
    """Trials stacked: networks, optimizer state and schedule state, sorted by optimizer.

    Attributes
    ----------
    trials : array of int
        Which trial (its index in the configurations given) stands at each place; shrinks as trials are let go.
    network : StackedNetwork
        Row ``place * replicates + replicate``.
    """

    def __init__(self, trials: Array, configurations: Sequence[Configuration], network: StackedNetwork) -> None:
        self.trials = trials
        self.network = network
        self._configurations = configurations
        self._optimizers: list[_OptimizerGroup] = []
        self._schedules: list[_ScheduleGroup] = []

    @classmethod
    def of(
        cls, configurations: Sequence[Configuration], architecture: Architecture, initial: Array, loss: Array
    ) -> Population:
        """Stack fresh trials on the initial parameters, shape ``(replicates, parameters)``.

        `loss` is the validation loss of each replicate before training, shape ``(replicates,)``.
        """
        trials = np.argsort([c.optimizer.name for c in configurations], kind="stable")
        parameters = np.tile(initial, (len(trials), 1))
        population = cls(trials, configurations, StackedNetwork(architecture, parameters, len(initial)))
        population._group(np.tile(loss, len(trials))[:, None])
        return population

    def _rows(self) -> list[Configuration]:
        """The configuration of every row."""
        replicates = self.network.replicates
        return [self._configurations[t] for t in self.trials for _ in range(replicates)]

    def _group(self, loss: Array) -> None:
        """Form the groups, with fresh state."""
        rows = list(enumerate(self._rows()))
        for _, members in groupby(rows, key=lambda row: type(row[1].optimizer)):
            indices, configurations = zip(*members, strict=True)
            where = slice(indices[0], indices[-1] + 1)
            optimizers = [c.optimizer for c in configurations]
            self._optimizers.append(_OptimizerGroup.of(where, optimizers, self.network.parameters))
        by_kind = sorted(rows, key=lambda row: row[1].schedule.name)
        for _, members in groupby(by_kind, key=lambda row: type(row[1].schedule)):
            indices, configurations = zip(*members, strict=True)
            rule = stack([c.schedule for c in configurations])
            chosen = np.array(indices)
            self._schedules.append(_ScheduleGroup(chosen, rule, rule.start(loss[chosen])))
        self._base = np.array([[c.learning_rate] for _, c in rows])

    def rates(self, times: Array, *, per_trial: bool = False) -> Array:
        """The learning rate of every row at the times (epochs), shape ``(rows, times)``, float64.

        With `per_trial`, shape ``(trials, replicates, times)``. Give at least two times: for a single number NumPy
        takes other paths (a power of 2 becomes a product), and a lone trial would differ from one in company.
        """
        factors = np.empty((self.network.rows, len(times)))
        for group in self._schedules:
            factors[group.rows] = group.rule.factor(times, group.state)
        rates = np.asarray(self._base * factors)
        return rates.reshape(len(self.trials), self.network.replicates, -1) if per_trial else rates

    def prepare(self, rates: Array, count: Array) -> None:
        """Get ready for an epoch's steps, from their rates and the number of updates before each."""
        for group in self._optimizers:
            group.prepare(rates, count, str(self.network.parameters.dtype))

    def update(self, step: int) -> None:
        """Move the parameters by one step, from the network's gradient."""
        network = self.network
        for group in self._optimizers:
            rows = group.rows
            group.update(network.parameters[rows], network.gradient[rows], group.state, group.coefficients[step])

    def observe(self, loss: Array) -> None:
        """Show each schedule its rows' validation loss after an epoch, shape ``(rows,)``."""
        for group in self._schedules:
            group.state = group.rule.observe(group.state, loss[group.rows, None])

    def keep(self, which: Array) -> None:
        """Let go of all trials but those that `which` marks, shape ``(trials,)``; states move with their rows."""
        rows = np.repeat(which, self.network.replicates)
        optimizers, schedules = self._optimizers, self._schedules
        kept = self.network.parameters[rows]
        self.network = StackedNetwork(self.network.architecture, kept, self.network.replicates)
        self.trials = self.trials[which]
        self._optimizers, self._schedules = [], []
        if not len(self.trials):
            return
        self._group(np.zeros((len(kept), 1)))
        states = {type(g.rule): tuple(slot[rows[g.rows]] for slot in g.state) for g in optimizers}
        for optimizer in self._optimizers:
            optimizer.state = states[type(optimizer.rule)]
        held = {type(g.rule): tuple(slot[rows[g.rows]] for slot in g.state) for g in schedules}
        for schedule in self._schedules:
            schedule.state = held[type(schedule.rule)]
