from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.errors import SweepError, UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.optimizers.rules import RMSProp, Sgd
from sweep.learning.schedules.formulas import Constant, Exponential
from sweep.results.tables.tables import EXPORTS, TableName, Tables, curves_schema, export, read, trials_schema
from sweep.search.running.records import Curves, Record
from sweep.search.space.space import Arm
from tests.studies import everything, laws, tiny

COLUMNS = tiny().space().columns()
CURVES = ("learning_rate", "train_loss", "validation_loss", "validation_error")
FIRST = ["number", "state", "objective", "optimizer", "schedule", "learning_rate"]
LAST = [
    "validation_loss", "validation_error", "train_loss", "epochs", "diverged_at", "seed", "generation", "seconds",
    "started", "finished",
]  # fmt: skip


def curves_like(number: int, replicates: int = 2, epochs: int = 3) -> Curves:
    """Curves that are all different, and different for each trial."""
    values = np.random.default_rng(number).random((4, replicates, epochs + 1))
    return Curves(dict(zip(CURVES, values, strict=True)))


def record_like(number: int, state: str = "complete", **changes: Any) -> Record:
    optimizer = RMSProp(decay=0.97, epsilon=1.2345678901234567e-9) if number % 2 else Sgd()
    schedule = Exponential(rate=0.1 + number / 7) if number % 3 else Constant()
    configuration = Configuration(0.1 / (1 + number), optimizer, schedule)
    running = Record(number, state, Arm.of(configuration.record()), configuration, seed=5, generation=number // 4)
    if state == "running":
        return running
    done: dict[str, Any] = {
        "objective": number / 3, "epochs": 3, "diverged_at": 3 if state == "diverged" else None, "seconds": 0.1,
        "started": 1.7e9 + number, "finished": 1.7e9 + number + 0.123456, "curves": curves_like(number),
    }  # fmt: skip
    return replace(running, **(done | changes))


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path, COLUMNS)


@pytest.fixture
def full(tables: Tables) -> Tables:
    """Eight finished trials and four that run."""
    states = ["complete", "diverged", "complete", "complete"] * 2 + ["running"] * 4
    records = [record_like(number, state) for number, state in enumerate(states)]
    for generation in range(3):
        tables.record(generation, records[4 * generation : 4 * generation + 4])
    return tables


def test_the_columns_are_those_of_the_contract_in_its_order(full: Tables) -> None:
    trials, curves = read(full.folder, "trials"), read(full.folder, "curves")
    assert list(trials) == [*FIRST, *COLUMNS, *LAST]
    names = ["number", "replicate", "epoch", "learning_rate", "train_loss", "validation_loss", "validation_error"]
    assert list(curves) == names


def test_every_constant_of_every_arm_is_a_column() -> None:
    columns = trials_schema(everything().space().columns()).names
    assert {"optimizer.decay", "optimizer.epsilon", "optimizer.initial_cache", "schedule.rate"} <= set(columns)
    assert {"schedule.boundaries.1", "schedule.factors.2"} <= set(columns)
    assert len(set(columns)) == len(columns)


def test_the_types_are_those_of_the_schema_in_every_part(full: Tables) -> None:
    for name, schema in (("trials", trials_schema(COLUMNS)), ("curves", curves_schema(effective_rates=False))):
        parts = sorted((full.folder / f"{name}.parquet").iterdir())
        assert parts
        for part in parts:
            assert pq.read_schema(part).remove_metadata().equals(schema)


def test_a_reader_gets_numbers_text_and_utc_times(full: Tables) -> None:
    trials = pd.read_parquet(full.folder / "trials.parquet")
    whole = {"number", "epochs", "seed", "generation"}
    text = {"state", "optimizer", "schedule"}
    times = {"started", "finished"}
    for column, kind in trials.dtypes.items():
        if column in whole:
            assert kind == np.int64, column
        elif column in text:
            assert pd.api.types.is_string_dtype(kind), column
        elif column in times:
            assert str(kind) == "datetime64[us, UTC]", column
        else:
            assert kind == np.float64, column


