"""The trainer: a population of trials, stacked, through all epochs.

Read `train` first, then `_Loop.run_epoch`. What moves is in `sweep.learning.training.population`.

The sentence that everything here serves: a trial's result depends on its configuration and its seed and on nothing
else. Rows never meet in a sum, shapes do not decide the order of one, and a diverged row is taken out by index.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data
from sweep.learning.hyper import Array
from sweep.learning.network.functions import sum_first
from sweep.learning.network.metrics import LOSS, VALIDATION, Measuring
from sweep.learning.network.stacked import StackedNetwork
from sweep.learning.seeds import stream
from sweep.learning.training.laid_out import LaidOut
from sweep.learning.training.machine import steady
from sweep.learning.training.minibatches import Samples
from sweep.learning.training.population import Population, Snapshot
from sweep.learning.training.settings import Settings

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the effective rates of a network's parameters
ROUNDING = 1e-4  # a loss is above another if by more than this share: with one step an epoch the first equals the start


@dataclass(frozen=True, slots=True)
class Training:
    """What the training of T configurations, R replicates each (on all splits together), over E epochs gave.

    Attributes
    ----------
    curves : mapping of arrays, shape (T, R, E + 1)
        Epoch 0 is before training. `learning_rate` is that of the epoch's last update (epoch 0: of the first update to
        come). `train_loss` is the mean over the training part of the loss that each sample had when its minibatch was
        used. `validation_loss`, `validation_error` and so on are the settings' metrics. NaN after a trial has stopped.
        All means are weighted where samples have weights, losses by those of classes too.
    epochs : array of int, shape (T,)
        Epochs trained.
    diverged_at : array of int, shape (T,)
        The epoch after which a trial was found diverged; -1: it was not.
    parameters : array, shape (T, R, parameters)
        At the end.
    effective_rate : array, shape (T, R, E + 1, Q)
        `QUANTILES` over the parameters of the effective rate at the epoch's last update (epoch 0: at the very first
        update); Q is 0 unless the settings ask for it.
    paused : Pause, optional
        What the trials go on from that have not stopped, if the training was to end before its last epoch.
    """

    curves: Mapping[str, Array]
    epochs: Array
    diverged_at: Array
    parameters: Array
    effective_rate: Array
    paused: Pause | None = None

    @classmethod
    def empty(cls, trials: int, settings: Settings, parameters: int = 0) -> Training:
        """Room for what so many trials will give; of their parameters as many as are to be kept."""
        shape = (trials, settings.trainings, settings.epochs + 1)
        return cls(
            {name: np.full(shape, np.nan) for name in settings.curves},
            epochs=np.zeros(trials, int),
            diverged_at=np.full(trials, -1),
            parameters=np.zeros((*shape[:2], parameters), settings.dtype),
            effective_rate=np.full((*shape, len(QUANTILES) if settings.effective_rates else 0), np.nan),
        )

    @property
    def learning_rate(self) -> Array:
        """Its curve."""
        return self.curves["learning_rate"]

    @property
    def train_loss(self) -> Array:
        """Its curve."""
        return self.curves["train_loss"]

    @property
    def validation_loss(self) -> Array:
        """Its curve."""
        return self.curves["validation_loss"]

    @property
    def validation_error(self) -> Array:
        """Its curve."""
        return self.curves["validation_error"]


@dataclass(frozen=True, slots=True)
class Pause:
    """Trials between two epochs.

    Attributes
    ----------
    epoch : int
        Epochs trained.
    start : tuple of two arrays, shape (replicates,)
        The training and the validation loss before training.
    trials : mapping
        Which trial, by its place in the configurations, to its snapshot.
    """

    epoch: int
    start: tuple[Array, Array]
    trials: Mapping[int, Snapshot]


@dataclass(frozen=True, slots=True)
class Script:
    """A training prescribed to the letter: what otherwise the seed decides. Then no trial is stopped, diverged or not.

    Attributes
    ----------
    initial : array, shape (replicates, parameters)
        Where the parameters start; each layer's weights row by row, then its biases.
    orders : array of int, shape (epochs, replicates, samples)
        Which samples of the training part an epoch uses, in which order: any number of them, one more than once.
    """

    initial: Array
    orders: Array

    def order(self, epoch: int) -> Array:
        """The order of an epoch, counted from 1."""
        return np.asarray(self.orders[epoch - 1])


Watch = Callable[[int, Population], None]


def train(
    configurations: Sequence[Configuration],
    data: Data | LaidOut,
    settings: Settings,
    seed: int,
    *,
    script: Script | None = None,
    watch: Watch | None = None,
    compiled: bool | None = None,
    begin: Pause | None = None,
    until: int | None = None,
) -> Training:
    """Train all configurations together, as one array program.

    A trial is *diverged* when, after an epoch, a loss is not finite, or both the training loss and the validation loss
    are above those before training (by more than a rounding), in any replicate. It then stops. The training loss alone
    can be high in the first epoch of a training that recovers; the validation loss alone rises when a network overfits.

    Parameters
    ----------
    configurations : sequence of Configuration
        One a trial; optimizers and schedules may be mixed.
    data : Data or LaidOut
        Its training and validation parts are used, its test part is not. As many splits as the settings say.
    settings : Settings
    seed : int
        With a configuration and the data it decides everything.
    script : Script, optional
        Decides in place of the seed.
    watch : callable, optional
        Called with the number of epochs trained and the population, before training and after each epoch.
    compiled : bool, optional
        The executor of the updates; no result depends on it. Left out: compiled, if numba is there.
    begin : Pause, optional
        Go on from there: one snapshot for each configuration. Other trials may have been beside them, or none. Curves
        are NaN before that epoch.
    until : int, optional
        The epoch to pause after. Left out: the last.

    Returns
    -------
    Training
        In the order of `configurations`.

    Raises
    ------
    UsageError
        There is no configuration.
    """
    if not configurations:
        raise UsageError("train: no configurations given: give at least one")
    if data.facts.splits != settings.splits:
        raise UsageError(f"train: data of {data.facts.splits} splits, settings for {settings.splits}: must be as many")
    if script:
        _check(script, data, settings)
    with steady():
        plan = script or _drawn(data, settings, seed)
        loop = _Loop(configurations, data, settings, plan, begin, compiled)
        last = settings.epochs if until is None else until
        for epoch in range(loop.epoch, last + 1):
            if epoch > loop.epoch:
                loop.run_epoch(epoch)
            if not len(loop.population.trials):
                break
            if watch:
                watch(epoch, loop.population)
        return loop.finish(last)


def _check(script: Script, data: Data | LaidOut, settings: Settings) -> None:
    """Raise `UsageError` unless a script fits the data and the settings."""
    initial = settings.trainings, settings.architecture(data.facts).parameters
    if np.shape(script.initial) != initial:
        raise UsageError(f"script.initial: shape {np.shape(script.initial)}: must be {initial}")
    orders = settings.epochs, settings.trainings
    if np.ndim(script.orders) != 3 or np.shape(script.orders)[:2] != orders or not np.size(script.orders):
        raise UsageError(f"script.orders: shape {np.shape(script.orders)}: must be {(*orders, 'samples')}")
    samples = len(data.train.inputs)
    if not 0 <= np.min(script.orders) <= np.max(script.orders) < samples:
        raise UsageError(f"script.orders: must be numbers of samples, from 0 to {samples - 1}")


def _drawn(data: Data | LaidOut, settings: Settings, seed: int) -> _Drawn:
    """What the seed decides."""
    trainings, architecture = range(settings.trainings), settings.architecture(data.facts)
    initial = np.stack([architecture.initial(stream(seed, "weights", r)) for r in trainings])
    randoms = [np.random.default_rng(stream(seed, "order", r)) for r in trainings]
    return _Drawn(initial, len(data.train), settings.replicates, randoms)


@dataclass
class _Drawn:
    """Drawn initial parameters, and the orders of epochs, drawn one by one: each training within its own split."""

    initial: Array
    samples: int
    replicates: int
    randoms: Sequence[np.random.Generator]

    def order(self, epoch: int) -> Array:
        del epoch
        own = [place // self.replicates * self.samples for place in range(len(self.randoms))]
        orders = [random.permutation(self.samples) + first for random, first in zip(self.randoms, own, strict=True)]
        return np.stack(orders)


class _Loop:
    """The state of one call of `train`: the population, the data in the network's layout, the curves so far."""

    def __init__(
        self,
        configurations: Sequence[Configuration],
        data: Data | LaidOut,
        settings: Settings,
        plan: Script | _Drawn,
        begin: Pause | None,
        compiled: bool | None,
    ) -> None:
        self.settings = settings
        self.architecture = settings.architecture(data.facts)
        self.training = Samples.of(data.train, settings.dtype)
        self.validation = Samples.of(data.validation, settings.dtype)
        self.plan = plan
        self.stopping = not isinstance(plan, Script)
        self.compiled = compiled
        self.measuring = Measuring(data.facts.task, settings.metrics)
        self.result = Training.empty(len(configurations), settings, self.architecture.parameters)
        self.epoch = 0  # trained before
        if begin:
            self._go_on(configurations, begin)
        else:
            self._start(configurations)

    def _start(self, configurations: Sequence[Configuration]) -> None:
        """Evaluate the initial networks, which trials share, and build the population from them."""
        initial = self.plan.initial.astype(self.settings.dtype)
        start = StackedNetwork(self.architecture, initial, self.settings.trainings, self.compiled)
        self.start_train = self.training.evaluate(start, Measuring(self.measuring.task, (LOSS,)))[LOSS]
        measured = self.validation.evaluate(start, self.measuring)
        self.start_loss = measured[LOSS]
        losses = self.start_loss, self.start_train
        self.population = Population.of(configurations, self.architecture, initial, losses, self.compiled)
        first = self.population.rates(np.zeros(2), np.zeros(2), per_trial=True)[..., 0]
        trials = self.population.trials
        self.result.learning_rate[trials, :, 0] = first
        self.result.train_loss[:, :, 0] = self.start_train
        for name, values in measured.items():
            self.result.curves[VALIDATION + name][:, :, 0] = values

    def _go_on(self, configurations: Sequence[Configuration], begin: Pause) -> None:
        """Build the population from the snapshots; draw what the epochs before have used of the plan."""
        self.epoch = begin.epoch
        self.start_train, self.start_loss = begin.start
        snapshots = [begin.trials[place] for place in range(len(configurations))]
        self.population = Population.paused(configurations, self.architecture, snapshots, self.compiled)
        self.result.epochs[:] = begin.epoch
        for epoch in range(1, begin.epoch + 1):
            self.plan.order(epoch)

    def run_epoch(self, epoch: int) -> None:
        """Train one epoch, evaluate, record, and let go of what has diverged."""
        population, network = self.population, self.population.network
        order, batch = self.plan.order(epoch), self.settings.batch_size
        samples = order.shape[1]
        steps = self.settings.steps(samples)
        count = (epoch - 1) * steps + np.arange(steps + 1)
        rates = population.rates(count / steps, count)
        population.prepare(rates, count, np.minimum(batch, samples - batch * np.arange(steps + 1)))
        total = np.zeros(network.rows)
        for first, inputs, targets, weights in self.training.minibatches(order, batch):
            parts = np.empty((len(inputs), 2, network.rows, inputs.shape[2]), self.settings.dtype)
            for place, part in enumerate(parts):
                network.train(inputs[place], targets[place], part, None if weights is None else weights[place])
                population.update(first + place)
                if epoch == 1 and first + place == 0:
                    self._record_effective(0, (rates[:, :1], count[:1]))
            total += sum_first(network.losses(parts, weights)).sum(axis=1, dtype=float)
        train_loss = total / np.tile(self.training.weight(order), len(population.trials))
        measured = self.validation.evaluate(network, self.measuring)
        population.observe(measured[LOSS], train_loss)
        self._record(epoch, rates[:, steps - 1], train_loss, measured)

    def _record(self, epoch: int, rate: Array, train_loss: Array, measured: Mapping[str, Array]) -> None:
        trials = self.population.trials
        per_trial = (len(trials), self.settings.trainings)
        columns = [column.astype(float).reshape(per_trial) for column in (rate, train_loss, *measured.values())]
        result = self.result
        for name, column in zip(self.settings.curves, columns, strict=True):
            result.curves[name][trials, :, epoch] = column
        result.epochs[trials] = epoch
        self._record_effective(epoch)
        if not self.stopping:
            return
        train_now, now = result.train_loss[trials, :, epoch], result.validation_loss[trials, :, epoch]
        climbed = (train_now > (1 + ROUNDING) * self.start_train) & (now > (1 + ROUNDING) * self.start_loss)
        diverged = np.asarray((climbed | ~np.isfinite(train_now) | ~np.isfinite(now)).any(axis=1))
        if diverged.any():
            result.diverged_at[trials[diverged]] = epoch
            self._save(diverged)
            self.population.keep(~diverged)

    def _record_effective(self, epoch: int, at: tuple[Array, Array] | None = None) -> None:
        """Record the quantiles of the effective rates, if they are asked for."""
        if self.settings.effective_rates:
            rates = np.quantile(self.population.effective_rates(at), QUANTILES, axis=1).T
            shape = (len(self.population.trials), self.settings.trainings, len(QUANTILES))
            self.result.effective_rate[self.population.trials, :, epoch] = rates.reshape(shape)

    def _save(self, which: Array) -> None:
        population = self.population
        shape = (len(population.trials), *self.result.parameters.shape[1:])
        self.result.parameters[population.trials[which]] = population.network.parameters.reshape(shape)[which]

    def finish(self, last: int) -> Training:
        """Collect the parameters of the trials that are still there; what they go on from, if there is more to come."""
        self._save(np.ones(len(self.population.trials), bool))
        if last == self.settings.epochs:
            return self.result
        trials = dict(zip(self.population.trials.tolist(), self.population.snapshots(), strict=True))
        return replace(self.result, paused=Pause(last, (self.start_train, self.start_loss), trials))
