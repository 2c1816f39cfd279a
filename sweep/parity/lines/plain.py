"""A configuration in plain terms: what the libraries have to be told, and what makes no difference here.

Of each kind the lines know certain fields. A kind that is not known gets no lines; a field that is not known, and is
not at its neutral value, is told: the lines are then never called the same mathematics.

A knob that changes nothing is None, so that a library without it is still exact: the place of an epsilon that is 0, the
place of a rate that never changes, the kind of weight decay in plain gradient descent.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import telling
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import AdaGrad, Adam, Momentum, Nesterov, RMSProp, Sgd
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import Constant, Join, Plateau
from sweep.parity.lines.formulas import FORMULAS, WARMUP
from sweep.parity.lines.writing import Draft, number

_EVERY = ("rate_decay", "weight_decay", "weight_decay_decoupled", "weight_decay_biases", "weight_decay_over_batch")
_VELOCITY = ("momentum", "nesterov", "dampening", "rate_in_velocity")
_CACHE = ("epsilon", "initial_cache", "epsilon_inside")

# What the lines call an optimizer, and which of its fields they use up besides those of every optimizer.
KINDS: dict[type[Optimizer], tuple[str, tuple[str, ...]]] = {
    Sgd: ("sgd", ()),
    Momentum: ("sgd", _VELOCITY),
    Nesterov: ("sgd", _VELOCITY),
    AdaGrad: ("adagrad", (*_CACHE, *_VELOCITY)),
    RMSProp: ("rmsprop", (*_CACHE, *_VELOCITY, "decay", "centered", "bias_correction")),
    Adam: ("adam", ("momentum", "decay", "epsilon", "epsilon_before_correction")),
}
# Those of the schedules are beside their formulas; this one has none, and each library a function for it.
PLATEAU = (
    "drop", "patience", "threshold", "absolute", "cooldown", "floor", "least_change", "baseline", "running_best",
    "watch_training",
)  # fmt: skip

# Constants with which a schedule of a known kind stands still.
STILL = {"divisor": 1.0, "rate": 0.0, "power": 0.0, "floor": 1.0, "end": 1.0, "drop": 1.0}


@dataclass(frozen=True, slots=True)
class Plain:
    """The constants of a configuration; `schedule` is `Constant()` where it stands still.

    `momentum` is Adam's beta_1 too. `steps` are the minibatches of an epoch. `unknown` are the fields that the lines
    know nothing of.
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
    unknown: tuple[str, ...]

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
    kind, known = KINDS[type(optimizer)]
    unknown = (*unused(optimizer, (*_EVERY, *known)), *unknown_to_lines(schedule))
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
        bias_correction=bool(knob("bias_correction") and decay), unknown=unknown,
    )  # fmt: skip


def unused(rule: Optimizer | Schedule, known: Collection[str]) -> tuple[str, ...]:
    """The fields that say something and are not among those known."""
    return tuple(name for name in telling(rule) if name not in known)


def unknown_to_lines(schedule: Schedule) -> tuple[str, ...]:
    """The same of a schedule, if it is of a kind that is known at all; of each part, if it is a chain."""
    if isinstance(schedule, Plateau):
        return unused(schedule, (*WARMUP, *PLATEAU))
    if type(schedule) not in FORMULAS:
        return ()
    own = unused(schedule, (*WARMUP, *FORMULAS[type(schedule)][1]))
    parts = schedule.parts if isinstance(schedule, Join) else ()
    return (*own, *(name for part in parts for name in unknown_to_lines(part)))


def begun(p: Plain, library: str) -> Draft:
    """A draft that says what it knows nothing of."""
    draft = Draft(library)
    for name in p.unknown:
        draft.differs(f"{name}: no lines for it are known here; it is left out.")
    return draft


def flat(schedule: Schedule) -> bool:
    """Whether the factor is 1 for ever, by its constants."""
    if schedule.warmup and schedule.warmup_start != 1.0:
        return False
    if isinstance(schedule, Join):
        return all(map(flat, schedule.parts)) and all(scale == 1.0 for scale in schedule.scales)
    if type(schedule) not in (*FORMULAS, Plateau):
        return False
    factors = getattr(schedule, "factors", None)
    still = any(getattr(schedule, name, None) == value for name, value in STILL.items())
    return still or isinstance(schedule, Constant) or (factors is not None and all(f == 1.0 for f in factors))
