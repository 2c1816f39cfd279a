"""Opening a database that Optuna knows (SQLite, PostgreSQL, MySQL, ...) by its URL, or saying in one line why not.

A database has one writer here, the run, and as many readers as there are dashboards. PostgreSQL and MySQL keep them
apart by themselves. SQLite makes them wait for each other, and a dashboard reads all of a study in one go: so its
connections wait a minute for the lock, where the driver would give up after five seconds.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage

from sweep.errors import UsageError

SQLITE_LOCK_SECONDS = 60.0
_DRIVERS = ("psycopg2", "psycopg")  # the module, and what SQLAlchemy calls it in a URL; the first that is installed


def open_database(url: str) -> BaseStorage:
    """Open the Optuna storage in a database; its tables are made if they are not there.

    Raises
    ------
    UsageError
        The URL, the driver or the database is not there, or the tables are those of another Optuna.
    """
    from optuna.storages import RDBStorage

    with told(url, "cannot be opened"):
        name, options = _with_driver(url), _options(url)
        doubled = name.replace("{", "{{").replace("}", "}}")  # Optuna takes a URL for a template
        return RDBStorage(doubled, engine_kwargs=options)


@contextmanager
def told(url: str, what: str) -> Iterator[None]:
    """Raise what goes wrong with a database inside the block as one line; passwords are not shown."""
    from sqlalchemy.exc import SQLAlchemyError

    expected = (SQLAlchemyError, StorageInternalError, ImportError, ValueError, OSError, RuntimeError)
    try:
        yield
    except expected as error:
        raise UsageError(f"storage {shown(url)}: {what}: {_reason(url, error)}") from error


def shown(url: str) -> str:
    """A URL as it may be printed: without its password.

    >>> shown("postgresql://ada:secret@localhost/studies")
    'postgresql://ada:***@localhost/studies'
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return url
    return parsed.render_as_string(hide_password=True) if parsed.password else url


def _with_driver(url: str) -> str:
    """The URL with the name of a driver that is installed, where a PostgreSQL URL leaves the choice to us.

    SQLAlchemy's own choice is psycopg2 up to 2.0 and psycopg from 2.1 on, whichever is installed.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgres"):
        return url
    found = [name for name in _DRIVERS if importlib.util.find_spec(name)]
    return f"postgresql+{found[0]}://{rest}" if found else f"postgresql://{rest}"


def _options(url: str) -> dict[str, Any]:
    """How SQLAlchemy is to connect."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return {"pool_pre_ping": True}  # a connection that the server closed meanwhile is opened again
    if parsed.database in (None, "", ":memory:"):
        raise ValueError("in memory, it would be gone with the run: give the path of a file")
    return {"connect_args": {"timeout": SQLITE_LOCK_SECONDS}}


def _reason(url: str, error: BaseException) -> str:
    """What is wrong in one line, and what to do if it is a driver that is missing."""
    cause = error.__cause__ or error
    said = str(cause).strip().splitlines() or [type(cause).__name__]
    if not isinstance(error, ImportError):
        return said[0]
    if url.startswith("postgres"):
        return f"{said[0]}: PostgreSQL needs a driver: pip install 'sweep[postgresql]'"
    return f"{said[0]}: install the driver that the URL names"
