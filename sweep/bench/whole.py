"""End to end: the command itself, in processes of its own, as a person starts it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sweep.bench.step.workloads import HIGH_RATE, LOW_RATE
from sweep.errors import SweepError
from sweep.results.tables import tables

WORKERS = 2
TRIALS, QUICK_TRIALS = 1_000, 256
SAMPLERS = ("random", "tpe")
HELPS = 5

STUDY = f"""\
[study]
question = "How many trials a second?"
trials = {{trials}}
sampler = "{{sampler}}"

[data]
name = "digits"
validation = {360 / 1797!r}
test = 0.0

[network]
hidden = [32]
epochs = 30
batch_size = 32

[search]
learning_rate = {{{{ low = {LOW_RATE}, high = {HIGH_RATE}, log = true }}}}
optimizers = ["rmsprop"]
schedules = ["constant"]

[search.optimizer.rmsprop]
decay = {{{{ low = 0.9, high = 0.99 }}}}
epsilon = {{{{ low = 1e-10, high = 1e-6, log = true }}}}
initial_cache = 0.0

[verdict]
seeds = 0
"""


@dataclass(frozen=True)
class Whole:
    """One run of a study, W1 with RMSProp alone.

    Attributes
    ----------
    trials_per_second : float
        After the first generation.
    startup_seconds : float
        From the command to the end of the first generation's training; the operating system had the files at hand.
    wall_seconds : float
        From the command to its end.
    efficiency : float or None
        `trials_per_second` as a share of ``workers / (kernel seconds a trial)``; None without a kernel figure.
    """

    sampler: str
    trials: int
    workers: int
    diverged: int
    trials_per_second: float
    startup_seconds: float
    wall_seconds: float
    efficiency: float | None


def started(*arguments: str, folder: str) -> subprocess.Popen[str]:
    """Start ``python -m sweep`` with arguments."""
    here = str(Path(__file__).resolve().parent.parent.parent)
    path = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))
    return subprocess.Popen(
        [sys.executable, "-m", "sweep", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def complain(process: subprocess.Popen[str], arguments: Sequence[str], said: str = "") -> None:
    """Raise `SweepError` if a command has not ended well."""
    if process.returncode:
        said = said or (process.stderr.read() if process.stderr else "")
        raise SweepError(f"bench: python -m sweep {' '.join(arguments)}: exit code {process.returncode}: {said}")


def command(*arguments: str, folder: str) -> float:
    """Run ``python -m sweep`` with arguments to its end; give the wall time in seconds."""
    start = time.perf_counter()
    with started(*arguments, folder=folder) as process:
        _, said = process.communicate()
    complain(process, arguments, said)
    return time.perf_counter() - start


def help_seconds() -> float:
    """How long ``--help`` takes: the median of several."""
    with tempfile.TemporaryDirectory() as folder:
        return median(command("--help", folder=folder) for _ in range(HELPS))


def warm_up() -> None:
    """Run a few trials, so that the operating system has all files at hand."""
    measure("random", 16, None)


def measure(sampler: str, trials: int, kernel_ms: float | None) -> Whole:
    """Run the study once.

    Parameters
    ----------
    kernel_ms : float, optional
        Ms a trial of W1's stacked training on one core, from the same bench.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "speed.toml").write_text(STUDY.format(trials=trials, sampler=sampler))
        start = time.time()
        wall = command("run", "speed.toml", "--workers", str(WORKERS), "--json", "--runs", "runs", folder=folder)
        frame = tables.read(Path(folder) / "runs" / "speed", "trials")
    finished = frame["finished"].map(lambda when: when.timestamp())
    first = frame["generation"] == 0
    startup, last = float(finished[first].max()), float(finished.max())
    rate = float((~first).sum()) / max(last - startup, 1e-9)
    return Whole(
        sampler, trials, WORKERS, int((frame["state"] == "diverged").sum()), rate, startup - start, wall,
        None if kernel_ms is None else rate * kernel_ms / 1000 / WORKERS,
    )  # fmt: skip
