"""Worker processes as good children: they leave signals to their parent, and go when it has gone."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

from sweep.learning.network.executors import warm_up

ORPHANED = 2.0  # seconds after which a worker notices that its parent has died


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Start processes, in the block, that leave signals to this one and, if it is killed, complain of nothing.

    A child inherits which signals are blocked, from its first moment on, and the environment. What would complain is
    loky's resource tracker, which outlives a killed parent: of the semaphores that it then removes.
    """
    from multiprocessing import resource_tracker

    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [before, "ignore:resource_tracker"]))
    resource_tracker.ensure_running()  # before signals are blocked: up to Python 3.11, its start unblocks them
    try:
        with _blocked():
            yield
    finally:
        if before is None:
            del os.environ["PYTHONWARNINGS"]
        else:
            os.environ["PYTHONWARNINGS"] = before


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM waiting, where the system can."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def get_ready(parent: int) -> None:
    """In a worker, at its start: leave Ctrl-C to the parent, die with it, and start the compiler.

    Ctrl-C in the terminal reaches the whole group of processes; the parent decides what it means.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    warm_up()


def _die_with(parent: int) -> None:
    """End this process soon after its parent has: one that was killed has told nobody."""
    while os.getppid() == parent:
        time.sleep(ORPHANED)
    os._exit(1)
