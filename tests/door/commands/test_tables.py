"""``init TABLE`` and ``run TABLE``: from a person's file to an answer, without a study file in between."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from sweep.search.study_file import spec as specs
from tests.terminal import sweep

N = 160
QUICK = ("--backend", "serial", "-q")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Houses, with what real tables have: gaps, a date, an id, a code, a price as text, a leak, doubled rows."""
    random = np.random.default_rng(4)
    size = random.uniform(20, 200, N)
    sold = np.where(size + random.normal(0, 20, N) > 100, "yes", "no")
    frame = pd.DataFrame(
        {
            "id": np.arange(N) + 1,
            "size": np.where(random.random(N) < 0.1, np.nan, size.round(1)),
            "cost": [f"${value:,.0f}" for value in size * 1000],
            "town": [("Ulm", "Bonn", None)[k] for k in random.integers(0, 3, N)],
            "seen": pd.date_range("2023-01-01", periods=N).strftime("%d.%m.%Y"),
            "country": "CH",
            "notary": np.where(sold == "yes", "done", "open"),
            "sold": sold,
        }
    )
    frame.to_csv(tmp_path / "houses.csv", index=False)
    return tmp_path / "houses.csv"


def test_init_shows_the_columns_and_warns_and_writes_a_study_that_can_be_run(table: Path) -> None:
    outcome = sweep("init", table.name, "--target", "sold", cwd=table.parent)
    assert outcome.code == 0, outcome.err
    shown = " ".join(outcome.out.split())
    for said in (
        "classification of sold, 160 samples", "seen date", "town category", "cost number", "id left out an identifier",
        "country left out constant", "notary alone tells the target", "read as d.m.Y",
    ):  # fmt: skip
        assert said in shown, said
    text = (table.parent / "houses.toml").read_text()
    assert "# Warning: notary alone tells the target" in text
    spec = specs.read(table.parent / "houses.toml")
    assert (spec.data.target, spec.data.task, spec.study.name) == ("sold", "classification", "houses")
    planned = sweep("run", "houses.toml", "--dry-run", "--json", cwd=table.parent)
    assert planned.code == 0, planned.err
    data = json.loads(planned.out)["data"]
    assert data["left_out"] == {"id": "an identifier", "country": "constant"}
    assert data["task"] == "classification"


def test_init_as_json_and_with_a_target_that_it_guesses(table: Path) -> None:
    outcome = sweep("init", table.name, "-o", "mine.toml", "--json", cwd=table.parent)
    look = json.loads(outcome.out)
    assert (look["file"], look["target"], look["guessed"]) == ("mine.toml", ["sold"], True)
    assert any("notary" in warning for warning in look["warnings"])
    assert {each["name"] for each in look["data"]["columns"]["number"]} == {"size", "cost"}
    assert tomllib.loads((table.parent / "mine.toml").read_text())["data"]["file"] == "houses.csv"


def test_init_overwrites_nothing_and_says_what_is_wrong_in_one_line(table: Path) -> None:
    (table.parent / "houses.toml").write_text("mine")
    for arguments, code, said in (
        (("houses.csv",), 2, "houses.toml: is there already"),
        (("houses.csv", "-o", "a.txt"), 2, "a.txt: a study file ends in .toml"),
        (("houses.csv", "-o", "none/a.toml"), 2, "none/a.toml: cannot be written"),
        (("none.csv",), 4, "none.csv: no such file"),
        (("houses.csv", "-o", "b.toml", "--target", "solt"), 4, "unknown column 'solt'; did you mean 'sold'"),
    ):
        outcome = sweep("init", *arguments, cwd=table.parent)
        assert (outcome.code, len(outcome.err.splitlines())) == (code, 1), outcome.err
        assert said in outcome.err
    assert (table.parent / "houses.toml").read_text() == "mine"


@pytest.mark.long
def test_a_table_is_run_shown_and_kept_as_an_estimator(table: Path) -> None:
    outcome = sweep("run", table.name, "--target", "sold", "--trials", "24", *QUICK, cwd=table.parent)
    assert outcome.code == 0, outcome.err
    shown = sweep("show", table.name, cwd=table.parent)
    assert "classification of sold, 160 samples" in " ".join(shown.out.split())
    data: Any = json.loads(sweep("show", table.name, "--json", cwd=table.parent).out)
    assert set(data["data"]["classes"]) == {"yes", "no"}
    assert data["study"] == "houses"
    assert sweep("report", table.name, cwd=table.parent).code == 0
    for name in ("report.md", "report.html", "recipe.json"):
        assert "an identifier" in (table.parent / "runs" / "houses" / name).read_text()
    again = sweep("run", table.name, "--trials", "24", *QUICK, cwd=table.parent)  # it is known by now
    assert again.code == 0, again.err
    saved = sweep("fit", table.name, "-o", "model.joblib", cwd=table.parent)
    assert saved.code == 0, saved.err
    rows = pd.read_csv(table).drop(columns="sold")
    rows.loc[0, ["size", "cost", "town", "seen"]] = [np.nan, "?", "Rom", None]
    predicted = joblib.load(table.parent / "model.joblib").predict(rows[list(rows)[::-1]])
    assert set(predicted) <= {"yes", "no"}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("houses.csv",), 2, "needs --target, the column to predict: one of id, size, cost"),
        (("houses.csv", "--target", "prise"), 4, "unknown column 'prise'"),
        (
            ("houses.csv", "--target", "sold", "--task", "regression"),
            4,
            "target 'sold' is text: regression needs numbers",
        ),
        (("houses.csv", "--target", "sold", "--task", "guess"), 2, "data.task = 'guess'"),
        (("none.csv", "--target", "sold"), 4, "none.csv: no such file"),
        (("quickstart", "--target", "sold"), 2, "--target: goes with a table"),
        (("quickstart", "--task", "regression"), 2, "--task: goes with a table"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    arguments: tuple[str, ...], code: int, said: str, table: Path
) -> None:
    outcome = sweep("run", *arguments, cwd=table.parent)
    assert (outcome.code, len(outcome.err.splitlines())) == (code, 1), outcome.err
    assert said in outcome.err
    assert not (table.parent / "runs").exists()
