"""One table written in many ways is read as the same table, and what was found out is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import load, prepare
from tests.learning.data.tables.ways import CATEGORIES, NUMBERS, ROWS, TARGET, WAYS, table


def written(way: str, folder: Path) -> Path:
    ending, write = WAYS[way]
    path = folder / f"table{ending}"
    write(table(), path)
    return path


@pytest.mark.parametrize("way", WAYS)
def test_the_table_is_read_as_it_is_however_it_is_written(way: str, tmp_path: Path) -> None:
    source = DataSource(file=str(written(way, tmp_path)), target=TARGET)
    found, right = load(source), table()
    features = pd.DataFrame(found.features)
    assert sorted(features.columns) == sorted(NUMBERS + CATEGORIES)
    for name in NUMBERS:
        np.testing.assert_allclose(features[name], right[name].astype(float), rtol=1e-12)
    for name in CATEGORIES:
        assert features[name].tolist() == right[name].tolist()
    assert found.task == "classification"
    assert found.target.tolist() == right[TARGET].tolist()
    data = prepare(source, 0)
    assert data.inputs == len(NUMBERS) + 4 + 3
    assert len(data.train) + len(data.validation) + len(data.test) == ROWS


SAID = {
    "semicolon": ("read", "separator semicolon"),
    "tab in .csv": ("read", "separator tab"),
    "latin-1": ("read", "encoding cp1252"),
    "utf-16": ("read", "encoding utf-16"),
    "excel, two sheets": ("read", "sheet 'data' (there are also notes)"),
    "trailing commas in rows": ("read", "empty fields at the end of rows"),
    "empty rows": ("rows_left_out", "2 empty rows"),
    "saved index": ("left_out", "a saved index"),
    "doubled columns": ("left_out", "is there twice"),
    "constant column": ("left_out", "constant"),
    "empty column": ("left_out", "empty"),
    "numbers of the rows": ("left_out", "an identifier"),
    "names of the rows": ("left_out", "an identifier"),
    "percent": ("columns", "%' is "),
    "dollars": ("columns", "the comma is between thousands"),
    "decimal comma, quoted": ("columns", "' is "),
}


@pytest.mark.parametrize("way", SAID)
def test_what_was_found_out_is_said(way: str, tmp_path: Path) -> None:
    told: Any = load(DataSource(file=str(written(way, tmp_path)), target=TARGET)).told
    key, words = SAID[way]
    assert words in str(told.data()[key])


def test_of_a_plain_table_nothing_needs_to_be_said(tmp_path: Path) -> None:
    told: Any = load(DataSource(file=str(written("plain", tmp_path)), target=TARGET)).told
    data = told.data()
    assert not any(data[key] for key in ("read", "left_out", "rows_left_out", "warnings"))
    assert {kind: [each["name"] for each in columns] for kind, columns in data["columns"].items()} == {
        "number": NUMBERS, "category": CATEGORIES,
    }  # fmt: skip
    assert data["classes"] == {name: int(count) for name, count in table()[TARGET].value_counts().items()}
