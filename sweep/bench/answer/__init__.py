"""How good what `sweep` recommends is, beside what other rules and other tools recommend from the same samples.

A study is one data set and one study seed, which also decides what is held out. The contenders choose from the rest;
then every choice is trained again on new splits with new seeds and evaluated on the holdout part. Each study's result
is kept as a file, so a bench that was killed goes on where it was; what another version has left counts for nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import sweep
from sweep.bench.answer.contenders import Outcome, Plan, compete
from sweep.bench.answer.sets import SETS, Problem
from sweep.bench.answer.summary import Answered, summed_up

FULL = Plan(tuple(SETS), seeds=5, truths=12)
QUICK = Plan(("wine", "diabetes", "short_digits", "ill_conditioned"), seeds=2, truths=4)
JOBS = -1  # studies at once: one a core
TELLS_NOTHING = {"__init__.py", "summary.py"}  # files of this folder on which no study's result depends


def measure(plan: Plan, say: Callable[[str], None] = lambda text: None) -> Answered:
    """Make the studies that are not there yet, on all cores, one study a core; sum all of them up."""
    import joblib

    folder = place()
    studies = [(data, seed) for seed in range(plan.seeds) for data in plan.sets]
    missing = [study for study in studies if not kept(folder, *study, plan).exists()]
    if missing:
        work = (joblib.delayed(keep)(folder, *study, plan) for study in missing)
        done = joblib.Parallel(n_jobs=JOBS, batch_size=1, return_as="generator_unordered")(work)
        for number, (data, seed) in enumerate(done, start=len(studies) - len(missing) + 1):
            say(f"what is recommended: {data}, seed {seed}: {number} of {len(studies)} studies done")
    found = [each for study in studies for each in _read(kept(folder, *study, plan))]
    return summed_up(found, str(folder))


def place() -> Path:
    """The folder in the user's cache with the results of this version of the sources."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "sweep" / "bench-answer" / f"{sweep.__version__}-{_digest()}"


def _digest() -> str:
    """A digest of the sources that decide a result: all but those of the rest of the bench, and what prints it."""
    here = Path(__file__).parent
    package, found = here.parent.parent, hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        measures = file.parent == here and file.name not in TELLS_NOTHING
        of_the_bench = here.parent in file.parents or file == package / "door" / "bench.py"
        if measures or not of_the_bench:
            found.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def kept(folder: Path, data: str, seed: int, plan: Plan) -> Path:
    """The file with a study's result."""
    epochs = f"-{plan.epochs}" if plan.epochs else ""
    return folder / f"{data}-{seed}-{plan.trainings}-{plan.truths}{epochs}.json"


def keep(folder: Path, data: str, seed: int, plan: Plan) -> tuple[str, int]:
    """Make one study and write its result, whole or not at all; say which it was."""
    with tempfile.TemporaryDirectory() as own:
        outcomes = compete(Problem.of(data, seed), plan, Path(own))
    file = kept(folder, data, seed, plan)
    folder.mkdir(parents=True, exist_ok=True)
    beside = file.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps([asdict(each) for each in outcomes], indent=1), encoding="utf-8")
    beside.replace(file)
    return data, seed


def _read(file: Path) -> list[Outcome]:
    return [Outcome(**each) for each in json.loads(file.read_text(encoding="utf-8"))]
