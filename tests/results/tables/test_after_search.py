"""The tables of the finalists: complete, only ever added to, and whole whenever somebody looks or is killed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import SweepError
from sweep.learning.configuration import Configuration
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.results.tables import after_search
from sweep.results.tables.after_search import JudgedName, add, missing, read
from sweep.search.running.finalists import DEFAULT, Finalist, Score
from sweep.search.running.records import Curves
from sweep.search.space.space import Arm
from tests.killing import Killed, killing
from tests.studies import laws

COLUMNS = [
    "optimizer", "schedule", "kind", "number", "replicate", "seed", "state", "learning_rate", "score", "objective",
    "test_loss", "test_error", "validation_loss", "validation_error", "train_loss", "epochs",
]  # fmt: skip
CURVE_COLUMNS = [
    "optimizer", "schedule", "kind", "number", "replicate", "epoch", "learning_rate", "train_loss", "validation_loss",
    "validation_error",
]  # fmt: skip
SGD, ADAM = Arm("sgd", "constant"), Arm("adam", "step")
BOTH: tuple[JudgedName, JudgedName] = ("finalists", "finalist_curves")


def finalist(arm: Arm = SGD, number: int = 3, rate: float = 0.01) -> Finalist:
    return Finalist(arm, number, Configuration(rate, OPTIMIZERS[arm.optimizer](), SCHEDULES[arm.schedule]()))


def score(of: Finalist, replicate: int = 0, epochs: int = 2, **changed: Any) -> Score:
    """A score with numbers that tell who has them, and when."""
    first = 100.0 * of.number + 10 * replicate
    names = ("learning_rate", "train_loss", "validation_loss", "validation_error")
    curves = Curves({name: first + place + np.arange(epochs + 1.0)[None] / 10 for place, name in enumerate(names)})
    test = {"loss": first + 7, "error": first + 8}
    numbers = {"score": first + 5, "objective": first + 6, "test": test}
    told: dict[str, Any] = {"seed": 1000 + replicate, "state": "complete", **numbers, "curves": curves} | changed
    return Score(of, replicate, **told)


def test_nobody_has_been_judged_in_a_folder_without_the_tables(tmp_path: Path) -> None:
    for name, columns in zip(BOTH, (COLUMNS, CURVE_COLUMNS), strict=True):
        frame = read(tmp_path, name)
        assert list(frame) == columns
        assert frame.empty
        assert frame["number"].dtype == "Int64"
    assert missing(tmp_path, [finalist()], 2) == {0: [finalist()], 1: [finalist()]}


def test_a_row_says_all_that_a_score_says(tmp_path: Path) -> None:
    add(tmp_path, [score(finalist(ADAM, 7, 0.125), 4)])
    frame = read(tmp_path, "finalists")
    assert list(frame) == COLUMNS
    (row,) = frame.to_dict("records")
    assert row == {
        "optimizer": "adam", "schedule": "step", "kind": "tuned", "number": 7, "replicate": 4, "seed": 1004,
        "state": "complete", "learning_rate": 0.125, "score": 745.0, "objective": 746.0, "test_loss": 747.0,
        "test_error": 748.0, "validation_loss": 742.2, "validation_error": 743.2, "train_loss": 741.2, "epochs": 2,
    }  # fmt: skip


def test_a_default_has_no_number_and_what_was_not_tested_no_number_of_the_test_part(tmp_path: Path) -> None:
    add(tmp_path, [score(finalist(number=DEFAULT), test={}, state="diverged")])
    for name in BOTH:
        frame = read(tmp_path, name)
        assert (frame["kind"] == "default").all()
        assert frame["number"].isna().all()
    row = read(tmp_path, "finalists").iloc[0]
    assert row[["test_loss", "test_error"]].isna().all()
    assert row["state"] == "diverged"


def test_the_curves_have_a_row_for_each_epoch_that_was_trained(tmp_path: Path) -> None:
    add(tmp_path, [score(finalist(ADAM, 1), 2, epochs=3), score(finalist(SGD, 2), 2, epochs=1)])
    frame = read(tmp_path, "finalist_curves")
    assert list(frame) == CURVE_COLUMNS
    assert frame["optimizer"].tolist() == ["adam"] * 4 + ["sgd"] * 2
    assert frame["number"].tolist() == [1] * 4 + [2] * 2
    assert frame["epoch"].tolist() == [0, 1, 2, 3, 0, 1]
    assert (frame["replicate"] == 2).all()
    np.testing.assert_allclose(frame["train_loss"], [121, 121.1, 121.2, 121.3, 221, 221.1])
    np.testing.assert_allclose(frame["validation_error"], [123, 123.1, 123.2, 123.3, 223, 223.1])


def test_the_curves_have_effective_rates_if_they_were_recorded(tmp_path: Path) -> None:
    def with_rates(replicate: int) -> Score:
        plain = score(finalist(), replicate)
        return replace(plain, curves=replace(plain.curves, effective_rate=np.arange(15.0).reshape(1, 3, 5)))

    add(tmp_path, [with_rates(0)])
    add(tmp_path, [with_rates(1)])
    frame = read(tmp_path, "finalist_curves")
    names = [f"effective_rate_{share}" for share in ("05", "25", "50", "75", "95")]
    assert list(frame) == [*CURVE_COLUMNS, *names]
    np.testing.assert_array_equal(frame[names], np.tile(np.arange(15.0).reshape(3, 5), (2, 1)))


# ------------------------------------------------------------------------------------------------------ rows are added


arms = st.sampled_from([SGD, ADAM, Arm("sgd", "step")])
someone = st.builds(finalist, arms, st.integers(DEFAULT, 3))
trained = st.lists(st.tuples(someone, st.integers(0, 4)), max_size=15, unique=True)


@laws
@given(have=trained, wanted=st.lists(someone, max_size=6), seeds=st.integers(0, 5), batches=st.integers(1, 4))
def test_missing_is_who_was_not_added_in_the_replicates_where_there_is_such(
    tmp_path_factory: pytest.TempPathFactory,
    have: list[tuple[Finalist, int]],
    wanted: list[Finalist],
    seeds: int,
    batches: int,
) -> None:
    folder = tmp_path_factory.mktemp("run")
    for batch in range(batches):
        add(folder, [score(*each) for each in have[batch::batches]])
    found = missing(folder, wanted, seeds)
    named = {(each.arm, each.number) for each in wanted}
    known = {(each.arm, each.number, replicate) for each, replicate in have}
    expected = {(arm, number, r) for arm, number in named for r in range(seeds)} - known
    listed = [(each.arm, each.number, replicate) for replicate, those in found.items() for each in those]
    assert len(listed) == len(set(listed)), "each once"
    assert set(listed) == expected
    assert all(found.values())
    assert list(found) == sorted(found)
    add(folder, [score(each, replicate) for replicate, those in found.items() for each in those])
    assert missing(folder, wanted, seeds) == {}


@laws
@given(trained, st.integers(1, 4))
def test_rows_are_only_added(
    tmp_path_factory: pytest.TempPathFactory, added: list[tuple[Finalist, int]], batches: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    before = {name: read(folder, name) for name in BOTH}
    for batch in range(batches):
        add(folder, [score(*each) for each in added[batch::batches]])
        for name in BOTH:
            now = read(folder, name)
            if len(before[name]):
                pd.testing.assert_frame_equal(now.head(len(before[name])), before[name])
            before[name] = now
    assert len(before["finalists"]) == len(added)
    assert len(before["finalist_curves"]) == 3 * len(added)
    assert [path for path in folder.iterdir() if path.suffix != ".parquet"] == []


def test_whoever_adds_nothing_writes_nothing(tmp_path: Path) -> None:
    add(tmp_path, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("after", [False, True])
def test_who_is_killed_while_adding_leaves_whole_tables_and_the_next_one_completes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, after: bool
) -> None:
    first = [score(finalist(number=n), 0) for n in (1, 2, DEFAULT)]
    second = [score(finalist(number=n), 1) for n in (1, 2, DEFAULT)]
    whole = tmp_path / "whole"
    whole.mkdir()
    for scores in (first, second):
        add(whole, scores)
    add(tmp_path, first)
    with monkeypatch.context() as patch:
        patch.setattr(pq, "write_table", killing(pq.write_table, call, after=after))
        with pytest.raises(Killed):
            add(tmp_path, second)
    assert len(read(tmp_path, "finalists")) == 3, "nobody has a score whose curves are not there"
    left = missing(tmp_path, [each.finalist for each in first], 2)
    assert list(left) == [1]
    assert len(left[1]) == 3
    add(tmp_path, second)
    for name in BOTH:
        pd.testing.assert_frame_equal(read(tmp_path, name), read(whole, name))


def test_a_table_that_cannot_be_written_is_a_line_for_the_user(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    with pytest.raises(SweepError, match=r"finalist_curves\.parquet"):
        add(folder, [score(finalist())])


@pytest.mark.parametrize("name", BOTH)
def test_the_tables_are_parquet_files_that_pandas_reads(tmp_path: Path, name: JudgedName) -> None:
    add(tmp_path, [score(finalist()), score(finalist(ADAM, DEFAULT))])
    frame = pd.read_parquet(tmp_path / f"{name}.parquet").astype({"number": "Int64"})
    pd.testing.assert_frame_equal(frame, read(tmp_path, name))


def test_what_the_module_says_of_its_columns_is_so() -> None:
    documented = after_search.__doc__ or ""
    assert [name for name in COLUMNS if f"`{name}`" not in documented] == []
