"""What a person sees of a table that `init` has looked at."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sweep.door.tables import Look
from sweep.errors import shortened
from sweep.learning.data.tables import told


def shown(look: Look) -> Group:
    """The columns by kind, what was left out, warnings, and what to do next."""
    return Group(*_head(look), *_columns(look), *_warnings(look), *_next(look))


def _head(look: Look) -> Iterator[RenderableType]:
    for label, text in told.lines(look.data):
        if label in ("task", "read"):
            yield Text(f"{label}: {text}", style="bold" if label == "task" else "")
    if look.guessed:
        yield Text(f"{look.target[0]} is taken to be the target: --target COLUMN says another", style="yellow")


def _columns(look: Look) -> Iterator[RenderableType]:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title, right in (("column", False), ("kind", False), ("missing", True), ("different", True), ("note", False)):
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    for kind, columns in look.data["columns"].items():
        for each in columns:
            name = Text(shortened(each["name"], 60))
            table.add_row(name, kind, str(each["missing"] or "-"), str(each["distinct"]), Text(each["note"]))
    for name, why in look.data["left_out"].items():
        table.add_row(
            Text(shortened(name, 60), style="dim"), Text("left out", style="dim"), "", "", Text(why, style="dim")
        )
    yield Text("")
    yield Padding(table, (0, 0, 0, 2))
    for rows in look.data["rows_left_out"]:
        yield Text(f"  left out: {rows}", style="dim")


def _warnings(look: Look) -> Iterator[RenderableType]:
    if look.warnings:
        yield Text("")
    for warning in look.warnings:
        yield Text(f"! {warning}", style="yellow")


def _next(look: Look) -> Iterator[RenderableType]:
    yield Text(f"\n{look.file}: written, with comments. Next:")
    yield Text(f"  python -m sweep run {look.file} --dry-run   what it would be")
    yield Text(f"  python -m sweep run {look.file}")
