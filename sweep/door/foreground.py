"""Running a study, or its variants one after the other: with progress on stderr, and signals turned into a clean stop.

What takes time to import is imported while the signals are watched.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sweep.door.signals import Stopper
from sweep.errors import Interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from sweep.door.result import Result
    from sweep.search.running.records import Progress
    from sweep.search.study_file.catalogue import Found
    from sweep.search.study_file.spec import Spec

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a command line says of a run: the arguments of `sweep.run`."""

    trials: int | None
    workers: int | None
    seed: int | None
    backend: str
    scheduler: str | None
    storage: str | None
    sampler: str | None
    pruner: str | None
    start_from: str | None
    timeout: float | None
    fresh: bool
    runs: Path
    target: tuple[str, ...] = ()
    task: str | None = None

    def find(self, study: str) -> Found:
        """The study, or its variants, with what stands here over what the file says."""
        from sweep.door.studies import find_all, of_table

        found = of_table(study, self.target, self.task, self.runs)
        return find_all(
            found or study,
            trials=self.trials,
            seed=self.seed,
            sampler=self.sampler,
            pruner=self.pruner,
            storage=self.storage,
        )


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
    """Says a line on the console, also within a signal handler.

    What rich imports when it prints for the first time it has imported then: a handler's import within an import that
    it has interrupted ends in a KeyError of importlib.
    """
    from rich.console import Console

    Console(file=io.StringIO()).print("sweep: ready", soft_wrap=True)
    return lambda text: console.print(f"sweep: {text}", soft_wrap=True)


def run(study: str, options: Options, console: Console, *, quiet: bool, verbose: bool) -> Iterator[Part]:
    """Run a study, or each of its variants; give each when it has ended. A signal ends them all."""
    say = speaker(console)
    if verbose:
        say(f"study {study}, run folders in {options.runs}, backend {options.backend}")
    hint = f"everything finished is saved; go on with: python -m sweep run {study}"
    with Stopper(say) as stopper:
        try:
            yield from _Foreground(options, console, quiet, stopper.stopping).parts(study)
        except KeyboardInterrupt as error:
            raise Interrupted(f"stopped; {hint}", stopper.received or 2) from error
        if stopper.received is not None:
            raise Interrupted(f"stopped after the running jobs; {hint}", stopper.received)


@dataclass(frozen=True, slots=True)
class _Foreground:
    """Where a run is shown, and who stops it."""

    options: Options
    console: Console
    quiet: bool
    stopping: Callable[[], bool]

    def parts(self, study: str) -> Iterator[Part]:
        """Run a study, or its variants one after the other, while there is time."""
        from sweep.door import api

        found = self.options.find(study)
        if found.in_variants:  # hours may pass before it is the last one's turn
            for spec in found.studies.values():
                api.usable(spec)
        started, left = time.monotonic(), list(found.studies)
        for place, (command, spec) in enumerate(found.studies.items(), start=1):
            if self.stopping():
                return
            timeout = self.options.timeout
            if place > 1 and timeout is not None:
                timeout += started - time.monotonic()
                if timeout <= 0:
                    self.warn(f"no time left: not begun: {', '.join(left)}")
                    return
            heading = _heading(found.in_variants, place, len(found.studies), command)
            if heading and not self.quiet:
                speaker(self.console)(heading)
            result = self.run(spec, timeout)
            left.remove(command)
            if not self.stopping():
                yield Part(found.name, command, heading, result)

    def warn(self, text: str) -> None:
        """Say what went wrong and was survived."""
        speaker(self.console)(f"warning: {text}")

    def run(self, spec: Spec, timeout: float | None) -> Result:
        """Run with progress on stderr, unless quiet."""
        from sweep.door.terminal.summary import LiveLine
        from sweep.learning.network import executors

        if self.quiet:
            return self._run(spec, timeout, lambda progress: None)
        if executors.warning:
            self.warn(executors.warning)
        line = LiveLine(self.console)
        with line.shown():
            return self._run(spec, timeout, line.notify)

    def _run(self, spec: Spec, timeout: float | None, notify: Callable[[Progress], None]) -> Result:
        from sweep.door import api

        given = self.options
        return api.run(
            spec, workers=given.workers, backend=given.backend, scheduler=given.scheduler, start_from=given.start_from,
            timeout=timeout, fresh=given.fresh, runs=given.runs,
            notify=notify, stopping=self.stopping, warn=self.warn,
        )  # fmt: skip


def _heading(in_variants: bool, place: int, count: int, command: str) -> str:
    return f"variant {place} of {count}: {command}" if in_variants else ""


def shown(study: str, runs: Path) -> Iterator[Part]:
    """What has been run: a study, or those of its variants."""
    from sweep.door import api

    name, folders = api.folders_of(study, runs)
    for place, (command, folder) in enumerate(folders.items(), start=1):
        heading = _heading(list(folders) != [study], place, len(folders), command)
        yield Part(name, command, heading, api.load(folder.path))


def planned(study: str, options: Options, console: Console) -> Found:
    """What would be run."""
    from sweep.door import api
    from sweep.search.study_file.catalogue import Found

    found, start_from = options.find(study), options.start_from
    if start_from is None:
        return found
    say = speaker(console)

    def warmed(spec: Spec) -> Spec:
        return api.warmed(spec, start_from, options.runs, lambda text: say(f"warning: {text}"))

    return Found(found.name, {name: warmed(spec) for name, spec in found.studies.items()}, found.in_variants)
