"""Keras 3: ``keras.optimizers`` and its schedules; where there is no such schedule, a subclass of theirs."""

from __future__ import annotations

import math

import numpy as np

from sweep.learning.configuration import Configuration
from sweep.learning.schedules.base import Annealed, Falling, Schedule
from sweep.learning.schedules.formulas import (
    Cosine,
    CosineRestarts,
    Exponential,
    InverseTime,
    Linear,
    Piecewise,
    Plateau,
    Polynomial,
    Step,
)
from sweep.parity.lines import differences
from sweep.parity.lines.formulas import Dialect, formula
from sweep.parity.lines.plain import Plain, begun, plain
from sweep.parity.lines.units import divides, doubles, in_steps, moments, whole
from sweep.parity.lines.writing import Draft, Lines, call, cannot, number, product

LIBRARY = "keras"
OPS = Dialect(
    count="step", time="t", exp="keras.ops.exp", cos="keras.ops.cos", least="keras.ops.minimum",
    most="keras.ops.maximum", choose="keras.ops.where({condition}, {yes}, {no})",
    as_float="keras.ops.cast({}, t.dtype)", table="keras.ops.array([{}], keras.config.floatx())",
    tally="keras.ops.sum(keras.ops.cast({count} >= {table}, t.dtype))", eager=True,
)  # fmt: skip
SUBCLASS = (
    "class Rate(keras.optimizers.schedules.LearningRateSchedule):",
    "    def __call__(self, step):",
    "        t = keras.ops.cast(step, keras.config.floatx())",
)


def lines(configuration: Configuration, steps: int) -> Lines:
    """The optimizer, its schedule or, for a plateau, the callback; `steps` minibatches make an epoch."""
    plainly = plain(configuration, steps)
    if plainly is None:
        return cannot(LIBRARY, f"the optimizer {configuration.optimizer.name}")
    draft = begun(plainly, LIBRARY)
    if not _rate(plainly, draft):
        return cannot(LIBRARY, f"the schedule {configuration.schedule.name}")
    _differences(plainly, draft)
    _optimizer(plainly, draft)
    if plainly.plateau:
        _plateau(plainly.plateau, plainly, draft)
    return draft.finish(["import math"])


def _base(p: Plain) -> float:
    """The base rate; it makes up for a velocity and a dampening that cannot be had."""
    keeping = 1.0 if p.kind in ("sgd", "rmsprop", "adam") else 1.0 - p.momentum
    return product(p.rate, (1.0 - p.dampening) / keeping)


def _optimizer(p: Plain, draft: Draft) -> None:
    changing = p.plateau is None and not (p.constant and not p.rate_decay)
    given: dict[str, str | float | None] = {"learning_rate": "rate" if changing else _base(p)}
    match p.kind:
        case "sgd":
            name = "SGD"
            given |= {"momentum": p.momentum or None, "nesterov": p.nesterov or None}
        case "adagrad":
            name = "Adagrad"
            given |= {"initial_accumulator_value": p.initial_cache}
        case "rmsprop" if not p.is_adam:
            name = "RMSprop"
            given |= {"rho": p.decay, "momentum": p.momentum or None, "centered": p.centered or None}
        case _:
            name = "AdamW" if p.decoupled else "Adam"
            given |= {"beta_1": p.momentum if p.kind == "adam" else 0.0, "beta_2": p.decay}
    if name != "SGD":
        given |= {"epsilon": _epsilon(p)}
    draft.write(f"optimizer = {call(f'keras.optimizers.{name}', **given, weight_decay=_strength(p))}")
    if _strength(p) and not p.biases:
        draft.write('optimizer.exclude_from_weight_decay(var_names=["bias"])')
    if name == "RMSprop" and p.initial_cache:
        _first_cache(p, draft)


def _epsilon(p: Plain) -> float:
    """Epsilon for the place where Keras has it: outside the root in Adam, inside it in the others."""
    if p.is_adam:
        return math.sqrt(p.epsilon) if p.epsilon_inside else p.epsilon
    return product(p.epsilon, p.epsilon) if p.epsilon_inside is False else p.epsilon


def _strength(p: Plain) -> str | None:
    """What Keras takes off the parameters; a decay in the gradient it does not have."""
    if not p.weight_decay or p.decoupled is False:
        return None
    return p.strength


