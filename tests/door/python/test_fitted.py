"""The estimator that `fit` saves, on new rows as they come."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sweep.door import retraining
from sweep.errors import DataError
from tests.door.python.made import ROWS, frame, run
from tests.terminal import python

FRAME = frame().assign(
    code=np.resize([7, 8, 9], ROWS),
    day=pd.date_range("2024-01-01", periods=ROWS).strftime("%Y-%m-%d"),
    row_id=[f"r{place:05}x" for place in range(ROWS)],
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("fitted")
    result = run(FRAME, place, target="y", categorical=["code"])
    retraining.fit(result, place / "m.joblib")
    return place / "m.joblib"


@pytest.fixture(scope="module")
def model(saved: Path) -> Any:
    return joblib.load(saved)


SAME: dict[str, Callable[[pd.DataFrame], Any]] = {
    "without the target": lambda rows: rows.drop(columns="y"),
    "without what was left out": lambda rows: rows.drop(columns="row_id"),
    "another order": lambda rows: rows[rows.columns[::-1]],
    "more columns": lambda rows: rows.assign(more=1, other="text"),
    "numbers as text": lambda rows: rows.assign(a=rows["a"].map(repr), code=rows["code"].astype(str)),
    "whole numbers as others": lambda rows: rows.assign(code=rows["code"].astype(float)),
    "categories": lambda rows: rows.astype({"kind": "category"}),
    "dates as dates": lambda rows: rows.assign(day=pd.to_datetime(rows["day"])),
    "spaces around names": lambda rows: rows.rename(columns={"a": " a "}),
    "a column as the index": lambda rows: rows.set_index("kind"),
    "an Arrow table": lambda rows: pa.Table.from_pandas(rows),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_rows_written_otherwise_are_the_same(name: str, model: Any) -> None:
    expected = model.predict_proba(FRAME)
    assert len(np.unique(expected[:, 0])) > ROWS / 2
    np.testing.assert_array_equal(model.predict_proba(SAME[name](FRAME)), expected)


def test_a_polars_frame_is_the_same(model: Any) -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    np.testing.assert_array_equal(model.predict_proba(polars.from_pandas(FRAME)), model.predict_proba(FRAME))


NEW: dict[str, dict[str, Any]] = {
    "missing": {"a": np.nan, "b": None, "kind": None, "code": None, "day": None},
    "unseen": {"kind": "never seen", "code": 1234},
    "words for nothing": {"a": "?", "kind": ""},
    "a single row": {},
}


@pytest.mark.parametrize("name", NEW)
def test_new_values_are_predicted(name: str, model: Any) -> None:
    row = pd.DataFrame([{**FRAME.drop(columns="y").iloc[0].to_dict(), **NEW[name]}])
    found = model.predict_proba(row)
    assert np.isfinite(found).all()
    assert model.predict(row)[0] in ("yes", "no")


def test_a_column_that_is_not_there_is_named_in_one_line(model: Any) -> None:
    with pytest.raises(DataError, match="unknown column 'kind'") as caught:
        model.predict(FRAME.drop(columns="kind"))
    assert len(str(caught.value).splitlines()) == 1


def test_it_knows_which_columns_it_has_learnt_from(model: Any) -> None:
    assert model.feature_names_in_.tolist() == ["a", "b", "kind", "code", "day"]
    assert model.n_features_in_ == 5


def test_another_process_predicts_the_same(saved: Path, model: Any, tmp_path: Path) -> None:
    FRAME.to_parquet(tmp_path / "rows.parquet")
    lines = (
        "import joblib, pandas as pd\n"
        f"rows = pd.read_parquet({os.fspath(tmp_path / 'rows.parquet')!r})\n"
        f"print(joblib.load({os.fspath(saved)!r}).predict(rows).tolist())\n"
    )
    outcome = python(lines, tmp_path)
    assert outcome.code == 0, (outcome.err, sys.version)
    assert outcome.out.strip() == str(model.predict(FRAME).tolist())
