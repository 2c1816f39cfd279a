"""Library-neutral words for a recorded setting become our optimizers and schedules; one step is one epoch here.

The rule that the knobs stand for is in `sweep.learning.optimizers.base`; the schedules' formulas are in
`sweep.learning.schedules.formulas`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from sweep.errors import DataError, UsageError, unknown
from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Array
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import AdaGrad, Momentum, RMSProp, Sgd
from sweep.learning.schedules.base import Annealed, Schedule
from sweep.learning.schedules.formulas import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    InverseScaling,
    InverseTime,
    Join,
    Piecewise,
    Plateau,
    Polynomial,
    Ramps,
    Step,
)  # fmt: skip
from sweep.parity.recordings import Knobs

Timed = tuple[float, Schedule]  # the base rate, and the schedule's factors of it
Words = Mapping[str, Any]


def configuration(knobs: Knobs, schedule: Words, owner: str) -> Configuration:
    """The configuration that a recorded run stands for.

    Raises
    ------
    DataError
        The words are not of the format; `owner` says whose they are.
    """
    rate, rule = timed(schedule, owner)
    try:
        return Configuration(rate, optimizer(knobs), rule)
    except UsageError as error:
        raise DataError(f"{owner}: {error}") from error


def timed(schedule: Words, owner: str) -> Timed:
    """The base rate and the schedule that recorded words stand for; errors as in `configuration`."""
    kind = str(schedule.get("kind"))
    if kind not in KINDS:
        raise DataError(f"{owner}: {unknown('schedule', kind, KINDS)}")
    try:
        return KINDS[kind](schedule)
    except KeyError as error:
        raise DataError(f"{owner}: schedule {kind} needs {error.args[0]!r}") from error
    except (TypeError, ValueError, ZeroDivisionError, IndexError, UsageError) as error:
        raise DataError(f"{owner}: schedule {kind}: {error}") from error


def optimizer(knobs: Knobs) -> Optimizer:
    """The optimizer with these knobs."""
    pull = {
        "rate_decay": knobs.lr_decay,
        "weight_decay": knobs.weight_decay,
        "weight_decay_decoupled": knobs.weight_decay_mode == "decoupled",
        "weight_decay_biases": knobs.weight_decay_biases,
        "weight_decay_over_batch": knobs.weight_decay_over_batch,
    }
    velocity = {
        "momentum": knobs.momentum,
        "nesterov": knobs.nesterov,
        "dampening": knobs.dampening,
        "rate_in_velocity": knobs.lr_in_velocity,
    }
    cache = {"initial_cache": knobs.cache_init, "epsilon": knobs.eps, "epsilon_inside": knobs.eps_inside_sqrt}
    if knobs.rule == "adagrad":
        return AdaGrad(**cache, **velocity, **pull)
    if knobs.rule == "rmsprop":
        kept = {"decay": knobs.rho, "centered": knobs.centered, "bias_correction": knobs.bias_correction}
        return RMSProp(**kept, **cache, **velocity, **pull)
    return Momentum(**velocity, **pull) if knobs.momentum else Sgd(**pull)


def _constant(words: Words) -> Timed:
    return words["lr"], Constant()


def _table(words: Words) -> Timed:
    values = words["values"]
    return values[0], Piecewise(
        boundaries=tuple(map(float, range(1, len(values)))), factors=_over(values[1:], values[0])
    )


def _exponential(words: Words) -> Timed:
    rate, every, more = words["lr"], words["every"], {"hold": words.get("begin") or 0.0}
    if words.get("floor"):
        more["floor"] = words["floor"] / rate
    if words.get("staircase"):
        return rate, Step(every=every, divisor=1.0 / words["rate"], **more)
    return rate, Exponential(rate=-math.log(words["rate"]) / every, **more)


def _natural_exp(words: Words) -> Timed:
    if words.get("staircase"):
        return words["lr"], Step(every=words["every"], divisor=math.exp(words["k"]))
    return words["lr"], Exponential(rate=words["k"] / words["every"])


def _inverse_time(words: Words) -> Timed:
    every = words["every"]
    return words["lr"], InverseTime(rate=words["k"] / every, every=every if words.get("staircase") else 0.0)


def _piecewise(words: Words) -> Timed:
    first, *later = words["values"]
    after = {"at": False, "after": True}[words["switch"]]
    return first, Piecewise(boundaries=tuple(words["boundaries"]), factors=_over(later, first), after=after)


def _polynomial(words: Words) -> Timed:
    rate, end, steps = words["lr"], words["end"], words["steps"]
    begin = words.get("begin") or 0.0
    if _is_warm_up(words):
        return end, Constant(warmup=steps, warmup_start=rate / end)
    cycle = bool(words.get("cycle"))
    return rate, Polynomial(end=end / rate, duration=begin + steps, power=words["power"], cycle=cycle, hold=begin)


def _is_warm_up(words: Words) -> bool:
    """Whether these words stand for a straight line upwards from the start."""
    rising = words["kind"] == "polynomial" and words["end"] > words["lr"] and words["power"] == 1
    return bool(rising and not words.get("begin") and not words.get("cycle"))


def _cosine(words: Words) -> Timed:
    bounce = not words.get("clamp", True)
    exponent = words.get("exponent", 1.0)
    return words["lr"], Cosine(end=words["alpha"], duration=words["steps"], exponent=exponent, bounce=bounce)


def _cosine_restarts(words: Words) -> Timed:
    return words["lr"], CosineRestarts(
        first=words["first"], period_factor=words["t_mul"], peak_factor=words["m_mul"], end=words["alpha"]
    )


def _join(words: Words) -> Timed:
    """A warm-up before one schedule is that schedule's own; all else is a chain."""
    first, *later = words["parts"]
    boundaries = words["boundaries"]
    if len(later) == 1 and _is_warm_up(first) and boundaries[0] == first["steps"]:
        rate, rule = timed(later[0], "part 2")
        if rate == first["end"] and not rule.warmup and not isinstance(rule, Join):
            ramp: dict[str, Any] = {"warmup": boundaries[0], "warmup_start": first["lr"] / first["end"]}
            if isinstance(rule, Annealed):
                ramp["duration"] = rule.duration + boundaries[0]
            return rate, replace(rule, **ramp)
    rates, rules = zip(*(timed(part, f"part {i}") for i, part in enumerate(words["parts"], start=1)), strict=True)
    return rates[0], Join(parts=rules, boundaries=tuple(boundaries), scales=_over(rates, rates[0]))


