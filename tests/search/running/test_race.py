"""The rules of the race: who stays, and who is told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sweep.learning.hyper import Array
from sweep.search.running import race
from sweep.search.running.finalists import fresh_seed, seed_of
from sweep.search.running.race import left_after, not_told_apart, race_seed, risks, simplest, survivors
from tests.studies import laws, tiny

CEILING = 3.0

# --------------------------------------------------------------------------------------------------------------- seeds


def test_no_split_of_the_race_is_a_fresh_seed_of_the_finalists_or_the_studys() -> None:
    for seed in range(5):
        spec = tiny(study={"seed": seed})
        raced = [race_seed(spec, split) for split in range(1000)]
        fresh = [fresh_seed(spec, replicate) for replicate in range(1000)]
        assert len({*raced, *fresh, seed}) == 2001
        assert [seed_of(spec, "race", n) for n in range(9)] == raced[:9]
        assert [seed_of(spec, "finalists", n) for n in range(9)] == fresh[:9]
    assert race_seed(tiny(study={"seed": 1}), 0) != race_seed(tiny(study={"seed": 2}), 0)


# -------------------------------------------------------------------------------------------------------- how many stay

fields = st.tuples(st.integers(1, 300), st.integers(1, 40), st.integers(1, 6))  # candidates, finalists, rounds


@laws
@given(fields)
def test_fewer_are_left_after_every_round_and_in_the_end_the_finalists(field: tuple[int, int, int]) -> None:
    candidates, finalists, rounds = field
    left = [candidates, *(left_after(number, candidates, finalists, rounds) for number in range(1, rounds + 1))]
    assert left == sorted(left, reverse=True)
    assert left[-1] == min(candidates, finalists)
    assert all(type(count) is int and count >= 1 for count in left)
    if candidates <= finalists:
        assert set(left) == {candidates}


@laws
@given(fields)
def test_every_round_takes_the_same_share_to_a_whole_candidate(field: tuple[int, int, int]) -> None:
    candidates, finalists, rounds = field
    for number in range(1, rounds + 1):
        left = left_after(number, candidates, finalists, rounds)
        # left ** rounds against a product of whole numbers: exact, but for the billionth that a rounding is forgiven
        share = candidates ** (rounds - number) * min(finalists, candidates) ** number
        assert left**rounds >= share * (1 - 1e-6)
        assert (left - 1) ** rounds < share


@laws
@given(
    arms=st.tuples(st.integers(1, 4), st.integers(1, 4)), judged=st.integers(1, 12), candidates=st.integers(1, 6),
    rounds=st.lists(st.integers(1, 5), max_size=3), seeds=st.integers(0, 20), trials=st.integers(1, 120),
)  # fmt: skip
def test_the_trainings_that_follow_are_what_a_race_played_through_counts(
    arms: tuple[int, int], judged: int, candidates: int, rounds: list[int], seeds: int, trials: int
) -> None:
    search = {
        "optimizers": ["sgd", "momentum", "rmsprop", "adam"][: arms[0]],
        "schedules": ["constant", "step", "exponential", "cosine"][: arms[1]],
    }
    spec = tiny(
        search=search, race={"candidates": candidates, "rounds": rounds}, verdict={"arms": judged, "seeds": seeds}
    )
    every = [(optimizer, schedule) for optimizer in range(arms[0]) for schedule in range(arms[1])]
    running: list[Any] = []
    for arm in every[:judged]:
        running += [(arm, n) for n in range(candidates)]
    running = running[:trials] + [(arm, "default") for arm in every]
    count, begun, last = 0, len(running), 2 * len(every[:judged])
    for number, splits in enumerate(rounds, start=1):
        for _ in range(splits):
            count += sum(1 for _ in running)
        keep = begun
        while keep - 1 >= last and (keep - 1) ** len(rounds) >= begun ** (len(rounds) - number) * last**number:
            keep -= 1
        running = running[:keep]
    for _ in range(seeds):
        count += sum(1 for _ in running[:last])
    assert race.trainings(spec, trials) == (count if seeds else 0)


# --------------------------------------------------------------------------------------------------------------- risks


@st.composite
def scored(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    """Scores, who diverged, and the share of neighbours that did."""
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 8))
    scores = draw(arrays(float, shape, elements=st.floats(0.0, 3.0)))
    diverged = draw(arrays(bool, shape))
    return scores, diverged, draw(arrays(float, shape[0], elements=st.floats(0.0, 1.0)))


def slow_risk(scores: Sequence[float], diverged: Sequence[bool], neighbours: float, ceiling: float) -> float:
    """One candidate's, a score at a time."""
    calm = [score for score, failed in zip(scores, diverged, strict=True) if not failed]
    failed, splits = sum(diverged), len(scores)
    share = (failed + neighbours) / (splits + 1) if calm else 1.0
    expected = share * ceiling
    if calm:
        expected += (1 - share) * sum(calm) / len(calm)
    if splits < 3:
        return expected
    counted = [ceiling if failed else score for score, failed in zip(scores, diverged, strict=True)]
    mean = sum(counted) / splits
    variance = sum((score - mean) ** 2 for score in counted) / (splits - 1)
    return expected + race.ERRORS * math.sqrt(variance / splits)


