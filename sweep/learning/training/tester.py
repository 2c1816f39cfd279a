"""The test part, opened: what finalists have there. No search calls this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sweep.learning.data.splits import Data
from sweep.learning.hyper import Array
from sweep.learning.training.loop import Settings, Training
from sweep.learning.training.minibatches import Samples
from sweep.learning.training.population import Population

At = Literal["last", "best"]


@dataclass(frozen=True, slots=True)
class Tested:
    """Loss and error on the test part, arrays of shape ``(trials, replicates)``; NaN where a training diverged."""

    loss: Array
    error: Array


class Tester:
    """Watches a training and evaluates its networks on the test part.

    Parameters
    ----------
    data : Data
        It has a test part.
    settings : Settings
    trials : int
    at : str
        ``"last"``: after the last epoch; ``"best"``: after the epoch with the lowest validation curve, which the test
        part has no say in.
    """

    def __init__(self, data: Data, settings: Settings, trials: int, at: At) -> None:
        self.settings, self.at = settings, at
        self.samples = Samples.of(data.test, settings.dtype)
        shape = (trials, settings.trainings, settings.epochs + 1)
        self.loss, self.error = np.full(shape, np.nan), np.full(shape, np.nan)

    def watch(self, epoch: int, population: Population) -> None:
        """Evaluate after an epoch, if that may count."""
        if self.at == "last" and epoch < self.settings.epochs:
            return
        shape = len(population.trials), self.settings.trainings
        loss, error = self.samples.evaluate(population.network)
        self.loss[population.trials, :, epoch] = loss.reshape(shape)
        self.error[population.trials, :, epoch] = error.reshape(shape)

    def tested(self, training: Training, curve: str) -> Tested:
        """What counts of it; `curve` names the validation curve whose lowest mean over replicates is the best."""
        trials = np.arange(len(self.loss))
        epochs = np.full(len(trials), self.settings.epochs)
        if self.at == "best":
            mean = getattr(training, curve).mean(axis=1)
            epochs = np.where(np.isnan(mean), np.inf, mean).argmin(axis=1)
        ended = training.diverged_at[:, None] < 0
        loss, error = (np.where(ended, values[trials, :, epochs], np.nan) for values in (self.loss, self.error))
        return Tested(loss, error)
