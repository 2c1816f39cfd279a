"""Every example in the README and in the studies' README runs, in the order in which it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from sweep.search.study_file import catalogue
from tests.benchmarks.studies import sections
from tests.terminal import ROOT, environment, sweep

README = (ROOT / "README.md").read_text()
STUDIES = (ROOT / "studies" / "README.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The commands of all terminal examples, without ``python -m sweep`` and comments."""
    lines = [line for block in blocks(text, "bash") for line in block.splitlines() if line]
    return [shlex.split(line, comments=True)[3:] for line in lines]


def test_every_terminal_example_runs_and_then_every_python_example(tmp_path: Path) -> None:
    assert len(commands(README)) >= 8
    for arguments in commands(README):
        outcome = sweep(*arguments, cwd=tmp_path)
        assert outcome.code == 0, (arguments, outcome.err)
        assert outcome.out
    (code,) = blocks(README, "python")
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "validation_loss" in done.stdout


def test_the_study_files_run(tmp_path: Path) -> None:
    moons, *others = blocks(README, "toml")
    (tmp_path / "moons.toml").write_text(moons)
    outcome = sweep("run", "moons.toml", "--backend", "serial", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert "48 of 48 trials" in outcome.out
    assert len(others) == 2
    for number, content in enumerate(others):
        (tmp_path / f"other{number}.toml").write_text(content)
        outcome = sweep("run", f"other{number}.toml", "--backend", "serial", "--trials", "8", cwd=tmp_path)
        assert outcome.code == 0, outcome.err
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "moons",
        "other0",
        "other1-iris",
        "other1-wine",
    ]


def test_the_commands_in_running_text_exist(tmp_path: Path) -> None:
    inline = re.findall(r"`python -m sweep ([a-z-]+)", README + STUDIES)
    assert {"dashboard", "manual", "run"} <= set(inline)
    for name in sorted(set(inline)):
        assert sweep(name, "--help", cwd=tmp_path).code == 0


def test_the_set_up_commands_are_two_and_each_makes_its_own_environment() -> None:
    setup = re.findall(r"^    (python3 -m venv (\S+) .*)$", README, flags=re.MULTILINE)
    assert len(setup) == 2
    assert setup[0][0].endswith("-m sweep")
    assert setup[1][0].endswith("-m tests")
    assert setup[0][1] != setup[1][1]
    for line, folder in setup:
        assert line.count(f"{folder}/bin/") == 2


@pytest.mark.parametrize("name", sorted(catalogue.shipped()))
def test_every_shipped_study_is_valid_asks_a_question_and_is_described(name: str) -> None:
    found = catalogue.find(name)
    assert all(spec.study.question.endswith("?") for spec in found.studies.values())
    assert f"## {name}" in STUDIES
    assert f"python -m sweep run {name}" in STUDIES


ANSWERED = {name: code for name, code in sections().items() if code}


def shortened(name: str) -> dict[str, Any]:
    """A shipped study with the fewest trials that its questions can be asked of, and few fresh seeds."""
    content = tomllib.loads(catalogue.shipped()[name].read_text())
    arms = len(next(iter(catalogue.find(name).studies.values())).space().arms)
    content["study"] |= {"trials": 5 * arms, "replicates": 2}
    content["verdict"] = {"arms": arms, "seeds": 3}
    if "arguments" in content.get("data", {}):
        content["data"]["arguments"]["n_samples"] = 1000
    return content


@pytest.mark.parametrize("name", sorted(ANSWERED))
def test_the_lines_that_give_a_studys_answer_run_on_a_short_run(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.toml").write_text(tomli_w.dumps(shortened(name)))
    assert sweep("run", f"{name}.toml", "-q", cwd=tmp_path).code == 0
    for code in ANSWERED[name]:
        line = [sys.executable, "-c", code]
        done = subprocess.run(line, cwd=tmp_path, env=environment(), check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout
