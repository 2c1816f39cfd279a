"""What can go wrong, said once.

::

    SweepError             3   something inside; the root of the tree
    ├── UsageError         2   a bad command line or study file
    ├── DataError          4   data that is missing or cannot be used
    ├── CheckFailed        5   a check the user asked for did not pass
    └── Interrupted  130/143   stopped from outside, everything saved

The number is the exit code of ``python -m sweep``. A message is one line: where, the value, the rule, the next step.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches


class SweepError(Exception):
    """Root of every error that `sweep` raises on purpose.

    >>> import sweep
    >>> try:
    ...     sweep.load("runs/none")
    ... except sweep.SweepError as error:
    ...     print(error.exit_code, error)
    2 runs/none: no run here: start one with: python -m sweep run none
    """

    exit_code = 3


class UsageError(SweepError):
    """A command line, a study file or an argument that breaks a rule."""

    exit_code = 2


class DataError(SweepError):
    """A data set that is missing, unreachable or unusable."""

    exit_code = 4


class CheckFailed(SweepError):
    """A check that the user asked for did not pass."""

    exit_code = 5


class Interrupted(SweepError):
    """The run was stopped by a signal; everything finished is saved.

    Parameters
    ----------
    message : str
        What was saved and how to go on.
    signal_number : int
        The signal; the exit code is 128 plus it.
    """

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is not known and which known name is nearest.

    >>> unknown("optimizer", "rmsprob", ["sgd", "rmsprop"])
    "unknown optimizer 'rmsprob'; did you mean 'rmsprop'? Known: rmsprop, sgd"
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"unknown {kind} {name!r}{hint} Known: {', '.join(names)}"


def reason(error: OSError) -> str:
    """Say in a few words what the system refused.

    >>> reason(OSError(28, "Error writing bytes to file. Detail: [errno 28] No space left on device"))
    'No space left on device'
    """
    return os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]


def unwritable(place: object, error: OSError) -> SweepError:
    """The error of a run that can no longer write what it has found.

    >>> print(unwritable("runs/moons/journal.log", OSError(28, "")))
    runs/moons/journal.log: cannot be written: No space left on device: make room or mend the folder, then run again; \
    what was recorded before is safe
    """
    return SweepError(
        f"{place}: cannot be written: {reason(error)}: make room or mend the folder, then run again; "
        "what was recorded before is safe"
    )
