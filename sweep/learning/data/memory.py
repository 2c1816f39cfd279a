"""Whether something fits into this machine's memory: asked before, for a system may grant what it has not."""

from __future__ import annotations

import os
from pathlib import Path

from sweep.errors import UsageError

_CONTAINER = Path("/sys/fs/cgroup/memory.max")
GIGABYTE = 2**30


def available() -> float:
    """The memory that this process may ever have, in bytes; infinite where the system does not say."""
    found = float("inf")
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    if _CONTAINER.is_file() and (limit := _CONTAINER.read_text().strip()).isdigit():
        found = min(found, float(limit))
    return found


def check(needed: int, what: str, advice: str) -> None:
    """Raise `UsageError` if so many bytes are more than there are.

    >>> check(10**18, "network", "make hidden smaller")
    Traceback (most recent call last):
    ...
    sweep.errors.UsageError: network: needs about 931322575 GB of memory, this machine has ...: make hidden smaller
    """
    there = available()
    if needed > there:
        least = shortened(-(-needed // GIGABYTE))
        raise UsageError(
            f"{what}: needs about {least} GB of memory, this machine has {there / GIGABYTE:.0f} GB: {advice}"
        )


def shortened(number: int) -> str:
    """A whole number as a person reads it, however many digits it has.

    >>> shortened(1234567), shortened(10**40)
    ('1234567', '1e40')
    """
    digits = str(number)
    return digits if len(digits) <= 12 else f"{digits[0]}e{len(digits) - 1}"
