"""What holds of every way of dividing, and tables of numbered samples to see it by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from sweep.learning.data.dividing import Indices, indices
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array

PARTS = ("train", "validation", "test")
seeds = st.integers(0, 2**32)
shares = st.sampled_from([0.1, 0.2, 0.3])
tests = st.sampled_from([0.0, 0.1, 0.2, 0.3])


def table(target: Array, **beside: Any) -> Table:
    """A table of which only the target matters, and what is known beside it; numbers with a point are a regression."""
    task = "regression" if np.asarray(target).dtype.kind == "f" else "classification"
    return Table(np.arange(len(target), dtype=float)[:, None], np.asarray(target), task, **beside)  # type: ignore[arg-type]


def divided(data: Table, source: DataSource, seed: int, splits: int = 1) -> list[Indices]:
    """The splits, of which hold the laws for all ways: disjoint, of one size, one test part, decided by the seed."""
    found = list(indices(data, source, seed, splits))
    assert len(found) == splits
    for each in found:
        places = np.concatenate([getattr(each, part) for part in PARTS])
        assert len(set(places.tolist())) == len(places)
        assert len(each.train) == len(found[0].train) > 0
        assert len(each.validation) == len(found[0].validation) > 0
        np.testing.assert_array_equal(each.test, found[0].test)
        if data.task == "classification":
            assert set(data.target[each.train].tolist()) == set(data.target[places].tolist())
    for one, again in zip(found, indices(data, source, seed, splits), strict=True):
        for part in PARTS:
            np.testing.assert_array_equal(getattr(one, part), getattr(again, part))
    return found


def fresh(data: Table, source: DataSource, numbers: Sequence[int]) -> list[Indices]:
    """A split for each of some fresh seeds: all have one test part."""
    found = [divided(data, source, seed)[0] for seed in numbers]
    for each in found:
        np.testing.assert_array_equal(each.test, found[0].test)
    return found
