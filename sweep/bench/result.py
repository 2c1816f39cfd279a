"""What a bench has found, as plain records."""

from __future__ import annotations

from dataclasses import dataclass, field

from sweep.bench.answer.summary import Answered
from sweep.bench.long import Long
from sweep.bench.machine import Machine
from sweep.bench.parent import Parent
from sweep.bench.quality import Found
from sweep.bench.step.kernel import Kernel, Point
from sweep.bench.timing import Timing
from sweep.bench.whole import Whole


@dataclass(frozen=True)
class Trained:
    """A peer's time in ms a trial of W1, and what it learnt; fields as in `sweep.bench.peers`."""

    name: str
    timing: Timing
    accuracy: float
    compile_seconds: float
    note: str


@dataclass(frozen=True)
class Ask:
    """A peer's time for one proposal, in ms, after so many finished trials."""

    name: str
    finished: int
    ms: float


@dataclass
class Bench:
    """All of it; a part that was not asked for is empty.

    Attributes
    ----------
    quick : bool
        Few rounds: the numbers are rough.
    seconds : float
        What the bench itself took.
    not_installed : list of str
        Packages of peers.
    """

    machine: Machine
    quick: bool
    seconds: float = 0.0
    kernels: dict[str, Kernel] = field(default_factory=dict)
    curves: dict[str, list[Point]] = field(default_factory=dict)
    peers: list[Trained] = field(default_factory=list)
    not_installed: list[str] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    parents: list[Parent] = field(default_factory=list)
    wholes: list[Whole] = field(default_factory=list)
    help_seconds: float | None = None
    longs: list[Long] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    answered: Answered | None = None

    def ms(self, workload: str, name: str) -> float | None:
        """The median of one of a workload's timings, if it was measured."""
        kernel = self.kernels.get(workload)
        timing = kernel.timings.get(name) if kernel else None
        return timing.ms if timing else None
