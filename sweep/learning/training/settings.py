"""How every trial of a study is trained: its network, its budget, and what is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweep.errors import Problem, UsageError
from sweep.learning.data.parts import Data, Facts
from sweep.learning.network.functions import LOSSES, misfit
from sweep.learning.network.metrics import ALWAYS, curve_names
from sweep.learning.network.stacked import Architecture

CACHE = 5 * 2**20  # bytes that a population may touch in a step, see `Settings.population`
MOST_ROWS = 128


@dataclass(frozen=True, slots=True)
class Settings:
    """How every trial of a study is trained: the network and the budget.

    `replicates` trainings of each configuration on each of its `splits` differ in initial weights and minibatch order.
    Together these are the trial's `trainings`: rows of the population, replicates of one split beside one another, and
    whatever has an axis for replicates has all of them on it. The last minibatch of an epoch is smaller where
    `batch_size` does not divide the training part. With `effective_rates`, quantiles of them are recorded each epoch.
    Without a `loss` it is the one that follows from the data's task. The `metrics` are what is measured on the
    validation part (and on the test part, once that is opened).
    """

    hidden: tuple[int, ...] = (32,)
    activation: str = "relu"
    initial_weights: str = "he"
    dtype: str = "float32"
    epochs: int = 30
    batch_size: int = 32
    replicates: int = 1
    effective_rates: bool = False
    splits: int = 1
    metrics: tuple[str, ...] = ALWAYS
    loss: str | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "replicates", "splits"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise UsageError(f"{name} = {value}: must be a whole number, at least 1")

    @property
    def trainings(self) -> int:
        """How many networks a trial is."""
        return self.splits * self.replicates

    @property
    def curves(self) -> tuple[str, ...]:
        """The names of the curves of a training."""
        return ("learning_rate", "train_loss", *curve_names(self.metrics))

    def steps(self, samples: int) -> int:
        """Updates in an epoch of so many samples."""
        return -(-samples // self.batch_size)

    def population(self, data: Data | Facts) -> int:
        """How many rows are best trained at once: as many as `CACHE` holds of what a step touches.

        More rows share the fixed cost of a step, until they push one another out of the cache. Measured on one core
        with 1 MB of second-level cache, in ms a trial, for 1, 8, 32 and 128 rows: 44, 13, 9.7, 8.8 where a row takes 50
        kB (64-32-10, minibatches of 32), so more is better; 187, 108, 125, 135 where it takes 690 kB (64-128-128-10,
        minibatches of 128), so 8 are best.
        """
        row = self.architecture(data).bytes_per_row(self.batch_size)
        return min(MOST_ROWS, max(1, CACHE // row))

    def architecture(self, data: Data | Facts) -> Architecture:
        """The network for a data set; `UsageError` if the loss is for another task."""
        sizes, loss = (data.inputs, *self.hidden, data.outputs), self.loss or data.loss
        if loss in LOSSES and (rule := misfit(loss, data.task)):
            raise UsageError(Problem(rule, "network.loss", loss))
        return Architecture(sizes, loss, self.activation, self.initial_weights, self.dtype)
