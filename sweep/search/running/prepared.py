"""Prepared data in files, for the workers of one machine: each is written once, and there while a job needs it."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections import Counter

from sweep.learning.data import keeping
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import let_go, prepare
from sweep.learning.training.laid_out import LaidOut

Key = tuple[DataSource, int, int, str]  # what decides the data of a job: source, seed, splits, precision


class Files:
    """A folder with a file for each data set that jobs are trained on.

    A job's data are written before it, the `begun` and the `ended` are counted, and what no job needs is removed when
    the next is written. So there are as many files as jobs of different seeds in flight, which matters when they are
    large.
    """

    def __init__(self) -> None:
        self.folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: dict[Key, str] = {}
        self._jobs: Counter[Key] = Counter()
        self._numbers = itertools.count()

    def put(self, key: Key) -> None:
        """Write the data into a file, unless there is one; without room for it the workers prepare them themselves."""
        with contextlib.suppress(OSError):
            for other in [other for other in self._files if other != key and not self._jobs[other]]:
                os.remove(self._files.pop(other))
        if key not in self._files:
            self._write(key)

    def _write(self, key: Key) -> None:
        source, seed, splits, dtype = key
        data = prepare(source, seed, splits)
        file = ""
        try:
            file = os.path.join(self._made(), f"data-{next(self._numbers)}")
            LaidOut.of(data, dtype).write(file)
            self._files[key] = file
        except OSError:
            with contextlib.suppress(OSError):
                os.remove(file)
            return
        if data.bytes > keeping.LARGE:  # here nobody trains on them
            let_go()

    def _made(self) -> str:
        """The folder, made when it is first needed; it is removed when this process is killed, too."""
        from joblib.externals.loky.backend import resource_tracker

        if not self.folder:
            self.folder = tempfile.TemporaryDirectory(prefix="sweep-", ignore_cleanup_errors=True)
            resource_tracker.register(self.folder.name, "folder")
        return self.folder.name

    def of(self, key: Key) -> str:
        """The file with the data, or nothing."""
        return self._files.get(key, "")

    def begun(self, key: Key) -> None:
        """Take note of one more job that needs the data."""
        self._jobs[key] += 1

    def ended(self, key: Key) -> None:
        """Take note of a job that needs them no longer."""
        self._jobs[key] -= 1

    def close(self) -> None:
        """Remove everything."""
        from joblib.externals.loky.backend import resource_tracker

        if self.folder:
            self.folder.cleanup()
            resource_tracker.unregister(self.folder.name, "folder")
            self.folder, self._files = None, {}
