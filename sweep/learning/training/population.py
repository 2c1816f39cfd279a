"""A population: trials stacked, with the state of their optimizers and schedules.

Trials are sorted by optimizer, and by what of its state they use, so that each optimizer works on a contiguous slice of
rows and what a trial leaves unused is not there. A schedule needs no such place: it only fills its rows of the matrix
of rates. Stopped trials are taken out by index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Array, stack
from sweep.learning.network.executors import State, Update, update_function
from sweep.learning.network.stacked import Architecture, StackedNetwork
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.base import State as ScheduleState


@dataclass
class OptimizerGroup:
    """The rows of one optimizer that use the same of its state.

    Attributes
    ----------
    kind : tuple
        What the rows have in common.
    rows : slice
    rule : Optimizer
        The hyperparameters as ``(rows, 1)`` columns.
    parameters, gradient : array, shape (rows, parameters)
        The network's.
    state : tuple of arrays, shape (rows, parameters)
        None where the formula's state array is not used.
    coefficients : array, shape (steps, rows, coefficients)
        For the steps of the coming epoch.
    weight_decay : _WeightDecay, optional
        Where there is any.
    """

    kind: tuple[Any, ...]
    rows: slice
    rule: Optimizer
    parameters: Array
    gradient: Array
    state: State
    update: Update
    weight_decay: _WeightDecay | None
    coefficients: Array = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(
        cls, rows: slice, rules: Sequence[Optimizer], network: StackedNetwork, compiled: bool | None
    ) -> OptimizerGroup:
        """Form a group with fresh state; `rules` are those of its rows."""
        rule = stack(rules)
        count = rows.stop - rows.start
        parameters, gradient = network.parameters[rows], network.gradient[rows]
        state = tuple(_filled(parameters, value) for value in rule.start())
        width = len(rule.coefficients(np.ones((count, 2)), np.arange(2)))
        update = update_function(rule.formula, len(state), width, compiled=compiled)
        decays = bool(np.any(rule.weight_decay))
        weight_decay = _WeightDecay.of(rule, network.architecture) if decays else None
        return cls(_kind(rules[0]), rows, rule, parameters, gradient, state, update, weight_decay)

    def prepare(self, rates: Array, count: Array, samples: Array) -> None:
        """Work the coefficients of an epoch's steps out, in float64."""
        dtype = str(self.parameters.dtype)
        columns = self.rule.coefficients(rates[self.rows], count)
        self.coefficients = np.empty((len(count), len(rates[self.rows]), len(columns)), dtype)
        for place, column in enumerate(columns):
            self.coefficients[..., place].T[...] = column
        if self.weight_decay:
            self.weight_decay.prepare(rates[self.rows], samples, dtype)

    def step(self, step: int) -> None:
        """Move the group's rows of the parameters."""
        if self.weight_decay:
            self.weight_decay.apply(self.parameters, self.gradient, step)
        self.update(self.parameters, self.gradient, self.state, self.coefficients[step])


def _filled(like: Array, value: Any) -> Array | None:
    """An array of state at its start, or none."""
    return None if value is None else np.zeros_like(like) + np.asarray(value).astype(like.dtype)


@dataclass
class _WeightDecay:
    """Weight decay of some rows: what each step adds to the gradients, and what it takes off the parameters before.

    `share` is 1, or 0 at the biases of rows that leave them alone, shape ``(rows, parameters)``; `added` and `removed`
    have the shape ``(steps, rows, 1)``.
    """

    rule: Optimizer
    share: Array
    added: Array = field(default_factory=lambda: np.empty(0))
    removed: Array = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(cls, rule: Optimizer, architecture: Architecture) -> _WeightDecay:
        spared = architecture.biases & np.equal(rule.weight_decay_biases, 0.0)
        return cls(rule, np.where(spared, 0.0, 1.0).astype(architecture.dtype))

    def prepare(self, rates: Array, samples: Array, dtype: str) -> None:
        pulls = self.rule.weight_pulls(rates, samples)
        self.added, self.removed = (np.broadcast_to(pull, rates.shape).T[:, :, None].astype(dtype) for pull in pulls)

    def apply(self, parameters: Array, gradient: Array, step: int) -> None:
        decaying = self.share * parameters
        gradient += self.added[step] * decaying
        parameters -= self.removed[step] * decaying


