from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from sweep.results.statistics.fragility import near_best, sensitivity
from tests.results.statistics.made import tables, trials_of
from tests.studies import laws
from tests.tiers import mostly_long


def test_the_sensitivity_of_a_table_worked_out_by_hand() -> None:
    # The best rate is 10^-2, so the window is 10^-3.5 to 10^-0.5; half a decade to a bin; before training it was 1.
    logs, losses = [-5, -3.4, -3.3, -2.9, -2, -1.9, -0.6, -0.7, 0], [0.9, 0.8, 0.6, 0.5, 0.1, 0.3, 7.0, 0.05, 8.0]
    trials = trials_of(logs, losses, ["complete"] * 7 + ["pruned", "complete"])  # who was stopped is never the best
    (found,) = sensitivity(trials, 1.0).to_dict("records")
    means = [1.4 / 2, 0.5, 0.4 / 2, 1.05 / 2]  # from -3.5, -3, -2 and -1 on; from -2.5 and -1.5 on there is none
    assert found["sensitivity"] == pytest.approx(sum(means) / 4 - 0.1)
    assert (found["rates_low"], found["rates_high"]) == (pytest.approx(10**-3.5), pytest.approx(10**-0.5))
    assert found["trials"] == 9
    assert found["low"] <= found["sensitivity"] <= found["high"]


def test_the_window_is_moved_into_the_range_of_the_rates() -> None:
    (found,) = sensitivity(trials_of([-4, -3, -2, -1, 0], [4, 3, 2, 1, 0]), 9.0).to_dict("records")
    assert (found["rates_low"], found["rates_high"]) == (pytest.approx(1e-3), pytest.approx(1.0))
    assert found["sensitivity"] == pytest.approx((3 + 2 + 1 + 0) / 4)  # and the trial at 1e-4 is outside


def test_of_a_narrow_range_all_is_the_window_and_bins_are_equal() -> None:
    trials = trials_of(np.linspace(-2, -0.8, 13), [3.0] * 12 + [1.0])  # 1.2 decades: two bins of 0.6
    (found,) = sensitivity(trials, 9.0).to_dict("records")
    assert (found["rates_low"], found["rates_high"]) == (pytest.approx(0.01), pytest.approx(10**-0.8))
    assert found["sensitivity"] == pytest.approx((3.0 + 19 / 7) / 2 - 1.0)


STOPPED = ["complete"] * 4 + ["pruned"] + ["diverged"] * 2


def test_worse_than_no_training_is_as_bad_as_none() -> None:
    trials = trials_of(-np.arange(7) / 2, [50, 50, 50, 0.5, 50, 50, 50], STOPPED)
    (found,) = sensitivity(trials, 2.0).to_dict("records")
    assert found["sensitivity"] == pytest.approx((5 * 2.0 + 0.5) / 6 - 0.5)
    pd.testing.assert_frame_equal(sensitivity(trials, pd.Series(2.0, index=range(7))), sensitivity(trials, 2.0))
    assert sensitivity(trials, 0.1)["sensitivity"].tolist() == [0.0]  # nobody has learned anything


def test_the_loss_before_training_may_differ_from_trial_to_trial() -> None:
    trials = trials_of([-0.4, -0.3, -0.2, -0.1, 0.0], [1.0, 9.0, 9.0, 9.0, 9.0]).iloc[::-1]
    before = pd.Series([2.0, 3.0, 4.0, 5.0, 6.0])  # by number
    assert sensitivity(trials, before)["sensitivity"][0] == pytest.approx((1 + 3 + 4 + 5 + 6) / 5 - 1)


def valley(n: int, seed: int, width: float) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    logs = random.uniform(-4, 0, n)
    return trials_of(logs, 0.1 + 0.2 * ((logs + 2) / width) ** 2 + 0.05 * random.random(n))


def test_a_narrow_valley_is_more_sensitive_than_a_wide_one() -> None:
    (narrow,), (wide,) = (sensitivity(valley(100, 0, width), 1.0).to_dict("records") for width in (0.4, 2.0))
    assert narrow["low"] > 2 * wide["high"]


@pytest.mark.parametrize(
    ("width", "n"),
    mostly_long([(0.5, 30), (0.5, 200), (2.0, 30), (2.0, 200)], lambda width, n: (width, n) in ((0.5, 200), (2.0, 30))),
)
def test_the_interval_covers_the_truth(width: float, n: int) -> None:
    logs = np.linspace(-3.5, -0.5, 30_001)
    losses = np.minimum(0.1 + 0.2 * ((logs + 2) / width) ** 2 + 0.025, 1.0)
    truth = losses.mean() - 0.1
    tables = [sensitivity(valley(n, seed, width), 1.0) for seed in range(100)]
    covered = [table["low"][0] <= truth <= table["high"][0] for table in tables]
    assert np.mean(covered) >= 0.9


