"""A configuration in plain terms: what the libraries have to be told, and what makes no difference here.

A knob that changes nothing is None, so that a library without it is still exact: the place of an epsilon that is 0, the
place of a rate that never changes, the kind of weight decay in plain gradient descent.
"""

from __future__ import annotations

from dataclasses import dataclass

from sweep.learning.configuration import Configuration
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import AdaGrad, Adam, Momentum, Nesterov, RMSProp, Sgd
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import SCHEDULES, Constant, Join, Plateau
from sweep.parity.lines.writing import number

KINDS: dict[type[Optimizer], str] = {
    Sgd: "sgd", Momentum: "sgd", Nesterov: "sgd", AdaGrad: "adagrad", RMSProp: "rmsprop", Adam: "adam",
}  # fmt: skip

# Constants with which a schedule stands still.
STILL = {"divisor": 1.0, "rate": 0.0, "power": 0.0, "floor": 1.0, "end": 1.0, "drop": 1.0}


@dataclass(frozen=True, slots=True)
class Plain:
    """The constants of a configuration; `schedule` is `Constant()` where it stands still.

    `momentum` is Adam's beta_1 too. `steps` are the minibatches of an epoch.
    """

    kind: str
    rate: float
    steps: int
    schedule: Schedule
    rate_decay: float
    weight_decay: float
    decoupled: bool | None
    biases: bool
    over_batch: bool
    momentum: float
    nesterov: bool
    dampening: float
    inside: bool | None
    decay: float
    epsilon: float
    epsilon_inside: bool | None
    before_correction: bool | None
    initial_cache: float
    centered: bool
    bias_correction: bool

    @property
    def plateau(self) -> Plateau | None:
        """The schedule, if it watches a loss."""
        return self.schedule if isinstance(self.schedule, Plateau) else None

    @property
    def strength(self) -> str:
        """The strength of the weight decay, as text; over the minibatch, see `differences.batch`."""
        return number(self.weight_decay) + (" / batch" if self.over_batch else "")

    @property
    def is_adam(self) -> bool:
        """Whether it is Adam: RMSProp with bias correction is Adam without a mean."""
        plain = not (self.centered or self.momentum or self.initial_cache)
        return self.kind == "adam" or (self.bias_correction and plain)

    @property
    def constant(self) -> bool:
        """Whether the schedule stands still; the optimizer may have a decay of its own."""
        return isinstance(self.schedule, Constant) and not self.schedule.warmup


def plain(configuration: Configuration, steps: int) -> Plain | None:
    """Put a configuration in plain terms; None if the optimizer is not known here."""
    optimizer, schedule = configuration.optimizer, configuration.schedule
    if type(optimizer) not in KINDS:
        return None
    kind = KINDS[type(optimizer)]
    schedule = Constant() if flat(schedule) else schedule
    changing = bool(optimizer.rate_decay) or not isinstance(schedule, Constant) or bool(schedule.warmup)

    def knob(name: str) -> float:
        return float(getattr(optimizer, name, 0.0))

    momentum, epsilon, weight_decay = knob("momentum"), knob("epsilon"), knob("weight_decay")
    decay = knob("decay")  # at 0 the cache is the last gradient's square: there is nothing to correct
    velocity = bool(momentum) and kind != "adam"
    descent = kind == "sgd" and not velocity  # then the decay of the weights takes the same way in both modes
    return Plain(
        kind=kind, rate=float(configuration.learning_rate), steps=steps, schedule=schedule,
        rate_decay=knob("rate_decay"), weight_decay=weight_decay,
        decoupled=None if descent or not weight_decay else bool(knob("weight_decay_decoupled")),
        biases=bool(knob("weight_decay_biases")) or not weight_decay,
        over_batch=bool(knob("weight_decay_over_batch") and weight_decay),
        momentum=momentum, nesterov=bool(knob("nesterov") and velocity),
        dampening=knob("dampening") if velocity else 0.0,
        inside=bool(knob("rate_in_velocity")) if velocity and changing else None,
        decay=decay, epsilon=epsilon,
        epsilon_inside=bool(knob("epsilon_inside")) if epsilon and kind != "adam" else None,
        before_correction=bool(knob("epsilon_before_correction")) if epsilon and decay and kind == "adam" else None,
        initial_cache=knob("initial_cache"), centered=bool(knob("centered")),
        bias_correction=bool(knob("bias_correction") and decay),
    )  # fmt: skip


def flat(schedule: Schedule) -> bool:
    """Whether the factor is 1 for ever, by its constants."""
    if schedule.warmup and schedule.warmup_start != 1.0:
        return False
    if isinstance(schedule, Join):
        return all(map(flat, schedule.parts)) and all(scale == 1.0 for scale in schedule.scales)
    if SCHEDULES.get(schedule.name) is not type(schedule):
        return False
    factors = getattr(schedule, "factors", None)
    still = any(getattr(schedule, name, None) == value for name, value in STILL.items())
    return still or isinstance(schedule, Constant) or (factors is not None and all(f == 1.0 for f in factors))
