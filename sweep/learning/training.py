"""The trainer: a population of trials, stacked, through all epochs.

Read `train` first, then `_Loop.run_epoch`. What moves is in `sweep.learning.population`.

The sentence that everything here serves: a trial's result depends on its configuration and its seed and on nothing
else. Rows never meet in a sum, shapes do not decide the order of one, and a diverged row is taken out by index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.functions import sum_first
from sweep.learning.hyper import Array
from sweep.learning.machine import steady
from sweep.learning.network import Architecture, StackedNetwork
from sweep.learning.population import Population
from sweep.learning.splits import Data, Part
from sweep.learning.streams import stream

EVALUATION_BLOCK = 256  # samples evaluated at once
CACHE = 5 * 2**20  # bytes that a population may touch in a step, see `Settings.population`
MOST_ROWS = 128
GATHERED_STEPS = 8  # minibatches gathered at once: cheaper than one by one, and they stay in the cache
ROUNDING = 1e-4  # a loss is above another if by more than this share: with one step an epoch the first equals the start


@dataclass(frozen=True, slots=True)
class Settings:
    """How every trial of a study is trained: the network and the budget.

    `replicates` trainings of each configuration differ in initial weights and minibatch order. The last minibatch of
    an epoch is smaller where `batch_size` does not divide the training part.
    """

    hidden: tuple[int, ...] = (32,)
    activation: str = "relu"
    initial_weights: str = "he"
    dtype: str = "float32"
    epochs: int = 30
    batch_size: int = 32
    replicates: int = 1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "replicates"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise UsageError(f"{name} = {value}: must be a whole number, at least 1")

    def steps(self, samples: int) -> int:
        """Updates in an epoch of so many samples."""
        return -(-samples // self.batch_size)

    def population(self, data: Data) -> int:
        """How many rows are best trained at once: as many as `CACHE` holds of what a step touches.

        More rows share the fixed cost of a step, until they push one another out of the cache. Measured on one core
        with 1 MB of second-level cache, in ms a trial, for 1, 8, 32 and 128 rows: 44, 13, 9.7, 8.8 where a row takes 50
        kB (64-32-10, minibatches of 32), so more is better; 187, 108, 125, 135 where it takes 690 kB (64-128-128-10,
        minibatches of 128), so 8 are best.
        """
        row = self.architecture(data).bytes_per_row(self.batch_size)
        return min(MOST_ROWS, max(1, CACHE // row))

    def architecture(self, data: Data) -> Architecture:
        """The network for a data set."""
        sizes = (data.inputs, *self.hidden, data.outputs)
        return Architecture(sizes, data.loss, self.activation, self.initial_weights, self.dtype)


@dataclass(frozen=True, slots=True)
class Training:
    """What the training of T configurations, R replicates each, over E epochs gave.

    Attributes
    ----------
    learning_rate, train_loss, validation_loss, validation_error : array, shape (T, R, E + 1)
        Epoch 0 is before training. `learning_rate` is that of the epoch's last update (epoch 0: of the first update to
        come). `train_loss` is the mean over the training part of the loss that each sample had when its minibatch was
        used. NaN after a trial has stopped.
    epochs : array of int, shape (T,)
        Epochs trained.
    diverged_at : array of int, shape (T,)
        The epoch after which a trial was found diverged; -1: it was not.
    parameters : array, shape (T, R, parameters)
        At the end.
    """

    learning_rate: Array
    train_loss: Array
    validation_loss: Array
    validation_error: Array
    epochs: Array
    diverged_at: Array
    parameters: Array


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
    data: Data,
    settings: Settings,
    seed: int,
    *,
    script: Script | None = None,
    watch: Watch | None = None,
    compiled: bool | None = None,
) -> Training:
    """Train all configurations together, as one array program.

    A trial is *diverged* when, after an epoch, a loss is not finite, or both the training loss and the validation loss
    are above those before training (by more than a rounding), in any replicate. It then stops. The training loss alone
    can be high in the first epoch of a training that recovers; the validation loss alone rises when a network overfits.

    Parameters
    ----------
    configurations : sequence of Configuration
        One a trial; optimizers and schedules may be mixed.
    data : Data
        Its training and validation parts are used, its test part is not.
    settings : Settings
    seed : int
        With a configuration it decides everything.
    script : Script, optional
        Decides in place of the seed.
    watch : callable, optional
        Called with the number of epochs trained and the population, before training and after each epoch.
    compiled : bool, optional
        The executor of the updates; no result depends on it. Left out: compiled, if numba is there.

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
    if script:
        _check(script, data, settings)
    with steady():
        loop = _Loop(configurations, data, settings, script or _drawn(data, settings, seed), script is None, compiled)
        for epoch in range(settings.epochs + 1):
            if epoch:
                loop.run_epoch(epoch)
            if not len(loop.population.trials):
                break
            if watch:
                watch(epoch, loop.population)
        return loop.finish()


