"""What a person sees: the live line, the summary, the plan; and the same as data for ``--json``.

Results go to stdout, progress and warnings to stderr. Without a terminal there are no cursor codes; rich honours
``NO_COLOR`` by itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sweep.errors import DataError
from sweep.learning.data.tables import told
from sweep.results.numbers import number

if TYPE_CHECKING:
    from sweep.door.result import Result
    from sweep.parity.lines import Lines
    from sweep.search.running.planning import Plan
    from sweep.search.running.records import Progress

LIBRARY_NAMES = {"torch": "PyTorch", "keras": "Keras 3", "optax": "Optax"}
TABLES = ("trials", "curves", "race", "finalists", "finalist_curves")
STAGES = {"race": "the race on fresh splits", "finalists": "finalists on fresh seeds"}
PLAIN_SECONDS = 5.0  # between two progress lines when stderr is not a terminal


class LiveLine:
    """Progress on stderr: one line that is redrawn on a terminal, a plain line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._spoke = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[LiveLine]:
        """Show progress inside the block."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(Text("starting"), console=self._console, transient=True, refresh_per_second=4) as self._live:
            yield self

    def notify(self, progress: Progress) -> None:
        """Show how far a run is."""
        if self._live is not None:
            self._live.update(Text(progress_line(progress), overflow="ellipsis", no_wrap=True))
        elif time.monotonic() - self._spoke >= PLAIN_SECONDS:
            self._spoke = time.monotonic()
            self._console.print(progress_line(progress), highlight=False, soft_wrap=True)


def progress_line(progress: Progress) -> str:
    """One line: done of total, trials a second, best so far with its arm, diverged, time left; then the finalists."""
    if progress.to_judge:
        stage = STAGES.get(progress.stage, progress.stage)
        return f"{progress.done}/{progress.total} trials  {stage}: {progress.judged}/{progress.to_judge} trainings"
    parts = [f"{progress.done}/{progress.total} trials"]
    rate = progress.rate
    if rate is not None:
        parts.append(f"{rate:.1f}/s")
    if progress.best is not None:
        parts.append(f"best {number(progress.best)} ({progress.best_arm})")
    parts.append(f"{progress.diverged} diverged")
    parts += [f"{count} {name}" for name, count in (("pruned", progress.pruned), ("failed", progress.failed)) if count]
    if rate:
        parts.append(f"{duration((progress.total - progress.done) / rate)} left")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """A time as a person reads it.

    >>> duration(7.2), duration(95), duration(7300)
    ('8 s', '1:35 min', '2:01 h')
    """
    whole = math.ceil(seconds) if seconds < 60 else round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def summary_data(result: Result) -> dict[str, Any]:
    """The summary as plain data: what ``--json`` prints."""
    from sweep.door.terminal import verdict
    from sweep.results.wording import STATES
    from sweep.search.storage.databases import shown

    trials = result.trials
    arms = result.arms
    return {
        "schema": 1,
        "study": result.spec.study.name,
        "question": result.spec.study.question,
        "folder": str(result.folder),
        "storage": shown(result.spec.study.storage or str(result.folder / "journal.log")),
        "trials": {
            "total": result.spec.study.trials,
            **{state: int((trials["state"] == state).sum()) for state in STATES},
        },
        "data": result.understood,
        "pruning": result.pruning,
        "objective": result.spec.study.objective,
        "best": _plain(result.best),
        "chosen": _plain(result.chosen),
        "recommendation": verdict.recommendation(result.answer),
        "verdict": verdict.data(result.answer),
        "tuning": verdict.tuning(result.answer),
        "importance": verdict.importance(result.answer),
        "arms": [_plain(row) for row in arms.to_dict("records")],
        "findings": [{"kind": f.kind, "evidence": f.evidence, "advice": f.advice} for f in result.findings],
        "lines": [asdict(lines) for lines in _lines(result)[0]],
        "tables": {name: str(result.folder / f"{name}.parquet") for name in TABLES},
    }


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """A row of a table as JSON knows it: nulls for what is missing, ISO times, Python numbers."""
    import pandas as pd

    plain: dict[str, Any] = {}
    for key, value in row.items():
        if pd.isna(value):
            plain[str(key)] = None
        elif isinstance(value, pd.Timestamp):
            plain[str(key)] = value.isoformat()
        else:
            plain[str(key)] = value.item() if hasattr(value, "item") else value
    return plain


def summary(result: Result, command: str, *, elsewhere: bool = False) -> Group:
    """The summary: the recommendation, the verdict, the arms, the findings, the tables, what to do next.

    With `elsewhere`, also the lines of code that make the recommended configuration in other libraries.
    """
    from sweep.door.terminal import verdict

    found = [*_headline(result), *verdict.recommended(result.answer), *_best(result)]
    found += [*verdict.shown(result.answer), *_arms(result)]
    found += [*verdict.worth(result.answer), *_findings(result)]
    if elsewhere and result.best:
        found += _elsewhere(result)
    return Group(*found, *_files(result), *_next(result, command, elsewhere))


def _headline(result: Result) -> Iterator[RenderableType]:
    from sweep.results.wording import STATES

    study, trials = result.spec.study, result.trials
    yield Text(f"{study.name}: {study.question}" if study.question else study.name, style="bold")
    counts = [f"{int((trials['state'] == state).sum())} {state}" for state in STATES]
    shown = ", ".join(c for c in counts if not c.startswith("0 "))
    splits = f", each judged on {result.spec.splits} splits of the data" if result.spec.splits > 1 else ""
    yield Text(f"{len(trials)} of {study.trials} trials: {shown or 'none yet'}{splits}")
    pruning = result.pruning
    if pruning:
        after = " and ".join(map(str, pruning["rungs"]))
        saved = f"{100 * pruning['share_saved']:.0f} % of the epochs saved"
        yield Text(f"Pruner {pruning['pruner']}, after {after} of {result.spec.network.epochs} epochs: {saved}")
    for rung, count in pruning.get("not_judged", {}).items():
        if count:
            yield Text(f"  not judged after {rung}: {count} trials whose rate had not moved yet", style="dim")
    if result.understood:
        yield Text("")
        table = _grid()
        for label, text in told.lines(result.understood):
            table.add_row(label, Text(text))
        yield Padding(table, (0, 0, 0, 2))


def _best(result: Result) -> Iterator[RenderableType]:
    from sweep.results.wording import constants

    best, objective = result.chosen, result.spec.study.objective
    if not best:
        yield Text("\nNo trial is complete.")
        return
    if not result.verdict:
        yield Text(f"\nBest trial: {best['number']}, {best['optimizer']} x {best['schedule']}", style="bold")
    table = _grid()
    label = objective.replace("_", " ")
    in_search = " (in the search)" if result.verdict else ""
    if "objective" in best:
        at = " (its best epoch)" if result.spec.study.at == "best" else ""
        table.add_row(label, f"{number(best['objective'])}{at}{in_search}")
    for other in result.spec.settings().curves:
        if other != objective and other.startswith("validation") and other in best:
            table.add_row(other.replace("_", " "), f"{number(best[other])}{in_search}")
    for name, value in constants(result.configuration).items():
        table.add_row(name, number(value))
    yield Padding(table, (0, 0, 0, 2))


def _grid() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    return table


def _arms(result: Result) -> Iterator[RenderableType]:
    """The best objective of each optimizer (columns) with each schedule (rows)."""
    arms = result.arms
    if arms["objective"].notna().sum() == 0:
        return
    best = arms["objective"].min()
    objective = result.spec.study.objective.replace("_", " ")
    yield Text(f"\nBest {objective} of each schedule with each optimizer", style="bold")
    table = Table(box=None, padding=(0, 1), show_edge=False, header_style="dim")
    table.add_column("")
    cells = arms.pivot_table(index="schedule", columns="optimizer", values="objective", dropna=False)
    search = result.spec.search
    optimizers = [name for name in search.optimizers if name in cells.columns]
    for name in optimizers:
        table.add_column(name, justify="right")
    for schedule in search.schedules:
        if schedule in cells.index:
            row = [_cell(cells.loc[schedule, name], best) for name in optimizers]
            table.add_row(Text(schedule, style="dim"), *row)
    yield Padding(table, (0, 0, 0, 1))
    yield Text("  * the best of many on the same samples, so optimistic: only the verdict is judged.", style="dim")


def _cell(value: Any, best: float) -> Text:
    import pandas as pd

    if pd.isna(value):
        return Text("-", style="dim")
    return Text(f"*{number(value)}", style="bold green") if value == best else Text(number(value))


def _lines(result: Result) -> tuple[list[Lines], str]:
    """The chosen configuration's lines of code, or why there are none: only the data say how long an epoch is."""
    try:
        return (result.lines if result.best else []), ""
    except DataError as error:
        return [], str(error)


