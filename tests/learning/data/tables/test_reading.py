"""Reading a file: what cannot be read is one line that says which file, what is wrong and what to do."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import DataError, SweepError
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import load
from sweep.learning.data.tables.reading import FORMATS, Form, is_table, read
from sweep.results.tables import tables
from tests.learning.data.tables.ways import TARGET, table, text

STEP = "mend it"


def refused(path: Path, **form: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(path, Form(**form), STEP)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    assert len(message) < 500 + len(str(path))
    return message


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_that_is_not_there_is_refused_with_what_to_do(ending: str, tmp_path: Path) -> None:
    assert refused(tmp_path / f"none{ending}").endswith(f"no such file: {STEP}")


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\xff" * 40, b"\xff\xfe\x00,\n"], ids=["empty", "noise", "torn"])
def test_a_file_that_is_no_table_is_refused(ending: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(content)
    try:
        frame, _ = read(path, Form(), STEP)
    except SweepError:
        refused(path)
    else:  # a text of nonsense is a table of nonsense, in which no column that anybody names is found
        assert ending in (".csv", ".tsv", ".txt")
        assert isinstance(frame, pd.DataFrame)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"x,y\n1,2\n1,2,3,4\n", "cannot be read as csv"),
        ("a.csv", b"x,y\n1,2,3.5\n4,5,6.5\n", "row 1 has more fields than the 2 columns that the first row names"),
        ("a.csv", b"\n\n", "is empty"),
        ("a.parquet", b"x,y\n1,2\n", "cannot be read as parquet"),
        ("a.xlsx", b"x,y\n1,2\n", "cannot be read as xlsx"),
        ("a.feather", b"x,y\n1,2\n", "cannot be read as feather"),
        ("a.json", b"[1, 2, 3]", "must be a list of rows"),
        ("a.json", b"{", "cannot be read as json"),
        ("a.jsonl", b"1\n2\n", "must have an object on each line"),
        ("a.csv.gz", b"x,y\n1,2\n", "cannot be read as csv"),
        ("a.csv.zip", b"x,y\n1,2\n", "cannot be read as csv"),
        ("a.csv.xz", b"x,y\n1,2\n", "cannot be read as csv"),
        ("a.csv.zst", b"x,y\n1,2\n", "cannot be read as csv"),
        ("a.toml", b"x", "ending '.toml': must be one of .csv, .tsv"),
        ("a", b"x", "ending '': must be one of .csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert said in refused(tmp_path / name)


def test_a_torn_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(text(table()).encode())
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "a.csv.gz")


def test_a_folder_that_holds_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").mkdir()
    refused(tmp_path / "a.parquet")
    (tmp_path / "a.csv").mkdir()
    refused(tmp_path / "a.csv")


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path) as book:
        pd.DataFrame({"a": [1]}).to_excel(book, sheet_name="notes", index=False)
        table().to_excel(book, sheet_name="data", index=False)
    source = DataSource(file=str(path), target=TARGET, sheet="data")
    assert load(source).target.tolist() == table()[TARGET].tolist()
    assert "unknown sheet 'date'; did you mean 'data'" in refused(path, sheet="date")


def test_a_file_without_a_header_goes_by_the_numbers_of_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n".join(f"{k},{k % 5},{'ab'[k % 2]}" for k in range(40, 90)))
    found = load(DataSource(file=str(path), target="2", header=False, kinds=(("0", "number"),)))
    assert list(pd.DataFrame(found.features).columns) == ["0", "1"]
    assert len(found) == 50
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("\n".join(f"{k},{k % 5}" for k in range(40, 90)))
    assert any("header = false" in said for said in read(numbers, Form(), STEP)[1])


def test_names_that_begin_with_a_sign_of_a_remark_are_names(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("# by hand\n#size,price\n1,2\n3,4\n")
    frame, said = read(path, Form(), STEP)
    assert list(frame.columns) == ["#size", "price"]
    assert len(frame) == 2
    assert "1 lines before the table" in said


def test_what_is_said_of_a_text_need_not_be_found_out(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("näme;y\n1,5;a\n2,5;b\n".encode("cp850"))
    frame, _ = read(path, Form(separator=";", encoding="cp850"), STEP)
    assert list(frame.columns) == ["näme", "y"]
    assert "unknown encoding" in refused(path, encoding="no such")
    assert refused(path, encoding="utf-8")


def test_pandas_notes_of_an_index_do_not_matter(tmp_path: Path) -> None:
    """Parquet files in the wild have notes of pandas that are empty, or name an index that is not there."""
    plain = pa.table({"a": [1.5, 2.5], "y": [0, 1]})
    for number, note in enumerate([b"{}", b"null", json.dumps({"index_columns": ["none"], "columns": []}).encode()]):
        pq.write_table(plain.replace_schema_metadata({b"pandas": note}), tmp_path / f"{number}.parquet")
        assert list(read(tmp_path / f"{number}.parquet", Form(), STEP)[0].columns) == ["a", "y"]


def test_columns_numbered_instead_of_named_go_by_their_number(tmp_path: Path) -> None:
    pd.DataFrame({0: [0.5, 1.5], 1: [0.25, 2.25]}).to_parquet(tmp_path / "a.parquet")
    assert load(DataSource(file=str(tmp_path / "a.parquet"), target="1")).target.tolist() == [0.25, 2.25]


@pytest.mark.parametrize("ending", tables.EXPORTS)
def test_what_is_exported_can_be_read(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{ending}"
    tables.export(table(), path)
    assert load(DataSource(file=str(path), target=TARGET)).target.tolist() == table()[TARGET].tolist()


def test_endings_of_any_case_are_tables() -> None:
    assert all(is_table(Path(name)) for name in ("a.CSV", "b.tsv.GZ", "c.Parquet", "data/d.x.json", "e.csv.zip"))
    assert not any(is_table(Path(name)) for name in ("a.toml", "quickstart", "b.gz", "c.csv.toml", "d.parquet.gz"))


@given(content=st.binary(max_size=300))
def test_no_bytes_whatever_make_reading_end_in_anything_but_one_line(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for ending in (".csv", ".tsv", ".json", ".jsonl"):
        path = folder / f"a{ending}"
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"^[^\n]*$"):
            load(DataSource(file=str(path), target="no such column"))


@given(
    rows=st.lists(st.lists(st.text(max_size=8), min_size=3, max_size=3), min_size=3, max_size=12),
    separator=st.sampled_from(",;\t|"),
)
def test_any_texts_in_a_csv_come_back(
    rows: list[list[str]], separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plain = [["".join(c for c in cell if c.isprintable()).strip() for cell in row] for row in rows]
    frame = pd.DataFrame(plain, columns=["a", "b", "c"]).assign(d=np.arange(len(rows)))
    path = tmp_path_factory.mktemp("any") / "a.csv"
    frame.to_csv(path, index=False, sep=separator, quoting=1)
    found, _ = read(path, Form(separator=separator), STEP)
    assert found.fillna("").to_numpy().tolist() == frame.astype(str).to_numpy().tolist()
