"""What `bench` prints: the times, a table a part, and the limits that the project wants to hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sweep.bench.answer.contenders import CONTENDERS
from sweep.bench.answer.summary import POINT, POINTS, Beside
from sweep.bench.quality import OURS, PRUNED, Difference
from sweep.bench.result import Bench
from sweep.bench.step.kernel import Kernel
from sweep.bench.targets import Target, targets
from sweep.bench.timing import Timing

WIDTH = 124  # columns of the widest table
WORDS = {
    "stacked": "stacked, RMSProp alone",
    "products": "its matrix products alone",
    "one_at_a_time": "one at a time",
    "mixed": "all optimizers and schedules",
    "stopping": "half of the rows stop at a third",
    "lasting": "the same, but none stops",
    "saturating": "saturating (squared gradients below 1e-38)",
}
LEFT = ("", "sampler", "how", "held", "data", "search", "sets", "beside")  # columns of words
PRUNING = {f"{OURS}, {name}" for name in PRUNED}
BUSY = 0.5  # processes that wanted a core, in the mean: above it the machine was not quiet
ROUGH = "--quick: few rounds, so rough; "


def shown(bench: Bench) -> Group:
    """The whole report."""
    parts = (
        _machine, _kernels, _curves, _peers, _asks, _parents, _wholes, _longs, _found, _pruned, _answers, _levels,
        _targets, _end,
    )  # fmt: skip
    return Group(*(line for part in parts for line in part(bench)))


def _part(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[RenderableType]:
    """A titled table, words to the left and numbers to the right; nothing without rows."""
    if not rows:
        return
    table = Table(box=None, padding=(0, 1), show_edge=False, header_style="dim")
    for name in header:
        table.add_column(name, justify="left" if name in LEFT else "right", no_wrap=name != "how")
    for row in rows:
        table.add_row(*row)
    yield Text(f"\n{title}", style="bold")
    yield Padding(table, (0, 0, 0, 1), expand=False)


def _machine(bench: Bench) -> Iterator[RenderableType]:
    m = bench.machine
    versions = ", ".join(f"{name} {number}" for name, number in m.packages.items())
    yield Text(f"{m.processor}, {m.cores} cores; {m.system}; Python {m.python}; BLAS {m.blas}", style="bold")
    yield Text(versions, style="dim")
    if m.load is not None and m.load > BUSY:
        yield Text(f"The machine was busy before (load {m.load:.1f}): the times may be too long.", style="bold red")


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def _spread(timing: Timing) -> list[str]:
    return [_number(timing.ms), f"{_number(timing.low)} to {_number(timing.high)}"]


def _kernels(bench: Bench) -> Iterator[RenderableType]:
    for kernel in bench.kernels.values():
        products = kernel.timings.get("products")
        rows = [
            [WORDS[name], *_spread(timing), f"{timing.ms / products.ms:.2f}" if products else ""]
            for name, timing in sorted(kernel.timings.items(), key=lambda item: list(WORDS).index(item[0]))
        ]
        header = ["", "ms a trial", "quartiles", "x products"]
        yield from _part(f"{kernel.workload}: {kernel.title}; {_ran(kernel)}", header, rows)


def _ran(kernel: Kernel) -> str:
    """How a workload was measured."""
    runs = kernel.timings["stacked"].runs
    scaled = "" if kernel.epochs == kernel.nominal else f", {kernel.epochs} of {kernel.nominal} epochs, scaled"
    layout = f"; products fastest {kernel.layout}" if kernel.layout else ""
    return f"one core, {kernel.rows} rows, {runs} rounds{scaled}{layout}"


def _curves(bench: Bench) -> Iterator[RenderableType]:
    sizes = sorted({point.rows for points in bench.curves.values() for point in points})
    rows = []
    for name, points in bench.curves.items():
        cells = {point.rows: f"{_number(point.timing.ms)}{'*' if point.chosen else ''}" for point in points}
        rows.append([name, *(cells.get(size, "") for size in sizes)])
    title = "Rows trained at once: ms a trial (* what the trainer takes; W3 and W4 by a few epochs, scaled)"
    yield from _part(title, ["", *map(str, sizes)], rows)


def _peers(bench: Bench) -> Iterator[RenderableType]:
    ours = bench.ms("W1", "stacked")
    rows = [
        [
            peer.name, *_spread(peer.timing), f"{peer.timing.ms / ours:.1f}" if ours else "", f"{peer.accuracy:.3f}",
            f"{peer.compile_seconds:.1f}" if peer.compile_seconds else "", peer.note,
        ]
        for peer in bench.peers
    ]  # fmt: skip
    header = ["", "ms a trial", "quartiles", "x ours", "accuracy", "compiled in s", "how"]
    yield from _part("Peers on W1: each in a process of its own, on one core", header, rows)


def _asks(bench: Bench) -> Iterator[RenderableType]:
    counts = sorted({ask.finished for ask in bench.asks})
    names = dict.fromkeys(ask.name for ask in bench.asks)
    found = {(ask.name, ask.finished): _number(ask.ms) for ask in bench.asks}
    rows = [[name, *(found[name, count] for count in counts)] for name in names]
    yield from _part("Peers: ms an ask, by finished trials", ["", *(f"{c:,}" for c in counts)], rows)


def _parents(bench: Bench) -> Iterator[RenderableType]:
    rows = [
        [parent.sampler, f"{cost.finished:,}", *_spread(cost.timing), _number(cost.tables.ms), memory]
        for parent in bench.parents
        for cost, memory in zip(
            parent.costs, [*[""] * (len(parent.costs) - 1), f"{parent.peak_megabytes:.0f}"], strict=True
        )
    ]
    header = ["sampler", "finished", "ms a trial", "quartiles", "of it tables", "MB at the end"]
    yield from _part("Parent: ask, report, tell and record, on a journal file", header, rows)


def _wholes(bench: Bench) -> Iterator[RenderableType]:
    rows = [
        [
            w.sampler, f"{w.trials:,}", f"{w.trials_per_second:.1f}",
            "" if w.efficiency is None else f"{100 * w.efficiency:.0f} %", f"{w.startup_seconds:.1f}",
            f"{w.wall_seconds:.1f}", str(w.diverged),
        ]
        for w in bench.wholes
    ]  # fmt: skip
    header = ["sampler", "trials", "trials a second", "of the kernel's", "start-up s", "in all s", "diverged"]
    workers = bench.wholes[0].workers if bench.wholes else 0
    yield from _part(f"End to end: python -m sweep run, W1, {workers} workers", header, rows)
    if bench.help_seconds is not None:
        yield Text(f"  python -m sweep --help: {bench.help_seconds:.2f} s", style="dim")


def _longs(bench: Bench) -> Iterator[RenderableType]:
    rows = [
        [
            long.sampler if place == 0 else "", f"{part.first:,} to {part.last:,}", f"{part.ms:.2f}",
            *("" if memory is None else f"{memory:.0f}" for memory in (part.parent_megabytes, part.workers_megabytes)),
        ]
        for long in bench.longs
        for place, part in enumerate(long.stretches)
    ]  # fmt: skip
    header = ["sampler", "trials", "ms a trial", "MB, parent", "MB, workers"]
    yield from _part("A long run of a tiny network, wall time and memory", header, rows)


def _found(bench: Bench) -> Iterator[RenderableType]:
    rows = [
        [
            f.data, str(f.trials), f.contender, "" if f.best is None else f"{f.best:.4f}", _percent(f.worse),
            f"{f.seconds:.1f}", _percent(f.worse_by_then), f"{100 * f.epochs:.0f} %",
        ]
        for f in bench.found
        if f.contender not in PRUNING
    ]  # fmt: skip
    header = ["data", "trials", "search", "best", "beside ours", "s", "when ours is done", "epochs"]
    yield from _part("What is found: the lowest validation loss, medians over seeds", header, rows)
    if rows:
        yield Text("  beside ours: how much higher, mean over the seeds in pairs, and its 95 % interval", style="dim")


def _pruned(bench: Bench) -> Iterator[RenderableType]:
    rows = [
        [
            f.data, str(f.trials), f.contender, f"{100 * (1 - f.epochs):.0f} %", _percent(f.median_worse),
            _percent(f.worse),
        ]
        for f in bench.found
        if f.contender in PRUNING
    ]  # fmt: skip
    header = ["data", "trials", "search", "epochs saved", "median best beside ours", "mean, in pairs"]
    yield from _part("What pruning saves and costs, beside the same study unpruned", header, rows)


def _percent(difference: Difference | None) -> str:
    if difference is None:
        return ""
    mean, low, high = (100 * part for part in (difference.mean, difference.low, difference.high))
    return f"{mean:+.1f} % ({low:+.1f} to {high:+.1f})"


def _answers(bench: Bench) -> Iterator[RenderableType]:
    compared = bench.answered.compared if bench.answered else []
    for title, field, end, over in (
        ("What is recommended: our true loss beside another's (below 0: ours is better)", "loss", " %", (5, 10)),
        ("The same for the error, in percentage points", "error", "", (100 * POINT, 100 * POINTS)),
    ):
        rows = [[c.group, c.contender, str(c.studies), *_beside(getattr(c, field), end)] for c in compared]
        header = ["sets", "beside", "studies", "mean, 95 % interval", "worst", *(f"over +{n:g}{end}" for n in over)]
        yield from _part(title, header, rows)
    if compared:
        yield Text("  over: the share of studies in which ours is worse by more", "dim")


def _beside(found: Beside, end: str) -> list[str]:
    mean, low, high, worst = (100 * part for part in (found.mean, found.low, found.high, found.worst))
    digits = 1 if end else 2
    spread = f"{mean:+,.{digits}f}{end} ({low:+,.{digits}f} to {high:+,.{digits}f})"
    often = (f"{100 * share:.0f} %" for share in (found.worse, found.much_worse))
    return [spread, f"{worst:+,.{digits}f}{end}", *often]


def _levels(bench: Bench) -> Iterator[RenderableType]:
    found = {(level.contender, level.data): level for level in (bench.answered.levels if bench.answered else [])}
    sets = list(dict.fromkeys(data for _, data in found))
    rows = []
    for name in CONTENDERS if sets else ():
        own = [found[name, data] for data in sets]
        rows.append([name, *(_number(level.loss) for level in own), f"{median(level.seconds for level in own):.1f}"])
    header = ["", *(name.replace("_", "\n") for name in sets), "s"]
    yield from _part("True loss, median over the seeds", header, rows)
    if bench.answered:
        yield Text("  s: processor time of a study on one core, median over the data sets", style="dim")
        yield Text(f"  each study is kept in {bench.answered.folder}", style="dim")


def _targets(bench: Bench) -> Iterator[RenderableType]:
    rows = [
        [
            t.what,
            f"{_number(t.measured)} {t.unit}".strip(),
            f"{t.sense} {t.limit:g} {t.unit}".strip(),
            "yes" if t.met else "NO",
        ]
        for t in targets(bench)
    ]
    yield from _part("What the project wants to hold", ["", "measured", "wanted", "held"], rows)


def _end(bench: Bench) -> Iterator[RenderableType]:
    if bench.not_installed:
        names = ", ".join(bench.not_installed)
        yield Text(f"\nNot installed: {names} (pip install 'sweep[peers]').", style="dim")
    yield Text(f"\n{ROUGH if bench.quick else ''}{bench.seconds:.0f} s in all", style="dim")


def data(bench: Bench) -> dict[str, Any]:
    """The same as plain data: what ``--json`` prints."""
    return {
        "schema": 1,
        "quick": bench.quick,
        "seconds": bench.seconds,
        "machine": asdict(bench.machine),
        "kernel": {name: _kernel_data(kernel) for name, kernel in bench.kernels.items()},
        "curve": {
            name: [{"rows": p.rows, **_timing("", p.timing), "chosen": p.chosen} for p in points]
            for name, points in bench.curves.items()
        },
        "peers": {"W1": {peer.name: _flat(asdict(peer), "name") for peer in bench.peers}},
        "not_installed": bench.not_installed,
        "asks": [{"name": ask.name, "finished": ask.finished, "ms_per_ask": ask.ms} for ask in bench.asks],
        "parent": {p.sampler: _parent_data(asdict(p)) for p in bench.parents},
        "whole": {whole.sampler: _flat(asdict(whole), "sampler") for whole in bench.wholes},
        "help_seconds": bench.help_seconds,
        "long": {long.sampler: asdict(long)["stretches"] for long in bench.longs},
        "quality": [asdict(found) for found in bench.found],
        "answer": asdict(bench.answered) if bench.answered else {},
        "targets": [_target_data(target) for target in targets(bench)],
    }


def _timing(prefix: str, timing: Timing) -> dict[str, Any]:
    """``ms_per_trial``, ``low``, ``high`` and ``runs``, after a prefix."""
    return {
        f"{prefix}ms_per_trial": timing.ms,
        f"{prefix}low": timing.low,
        f"{prefix}high": timing.high,
        f"{prefix}runs": timing.runs,
    }


def _kernel_data(kernel: Kernel) -> dict[str, Any]:
    """The stacked population's time without a prefix, every other under its name."""
    found: dict[str, Any] = {
        "title": kernel.title, "rows": kernel.rows, "epochs": kernel.nominal, "epochs_run": kernel.epochs,
        "products_layout": kernel.layout or None,
    }  # fmt: skip
    for name, timing in kernel.timings.items():
        found |= _timing("" if name == "stacked" else f"{name}_", timing)
    return found


def _flat(record: dict[str, Any], key: str) -> dict[str, Any]:
    """A record without its key, its timing laid out flat."""
    timing = record.get("timing")
    rest = {name: value for name, value in record.items() if name not in (key, "timing")}
    return (_timing("", Timing(**timing)) if timing else {}) | rest


def _parent_data(parent: dict[str, Any]) -> dict[str, Any]:
    costs = [
        {
            "finished": cost["finished"],
            **_timing("", Timing(**cost["timing"])),
            **_timing("tables_", Timing(**cost["tables"])),
        }
        for cost in parent["costs"]
    ]
    return {"trials": parent["trials"], "peak_megabytes": parent["peak_megabytes"], "costs": costs}


def _target_data(target: Target) -> dict[str, Any]:
    return asdict(target) | {"met": target.met}