def _elsewhere(result: Result) -> Iterator[RenderableType]:
    """The chosen configuration in other libraries; lines are not broken, so that they can be copied."""
    found, missing = _lines(result)
    known = f" ({result.steps} minibatches an epoch)" if found else ""
    yield Text(f"\nThis optimizer and schedule elsewhere{known}", style="bold")
    if missing:
        yield Padding(Text(f"not known without the data: {missing}", style="dim"), (0, 0, 0, 2))
    for lines in found:
        name = LIBRARY_NAMES.get(lines.library, lines.library)
        yield Text(f"  {name}: {'the same mathematics' if lines.exact else 'not the same'}", style="dim")
        for line in lines.code:
            yield Text(f"    {line}", no_wrap=True, overflow="ignore")
        for note in lines.notes:
            yield Padding(Text(f"- {note}", style="dim" if lines.exact else "yellow"), (0, 0, 0, 4))


def _findings(result: Result) -> Iterator[RenderableType]:
    found = result.findings
    if found:
        yield Text("\nFindings", style="bold")
    for finding in found:
        yield Padding(Text(f"! {finding.evidence}: {finding.advice}", style="yellow"), (0, 0, 0, 2))


def _files(result: Result) -> Iterator[RenderableType]:
    table = _grid()
    table.add_row("trials", f"{result.folder / 'trials.parquet'}  ({len(result.trials)} rows)")
    table.add_row("curves", f"{result.folder / 'curves.parquet'}  ({len(result.curves)} rows)")
    if result.verdict:
        table.add_row("finalists", f"{result.folder / 'finalists.parquet'}  ({len(result.answer.judged)} rows)")
    yield Text("\nTables", style="bold")
    yield Padding(table, (0, 0, 0, 2))


