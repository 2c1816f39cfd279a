"""Everything that `verify` checks: recorded trainings, recorded rates, and the libraries that are installed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sweep.parity.comparing import Comparison, compare_rates, compare_runs
from sweep.parity.lesson import Lesson, lesson
from sweep.parity.recordings import Recordings


@dataclass(frozen=True, slots=True)
class Verification:
    """Ours beside the official implementations.

    Attributes
    ----------
    runs, rates : list of Comparison
        Recorded trainings, and recorded sequences of learning rates.
    live : list of Comparison
        The libraries that are installed, run now, through the lines of code that `sweep.parity.lines` writes.
    missing : list of str
        Libraries that are not installed.
    lesson : Lesson, optional
        None: there is no problem to show it on.
    seconds : float
        What the recorded part took.
    """

    runs: list[Comparison]
    rates: list[Comparison]
    live: list[Comparison]
    missing: list[str]
    lesson: Lesson | None
    seconds: float

    @property
    def all(self) -> list[Comparison]:
        """Every comparison."""
        return [*self.runs, *self.rates, *self.live]

    @property
    def failed(self) -> list[Comparison]:
        """Those that did not pass."""
        return [comparison for comparison in self.all if not comparison.passed]


def verify(recordings: Recordings, *, live: bool = True) -> Verification:
    """Compare with all recordings; with `live`, also run the libraries that are installed."""
    began = time.perf_counter()
    runs, rates = compare_runs(recordings), compare_rates(recordings)
    seconds = time.perf_counter() - began
    ran, missing = _live(recordings) if live else ([], [])
    shown = lesson(next(iter(recordings.problems.values()))) if recordings.problems else None
    return Verification(runs, rates, ran, missing, shown, seconds)


def _live(recordings: Recordings) -> tuple[list[Comparison], list[str]]:
    """Run the libraries that are installed; name those that are not."""
    from sweep.parity.lines import LIBRARIES
    from sweep.parity.live import compare_live, installed

    there = installed()
    ran = [comparison for library in there for comparison in compare_live(recordings, library)]
    return ran, [library for library in LIBRARIES if library not in there]
