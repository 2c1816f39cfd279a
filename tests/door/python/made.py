"""A small table of each kind of column, and what runs of it are called with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import sweep
from sweep.door.result import Result

ROWS = 90
NUMBERS = np.random.default_rng(1).normal(size=(ROWS, 3))

# A study of a moment, as keyword arguments.
SMALL: dict[str, Any] = {
    "trials": 8, "optimizers": ["momentum"], "schedules": ["constant"], "epochs": 3, "hidden": [4], "splits": 1,
    "seeds": 0, "backend": "serial",
}  # fmt: skip


def frame() -> pd.DataFrame:
    """Numbers, one of them missing, categories, and two classes."""
    number, other, noise = NUMBERS.T
    found = pd.DataFrame({"a": number, "b": other.round(3), "kind": np.resize(["x", "y", "z"], ROWS)})
    found.loc[5, "b"] = np.nan
    return found.assign(y=np.where(number + 0.3 * noise > 0, "yes", "no"))


def run(data: Any, runs: Path, **arguments: Any) -> Result:
    """Run it in this process."""
    return sweep.run(data=data, runs=runs, **{**SMALL, **arguments})