def test_each_arm_has_its_own_row_whatever_the_order_and_the_other_arms() -> None:
    one, other = valley(60, 0, 0.5), valley(60, 1, 1.0).assign(optimizer="adam", number=range(60, 120))
    both = pd.concat([one, other])
    table = sensitivity(both, 1.0)
    assert table["optimizer"].tolist() == ["adam", "sgd"]
    pd.testing.assert_frame_equal(table, sensitivity(both.sample(frac=1, random_state=0), 1.0))
    pd.testing.assert_frame_equal(table[1:].reset_index(drop=True), sensitivity(one, 1.0))
    assert sensitivity(one, 1.0, seed=1)["low"][0] != sensitivity(one, 1.0)["low"][0]


NINE = valley(9, 0, 1.0)
FLAT = {
    "few": NINE[:4],
    "one rate": NINE.assign(learning_rate=0.1),
    "diverged": NINE.assign(state="diverged"),
    "failed": NINE.assign(state="failed", objective=None),
    "few objectives": NINE.assign(objective=[0.1] * 4 + [math.nan] * 5),
}


@pytest.mark.parametrize("name", FLAT)
def test_there_is_no_sensitivity_without_rates_to_compare(name: str) -> None:
    (found,) = sensitivity(FLAT[name], 1.0).to_dict("records")
    assert found["trials"] == len(FLAT[name])
    assert all(math.isnan(found[column]) for column in ("sensitivity", "low", "high", "rates_low", "rates_high"))


SHARES = ["share", "share_low", "share_high", "share_own", "share_own_low", "share_own_high"]


def test_the_shares_near_the_best_worked_out_by_hand() -> None:
    objectives = [1.0, 1.2, 3.0, 1.15, 1.3, 1.16, None, None]
    states = ["complete", "complete", "diverged", "complete", "complete", "pruned", "failed", "running"]
    trials = trials_of(-1.0, objectives, states, ["adam"] * 3 + ["sgd"] * 5)
    table = near_best(trials, 0.2).set_index("optimizer")
    assert list(table) == ["schedule", *SHARES, "trials"]
    assert table["trials"].to_dict() == {"adam": 3, "sgd": 4}
    for name, near, own in (("adam", 2, 2), ("sgd", 1, 2)):
        for k, prefix in ((near, "share"), (own, "share_own")):
            exact = binomtest(k, table["trials"][name]).proportion_ci(0.95, method="exact")
            found = table.loc[name, [prefix, f"{prefix}_low", f"{prefix}_high"]].tolist()
            assert found == pytest.approx([k / table["trials"][name], exact.low, exact.high])


@laws
@given(near=st.integers(1, 30), far=st.integers(0, 30), level=st.floats(0.1, 0.99))
def test_the_interval_is_the_exact_one(near: int, far: int, level: float) -> None:
    (found,) = near_best(trials_of(-1.0, [1.0] * near + [2.0] * far), 0.5, level=level).to_dict("records")
    exact = binomtest(near, near + far).proportion_ci(level, method="exact")
    assert (found["share_low"], found["share_high"]) == (pytest.approx(exact.low), pytest.approx(exact.high))


def test_shares_do_not_depend_on_the_unit_of_the_objective() -> None:
    trials = pd.concat([valley(60, 0, 0.5), valley(60, 1, 1.0).assign(optimizer="adam", number=range(60, 120))])
    table = near_best(trials, 0.25)
    pd.testing.assert_frame_equal(table, near_best(trials.assign(objective=1024 * trials["objective"]), 0.25))
    assert table["share"].sum() > 0


def test_of_equal_objectives_all_are_best_and_of_none_complete_none_is() -> None:
    table = near_best(trials_of(-1.0, [0.0] * 4), 0.1)
    assert table[["share", "share_own"]].to_numpy().tolist() == [[1.0, 1.0]]
    trials = trials_of(-1.0, [3.0, 3.0, 1.0], ["diverged", "diverged", "complete"], ["adam", "adam", "sgd"])
    adam, sgd = near_best(trials, 0.1).to_dict("records")
    assert (adam["share"], adam["trials"], sgd["share"]) == (0.0, 2, 1.0)
    assert math.isnan(adam["share_own"])
    assert near_best(trials[:2], 0.1)[SHARES].isna().all(axis=None)


@laws
@given(trials=tables(), start=st.sampled_from([math.nan, 0.0, 0.7, 1e9]), delta=st.sampled_from([0.0, 0.05, 2.0]))
def test_whatever_the_table_there_is_an_answer_for_each_arm(trials: pd.DataFrame, start: float, delta: float) -> None:
    arms = trials.loc[trials["state"] != "running", ["optimizer", "schedule"]].drop_duplicates()
    fragile = sensitivity(trials, start)
    known = fragile.dropna()
    assert len(fragile) == len(arms)
    assert ((known["low"] >= 0) & (known["low"] <= known["sensitivity"])).all()
    assert (known["sensitivity"] <= known["high"]).all()
    near = near_best(trials, delta)
    assert len(near) == len(arms)
    for prefix in ("share", "share_own"):
        some = near.dropna(subset=prefix)
        assert some[f"{prefix}_low"].between(0, some[prefix]).all()
        assert some[f"{prefix}_high"].between(some[prefix], 1).all()
