"""Stopping a run from outside: the first signal lets the running jobs end, the second stops them now."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

_WATCHED = (signal.SIGINT, signal.SIGTERM)


class Stopper:
    """Watches SIGINT (Ctrl-C) and SIGTERM while it is entered.

    Attributes
    ----------
    received : int or None
        The first signal that came.
    """

    def __init__(self, announce: Any) -> None:
        self.received: int | None = None
        self._announce = announce
        self._before: dict[int, Any] = {}

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
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
        self._announce("stopping: the running jobs end and are saved; once more stops them now")
