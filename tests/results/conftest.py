"""Fewer resamples for tests that judge hundreds of tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sweep.results.statistics import verdicts

IN_EARNEST = verdicts.RESAMPLES


@pytest.fixture(scope="module")
def quick() -> Iterator[None]:
    """Fewer resamples and sign flips. A random sign-flip test keeps its level with any number of flips."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verdicts, "RESAMPLES", 499)
        patch.setattr(verdicts, "FLIPS_A_PAIR", 60)
        yield


@pytest.fixture
def in_earnest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "RESAMPLES", IN_EARNEST)
