"""A long run: whether what a trial costs, and the memory, stay as they are while trials pile up.

The command itself, on a tiny network, so that the search and the writing are most of the work. Its memory is looked at
from outside while it runs (where Linux tells it).
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sweep.bench.machine import megabytes
from sweep.bench.whole import complain, started
from sweep.results.tables import tables

WORKERS = 2
TRIALS, QUICK_TRIALS = 10_000, 600
SAMPLERS = ("random", "tpe")
PARTS = 5  # of the trials, one after the other
GENERATION = 64
EVERY = 0.2  # seconds between two looks at the memory
STUDY = """\
[study]
question = "Does a long run stay quick and small?"
trials = {trials}
sampler = "{sampler}"
generation = {generation}

[data]
name = "iris"

[network]
hidden = [4]
epochs = 10

[verdict]
seeds = 0
"""


@dataclass(frozen=True)
class Stretch:
    """A part of a long run.

    Attributes
    ----------
    first, last : int
        Numbers of trials.
    ms : float
        Wall time a trial.
    parent_megabytes, workers_megabytes : float or None
        The most memory that the parent, and that all workers together, had meanwhile; None: the system does not say.
    """

    first: int
    last: int
    ms: float
    parent_megabytes: float | None
    workers_megabytes: float | None


@dataclass(frozen=True)
class Long:
    """One long run, in stretches."""

    sampler: str
    trials: int
    stretches: list[Stretch]


@dataclass(frozen=True, slots=True)
class _Look:
    """What memory was in use when, in megabytes."""

    when: float
    parent: float
    workers: float


def measure(sampler: str, trials: int) -> Long:
    """Run the study once, from outside."""
    with tempfile.TemporaryDirectory() as folder:
        study = STUDY.format(trials=trials, sampler=sampler, generation=GENERATION)
        (Path(folder) / "long.toml").write_text(study)
        arguments = ("run", "long.toml", "--workers", str(WORKERS), "-q")
        looks = []
        with started(*arguments, folder=folder) as process:
            while process.poll() is None:
                looks += _look(process)
                time.sleep(EVERY)
            complain(process, arguments)
        return Long(sampler, trials, _stretches(tables.read(Path(folder) / "runs" / "long", "trials"), looks))


def _look(process: subprocess.Popen[str]) -> list[_Look]:
    """The memory of a process and of those that it has started; nothing if the system does not say, or it has ended."""
    parent = megabytes(process.pid, "VmRSS")
    if parent is None:
        return []
    workers = (megabytes(pid, "VmRSS") or 0.0 for pid in _children(process.pid))  # one may have ended meanwhile
    return [_Look(time.time(), parent, sum(workers))]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in file.read_text().split()]
        except OSError:  # it has ended meanwhile
            continue
        found += [each for child in children for each in (child, *_children(child))]
    return found


def _stretches(trials: pd.DataFrame, looks: list[_Look]) -> list[Stretch]:
    """Cut the run up; the first generation, which waits for the workers, is left out."""
    done = trials[trials["generation"] > 0].sort_values("finished")
    ends = done["finished"].map(lambda when: when.timestamp()).to_numpy()
    found = []
    for rows in np.array_split(np.arange(len(ends)), PARTS):
        start, end = ends[rows[0]], ends[rows[-1]]
        meanwhile = [look for look in looks if start <= look.when <= end]
        numbers = done["number"].to_numpy()[rows]
        found.append(
            Stretch(
                int(numbers.min()), int(numbers.max()), float(1000 * (end - start) / max(len(rows) - 1, 1)),
                max((look.parent for look in meanwhile), default=None),
                max((look.workers for look in meanwhile), default=None),
            )
        )  # fmt: skip
    return found
