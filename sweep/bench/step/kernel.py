"""The kernel: a population trained on one core, beside its matrix products and beside other populations.

The functions up to `trial_ms` run in a process of their own; the rest decides what runs, and in which order.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sweep.bench.processes import Processes
from sweep.bench.step import products
from sweep.bench.step.workloads import POPULATIONS, SEED, WORKLOADS, Workload, vanishing
from sweep.bench.timing import Timing, interleaved
from sweep.learning.data.parts import Data
from sweep.learning.training.loop import train

STACKED = 32  # rows of W1's populations; other workloads take as many as the trainer itself chooses
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
QUICK_SIZES = (1, 8, 32)

Contenders = dict[str, Callable[[], float]]


@functools.cache
def _data(workload: str) -> Data:
    return WORKLOADS[workload].data()


@functools.cache
def _vanishing_data(workload: str) -> Data:
    return vanishing(_data(workload))


def chosen_rows(workload: str) -> int:
    """How many rows the trainer takes at once for this workload."""
    return WORKLOADS[workload].settings.population(_data(workload))


@functools.cache
def _warmed(workload: str, population: str, rows: int) -> None:
    """Train one epoch, once a process: compiles, and touches the memory."""
    settings = WORKLOADS[workload].shortened(1)
    train(POPULATIONS[population](rows, 1), _data(workload), settings, SEED)


def trial_ms(workload: str, population: str, rows: int, epochs: int, saturated: bool = False) -> float:
    """Train a population; ms a trial, for the workload's nominal number of epochs."""
    chosen = WORKLOADS[workload]
    data = _vanishing_data(workload) if saturated else _data(workload)
    configurations = POPULATIONS[population](rows, epochs)
    _warmed(workload, population, rows)
    started = time.perf_counter()
    train(configurations, data, chosen.shortened(epochs), SEED)
    return _per_trial(time.perf_counter() - started, chosen, rows, epochs)


def products_ms(workload: str, layout: str, rows: int, epochs: int) -> float:
    """The same for the matrix products of its steps, in one layout."""
    chosen = WORKLOADS[workload]
    seconds = products.measure(layout, chosen.sizes(), rows, chosen.minibatches(), epochs)
    return _per_trial(seconds, chosen, rows, epochs)


def _per_trial(seconds: float, workload: Workload, rows: int, epochs: int) -> float:
    return 1000 * seconds / rows * workload.settings.epochs / epochs


@dataclass(frozen=True)
class Kernel:
    """What one workload takes.

    Attributes
    ----------
    rows : int
        Trials trained at once.
    epochs : int
        Those run.
    nominal : int
        Those that the times are for.
    layout : str
        The layout in which the matrix products were fastest; empty if they were not measured.
    timings : dict
        In ms a trial: ``stacked``, ``products``, ``one_at_a_time``, and for W1 the other populations.
    """

    workload: str
    title: str
    rows: int
    epochs: int
    nominal: int
    layout: str
    timings: dict[str, Timing]


@dataclass(frozen=True)
class Point:
    """One population size and its time in ms a trial; `chosen` marks the size that the trainer takes."""

    rows: int
    timing: Timing
    chosen: bool


def contenders(processes: Processes, workload: Workload, rows: int, epochs: int) -> Contenders:
    """Everything of ours that is measured for a workload, by name."""

    def ours(population: str, count: int = rows, saturated: bool = False) -> Callable[[], float]:
        return lambda: processes.call("sweep", trial_ms, workload.name, population, count, epochs, saturated)

    def alone(layout: str) -> Callable[[], float]:
        return lambda: processes.call("products", products_ms, workload.name, layout, rows, epochs)

    found: Contenders = {"stacked": ours("pure"), "one_at_a_time": ours("pure", 1)}
    if workload.name == "W1":
        found |= {name: ours(name) for name in POPULATIONS if name != "pure"}
        found["saturating"] = ours("pure", saturated=True)
    return found | {f"products {layout}": alone(layout) for layout in products.LAYOUTS}


def rows_of(processes: Processes, workload: Workload) -> int:
    """How many rows are stacked when a workload is measured."""
    return STACKED if workload.name == "W1" else processes.call("sweep", chosen_rows, workload.name)


def summed_up(workload: Workload, rows: int, epochs: int, found: dict[str, Timing]) -> Kernel:
    """Keep the fastest layout of the products, and everything of ours."""
    prefix = "products "
    layouts = {name.removeprefix(prefix): timing for name, timing in found.items() if name.startswith(prefix)}
    ours = {name: timing for name, timing in found.items() if not name.startswith(prefix)}
    layout = min(layouts, key=lambda name: layouts[name].ms, default="")
    if layout:
        ours["products"] = layouts[layout]
    return Kernel(workload.name, workload.title, rows, epochs, workload.settings.epochs, layout, ours)


def curve(processes: Processes, workload: Workload, epochs: int, sizes: Sequence[int], rounds: int) -> list[Point]:
    """Time a trial against the number of rows trained at once."""
    chosen = processes.call("sweep", chosen_rows, workload.name)
    tried = sorted({*sizes, chosen})

    def of(rows: int) -> Callable[[], float]:
        return lambda: processes.call("sweep", trial_ms, workload.name, "pure", rows, epochs)

    found = interleaved({str(rows): of(rows) for rows in tried}, rounds)
    return [Point(rows, found[str(rows)], rows == chosen) for rows in tried]