@laws
@given(case=scored(), ceiling=st.floats(1.0, 10.0))
def test_the_risk_is_the_expected_score_and_a_standard_error(case: tuple[Array, Array, Array], ceiling: float) -> None:
    scores, diverged, neighbours = case
    slowly = [
        slow_risk(*row, ceiling) for row in zip(scores.tolist(), diverged.tolist(), neighbours.tolist(), strict=True)
    ]
    # a dozen sums of float64 numbers of up to ten
    np.testing.assert_allclose(risks(scores, diverged, neighbours, ceiling), slowly, rtol=1e-9, atol=1e-9)


@laws
@given(case=scored(), data=st.data())
def test_each_risk_is_its_candidates_own_whatever_the_order_of_splits(
    case: tuple[Array, Array, Array], data: st.DataObject
) -> None:
    scores, diverged, neighbours = case
    together = risks(scores, diverged, neighbours, CEILING)
    order = data.draw(st.permutations(range(scores.shape[1])))
    for place in range(len(scores)):
        alone = risks(scores[[place]][:, order], diverged[[place]][:, order], neighbours[[place]], CEILING)
        assert alone[0] == pytest.approx(together[place], rel=1e-12, abs=1e-12)


@laws
@given(scores=arrays(float, 20, elements=st.floats(0.0, 1.0)), place=st.integers(0, 19))
def test_who_diverges_once_in_twenty_has_a_higher_risk_than_who_never_does(scores: Array, place: int) -> None:
    """Whatever the other scores; the one that diverged does not count itself."""
    level = float(np.delete(scores, place).mean())
    both = np.stack([scores, scores])
    both[0, place] = level
    failed = np.zeros((2, 20), bool)
    failed[1, place] = True
    never, once = risks(both, failed, np.zeros(2), CEILING)
    assert never < once


@laws
@given(scores=arrays(float, st.integers(1, 20), elements=st.floats(0.0, 1.0)), shares=st.tuples(*[st.floats(0, 1)] * 2))
def test_the_more_of_its_neighbours_diverged_the_higher_the_risk(scores: Array, shares: tuple[float, float]) -> None:
    low, high = sorted(shares)
    calm = np.zeros((2, len(scores)), bool)
    found = risks(np.stack([scores, scores]), calm, np.array([low, high]), CEILING)
    assert found[0] <= found[1]
    if high - low > 1e-9:
        assert found[0] < found[1]
    gap = (high - low) / (len(scores) + 1) * (CEILING - scores.mean())
    assert found[1] - found[0] == pytest.approx(gap, rel=1e-9, abs=1e-12), "as much as they are worth of one training"


def test_of_equal_means_the_one_that_varies_less_has_the_lower_risk_once_there_are_three() -> None:
    for splits, told in ((2, False), (3, True), (20, True)):
        steady = np.full(splits, 0.5)
        restless = np.where(np.arange(splits) % 2, 0.3, 0.7)
        restless += 0.5 - restless.mean()
        still, moved = risks(np.stack([steady, restless]), np.zeros((2, splits), bool), np.zeros(2), CEILING)
        assert bool(moved > still + 0.01) is told
        assert still == pytest.approx(splits / (splits + 1) * 0.5 + 0.5 / (splits + 1))


