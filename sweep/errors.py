"""What can go wrong, said once.

::

    SweepError             3   something inside; the root of the tree
    ├── UsageError         2   a bad command line or study file
    ├── DataError          4   data that is missing or cannot be used
    ├── CheckFailed        5   a check the user asked for did not pass
    └── Interrupted  130/143   stopped from outside, everything saved

The number is the exit code of ``python -m sweep``. A mistake is a `Problem`: where, key, value, rule, next step. It is
made where it is found; whoever knows adds where that stands; it is put into words here alone: one line, of bounded
length.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

LONGEST = 200  # letters of a value that is shown
LONGEST_LINE = 2_000
LONGEST_LIST = 1_000  # letters of all the names that are known
_UNSAID: Any = object()


def shortened(text: str, most: int = LONGEST) -> str:
    """A text of bounded length, which says how long it was.

    >>> shortened("a" * 700_059, 10)
    'aaaaaaaaaa... (700059 letters)'
    """
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} letters)"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake.

    >>> str(Problem("must be at least 1", "study.trials", 0, where="my.toml"))
    'my.toml: study.trials = 0: must be at least 1'

    Attributes
    ----------
    rule : str
        Which rule is broken.
    key : str
        Of a study file: its path, ``network.hidden``.
    value : any
        What stands there; left out, it is not shown.
    where : str
        The file, or the option of the command line.
    step : str
        What to do.
    """

    rule: str
    key: str = ""
    value: Any = _UNSAID
    where: str = ""
    step: str = ""

    def under(self, key: str) -> Problem:
        """The same in a section."""
        return replace(self, key=".".join(filter(None, (key, self.key))))

    def at(self, where: str) -> Problem:
        """The same in a file."""
        return replace(self, where=": ".join(filter(None, (where, self.where))))

    def __str__(self) -> str:
        given = "" if self.value is _UNSAID else f" = {shortened(repr(self.value))}"
        parts = (self.where, f"{shortened(self.key)}{given}" if self.key else "", self.rule, self.step)
        return shortened(": ".join(filter(None, parts)), LONGEST_LINE)


class Broken(ValueError):
    """Rules of a study file that are broken, for whoever validates it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


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

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(each if isinstance(each, Problem) else Problem(each) for each in problems)
        super().__init__("\n".join(map(str, self.problems)))


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
    name = shortened(name)
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"unknown {kind} {name!r}{hint} Known: {shortened(', '.join(names), LONGEST_LIST)}"


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
