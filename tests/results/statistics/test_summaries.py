from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.hyper import Range
from sweep.results.statistics.summaries import EDGE, MANY_DIVERGED, arms, best_trial, findings, finished
from sweep.results.tables.tables import Tables, read
from sweep.search.space.space import Space
from tests.studies import CALM, content, everything, laws, run, tiny

SPACE = everything().space()
MIDDLE: dict[str, Any] = {  # values far from every end of every range
    "learning_rate": 0.01, "optimizer.momentum": 0.9, "optimizer.epsilon": 1e-6, "optimizer.initial_cache": 0.0,
    "optimizer.decay": 0.99, "schedule.warmup": 0.0, "schedule.every": 8.0, "schedule.divisor": 3.5,
    "schedule.rate": 0.05, "schedule.boundaries.1": 15.0, "schedule.boundaries.2": 25.0, "schedule.factors.1": 0.05,
    "schedule.factors.2": 0.05, "schedule.drop": 0.4, "schedule.patience": 4.0, "schedule.threshold": 0.001,
    "schedule.end": 0.01, "schedule.duration": 40.0,
}  # fmt: skip


def row(number: int, objective: float = 1.0, state: str = "complete", **values: Any) -> dict[str, Any]:
    """A trial; dots in names are written as double underscores."""
    named = {key.replace("__", "."): value for key, value in values.items()}
    plain = {"number": number, "state": state, "objective": objective, "optimizer": "sgd", "schedule": "constant"}
    rest = {"validation_error": objective / 10, "epochs": 40, "diverged_at": 5.0 if state == "diverged" else np.nan}
    return plain | MIDDLE | rest | named


