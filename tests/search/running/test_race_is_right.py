"""How often a race finds what is truly good: with made-up candidates, of which each has a true loss."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from sweep.learning.hyper import Array
from sweep.search.running import race
from sweep.search.running.race import left_after, not_told_apart, risks, simplest, survivors
from tests.search.running.test_race import means

CEILING = 3.0
ROUNDS = (2, 3)  # splits: what a study has that says nothing


def run_race(truth: Array, noise: float, random: np.random.Generator, finalists: int, seeds: int) -> int:
    """Whom a race over two rounds and a last one recommends; each candidate is an arm, the last has no constants."""
    alive = list(range(len(truth)))
    known = np.zeros((len(truth), 0))
    nothing = np.zeros(len(truth))
    for number, splits in enumerate(ROUNDS, start=1):
        common = 0.3 * random.normal(size=splits)  # what a split does to all
        known = np.hstack([known, truth[:, None] + common + noise * random.normal(size=(len(truth), splits))])
        scores = known[alive]
        risk = risks(scores, np.zeros_like(scores, bool), nothing[alive], CEILING)
        keep = left_after(number, len(truth), finalists, len(ROUNDS))
        alive = [alive[place] for place in survivors(alive, risk, keep, 1)]
    last = truth[:, None] + 0.3 * random.normal(size=seeds) + noise * random.normal(size=(len(truth), seeds))
    both = np.hstack([known, last])
    found = {name: both[name] for name in alive}
    risk = risks(np.array(list(found.values())), np.zeros((len(alive), both.shape[1]), bool), nothing[alive], CEILING)
    by_name = dict(zip(found, risk.tolist(), strict=True))
    simple = {name: int(name != len(truth) - 1) for name in alive}
    return simplest(not_told_apart(found, by_name), simple, by_name)


def test_who_was_luckiest_in_the_search_and_is_worst_in_truth_is_not_recommended() -> None:
    """Twenty candidates: a good half, a bad one 0.8 standard deviations of a score behind, and one that is worst, 1.6.

    Of that one the search thought best; the race does not know it. The mean of 25 scores has an error of 0.2
    deviations, a difference of two 0.28: of the bad half one would have to be lucky by nearly three of those against
    the luckiest of ten, and the worst by six.
    """
    random, games = np.random.default_rng(1), 400
    truth = np.full(20, 1.0)
    truth[:10] = 0.6
    truth[4] = 1.4  # the luckiest
    found = [run_race(truth, 0.5, random, finalists=8, seeds=20) for _ in range(games)]
    right = sum(truth[name] == 0.6 for name in found) / games
    worst = sum(name == 4 for name in found) / games
    assert worst == 0.0, "six errors: once in a billion"
    # The simplest is one of the bad half and is taken when not told from the best: at the most, were that best no
    # luckier than any other, in a share of Phi(TOLD - 0.8 / 0.28), 0.09; plus three errors of 400 games.
    rate = 0.5 * (1 + math.erf((race.TOLD - 0.8 / 0.28) / math.sqrt(2)))
    assert 1 - right <= rate + 3 * math.sqrt(rate * (1 - rate) / games)


def test_the_best_by_one_look_is_wrong_far_more_often_than_the_race() -> None:
    """What the race is for: who trusts the search takes the luckiest."""
    random, games = np.random.default_rng(2), 400
    truth = np.linspace(0.6, 1.0, 20)
    looked, raced = [], []
    for _ in range(games):
        looked.append(truth[np.argmin(truth + 0.5 * random.normal(size=20))])
        raced.append(truth[run_race(truth, 0.5, random, finalists=8, seeds=20)])
    lost_by_looking, lost_in_race = np.mean(looked) - 0.6, np.mean(raced) - 0.6
    spread = math.hypot(np.std(looked), np.std(raced)) / math.sqrt(games)
    assert lost_by_looking - lost_in_race > 5 * spread
    assert lost_in_race < lost_by_looking / 2


def test_where_all_are_equal_the_one_without_constants_is_taken_about_as_often_as_the_errors_say() -> None:
    """Two candidates that differ by nothing but noise, paired over 25 splits.

    The default is taken when it is the better one, or less than `TOLD` standard errors worse: by the normal
    distribution (with 24 degrees of freedom it differs by less than 0.01 there) in a share of Phi(TOLD).
    """
    random, games, splits = np.random.default_rng(3), 2000, 25
    taken = 0
    for _ in range(games):
        scores = {name: 1.0 + 0.1 * random.normal(size=splits) for name in ("tuned", "default")}
        taken += simplest(not_told_apart(scores, means(scores)), {"tuned": 3, "default": 0}, means(scores)) == "default"
    expected = 0.5 * (1 + math.erf(race.TOLD / math.sqrt(2)))
    error = math.sqrt(expected * (1 - expected) / games)
    assert taken / games == pytest.approx(expected, abs=0.01 + 3 * error)


def test_where_all_candidates_of_a_race_are_equal_the_one_without_constants_often_leaves_it() -> None:
    """It runs like any other: of 20 equals that 8 survive it is one in a share of 8 / 20, and is then mostly taken.

    So a study that wants the defaults judged has to send them to the last round itself.
    """
    random, games = np.random.default_rng(4), 600
    found = Counter(run_race(np.ones(20), 0.5, random, finalists=8, seeds=20) == 19 for _ in range(games))
    share, stays = found[True] / games, 8 / 20
    error = 3 * math.sqrt(stays * (1 - stays) / games)
    assert 0.5 * stays - error < share < stays + error


def test_with_ties_the_one_without_constants_is_always_taken() -> None:
    random = np.random.default_rng(5)
    for _ in range(50):
        assert run_race(np.ones(20), 0.0, random, finalists=8, seeds=20) == 19
