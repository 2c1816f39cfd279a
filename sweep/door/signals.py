"""Stopping a run from outside: the first signal lets the running jobs end, the second stops them now."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

ONE_WISH = 1.0  # seconds after the second signal in which others say the same: cleaning up is not to be interrupted
_WATCHED = (signal.SIGINT, signal.SIGTERM)


class Stopper:
    """Watches SIGINT (Ctrl-C) and SIGTERM while it is entered; once one has come, both are ignored from the end on.

    The second one raises `KeyboardInterrupt` wherever the main thread is.

    Parameters
    ----------
    announce : callable
        Told, at the first signal, what happens now.

    Attributes
    ----------
    received : int or None
        The first signal that came.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self.received: int | None = None
        self._announce = announce
        self._before: dict[int, Any] = {}
        self._raised = -ONE_WISH

    def stopping(self) -> bool:
        """Whether a signal has come."""
        return self.received is not None

    def __enter__(self) -> Stopper:
        self._before = {number: signal.signal(number, self._handle) for number in _WATCHED}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler if self.received is None else signal.SIG_IGN)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is None:
            self.received = number
            with contextlib.suppress(OSError, RuntimeError, ValueError):  # the stream is gone, or in use right now
                self._announce("stopping: the running jobs end and are saved; once more stops them now")
        elif time.monotonic() - self._raised >= ONE_WISH:
            self._raised = time.monotonic()
            raise KeyboardInterrupt
