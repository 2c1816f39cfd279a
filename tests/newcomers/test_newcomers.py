"""One source file, really: one of each kind is added to a copy of the tree, and the tests there take it as their own.

The conformance tests follow from the tables, so they hold for a newcomer before a test is written; where an oracle is
wanted they say which.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.newcomers.kinds import ADDED, add

pytestmark = pytest.mark.long

NAMES = [name for addition in ADDED for name in addition.names]
# Tests that have a newcomer's name; and tests that draw from the tables, and have none.
BY_NAME = (
    "tests/learning/optimizers", "tests/learning/schedules", "tests/learning/network", "tests/learning/training",
    "tests/learning/data/test_datasets.py", "tests/parity/test_lines.py", "tests/parity/test_conventions.py",
    "tests/search/choosing", "tests/search/space", "tests/results/test_plots.py",
    "tests/search/running/test_resuming.py::test_a_study_killed_again_and_again_is_as_if_undisturbed",
)  # fmt: skip
DRAWN = (
    "tests/learning/network/test_stacked.py::test_a_lone_row_computes_the_same_as_in_company_to_the_bit",
    "tests/learning/network/test_executors.py::test_a_training_is_the_same_bit_for_bit_compiled_or_not",
    "tests/learning/network/test_executors.py::test_any_training_is_the_same_bit_for_bit_compiled_or_not",
    "tests/learning/training/test_the_sentence.py",
    "tests/parity/test_lines.py::test_any_legal_configuration_gives_python",
    "tests/results/test_plots.py::test_everything_is_drawn_where_everything_is_known",
    "tests/results/test_plots.py::test_a_study_that_has_just_begun_has_no_figure",
    "tests/test_house.py::test_arrows_run_downwards_only",
    "tests/test_house.py::test_files_have_at_most_400_lines_and_functions_40",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with one more of each kind."""
    folder = tmp_path_factory.mktemp("tree")
    add(folder)
    return folder


def python(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process that has the copy in place of the project; its property tests draw a few examples each."""
    outer = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    own = {"PYTHONPATH": str(tree), "HYPOTHESIS_PROFILE": "glance", "COLUMNS": "200"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=tree, env=outer | own, capture_output=True, text=True, check=False)


def outcomes(tree: Path, *arguments: str) -> tuple[list[str], list[str]]:
    """The tests that passed, and the reasons of those that were skipped; none fails."""
    done = python(tree, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", "-rpsfE", *arguments)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    lines = done.stdout.splitlines()
    passed = [line.removeprefix("PASSED ") for line in lines if line.startswith("PASSED ")]
    return passed, [line.partition(": ")[2] for line in lines if line.startswith("SKIPPED ")]


def test_the_conformance_tests_take_newcomers_as_their_own(tree: Path) -> None:
    passed, skipped = outcomes(tree, *BY_NAME, "-k", " or ".join(NAMES))
    for name in NAMES:
        assert any(name in re.split(r"[\[\]-]", test) or f"[{name}]" in test for test in passed), name
    wanted = " ".join(skipped)
    for name, table in (("lion", "OPTIMIZERS"), ("amsgrad", "EFFECTIVE"), ("square_root", "SCHEDULES")):
        assert f"no oracle for {name}: wanted in {table} of tests/learning/textbook.py" in wanted
    assert "no formula for square_root: wanted in FORMULAS of sweep/parity/lines/formulas.py" in wanted
    assert "mish" in wanted
    assert "log_cosh" in wanted


def test_tests_that_draw_from_the_tables_hold_with_newcomers_among_what_they_draw(tree: Path) -> None:
    passed, _ = outcomes(tree, *DRAWN)
    assert {test.partition("::")[0] for test in passed} == {each.partition("::")[0] for each in DRAWN}


STUDY = """\
[study]
trials = 12
generation = 6
sampler = "halton"
pruner = "quartile"
objective = "validation_worst_case"

[data]
name = "{data}"

[network]
hidden = [4]
epochs = 4
activation = "mish"
{loss}

[search]
optimizers = ["lion", "amsgrad", "adan"]
schedules = ["square_root"]

[verdict]
arms = 2
seeds = 2
"""


STUDIES = {"three_rings": "", "linnerud": 'loss = "log_cosh"'}
COMMANDS = """\
from sweep.door.cli import main
for command in (["run", "--backend", "serial", "--json"], ["report"]):
    for study in {studies}:
        try:
            main([*command, study + ".toml"])
        except SystemExit as ended:
            assert not ended.code
        print("====")
"""


def test_studies_of_newcomers_alone_are_run_to_their_reports(tree: Path) -> None:
    for data, loss in STUDIES.items():
        (tree / f"{data}.toml").write_text(STUDY.format(data=data, loss=loss))
    done = python(tree, "-c", COMMANDS.format(studies=list(STUDIES)))
    assert done.returncode == 0, done.stderr
    for data, text in zip(STUDIES, done.stdout.split("====\n"), strict=False):
        told = json.loads(text)
        assert told["objective"] == "validation_worst_case"
        assert ("worst class" if data == "three_rings" else "test worst case") in told["recommendation"]["sentence"]
        lines = told["lines"]
        assert [each["exact"] for each in lines] == [False] * 3
        assert all("No lines for the optimizer" in each["notes"][0] for each in lines)
        folder = tree / "runs" / data
        trials = pd.read_parquet(folder / "trials.parquet")
        assert len(trials) == 12
        assert set(trials["optimizer"]) == {"lion", "amsgrad", "adan"}
        assert {"optimizer.look", "optimizer.change", "schedule.duration", "schedule.end"} <= set(trials.columns)
        assert "How long trials were trained" in (folder / "report.html").read_text()
