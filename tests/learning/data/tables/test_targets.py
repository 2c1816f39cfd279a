"""The task: said, or read off the target and told with what to say if it is another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweep.errors import DataError
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import prepare, split
from sweep.learning.data.tables.understanding import understood

N = 120
RANDOM = np.random.default_rng(3)


def table(target: Any, **more: Any) -> pd.DataFrame:
    return pd.DataFrame({"size": RANDOM.normal(size=len(target)), **more, "y": target})


def many(*values: Any) -> list[Any]:
    return [values[k % len(values)] for k in range(N)]


TASKS: dict[str, tuple[Any, str, Any]] = {
    "text": (many("yes", "no"), "classification", "yes"),
    "truth": (many(True, False), "classification", True),
    "truth as text": (many("True", "False"), "classification", True),
    "0.0 and 1.0": (many(0.0, 1.0), "classification", 0),
    "0 and 1 as text": (many("0", "1"), "classification", 0),
    "three whole numbers": (many(1, 2, 3), "classification", 1),
    "26 letters as numbers": ([k % 26 + 1 for k in range(12 * 26)], "classification", 1),
    "counts": (np.sort(RANDOM.poisson(3.0, N))[::-1].tolist(), "regression", None),
    "many whole numbers": (RANDOM.integers(0, 5000, N), "regression", None),
    "fractions": (RANDOM.normal(size=N), "regression", None),
    "prices as text": ([f"${100 * k + 50:,}" for k in range(N)], "regression", None),
    "None is a class": (many("None", "low"), "classification", "None"),
    "plus and minus": (many("+", "-"), "classification", "+"),
}


@pytest.mark.parametrize("name", TASKS)
def test_the_task_is_read_off_the_target(name: str) -> None:
    values, task, first = TASKS[name]
    found = understood(table(values), DataSource(target="y"))
    assert found.task == task
    assert found.told is not None
    assert found.told.why
    if first is not None:
        assert found.target[0] == first
        assert type(found.target.tolist()[0]) is type(first)


@pytest.mark.parametrize("name", ["0.0 and 1.0", "three whole numbers", "26 letters as numbers"])
def test_what_is_doubtful_is_said_with_the_other_task(name: str) -> None:
    found = understood(table(TASKS[name][0]), DataSource(target="y"))
    assert found.told is not None
    assert 'task = "regression"' in found.told.why
    other = understood(table(TASKS[name][0]), DataSource(target="y", task="regression"))
    assert other.task == "regression"
    assert other.target.dtype == np.float64


def test_counts_are_amounts_unless_they_are_said_to_be_classes() -> None:
    values = RANDOM.poisson(2.0, N)
    values[:5] = [0, 1, 2, 3, 4]
    values[5] = 11
    found = understood(table(values), DataSource(target="y"))
    assert found.told is not None
    assert found.task == "regression"
    assert 'task = "classification"' in found.told.why
    assert understood(table(values), DataSource(target="y", task="classification")).target.dtype.kind == "i"


@pytest.mark.parametrize(
    "missing", [[None, "a"], ["", "a"], [np.nan, "a"], ["NA", "a"], [None, 1.5], ["", "2.5"], [pd.NA, True]]
)
def test_rows_without_a_target_are_left_out_with_their_number(missing: list[Any]) -> None:
    present = missing[1]
    other = {"a": "b", "2.5": "3.5", 1.5: 2.5, True: False}[present]
    values = [*[missing[0]] * 7, *[present, other] * 20]
    found = understood(table(pd.Series(values, dtype=object)), DataSource(target="y"))
    assert len(found) == len(pd.DataFrame(found.features)) == 40
    assert found.told is not None
    assert found.told.rows_left_out == ("7 rows without y",)


def test_several_targets_are_numbers_and_a_row_needs_all_of_them() -> None:
    frame = table(RANDOM.normal(size=N), z=[None, *RANDOM.normal(size=N - 1)])
    found = understood(frame, DataSource(target=("y", "z")))
    assert found.target.shape == (N - 1, 2)
    assert split(found, DataSource(), 0).outputs == 2
    with pytest.raises(DataError, match="target 'w' is no number: several targets must be numbers"):
        understood(frame.assign(w=many("a", "b")), DataSource(target=("y", "w")))
    with pytest.raises(DataError, match="several targets are numbers"):
        understood(frame, DataSource(target=("y", "z"), task="classification"))


REFUSED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "text is no number": (many("a", "b"), {"task": "regression"}, "target 'y' is text: regression needs numbers"),
    "truth is no number": (many(True, False), {"task": "regression"}, "is true or false: regression needs numbers"),
    "dates": (pd.date_range("2020", periods=N), {}, "target 'y' holds dates"),
    "lists": ([[1]] * N, {}, "target 'y' holds list"),
    "infinite": ([np.inf, *np.linspace(0, 1, N)], {}, "target 'y' has infinite values"),
    "huge": ([1e200, *np.linspace(0, 1, N)], {}, "'y' has values beyond 1e.100"),
    "nothing": ([None] * N, {}, "no row has a target 'y'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_target_that_nobody_can_predict_is_refused_in_one_line(name: str) -> None:
    values, options, said = REFUSED[name]
    with pytest.raises(DataError, match=said) as caught:
        understood(table(values), DataSource(target="y", **options))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "positive"), [(many("yes", "no"), "no"), (many(0, 1), "0"), (many(True, False), "False")]
)
def test_the_positive_class_comes_last(labels: list[Any], positive: str) -> None:
    source = DataSource(target="y", positive=positive)
    found = understood(table(labels), source)
    data = split(found, source, 0)
    assert str(data.classes[-1]) == positive
    wanted = np.array([str(label) == positive for label in labels])
    total = sum(getattr(data, part).targets[:, -1].sum() for part in ("train", "validation", "test"))
    assert total == wanted.sum()


def test_a_positive_class_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match="positive = 'maybe': unknown class 'maybe'"):
        understood(table(many("yes", "no")), DataSource(target="y", positive="maybe"))


def test_a_study_of_a_file_with_a_positive_class_that_is_not_there_is_refused(tmp_path: Path) -> None:
    table(many("yes", "no")).to_csv(tmp_path / "a.csv", index=False)
    source = DataSource(file=str(tmp_path / "a.csv"), target="y")
    assert prepare(source, 0).classes.tolist() == ["no", "yes"]
    assert prepare(replace(source, positive="no"), 0).classes.tolist() == ["yes", "no"]
    with pytest.raises(DataError, match=r"a\.csv: positive = 'maybe': unknown class 'maybe'"):
        prepare(replace(source, positive="maybe"), 0)