def _differences(p: Plain, draft: Draft) -> None:
    """What Keras does otherwise, and what of it these lines make up for."""
    differences.batch(p, draft)
    if p.decoupled is False:
        draft.differs(
            "weight_decay_decoupled = false: Keras' optimizers have no weight decay in the gradient. Give the layers "
            f"kernel_regularizer=keras.regularizers.L2({_penalty(p)}){_and_biases(p)}: the same, but in the loss too."
        )
    if p.epsilon_inside is False and not p.is_adam:
        differences.epsilon(draft, "Keras", "epsilon", inside=True)
    if p.before_correction is False:
        differences.correction(draft, "Keras", before=True)
    if p.inside is False and p.kind != "adagrad":
        differences.rate(draft, "Keras", inside=True)
    if p.dampening and p.kind != "adagrad":
        draft.differs(
            "dampening: Keras has none. The rate is multiplied by 1 - dampening instead: the undampened first push "
            "(and Nesterov's look ahead) differ."
        )
    differences.velocity(p, draft, "Keras'")
    if p.bias_correction:
        _correction(p, draft)


def _correction(p: Plain, draft: Draft) -> None:
    if not p.is_adam:
        draft.differs("bias_correction = true: Keras' RMSprop has none; it is left out: the first steps are larger.")
    elif p.epsilon:
        place = f"epsilon_inside = {str(p.epsilon_inside).lower()}"
        draft.differs(
            f"{place} with bias_correction: Keras' Adam, which without a mean is RMSProp with this correction, adds "
            "epsilon outside the root and before the correction: the first steps differ."
        )


def _penalty(p: Plain) -> str:
    half = number(product(p.weight_decay / 2.0))
    return f"{half} / batch" if p.over_batch else half


def _and_biases(p: Plain) -> str:
    return " and the same bias_regularizer" if p.biases else ""


def _first_cache(p: Plain, draft: Draft) -> None:
    """The cache is made with the optimizer's other variables, when it is built."""
    draft.write(
        "optimizer.build(model.trainable_variables)",
        "for variable in optimizer.variables:",
        '    if variable.path.endswith("velocity"):',
        f"        variable.assign(variable + {number(p.initial_cache)})",
    )
    draft.say("initial_cache: Keras' RMSprop has no argument for it; its variables are set before the first step.")


def _plateau(rule: Plateau, p: Plain, draft: Draft) -> None:
    """Keras fires when patience is reached, PyTorch and this when it is exceeded; so with the cooldown."""
    if rule.warmup:
        draft.differs("warmup: Keras cannot have it together with ReduceLROnPlateau; it is left out.")
    if p.rate_decay:
        draft.differs("rate_decay: Keras cannot have it together with ReduceLROnPlateau; it is left out.")
    if rule.threshold and not rule.absolute:
        draft.differs(
            "threshold: in Keras it is a difference of losses (min_delta), here it is a share of the best loss."
        )
    if rule.threshold and rule.running_best:
        draft.differs("running_best = true: to Keras only a loss that was progress is the best one.")
    if rule.least_change:
        draft.differs("least_change: Keras has none; it is left out.")
    if rule.baseline:
        draft.differs("baseline = true: Keras' first best is the loss after the first epoch, not that before training.")
    monitor = '"loss"' if rule.watch_training else None
    made = call(
        "keras.callbacks.ReduceLROnPlateau", monitor=monitor, factor=float(rule.drop), patience=int(rule.patience) + 1,
        min_delta=float(rule.threshold), cooldown=int(rule.cooldown) + 1 if rule.cooldown else None,
        min_lr=product(float(rule.floor), p.rate) or None,
    )  # fmt: skip
    draft.write(f"plateau = {made}")
    draft.say("Give model.fit callbacks=[plateau]" + (" and the validation_data." if monitor is None else "."))


def _rate(p: Plain, draft: Draft) -> bool:
    """Write the schedule, if the rate changes; false if no formula of it is known."""
    if p.plateau or (p.constant and not p.rate_decay):
        return True
    made = _native(p.schedule, p)
    if made is None:
        found = formula(p.schedule, p.steps, OPS, p.rate_decay)
        if found is None:
            return False
        body = [*found.body, f"return {number(_base(p))} * ({found.value})"]
        draft.write(*found.before, *SUBCLASS, *(f"        {line}" for line in body))
        draft.write("    def get_config(self):", "        return {}")
        made = "Rate()"
    else:
        made = f"keras.optimizers.schedules.{made}"
    draft.write(f"rate = {made}")
    return True


