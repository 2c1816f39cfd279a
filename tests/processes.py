"""Studies that run in processes of their own, as a user starts them, to be stopped, killed and looked into."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import tomli_w

import sweep
from sweep.door.result import Result
from tests.terminal import command, environment

PATIENCE = 120.0  # seconds until a test gives up waiting; everything here takes a few on an idle machine


def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds; fail, saying `what` was waited for, if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.002)


@dataclass(frozen=True)
class Run:
    """``python -m sweep run`` in a process group of its own, as a terminal makes it."""

    process: subprocess.Popen[bytes]
    place: Path

    def children(self) -> list[psutil.Process]:
        """Its processes: the workers, and who tidies up after them."""
        with contextlib.suppress(psutil.NoSuchProcess):
            found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
            return found
        return []

    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    def kill(self) -> None:
        """Kill the parent, and nobody else, so that it can do nothing about it."""
        self.process.kill()
        self.process.wait()

    def send(self, number: int) -> None:
        """Send a signal: Ctrl-C to the whole group, as a terminal does, others to the parent."""
        (os.killpg if number == signal.SIGINT else os.kill)(self.process.pid, number)

    def code(self) -> int:
        """Wait for its end and give the exit code."""
        return self.process.wait(timeout=PATIENCE)

    def said(self) -> list[str]:
        """The lines on its stderr, until now; those of its children too."""
        return (self.place / "stderr").read_text().splitlines()


@contextlib.contextmanager
def running(place: Path, *arguments: str, **options: Any) -> Iterator[Run]:
    """Start ``python -m sweep run`` in a folder; whatever of it is left at the end of the block is killed.

    Temporary files go to a folder `temporary` beside the run folders.
    """
    (place / "temporary").mkdir(exist_ok=True)
    with (place / "stdout").open("wb") as out, (place / "stderr").open("wb") as err:
        process = subprocess.Popen(
            command("run", *arguments),
            cwd=place,
            env=environment() | {"TMPDIR": str(place / "temporary")},
            stdout=out,
            stderr=err,
            start_new_session=True,
            **options,
        )
    try:
        yield Run(process, place)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def write_study(place: Path, study: Mapping[str, Any]) -> Path:
    """Write a study file, named after the study, into a folder that is made."""
    place.mkdir(parents=True, exist_ok=True)
    file = place / f"{study['study']['name']}.toml"
    file.write_text(tomli_w.dumps(study))
    return file


def result_in(place: Path, name: str = "tiny") -> Result:
    """What a study run in a folder has left."""
    return sweep.load(place / "runs" / name)


def parts(place: Path, table: str, name: str = "tiny") -> int:
    """How many parts a table has."""
    return len(list((place / "runs" / name / f"{table}.parquet").glob("part-*")))


def are_gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them lives."""
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes if psutil.pid_exists(p.pid))
