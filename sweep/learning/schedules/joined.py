"""Schedules one after the other: for Python; in a study file a schedule's constants are plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from sweep.errors import UsageError
from sweep.learning.hyper import NOT_NEGATIVE, Array, stack
from sweep.learning.schedules.base import ROUNDING, Schedule, State


@final
@dataclass(frozen=True)
class Join(Schedule):
    """One schedule after another, each from its own start (PyTorch's ``SequentialLR``, Optax's ``join_schedules``).

    Parameters
    ----------
    parts : tuple of Schedule
        Open-loop ones: none that watches a loss.
    boundaries : tuple of float
        Epochs at which the next part takes over, rising; one fewer than parts.
    scales : tuple of float, optional
        The factor of the base rate that each part starts from; left out: 1 for each.

    >>> from sweep.learning.schedules.formulas import Constant, Step
    >>> Join(parts=(Constant(), Step(every=2.0)), boundaries=(3.0,), scales=(1.0, 0.5)).factor([0, 3, 5]).tolist()
    [1.0, 0.5, 0.25]
    """

    name: ClassVar[str] = "join"

    parts: tuple[Schedule, ...] = ()
    boundaries: tuple[float, ...] = ()
    scales: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        nothing = np.ones((1, 1))
        if len(self.parts) != len(self.boundaries) + 1 or list(self.boundaries) != sorted(self.boundaries):
            raise UsageError(f"join: {len(self.parts)} parts: need one rising boundary between each and the next")
        if self.scales and len(self.scales) != len(self.parts):
            raise UsageError(f"join: {len(self.scales)} scales for {len(self.parts)} parts: give one for each, or none")
        for name, values in (("boundaries", self.boundaries), ("scales", self.scales)):
            if not NOT_NEGATIVE.contains(np.asarray(values)):
                raise UsageError(f"join.{name} = {values}: must obey {NOT_NEGATIVE.rule(name)}")
        for part in self.parts:
            if not isinstance(part, Schedule):
                raise UsageError(f"join: {part!r} is not a schedule")
            if part.start(nothing, nothing):
                raise UsageError(f"join: {part.name} watches a loss: only schedules of time alone can be joined")

    @classmethod
    def stacked(cls, rules: Sequence[Any]) -> Schedule:
        """Keep the records: each is another chain."""
        columns = stack([_Chains(warmup=rule.warmup, warmup_start=rule.warmup_start) for rule in rules])
        return _Chains(rules=tuple(rules), warmup=columns.warmup, warmup_start=columns.warmup_start)

    def decay(self, time: Array, state: State) -> Array:
        """Let each part run from its boundary on."""
        scales = self.scales or (1.0,) * len(self.parts)
        factor = scales[0] * self.parts[0].factor(time)
        for boundary, scale, part in zip(self.boundaries, scales[1:], self.parts[1:], strict=True):
            running = scale * part.factor(np.maximum(time - boundary, 0.0))
            factor = np.where(time >= boundary - ROUNDING, running, factor)
        return factor


@final
@dataclass(frozen=True)
class _Chains(Schedule):
    """Several joined schedules, a row each."""

    name: ClassVar[str] = "join"

    rules: tuple[Join, ...] = ()

    def decay(self, time: Array, state: State) -> Array:
        """Ask each."""
        rows = np.broadcast_to(time, (len(self.rules), *time.shape[-1:]))
        return np.stack([rule.decay(row, ()) for rule, row in zip(self.rules, rows, strict=True)])