@dataclass
class _ScheduleGroup:
    """The rows of one kind of schedule: their indices, the constants as columns, the state."""

    rows: Array
    rule: Schedule
    state: ScheduleState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One trial between two epochs: what its training goes on from.

    Attributes
    ----------
    parameters : array, shape (replicates, parameters)
    optimizer : tuple of arrays, shape (replicates, parameters)
        The state of the optimizer; None where it is not used.
    schedule : tuple of arrays, shape (replicates, 1)
        The state of the schedule.
    """

    parameters: Array
    optimizer: State
    schedule: ScheduleState


class Population:
    """Trials stacked: networks, optimizer state and schedule state, sorted by optimizer.

    Attributes
    ----------
    trials : array of int
        Which trial (its index in the configurations given) stands at each place; shrinks as trials are let go.
    network : StackedNetwork
        Row ``place * replicates + replicate``.
    """

    def __init__(
        self,
        trials: Array,
        configurations: Sequence[Configuration],
        network: StackedNetwork,
        compiled: bool | None = None,
    ) -> None:
        self.trials = trials
        self.network = network
        self.optimizers: list[OptimizerGroup] = []
        self._configurations = configurations
        self._compiled = compiled
        self._schedules: list[_ScheduleGroup] = []
        self._last = np.zeros((network.rows, 1)), np.zeros(1)  # the rates and the count of the epoch's last update

    @classmethod
    def of(
        cls,
        configurations: Sequence[Configuration],
        architecture: Architecture,
        initial: Array,
        losses: tuple[Array, Array],
        compiled: bool | None = None,
    ) -> Population:
        """Stack fresh trials on the initial parameters, shape ``(replicates, parameters)``.

        `losses` are the validation and the training loss of each replicate before training, shape ``(replicates,)``.
        `compiled` chooses the executor of the updates, see `sweep.learning.network.executors.update_function`.
        """
        trials = _by_kind(configurations)
        parameters = np.tile(initial, (len(trials), 1))
        network = StackedNetwork(architecture, parameters, len(initial), compiled)
        population = cls(trials, configurations, network, compiled)
        validation, training = (np.tile(loss, len(trials))[:, None] for loss in losses)
        population._group(validation, training)
        population._last = population.rates(np.zeros(2), np.zeros(2))[:, :1], np.zeros(1)
        return population

    @classmethod
    def paused(
        cls,
        configurations: Sequence[Configuration],
        architecture: Architecture,
        snapshots: Sequence[Snapshot],
        compiled: bool | None = None,
    ) -> Population:
        """Stack trials as they were in their snapshots, one for each configuration."""
        trials = _by_kind(configurations)
        ordered = [snapshots[trial] for trial in trials]
        parameters = np.concatenate([snapshot.parameters for snapshot in ordered])
        network = StackedNetwork(architecture, parameters, len(snapshots[0].parameters), compiled)
        population = cls(trials, configurations, network, compiled)
        population._restore(ordered)
        return population

    def _rows(self) -> list[Configuration]:
        """The configuration of every row."""
        replicates = self.network.replicates
        return [self._configurations[t] for t in self.trials for _ in range(replicates)]

    def _group(self, validation: Array, training: Array) -> None:
        """Form the groups, with fresh state."""
        rows = list(enumerate(self._rows()))
        for _, members in groupby(rows, key=lambda row: _kind(row[1].optimizer)):
            indices, configurations = zip(*members, strict=True)
            where = slice(indices[0], indices[-1] + 1)
            optimizers = [c.optimizer for c in configurations]
            self.optimizers.append(OptimizerGroup.of(where, optimizers, self.network, self._compiled))
        by_kind = sorted(rows, key=lambda row: row[1].schedule.name)
        for _, members in groupby(by_kind, key=lambda row: type(row[1].schedule)):
            indices, configurations = zip(*members, strict=True)
            schedules = [c.schedule for c in configurations]
            rule = type(schedules[0]).stacked(schedules)
            chosen = np.array(indices)
            self._schedules.append(_ScheduleGroup(chosen, rule, rule.start(validation[chosen], training[chosen])))
        self._base = np.array([[c.learning_rate] for _, c in rows])

    def rates(self, times: Array, count: Array, *, per_trial: bool = False) -> Array:
        """The learning rate of every row at the times (epochs), shape ``(rows, times)``, float64.

        `count` is the number of updates before each time. With `per_trial`, shape ``(trials, replicates, times)``. Give
        at least two times: for a single number NumPy takes other paths (a power of 2 becomes a product), and a lone
        trial would differ from one in company.
        """
        factors = np.empty((self.network.rows, len(times)))
        for group in self._schedules:
            factors[group.rows] = group.rule.factor(times, group.state)
        rates = np.asarray(self._base * factors)
        for optimizer in self.optimizers:
            rates[optimizer.rows] = optimizer.rule.rates(rates[optimizer.rows], count)
        return rates.reshape(len(self.trials), self.network.replicates, -1) if per_trial else rates

    def prepare(self, rates: Array, count: Array, samples: Array) -> None:
        """Get ready for an epoch's steps, from their rates, the number of updates before each, and minibatch sizes.

        One time more than there are steps is given; see `rates`.
        """
        self._last = rates[:, -2:-1], count[-2:-1]
        for group in self.optimizers:
            group.prepare(rates, count, samples)

    def effective_rates(self, at: tuple[Array, Array] | None = None) -> Array:
        """Each parameter's effective rate at the last update of the epoch, shape ``(rows, parameters)``, float64.

        Before training: what the first update's would be if it found the state as it is. `at` may give the rates,
        shape ``(rows, 1)``, and the count, shape ``(1,)``, of the update that has just been made.
        """
        found, (rates, count) = np.empty(self.network.parameters.shape), at or self._last
        for group in self.optimizers:
            found[group.rows] = group.rule.effective(rates[group.rows], count, group.state)
        return found

    def update(self, step: int) -> None:
        """Move the parameters by one step, from the network's gradient."""
        for group in self.optimizers:
            group.step(step)

    def observe(self, validation: Array, training: Array) -> None:
        """Show each schedule its rows' losses after an epoch, shape ``(rows,)``."""
        for group in self._schedules:
            losses = validation[group.rows, None], training[group.rows, None]
            group.state = group.rule.observe(group.state, *losses)

    def snapshots(self) -> list[Snapshot]:
        """Every trial as it is now, in the order of `trials`; the arrays are views."""
        replicates = self.network.replicates
        schedules = {
            group.rows[first]: tuple(slot[first : first + replicates] for slot in group.state)
            for group in self._schedules
            for first in range(0, len(group.rows), replicates)
        }
        found = []
        for group in self.optimizers:
            for first in range(0, group.rows.stop - group.rows.start, replicates):
                own = slice(first, first + replicates)
                state = tuple(None if slot is None else slot[own] for slot in group.state)
                found.append(Snapshot(group.parameters[own], state, schedules[group.rows.start + first]))
        return found

    def _restore(self, snapshots: Sequence[Snapshot]) -> None:
        """Form the groups, with the state of the snapshots, which are in the order of `trials`."""
        replicates = self.network.replicates
        self._group(*(np.zeros((self.network.rows, 1)),) * 2)
        for group in self.optimizers:
            held = snapshots[group.rows.start // replicates : group.rows.stop // replicates]
            group.state = tuple(_joined(slots) for slots in zip(*(s.optimizer for s in held), strict=True))
        for schedule in self._schedules:
            held = [snapshots[row // replicates] for row in schedule.rows[::replicates]]
            schedule.state = tuple(np.concatenate(slots) for slots in zip(*(s.schedule for s in held), strict=True))

    def keep(self, which: Array) -> None:
        """Let go of all trials but those that `which` marks, shape ``(trials,)``; states move with their rows."""
        rows = np.repeat(which, self.network.replicates)
        kept = [snapshot for snapshot, stays in zip(self.snapshots(), which, strict=True) if stays]
        self._last = self._last[0][rows], self._last[1]
        self.network = replace(self.network, parameters=self.network.parameters[rows])
        self.trials = self.trials[which]
        self.optimizers, self._schedules = [], []
        if kept:
            self._restore(kept)


def _by_kind(configurations: Sequence[Configuration]) -> Array:
    """The trials in the order in which a population has them."""
    kinds = [_kind(c.optimizer) for c in configurations]
    return np.array(sorted(range(len(kinds)), key=kinds.__getitem__))


def _kind(optimizer: Optimizer) -> tuple[Any, ...]:
    """What rows of one group have in common: the optimizer, which of its state is used, and whether weights decay."""
    unused = tuple(value is None for value in optimizer.start())
    return optimizer.name, unused, bool(optimizer.weight_decay)


def _joined(slots: Sequence[Array | None]) -> Array | None:
    """One array of state from those of several trials, or none."""
    held = [slot for slot in slots if slot is not None]
    return np.concatenate(held) if held else None