def test_known_risks() -> None:
    scores = np.array([[1.0, 2.0], [1.0, 9.0], [9.0, 9.0]])
    diverged = np.array([[False, False], [False, True], [True, True]])
    found = risks(scores, diverged, np.array([0.0, 0.5, 0.0]), 4.0)
    assert found.tolist() == pytest.approx([1.5, 0.5 * 1.0 + 0.5 * 4.0, 4.0])


# ----------------------------------------------------------------------------------------------------------- survivors


@st.composite
def fields_of_arms(draw: st.DrawFn) -> tuple[list[str], Array, int, int]:
    """Candidates of a few arms; risks of a few values, so that there are ties, or of any."""
    count = draw(st.integers(1, 12))
    arms = draw(st.lists(st.sampled_from("abcd"), min_size=count, max_size=count))
    value = draw(st.sampled_from([st.sampled_from([0.1, 0.2, 0.3]), st.floats(0.0, 1.0)]))
    risk = np.array(draw(st.lists(value, min_size=count, max_size=count)))
    return arms, risk, draw(st.integers(1, 12)), draw(st.integers(1, 5))


@laws
@given(fields_of_arms())
def test_the_best_stay_and_the_leading_arms_are_represented_each_by_its_best(
    field: tuple[list[str], Array, int, int],
) -> None:
    arms, risk, keep, least = field
    kept = survivors(*field)
    assert kept == sorted(set(kept))
    assert len(kept) >= min(keep, len(arms))
    assert risk[kept].min() == risk.min()
    best = {arm: min(risk[n] for n in range(len(arms)) if arms[n] == arm) for arm in set(arms)}
    staying = {arm: min(risk[n] for n in kept if arms[n] == arm) for arm in {arms[n] for n in kept}}
    assert all(staying[arm] == best[arm] for arm in staying)
    for arm in best:
        ahead = sum(value < best[arm] for value in best.values())
        level = sum(value == best[arm] for value in best.values())
        if ahead + level <= least:
            assert arm in staying


@laws
@given(fields_of_arms())
def test_nobody_stays_without_a_reason(field: tuple[list[str], Array, int, int]) -> None:
    """Among the best so many (or equal to the last of them), or the best of an arm that had to be represented."""
    arms, risk, keep, least = field
    kept = survivors(*field)
    represented = sorted({min(risk[n] for n in range(len(arms)) if arms[n] == arm) for arm in set(arms)})
    for place in kept:
        better = int((risk < risk[place]).sum())
        own = [risk[n] for n in range(len(arms)) if arms[n] == arms[place]]
        arm_is_needed = risk[place] == min(own) and risk[place] in represented[:least]
        assert better < max(keep, least) or arm_is_needed


@laws
@given(fields_of_arms())
def test_equals_stay_together(field: tuple[list[str], Array, int, int]) -> None:
    """Unless one stays for the sake of its arm, and the arm of the other has somebody better."""
    arms, risk, *_ = field
    kept = set(survivors(*field))
    for one in kept:
        for other in set(range(len(arms))) - kept:
            assert not (risk[one] == risk[other] and arms[one] == arms[other])
            if risk[one] == risk[other]:
                first = {risk[n] for n in range(len(arms)) if arms[n] == arms[one]}
                second = {risk[n] for n in range(len(arms)) if arms[n] == arms[other]}
                assert risk[one] == min(first), "kept for the sake of its arm"
                assert risk[other] > min(second), "which the other's arm has somebody better for"


@laws
@given(field=fields_of_arms(), data=st.data())
def test_who_stays_does_not_depend_on_the_order(field: tuple[list[str], Array, int, int], data: st.DataObject) -> None:
    arms, risk, keep, least = field
    order = data.draw(st.permutations(range(len(arms))))
    shuffled = survivors([arms[n] for n in order], risk[order], keep, least)
    assert sorted(order[place] for place in shuffled) == survivors(*field)


