"""What the tests of the lines try: every optimizer with each of its knobs turned, every schedule at work.

A newcomer's class is tried with its defaults, and with each of its flags turned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Array, hyperparameters
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import (
    SCHEDULES,
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseScaling,
    InverseTime,
    Join,
    Linear,
    Piecewise,
    Polynomial,
    Ramps,
    Schedule,
    Step,
)
from tests.learning.strategies import watches

TURNED: dict[str, float] = {
    "rate_decay": 0.02, "weight_decay": 0.03, "momentum": 0.8, "dampening": 0.3, "decay": 0.97, "epsilon": 0.01,
    "initial_cache": 0.5,
}  # fmt: skip


# Where each library's own conventions lie: there it does the most.
OWN: dict[str, dict[str, bool]] = {
    "torch": {"rate_in_velocity": False},
    "keras": {"epsilon_inside": True, "epsilon_before_correction": True, "weight_decay_decoupled": True},
    "optax": {"epsilon_inside": True},
}


def own(name: str, library: str, **knobs: float) -> Optimizer:
    """One kind by a library's conventions; knobs that it has not are left out."""
    kind = OPTIMIZERS[name]
    fields = {field.name for field in hyperparameters(kind)}
    chosen: dict[str, Any] = {knob: value for knob, value in (OWN[library] | knobs).items() if knob in fields}
    return kind(**chosen)


def optimizers(name: str, library: str, momenta: tuple[float, ...] = (0.0, 0.9)) -> list[Optimizer]:
    """One kind with its defaults; then by a library's conventions, without momentum and with it, with each knob turned.

    There the weights decay, and epsilon is large: else the knobs of these would turn idly.
    """
    kind = OPTIMIZERS[name]
    found: list[Optimizer] = [kind()]
    for momentum in momenta:
        around = own(name, library, weight_decay=0.01, epsilon=0.02, momentum=momentum)
        for field in hyperparameters(kind):
            turned = not getattr(around, field.name) if field.flag else TURNED.get(field.name)
            if turned is not None:
                found.append(replace(around, **{field.name: turned}))
    return list(dict.fromkeys(found))


# A dozen epochs, within which each does what it can.
AT_WORK: dict[str, list[Schedule]] = {
    "constant": [Constant(), Constant(warmup=3.0, warmup_start=0.25), Constant(warmup=2.3)],
    "step": [Step(every=3.0), Step(every=0.3, divisor=1.1, hold=2.0, floor=0.2), Step(every=2.5, warmup=1.5)],
    "exponential": [Exponential(rate=0.2), Exponential(rate=0.4, hold=2.0, floor=0.3, warmup=1.0)],
    "inverse_time": [InverseTime(rate=0.5), InverseTime(rate=0.5, every=2.0), InverseTime(rate=0.7, every=0.7)],
    "inverse_scaling": [InverseScaling(power=0.5, samples=3.0, warmup=2.0)],
    "piecewise": [
        Piecewise(boundaries=(3.0, 6.0), factors=(0.5, 0.25)),
        Piecewise(boundaries=(3.0, 6.0), factors=(0.5, 2.0), after=True),
        Piecewise(boundaries=(7.3, 0.0, 3.0), factors=(0.5, 0.0, 1.5), warmup=1.0),
    ],
    "ramps": [
        Ramps(times=(3.0, 7.0), factors=(2.0, 0.0)),
        Ramps(times=(3.0, 3.0, 8.2), factors=(2.0, 0.5, 0.1), cosine=True, warmup=1.0),
    ],
    "linear": [
        Linear(end=0.1, duration=8.0), Linear(end=1.5, duration=8.3), Linear(duration=9.0, warmup=2.0, hold=3.0),
        Linear(end=0.1, duration=3.0, hold=5.0),
    ],
    "polynomial": [
        Polynomial(duration=8.0), Polynomial(end=0.1, duration=8.0, power=0.5),
        Polynomial(end=0.1, duration=3.0, power=3.0, cycle=True), Polynomial(duration=8.0, warmup=2.0, hold=1.0),
    ],
    "cosine": [
        Cosine(duration=8.0), Cosine(end=0.1, duration=8.0, warmup=2.0, warmup_start=0.1),
        Cosine(end=0.1, duration=3.0, bounce=True), Cosine(duration=8.0, exponent=2.0), Cosine(duration=8.0, hold=2.5),
        Cosine(end=0.1, duration=3.0, hold=3.0),
    ],
    "cosine_restarts": [
        CosineRestarts(first=2.0), CosineRestarts(first=2.0, period_factor=1.0, peak_factor=0.5, end=0.1),
        CosineRestarts(first=1.3, period_factor=1.5, peak_factor=0.7), CosineRestarts(first=1.0, period_factor=3.0),
    ],
    "join": [
        Join(parts=(Linear(end=1.0, warmup=2.0), Step(every=2.0)), boundaries=(3.0,), scales=(1.0, 0.5)),
        Join(
            parts=(Constant(), CosineRestarts(first=1.0), Ramps(times=(1.0,), factors=(0.1,))),
            boundaries=(2.25, 7.0), warmup=1.0,
        ),
    ],
}  # fmt: skip


def schedules() -> list[Schedule]:
    """All of them but those that watch a loss."""
    kinds = [kind for kind in SCHEDULES.values() if not watches(kind())]
    newcomers: list[Schedule] = [kind() for kind in kinds if kind.name not in AT_WORK]
    return [schedule for known in AT_WORK.values() for schedule in known] + newcomers


def rates(configuration: Configuration, steps: int, updates: int) -> Array:
    """Our rates of the first updates."""
    count = np.arange(updates)
    factors: Any = np.broadcast_to(configuration.schedule.factor(count / steps), (updates,))
    return np.asarray(configuration.optimizer.rates(configuration.learning_rate * factors, count))