def _native(schedule: Schedule, p: Plain) -> str | None:
    """Keras' own schedule, if it has one that is the same."""
    rate, steps = _base(p), p.steps
    if p.constant:
        return call("InverseTimeDecay", number(rate), decay_steps=1, decay_rate=p.rate_decay)
    if p.rate_decay:
        return None
    if isinstance(schedule, Cosine):
        return _cosine(schedule, p)
    if schedule.warmup or (isinstance(schedule, Falling) and (schedule.hold or schedule.floor)):
        return None
    if isinstance(schedule, Linear | Polynomial):
        return _polynomial(schedule, p)
    if isinstance(schedule, Step):
        every, share = whole(schedule.every, steps), product(1.0 / float(schedule.divisor))
        if every and divides(every):
            return call("ExponentialDecay", number(rate), decay_steps=every, decay_rate=share, staircase=True)
    if isinstance(schedule, Exponential):
        return call("ExponentialDecay", number(rate), decay_steps=steps, decay_rate=math.exp(-float(schedule.rate)))
    if isinstance(schedule, InverseTime):
        return _inverse_time(schedule, p)
    if isinstance(schedule, Piecewise):
        return _piecewise(schedule, p)
    if isinstance(schedule, CosineRestarts):
        return _restarts(schedule, p)
    return None


def _inverse_time(schedule: InverseTime, p: Plain) -> str | None:
    if not schedule.every:
        return call("InverseTimeDecay", number(_base(p)), decay_steps=p.steps, decay_rate=float(schedule.rate))
    every, share = whole(schedule.every, p.steps), product(float(schedule.rate), float(schedule.every))
    if not (every and divides(every)):
        return None
    return call("InverseTimeDecay", number(_base(p)), decay_steps=every, decay_rate=share, staircase=True)


def _piecewise(schedule: Piecewise, p: Plain) -> str | None:
    """Keras changes the rate one update after the boundary."""
    steps = [moment - 1 for moment in moments(schedule, p.steps)]
    values = [_base(p), *(product(_base(p), float(factor)) for factor in schedule.factors)]
    if len(set(steps)) < len(steps):
        return None
    return call("PiecewiseConstantDecay", boundaries=str(steps), values=str(values))


def _polynomial(schedule: Linear | Polynomial, p: Plain) -> str | None:
    """Compiled, Keras' progress may end above 1: what is left is then negative, and a broken power of it NaN."""
    length, end = _length(schedule, p), product(float(schedule.end), _base(p))
    power = float(schedule.power) if isinstance(schedule, Polynomial) else 1.0
    cycle = isinstance(schedule, Polynomial) and bool(schedule.cycle)
    if length is None or not (divides(length, np.ceil) if cycle else power.is_integer()):
        return None
    return call(
        "PolynomialDecay", number(_base(p)), decay_steps=length, end_learning_rate=end, power=power,
        cycle=cycle or None,
    )  # fmt: skip


def _cosine(schedule: Cosine, p: Plain) -> str | None:
    """Keras counts decay_steps from the end of the warm-up."""
    length, warmup = _length(schedule, p), in_steps(schedule.warmup, p.steps)
    if length is None or warmup.denominator > 1 or schedule.exponent != 1.0 or schedule.bounce:
        return None
    if not warmup:
        return call("CosineDecay", number(_base(p)), decay_steps=length, alpha=float(schedule.end) or None)
    start = product(float(schedule.warmup_start), _base(p))
    return call(
        "CosineDecay", number(start), decay_steps=length, alpha=float(schedule.end) or None, warmup_target=_base(p),
        warmup_steps=int(warmup),
    )  # fmt: skip


def _length(schedule: Annealed, p: Plain) -> int | None:
    """How many updates the way to the end takes, from the start or the end of the warm-up, if it is a whole number."""
    return None if schedule.hold else whole(schedule.left(), p.steps)


def _restarts(schedule: CosineRestarts, p: Plain) -> str | None:
    """Keras finds the period by a logarithm, whose rounding may be one update late, but for equal or doubled ones."""
    first, growth = whole(schedule.first, p.steps), float(schedule.period_factor)
    if not first or not (doubles(first) if growth == 2.0 else growth == 1.0 and divides(first)):
        return None
    peak = float(schedule.peak_factor)
    return call(
        "CosineDecayRestarts", number(_base(p)), first_decay_steps=first, t_mul=growth,
        m_mul=None if peak == 1.0 else peak, alpha=float(schedule.end) or None,
    )  # fmt: skip