@pytest.mark.parametrize(
    ("arms", "risk", "keep", "least", "kept"),
    [
        ("aabb", [1.0, 2.0, 3.0, 4.0], 2, 1, [0, 1]),
        ("aabb", [1.0, 2.0, 3.0, 4.0], 2, 2, [0, 2]),
        ("aabb", [1.0, 2.0, 3.0, 4.0], 3, 2, [0, 1, 2]),
        ("aabb", [1.0, 2.0, 3.0, 4.0], 9, 9, [0, 1, 2, 3]),
        ("aaab", [1.0, 2.0, 2.0, 3.0], 2, 1, [0, 1, 2]),  # equals of the last
        ("aaab", [1.0, 2.0, 2.0, 9.0], 3, 2, [0, 1, 2, 3]),  # also beside one that stays for the sake of its arm
        ("abc", [1.0, 2.0, 2.0], 1, 2, [0, 1, 2]),
        ("abcd", [0.0, 0.0, 0.0, 0.0], 1, 1, [0, 1, 2, 3]),
    ],
)
def test_known_survivors(arms: str, risk: list[float], keep: int, least: int, kept: list[int]) -> None:
    assert survivors(list(arms), np.array(risk), keep, least) == kept


# -------------------------------------------------------------------------------------- who is told apart, the simplest


@st.composite
def paired(draw: st.DrawFn, counts: Sequence[int] = range(1, 9)) -> dict[str, Array]:
    splits = draw(st.sampled_from(counts))
    names = draw(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True))
    # quarters: of them and of their sums every digit is kept
    quarters = arrays(float, splits, elements=st.integers(0, 12).map(lambda n: n / 4))
    return {name: draw(quarters) for name in names}


def means(scores: dict[str, Array]) -> dict[str, float]:
    return {name: float(own.mean()) for name, own in scores.items()}


@laws
@given(paired())
def test_not_told_apart_are_those_within_some_standard_errors_of_the_paired_difference(
    scores: dict[str, Array],
) -> None:
    risk = means(scores)
    found = not_told_apart(scores, risk)
    best = next(name for name in risk if risk[name] == min(risk.values()))
    for name, own in scores.items():
        gaps = [float(a - b) for a, b in zip(own, scores[best], strict=True)]
        mean, n = sum(gaps) / len(gaps), len(gaps)
        allowed = 0.0
        if n > 1:
            allowed = race.TOLD * math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / (n - 1) / n)
        apart = risk[name] - risk[best] - allowed
        # one way of summing and another differ by a rounding
        assert (name in found) == (apart <= 0) or abs(apart) < 1e-12
    assert best in found


@laws
@given(scores=paired([1, 2, 4, 8]), shift=st.lists(st.integers(-40, 40).map(lambda n: n / 4), min_size=8, max_size=8))
def test_what_a_split_does_to_all_alike_is_no_difference_between_them(
    scores: dict[str, Array], shift: list[float]
) -> None:
    """Numbers of splits of whose quarters the mean is exact, so that not even a rounding differs."""
    moved = {name: own + np.array(shift[: len(own)]) for name, own in scores.items()}
    assert not_told_apart(moved, means(moved)) == not_told_apart(scores, means(scores))


def test_equals_are_never_told_apart_and_of_them_the_simplest_is_taken() -> None:
    scores = {name: np.array([0.5, 0.25, 0.75]) for name in ("tuned", "default", "other")}
    risk = means(scores)
    alike = not_told_apart(scores, risk)
    assert sorted(alike) == ["default", "other", "tuned"]
    assert simplest(alike, {"tuned": 3, "default": 0, "other": 1}, risk) == "default"


def test_a_difference_that_is_the_same_on_every_split_is_told_however_small() -> None:
    scores = {"better": np.array([0.5, 3.25, 0.75]), "worse": np.array([0.5, 3.25, 0.75]) + 2.0**-20}
    assert not_told_apart(scores, means(scores)) == ["better"]


@laws
@given(st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.integers(0, 3), st.floats(0.0, 1.0)), min_size=1))
def test_the_simplest_has_the_fewest_constants_and_of_equals_the_lowest_risk(
    candidates: dict[str, tuple[int, float]],
) -> None:
    constants = {name: count for name, (count, _) in candidates.items()}
    risk = {name: value for name, (_, value) in candidates.items()}
    found = simplest(list(candidates), constants, risk)
    for name in candidates:
        assert constants[found] <= constants[name]
        if constants[found] == constants[name]:
            assert risk[found] <= risk[name]
