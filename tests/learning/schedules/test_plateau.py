from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from sweep.learning.schedules.formulas import Plateau
from tests import reference
from tests.learning.strategies import loss_pairs, losses
from tests.learning.walking import watched


def both(seen: list[float]) -> list[tuple[float, float]]:
    """One loss for validation and training."""
    return [(loss, loss) for loss in seen]


def factors(schedule: Plateau, seen: list[float]) -> list[float]:
    """The factor in force after each epoch, the first one before training."""
    known = (both(seen)[:epochs] for epochs in range(1, len(seen) + 1))
    return [schedule.factor(1.0, watched(schedule, losses)).item() for losses in known]


# Losses that meet the thresholds drawn here exactly, that miss them by little, and that are no numbers.
near_each_other = st.sampled_from([4.0, 2.0, 1.5, 1.0, 0.999, 0.75, 0.5, math.nan, math.inf, 0.0])
every_field = st.fixed_dictionaries(
    {
        "drop": st.sampled_from([0.1, 0.5, 0.9, 1.0]),
        "patience": st.integers(0, 4).map(float),
        "threshold": st.sampled_from([0.0, 1e-3, 0.25, 0.5, 1.0]),
        "absolute": st.booleans(),
        "cooldown": st.integers(0, 4).map(float),
        "floor": st.sampled_from([0.0, 0.01, 0.3, 1.0]),
        "least_change": st.sampled_from([0.0, 0.05, 0.25, 0.5]),
        "baseline": st.booleans(),
        "running_best": st.booleans(),
        "watch_training": st.booleans(),
    }
)


@given(
    seen=st.lists(st.tuples(near_each_other, near_each_other) | loss_pairs, min_size=1, max_size=30), chosen=every_field
)
def test_it_counts_as_the_textbook_after_every_epoch(seen: list[tuple[float, float]], chosen: dict[str, float]) -> None:
    schedule = Plateau(**chosen)
    for epochs in range(1, len(seen) + 1):
        expected = reference.SCHEDULES["plateau"](0.0, seen[:epochs], **chosen)
        assert schedule.factor(1.0, watched(schedule, seen[:epochs])).item() == expected


@given(seen=st.lists(losses, min_size=1, max_size=30), drop=st.floats(0.1, 1.0))
def test_with_endless_patience_it_never_drops(seen: list[float], drop: float) -> None:
    schedule = Plateau(drop=drop, patience=1e6, threshold=1.0)
    assert schedule.factor(1.0, watched(schedule, both(seen))).item() == 1.0


@given(seen=st.lists(losses, min_size=2, max_size=30))
def test_it_never_drops_while_the_loss_falls(seen: list[float]) -> None:
    falling = sorted({loss for loss in seen if math.isfinite(loss)}, reverse=True)
    assume(len(falling) > 1)
    schedule = Plateau(drop=0.5, patience=0, threshold=0.0)
    assert schedule.factor(1.0, watched(schedule, both(falling))).item() == 1.0


@given(
    seen=st.lists(losses, min_size=1, max_size=30),
    patience=st.integers(0, 5).map(float),
    cooldown=st.integers(0, 5).map(float),
)
def test_that_wants_the_impossible_it_drops_as_soon_as_it_may(
    seen: list[float], patience: float, cooldown: float
) -> None:
    schedule = Plateau(drop=0.5, patience=patience, threshold=1.0, cooldown=cooldown)
    first, between = patience + 1, patience + 1 + cooldown
    drops = math.floor((len(seen) - 1 - first) / between) + 1 if len(seen) > first else 0
    assert schedule.factor(1.0, watched(schedule, both(seen))).item() == 0.5**drops


@given(seen=st.lists(losses, min_size=1, max_size=30), floor=st.floats(0.0, 1.0), least=st.floats(0.0, 0.5))
@example(seen=[1.0] * 9, floor=0.4, least=0.0)
def test_it_neither_falls_below_its_floor_nor_by_too_little(seen: list[float], floor: float, least: float) -> None:
    after = factors(Plateau(drop=0.7, patience=0.0, threshold=0.5, floor=floor, least_change=least), seen)
    assert min(after) >= floor
    assert all(one == other or one - other > least for one, other in pairwise(after))


def test_that_has_seen_no_better_loss_than_nan_it_drops() -> None:
    assert factors(Plateau(drop=0.5, patience=1), [1.0, math.nan, math.nan]) == [1.0, 1.0, 0.5]


def test_without_a_baseline_the_first_epoch_is_better_than_nothing() -> None:
    seen = [1.0, 2.0, 2.0, 2.0]
    assert factors(Plateau(patience=0.0), seen) == [1.0, 0.5, 0.25, 0.125]
    assert factors(Plateau(patience=0.0, baseline=False), seen) == [1.0, 1.0, 0.5, 0.25]


def test_an_absolute_threshold_is_a_difference() -> None:
    seen = [10.0, 9.5, 9.0, 8.5]
    assert factors(Plateau(patience=0.0, threshold=0.4, absolute=True), seen)[-1] == 1.0
    assert factors(Plateau(patience=0.0, threshold=0.5, absolute=True), seen)[1] == 0.5  # not by more than 0.5
    assert factors(Plateau(patience=0.0, threshold=0.4), seen)[1] == 0.5  # 9.5 is not below 6


def test_to_scikit_learn_progress_by_just_the_threshold_is_progress() -> None:
    seen = [1.0, 1.0, 1.0]
    chosen = {"patience": 0.0, "threshold": 0.0, "absolute": True}
    assert factors(Plateau(**chosen), seen) == [1.0, 0.5, 0.25]
    assert factors(Plateau(**chosen, running_best=True), seen) == [1.0, 1.0, 1.0]


def test_a_running_best_follows_progress_that_is_too_small_to_count() -> None:
    creeping = [1.0, 0.96, 0.92, 0.88, 0.84, 0.8]
    chosen = {"patience": 0.0, "threshold": 0.1, "absolute": True}
    # 0.1 in all is progress, as long as the best stays where the last progress was made.
    assert factors(Plateau(**chosen), creeping) == [1.0, 0.5, 0.25, 0.25, 0.125, 0.0625]
    assert factors(Plateau(**chosen, running_best=True), creeping) == [0.5**n for n in range(6)]


@pytest.mark.parametrize("training", [False, True])
def test_it_watches_one_of_the_losses_and_not_the_other(training: bool) -> None:
    schedule = Plateau(patience=0.0, watch_training=training)
    falling, flat = [1.0, 0.5, 0.25], [1.0, 1.0, 1.0]
    seen = list(zip(falling, flat, strict=True))  # validation falls, training does not
    assert schedule.factor(0.0, watched(schedule, seen)).item() == (0.25 if training else 1.0)


def test_rows_with_different_knobs_count_side_by_side() -> None:
    rules = [Plateau(patience=0.0, watch_training=k % 2, baseline=k // 2 % 2, cooldown=float(k)) for k in range(6)]
    together = Plateau.stacked(rules)
    seen = np.random.default_rng(4).uniform(0.5, 1.0, (12, 2, 6, 1))
    state, alone = together.start(*seen[0]), [rule.start(*seen[0][:, [k]]) for k, rule in enumerate(rules)]
    for validation, training in seen[1:]:
        state = together.observe(state, validation, training)
        alone = [rule.observe(alone[k], validation[[k]], training[[k]]) for k, rule in enumerate(rules)]
        expected = [rule.factor(0.0, alone[k]).item() for k, rule in enumerate(rules)]
        assert together.factor(np.zeros(2), state)[:, 0].tolist() == expected
    assert len(set(expected)) > 2