def _check(script: Script, data: Data, settings: Settings) -> None:
    """Raise `UsageError` unless a script fits the data and the settings."""
    initial = settings.replicates, settings.architecture(data).parameters
    if np.shape(script.initial) != initial:
        raise UsageError(f"script.initial: shape {np.shape(script.initial)}: must be {initial}")
    orders = settings.epochs, settings.replicates
    if np.ndim(script.orders) != 3 or np.shape(script.orders)[:2] != orders or not np.size(script.orders):
        raise UsageError(f"script.orders: shape {np.shape(script.orders)}: must be {(*orders, 'samples')}")
    if not 0 <= np.min(script.orders) <= np.max(script.orders) < len(data.train):
        raise UsageError(f"script.orders: must be numbers of samples, from 0 to {len(data.train) - 1}")


def _drawn(data: Data, settings: Settings, seed: int) -> _Drawn:
    """What the seed decides."""
    replicates, architecture = range(settings.replicates), settings.architecture(data)
    initial = np.stack([architecture.initial(stream(seed, "weights", r)) for r in replicates])
    return _Drawn(initial, len(data.train), [np.random.default_rng(stream(seed, "order", r)) for r in replicates])


@dataclass
class _Drawn:
    """Drawn initial parameters, and the orders of epochs, drawn one by one."""

    initial: Array
    samples: int
    randoms: Sequence[np.random.Generator]

    def order(self, epoch: int) -> Array:
        del epoch
        return np.stack([random.permutation(self.samples) for random in self.randoms])


class _Loop:
    """The state of one call of `train`: the population, the data in the network's layout, the curves so far."""

    def __init__(
        self,
        configurations: Sequence[Configuration],
        data: Data,
        settings: Settings,
        plan: Script | _Drawn,
        stopping: bool,
        compiled: bool | None,
    ) -> None:
        self.settings = settings
        self.architecture = settings.architecture(data)
        self.training = Samples.of(data.train, settings.dtype)
        self.validation = Samples.of(data.validation, settings.dtype)
        self.plan = plan
        self.stopping = stopping
        self.compiled = compiled
        self.result = self._empty(len(configurations))
        self._start(configurations)

    def _empty(self, trials: int) -> Training:
        shape = (trials, self.settings.replicates, self.settings.epochs + 1)
        return Training(
            learning_rate=np.full(shape, np.nan),
            train_loss=np.full(shape, np.nan),
            validation_loss=np.full(shape, np.nan),
            validation_error=np.full(shape, np.nan),
            epochs=np.zeros(trials, int),
            diverged_at=np.full(trials, -1),
            parameters=np.zeros((*shape[:2], self.architecture.parameters), self.settings.dtype),
        )

    def _start(self, configurations: Sequence[Configuration]) -> None:
        """Evaluate the initial networks, which trials share, and build the population from them."""
        initial = self.plan.initial.astype(self.settings.dtype)
        start = StackedNetwork(self.architecture, initial, self.settings.replicates, self.compiled)
        self.start_train, _ = self.training.evaluate(start)
        loss, error = self.validation.evaluate(start)
        self.start_loss = loss
        losses = loss, self.start_train
        self.population = Population.of(configurations, self.architecture, initial, losses, self.compiled)
        first = self.population.rates(np.zeros(2), np.zeros(2), per_trial=True)[..., 0]
        trials = self.population.trials
        self.result.learning_rate[trials, :, 0] = first
        self.result.train_loss[:, :, 0] = self.start_train
        self.result.validation_loss[:, :, 0] = loss
        self.result.validation_error[:, :, 0] = error

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
        for first, inputs, targets in self.training.minibatches(order, batch):
            parts = np.empty((len(inputs), 2, network.rows, inputs.shape[2]), self.settings.dtype)
            for place, part in enumerate(parts):
                network.train(inputs[place], targets[place], part)
                population.update(first + place)
            total += sum_first(network.losses(parts)).sum(axis=1, dtype=float)
        train_loss = total / samples
        loss, error = self.validation.evaluate(network)
        population.observe(loss, train_loss)
        self._record(epoch, rates[:, steps - 1], train_loss, loss, error)

    def _record(self, epoch: int, rate: Array, train_loss: Array, loss: Array, error: Array) -> None:
        trials = self.population.trials
        per_trial = (len(trials), self.settings.replicates)
        columns = [column.astype(float).reshape(per_trial) for column in (rate, train_loss, loss, error)]
        result = self.result
        curves = (result.learning_rate, result.train_loss, result.validation_loss, result.validation_error)
        for curve, column in zip(curves, columns, strict=True):
            curve[trials, :, epoch] = column
        result.epochs[trials] = epoch
        if not self.stopping:
            return
        _, train_now, now, _ = columns
        climbed = (train_now > (1 + ROUNDING) * self.start_train) & (now > (1 + ROUNDING) * self.start_loss)
        diverged = (climbed | ~np.isfinite(train_now) | ~np.isfinite(now)).any(axis=1)
        if diverged.any():
            result.diverged_at[trials[diverged]] = epoch
            self._save(diverged)
            self.population.keep(~diverged)

    def _save(self, which: Array) -> None:
        population = self.population
        shape = (len(population.trials), *self.result.parameters.shape[1:])
        self.result.parameters[population.trials[which]] = population.network.parameters.reshape(shape)[which]

    def finish(self) -> Training:
        """Collect the parameters of the trials that are still there."""
        self._save(np.ones(len(self.population.trials), bool))
        return self.result


