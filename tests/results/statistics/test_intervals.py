"""The parts of a verdict, each against an oracle of its own: intervals, p-values, their correction, more seeds."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sweep.learning.hyper import Array
from sweep.results.statistics import verdicts
from sweep.results.statistics.verdicts import (
    LEVEL,
    MOST_SEEDS,
    POWER,
    holm,
    interval,
    judge,
    more_seeds,
    share,
    sign_flip,
)
from tests.results.statistics.paired import ARMS, NOTHING, at_least, at_most, eighths, ends, scores_of
from tests.studies import laws

pytestmark = pytest.mark.usefixtures("quick")

samples = st.lists(eighths, min_size=2, max_size=12).map(np.array)


@laws
@given(samples, eighths, st.integers(-20, 20))
def test_an_interval_holds_its_mean_within_the_values_and_moves_and_grows_with_them(
    values: Array, by: float, power_of_two: int
) -> None:
    found, factor = interval(values), 2.0**power_of_two
    assert values.min() <= found.low <= found.mean <= found.high <= values.max()
    assert found.mean == pytest.approx(values.mean())
    assert ends(interval(values + by) - by) == pytest.approx(ends(found), abs=1e-9)
    assert ends(interval(factor * values)) == pytest.approx([factor * end for end in ends(found)], abs=1e-9 * factor)
    mirrored = interval(-values)
    assert ends(found) == pytest.approx([-mirrored.mean, -mirrored.high, -mirrored.low], abs=1e-9)


@given(st.floats(-1e30, 1e30), st.integers(2, 30))
def test_the_interval_of_equal_numbers_is_that_number(value: float, count: int) -> None:
    assert ends(interval(np.full(count, value))) == pytest.approx([value] * 3, rel=1e-12)


@laws
@given(st.lists(st.floats(0.0, 1.0), max_size=12))
def test_holm_is_the_largest_of_the_smaller_p_values_each_times_those_that_are_left(drawn: list[float]) -> None:
    np.testing.assert_allclose(holm(np.array(drawn)), corrected(drawn), rtol=1e-12)


def corrected(p: Sequence[float]) -> list[float]:
    return [max(min(1.0, other * sum(each >= other for each in p)) for other in p if other <= own) for own in p]


@pytest.mark.usefixtures("in_earnest")
@pytest.mark.parametrize("arms", [2, 3, 5])
def test_a_p_value_is_corrected_for_all_pairs_for_any_arm_might_have_led(arms: int) -> None:
    """Corrected for the pairs with the leader alone, one of eight equal arms is called better in 9 of 100 studies."""
    scores = scores_of(50 + np.random.default_rng(15).normal(size=(arms, 11)) + np.arange(arms)[:, None])
    verdict = judge(scores, NOTHING)
    pairs = list(itertools.combinations(verdict.scores, 2))
    every = [
        stats.permutation_test(
            (scores[b] - scores[a],), np.mean, permutation_type="samples", n_resamples=np.inf
        ).pvalue
        for a, b in pairs
    ]  # fmt: skip
    expected = dict(zip(pairs, corrected(every), strict=True))
    for each in verdict.against:
        assert each.p == pytest.approx(expected[verdict.leader, each.arm], abs=1e-12)


def test_holm_as_in_a_textbook() -> None:
    # 4, 3, 2 and 1 times; the third is lifted to the second.
    np.testing.assert_allclose(holm(np.array([0.005, 0.011, 0.02, 0.04])), [0.02, 0.033, 0.04, 0.04])
    np.testing.assert_allclose(holm(np.array([0.04, 0.03, 0.001])), [0.06, 0.06, 0.003])


@laws
@given(st.integers(1, 60).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))))
def test_a_share_has_the_interval_of_clopper_and_pearson(counted: tuple[int, int]) -> None:
    count, of = counted
    low = stats.beta.ppf((1 - LEVEL) / 2, count, of - count + 1) if count else 0.0
    high = stats.beta.ppf((1 + LEVEL) / 2, count + 1, of - count) if count < of else 1.0
    assert ends(share(count, of)) == pytest.approx([count / of, low, high], abs=1e-9)


@laws
@given(st.lists(eighths, min_size=2, max_size=8).map(np.array))
def test_sign_flips_of_few_seeds_are_all_tried(difference: Array) -> None:
    flips = itertools.product((-1, 1), repeat=len(difference))
    reached = [abs(np.dot(signs, difference)) >= abs(difference.sum()) for signs in flips]
    assert sign_flip(difference[None])[0] == sum(reached) / len(reached)


@pytest.mark.usefixtures("in_earnest")
@pytest.mark.parametrize("seeds", [2, 5, 8, 12])
def test_p_values_of_few_seeds_are_those_of_scipy(seeds: int) -> None:
    differences = np.random.default_rng(9).normal(0.5, 1.0, size=(6, seeds))
    for row, p in zip(differences, sign_flip(differences), strict=True):
        expected = stats.permutation_test((row,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue
        assert p == pytest.approx(expected, abs=1e-12)


@pytest.mark.usefixtures("in_earnest")
def test_p_values_of_many_seeds_are_those_of_scipy_within_what_random_flips_leave_open() -> None:
    random, flips = np.random.default_rng(10), verdicts.RESAMPLES
    differences = random.normal(0.3, 1.0, size=(6, 25))
    for row, p in zip(differences, sign_flip(differences), strict=True):
        expected = stats.permutation_test(
            (row,), np.mean, permutation_type="samples", n_resamples=flips, rng=random
        ).pvalue
        # Both are shares of that many random flips: their difference has twice the variance of one.
        assert p == pytest.approx(expected, abs=4 * math.sqrt(2 * p * (1 - p) / flips) + 2 / flips)


@pytest.mark.usefixtures("in_earnest")
def test_the_smallest_p_value_survives_the_correction_for_every_pair() -> None:
    rows = np.arange(len(ARMS))[:, None] + 1e-6 * np.random.default_rng(11).normal(size=(len(ARMS), 20)) + 50
    verdict = judge(scores_of(rows), NOTHING)
    assert [each.word for each in verdict.against] == ["better"] * (len(ARMS) - 1)


# ---------------------------------------------------------------------------------------------------------- more seeds


def exactly(mean: float, spread: float, seeds: int, random: np.random.Generator) -> Array:
    """Numbers with this mean and this standard deviation to the last digits."""
    values = random.normal(size=seeds)
    return np.asarray(mean + spread * (values - values.mean()) / values.std(ddof=1))


@pytest.mark.long
@pytest.mark.parametrize(
    ("mean", "delta", "seeds"),
    [
        (0.3, NOTHING, 20), (0.5, NOTHING, 10), (1.0, NOTHING, 5),  # is told from 0
        (0.05, 0.5, 10), (0.0, 0.4, 20), (0.0, 0.8, 5),  # is told from delta
        (0.4, 0.6, 20),  # is either
    ],
)  # fmt: skip
def test_so_many_more_seeds_decide_in_most_studies(mean: float, delta: float, seeds: int) -> None:
    """About `POWER` is promised. Measured: from 0.64 (equal arms: both ends of delta are near) to 0.99 (either)."""
    random, tables = np.random.default_rng(12), 100
    more = more_seeds(exactly(mean, 1.0, seeds, random), delta, pairs=1)
    assert more < MOST_SEEDS
    decided = 0
    for _ in range(tables):
        leader = np.full(seeds + more, 100.0)
        scores = scores_of(np.stack([leader, leader + random.normal(mean, 1.0, size=len(leader))]))
        decided += not judge(scores, delta / 100).those("undecided")
    assert decided >= at_least(POWER - 0.2, tables)
    if more > 10:  # and far fewer do not
        decided = 0
        for _ in range(tables):
            leader = np.full(max(6, (seeds + more) // 4), 100.0)
            scores = scores_of(np.stack([leader, leader + random.normal(mean, 1.0, size=len(leader))]))
            decided += not judge(scores, delta / 100).those("undecided")
        assert decided <= at_most(0.5, tables)


@laws
@given(samples, st.sampled_from([0.0, 1e-9, 0.5, 5.0]), st.integers(1, 3000))
def test_more_seeds_is_a_whole_number_from_1_to_the_most_that_is_predicted(
    difference: Array, delta: float, pairs: int
) -> None:
    more = more_seeds(difference, delta, pairs)
    assert isinstance(more, int)
    assert 1 <= more <= MOST_SEEDS


@pytest.mark.parametrize("arms", [2, 4, 8])
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_a_clear_difference_needs_as_many_seeds_as_a_small_p_value_has_signs(arms: int, seeds: int) -> None:
    random = np.random.default_rng(13)
    steps = np.arange(arms)[:, None]

    def words(count: int) -> list[str]:
        verdict = judge(scores_of(50 + steps + 1e-3 * random.normal(size=(arms, count))), NOTHING)
        return [each.word for each in verdict.against]

    verdict = judge(scores_of(50 + steps + 1e-3 * random.normal(size=(arms, seeds))), NOTHING)
    (more,) = {each.more_seeds for each in verdict.against}
    assert more is not None
    assert set(words(seeds + more)) == {"better"}
    assert set(words(seeds + more - 1)) == {"undecided"}


def test_a_difference_of_nothing_needs_more_seeds_than_are_predicted() -> None:
    assert more_seeds(np.array([1.0, -1.0, 2.0, -2.0]), 0.0, 1) == MOST_SEEDS
    (found,) = judge(scores_of(np.array([[1.0, 2.0, 3.0, 0.0], [2.0, 1.0, 0.0, 3.0]])), NOTHING).against
    assert (found.word, found.more_seeds) == ("undecided", MOST_SEEDS)
