"""Opening an Optuna storage: a journal file that is written once a generation, or any database that Optuna knows.

Whatever the storage cannot do while a study runs is said in one line.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import BaseStorage

from sweep.errors import SweepError, UsageError, reason
from sweep.search.storage.databases import open_database, shown
from sweep.search.storage.journal import open_journal, read_journal

SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class OpenStorage:
    """A storage and how to make what was told to it durable."""

    storage: BaseStorage
    commit: Callable[[], None]
    address: str

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Commit when the block is through, and also when it raises; what a database refuses becomes a `SweepError`.

        If the block raises, the caller gets that error, whatever becomes of the commit.
        """
        try:
            with _in_one_line(self.address):
                yield
        except BaseException:
            with contextlib.suppress(Exception):
                self.commit()
            raise
        self.commit()


def absolute(address: str, base: Path) -> str:
    """The same storage by a name that holds in every folder: files are taken relative to `base`."""
    if address.startswith(SQLITE) and address.removeprefix(SQLITE) not in ("", ":memory:"):
        return f"{SQLITE}{base.absolute() / address.removeprefix(SQLITE)}"
    return address if "://" in address else str(base.absolute() / address)


def open_for_writing(address: str) -> OpenStorage:
    """Open a storage for the one writer that a run is.

    Parameters
    ----------
    address : str
        A URL with ``://`` for a database, else the path of a journal file, made if it is not there.

    Raises
    ------
    UsageError
        It cannot be opened.
    """
    if "://" in address:
        return OpenStorage(open_database(address), lambda: None, shown(address))
    try:
        storage, backend = open_journal(Path(address))
    except OSError as error:
        raise UsageError(
            f"storage {address}: cannot be written: {reason(error)}: mend that or choose another --storage"
        ) from error
    return OpenStorage(storage, backend.commit, address)


def open_for_reading(address: str) -> BaseStorage:
    """Open a storage as the dashboard and `show` do, while a run may be writing it."""
    file = address.removeprefix(SQLITE)
    if "://" not in file and not Path(file).is_file():
        raise UsageError(f"storage {address}: no such file: run the study first")
    if "://" in address:
        return open_database(address)
    return read_journal(Path(address))


def rename_study(opened: OpenStorage, name: str) -> None:
    """Give a study, if the storage has it, the first free of the names ``name.1``, ``name.2``, ..."""
    known = set(optuna.get_all_study_names(opened.storage))
    if name not in known:
        return
    free = next(f"{name}.{i}" for i in itertools.count(1) if f"{name}.{i}" not in known)
    optuna.copy_study(from_study_name=name, from_storage=opened.storage, to_storage=opened.storage, to_study_name=free)
    optuna.delete_study(study_name=name, storage=opened.storage)
    opened.commit()


@contextlib.contextmanager
def _in_one_line(address: str) -> Iterator[None]:
    """Raise what a database refuses inside the block as one line."""
    try:
        yield
    except _refusals() as error:
        cause = error.__cause__ or error
        said = str(getattr(cause, "orig", None) or cause).strip().partition("\n")[0]
        raise SweepError(
            f"storage {address}: failed: {said}: mend it, then run again; what was recorded before is safe"
        ) from error


def _refusals() -> tuple[type[Exception], ...]:
    """What Optuna's databases raise; looked up when something was raised, for the import takes its time."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    return StorageInternalError, SQLAlchemyError