def test_what_does_not_apply_is_null(full: Tables) -> None:
    trials = read(full.folder, "trials")
    assert (trials["optimizer.decay"].notna() == (trials["optimizer"] == "rmsprop")).all()
    assert (trials["schedule.rate"].notna() == (trials["schedule"] == "exponential")).all()
    assert trials["schedule.warmup"].notna().all()
    assert (trials["diverged_at"].notna() == (trials["state"] == "diverged")).all()
    running = trials[trials["state"] == "running"]
    nothing_yet = ["objective", "validation_loss", "validation_error", "train_loss", "seconds", "started", "finished"]
    assert running[nothing_yet].isna().all(axis=None)


def test_a_row_holds_what_the_record_says(tables: Tables) -> None:
    record = record_like(5, "diverged")
    tables.record(1, [record])
    row = read(tables.folder, "trials").iloc[0].to_dict()
    expected = {
        "number": 5, "state": "diverged", "objective": 5 / 3, "epochs": 3, "diverged_at": 3.0, "seed": 5,
        "generation": 1, "seconds": 0.1, **record.configuration.record(),
        "started": datetime.fromtimestamp(1.7e9 + 5, UTC), "finished": datetime.fromtimestamp(1.7e9 + 5.123456, UTC),
    }  # fmt: skip
    assert {key: row[key] for key in expected} == expected
    assert record.curves is not None
    for name in ("train_loss", "validation_loss", "validation_error"):
        assert row[name] == record.curves.named[name][:, -1].mean()


def test_curves_have_one_row_a_trial_replicate_and_epoch_from_epoch_0(full: Tables) -> None:
    curves = read(full.folder, "curves")
    expected = [(n, r, e) for n in range(8) for r in range(2) for e in range(4)]
    assert list(zip(curves["number"], curves["replicate"], curves["epoch"], strict=True)) == expected
    for number, rows in curves.groupby("number"):
        for name in CURVES:
            np.testing.assert_array_equal(rows[name], curves_like(int(number)).named[name].ravel())


def test_curves_may_be_infinite_or_not_a_number(tables: Tables) -> None:
    values = np.array([[0.5, np.inf, np.nan, -np.inf]])
    tables.record(0, [record_like(0, "diverged", curves=Curves(dict.fromkeys(CURVES, values)))])
    np.testing.assert_array_equal(read(tables.folder, "curves")["train_loss"], values[0])


def test_recording_part_of_a_generation_again_replaces_those_rows_only(full: Tables) -> None:
    trials, curves = read(full.folder, "trials"), read(full.folder, "curves")
    full.record(1, [record_like(5, "complete", objective=99.0, curves=curves_like(100, epochs=1)), record_like(6)])
    trials_now, curves_now = read(full.folder, "trials"), read(full.folder, "curves")
    others = trials["number"] != 5
    pd.testing.assert_frame_equal(trials_now[others], trials[others])
    assert trials_now.loc[5, ["state", "objective"]].tolist() == ["complete", 99.0]
    pd.testing.assert_frame_equal(
        curves_now[curves_now["number"] != 5].reset_index(drop=True),
        curves[curves["number"] != 5].reset_index(drop=True),
    )
    assert len(curves_now[curves_now["number"] == 5]) == 2 * 2


