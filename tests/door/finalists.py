"""A tiny study whose finalists are judged, and their tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sweep.door.result import Result
from sweep.results.tables import after_search
from sweep.results.tables.after_search import JudgedName
from sweep.results.tables.files import replacing
from tests.killing import Killed, killing
from tests.studies import content, run

BOTH: tuple[JudgedName, JudgedName] = ("finalists", "finalist_curves")
SEEDS = 6


def study(**sections: Any) -> dict[str, Any]:
    """Twelve trials of four arms, of which three are judged, without a race: each by its best trial."""
    return content(**{"race": {"rounds": []}, "verdict": {"seeds": SEEDS, "arms": 3}, **sections})


def tables(result: Result) -> list[pd.DataFrame]:
    """What stands in the finalists' tables."""
    return [after_search.read(result.folder, name) for name in BOTH]


def assert_same_finalists(one: Result, other: Result) -> None:
    for own, others in zip(tables(one), tables(other), strict=True):
        pd.testing.assert_frame_equal(own, others, check_exact=True)


def run_until_killed(monkeypatch: pytest.MonkeyPatch, study: Mapping[str, Any], runs: Path, call: int) -> None:
    """Run a study that writes every score at once, until it is killed when it is about to write for the n-th time."""
    with monkeypatch.context() as patch:
        patch.setattr("sweep.door.running.finishing.WRITE_EVERY", 0.0)
        patch.setattr("sweep.results.tables.after_search.replacing", killing(replacing, call))
        with pytest.raises(Killed):
            run(study, runs)
