"""How much memory a large table takes, and how long: ``python -m tests.benchmarks.size [NAME ...]``.

Makes each table of `TABLES` (1,000,000 x 50 numbers for a regression and for three classes, 20,000 samples of 1,000
classes), runs a small study on it with two workers in a process of its own, and prints the seconds of each phase and
the most memory that the parent and its workers had: *own* is what a process has for itself alone and would be missing
if it ended (unique set size), *written* what of it is no page of a file, so that it can be given back to nobody. The
first table takes about 3 minutes on two cores. Linux alone tells what is written.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

MEGABYTE = 2**20
EVERY = 0.1  # seconds from one look at the memory to the next
STUDY: dict[str, Any] = {
    "study": {"name": "size", "trials": 12, "seed": 1, "replicates": 2},
    "network": {"hidden": [16], "epochs": 2, "batch_size": 1024},
    "search": {"optimizers": ["momentum", "adam"], "schedules": ["constant"]},
    "race": {"rounds": [2]},
    "verdict": {"seeds": 2, "arms": 2},
}
INSIDE = "--inside"  # the mode of the process that is watched


def numbers(rows: int, columns: int, classes: int) -> pd.DataFrame:
    """A table of numbers; its target `y` is a noisy function of them, or so many classes."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(rows, columns))
    if classes > 3:
        target: Any = random.integers(classes, size=rows)
        inputs += random.normal(size=(classes, columns))[target]
    else:
        target = inputs[:, :10].sum(axis=1) + np.sin(inputs[:, 0] * inputs[:, 1]) + random.normal(size=rows)
        target = np.digitize(target, [-2.0, 2.0]) if classes else target
    names = [f"x{column}" for column in range(columns)]
    return pd.DataFrame(inputs, columns=names).assign(y=[f"c{each}" for each in target] if classes else target)


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "regression": lambda: numbers(1_000_000, 50, 0),
    "three-classes": lambda: numbers(1_000_000, 50, 3),
    "thousand-classes": lambda: numbers(20_000, 50, 1000),
}


@dataclass
class Peak:
    """The most memory of one process, in megabytes."""

    own: float = 0.0
    written: float = 0.0

    def look(self, process: psutil.Process) -> None:
        """Look again."""
        memory = process.memory_full_info()
        rollup = Path(f"/proc/{process.pid}/smaps_rollup")
        found = re.search(r"^Anonymous: +(\d+) kB", rollup.read_text(), re.MULTILINE) if rollup.exists() else None
        self.own = max(self.own, memory.uss / MEGABYTE)
        self.written = max(self.written, int(found[1]) / 1024 if found else 0.0)


@dataclass
class Watched:
    """A process and those that it has started."""

    parent: Peak = field(default_factory=Peak)
    workers: dict[int, Peak] = field(default_factory=dict)

    def look(self, process: psutil.Process) -> None:
        """Look at all of them; one may end meanwhile."""
        with contextlib.suppress(psutil.Error, OSError):
            self.parent.look(process)
            for child in process.children(recursive=True):
                self.workers.setdefault(child.pid, Peak()).look(child)


def now() -> Any:
    """The time, and what this process has worked: on a machine that others use the second says more."""
    return np.array([time.perf_counter(), time.process_time()])


@contextlib.contextmanager
def timed(seconds: dict[str, Any], phase: str) -> Iterator[None]:
    """Add to the seconds of a phase."""
    started = now()
    yield
    seconds[phase] = seconds.get(phase, 0.0) + now() - started


def noted(function: Callable[..., Any], seconds: dict[str, Any], phase: str) -> Callable[..., Any]:
    """A function whose seconds are added to those of a phase."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with timed(seconds, phase):
            return function(*args, **kwargs)

    return wrapper


def inside(file: Path, runs: Path) -> None:
    """Run the study; print the seconds of each phase as JSON."""
    import sweep
    from sweep.door.running import finishing
    from sweep.learning.data.splits import prepare, samples
    from sweep.search.running.records import Progress
    from sweep.search.running.workers import Loky
    from sweep.search.study_file.spec import complete

    seconds: dict[str, Any] = {}

    study = STUDY | {"data": {"file": str(file), "target": "y"}}
    spec = complete(study, file)
    with timed(seconds, "load"):
        samples(spec.source())
    with timed(seconds, "prepare"):
        prepare(spec.source(), spec.study.seed)
    Loky.equip = noted(Loky.equip, seconds, "write")  # type: ignore[method-assign]
    finishing.add_baselines = noted(finishing.add_baselines, seconds, "baselines")
    changes = [("search", now())]

    def notify(progress: Progress) -> None:
        if (stage := progress.stage or "search") != changes[-1][0]:
            changes.append((stage, now()))

    with timed(seconds, "run"):
        result = sweep.run(study, workers=2, runs=runs, notify=notify)
    changes.append(("", now()))
    for (stage, began), (_, ended) in itertools.pairwise(changes):
        seconds[stage] = ended - began
    seconds["finalists"] -= seconds["baselines"]
    best = {name: result.best[name] for name in ("validation_loss", "validation_error")}
    told = {phase: spent.tolist() for phase, spent in seconds.items()}
    sys.stdout.write(json.dumps({"seconds": told, "best": best}) + "\n")


def measured(name: str) -> str:
    """Make a table, run the study on it, and tell what was measured."""
    with tempfile.TemporaryDirectory() as folder:
        file, runs = Path(folder) / "table.parquet", Path(folder) / "runs"
        TABLES[name]().to_parquet(file)
        command = [sys.executable, "-m", "tests.benchmarks.size", INSIDE, str(file), str(runs)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            watched = Watched()
            while process.poll() is None:
                watched.look(psutil.Process(process.pid))
                time.sleep(EVERY)
            assert process.stdout
            said = json.loads(process.stdout.read().splitlines()[-1])
    workers = sorted(watched.workers.values(), key=lambda peak: peak.own)[-2:]
    peaks = [("parent", watched.parent), *((f"worker {number}", each) for number, each in enumerate(workers, 1))]
    lines = [f"{who:9} own {peak.own:5.0f} MB, of it written {peak.written:5.0f} MB" for who, peak in peaks]
    seconds = ", ".join(f"{phase} {spent:.1f} ({own:.1f})" for phase, (spent, own) in said["seconds"].items())
    return "\n".join([name, *lines, f"seconds (of them at work in the parent): {seconds}", f"best: {said['best']}"])


def main() -> None:
    """Measure those named, or all."""
    if sys.argv[1:2] == [INSIDE]:
        inside(*map(Path, sys.argv[2:4]))
        return
    for name in sys.argv[1:] or list(TABLES):
        sys.stdout.write(f"{measured(name)}\n\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
