"""Who is recommended: the right one where the search was fooled, the default where nothing is better."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.hyper import Array
from sweep.results.racing import Racing, resolution
from sweep.results.statistics.choice import Choice, Who, choose
from sweep.results.tables import after_search
from sweep.search.running import race
from sweep.search.running.finalists import DEFAULT, Finalist
from sweep.search.space.space import Arm
from sweep.search.study_file.spec import Spec
from tests.results.made import made
from tests.results.statistics.test_summaries import row, trials_of
from tests.studies import laws, tiny

ARMS = [Arm(optimizer, "constant") for optimizer in ("sgd", "momentum", "adagrad", "rmsprop")]
CONSTANTS = {arm: place + 1 for place, arm in enumerate(ARMS)}
NOISE, SEEDS = 0.1, 25


def chosen(
    means: Sequence[float], defaults: Sequence[float], random: np.random.Generator, noise: float = NOISE
) -> Choice:
    """Choose among arms with these true means, tuned and by default, measured noise that splits share in part."""
    together = random.normal(0, 2 * noise, SEEDS)
    scores: dict[Who, Array] = {}
    for arm, tuned, default in zip(ARMS, means, defaults, strict=False):
        scores[arm, "tuned"] = tuned + together + random.normal(0, noise, SEEDS)
        scores[arm, "default"] = default + together + random.normal(0, noise, SEEDS)
    values = np.array(list(scores.values()))
    risk = race.risks(values, np.zeros(values.shape, bool), np.zeros(len(values)), 3.0)
    return choose(scores, dict(zip(scores, risk.tolist(), strict=True)), CONSTANTS)


# ---------------------------------------------------------------------------------------------------- the known answer


def test_where_all_are_equal_a_default_is_recommended() -> None:
    """In 97 % of the cases: the best of all is chosen from the same numbers, so not in all."""
    random = np.random.default_rng(1)
    found = [chosen([1.0] * 4, [1.0] * 4, random).kind for _ in range(300)]
    # Measured with 1,000: 0.976; four standard errors of the share of 300 are 0.035.
    assert found.count("default") / len(found) > 0.94


def test_where_nothing_varies_and_all_are_equal_a_default_is_always_recommended() -> None:
    for seed in range(20):
        assert chosen([1.0] * 4, [1.0] * 4, np.random.default_rng(seed), noise=0.0).kind == "default"


def test_where_one_is_better_by_far_it_is_recommended() -> None:
    """By one standard deviation of the noise: three and a half standard errors of a difference."""
    random = np.random.default_rng(2)
    found = [chosen([1.0, 1.0, 0.9, 1.0], [1.0] * 4, random) for _ in range(200)]
    right = sum((each.recommended, each.kind) == (ARMS[2], "tuned") for each in found)
    # Measured with 500: 0.93; four standard errors of the share of 200 are 0.072.
    assert right / len(found) > 0.86


def test_the_luckiest_of_the_search_is_dropped_where_it_is_truly_the_worst() -> None:
    """The search's first arm looks best by luck; on fresh splits it is behind by three standard errors and more."""
    random = np.random.default_rng(3)
    found = [chosen([1.2, 1.0, 0.95, 1.0], [1.05, 1.0, 1.0, 1.0], random) for _ in range(200)]
    assert not any((each.recommended, each.kind) == (ARMS[0], "tuned") for each in found)


