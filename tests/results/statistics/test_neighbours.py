"""The share of a candidate's neighbours that diverged: near ones weigh more, others' optimizers nothing."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from sweep.learning.configuration import Configuration
from sweep.learning.optimizers.rules import Adam, Sgd
from sweep.results.statistics.neighbours import RATE_WIDTH, shares
from sweep.search.running.finalists import Finalist
from sweep.search.space.space import Arm
from tests.results.statistics.test_summaries import row, trials_of
from tests.studies import everything

SPACE = everything().space()
SGD = Arm("sgd", "constant")


def share(trials: pd.DataFrame, rate: float) -> float:
    return float(shares(trials, SPACE, [Finalist(SGD, 0, Configuration(rate, Sgd()))])[0])


def test_it_is_the_mean_weighted_by_how_near_the_rates_are() -> None:
    rates, states = [0.01, 0.02, 0.1, 0.9], ["complete", "diverged", "complete", "diverged"]
    trials = trials_of(*(row(n, 0.5, s, learning_rate=r) for n, (r, s) in enumerate(zip(rates, states, strict=True))))
    weights = [math.exp(-((math.log(rate / 0.02) / RATE_WIDTH) ** 2) / 2) for rate in rates]
    assert share(trials, 0.02) == pytest.approx((weights[1] + weights[3]) / sum(weights))


def test_nearer_to_what_diverged_it_is_higher() -> None:
    trials = trials_of(
        *(row(n, 0.5, "complete" if n < 5 else "diverged", learning_rate=2.0 ** (n - 8)) for n in range(9))
    )
    found = [share(trials, 2.0**exponent) for exponent in np.linspace(-8, 0, 9)]
    assert found == sorted(found)
    assert found[0] < 0.01
    assert found[-1] > 0.9


def test_what_other_optimizers_did_does_not_count_and_without_neighbours_it_is_0() -> None:
    others = trials_of(*(row(n, 0.5, "diverged", optimizer="adam") for n in range(4)))
    assert share(others, 0.01) == 0.0
    far = trials_of(row(0, 0.5, "diverged", learning_rate=1.0))
    assert share(far, 1e-4) < 1e-6, "one far away is no neighbour"
    running = trials_of(row(0, 0.5, "running"))
    assert share(running, 0.01) == 0.0


def test_other_constants_count_by_their_places() -> None:
    rows = [
        row(n, 0.5, "diverged" if decay == 0.9 else "complete", optimizer="adam", learning_rate=0.01,
            **{"optimizer.decay": decay, "optimizer.momentum": 0.9, "optimizer.epsilon": 1e-8})
        for n, decay in enumerate([0.9, 0.99, 0.999, 0.9999])
    ]  # fmt: skip
    who = [
        Finalist(Arm("adam", "constant"), 0, Configuration(0.01, Adam(decay=decay))) for decay in (0.9, 0.99, 0.9999)
    ]
    found = shares(trials_of(*rows), SPACE, who)
    assert found[0] > found[1] > found[2]
