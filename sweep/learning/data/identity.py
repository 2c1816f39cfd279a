"""What tells one file of data from another, and a table that a program holds from the file that is to keep it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.learning.data.tables import reading

if TYPE_CHECKING:
    import pandas as pd


def identity(path: Path) -> dict[str, int | str]:
    """The size and the SHA-256 of a file, or of all files in a folder.

    Raises
    ------
    OSError
        It is not there, or cannot be read.
    """
    if not path.is_dir():
        return {"bytes": path.stat().st_size, "sha256": _digest(path)}
    size, whole = 0, hashlib.sha256()
    for file in _files(path):
        size += file.stat().st_size
        whole.update(f"{file.relative_to(path).as_posix()}\n{_digest(file)}\n".encode())
    return {"bytes": size, "sha256": whole.hexdigest()}


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


@dataclass(slots=True)
class _Held:
    """A Parquet file's content until it is written, and what identifies it also then."""

    content: bytes | None
    digest: str


_HELD: dict[str, _Held] = {}


@contextmanager
def held(file: str, content: bytes) -> Iterator[None]:
    """While the block runs this is what stands in `file`, which need not be there yet."""
    _HELD[file] = _Held(content, hashlib.sha256(content).hexdigest())
    del content  # nothing but the record has it, so that it can be released
    try:
        yield
    finally:
        del _HELD[file]


def waiting(file: str) -> bytes | None:
    """What is to be written into a file, if anything is."""
    known = _HELD.get(file)
    return None if known is None else known.content


def release(file: str) -> None:
    """The file has been written: it need not be in memory any more."""
    if file in _HELD:
        _HELD[file].content = None


def is_held(file: str) -> bool:
    """Whether a table in memory stands for the file."""
    return waiting(file) is not None


def from_memory(file: str) -> pd.DataFrame | None:
    """The table that is to stand in a file, if it is not written yet."""
    content = waiting(file)
    return None if content is None else table_of(content)


def table_of(content: bytes) -> pd.DataFrame:
    """The table in the content of a Parquet file, as it is read from the file itself."""
    return reading.parquet(io.BytesIO(content))


def state(file: str) -> Hashable:
    """Something that changes when a file does: what is remembered of it is then forgotten."""
    if not file:
        return None
    if file in _HELD:
        return _HELD[file].digest
    path = Path(file)
    try:
        stats = [each.stat() for each in (_files(path) if path.is_dir() else [path])]
    except (OSError, ValueError):  # a name that no file can have, too: whoever reads it says so
        return None
    return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in stats)