@settings(laws, max_examples=15)
@given(order=st.permutations(range(10)), cuts=st.lists(st.integers(1, 4), min_size=10, max_size=10))
def test_the_order_and_the_grouping_of_recording_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cuts: list[int]
) -> None:
    tables = Tables(tmp_path_factory.mktemp("order"), COLUMNS)
    records = [record_like(number) for number in range(10)]
    while order:
        size = cuts.pop()
        group, order = order[:size], order[size:]
        for generation in {number // 4 for number in group}:
            tables.record(generation, [records[n] for n in group if n // 4 == generation])
    whole = Tables(tmp_path_factory.mktemp("whole"), COLUMNS)
    for generation in range(3):
        whole.record(generation, records[4 * generation : 4 * generation + 4])
    names: tuple[TableName, ...] = ("trials", "curves")
    for name in names:
        pd.testing.assert_frame_equal(read(tables.folder, name), read(whole.folder, name))


def test_a_new_writer_keeps_what_is_there(full: Tables) -> None:
    before = read(full.folder, "trials")
    Tables(full.folder, COLUMNS)
    pd.testing.assert_frame_equal(read(full.folder, "trials"), before)


def test_an_empty_run_has_both_tables_with_all_columns(tables: Tables) -> None:
    assert list(read(tables.folder, "trials")) == [*FIRST, *COLUMNS, *LAST]
    assert len(read(tables.folder, "trials")) == len(read(tables.folder, "curves")) == 0
    tables.record(0, [])
    assert len(read(tables.folder, "trials")) == 0


def test_a_reader_at_any_moment_sees_whole_generations(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, seen = os.replace, []

    def watched(beside: Path, path: Path) -> None:
        # The moment at which the new part stands beside and is complete, but not in its place.
        assert beside.exists()
        frame = pd.read_parquet(path.parent)
        seen.append((path.parent.stem, frame["number"].unique().tolist()))
        replace(beside, path)

    monkeypatch.setattr("sweep.results.tables.tables.os.replace", watched)
    tables.record(0, [record_like(0), record_like(1)])
    tables.record(0, [record_like(2)])
    tables.record(1, [record_like(4)])
    assert seen == [(name, numbers) for numbers in ([], [0, 1], [0, 1, 2]) for name in ("trials", "curves")]


def test_a_reader_can_open_a_table_that_is_just_being_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, seen = os.replace, []

    def watched(beside: Path, path: Path) -> None:
        seen.append(len(pd.read_parquet(path.parent)))
        replace(beside, path)

    monkeypatch.setattr("sweep.results.tables.tables.os.replace", watched)
    Tables(tmp_path, COLUMNS)
    assert seen == [0, 0]


def test_a_half_written_file_beside_is_not_read(full: Tables) -> None:
    before = read(full.folder, "trials")
    (full.folder / "trials.parquet" / ".part-000001.parquet.new").write_bytes(b"PAR1 and then the power went")
    pd.testing.assert_frame_equal(read(full.folder, "trials"), before)
    full.record(1, [record_like(7)])
    pd.testing.assert_frame_equal(read(full.folder, "trials"), before)


def test_a_table_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such table: run the study first"):
        read(tmp_path, "trials")


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "trials.parquet").write_text("in the way")
    with pytest.raises(SweepError) as caught:
        Tables(tmp_path, COLUMNS)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(str(tmp_path / "trials.parquet"))
    assert "cannot be written" in line


def back(path: Path) -> pd.DataFrame:
    """Read an exported file the way its reader would."""
    if path.suffix == ".json":
        return pd.DataFrame(json.loads(path.read_text()))
    readers = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".feather": pd.read_feather, ".xlsx": pd.read_excel}
    frame: pd.DataFrame = readers[path.suffix](path)
    return frame


@pytest.mark.parametrize("table", ["trials", "curves"])
@pytest.mark.parametrize("ending", EXPORTS)
def test_every_number_of_an_export_is_read_back_as_it_was(full: Tables, ending: str, table: Any) -> None:
    frame = read(full.folder, table)
    export(frame, full.folder / f"mine{ending}")
    again = back(full.folder / f"mine{ending}")
    assert list(again) == list(frame)
    assert len(again) == len(frame)
    for name in frame.select_dtypes("number"):
        # Equal to the last bit but for text: its reader may be wrong in the last place (pandas' own for CSV is).
        np.testing.assert_allclose(again[name].astype(float), frame[name].astype(float), rtol=1e-15, err_msg=str(name))


@pytest.mark.parametrize("ending", EXPORTS)
def test_the_text_and_the_times_of_an_export_are_read_back_as_they_were(full: Tables, ending: str) -> None:
    frame = read(full.folder, "trials")
    export(frame, full.folder / f"mine{ending}")
    again = back(full.folder / f"mine{ending}")
    for name in ("state", "optimizer", "schedule"):
        assert again[name].tolist() == frame[name].tolist()
    for name in ("started", "finished"):
        times = pd.to_datetime(
            again[name], utc=True, format="ISO8601" if again[name].dtype != frame[name].dtype else None
        )
        assert (times.isna() == frame[name].isna()).all()
        # Excel keeps milliseconds, JSON too.
        assert ((times - frame[name]).abs().dropna() <= pd.Timedelta("1ms")).all()


@pytest.mark.parametrize("ending", [".parquet", ".feather"])
@pytest.mark.parametrize("table", ["trials", "curves"])
def test_binary_exports_are_exact(full: Tables, ending: str, table: Any) -> None:
    frame = read(full.folder, table)
    export(frame, full.folder / f"mine{ending}")
    pd.testing.assert_frame_equal(back(full.folder / f"mine{ending}"), frame, check_exact=True)


def test_a_sheet_has_times_without_a_zone(full: Tables) -> None:
    frame = read(full.folder, "trials")
    export(frame, full.folder / "mine.xlsx")
    assert back(full.folder / "mine.xlsx")["started"].dt.tz is None
    assert str(frame["started"].dt.tz) == "UTC", "the caller's table is left alone"


@pytest.mark.parametrize("ending", EXPORTS)
def test_an_empty_table_can_be_exported(tables: Tables, ending: str) -> None:
    export(read(tables.folder, "trials"), tables.folder / f"mine{ending}")
    assert len(back(tables.folder / f"mine{ending}")) == 0


@pytest.mark.parametrize("ending", EXPORTS)
def test_an_existing_file_is_replaced_as_a_whole_and_nothing_is_left_beside(full: Tables, ending: str) -> None:
    folder = full.folder / "out"
    folder.mkdir()
    path = folder / f"mine{ending}"
    path.write_bytes(b"something older and longer " * 10_000)
    export(read(full.folder, "trials"), path)
    assert len(back(path)) == 12
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize("name", ["mine.parket", "mine", "mine.csv.gz"])
def test_an_unknown_ending_is_one_line_with_those_known(full: Tables, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        export(read(full.folder, "trials"), full.folder / name)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{full.folder / name}: unknown ending")
    assert all(ending in line for ending in EXPORTS)
    assert not (full.folder / name).exists()


@pytest.mark.parametrize("ending", EXPORTS)
@pytest.mark.parametrize("place", ["none/mine", "file/mine"])
def test_a_place_that_cannot_be_written_is_one_line(full: Tables, ending: str, place: str) -> None:
    (full.folder / "file").write_text("")
    path = full.folder / f"{place}{ending}"
    with pytest.raises(UsageError) as caught:
        export(read(full.folder, "trials"), path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: cannot be written")


def test_more_rows_than_a_sheet_holds_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.results.tables.tables.MOST_EXCEL_ROWS", 3)
    with pytest.raises(UsageError, match=r"4 rows: a sheet holds at most 3.*\.parquet"):
        export(pd.DataFrame({"number": range(4)}), tmp_path / "mine.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fails_leaves_nothing_behind(full: Tables) -> None:
    folder = full.folder / "out"
    (folder / "mine.csv").mkdir(parents=True)
    with pytest.raises(UsageError):
        export(read(full.folder, "trials"), folder / "mine.csv")
    assert list(folder.iterdir()) == [folder / "mine.csv"]
