"""What a validation part promises, and what then comes: random rows promise too much where samples belong together.

Made like the visits of a clinic: several samples a patient, whose features and outcome are mostly the patient's own.
And like a market: what a feature means changes with time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import split
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array
from sweep.learning.network.stacked import StackedNetwork
from sweep.learning.optimizers.rules import Momentum
from sweep.learning.training.loop import train
from sweep.learning.training.settings import Settings

SETTINGS = Settings(hidden=(32,), epochs=40, batch_size=32)
SOURCE = DataSource(name="made")


def errors(data: Data, later: Table) -> tuple[float, float, float]:
    """The share of wrong answers of a network: on the validation part, on the test part, on samples that came later."""
    training = train([Configuration(0.05, Momentum())], data, SETTINGS, 0)
    network = StackedNetwork(SETTINGS.architecture(data), training.parameters[0])

    def wrong(inputs: Array, right: Array) -> float:
        inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1).astype(SETTINGS.dtype)
        return float((np.argmax(np.asarray(network.outputs(inputs[None]))[:, 0], axis=0) != right).mean())

    return (
        float(training.validation_error[0, 0, -1]),
        wrong(data.test.inputs, data.test.targets.argmax(axis=1)),
        wrong(np.asarray(data.encoder.transform(later.features)), np.searchsorted(data.classes, later.target)),
    )


def promised(tables: Sequence[Table], later: Table) -> list[float]:
    """The means of the three over some tables."""
    found = [errors(split(table, SOURCE, seed), later) for seed, table in enumerate(tables)]
    return [float(mean) for mean in np.mean(found, axis=0)]


def visits(random: np.random.Generator, patients: int) -> Table:
    """Six visits each: ten features, mostly the patient's own, and an outcome of which they say little."""
    own = random.normal(size=(patients, 10))
    outcome = (own[:, 0] + own[:, 1] + 1.5 * random.normal(size=patients) > 0).astype(int)
    of = np.repeat(np.arange(patients), 6)
    return Table(own[of] + 0.3 * random.normal(size=(len(of), 10)), outcome[of], "classification", groups=of)


def test_random_rows_promise_an_error_that_new_patients_do_not_have_and_groups_one_that_they_have() -> None:
    random = np.random.default_rng(0)
    tables, later = [visits(random, 80) for _ in range(24)], visits(random, 500)
    promise, tested, truth = promised([replace(table, groups=None) for table in tables], later)
    assert max(promise, tested) < truth - 0.2, "random rows: .10 where new patients have .39"
    promise, tested, truth = promised(tables, later)
    assert abs(promise - truth) < 0.05, "whole patients: .37 where new patients have .38"
    assert abs(tested - truth) < 0.05


def drifting(random: np.random.Generator, times: Array) -> Table:
    """Two classes; the direction that tells them apart turns by a right angle from time 0 to 1."""
    features = random.normal(size=(len(times), 2))
    angle = times * np.pi / 2
    sides = features[:, 0] * np.cos(angle) + features[:, 1] * np.sin(angle)
    return Table(features, (sides > 0).astype(int), "classification", times=times)


def test_random_rows_promise_an_error_that_the_future_does_not_have_and_time_one_that_is_nearer() -> None:
    random = np.random.default_rng(1)
    tables, later = [drifting(random, random.random(600)) for _ in range(8)], drifting(random, np.full(2000, 1.05))
    promise, tested, truth = promised([replace(table, times=None) for table in tables], later)
    assert max(promise, tested) < truth - 0.1, "random rows: .14 where the future has .29"
    earlier, latest, _ = promised(tables, later)
    assert promise < earlier < latest, "the further ahead the worse"
    assert abs(latest - truth) < 0.5 * abs(promise - truth), "the latest is what is like the future"