def trials_of(*rows: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def curves_of(rates: Mapping[int, list[float]]) -> pd.DataFrame:
    columns = [(n, 0, epoch, rate) for n, curve in rates.items() for epoch, rate in enumerate(curve)]
    return pd.DataFrame(columns, columns=["number", "replicate", "epoch", "learning_rate"])


NO_CURVES = curves_of({})


def kinds(trials: pd.DataFrame, curves: pd.DataFrame = NO_CURVES, space: Space = SPACE) -> list[str]:
    return [finding.kind for finding in findings(trials, curves, space)]


states = st.sampled_from(["complete", "diverged", "running"])
outcomes = st.lists(st.tuples(st.floats(0.0, 10.0), states), max_size=30)


@laws
@given(outcomes=outcomes)
def test_the_best_trial_is_the_first_complete_one_with_the_smallest_objective(
    outcomes: list[tuple[float, str]],
) -> None:
    trials = trials_of(*(row(n, *outcome) for n, outcome in enumerate(outcomes)), row(99, state="running"))
    complete = [(value, number) for number, (value, state) in enumerate(outcomes) if state == "complete"]
    best = best_trial(trials)
    if complete:
        assert best is not None
        assert (best["objective"], best["number"]) == min(complete)
    else:
        assert best is None


def test_a_running_or_diverged_trial_is_never_the_best() -> None:
    trials = trials_of(row(0, 0.1, "diverged"), row(1, np.nan, "running"), row(2, 0.5))
    best = best_trial(trials)
    assert best is not None
    assert best["number"] == 2


@laws
@given(outcomes=outcomes)
def test_the_arms_count_every_finished_trial_once(outcomes: list[tuple[float, str]]) -> None:
    names = ["sgd", "adam", "rmsprop"]
    rows = [row(n, *outcome, optimizer=names[n % 3]) for n, outcome in enumerate(outcomes)]
    trials = trials_of(*rows, row(98, optimizer="momentum"), row(99, state="running"))
    table = arms(trials)
    assert table["trials"].sum() == len(finished(trials))
    assert table["diverged"].sum() == (trials["state"] == "diverged").sum()
    for entry in table.to_dict("records"):
        own = trials[trials["optimizer"] == entry["optimizer"]]
        best = best_trial(own)
        if best is None:
            assert pd.isna(entry["objective"])
            assert entry["trials"] == entry["diverged"]
        else:
            assert (entry["objective"], entry["number"]) == (best["objective"], best["number"])
            assert entry["learning_rate"] == best["learning_rate"]


def test_the_arms_are_sorted_best_first_and_hopeless_ones_last() -> None:
    table = arms(
        trials_of(
            row(0, 3.0, "diverged", optimizer="adam"),
            row(1, 0.7, optimizer="sgd"),
            row(2, 0.2, optimizer="rmsprop", schedule="step"),
            row(3, 0.9, optimizer="rmsprop", schedule="step"),
        )
    )
    assert table["optimizer"].tolist() == ["rmsprop", "sgd", "adam"]
    assert table["trials"].tolist() == [2, 1, 1]
    assert table["diverged"].tolist() == [0, 0, 1]
    assert table["number"].tolist() == [2, 1, pd.NA]
    assert list(table) == [
        "optimizer", "schedule", "trials", "diverged", "objective", "validation_error", "learning_rate", "number",
    ]  # fmt: skip


def test_nothing_is_found_on_a_healthy_table() -> None:
    healthy = [row(n, 1.0 + n, optimizer="rmsprop", schedule="step") for n in range(10)]
    assert kinds(trials_of(*healthy), curves_of({0: [0.1, 0.1, 0.05]})) == []


@pytest.mark.parametrize(
    ("column", "value", "optimizer", "schedule", "key"),
    [
        ("learning_rate", 1e-4, "sgd", "constant", "search.learning_rate"),
        ("learning_rate", 1.0, "sgd", "constant", "search.learning_rate"),
        ("optimizer.epsilon", 1.01e-10, "adam", "constant", "search.optimizer.adam.epsilon"),
        ("optimizer.epsilon", 0.99e-2, "rmsprop", "step", "search.optimizer.rmsprop.epsilon"),
        ("schedule.drop", 0.1, "sgd", "plateau", "search.schedule.plateau.drop"),
        ("schedule.drop", 0.8, "sgd", "plateau", "search.schedule.plateau.drop"),
        ("schedule.every", 20.0, "sgd", "step", "search.schedule.step.every"),
        ("schedule.factors.2", 3.0, "sgd", "piecewise", "search.schedule.piecewise.factors.2"),
    ],
)
def test_a_best_value_at_an_end_of_its_range_is_found_with_the_key_to_widen(
    column: str, value: float, optimizer: str, schedule: str, key: str
) -> None:
    best = row(0, 0.1, optimizer=optimizer, schedule=schedule) | {column: value}
    other = row(1, 0.5, optimizer=optimizer, schedule=schedule)
    (finding,) = findings(trials_of(best, other), NO_CURVES, SPACE)
    assert finding.kind == "best at the edge"
    assert f"{value:.4g}" in finding.evidence
    assert ("low" if value < MIDDLE[column] else "high") in finding.evidence
    assert f"widen {key}:" in finding.advice


@pytest.mark.parametrize("log", [False, True])
@given(place=st.floats(0.0, 1.0))
def test_the_edge_is_a_share_of_the_range_as_it_is_searched(log: bool, place: float) -> None:
    low, high = 0.01, 100.0
    space = Space(Range(low, high, log), {"sgd": {}}, {"constant": {}})
    value = low * (high / low) ** place if log else low + place * (high - low)
    found = kinds(trials_of(row(0, learning_rate=min(max(value, low), high))), NO_CURVES, space)
    if place < 0.99 * EDGE or place > 1 - 0.99 * EDGE:
        assert found == ["best at the edge"]
    if 1.01 * EDGE < place < 1 - 1.01 * EDGE:
        assert found == []


def test_an_edge_that_is_not_the_best_trials_is_no_finding() -> None:
    assert kinds(trials_of(row(0, 0.1), row(1, 0.5, learning_rate=1.0))) == []


def test_choices_and_fixed_values_have_no_edge() -> None:
    space = tiny(search={"learning_rate": [0.1, 1.0], "optimizers": ["sgd"]}).space()
    assert kinds(trials_of(row(0, 0.1, learning_rate=1.0)), NO_CURVES, space) == []


@pytest.mark.parametrize("bad", range(11))
def test_many_diverged_trials_are_found_with_their_number_and_what_to_do(bad: int) -> None:
    rates = [0.5 if n < bad else 0.01 for n in range(10)]
    rows = [row(n, 1.0, "diverged" if n < bad else "complete", learning_rate=rate) for n, rate in enumerate(rates)]
    found = findings(trials_of(*rows, row(10, state="running")), NO_CURVES, SPACE)
    if bad <= MANY_DIVERGED * 10:
        assert found == []
        return
    (finding,) = found
    assert finding.kind == "many diverged"
    assert finding.evidence == f"{bad} of 10 trials diverged ({10 * bad} %)"
    assert "search.learning_rate" in finding.advice
    assert ("below 0.01" in finding.advice) == (bad < 10)


@pytest.mark.parametrize("schedule", ["step", "plateau", "piecewise"])
def test_a_schedule_that_left_the_rate_alone_is_found(schedule: str) -> None:
    trials = trials_of(row(3, 0.1, schedule=schedule), row(4, 0.5))
    (finding,) = findings(trials, curves_of({3: [0.1] * 41, 4: [0.1, 0.2]}), SPACE)
    assert finding.kind == "schedule never fired"
    assert schedule in finding.evidence
    assert "40 epochs" in finding.evidence
    assert "constant" in finding.advice


def test_a_schedule_that_acted_once_has_fired() -> None:
    assert kinds(trials_of(row(3, schedule="step")), curves_of({3: [0.1] * 40 + [0.05]})) == []


def test_the_constant_schedule_is_not_expected_to_fire() -> None:
    assert kinds(trials_of(row(3)), curves_of({3: [0.1] * 41})) == []


def test_a_step_schedule_slower_than_the_training_is_found_in_a_real_run(tmp_path: Path) -> None:
    search = CALM | {"schedules": ["step"], "schedule": {"step": {"every": 50, "divisor": 2}}}
    result = run(content(study={"trials": 4}, search=search), tmp_path)
    assert [f.kind for f in result.findings if f.kind != "best at the edge"] == ["schedule never fired"]


def test_a_run_of_diverging_trials_says_so(tmp_path: Path) -> None:
    search = {"learning_rate": 1e8, "optimizers": ["sgd"]}
    result = run(content(study={"trials": 4}, search=search), tmp_path)
    (finding,) = result.findings
    assert (finding.kind, finding.evidence) == ("many diverged", "4 of 4 trials diverged (100 %)")
    assert result.arms["diverged"].sum() == 4


def test_empty_tables_have_no_best_no_arms_and_no_findings(tmp_path: Path) -> None:
    Tables(tmp_path, SPACE.columns())
    trials, curves = read(tmp_path, "trials"), read(tmp_path, "curves")
    assert best_trial(trials) is None
    assert len(arms(trials)) == 0
    assert findings(trials, curves, SPACE) == []


def test_a_table_of_running_trials_only_has_none_either() -> None:
    trials = trials_of(row(0, np.nan, "running"), row(1, np.nan, "running"))
    assert best_trial(trials) is None
    assert len(arms(trials)) == 0
    assert kinds(trials) == []


def test_the_counts_of_an_empty_table_of_arms_are_numbers() -> None:
    assert arms(trials_of(row(0, np.nan, "running")))["diverged"].sum() == 0
