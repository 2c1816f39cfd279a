"""The probability that an arm is best after k trials, against enumeration, simulation and the bootstrap."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.hyper import Array
from sweep.results.statistics.probability_best import probability_best
from sweep.search.space.space import Arm
from tests.studies import laws

SGD, ADAM, RMSPROP = Arm("sgd", "constant"), Arm("adam", "constant"), Arm("rmsprop", "step")


def error(level: float, samples: int) -> float:
    """The standard error of a share that is `level`, counted in so many samples."""
    return math.sqrt(level * (1 - level) / samples)


def enumerated(arms: Sequence[Sequence[float]], k: int) -> list[float]:
    """Every way to draw k of each arm's trials, one after another; a shared win is split."""
    wins, ways = [Fraction(0)] * len(arms), 0
    for draw in itertools.product(*(itertools.combinations(arm, k) for arm in arms)):
        bests = [min(drawn) for drawn in draw]
        winners = [place for place, best in enumerate(bests) if best == min(bests)]
        for place in winners:
            wins[place] += Fraction(1, len(winners))
        ways += 1
    return [float(win / ways) for win in wins]


def named(arms: Sequence[Sequence[float] | Array]) -> dict[Arm, Array]:
    return {Arm(f"arm{place}", "constant"): np.array(arm) for place, arm in enumerate(arms)}


def probabilities(arms: Sequence[Sequence[float] | Array], k: Sequence[int]) -> Array:
    """Shape ``(arms, k)``."""
    table = probability_best(named(arms), k, resamples=2)
    return np.reshape(table["probability"].to_list(), (len(arms), len(k)))


@laws
@given(arms=st.lists(st.lists(st.integers(0, 5), min_size=2, max_size=4), min_size=1, max_size=4))
def test_the_probability_is_the_share_of_all_ways_to_draw(arms: list[list[float]]) -> None:
    k = range(1, min(map(len, arms)) + 1)
    expected = np.array([enumerated(arms, each) for each in k]).T
    np.testing.assert_allclose(probabilities(arms, k), expected, atol=1e-12)


def test_wins_of_many_tied_arms_are_split_exactly() -> None:
    arms = [[1.0, 2.0], [1.0, 3.0], [1.0, 1.0], [2.0, 3.0], [1.0, 4.0], [1.0, 2.0], [0.5, 1.0]]
    np.testing.assert_allclose(probabilities(arms, [1])[:, 0], enumerated(arms, 1), atol=1e-13)
    np.testing.assert_allclose(probabilities([[3.0] * 5] * 48, [1, 5]), 1 / 48, rtol=1e-12)


@pytest.mark.parametrize("digits", [1, 2, 15])
def test_the_probability_is_that_of_simulated_draws(digits: int) -> None:
    rng, k, draws = np.random.default_rng(digits), 5, 40_000
    arms = [np.round(rng.gamma(2 + place / 5, size=20 + place), digits) for place in range(8)]
    bests = np.array([rng.permuted(np.tile(arm, (draws, 1)), axis=1)[:, :k].min(axis=1) for arm in arms])
    winners = bests == bests.min(axis=0)
    shares = (winners / winners.sum(axis=0)).mean(axis=1)
    found = probabilities(arms, [k])[:, 0]
    assert found.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found, shares, atol=4 * error(0.5, draws))


def test_equal_arms_are_best_equally_often_on_average() -> None:
    rng = np.random.default_rng(0)
    found = np.array([probabilities([*rng.random((4, 12))], [1, 3, 12]) for _ in range(500)])
    spread = found.std(axis=0) / math.sqrt(len(found))
    assert (abs(found.mean(axis=0) - 0.25) < 4 * spread).all()


def test_a_clearly_better_arm_is_best_and_one_that_needs_tuning_becomes_so() -> None:
    rng = np.random.default_rng(0)
    np.testing.assert_allclose(probabilities([rng.random(30), 2 + rng.random(30)], [1, 30]), [[1, 1], [0, 0]])
    steady, wild = rng.uniform(0.4, 0.5, 64), rng.uniform(0, 1, 64)
    chance = probabilities([steady, wild], [1, 4, 64])[1]
    assert chance[0] < 0.5 < 0.8 < chance[1] < chance[2] == 1


def test_the_interval_is_the_bootstraps_over_the_trials_of_each_arm() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.integers(0, 30, 25), rng.integers(5, 35, 15)  # with ties
    table = probability_best(named([one, other]), [1], resamples=4000)
    again = rng.choice(one, (4000, 25))[:, :, None], rng.choice(other, (4000, 15))[:, None, :]
    chances = ((again[0] < again[1]) + (again[0] == again[1]) / 2).mean(axis=(1, 2))  # k = 1: Mann and Whitney's
    low, high = np.quantile(chances, [0.025, 0.975])
    assert table["low"][0] == pytest.approx(low, abs=0.015)  # four errors of a quantile of 4,000 such values
    assert table["high"][0] == pytest.approx(high, abs=0.015)
    np.testing.assert_allclose(table[["low", "high"]].iloc[1], 1 - table[["high", "low"]].iloc[0], atol=1e-12)


def test_the_table_has_a_row_for_each_arm_and_k_and_is_the_same_every_time() -> None:
    rng = np.random.default_rng(0)
    scores = {RMSPROP: rng.random(9), SGD: rng.random(8)}
    table = probability_best(scores, [4, 1])
    assert list(table) == ["arm", "k", "probability", "low", "high"]
    assert table["arm"].tolist() == ["rmsprop x step"] * 2 + ["sgd x constant"] * 2
    assert table["k"].tolist() == [4, 1, 4, 1]
    assert ((table["low"] >= 0) & (table["low"] <= table["high"]) & (table["high"] <= 1 + 1e-12)).all()
    pd.testing.assert_frame_equal(table, probability_best(scores, [4, 1]), check_exact=True)
    narrow, other = probability_best(scores, [4, 1], level=0.5), probability_best(scores, [4, 1], seed=1)
    assert (narrow["high"] - narrow["low"] < table["high"] - table["low"]).all()
    assert not other["low"].equals(table["low"])
    assert other["probability"].equals(table["probability"])
