"""Fewer resamples for tests that judge hundreds of tables."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from sweep.results.statistics import verdicts

IN_EARNEST = verdicts.RESAMPLES


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Fewer resamples and sign flips; a random sign-flip test keeps its level with any number of flips.

    The signs follow from the number of seeds and of flips alone: drawn once for all tables, they are the same.
    """
    drawn, every = verdicts._random_signs, verdicts._every_sign
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "_random_signs", functools.cache(lambda seeds, flips: list(drawn(seeds, flips))))
        patch.setattr(verdicts, "_every_sign", functools.cache(lambda seeds: list(every(seeds))))
        patch.setattr(verdicts, "RESAMPLES", 499)
        patch.setattr(verdicts, "FLIPS_A_PAIR", 60)
        yield


@pytest.fixture
def in_earnest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "RESAMPLES", IN_EARNEST)
