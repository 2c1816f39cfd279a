"""As where numba cannot be imported."""

from __future__ import annotations

import pytest

from sweep.learning.network import executors


@pytest.fixture
def without_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "numba", None)
    monkeypatch.setattr(executors, "_compiled", None)  # or it would serve what it has compiled before
