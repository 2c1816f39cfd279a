"""What commands say: tables and summaries on stdout, or one JSON object, and what goes on on stderr."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from sweep.door.foreground import Part
    from sweep.search.study_file.catalogue import Found


def out(least: int = 0) -> Console:
    """Stdout; a table that needs `least` columns gets them, and a narrower terminal breaks its lines."""
    from rich.console import Console

    console = Console(highlight=False)
    console.width = max(console.width, least)
    return console


def err() -> Console:
    """Stderr."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def say_json(data: Any) -> None:
    """One object on stdout."""
    typer.echo(json.dumps(data, allow_nan=False))


def dry_run(found: Found, workers: int | None, as_json: bool) -> None:
    """Show what a run would be."""
    from sweep.door import api
    from sweep.door.terminal import summary
    from sweep.search.running import planning
    from sweep.search.running.workers import workers_to_start

    plans = [planning.make(api.usable(spec)[0], workers_to_start(workers)) for spec in found.studies.values()]
    if as_json:
        data = [asdict(plan) for plan in plans]
        say_json({"schema": 1, "study": found.name, "variants": data} if found.in_variants else data[0])
        return
    for plan in plans:
        out().print(summary.plan(plan))


def show(parts: Iterable[Part], *, as_json: bool, quiet: bool, elsewhere: bool = False) -> None:
    """Show a study, or its variants, each as soon as it is there; as JSON all of them in one object."""
    from sweep.door.terminal import summary

    data: list[Any] = []
    for part in parts:
        if as_json:
            data.append(summary.summary_data(part.result))
        elif not quiet:
            if part.heading:
                out().print(f"== {part.heading}", style="bold", markup=False, soft_wrap=True)
            out().print(summary.summary(part.result, part.command, elsewhere=elsewhere), crop=False)
    if as_json:
        say_json({"schema": 1, "study": part.study, "variants": data} if part.heading else data[0])