@dataclass(frozen=True, slots=True)
class Samples:
    """One part of a data set in the network's layout and precision.

    `inputs` has shape ``(samples, inputs + 1)``, the last column being 1; `targets` ``(samples, outputs)``; `variance`
    is that of each target over this part.
    """

    inputs: Array
    targets: Array
    variance: Array

    @classmethod
    def of(cls, part: Part, dtype: str) -> Samples:
        """Lay a part out."""
        inputs = np.concatenate([part.inputs, np.ones((len(part), 1))], axis=1)
        variance = np.maximum(part.targets.var(axis=0), np.finfo(np.float32).tiny)
        return cls(inputs.astype(dtype), part.targets.astype(dtype), variance.astype(dtype))

    def __len__(self) -> int:
        return len(self.inputs)

    def minibatches(self, order: Array, batch: int) -> Iterator[tuple[int, Array, Array]]:
        """Walk samples in `order`, shape ``(replicates, samples)``.

        Yields several at a time: the number of the first, their inputs ``(steps, replicates, batch, inputs + 1)`` and
        targets ``(steps, outputs, replicates, batch)``. To gather them together is cheaper than one by one.
        """
        samples = order.shape[1]
        whole = samples // batch * batch
        starts = [*range(0, whole, batch * GATHERED_STEPS), *([whole] if whole < samples else [])]
        for start, stop in pairwise([*starts, samples]):
            chosen = order[:, start:stop].reshape(len(order), -1, min(batch, stop - start))
            inputs = self.inputs.take(chosen.transpose(1, 0, 2), axis=0)
            targets = np.ascontiguousarray(self.targets.take(chosen, axis=0).transpose(1, 3, 0, 2))
            yield start // batch, inputs, targets

    def evaluate(self, network: StackedNetwork) -> tuple[Array, Array]:
        """Mean loss and mean error of each row over all samples, both of shape ``(rows,)``, summed in float64."""
        loss, error = np.zeros(network.rows), np.zeros(network.rows)
        for start in range(0, len(self), EVALUATION_BLOCK):
            block = slice(start, start + EVALUATION_BLOCK)
            inputs = self.inputs[block][None]
            targets = np.ascontiguousarray(self.targets[block].T)[:, None]
            losses, errors = network.evaluate(inputs, targets, self.variance)
            loss += losses.sum(axis=1, dtype=float)
            error += errors.sum(axis=1, dtype=float)
        return loss / len(self), error / len(self)
