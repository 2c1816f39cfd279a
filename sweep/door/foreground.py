"""Running a study, or its variants one after the other: with progress on stderr, and signals turned into a clean stop.

What takes time to import is imported while the signals are watched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.door.signals import Stopper
from sweep.errors import Interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from sweep.door.result import Result
    from sweep.search.study_file.catalogue import Found
    from sweep.search.study_file.spec import Spec

WISHES = ("trials", "seed", "sampler", "pruner", "storage")  # the options that stand in for what the study says
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Part:
    """What is shown at once: a study, or one of its variants.

    Attributes
    ----------
    study : str
        The name of the study as a whole.
    command : str
        What a command line calls this part.
    heading : str
        Empty, unless it is a variant.
    result : Result
    """

    study: str
    command: str
    heading: str
    result: Result


def speaker(console: Console) -> Say:
    """Says a line on the console."""
    return lambda text: console.print(f"sweep: {text}", soft_wrap=True)


def run(study: str, options: dict[str, Any], console: Console, *, quiet: bool, verbose: bool) -> Iterator[Part]:
    """Run a study, or each of its variants; give each when it has ended. A signal ends them all.

    `options` are those of `sweep.run`.
    """
    say = speaker(console)
    options["warn"] = lambda text: say(f"warning: {text}")
    if verbose:
        say(f"study {study}, run folders in {options['runs']}, backend {options['backend']}")
    hint = f"everything finished is saved; go on with: python -m sweep run {study}"
    with Stopper(say) as stopper:
        try:
            yield from _parts(study, options | {"stopping": stopper.stopping}, console, quiet=quiet)
        except KeyboardInterrupt as error:
            raise Interrupted(f"stopped; {hint}", stopper.received or 2) from error
        if stopper.received is not None:
            raise Interrupted(f"stopped after the running jobs; {hint}", stopper.received)


def _parts(study: str, options: dict[str, Any], console: Console, *, quiet: bool) -> Iterator[Part]:
    from sweep.door import api

    say, stopping, timeout = speaker(console), options["stopping"], options["timeout"]
    found = api.find_all(study, **{key: options.pop(key) for key in WISHES})
    if found.in_variants:  # hours may pass before it is the last one's turn
        for spec in found.studies.values():
            api.usable(spec)
    started, left = time.monotonic(), list(found.studies)
    for place, (command, spec) in enumerate(found.studies.items(), start=1):
        if stopping():
            return
        if place > 1 and timeout is not None:
            options["timeout"] = timeout + started - time.monotonic()
            if options["timeout"] <= 0:
                options["warn"](f"no time left: not begun: {', '.join(left)}")
                return
        heading = _heading(found.in_variants, place, len(found.studies), command)
        if heading and not quiet:
            say(heading)
        result = _run_shown(spec, options, console, quiet=quiet)
        left.remove(command)
        if not stopping():
            yield Part(found.name, command, heading, result)


def _heading(in_variants: bool, place: int, count: int, command: str) -> str:
    return f"variant {place} of {count}: {command}" if in_variants else ""


def _run_shown(spec: Spec, options: dict[str, Any], console: Console, *, quiet: bool) -> Result:
    """Run with progress on stderr, unless quiet."""
    from sweep.door import api
    from sweep.door.terminal.summary import LiveLine
    from sweep.learning.network import executors

    if quiet:
        return api.run(spec, **options)
    if executors.warning:
        options["warn"](executors.warning)
    line = LiveLine(console)
    with line.shown():
        return api.run(spec, **options, notify=line.notify)


def shown(study: str, runs: Path) -> Iterator[Part]:
    """What has been run: a study, or those of its variants."""
    from sweep.door import api

    name, folders = api.folders_of(study, runs)
    for place, (command, folder) in enumerate(folders.items(), start=1):
        heading = _heading(list(folders) != [study], place, len(folders), command)
        yield Part(name, command, heading, api.load(folder.path))


def planned(study: str, options: dict[str, Any], console: Console) -> Found:
    """What would be run."""
    from sweep.door import api
    from sweep.search.study_file.catalogue import Found

    found = api.find_all(study, **{key: options[key] for key in WISHES})
    if options["start_from"] is None:
        return found
    say = speaker(console)

    def warmed(spec: Spec) -> Spec:
        return api.warmed(spec, options["start_from"], options["runs"], lambda text: say(f"warning: {text}"))

    return Found(found.name, {name: warmed(spec) for name, spec in found.studies.items()}, found.in_variants)
