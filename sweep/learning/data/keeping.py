"""A function that keeps what it has made, as with `functools.lru_cache`, but by its size and not its number alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, ParamSpec, Protocol, TypeVar

LARGE = 64 * 2**20  # bytes


class Sized(Protocol):
    """What says how much memory it takes."""

    @property
    def bytes(self) -> int:
        """The memory of it."""


Given = ParamSpec("Given")
Made = TypeVar("Made", bound=Sized)


class Keeping(Generic[Given, Made]):
    """A function that keeps the last few of its results while they are not `LARGE` together, the newest in any case.

    Older ones are let go of before a new one is made: of large data there is never one more in memory than needed.

    Parameters
    ----------
    function : callable
        Of hashable arguments.
    most : int
        How many to keep.
    """

    def __init__(self, function: Callable[Given, Made], most: int = 4) -> None:
        self._function, self._most = function, most
        self._kept: dict[Hashable, Made] = {}
        self._lock = threading.Lock()
        self.__doc__, self.__name__ = function.__doc__, function.__name__

    def __call__(self, *args: Given.args, **kwargs: Given.kwargs) -> Made:
        """What the function makes of these, or has made."""
        key = args, tuple(sorted(kwargs.items()))
        with self._lock:
            if key in self._kept:
                self._kept[key] = self._kept.pop(key)  # the last to go
                return self._kept[key]
            while self._kept and (len(self._kept) >= self._most or self.bytes > LARGE):
                self._kept.pop(next(iter(self._kept)))
        made = self._function(*args, **kwargs)
        with self._lock:
            self._kept[key] = made
        return made

    @property
    def bytes(self) -> int:
        """The memory of all that is kept."""
        return sum(made.bytes for made in self._kept.values())

    def cache_clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._kept.clear()