def _next(result: Result, command: str, elsewhere: bool) -> Iterator[RenderableType]:
    from sweep.search.running.loop import total_trials

    name, study = command, result.spec.study
    yield Text("\nNext", style="bold")
    table = _grid()
    table.add_row("the report", f"python -m sweep report {name} --open")
    table.add_row("curves in the browser", f"python -m sweep dashboard {name}")
    table.add_row("a table as a file", f"python -m sweep export {name} trials.csv")
    if result.best:
        if "number" in result.chosen:
            table.add_row("train it again", f"python -m sweep rerun {name} {result.chosen['number']}")
        table.add_row("keep it as an estimator", f"python -m sweep fit {name} -o model.joblib")
        if not elsewhere:
            table.add_row("in PyTorch, Keras, Optax", f"python -m sweep show {name}")
    more = result.spec.model_copy(update={"study": study.model_copy(update={"trials": 2 * study.trials})})
    if total_trials(more) > len(result.trials):
        table.add_row("more trials", f"python -m sweep run {name} --trials {total_trials(more)}")
    yield Padding(table, (0, 0, 0, 2))


def plan(plan: Plan) -> Group:
    """What ``--dry-run`` prints."""
    train_part, validation_part, test_part = plan.samples
    samples = f"{train_part} training, {validation_part} validation, {test_part} test samples (test is for the verdict)"
    memory = f"about {plan.memory / 2**20:.0f} MB a worker for the networks, {plan.shared / 2**20:.0f} MB for the data"
    table = _grid()
    table.add_row("arms", f"{plan.arms} (optimizer x schedule)")
    table.add_row("trials", f"{plan.trials}, in generations of {plan.generation}")
    if plan.splits > 1:
        table.add_row("splits", f"each trial is judged on {plan.splits} splits into training and validation part")
    if plan.judged:
        table.add_row("then", f"up to {plan.judged} trainings on fresh splits: the race, and the verdict")
    table.add_row("data", samples)
    for label, text in told.lines(plan.data):
        table.add_row(label, Text(text))
    table.add_row("network", f"{plan.parameters} parameters")
    table.add_row("workers", f"{plan.workers}, up to {plan.rows} networks stacked in each")
    table.add_row("memory", memory)
    one = f"{1e3 * plan.training:.1f} ms to train (stacked, one core), {1e3 * plan.asking:.1f} ms to ask and tell"
    table.add_row("one trial", one)
    table.add_row("time", f"about {duration(plan.total)} and a few seconds to start (calibrated just now)")
    return Group(Text(f"{plan.study}: plan, nothing is run or written", style="bold"), Padding(table, (0, 0, 0, 2)))