def _interp(words: Words) -> Timed:
    (begin, first), *later = words["points"]
    cosine = {"cos": True, "linear": False}[words["shape"]]
    times, values = zip(*later, strict=True)
    rule = Ramps(times=tuple(t - begin for t in times), factors=_over(values, first), cosine=cosine)
    return first, rule if begin == 0 else Join(parts=(Constant(), rule), boundaries=(begin,))


def _invscaling(words: Words) -> Timed:
    return words["lr"], InverseScaling(power=words["power"], samples=words["samples"])


def _sklearn_adaptive(words: Words) -> Timed:
    return words["lr"], Plateau(
        drop=0.2, patience=words["n_iter_no_change"], threshold=words["tol"],
        absolute=True, baseline=False, running_best=True, watch_training=True,
    )  # fmt: skip


def _plateau(words: Words) -> Timed:
    """Fire at ``bad >= patience`` is fire one epoch sooner; Keras' cooldown also ends one epoch sooner."""
    rate, patience, cooldown = words["lr"], words["patience"], words["cooldown"]
    if words["fire"] == "bad>=patience":
        patience = max(patience - 1, 0)
    if words["cooldown_rule"] == "keras":
        cooldown = max(cooldown - 1, 0)
    return rate, Plateau(
        drop=words["factor"], patience=patience, threshold=words["threshold"],
        absolute=words["threshold_mode"] == "abs", cooldown=cooldown, floor=words["min_lr"] / rate,
        least_change=words.get("min_change", 0.0) / rate, baseline=False,
    )  # fmt: skip


def _over(values: Any, base: float) -> tuple[float, ...]:
    shares: Array = np.asarray(values, dtype=np.float64) / base
    return tuple(shares.tolist())


KINDS: dict[str, Callable[[Words], Timed]] = {
    "constant": _constant, "table": _table, "exponential": _exponential, "natural_exp": _natural_exp,
    "inverse_time": _inverse_time, "piecewise": _piecewise, "polynomial": _polynomial, "cosine": _cosine,
    "cosine_restarts": _cosine_restarts, "join": _join, "interp": _interp, "invscaling": _invscaling,
    "sklearn_adaptive": _sklearn_adaptive, "plateau": _plateau,
}  # fmt: skip
