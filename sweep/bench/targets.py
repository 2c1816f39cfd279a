"""What the project wants to hold, beside what was measured. A bench reports; it does not judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sweep.bench.answer.contenders import ADAM, BEST_DEFAULT, PREVIOUS, TPE
from sweep.bench.answer.summary import ALL
from sweep.bench.result import Bench

STEADY = 1.25  # times: what counts as growth of a cost that should not grow; less is noise
PARENT_MS = {"random": 1.0, "qmc": 1.0, "tpe": 4.0}
EFFICIENCY = {"random": 0.8, "tpe": 0.6}
MEGABYTES = 600.0
FASTER_THAN = {"JAX vmap": 1.5, "PyTorch": 30.0, "scikit-learn": 30.0}


@dataclass(frozen=True, slots=True)
class Target:
    """A limit and the measured value."""

    what: str
    sense: Literal["at most", "at least"]
    limit: float
    measured: float
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the measured value keeps the limit."""
        return self.measured <= self.limit if self.sense == "at most" else self.measured >= self.limit


def targets(bench: Bench) -> list[Target]:
    """Every limit whose value was measured."""
    parts = (_kernel, _peers, _others, _parent, _whole, _long, _answer)
    return [target for part in parts for target in part(bench)]


def _ratio(bench: Bench, workload: str, over: str, under: str) -> float | None:
    above, below = bench.ms(workload, over), bench.ms(workload, under)
    return above / below if above is not None and below else None


def _kernel(bench: Bench) -> Iterator[Target]:
    wanted = (
        ("W1: stacked / its matrix products", "stacked", "products", 1.8),
        ("W1: all optimizers and schedules / RMSProp alone", "mixed", "stacked", 1.25),
        ("W1: saturating / not", "saturating", "stacked", 1.3),
        ("W1: half of the rows stop at a third / none stops", "stopping", "lasting", 0.75),
    )
    for what, over, under, limit in wanted:
        value = _ratio(bench, "W1", over, under)
        if value is not None:
            yield Target(what, "at most", limit, value)


def _peers(bench: Bench) -> Iterator[Target]:
    ours = bench.ms("W1", "stacked")
    for peer in bench.peers:
        if ours and peer.name in FASTER_THAN:
            what = f"W1: {peer.name} / stacked"
            yield Target(what, "at least", FASTER_THAN[peer.name], peer.timing.ms / ours)


def _others(bench: Bench) -> Iterator[Target]:
    for name in bench.kernels:
        wanted = (("one at a time", "one_at_a_time", 1.0), ("its matrix products", "products", 2.5))
        for what, under, limit in wanted if name != "W1" else ():
            value = _ratio(bench, name, "stacked", under)
            if value is not None:
                yield Target(f"{name}: stacked / {what}", "at most", limit, value)


def _parent(bench: Bench) -> Iterator[Target]:
    for parent in bench.parents:
        for cost in parent.costs:
            what = f"parent, {parent.sampler}, {cost.finished:,} finished: a trial"
            yield Target(what, "at most", PARENT_MS[parent.sampler], cost.timing.ms, "ms")
        first, last = parent.costs[0], parent.costs[-1]
        what = f"parent, {parent.sampler}: writing tables, {last.finished:,} / {first.finished:,} finished"
        yield Target(what, "at most", STEADY, last.tables.ms / first.tables.ms)
        what = f"parent, {parent.sampler}: memory at {parent.trials:,} trials"
        yield Target(what, "at most", MEGABYTES, parent.peak_megabytes, "MB")


def _whole(bench: Bench) -> Iterator[Target]:
    for whole in bench.wholes:
        what = f"end to end, {whole.sampler}: share of the kernel's speed"
        if whole.efficiency is not None:
            yield Target(what, "at least", EFFICIENCY[whole.sampler], whole.efficiency)
        yield Target(f"end to end, {whole.sampler}: start-up", "at most", 4.0, whole.startup_seconds, "s")
    if bench.help_seconds is not None:
        yield Target("--help", "at most", 0.5, bench.help_seconds, "s")


def _long(bench: Bench) -> Iterator[Target]:
    for long in bench.longs:
        first, last = long.stretches[0], long.stretches[-1]
        what = f"long run of {long.trials:,}, {long.sampler}: last fifth / first,"
        yield Target(f"{what} a trial's time", "at most", STEADY, last.ms / first.ms)
        for who in ("parent", "workers"):
            before, after = (getattr(part, f"{who}_megabytes") for part in (first, last))
            if before and after:
                yield Target(f"{what} memory of the {who}", "at most", STEADY, after / before)


def _answer(bench: Bench) -> Iterator[Target]:
    """Percent by which our true loss is above another's: the upper end of the interval, or what else is named."""
    wanted = (
        (BEST_DEFAULT, ALL, "high", 2.0), (BEST_DEFAULT, "off", "high", -3.0), (BEST_DEFAULT, ALL, "much_worse", 5.0),
        (ADAM, ALL, "high", 0.0), (TPE, ALL, "high", 0.0), (PREVIOUS, "small", "mean", -45.0),
    )  # fmt: skip
    words = {"high": "upper end", "mean": "mean", "much_worse": "studies over 10 %"}
    for contender, group, figure, limit in wanted:
        found = bench.answered.beside(group, contender) if bench.answered else None
        if found:
            what = f"true loss beside {contender}, {group} sets: {words[figure]}"
            yield Target(what, "at most", limit, 100 * getattr(found.loss, figure), "%")
