"""The test part, opened: what finalists have there. No search calls this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sweep.learning.data.parts import Data
from sweep.learning.hyper import Array
from sweep.learning.network.metrics import Measuring
from sweep.learning.training.laid_out import LaidOut
from sweep.learning.training.loop import Training
from sweep.learning.training.minibatches import Samples
from sweep.learning.training.population import Population
from sweep.learning.training.settings import Settings

At = Literal["last", "best"]


@dataclass(frozen=True, slots=True)
class Tested:
    """What is measured on the test part, arrays of shape ``(trials, replicates)``; NaN where a training diverged."""

    metrics: Mapping[str, Array]


class Tester:
    """Watches a training and evaluates its networks on the test part.

    Parameters
    ----------
    data : Data or LaidOut
        It has a test part.
    settings : Settings
    trials : int
    at : str
        ``"last"``: after the last epoch; ``"best"``: after the epoch with the lowest validation curve, which the test
        part has no say in.
    """

    def __init__(self, data: Data | LaidOut, settings: Settings, trials: int, at: At) -> None:
        self.settings, self.at = settings, at
        self.samples = Samples.of(data.test, settings.dtype)
        shape = (trials, settings.trainings, settings.epochs + 1)
        self.measuring = Measuring(data.facts.task, settings.metrics)
        self.metrics = {name: np.full(shape, np.nan) for name in settings.metrics}

    def watch(self, epoch: int, population: Population) -> None:
        """Evaluate after an epoch, if that may count."""
        if self.at == "last" and epoch < self.settings.epochs:
            return
        shape = len(population.trials), self.settings.trainings
        for name, values in self.samples.evaluate(population.network, self.measuring).items():
            self.metrics[name][population.trials, :, epoch] = values.reshape(shape)

    def tested(self, training: Training, curve: str) -> Tested:
        """What counts of it; `curve` names the validation curve whose lowest mean over replicates is the best."""
        trials = np.arange(len(training.epochs))
        epochs = np.full(len(trials), self.settings.epochs)
        if self.at == "best":
            mean = training.curves[curve].mean(axis=1)
            epochs = np.where(np.isnan(mean), np.inf, mean).argmin(axis=1)
        ended = training.diverged_at[:, None] < 0
        found = self.metrics.items()
        return Tested({name: np.where(ended, values[trials, :, epochs], np.nan) for name, values in found})
