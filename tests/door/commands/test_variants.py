"""Studies with variants on the command line and in Python: one name, several runs."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import pytest

import sweep as package
from sweep.door import api
from sweep.errors import UsageError
from sweep.search.study_file import catalogue
from tests.terminal import TINY, Outcome, command, environment, sweep

VARIANTS = """
[search]
optimizers = ["sgd", "rmsprop"]
schedules = ["constant"]

[verdict]
seeds = 0

[variants.iris]
study.question = "Is this iris?"

[variants.wine]
data.name = "wine"
network.epochs = 2
"""


def variants_study(folder: Path, extra: str = "") -> Path:
    path = folder / "two.toml"
    path.write_text(TINY + VARIANTS + extra)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which both variants have been run."""
    folder = tmp_path_factory.mktemp("place")
    variants_study(folder)
    return folder


@pytest.fixture(scope="module")
def ran(place: Path) -> Outcome:
    outcome = sweep("run", "two.toml", "--backend", "serial", cwd=place)
    assert outcome.code == 0, outcome.err
    return outcome


def data_of(outcome: Outcome) -> Any:
    assert outcome.code == 0, outcome.err
    (line,) = outcome.out.splitlines()
    return json.loads(line)


def test_all_variants_are_run_one_after_the_other_each_shown_with_a_heading(place: Path, ran: Outcome) -> None:
    iris, wine = (ran.out.index(f"== variant {n} of 2: two-{v}.toml") for n, v in ((1, "iris"), (2, "wine")))
    assert iris < ran.out.index("two-iris: Is this iris?") < wine < ran.out.index("two-wine: Is this a study?")
    assert ran.out.count("16 of 16 trials") == 2
    assert "sweep: variant 1 of 2: two-iris.toml" in ran.err
    assert "python -m sweep rerun two-wine.toml" in ran.out
    assert sorted(path.name for path in (place / "runs").iterdir()) == ["two-iris", "two-wine"]
    assert package.load(place / "runs" / "two-wine").spec.network.epochs == 2


def test_json_is_one_object_and_show_gives_the_same(place: Path, ran: Outcome) -> None:
    again = data_of(sweep("run", "two.toml", "--json", "--backend", "serial", cwd=place))
    assert (again["schema"], again["study"]) == (1, "two")
    assert [each["study"] for each in again["variants"]] == ["two-iris", "two-wine"]
    assert data_of(sweep("show", "two.toml", "--json", cwd=place)) == again
    assert data_of(sweep("show", "two-wine", "--json", cwd=place)) == again["variants"][1]
    assert data_of(sweep("run", "two-wine.toml", "--json", "--backend", "serial", cwd=place)) == again["variants"][1]


def test_quiet_says_nothing(place: Path, ran: Outcome) -> None:
    assert sweep("run", "two.toml", "-q", "--backend", "serial", cwd=place) == Outcome(0, "", "")


def test_show_shows_those_that_have_been_run(tmp_path: Path) -> None:
    variants_study(tmp_path)
    outcome = sweep("show", "two.toml", cwd=tmp_path)
    assert outcome.code == 2
    assert outcome.err == "sweep: runs: no variant of two.toml has been run here: python -m sweep run two.toml\n"
    assert sweep("run", "two-wine.toml", "-q", "--backend", "serial", cwd=tmp_path).code == 0
    text = sweep("show", "two.toml", cwd=tmp_path).out
    assert "== variant 1 of 1: two-wine.toml" in text
    assert "two-iris" not in text
    assert [each["study"] for each in data_of(sweep("show", "two.toml", "--json", cwd=tmp_path))["variants"]] == [
        "two-wine"
    ]


def test_a_dry_run_plans_each_and_writes_nothing(tmp_path: Path) -> None:
    variants_study(tmp_path)
    text = sweep("run", "two.toml", "--dry-run", "--workers", "1", cwd=tmp_path).out
    assert text.index("two-iris: plan") < text.index("two-wine: plan")
    plans = data_of(sweep("run", "two.toml", "--dry-run", "--json", "--trials", "8", "--workers", "1", cwd=tmp_path))
    assert [(plan["study"], plan["trials"]) for plan in plans["variants"]] == [("two-iris", 8), ("two-wine", 8)]
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "line",
    [
        ["export", "two.toml", "trials.csv"], ["dashboard", "two.toml"], ["rerun", "two.toml", "0"],
        ["fit", "two.toml", "-o", "model.joblib"], ["manual", "two.toml"], ["report", "two.toml"],
        ["run", "two-iris.toml", "--from", "two.toml"],
    ],
    ids=lambda line: line[0],
)  # fmt: skip
def test_who_needs_one_run_is_told_which_variants_there_are(place: Path, ran: Outcome, line: list[str]) -> None:
    outcome = sweep(*line, cwd=place)
    assert outcome.code == 2
    (said,) = outcome.err.splitlines()
    assert said.startswith("sweep: two.toml: has variants")
    assert said.endswith("name one of two-iris.toml, two-wine.toml")


