"""The bench of a long run: the command is really run, and looked at from outside."""

from __future__ import annotations

import sys

import pytest

from sweep.bench import long
from sweep.bench.long import PARTS, measure
from sweep.errors import SweepError

pytestmark = pytest.mark.long


def test_a_long_run_is_cut_into_stretches_with_their_time_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long, "EVERY", 0.01)  # seconds: it is over soon
    found = measure("random", 6 * long.GENERATION)
    assert (found.sampler, found.trials, len(found.stretches)) == ("random", 6 * long.GENERATION, PARTS)
    assert found.stretches[-1].last == found.trials - 1
    assert all(part.ms > 0 for part in found.stretches)
    if sys.platform == "linux":
        seen = [part for part in found.stretches if part.parent_megabytes is not None]
        assert seen
        assert all(part.parent_megabytes and part.parent_megabytes > 50 for part in seen)
        assert any(part.workers_megabytes and part.workers_megabytes > 50 for part in seen)


def test_a_run_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long, "STUDY", 'nonsense = "{trials}{sampler}{generation}"')
    with pytest.raises(SweepError, match=r"(?s)exit code 2: .*nonsense"):
        measure("random", 10)
