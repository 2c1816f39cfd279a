"""The optimizers' default learning rates: ``python -m tests.benchmarks.rates`` (a minute).

Each optimizer with its other defaults is trained with many rates, constant and along a cosine, on the data sets of
`sweep.bench.answer`. Printed is by how much its mean log loss is above the lowest that any optimizer has there.
"""

from __future__ import annotations

import numpy as np

from sweep.bench.answer.sets import SETS, DataSet
from sweep.learning.configuration import Configuration
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import split
from sweep.learning.hyper import Array
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import Constant, Cosine
from sweep.learning.training.loop import train
from sweep.learning.training.settings import Settings
from sweep.search.running.race import DIVERGED

RATES = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
SEEDS = 4


def losses(chosen: DataSet, seed: int) -> Array:
    """The final validation losses, shape ``(schedules, optimizers, rates)``; a diverged one has a bad one."""
    data = split(chosen.table(), DataSource(), seed)
    settings = Settings(hidden=chosen.hidden, epochs=chosen.epochs, batch_size=chosen.batch)
    schedules = (Constant(), Cosine(duration=float(chosen.epochs)))
    every = [Configuration(r, kind(), s) for s in schedules for kind in OPTIMIZERS.values() for r in RATES]
    training = train(every, data, settings, seed)
    bad = DIVERGED * np.maximum(1.0, training.validation_loss[:, 0, 0])
    found = np.where(training.diverged_at > 0, bad, training.validation_loss[:, 0, -1])
    return np.asarray(found.reshape(len(schedules), len(OPTIMIZERS), len(RATES)))


def main() -> None:
    """Measure and print."""
    means = [np.mean([losses(chosen, seed) for seed in range(SEEDS)], axis=0) for chosen in SETS.values()]
    above = np.array([np.log(each / each.min(axis=(1, 2), keepdims=True)) for each in means]).mean(axis=(0, 1))
    for name, row in zip(OPTIMIZERS, above, strict=True):
        cells = "  ".join(f"{rate:g}: {value:.2f}" for rate, value in zip(RATES, row, strict=True))
        print(f"{name} (default {OPTIMIZERS[name].default_rate:g})  {cells}")  # noqa: T201


if __name__ == "__main__":
    main()
