"""Every example in the README and in the studies' README runs, in the order in which it stands there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sweep.search import catalogue, spec
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


def test_the_study_file_runs(tmp_path: Path) -> None:
    (content,) = blocks(README, "toml")
    tomllib.loads(content)
    (tmp_path / "moons.toml").write_text(content)
    outcome = sweep("run", "moons.toml", "--backend", "serial", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert "48 of 48 trials" in outcome.out


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
    study = spec.read(catalogue.find(name)).study
    assert study.question.endswith("?")
    assert f"## {name}" in STUDIES
    assert f"python -m sweep run {name}" in STUDIES


def test_the_python_example_of_the_studies_runs_on_a_short_run(tmp_path: Path) -> None:
    assert sweep("run", "initial-cache", "-q", "--trials", "24", cwd=tmp_path).code == 0
    (code,) = blocks(STUDIES, "python")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(), check=True, capture_output=True)
