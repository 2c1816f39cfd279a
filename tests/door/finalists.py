"""A tiny study whose finalists are judged, and their tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from sweep.door.result import Result
from sweep.results.tables import after_search
from sweep.results.tables.after_search import JudgedName
from tests.studies import content

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
