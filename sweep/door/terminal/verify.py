"""What `verify` prints: every comparison a line, and the lesson of the initial cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sweep.parity.comparing import TOLERANCES, Comparison
from sweep.parity.lesson import Lesson
from sweep.parity.verifying import Verification

WIDTH = 124  # columns of the widest table
HEADER = ("library", "optimizer", "setting", "schedule", "problem", "dtype", "loss", "weights", "rates", "")


def shown(verification: Verification) -> Group:
    """The whole report."""
    parts = (
        ("Recorded trainings: largest relative difference", verification.runs),
        ("Recorded learning rates", verification.rates),
        ("Libraries run now, on the same problems", verification.live),
    )
    tables = (part for title, found in parts if found for part in _part(title, found))
    return Group(*tables, *_missing(verification), *_lesson(verification.lesson), _verdict(verification))


def _part(title: str, comparisons: Sequence[Comparison]) -> Iterator[RenderableType]:
    table = Table(box=None, padding=(0, 1), show_edge=False, header_style="dim")
    empty = [not any(_cells(c)[i] for c in comparisons) for i in range(len(HEADER))]
    for name, left_out in zip(HEADER, empty, strict=True):
        if not left_out:
            table.add_column(name, justify="right" if name in ("loss", "weights", "rates") else "left", no_wrap=True)
    for comparison in comparisons:
        cells = [cell for cell, left_out in zip(_cells(comparison), empty, strict=True) if not left_out]
        table.add_row(*cells, style=None if comparison.passed else "bold red")
    yield Text(f"\n{title}", style="bold")
    yield Padding(table, (0, 0, 0, 1))


def _cells(c: Comparison) -> list[str]:
    differences = ["" if value is None else f"{value:.0e}" for value in (c.loss, c.weights, c.rates)]
    verdict = "pass" if c.passed else f"FAIL (limit {c.tolerance:.0e})"
    return [c.library, c.optimizer, c.setting, c.schedule, c.problem, c.dtype, *differences, verdict]


def _missing(verification: Verification) -> Iterator[RenderableType]:
    if verification.missing:
        names = ", ".join(verification.missing)
        yield Text(f"\nNot installed, so not run now: {names} (pip install 'sweep[peers]').", style="dim")


def _lesson(lesson: Lesson | None) -> Iterator[RenderableType]:
    if lesson is None:
        return
    at = f"rate {lesson.rate:g}, decay {lesson.decay:g}"
    yield Text(f"\nRMSProp's cache started at 0 and at 1, {at}: what the libraries differ in most", style="bold")
    table = Table(box=None, padding=(0, 1), show_edge=False, header_style="dim")
    table.add_column("iteration")
    for iteration in lesson.iterations:
        table.add_column(str(iteration), justify="right")
    for start in lesson.starts:
        table.add_row(f"cache from {start.initial_cache:g}", style="bold")
        table.add_row("  effective rate / rate", *(f"{value:.3g}" for value in start.effective))
        table.add_row("  step / rate", *(f"{value:.3g}" for value in start.step))
        table.add_row("  loss", *(f"{value:.4f}" for value in start.loss))
    yield Padding(table, (0, 0, 0, 1))
    yield Text("  effective rate: rate / (sqrt(cache) + epsilon); medians over the parameters", style="dim")


def _verdict(verification: Verification) -> Text:
    total, failed = len(verification.all), len(verification.failed)
    limits = ", ".join(f"{limit:.0e} in {dtype}" for dtype, limit in TOLERANCES.items())
    said = f"{total - failed} of {total} pass (limits {limits})"
    seconds = f"; the recorded part took {verification.seconds:.1f} s"
    return Text(f"\n{said}{seconds}", style="bold red" if failed else "bold green")


def data(verification: Verification) -> dict[str, Any]:
    """The same as plain data: what ``--json`` prints."""
    lesson = verification.lesson
    return {
        "schema": 1,
        "passed": not verification.failed,
        "seconds": verification.seconds,
        "tolerances": TOLERANCES,
        "runs": [_record(comparison) for comparison in verification.runs],
        "rates": [_record(comparison) for comparison in verification.rates],
        "live": [_record(comparison) for comparison in verification.live],
        "not_installed": verification.missing,
        "lesson": None if lesson is None else _lesson_data(lesson),
    }


def _record(comparison: Comparison) -> dict[str, Any]:
    names = ("library", "setting", "optimizer", "schedule", "problem", "dtype", "tolerance", "passed")
    found = {name: getattr(comparison, name) for name in names}
    return found | {name: _finite(getattr(comparison, name)) for name in ("loss", "weights", "rates")}


def _finite(value: float | None) -> float | str | None:
    """JSON has no infinity: the word stands for it."""
    return "infinite" if value == float("inf") else value


def _lesson_data(lesson: Lesson) -> dict[str, Any]:
    fields = ("initial_cache", "effective", "step", "loss")
    starts = [{name: getattr(start, name) for name in fields} for start in lesson.starts]
    return {"rate": lesson.rate, "decay": lesson.decay, "iterations": lesson.iterations, "starts": starts}
