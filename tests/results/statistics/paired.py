"""Paired scores for tests of the verdict, and how many of many verdicts may be wrong."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from scipy import stats

from sweep.learning.hyper import Array
from sweep.results.statistics.verdicts import Interval
from sweep.search.space.space import Arm

ARMS = [
    Arm(optimizer, schedule) for optimizer in ("adam", "rmsprop", "sgd") for schedule in ("constant", "cosine", "step")
]
NOTHING = 1e-9  # as delta: no difference is small enough
SURE = 0.9995  # each check of a count fails of itself once in 2000 (with these draws: never)
eighths = st.integers(-80, 80).map(lambda number: number / 8)  # of which sums and differences are exact


def scores_of(rows: Array) -> dict[Arm, Array]:
    return dict(zip(ARMS, np.asarray(rows, dtype=float), strict=False))


def at_most(share: float, of: int) -> int:
    """How often something may happen that happens with this probability."""
    return int(stats.binom.ppf(SURE, of, share))


def at_least(share: float, of: int) -> int:
    """How often something must happen that happens with this probability."""
    return int(stats.binom.ppf(1 - SURE, of, share))


def ends(found: Interval) -> list[float]:
    return [found.mean, found.low, found.high]
