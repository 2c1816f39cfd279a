"""The bench as a whole: which part runs what, and in which process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sweep.bench import answer, long, parent, peers, quality, whole
from sweep.bench.answer.contenders import Plan
from sweep.bench.machine import describe
from sweep.bench.processes import Processes
from sweep.bench.result import Ask, Bench, Trained
from sweep.bench.step import kernel
from sweep.bench.step.workloads import WORKLOADS, Workload
from sweep.bench.timing import interleaved
from sweep.errors import UsageError, unknown

PEERS_ON = "W1"  # the workload that peers are measured on
OURS = "stacked"  # what they are compared with

Say = Callable[[str], None]


@dataclass(frozen=True)
class Effort:
    """How much is run.

    Rounds of the kernel and of the curve, sizes on the curve, finished trials, trials, trials of a long run; seeds and
    trials of the searches; the studies whose recommendations are judged.
    """

    rounds: int
    curve_rounds: int
    sizes: tuple[int, ...]
    finished: tuple[int, ...]
    trials: int
    long_trials: int
    seeds: int
    budgets: tuple[int, ...]
    answers: Plan
    quick: bool

    def epochs(self, workload: Workload) -> int:
        """The epochs of a workload that are run."""
        return workload.quick_epochs if self.quick else workload.epochs


FULL = Effort(
    15, 5, kernel.SIZES, parent.FINISHED, whole.TRIALS, long.TRIALS, quality.SEEDS, quality.BUDGETS, answer.FULL,
    quick=False,
)  # fmt: skip
QUICK = Effort(
    3, 1, kernel.QUICK_SIZES, parent.QUICK_FINISHED, whole.QUICK_TRIALS, long.QUICK_TRIALS, quality.QUICK_SEEDS,
    quality.QUICK_BUDGETS, answer.QUICK, quick=True,
)  # fmt: skip


def measure(only: Sequence[str] = (), *, quick: bool = False, say: Say = lambda text: None) -> Bench:
    """Measure some parts, or all.

    Parameters
    ----------
    only : sequence of str
        Names of `PARTS`; none: all but the `LENGTHY`.
    quick : bool
        Rough numbers in about a minute.
    say : callable
        Told what is being measured.

    Raises
    ------
    UsageError
        A part is not known.
    """
    for part in only:
        if part not in PARTS:
            raise UsageError(f"--only: {unknown('part', part, PARTS)}")
    started = time.perf_counter()
    chosen = [part for part in PARTS if part in (only or PARTS.keys() - LENGTHY)]
    bench = Bench(describe(), quick, not_installed=peers.missing())
    effort = QUICK if quick else FULL
    with Processes() as processes:
        if {"kernel", "peers", "whole"} & set(chosen):
            _together(bench, processes, effort, chosen, say)
        for part in chosen:
            PARTS[part](bench, processes, effort, say)
    bench.seconds = time.perf_counter() - started
    return bench


def _together(bench: Bench, processes: Processes, effort: Effort, chosen: Sequence[str], say: Say) -> None:
    """W1 and the peers on it, interleaved: what is compared runs in the same minutes."""
    workload = WORKLOADS[PEERS_ON]
    rows, epochs = kernel.rows_of(processes, workload), effort.epochs(workload)
    ours = kernel.contenders(processes, workload, rows, epochs)
    contenders = ours if "kernel" in chosen else {OURS: ours[OURS]}
    readings: dict[str, peers.Reading] = {}
    names = peers.installed(peers.PEERS) if "peers" in chosen else []
    beside = {name: _peer(processes, name, readings) for name in names}
    say(f"{workload.name} ({workload.title}): {', '.join([*contenders, *beside])}; {effort.rounds} rounds")
    found = interleaved(contenders | beside, effort.rounds)
    bench.kernels[workload.name] = kernel.summed_up(workload, rows, epochs, {name: found[name] for name in contenders})
    bench.peers = [
        Trained(name, found[name], readings[name].accuracy, readings[name].compile_seconds, peers.PEERS[name].note)
        for name in names
    ]


def _peer(processes: Processes, name: str, readings: dict[str, peers.Reading]) -> Callable[[], float]:
    def once() -> float:
        readings[name] = processes.call(peers.PEERS[name].package, run_peer, name, PEERS_ON)
        return readings[name].ms

    return once


def run_peer(name: str, workload: str) -> peers.Reading:
    """Run a peer once, in this process."""
    found: peers.Reading = _function(peers.PEERS[name])(workload)
    return found


def run_ask(name: str, finished: int) -> float:
    """Measure an ask of a peer, in this process."""
    found: float = _function(peers.ASKERS[name])(finished)
    return found


def _function(peer: peers.Peer) -> Callable[..., Any]:
    module, name = peer.function.split(":")
    found: Callable[..., Any] = getattr(import_module(f"{peers.__name__}.{module}"), name)
    return found


def _kernel(bench: Bench, processes: Processes, effort: Effort, say: Say) -> None:
    """Measure the other workloads; W1 has been."""
    for workload in WORKLOADS.values():
        if workload.name == PEERS_ON:
            continue
        rows, epochs = kernel.rows_of(processes, workload), effort.epochs(workload)
        say(f"{workload.name} ({workload.title}): {rows} rows, {epochs} epochs; {effort.rounds} rounds")
        found = interleaved(kernel.contenders(processes, workload, rows, epochs), effort.rounds)
        bench.kernels[workload.name] = kernel.summed_up(workload, rows, epochs, found)


def _curve(bench: Bench, processes: Processes, effort: Effort, say: Say) -> None:
    for workload in WORKLOADS.values():
        say(f"{workload.name}: a trial's time against the rows trained at once")
        bench.curves[workload.name] = kernel.curve(
            processes, workload, effort.epochs(workload), effort.sizes, effort.curve_rounds
        )


def _peers(bench: Bench, processes: Processes, effort: Effort, say: Say) -> None:
    """Nothing is left to do: see `_together`."""


def _asks(bench: Bench, processes: Processes, effort: Effort, say: Say) -> None:
    for name in peers.installed(peers.ASKERS):
        for finished in effort.finished:
            say(f"{name}: an ask after {finished:,} trials")
            bench.asks.append(Ask(name, finished, processes.call(peers.ASKERS[name].package, run_ask, name, finished)))


def _parent(bench: Bench, processes: Processes, effort: Effort, say: Say) -> None:
    for sampler in parent.SAMPLERS:
        say(f"parent: a whole study of {max(effort.finished):,} trials with {sampler}, without the training")
        bench.parents.append(processes.call(f"parent {sampler}", parent.measure, sampler, effort.finished))


def _whole(bench: Bench, processes: Processes, effort: Effort, say: Say) -> None:
    say("end to end: a run to warm up, and --help")
    whole.warm_up()
    bench.help_seconds = whole.help_seconds()
    for sampler in whole.SAMPLERS:
        say(f"end to end: {effort.trials:,} trials with {sampler}, {whole.WORKERS} workers")
        bench.wholes.append(whole.measure(sampler, effort.trials, bench.ms(PEERS_ON, OURS)))


def _long(bench: Bench, processes: Processes, effort: Effort, say: Say) -> None:
    for sampler in long.SAMPLERS:
        say(f"a long run: {effort.long_trials:,} trials with {sampler}, a tiny network")
        bench.longs.append(long.measure(sampler, effort.long_trials))


def _quality(bench: Bench, processes: Processes, effort: Effort, say: Say) -> None:
    budgets = " and ".join(map(str, effort.budgets))
    say(f"what is found: {effort.seeds} seeds on {len(quality.DATA)} data sets, {budgets} trials: many minutes")
    bench.found = quality.measure(effort.seeds, effort.budgets)


def _answer(bench: Bench, processes: Processes, effort: Effort, say: Say) -> None:
    plan = effort.answers
    say(
        f"what is recommended: {plan.seeds} seeds on {len(plan.sets)} data sets, kept in {answer.place()}: "
        f"{'minutes' if effort.quick else 'the better part of an hour'}"
    )
    bench.answered = answer.measure(plan, say)


PARTS: dict[str, Callable[[Bench, Processes, Effort, Say], None]] = {
    "kernel": _kernel,
    "curve": _curve,
    "peers": _peers,
    "asks": _asks,
    "parent": _parent,
    "whole": _whole,
    "long": _long,
    "quality": _quality,
    "answer": _answer,
}
LENGTHY = {"long", "quality", "answer"}  # only when asked for
