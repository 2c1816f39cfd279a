"""Which of a test's cases run in both tiers, and which in the long one alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def mostly_long(cases: Iterable[Any], short: Callable[..., bool]) -> list[Any]:
    """The cases for `pytest.mark.parametrize`, marked long but for those that `short` says both tiers run.

    A case is a tuple of arguments, or one argument; at least one case of each kind should stay in the short tier.
    """
    found = [case if isinstance(case, tuple) else (case,) for case in cases]
    assert any(short(*case) for case in found), "no law is left out of the short tier"
    return [pytest.param(*case, marks=[] if short(*case) else [pytest.mark.long]) for case in found]
