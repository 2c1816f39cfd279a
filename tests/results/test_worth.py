from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState
from scipy.stats import binomtest

from sweep.learning.hyper import Choices, Fixed, Range
from sweep.results.worth import importance, near_best, sensitivity
from sweep.search.space import Space
from tests.studies import everything, laws, tiny

RATES = Range(1e-4, 1.0, log=True)
MOMENTUM: Any = {"momentum": Choices((0.5, 0.8, 0.9, 0.95))}
RMSPROP: Any = {"decay": Range(0.5, 0.99), "epsilon": Range(1e-10, 1e-2, log=True)}
STEP: Any = {"every": Range(2, 20, integer=True), "divisor": Fixed(2.0)}
SMALL = Space(RATES, {"sgd": {}, "momentum": MOMENTUM, "rmsprop": RMSPROP}, {"constant": {}, "step": STEP})
NAMES = [
    "learning_rate", "optimizer", "schedule", "momentum.momentum", "rmsprop.decay", "rmsprop.epsilon", "step.every",
]  # fmt: skip


def drawn(n: int, seed: int, weights: Mapping[str, float]) -> pd.DataFrame:
    """Random trials of `SMALL`, all complete; the rate's distance from its best, the kinds and noise are weighted."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame({"number": range(n), "state": "complete"})
    table["optimizer"] = np.array(list(SMALL.optimizers))[random.integers(3, size=n)]
    table["schedule"] = np.array(list(SMALL.schedules))[random.integers(2, size=n)]
    table["learning_rate"] = 10 ** random.uniform(-4, 0, n)
    own = {
        "optimizer.momentum": ("momentum", np.array([0.5, 0.8, 0.9, 0.95])[random.integers(4, size=n)]),
        "optimizer.decay": ("rmsprop", random.uniform(0.5, 0.99, n)),
        "optimizer.epsilon": ("rmsprop", 10 ** random.uniform(-10, -2, n)),
        "schedule.every": ("step", random.integers(2, 21, size=n).astype(float)),
        "schedule.divisor": ("step", np.full(n, 2.0)),
    }
    for column, (kind, values) in own.items():
        table[column] = np.where(table[column.partition(".")[0]] == kind, values, np.nan)
    parts = {
        "rate": np.abs(np.log10(table["learning_rate"]) + 2) / 2,
        "sgd": table["optimizer"] == "sgd",
        "constant": table["schedule"] == "constant",
        "noise": random.random(n),
    }
    return table.assign(objective=sum(weight * parts[name] for name, weight in weights.items()))


def trials_of(logs: Any, objectives: Any, state: Any = "complete", optimizer: Any = "sgd") -> pd.DataFrame:
    """Trials with rates of these powers of ten."""
    table = pd.DataFrame({"objective": objectives, "state": state, "optimizer": optimizer, "schedule": "constant"})
    return table.assign(learning_rate=10.0 ** np.asarray(logs), number=range(len(table)))


STRONG = {"rate": 1.0, "noise": 0.05}
MIXED = {"rate": 0.8, "sgd": 0.5, "constant": 0.3, "noise": 0.5}


# ---------------------------------------------------------------------------------------------------------- importance


def in_optuna(space: Space, n: int, seed: int, digits: int = 9) -> tuple[optuna.Study, pd.DataFrame]:
    """A study in which Optuna has suggested and was told everything; and the table that the program makes of it."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    random = np.random.default_rng(seed)
    rows = []
    for number in range(n):
        trial = study.ask()
        configuration = space.suggest(trial)
        distance = abs(math.log10(configuration.learning_rate) + 2)
        value = round(distance + (configuration.optimizer.name == "sgd") + random.random(), digits)
        state = str(random.choice(["complete", "complete", "complete", "diverged", "pruned", "failed"]))
        told = {"complete": value, "diverged": 9.0 + value}.get(state)
        if told is None:
            study.tell(trial, state=TrialState.PRUNED if state == "pruned" else TrialState.FAIL)
        else:
            study.tell(trial, told)
        objective = value if state == "pruned" else told
        rows.append({"number": number, "state": state, "objective": objective, **configuration.record()})
    return study, pd.DataFrame(rows)


def optunas(study: optuna.Study) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that few trials have a parameter; that the evaluator is new
        return optuna.importance.get_param_importances(study)


