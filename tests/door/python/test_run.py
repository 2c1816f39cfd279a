"""A table from a program is run, kept in the run folder, and gone on with."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import tomli_w

import sweep
from sweep.door import retraining
from sweep.door.api import folder_of
from sweep.door.result import Result
from sweep.errors import DataError, SweepError, UsageError
from sweep.learning.data import identity, splits
from sweep.results.tables import tables
from sweep.results.telling import report
from tests.door.python.made import SMALL, frame, run
from tests.studies import assert_same_results
from tests.terminal import sweep as command

FRAME = frame()


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run(FRAME, tmp_path_factory.mktemp("runs"), target="y")


@pytest.fixture
def copied(result: Result, tmp_path: Path) -> Path:
    """The run in another place: nothing of it is where it was made."""
    shutil.copytree(result.folder, tmp_path / "runs" / "table")
    splits.forget()
    return tmp_path / "runs" / "table"


def test_a_frame_gives_what_its_file_gives_to_the_bit(result: Result, tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "my.csv", index=False)
    FRAME.to_parquet(tmp_path / "my.parquet", index=False)
    study = {"study": {"name": "table"}, "data": {"file": str(tmp_path / "my.csv"), "target": "y"}}
    assert_same_results(result, sweep.run(study, runs=tmp_path / "1", **SMALL))
    parquet = tmp_path / "my.parquet"
    assert_same_results(result, sweep.run(data=parquet, target="y", name="table", runs=tmp_path / "2", **SMALL))


def test_a_pair_gives_what_the_frame_gives(result: Result, tmp_path: Path) -> None:
    assert_same_results(result, run((FRAME.drop(columns="y"), FRAME["y"]), tmp_path))


def test_the_table_is_kept_beside_the_study_that_names_it(result: Result) -> None:
    content = tomllib.loads((result.folder / "study.toml").read_text())
    assert content["data"]["file"] == "data.parquet"
    assert content["data"]["target"] == "y"
    assert content["study"]["name"] == result.folder.name == "table"
    pd.testing.assert_frame_equal(pd.read_parquet(result.folder / "data.parquet"), FRAME)


def test_a_folder_that_was_moved_is_gone_on_with_without_the_frame(
    result: Result, copied: Path, tmp_path: Path
) -> None:
    more = sweep.run(copied / "study.toml", trials=12, runs=copied.parent, backend="serial")
    assert more.folder == copied
    assert_same_results(more, run(FRAME, tmp_path / "whole", target="y", trials=12, generation=8))


def test_the_command_line_goes_on_with_it_and_fits_it(copied: Path, tmp_path: Path) -> None:
    runs = ["--runs", str(copied.parent)]
    outcome = command("run", str(copied / "study.toml"), "--trials", "10", "--backend", "serial", *runs, cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert "10 of 10 trials" in outcome.out
    for words in (["rerun", "table", "3"], ["fit", "table", "-o", "m.joblib"], ["export", "table", "t.csv"]):
        outcome = command(*words, *runs, cwd=tmp_path)
        assert outcome.code == 0, outcome.err
    assert len(joblib.load(tmp_path / "m.joblib").predict(FRAME)) == len(FRAME)


def test_a_run_is_judged_from_the_table_that_it_keeps(copied: Path) -> None:
    judged = sweep.run(copied / "study.toml", seeds=2, runs=copied.parent, backend="serial")
    assert judged.verdict is None or judged.verdict.seeds == 2
    assert len(judged.table("finalists"))
    assert report.write(judged.answer).is_file()


def test_the_same_frame_goes_on_and_the_kept_table_stays_as_it_was(copied: Path) -> None:
    before = (copied / "data.parquet").stat()
    assert len(run(FRAME.copy(), copied.parent, target="y", trials=9).trials) == 9
    after = (copied / "data.parquet").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_another_frame_is_refused_in_one_line_and_fresh_begins_anew(copied: Path) -> None:
    other = FRAME.assign(a=FRAME["a"] + 1)
    before = (copied / "data.parquet").read_bytes()
    with pytest.raises(DataError, match=r"table.data\.parquet: the table given is not the one .* fresh=True") as caught:
        run(other, copied.parent, target="y")
    assert len(str(caught.value).splitlines()) == 1
    assert (copied / "data.parquet").read_bytes() == before
    fresh = run(other, copied.parent, target="y", fresh=True)
    pd.testing.assert_frame_equal(pd.read_parquet(fresh.folder / "data.parquet"), other)
    assert (copied.parent / "table.1" / "data.parquet").read_bytes() == before
    assert retraining.rerun(fresh, 2).reproduced


def test_a_kept_table_is_begun_anew_without_the_frame(result: Result, copied: Path) -> None:
    fresh = sweep.run(copied / "study.toml", fresh=True, runs=copied.parent, backend="serial")
    assert_same_results(fresh, result)
    assert (copied / "data.parquet").read_bytes() == (copied.parent / "table.1" / "data.parquet").read_bytes()


def test_a_table_left_by_a_run_that_was_killed_at_once_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "data.parquet").write_bytes(b"of another table")
    assert len(run(FRAME, tmp_path, target="y").trials) == 8


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "target": ({"target": "z"}, "the table given: unknown column 'z'"),
    "no target": ({}, "the table given: needs target"),
    "too few": ({"data": FRAME.head(3), "target": "y"}, "the table given: "),
    "a key": ({"target": "y", "epoch": 3}, "unknown argument 'epoch'; did you mean 'epochs'"),
    "a value": ({"target": "y", "epochs": 0}, r"network\.epochs = 0"),
    "a column": ({"target": "y", "ignore": ["c"]}, "the table given: unknown column 'c'"),
    "a backend": ({"target": "y", "backend": "none"}, "--backend"),
    "a storage": ({"target": "y", "storage": "nosuch://place"}, "nosuch"),
}


@pytest.mark.parametrize("name", WRONG)
def test_nothing_is_written_if_anything_is_at_fault(name: str, tmp_path: Path) -> None:
    arguments, words = WRONG[name]
    with pytest.raises(SweepError, match=words) as caught:
        run(**{"data": FRAME, "runs": tmp_path / "runs", **arguments})
    assert len(str(caught.value).splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_table_takes_the_place_of_a_studys_data_and_its_other_keys_stay(tmp_path: Path) -> None:
    content = {
        "study": {"name": "mine", "trials": 8, "splits": 1},
        "data": {"file": "none.csv", "target": "y", "separator": ";", "ignore": ["b"], "validation": 0.3},
        "network": {"epochs": 2, "hidden": []},
        "search": {"optimizers": ["sgd"], "schedules": ["constant"]},
        "verdict": {"seeds": 0},
    }
    (tmp_path / "mine.toml").write_text(tomli_w.dumps(content))
    studies: list[Any] = [content, tmp_path / "mine.toml", sweep.run(content, data=FRAME, runs=tmp_path / "spec").spec]
    for number, study in enumerate(studies):
        result = sweep.run(study, data=FRAME, runs=tmp_path / str(number), backend="serial")
        assert (result.spec.data.ignore, result.spec.data.validation) == (["b"], 0.3)
        assert result.spec.data.separator == ""
        assert result.folder == tmp_path / str(number) / "mine"


def test_a_table_takes_the_place_of_a_named_set_also_where_a_file_has_no_data(tmp_path: Path) -> None:
    (tmp_path / "bare.toml").write_text(tomli_w.dumps({"network": {"epochs": 2}}))
    result = run(FRAME, tmp_path, study=tmp_path / "bare.toml", target="y")
    assert (result.folder.name, result.spec.network.epochs) == ("bare", 3)
    shipped = run(FRAME, tmp_path, study="quickstart", target="y", name="mine")
    assert shipped.spec.data.name == ""
    assert shipped.spec.study.name == "mine"


def test_a_mapping_may_hold_the_table_itself(result: Result, tmp_path: Path) -> None:
    assert_same_results(sweep.run({"data": FRAME}, target="y", runs=tmp_path, **SMALL), result)


def test_a_study_with_variants_wants_one_of_them(tmp_path: Path) -> None:
    content = {"variants": {"a": {"network": {"epochs": 1}}, "b": {}}, "data": {"name": "iris"}}
    with pytest.raises(UsageError, match="has variants"):
        run(FRAME, tmp_path, study=content, target="y")


def test_groups_of_the_frame_stay_together(tmp_path: Path) -> None:
    whose = np.repeat(np.arange(18), 5)
    result = run(FRAME.assign(patient=whose), tmp_path, target="y", group="patient", ignore=["kind"])
    assert result.spec.data.group == "patient"
    assert result.understood["roles"] == {"group": "patient"}


def test_worker_processes_train_what_this_process_trains(result: Result, tmp_path: Path) -> None:
    assert_same_results(run(FRAME, tmp_path, target="y", backend="loky", workers=2), result)


def test_a_frame_is_not_taken_for_one_that_was_run_in_the_same_place(tmp_path: Path) -> None:
    first = run(FRAME, tmp_path, target="y")
    trials = tables.read(first.folder, "trials")
    second = run(FRAME.assign(a=FRAME["a"][::-1].to_numpy()), tmp_path, target="y", fresh=True)
    assert not second.trials["objective"].equals(trials["objective"])
    assert folder_of("table", tmp_path).spec().resolved() == second.spec.resolved()


def test_train_takes_what_run_takes() -> None:
    configurations = [sweep.Configuration(0.01, sweep.optimizers.Adam())]
    pair = FRAME.drop(columns="y"), FRAME["y"]
    one, other = (
        sweep.train(configurations, data, epochs=2, target=name) for data, name in ((FRAME, "y"), (pair, None))
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    as_numbers = sweep.train(configurations, FRAME.drop(columns="y"), target="a", task="regression", epochs=2)
    assert np.isfinite(as_numbers["validation_loss"]).all()
    for data, target in ((FRAME, None), (FRAME, "z"), (4, "y")):
        with pytest.raises(SweepError):
            sweep.train(configurations, data, target=target, epochs=2)


def test_a_table_is_in_memory_until_it_is_written_and_no_longer(tmp_path: Path) -> None:
    file = str((tmp_path / "table" / "data.parquet").absolute())
    seen: list[bool] = []
    run(FRAME, tmp_path, target="y", notify=lambda progress: seen.append(identity.is_held(file)))
    assert seen
    assert not any(seen)
