"""Writing a file so that a reader never finds half of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a place beside `path` to write to; when the block is through, what was written there takes `path`'s place.

    The name beside begins with a dot, which readers of a folder of Parquet parts pass over, and keeps the ending, by
    which some writers choose the format. When the block raises, `path` is as it was and nothing is left beside it.

    Raises
    ------
    OSError
        The place cannot be written.
    """
    beside = path.with_name(f".{path.stem}.new{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):  # it may not have come so far
            beside.unlink()
        raise
