"""Whether something fits into this machine's memory: asked before, for a system may grant what it has not."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from sweep.errors import UsageError

_CONTAINER = Path("/sys/fs/cgroup/memory.max")
GIGABYTE = 2**30
_WIDTHS = {"INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8}  # bytes of a Parquet column's number


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


def check_file(path: Path, ignored: Collection[str] = ()) -> None:
    """Raise `UsageError` for a table that cannot be loaded and scaled in the memory that there is.

    A lower bound: of Parquet each number as it is loaded, and in double precision; of text half of its bytes, for a
    number takes 25 at the most. But for those of Parquet, `ignored` columns count too.
    """
    try:
        needed = _of_parquet(path, ignored) if path.suffix.lower() == ".parquet" else path.stat().st_size // 2
    except (OSError, ValueError):  # whoever reads it says what is wrong
        return
    check(needed, str(path), "leave columns out with ignore under [data], or make a file of fewer rows")


def _of_parquet(path: Path, ignored: Collection[str]) -> int:
    """The bytes of its numbers, by what the file says of itself."""
    import pyarrow.parquet as pq

    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    found = 0
    for metadata in map(pq.read_metadata, files):
        columns = [metadata.schema.column(place) for place in range(metadata.num_columns)]
        kinds = [column.physical_type for column in columns if column.path not in ignored]
        found += metadata.num_rows * sum(_WIDTHS[kind] + 8 for kind in kinds if kind in _WIDTHS)
    return found


def shortened(number: int) -> str:
    """A whole number as a person reads it, however many digits it has.

    >>> shortened(1234567), shortened(10**40)
    ('1234567', '1e40')
    """
    digits = str(number)
    return digits if len(digits) <= 12 else f"{digits[0]}e{len(digits) - 1}"