def test_a_variant_is_a_study_like_any_other(place: Path, ran: Outcome) -> None:
    assert "reproduced bit for bit" in sweep("rerun", "two-wine.toml", "3", cwd=place).out
    assert sweep("export", "two-wine", "trials.csv", cwd=place).code == 0
    assert len(pd.read_csv(place / "trials.csv")) == 16
    assert sweep("fit", "two-iris", "-o", "model.joblib", cwd=place).code == 0


def test_shipped_studies_with_variants_are_listed_once_and_found_by_name(tmp_path: Path) -> None:
    path = variants_study(tmp_path)
    (tmp_path / "tiny.toml").write_text(TINY)
    with mock.patch.object(catalogue, "shipped", return_value={"tiny": tmp_path / "tiny.toml", "two": path}):
        lines = sweep("list", cwd=tmp_path).out.splitlines()
        assert lines == ["tiny     16 trials  Is this a study?", "two      32 trials  2 variants: Is this iris?"]
        listed = data_of(sweep("list", "--json", cwd=tmp_path))["studies"]
        assert [each.get("variants") for each in listed] == [None, ["two-iris", "two-wine"]]
        assert [each["trials"] for each in listed] == [16, 32]
        assert api.resolve("two-wine").study.name == "two-wine"
        assert api.folder_of("two-wine", tmp_path).path == tmp_path / "two-wine"
        assert [spec.study.name for spec in api.resolve_all("two")] == ["two-iris", "two-wine"]
        assert [spec.study.trials for spec in api.resolve_all("two", trials=3)] == [3, 3]
        with pytest.raises(UsageError, match="two: has variants, each a study by itself: name one of two-iris"):
            api.resolve("two")
        with pytest.raises(UsageError, match="name one of two-iris, two-wine"):
            package.run("two", runs=tmp_path)
        result = package.run("two-wine", backend="serial", runs=tmp_path)
        assert result.folder == tmp_path / "two-wine"


def test_a_bad_option_names_the_variant(tmp_path: Path) -> None:
    variants_study(tmp_path, "study.mode = 'compare'\n")
    outcome = sweep("run", "two.toml", "--trials", "7", cwd=tmp_path)
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert line.startswith("sweep: two-wine: --trials 7: mode = ")
    assert not (tmp_path / "runs").exists()


def test_data_that_the_last_variant_cannot_use_are_found_before_the_first_is_run(tmp_path: Path) -> None:
    variants_study(tmp_path, "\n[variants.gone]\ndata = { file = 'none.csv', target = 'y' }\n")
    outcome = sweep("run", "two.toml", "--backend", "serial", cwd=tmp_path)
    assert outcome.code == 4
    assert "none.csv: no such file" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_the_time_is_that_of_all_variants_together(tmp_path: Path) -> None:
    variants_study(tmp_path)
    outcome = sweep("run", "two.toml", "--backend", "serial", "--timeout", "1e-9", cwd=tmp_path)
    assert outcome.code == 0
    assert "== variant 1 of 2" in outcome.out
    assert "== variant 2 of 2" not in outcome.out
    assert "sweep: warning: no time left: not begun: two-wine.toml\n" in outcome.err
    assert sweep("run", "two.toml", "--timeout", "0", cwd=tmp_path).code == 2


@pytest.mark.long
def test_a_signal_ends_them_all(tmp_path: Path) -> None:
    path = variants_study(tmp_path)
    path.write_text(path.read_text().replace("trials = 16", "trials = 20000\nsampler = 'random'"))
    process = subprocess.Popen(
        command("run", "two.toml", "--workers", "1"),
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    curves = tmp_path / "runs" / "two-iris" / "curves.parquet"
    deadline = time.monotonic() + 60
    while len(list(curves.glob("part-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert (
        "stopped after the running jobs; everything finished is saved; go on with: python -m sweep run two.toml" in err
    )
    assert not (tmp_path / "runs" / "two-wine").exists()
    assert (pd.read_parquet(curves.with_name("trials.parquet"))["state"] == "complete").any()
