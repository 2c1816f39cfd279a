"""Data that have changed since a run, or are gone: known, and said in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import sweep
from sweep.door import retraining
from sweep.door.result import Result
from sweep.errors import DataError, SweepError
from sweep.learning.data.identity import identity
from sweep.results.telling import report
from tests.door.python.made import SMALL, frame
from tests.studies import content, run
from tests.terminal import sweep as command

FRAME = frame()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and a run of it."""
    place = tmp_path_factory.mktemp("made")
    FRAME.to_csv(place / "my.csv", index=False)
    sweep.run(data=place / "my.csv", target="y", runs=place / "runs", **SMALL)
    return place


@pytest.fixture
def result(made: Path) -> Result:
    FRAME.to_csv(made / "my.csv", index=False)
    return sweep.load(made / "runs" / "my")


def flipped(file: Path) -> None:
    changed = FRAME.assign(y=FRAME["y"].map({"yes": "no", "no": "yes"}))
    changed.to_csv(file, index=False)


def test_the_recipe_says_which_file_it_was(result: Result, made: Path) -> None:
    recipe = json.loads((result.folder / "recipe.json").read_text())
    assert recipe["data"]["file"] == identity(made / "my.csv")
    assert recipe["data"]["file"]["bytes"] == (made / "my.csv").stat().st_size


def test_while_they_are_the_same_nothing_is_said(result: Result, tmp_path: Path) -> None:
    assert not [found for found in result.findings if found.kind.startswith("data")]
    assert retraining.rerun(result, 1).reproduced
    assert retraining.fit(result, tmp_path / "m.joblib").samples == 72


ASKED: dict[str, Callable[[Result, Path], object]] = {
    "fit": lambda result, place: retraining.fit(result, place / "m.joblib"),
    "rerun": lambda result, place: retraining.rerun(result, 1),
}


@pytest.mark.parametrize("name", ASKED)
def test_changed_data_are_refused_with_what_was_and_what_is(
    name: str, result: Result, made: Path, tmp_path: Path
) -> None:
    was = identity(made / "my.csv")
    flipped(made / "my.csv")
    now = identity(made / "my.csv")
    with pytest.raises(DataError) as caught:
        ASKED[name](result, tmp_path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{made / 'my.csv'}: the data have changed since this run")
    assert str(was["sha256"])[:12] in line
    assert str(now["sha256"])[:12] in line
    assert "bring the old file back" in line
    assert "--fresh" in line
    assert not (tmp_path / "m.joblib").exists()


@pytest.mark.parametrize("name", ASKED)
def test_data_that_are_gone_are_one_line(name: str, result: Result, made: Path, tmp_path: Path) -> None:
    (made / "my.csv").unlink()
    with pytest.raises(
        DataError, match=r"my\.csv: cannot be read any more .*No such file.*bring the old file back"
    ) as caught:
        ASKED[name](result, tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_the_summary_the_report_and_json_say_it(result: Result, made: Path) -> None:
    flipped(made / "my.csv")
    assert result.findings[0].kind == "data changed"
    runs = ["--runs", str(made / "runs")]
    shown, told = command("show", "my", *runs, cwd=made), command("show", "my", "--json", *runs, cwd=made)
    assert shown.code == told.code == 0
    assert "the data have changed since this run" in " ".join(shown.out.split())
    assert json.loads(told.out)["findings"][0]["kind"] == "data changed"
    page = report.write(result.answer)
    assert "the data have changed since this run" in page.read_text()
    refused = command("rerun", "my", "1", *runs, cwd=made)
    assert refused.code == 4
    assert "processor" not in refused.err


def test_without_the_file_the_summary_and_the_report_still_work(result: Result, made: Path) -> None:
    (made / "my.csv").unlink()
    runs = ["--runs", str(made / "runs")]
    shown = command("show", "my", *runs, cwd=made)
    assert shown.code == 0, shown.err
    assert "cannot be read any more" in " ".join(shown.out.split())
    assert command("report", "my", *runs, cwd=made).code == 0
    fitted = command("fit", "my", "-o", "m.joblib", *runs, cwd=made)
    assert (fitted.code, len(fitted.err.splitlines())) == (4, 1)


def test_a_folder_of_parts_is_known_by_all_of_its_files(tmp_path: Path) -> None:
    parts = tmp_path / "parts.parquet"
    parts.mkdir()
    FRAME.head(50).to_parquet(parts / "1.parquet")
    FRAME.tail(40).to_parquet(parts / "2.parquet")
    result = sweep.run(data=parts, target="y", runs=tmp_path / "runs", **SMALL)
    assert retraining.rerun(result, 1).reproduced
    (parts / "2.parquet").rename(parts / "3.parquet")
    with pytest.raises(DataError, match="the data have changed"):
        retraining.rerun(result, 1)


def test_a_run_that_has_not_noted_its_file_is_checked_by_the_values(result: Result, made: Path, tmp_path: Path) -> None:
    shutil.copytree(result.folder, tmp_path / "my")
    recipe = json.loads((tmp_path / "my" / "recipe.json").read_text())
    del recipe["data"]["file"]
    (tmp_path / "my" / "recipe.json").write_text(json.dumps(recipe))
    assert retraining.rerun(sweep.load(tmp_path / "my"), 1).reproduced
    flipped(made / "my.csv")
    with pytest.raises(DataError, match=f"fingerprint {recipe['data']['fingerprint']}, now"):
        retraining.rerun(sweep.load(tmp_path / "my"), 1)


def test_a_run_of_the_same_values_in_another_file_goes_on_and_notes_it(result: Result, made: Path) -> None:
    (made / "my.csv").write_text((made / "my.csv").read_text() + "\n\n")
    with pytest.raises(SweepError):
        retraining.rerun(result, 1)
    again = sweep.run(data=made / "my.csv", target="y", runs=made / "runs", **SMALL)
    assert retraining.rerun(again, 1).reproduced


def test_a_run_does_not_go_on_with_other_data_and_says_why(result: Result, made: Path) -> None:
    flipped(made / "my.csv")
    with pytest.raises(
        SweepError, match=r"begun with other data \(.* then, .* now\): bring the old data back, use --fresh"
    ):
        sweep.run(data=made / "my.csv", target="y", runs=made / "runs", **SMALL)


def test_every_pruned_trial_reproduces_up_to_its_rung(tmp_path: Path) -> None:
    study = content(study={"trials": 24, "generation": 8, "pruner": "halving"}, network={"epochs": 6})
    result = run(study, tmp_path)
    pruned = result.trials.loc[result.trials["state"] == "pruned", ["number", "epochs"]]
    assert len(pruned) > 2
    for number, epochs in pruned.itertuples(index=False):
        again = retraining.rerun(result, int(number))
        assert (again.reproduced, again.epochs) == (True, epochs)
    assert pd.notna(result.best["number"])