CHOICES = {
    "learning_rate": [0.3, 0.1, 0.03, 0.01, 0.003],
    "optimizers": ["rmsprop"],
    "schedules": ["step", "piecewise", "inverse_time"],
    "optimizer": {"rmsprop": {"centered": [True, False], "epsilon": 1e-8, "decay": {"low": 0.5, "high": 0.99}}},
    "schedule": {"step": {"every": {"low": 1, "high": 50, "log": True, "integer": True}}},
}
LONG = {"step": {"every": Range(1, 500, integer=True), "divisor": Range(1.5, 9.0)}, "constant": {}}
SPACES = {
    "everything": everything().space(),
    "small": SMALL,
    "only the rate": Space(RATES, {"sgd": {}}, {"constant": {}}),
    "choices": tiny(search=CHOICES, network={"epochs": 70}).space(),
    "long ranges": Space(Range(0.1, 0.2), {"sgd": {}}, LONG),
}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(("n", "digits"), [(40, 9), (300, 9), (150, 0)])  # no digits: ties
def test_the_importances_are_those_of_optuna(name: str, n: int, digits: int) -> None:
    space = SPACES[name]
    study, table = in_optuna(space, n, seed=3, digits=digits)
    single = {"optimizer": len(space.optimizers) == 1, "schedule": len(space.schedules) == 1}  # 0 in Optuna
    expected = {name: value for name, value in optunas(study).items() if not single.get(name)}
    found = importance(table, space, resamples=2).set_index("name")["importance"]
    assert found.to_dict() == pytest.approx(expected, abs=1e-9)  # Optuna adds up logarithms
    assert found.is_monotonic_decreasing


def test_a_hyperparameter_that_decides_everything_stands_above_all_others() -> None:
    table = importance(drawn(400, 0, STRONG), SMALL)
    assert table["name"][0] == "learning_rate"
    assert table["importance"][0] > 0.9
    assert table["low"][0] > 5 * table["high"][1:].max()
    assert sorted(table["name"]) == sorted(NAMES)  # conditional ones are there, fixed ones are not
    assert (table["low"][1:] < 0.01).all()  # they reach down to where nothing matters


def test_a_conditional_hyperparameter_that_decides_is_found() -> None:
    trials = drawn(600, 1, {"noise": 0.2})
    distance = np.abs(np.log10(trials["optimizer.epsilon"]) + 8).fillna(4.0)
    table = importance(trials.assign(objective=trials["objective"] + distance), SMALL)
    assert table["name"][0] == "rmsprop.epsilon"
    assert table["low"][0] > table["high"][2:].max()


def test_intervals_shrink_with_the_number_of_trials() -> None:
    def width(n: int) -> float:
        table = importance(drawn(n, 4, MIXED), SMALL).set_index("name")
        return float((table["high"] - table["low"])[["learning_rate", "optimizer", "schedule"]].mean())

    assert width(200) > 1.5 * width(1000) > 1.5 * 1.5 * width(6000)  # the last in parts


def test_an_interval_covers_what_such_studies_find_on_average() -> None:
    tables = [importance(drawn(250, 10 * k, MIXED), SMALL, resamples=200).set_index("name") for k in range(50)]
    mean = pd.concat([table["importance"] for table in tables], axis=1).mean(axis=1)
    for name in NAMES:
        covered = [table.loc[name, "low"] <= mean[name] <= table.loc[name, "high"] for table in tables]
        assert np.mean(covered) >= 0.87, name  # nominal 0.95, and 50 studies: fewer than 0.87 has a chance of 1 %


