"""Killing a run from inside, at a moment of its life that a test chooses."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Found = TypeVar("Found")


class Killed(BaseException):
    """Stands for SIGKILL: nothing of the project catches it."""


def killing(function: Callable[Given, Found], call: int, *, after: bool = False) -> Callable[Given, Found]:
    """The function, but its n-th call kills the run, before or after it has done its work."""
    calls = 0

    def deadly(*arguments: Given.args, **keywords: Given.kwargs) -> Found:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            raise Killed
        value = function(*arguments, **keywords)
        if calls == call:
            raise Killed
        return value

    return deadly
