"""What is trained when the speed is measured: four workloads, and populations with known properties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.source import DataSource, named
from sweep.learning.data.splits import prepare
from sweep.learning.optimizers.rules import OPTIMIZERS, RMSProp
from sweep.learning.schedules.formulas import SCHEDULES, Piecewise
from sweep.learning.training.settings import Settings

SEED = 0
LOW_RATE, HIGH_RATE = 1e-4, 3e-3  # nothing diverges between them, with any optimizer and schedule
# Inputs so small that the first layer's gradients are about 1e-20, and their squares subnormal in float32 (below
# 1.2e-38): what the caches hold when a training saturates, but in every row and from the first step on.
VANISHING = 1e-17
TOO_HIGH = 1e12  # a factor of the rate with which any training diverges within an epoch


@dataclass(frozen=True)
class Workload:
    """Some data and how a network is trained on them.

    Parameters
    ----------
    name : str
    title : str
        In words.
    source : DataSource
    settings : Settings
        With the nominal number of epochs, which all results are stated for.
    epochs : int
        How many of them are run; the time is scaled up. What a training does once then counts several times.
    quick_epochs : int
        How many of them ``--quick`` runs.
    """

    name: str
    title: str
    source: DataSource
    settings: Settings
    epochs: int
    quick_epochs: int

    def data(self) -> Data:
        """The data, split and scaled; no part of any measured time."""
        return prepare(self.source, SEED)

    def shortened(self, epochs: int) -> Settings:
        """The settings with the number of epochs that are really run."""
        return replace(self.settings, epochs=epochs)

    def sizes(self) -> tuple[int, ...]:
        """Inputs, hidden layers, outputs."""
        return self.settings.architecture(self.data()).sizes

    def minibatches(self) -> list[int]:
        """The sizes of an epoch's minibatches; the last may be smaller."""
        samples, batch = len(self.data().train), self.settings.batch_size
        return [stop - start for start, stop in pairwise([*range(0, samples, batch), samples])]


_FOREST = {
    "n_samples": 25_000, "n_features": 54, "n_informative": 20, "n_redundant": 10, "n_classes": 7,
    "n_clusters_per_class": 1,
}  # fmt: skip

WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload(  # 360 samples to validate on leave the 1,437 that scikit-learn's own split of a fifth leaves
            "W1", "digits, 64-32-10, minibatches of 32", named("digits", validation=360 / 1797, test=0.0),
            Settings(hidden=(32,), epochs=30, batch_size=32), epochs=30, quick_epochs=30,
        ),
        Workload(
            "W2", "breast cancer, 30-64-2, minibatches of 32", named("breast_cancer", validation=0.2, test=0.0),
            Settings(hidden=(64,), epochs=30, batch_size=32), epochs=30, quick_epochs=30,
        ),
        Workload(
            "W3", "digits, 64-128-128-10, minibatches of 128", named("digits", validation=360 / 1797, test=0.0),
            Settings(hidden=(128, 128), epochs=30, batch_size=128), epochs=6, quick_epochs=2,
        ),
        Workload(
            "W4", "20,000 synthetic samples, 54-64-64-7, minibatches of 256",
            named("make_classification", _FOREST, validation=0.2, test=0.0),
            Settings(hidden=(64, 64), epochs=30, batch_size=256), epochs=2, quick_epochs=1,
        ),
    )
}  # fmt: skip


def vanishing(data: Data) -> Data:
    """The same data with inputs so small that the first layer's squared gradients are subnormal."""

    def scaled(part: Part) -> Part:
        return replace(part, inputs=part.inputs * VANISHING)

    return replace(data, train=scaled(data.train), validation=scaled(data.validation))


def _rates(rows: int) -> list[float]:
    return [float(rate) for rate in np.geomspace(LOW_RATE, HIGH_RATE, rows)]


def pure(rows: int, epochs: int) -> list[Configuration]:
    """RMSProp at a constant rate, the rates spread evenly in the logarithm."""
    del epochs
    return [Configuration(rate, RMSProp()) for rate in _rates(rows)]


def mixed(rows: int, epochs: int) -> list[Configuration]:
    """All optimizers with all schedules in turn: 12 rows have each of both, 72 have every pair, once."""
    del epochs
    optimizers, schedules = list(OPTIMIZERS.values()), list(SCHEDULES.values())
    pairs = [
        (optimizers[row % len(optimizers)], schedules[(row + row // len(schedules)) % len(schedules)])
        for row in range(rows)
    ]
    # Neighbours differ in everything, so that no optimizer or schedule has the high rates to itself.
    return [Configuration(rate, one(), other()) for rate, (one, other) in zip(_rates(rows), pairs, strict=True)]


def stopping(rows: int, epochs: int) -> list[Configuration]:
    """Every second row diverges in the epoch that ends at a third of all, and stops there; see `lasting`."""
    return [
        replace(configuration, schedule=_jump(epochs, TOO_HIGH if row % 2 else 1.0))
        for row, configuration in enumerate(pure(rows, epochs))
    ]


def lasting(rows: int, epochs: int) -> list[Configuration]:
    """The same as `stopping`, but the rates stay as they are, and every row goes on to the end."""
    return [replace(configuration, schedule=_jump(epochs, 1.0)) for configuration in pure(rows, epochs)]


def _jump(epochs: int, factor: float) -> Piecewise:
    return Piecewise(boundaries=(float(max(epochs // 3 - 1, 0)),), factors=(factor,))


POPULATIONS: dict[str, Callable[[int, int], list[Configuration]]] = {
    "pure": pure,
    "mixed": mixed,
    "stopping": stopping,
    "lasting": lasting,
}
