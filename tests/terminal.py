"""Running the command line: its streams and its exit code."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from sweep.door.cli import main

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


def environment() -> dict[str, str]:
    """The environment of a user who has the package installed, whichever folder the tests run in."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return os.environ | {"PYTHONPATH": path, "COLUMNS": "100"}


def command(*arguments: str) -> list[str]:
    """``python -m sweep`` with arguments."""
    return [sys.executable, "-m", "sweep", *arguments]


def sweep(*arguments: str, cwd: Path, stdin: str = "", columns: int = 100) -> Outcome:
    """Run a command to its end, in this process: a process of its own takes two seconds to import the libraries."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd),
        mock.patch.dict(os.environ, {"COLUMNS": str(columns)}),
        mock.patch("sys.stdin", io.StringIO(stdin)),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main(list(arguments))
    assert isinstance(ended.value.code, int)
    return Outcome(ended.value.code, out.getvalue(), err.getvalue())


def process(*command_line: str, cwd: Path) -> Outcome:
    """Run a process to its end."""
    done = subprocess.run(command_line, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr)


def sweep_process(*arguments: str, cwd: Path) -> Outcome:
    """Run a command to its end as a user does: in a process of its own."""
    return process(*command(*arguments), cwd=cwd)


def python(code: str, cwd: Path) -> Outcome:
    """Run a piece of Python in a process of its own."""
    return process(sys.executable, "-c", code, cwd=cwd)


TINY = """\
[study]
question = "Is this a study?"
trials = 16

[data]
name = "iris"

[network]
hidden = [4]
epochs = 3
"""
# Appended where neither the number of arms nor the verdict is the point: they take most of a tiny run.
BRIEFLY = """
[search]
optimizers = ["sgd", "rmsprop"]
schedules = ["constant", "exponential"]

[race]
rounds = [1]

[verdict]
seeds = 3
"""


def tiny_study(folder: Path, name: str = "tiny", extra: str = "") -> Path:
    """Write a study file that runs in a moment."""
    path = folder / f"{name}.toml"
    path.write_text(TINY + extra)
    return path
