"""A process to measure in: one core, one thread a library, decided before any library is imported there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

Found = TypeVar("Found")

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


class Alone:
    """One process on one core; it keeps what it has loaded and compiled from one call to the next.

    Measured is inside, by the function that is called, so handing over costs nothing that counts.
    """

    def __init__(self) -> None:
        from joblib.externals.loky import ProcessPoolExecutor

        self._executor: Any = ProcessPoolExecutor(max_workers=1, timeout=None, env=ONE_THREAD, initializer=_settle)

    def call(self, function: Callable[..., Found], *arguments: Any) -> Found:
        """Run a module's function there and wait for what it returns."""
        found: Found = self._executor.submit(function, *arguments).result()
        return found

    def close(self, *, now: bool = False) -> None:
        """End the process."""
        self._executor.shutdown(wait=True, kill_workers=now)


class Processes:
    """Processes by name, started when they are first needed, ended together."""

    def __init__(self) -> None:
        self._started: dict[str, Alone] = {}

    def call(self, name: str, function: Callable[..., Found], *arguments: Any) -> Found:
        """Run a module's function in the process of that name."""
        if name not in self._started:
            self._started[name] = Alone()
        return self._started[name].call(function, *arguments)

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started.values():
            process.close(now=kind is not None)


def _settle() -> None:
    """In the process: stay on one core (the last: the first is interrupted most); leave Ctrl-C to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