def test_of_those_that_are_not_told_apart_the_one_with_the_fewest_constants_is_recommended() -> None:
    scores: dict[Who, Array] = {}
    base = np.random.default_rng(4).normal(1, 0.1, SEEDS)
    for place, arm in enumerate(ARMS):
        scores[arm, "tuned"] = base + (-1) ** (np.arange(SEEDS) // (1 + place)) * 0.1 - 1e-6 * place
        scores[arm, "default"] = base + 1
    risk = {who: float(values.mean()) for who, values in scores.items()}
    found = choose(scores, risk, CONSTANTS)
    assert found.leader == ARMS[3]
    assert set(found.alike) == set(ARMS)
    assert (found.recommended, found.kind) == (ARMS[0], "tuned")


@laws
@given(st.integers(0, 2**32 - 1), st.permutations(range(4)))
def test_the_order_of_the_arms_does_not_matter(seed: int, order: list[int]) -> None:
    random = np.random.default_rng(seed)
    scores: dict[Who, Array] = {}
    for arm in ARMS:
        scores[arm, "tuned"], scores[arm, "default"] = random.normal(1, 0.1, (2, 6))
    risk = {who: float(values.mean()) for who, values in scores.items()}
    turned = {who: scores[who] for place in order for who in scores if who[0] == ARMS[place]}
    one, other = choose(scores, risk, CONSTANTS), choose(turned, risk, CONSTANTS)
    assert (one.recommended, one.kind, one.leader, set(one.alike)) == (
        other.recommended, other.kind, other.leader, set(other.alike),
    )  # fmt: skip
    assert one.representatives == other.representatives


# ------------------------------------------------------------------------------------------------ ties, and who may run


def test_a_loss_below_what_its_samples_can_tell_is_no_better_than_another_such() -> None:
    assert resolution(0) == 0
    assert resolution(36) == pytest.approx(np.log(2) / 36)


def racing(spec: Spec, trials: pd.DataFrame, tie: float = 0.0, folder: Path = Path("nowhere")) -> Racing:
    return Racing(spec, trials, after_search.read(folder, "race"), tie)


def test_arms_and_trials_that_tie_run_whatever_their_numbers() -> None:
    spec = tiny(search={"optimizers": ["sgd"], "schedules": ["constant", "exponential", "linear", "cosine"]},
                race={"candidates": 2}, verdict={"seeds": 4, "arms": 2})  # fmt: skip
    rows = []
    for number in range(16):
        schedule = ("constant", "exponential", "linear", "cosine")[number % 4]
        rates: dict[str, Any] = {
            "learning_rate": 0.001 * (1 + number),
            "schedule.rate": 0.01 * (1 + number),
            "schedule.end": 0.0,
        }
        rows.append(row(number, 1e-4 * number, schedule=schedule, **rates))
    trials = trials_of(*rows)

    def tuned(tie: float) -> list[Finalist]:
        return [each for each in racing(spec, trials, tie).candidates if each.number != DEFAULT]

    strict, tied = tuned(0.0), tuned(0.01)
    assert [each.number for each in strict] == [0, 4, 1, 5]
    assert {each.arm.schedule for each in tied} == {"constant", "exponential", "linear", "cosine"}
    assert {each.number for each in tied} == set(range(16))


def test_a_trial_that_had_the_default_is_no_tuned_candidate(tmp_path: Path) -> None:
    spec = tiny(search={"optimizers": ["sgd"], "schedules": ["constant"]}, verdict={"seeds": 4})
    trials = trials_of(row(0, 0.1, learning_rate=0.05), row(1, 0.2, learning_rate=0.3), row(2, 0.15, learning_rate=0.3))
    candidates = racing(spec, trials).candidates
    assert [each.number for each in candidates] == [2, DEFAULT], "nor is one that had what another has"


def test_of_a_run_without_a_race_the_search_says_who_leads(tmp_path: Path) -> None:
    answer = made(tmp_path / "run")
    best = answer.trials[answer.trials["state"] == "complete"].groupby(["optimizer", "schedule"])["objective"].idxmin()
    for (optimizer, schedule), place in best.items():
        assert answer.leading[Arm(optimizer, schedule)] == answer.trials.loc[place, "number"]


def test_many_trials_that_tie_are_a_finding(tmp_path: Path) -> None:
    from sweep.results.statistics.summaries import ties

    trials = trials_of(row(0, 0.0), row(1, 0.0), row(2, 0.004), row(3, 0.5))
    (finding,) = ties(trials, 0.01)
    assert finding.evidence.startswith("3 trials tie")
    (finding,) = ties(trials, 0.0)
    assert finding.evidence.startswith("2 trials tie")
    assert ties(trials_of(row(0, 0.1), row(1, 0.2)), 0.01) == []
