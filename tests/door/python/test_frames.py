"""What a program may give as a table, and that it is always the same table."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_iris, load_linnerud
from sklearn.utils import Bunch

from sweep.door.python.frames import Given, given
from sweep.errors import DataError, SweepError, UsageError
from sweep.learning.data.identity import held, table_of
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import forget, prepare
from tests.door.python.made import NUMBERS, frame

X, Y = load_iris(return_X_y=True)
FRAME = frame()


def fingerprint(table: Given) -> str:
    """What the table is when it has been read, split and scaled."""
    wanted = table.targets[0] if len(table.targets) == 1 else table.targets
    with held("a table.parquet", table.content):
        return prepare(DataSource(file="a table.parquet", target=wanted), 0).fingerprint


def read(table: Given) -> pd.DataFrame:
    return table_of(table.content)


def test_a_frame_is_the_same_as_its_csv_and_its_parquet_file(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    FRAME.to_parquet(tmp_path / "t.parquet", index=False)
    files = {
        prepare(DataSource(file=str(tmp_path / f"t.{end}"), target="y"), 0).fingerprint for end in ("csv", "parquet")
    }
    assert files == {fingerprint(given(FRAME, "y"))}


def test_an_arrow_table_is_the_same_as_the_frame() -> None:
    assert fingerprint(given(pa.Table.from_pandas(FRAME), "y")) == fingerprint(given(FRAME, "y"))


def test_a_polars_frame_is_the_same_as_the_frame() -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    own = polars.from_pandas(FRAME)
    assert fingerprint(given(own, "y")) == fingerprint(given(FRAME, "y"))
    pair = given((own.drop("y"), own["y"]))
    assert pair.targets == ("y",)
    assert fingerprint(pair) == fingerprint(given(FRAME, "y"))


def test_kinds_of_polars_columns_can_be_kept() -> None:
    polars = pytest.importorskip("polars", reason="polars is not installed")
    own = polars.DataFrame(
        {
            "c": polars.Series(["p", "q", None], dtype=polars.Categorical),
            "e": polars.Series(["lo", "hi", "lo"], dtype=polars.Enum(["lo", "hi"])),
            "d": [datetime.date(2020, 1, 1)] * 3,
            "whole": [1, None, 3],
        }
    )
    kept = read(given(own, "whole"))
    assert kept["c"].tolist()[:2] == ["p", "q"]
    assert kept["e"].tolist() == ["lo", "hi", "lo"]
    assert kept["whole"].tolist()[::2] == [1.0, 3.0]


PAIRS: dict[str, Callable[[], Any]] = {
    "arrays": lambda: (X, Y),
    "a list of both": lambda: [X, Y],
    "lists": lambda: (X.tolist(), Y.tolist()),
    "a column of y": lambda: (X, Y[:, None]),
    "a frame and an array": lambda: (pd.DataFrame(X).set_axis([f"x{i}" for i in range(4)], axis=1), Y),
    "a series without a name": lambda: (X, pd.Series(Y)),
    "another index": lambda: (pd.DataFrame(X).set_axis([f"x{i}" for i in range(4)], axis=1), pd.Series(Y, Y)),
    "an Arrow column": lambda: (X, pa.array(Y)),
    "Arrow chunks": lambda: (X, pa.chunked_array([Y[:50], Y[50:]])),
    "an Arrow table": lambda: (X, pa.table({"target": Y})),
    "a bunch": lambda: Bunch(data=X, target=Y),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_a_table_with_numbered_columns_and_a_target(name: str) -> None:
    table = given(PAIRS[name]())
    assert table.targets == ("target",)
    expected = pd.DataFrame(X, columns=["x0", "x1", "x2", "x3"]).assign(target=Y)
    pd.testing.assert_frame_equal(read(table), expected)


def test_the_columns_of_y_keep_their_names_unless_they_are_given_others() -> None:
    y = pd.Series(Y, name="kind")
    assert given((X, y)).targets == ("kind",)
    assert given((X, y), "species").targets == ("species",)
    several = np.stack([Y, Y], axis=1)
    assert given((X, several)).target == ["target0", "target1"]
    assert given((X, several), ["a", "b"]).targets == ("a", "b")
    assert given((X, pd.DataFrame(several, columns=["p", "q"]))).targets == ("p", "q")


def test_a_bunch_has_names_of_its_own() -> None:
    plain, whole, several = load_iris(), load_iris(as_frame=True), load_linnerud(as_frame=True)
    assert list(read(given(plain)).columns) == [*plain.feature_names, "target"]
    assert given(whole).targets == ("target",)
    pd.testing.assert_frame_equal(read(given(whole)), whole.frame)
    assert given(several).targets == tuple(several.target_names)


def test_an_array_with_the_target_in_it_has_numbered_columns() -> None:
    assert list(read(given(NUMBERS, "x2")).columns) == ["x0", "x1", "x2"]


def test_an_index_with_a_name_is_a_column_and_another_is_left_out() -> None:
    assert list(read(given(FRAME.rename_axis("when"), "y")).columns) == ["when", *FRAME.columns]
    assert list(read(given(FRAME.set_index(FRAME.index * 3), "y")).columns) == list(FRAME.columns)


KEPT: dict[str, tuple[Any, list[Any]]] = {
    "a mixture": ([1, "a", None], ["1", "a", None]),
    "a period": (pd.period_range("2020-01", periods=3, freq="M"), ["2020-01", "2020-02", "2020-03"]),
    "sparse": (pd.arrays.SparseArray([0, 0, 5]), [0, 0, 5]),
    "half precision": (np.array([1, 2, 3], np.float16), [1.0, 2.0, 3.0]),
    "other byte order": (np.array([1.5, 2, 3], ">f8"), ["1.5", "2", "3"]),
    "categories": (pd.Categorical(["b", "a", "b"]), ["b", "a", "b"]),
    "true and false": ([True, False, True], [True, False, True]),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_column_of_any_kind_is_kept_if_need_be_as_text(name: str) -> None:
    values, expected = KEPT[name]
    kept = read(given(pd.DataFrame({"a": values, "y": [0, 1, 0]}), "y"))["a"]
    assert [None if pd.isna(value) else value for value in kept.tolist()] == expected


def test_a_column_of_numbers_that_is_kept_as_text_is_read_as_numbers() -> None:
    swapped = FRAME.assign(a=FRAME["a"].to_numpy().astype(">f8"))
    assert fingerprint(given(swapped, "y")) == fingerprint(given(FRAME, "y"))


REFUSED: dict[str, tuple[Any, Any, str]] = {
    "a number": (5, "y", "data of type int: must be a DataFrame"),
    "a mapping": ({"a": [1]}, "a", "data of type dict"),
    "three axes": ((np.zeros((3, 2, 2)), [1, 2, 3]), None, "the table given: .* must be rows and columns"),
    "lengths": ((X, Y[:-1]), None, "X has 150 rows and y has 149: must be as many"),
    "the target in X": ((FRAME, FRAME["y"]), None, "X has a column 'y' as y has"),
    "names": ((X, Y), ["a", "b"], "y has 1 columns: must be as many names"),
    "twice": (FRAME.set_axis(["a", "a", "c", "y"], axis=1), "y", "column 'a' is there twice: rename one"),
    "an index as a column": (FRAME.rename_axis("a"), "y", "'a' is a column and the index"),
    "y is a number": ((pd.DataFrame(X), 4), None, "y of type int"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_is_refused_in_one_line(name: str) -> None:
    data, target, words = REFUSED[name]
    with pytest.raises(SweepError, match=words) as caught:
        given(data, target)
    assert isinstance(caught.value, DataError | UsageError)
    assert len(str(caught.value).splitlines()) == 1


def test_a_sparse_matrix_is_refused_with_the_next_step() -> None:
    from scipy.sparse import csr_matrix

    with pytest.raises(DataError, match=r"is sparse: must be dense: use \.toarray"):
        given((csr_matrix(X), Y))


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    source = DataSource(file=str(file), target="y")
    FRAME.to_csv(file, index=False)
    first = prepare(source, 0).fingerprint
    FRAME.assign(a=-FRAME["b"]).to_csv(file, index=False)
    second = prepare(source, 0).fingerprint
    forget()
    assert first != second == prepare(source, 0).fingerprint
