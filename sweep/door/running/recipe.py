"""What a run was made with, kept in its folder: so that whoever reads the answer can make it again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sweep
from sweep.bench.machine import describe
from sweep.errors import unwritable
from sweep.learning.data.identity import identity
from sweep.learning.data.parts import Facts
from sweep.learning.data.splits import table_of
from sweep.learning.data.tables import told
from sweep.results.answer import RECIPE
from sweep.results.tables.files import replacing
from sweep.search.running.finalists import fresh_seed
from sweep.search.study_file.spec import Spec

PACKAGES = ("numpy", "scipy", "numba", "scikit-learn", "optuna", "pandas", "joblib")


def write(folder: Path, spec: Spec, data: Facts) -> None:
    """Write versions, machine, seeds and the data's fingerprint.

    Raises
    ------
    SweepError
        The place cannot be written.
    """
    found = {
        "sweep": sweep.__version__,
        "machine": {key: value for key, value in asdict(describe(PACKAGES)).items() if key != "load"},
        "seed": spec.study.seed,
        "fresh_seeds": [fresh_seed(spec, replicate) for replicate in range(spec.verdict.seeds)],
        "data": {
            "fingerprint": data.fingerprint,
            **_file(spec),
            "task": data.task,
            "samples": list(data.samples),
            "understood": told.of(table_of(spec.source()), spec.source().label).data(),
        },
    }
    try:
        with replacing(folder / RECIPE) as beside:
            beside.write_text(json.dumps(found, indent=1), encoding="utf-8")
    except OSError as error:
        raise unwritable(folder / RECIPE, error) from error


def _file(spec: Spec) -> dict[str, Any]:
    """What identifies the file of the data."""
    return {"file": identity(Path(spec.data.file))} if spec.data.file else {}
