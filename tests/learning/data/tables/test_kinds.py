"""What kind of column it is: guessed well, and as it was said."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.data.tables import kinds, numerals
from sweep.learning.data.tables.columns import MISSING, Column
from sweep.learning.data.tables.kinds import LeftOut, Wishes

N = 60
DAYS = [datetime.date(2023, 1, 1) + datetime.timedelta(days=5 * k) for k in range(N)]


def texts(*values: str) -> list[str]:
    """Enough rows of these."""
    return [values[k % len(values)] for k in range(N)]


def guessed(values: Any, name: str = "x", **wishes: Any) -> Column | LeftOut:
    return kinds.one(pd.Series(values), name, Wishes(**{"kinds": {}, "orders": {}, **wishes}))


CASES: dict[str, tuple[Any, str]] = {
    "fractions": (np.linspace(0, 1, N), "number"),
    "few whole numbers": (np.arange(N) % 3, "number"),
    "truth": (np.arange(N) % 2 == 0, "number"),
    "truth as text": (texts("true", "False"), "number"),
    "truth, one missing": ([None, *[True, False] * (N // 2)], "number"),
    "decimals": ([Decimal(k % 7) for k in range(N)], "number"),
    "numbers as text": (texts("1", "2.5", "-3e2"), "number"),
    "question marks": (texts("1", "2", "?"), "number"),
    "open ends": (texts("84", "85+", "<1"), "number"),
    "accounting": (texts("(1,200)", "300"), "number"),
    "apps": (texts("19M", "201k", "Varies with device", *map(str, range(40))), "number"),
    "few categories": (texts("a", "b"), "category"),
    "None is a grade": (texts("None", "low"), "category"),
    "codes with leading zeros": (texts("01234", "99999"), "category"),
    "ranges": (texts("18-25", "26-40"), "category"),
    "versions": (texts("1.2.3", "1.2.4"), "category"),
    "mixed": ([1, "b"] * (N // 2), "category"),
    "pandas' categories": (pd.Categorical(texts("a", "b")), "category"),
    "sentences": ([f"the {k} quick brown foxes of {k}" for k in range(N)], "text"),
    "ISO": ([str(day) for day in DAYS], "date"),
    "ISO with time": ([f"{day} 12:3{k % 10}:00" for k, day in enumerate(DAYS)], "date"),
    "ISO with T and Z": ([f"{day}T12:30:00Z" for day in DAYS], "date"),
    "German": ([f"{day:%d.%m.%Y}" for day in DAYS], "date"),
    "American": ([f"{day:%m/%d/%Y}" for day in DAYS], "date"),
    "British": ([f"{day:%d/%m/%Y}" for day in DAYS], "date"),
    "months in words": ([f"{day:%d %b %Y}" for day in DAYS], "date"),
    "days of Python": (DAYS, "date"),
    "timestamps": (pd.to_datetime(DAYS), "date"),
    "timestamps with a zone": (pd.date_range("2020", periods=N, tz="Europe/Zurich"), "date"),
    "a duration": (pd.to_timedelta(np.arange(N) ** 2, "h"), "number"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_kind_is_guessed(name: str) -> None:
    values, kind = CASES[name]
    found = guessed(values)
    assert isinstance(found, Column), found
    assert found.kind == kind


LEFT_OUT: dict[str, tuple[Any, str, str]] = {
    "one number": (np.ones(N), "x", "constant"),
    "one text": (texts("a"), "x", "constant"),
    "nothing": ([None] * N, "x", "empty"),
    "no number": ([np.nan] * N, "x", "empty"),
    "counting": (np.arange(N) + 7, "x", "an identifier"),
    "counting as text": ([str(k) for k in range(N)], "x", "an identifier"),
    "called id": (np.arange(N) ** 2, "customer_id", "an identifier"),
    "called customerId": (np.arange(N) ** 2, "customerId", "an identifier"),
    "a key each": ([f"k{k**3}" for k in range(N)], "x", "an identifier"),
    "lists": ([[1, 2]] * N, "x", "holds list"),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_says_nothing_is_left_out_with_the_reason(name: str) -> None:
    values, called, why = LEFT_OUT[name]
    assert guessed(values, called) == LeftOut(called, why)


@pytest.mark.parametrize("name", [name for name in LEFT_OUT if "count" in name or "called" in name])
def test_what_is_left_out_stays_if_it_is_said_to_be_a_number(name: str) -> None:
    values, called, _ = LEFT_OUT[name]
    found = guessed(values, called, kinds={called: "number"})
    assert isinstance(found, Column)
    assert found.kind == "number"


def test_a_salary_that_is_different_in_every_row_is_no_identifier() -> None:
    random = np.random.default_rng(0)
    assert isinstance(guessed(random.choice(10**6, N, replace=False), "salary"), Column)


def read(values: Any, **wishes: Any) -> list[Any]:
    found = guessed(values, **wishes)
    assert isinstance(found, Column), found
    (result, *_) = found.read(pd.Series(values)).values()
    return list(result)


@pytest.mark.parametrize(
    ("written", "values"),
    [
        (["1,234", "12", "1,234,567"], [1234, 12, 1234567]),
        (["1.234,5", "7,25", "3"], [1234.5, 7.25, 3]),
        (["0,5", "12,25", "1,234"], [0.5, 12.25, 1.234]),
        (["1 234", "5 678 901", "9"], [1234, 5678901, 9]),
        (["$1,200", "-$35", "($40)"], [1200, -35, -40]),
        (["12%", "3.5 %", "100%"], [12, 3.5, 100]),
        (["85+", "<5", "~7"], [85, 5, 7]),
        (["1.5k", "2M", "300"], [1500, 2e6, 300]),
        (["12 kg", "7.5 kg", "3 kg"], [12, 7.5, 3]),
        (["1e3", "2.5E-1", ".5"], [1000, 0.25, 0.5]),
        (["−5", "+7", "3"], [-5, 7, 3]),  # noqa: RUF001  # a minus sign
        (["5", "n/a", "7"], [5, np.nan, 7]),
        (["5", "-", "7", "--"], [5, np.nan, 7, np.nan]),
        (["5", "unknown", "7"], [5, np.nan, 7]),
        (["True", "false", "TRUE", ""], [1, 0, 1, np.nan]),
    ],
)
def test_numbers_are_read_as_people_write_them(written: list[str], values: list[float]) -> None:
    np.testing.assert_array_equal(read(written * 4), values * 4)


@given(
    values=st.lists(st.integers(-(10**7), 10**7).map(lambda k: k / 100), min_size=8, max_size=30, unique=True),
    comma=st.booleans(),
    grouped=st.booleans(),
)
def test_any_number_comes_back_whatever_the_marks(values: list[float], comma: bool, grouped: bool) -> None:
    written = [f"{value:,.2f}" if grouped else f"{value:.2f}" for value in values]
    if comma:
        written = [text.translate(str.maketrans(",.", ".,")) for text in written]
    np.testing.assert_array_equal(read(written, kinds={"x": "number"}), values)


def test_a_comma_that_could_be_either_follows_the_other_columns() -> None:
    frame = pd.DataFrame({"a": texts("1,234", "5,678"), "b": texts("0,5", "2,25")})
    alone, beside = kinds.all_of(frame[["a"]])[0], kinds.all_of(frame)[0]
    assert isinstance(alone, Column)
    assert isinstance(beside, Column)
    assert list(alone.read(frame["a"])["a"][:2]) == [1234, 5678]
    assert "decimal" in alone.note
    assert list(beside.read(frame["a"])["a"][:2]) == [1.234, 5.678]
    assert read(texts("1,234", "5,678"), decimal=",")[:2] == [1.234, 5.678]


def test_day_and_month_that_could_be_either_are_said_and_can_be_said() -> None:
    either = texts("01/02/2023", "03/04/2023", "05/06/2023")
    found, said = guessed(either), guessed(either, day_first=True)
    assert isinstance(found, Column)
    assert isinstance(said, Column)
    assert "day_first" in found.note
    assert (said.format, "day_first" in said.note) == ("%d/%m/%Y", False)


def test_a_date_tells_its_days_and_its_place_in_the_year_and_the_week() -> None:
    values = pd.Series([str(day) for day in DAYS])
    found = guessed(values)
    assert isinstance(found, Column)
    parts = found.read(values)
    assert list(parts) == [
        f"x: {part}" for part in ("days", *(f"{c} {s}" for c in ("year", "week") for s in ("sine", "cosine")))
    ]
    np.testing.assert_array_equal(np.diff(parts["x: days"]), 5.0)
    for circle in ("year", "week"):
        np.testing.assert_allclose(parts[f"x: {circle} sine"] ** 2 + parts[f"x: {circle} cosine"] ** 2, 1.0)
    mondays = np.array([day.weekday() == 0 for day in DAYS])
    assert len(set(np.round(parts["x: week cosine"][mondays], 9))) == 1
    timed = guessed(pd.Series([f"{day} 0{k % 10}:00" for k, day in enumerate(DAYS)]))
    assert isinstance(timed, Column)
    assert [name for name in timed.outputs if "day " in name] == ["x: day sine", "x: day cosine"]


def test_a_missing_date_is_missing_in_all_its_parts() -> None:
    values = pd.Series([*map(str, DAYS[:-1]), None])
    found = guessed(values)
    assert isinstance(found, Column)
    assert found.missing == 1
    assert all(np.isnan(part[-1]) and np.isfinite(part[:-1]).all() for part in found.read(values).values())


@pytest.mark.parametrize("order", [("low", "mid", "high"), ()])
def test_an_order_is_kept(order: tuple[str, ...]) -> None:
    values = pd.Series(pd.Categorical(texts("high", "low", "mid"), ["low", "mid", "high"], ordered=True))
    found = guessed(values, orders={"x": order})
    assert isinstance(found, Column)
    assert found.order == ("low", "mid", "high")
    assert list(found.read(pd.Series(["high", "low", "none of these"]))["x"][:2]) == [2, 0]
    assert np.isnan(found.read(pd.Series(["none of these"]))["x"][0])


def test_numbers_in_order_are_in_the_order_of_their_size() -> None:
    found = guessed(texts("10", "9", "100"), orders={"x": ()})
    assert isinstance(found, Column)
    assert found.order == ("9", "10", "100")


def test_codes_are_categories_if_that_is_said() -> None:
    assert read([999, 310, 310, 999] * 15, kinds={"x": "category"})[:2] == ["999", "310"]


@pytest.mark.parametrize(
    "values", [[7, 8], [7.0, 8.0], ["7", " 8 "], pd.array([7, 8], "Int64"), pd.Categorical([7, 8])]
)
def test_a_code_is_the_same_whatever_type_it_has(values: Any) -> None:
    column = Column("x", "category")
    assert list(column.read(pd.Series(values))["x"]) == ["7", "8"]
    number = Column("x", "number")
    assert list(number.read(pd.Series(values))["x"]) == [7.0, 8.0]


def test_words_for_a_missing_value_can_be_said() -> None:
    assert np.isnan(read(texts("1", "2", "999"), na_values=("999",))[2])
    assert read(texts("a", "b", "none of these"), na_values=("None of These",))[2] == MISSING


def test_infinite_numbers_are_taken_for_missing_and_that_is_said() -> None:
    found = guessed([np.inf, *np.linspace(0, 1, N)])
    assert isinstance(found, Column)
    assert (found.missing, found.note) == (1, "1 infinite, taken for missing")


@given(counts=st.dictionaries(st.text(max_size=12), st.integers(1, 5), max_size=12))
def test_no_text_whatever_makes_reading_fail(counts: dict[str, int]) -> None:
    values = pd.Series([text for text, count in counts.items() for _ in range(count)], dtype=object)
    found = kinds.one(values, "x")
    if isinstance(found, Column):
        for part in found.read(values).values():
            assert len(part) == len(values)
    numerals.written({text.strip(): count for text, count in counts.items() if text.strip()})