def test_the_intervals_are_as_wide_as_optunas_importances_of_random_halves_spread() -> None:
    # A random half is as far from the whole as the whole is from the truth (Politis, Romano and Wolf 1999).
    study, table = in_optuna(SMALL, 1500, seed=6)
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    random = np.random.default_rng(0)
    found = []
    for _ in range(25):
        half = optuna.create_study()
        half.add_trials([complete[place] for place in random.permutation(len(complete))[: len(complete) // 2]])
        found.append(optunas(half))
    importances = importance(table, SMALL).set_index("name")
    for name in ("learning_rate", "optimizer"):
        spread = np.std([each[name] for each in found])
        width = (importances.loc[name, "high"] - importances.loc[name, "low"]) / (2 * 1.96)
        assert 0.6 < width / spread < 1.6, name


def test_the_order_of_rows_does_not_matter_and_the_seed_and_the_level_decide() -> None:
    trials = drawn(100, 7, MIXED).round({"objective": 2})  # there are ties
    table = importance(trials, SMALL)
    pd.testing.assert_frame_equal(table, importance(trials.sample(frac=1, random_state=1), SMALL))
    other = importance(trials, SMALL, seed=1)
    assert other["importance"].tolist() == table["importance"].tolist()
    assert other["low"].tolist() != table["low"].tolist()
    narrow = importance(trials, SMALL, level=0.5)
    assert ((narrow["low"] >= table["low"]) & (narrow["high"] <= table["high"])).all()


FIFTY = drawn(50, 0, STRONG)
VAGUE = {
    "none": FIFTY[:0],
    "few": FIFTY[:19],
    "pruned": FIFTY.assign(state="pruned"),
    "failed": FIFTY.assign(state="failed", objective=None),
    "running": FIFTY.assign(state="running", objective=np.nan),
    "constant": FIFTY.assign(objective=1.0),
    "ties": FIFTY.assign(objective=[0.0] * 4 + [1.0] * 46),  # four are no tenth: all others tie with the fifth
}


@pytest.mark.parametrize("name", VAGUE)
def test_nothing_is_said_where_no_best_tenth_stands_out(name: str) -> None:
    table = importance(VAGUE[name], SMALL)
    assert list(table) == ["name", "importance", "low", "high"]
    assert table.empty
    assert (table.dtypes[1:] == np.float64).all()


def test_diverged_trials_count() -> None:
    trials = drawn(300, 9, {"noise": 1.0})
    wild = trials["learning_rate"] > 0.01
    trials = trials.assign(state=np.where(wild, "diverged", "complete"), objective=trials["objective"] + 3 * wild)
    assert importance(trials, SMALL)["name"][0] == "learning_rate"
    assert len(importance(trials.assign(state="diverged"), SMALL)) == len(NAMES)


def test_where_only_the_rate_varies_it_has_all_importance() -> None:
    trials = drawn(60, 0, STRONG).assign(optimizer="sgd", schedule="constant")
    table = importance(trials, SPACES["only the rate"])
    assert table.to_numpy().tolist() == [["learning_rate", 1.0, 1.0, 1.0]]
    fixed = Space(Fixed(0.1), {"sgd": {}}, {"constant": {}})
    assert importance(trials.assign(learning_rate=0.1), fixed).empty


# --------------------------------------------------------------------------------------------------------- sensitivity


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


@pytest.mark.parametrize("n", [30, 200])
@pytest.mark.parametrize("width", [0.5, 2.0])
def test_the_interval_covers_the_truth(n: int, width: float) -> None:
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


# ----------------------------------------------------------------------------------------------------------- near best

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
    trials = drawn(100, 0, MIXED)  # as a regression's loss: any positive number
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


# ------------------------------------------------------------------------------------------------------------ any table

EVERY = SPACES["everything"]
values = st.none() | st.sampled_from([0.0, 1.0, math.inf, math.nan]) | st.floats(0.0, 1e6)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Any table of trials, whether or not the program would write it."""
    states = ["complete"] * 3 + ["diverged", "pruned", "failed", "running"]
    count = draw(st.sampled_from([0, 1, 5, 25, 40]))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    kinds = (draw(st.sampled_from([list(k)[:1], list(k)])) for k in (EVERY.optimizers, EVERY.schedules))
    optimizers, schedules = (random.choice(some, count) for some in kinds)
    logs = draw(st.lists(st.sampled_from([-4, -2, 0]) | st.floats(-9, 3), min_size=count, max_size=count))
    objectives = draw(st.lists(values, min_size=count, max_size=count))
    table = trials_of(logs, objectives, random.choice(states, count), optimizers).assign(schedule=schedules)
    return table.assign(**{name: random.choice([0.0, 0.5, 3.0, math.nan], count) for name in EVERY.columns()})


@laws
@given(trials=tables(), start=st.sampled_from([math.nan, 0.0, 0.7, 1e9]), delta=st.sampled_from([0.0, 0.05, 2.0]))
def test_whatever_the_table_there_is_an_answer(trials: pd.DataFrame, start: float, delta: float) -> None:
    table = importance(trials, EVERY, resamples=20)
    assert ((table["low"] >= 0) & (table["low"] <= table["importance"])).all()
    assert ((table["high"] <= 1) & (table["high"] >= table["importance"])).all()
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
