"""Optax: its optimizers, or chains of their parts; its schedules, or a function of the count."""

from __future__ import annotations

import math

from sweep.learning.configuration import Configuration
from sweep.learning.schedules.base import Annealed, Schedule
from sweep.learning.schedules.formulas import (
    Constant,
    Cosine,
    Exponential,
    Join,
    Linear,
    Piecewise,
    Plateau,
    Polynomial,
    Step,
)
from sweep.parity.lines import differences
from sweep.parity.lines.formulas import Dialect, formula
from sweep.parity.lines.plain import Plain, begun, plain
from sweep.parity.lines.units import divides, in_steps, moments
from sweep.parity.lines.writing import Draft, Lines, call, cannot, number, product

LIBRARY = "optax"
JAX = Dialect(
    exp="jnp.exp", cos="jnp.cos", pi="jnp.pi", least="jnp.minimum", most="jnp.maximum",
    choose="jnp.where({condition}, {yes}, {no})", table="jnp.array([{}])", tally="jnp.sum({count} >= {table})",
    eager=True,
)  # fmt: skip
MASK = "weights"
LEAST = 1e-30  # a threshold that no float32 loss notices: Optax wants one above 0


def lines(configuration: Configuration, steps: int) -> Lines:
    """The schedule, if the rate changes, and the optimizer; `steps` minibatches make an epoch."""
    plainly = plain(configuration, steps)
    if plainly is None:
        return cannot(LIBRARY, f"the optimizer {configuration.optimizer.name}")
    draft = begun(plainly, LIBRARY)
    if not _rate(plainly, draft):
        return cannot(LIBRARY, f"the schedule {configuration.schedule.name}")
    _differences(plainly, draft)
    _weight_mask(plainly, draft)
    draft.write(f"optimizer = {_optimizer(plainly)}")
    if plainly.plateau:
        _plateau(plainly.plateau, plainly, draft)
    return draft.finish(["import jax", "import jax.numpy as jnp"])


def _changing(p: Plain) -> bool:
    """Whether the rate is a schedule: a plateau scales the updates instead."""
    return bool(p.rate_decay) or not (p.constant or p.plateau)


def _differences(p: Plain, draft: Draft) -> None:
    """What Optax does otherwise."""
    differences.batch(p, draft)
    if p.kind == "adagrad" and p.epsilon_inside is False:
        differences.epsilon(draft, "Optax' adagrad", "eps", inside=True)
    if p.kind == "adagrad" and not (p.epsilon or p.initial_cache):
        draft.differs(
            "epsilon = 0 and initial_cache = 0: Optax leaves a parameter alone while its gradients are 0, where this "
            "divides 0 by 0."
        )
    if p.before_correction:
        differences.correction(draft, "Optax", before=False)
    if p.centered and p.bias_correction:
        draft.differs("bias_correction with centered: Optax corrects the mean gradient too.")
    if p.dampening and p.nesterov:
        draft.differs("dampening with nesterov: here the look ahead is dampened too.")


def _weight_mask(p: Plain, draft: Draft) -> None:
    if not p.biases:
        draft.write(f"{MASK} = lambda params: jax.tree.map(lambda p: p.ndim > 1, params)")


def _decay(p: Plain, factor: str = "") -> str:
    """What adds the decayed weights to the updates."""
    given = f"lambda count: -{p.strength} * {factor}" if factor else p.strength
    return call("optax.add_decayed_weights", given, mask=None if p.biases else MASK)


def _optimizer(p: Plain) -> str:
    """The optimizer: under its own name if its parts are in its order, and a chain of them if not."""
    rate = "rate" if _changing(p) else number(p.rate)
    if p.decoupled and p.kind != "adam":
        return call("optax.chain", *_parts(p, rate))
    whole = _named(p, rate)
    if whole is None:
        before = [_decay(p)] if p.weight_decay else []
        return call("optax.chain", *before, *_parts(p, rate))
    if p.weight_decay and not p.decoupled:
        return call("optax.chain", _decay(p), whole)
    return whole


def _named(p: Plain, rate: str) -> str | None:
    """Optax' own optimizer; None where it has the rate in another place, or lacks a part."""
    velocity = {"momentum": p.momentum or None, "nesterov": p.nesterov or None}
    if p.kind == "adam":
        given = {"b1": p.momentum, "b2": p.decay, "eps": p.epsilon}
        if not p.decoupled:
            return call("optax.adam", rate, **given)
        return call("optax.adamw", rate, **given, weight_decay=p.strength, mask=None if p.biases else MASK)
    if p.dampening:
        return None
    if p.kind == "sgd" and not p.inside:
        return call("optax.sgd", rate, **velocity)
    if p.kind == "adagrad" and not p.momentum:
        return call("optax.adagrad", rate, **_cache(p))
    if p.kind == "rmsprop" and p.inside is not False:
        return call("optax.rmsprop", rate, **_cache(p), centered=p.centered or None, **velocity)
    return None


def _cache(p: Plain) -> dict[str, float | None]:
    """What concerns the cache."""
    if p.kind == "adagrad":
        epsilon = product(p.epsilon, p.epsilon) if p.epsilon_inside is False else p.epsilon
        return {"initial_accumulator_value": p.initial_cache, "eps": epsilon}
    return {
        "decay": p.decay, "eps": p.epsilon, "initial_scale": p.initial_cache or None,
        "eps_in_sqrt": False if p.epsilon_inside is False else None, "bias_correction": p.bias_correction or None,
    }  # fmt: skip


def _parts(p: Plain, rate: str) -> list[str]:
    """The parts in their order: scale, dampen, then the rate before or after the velocity; decoupled weight decay."""
    parts = []
    if p.kind == "adagrad":
        parts.append(call("optax.scale_by_rss", **_cache(p)))
    if p.kind == "rmsprop":
        parts.append(call("optax.scale_by_stddev" if p.centered else "optax.scale_by_rms", **_cache(p)))
    if p.dampening:
        entering = number(product(1.0 - p.dampening))
        parts.append(f"optax.scale_by_schedule(lambda count: jnp.where(count > 0, {entering}, 1.0))")
    by_rate = call("optax.scale_by_learning_rate", rate)
    velocity = [call("optax.trace", number(p.momentum), nesterov=p.nesterov or None)] if p.momentum else []
    if p.inside:
        decay = [_decay(p, "rate(count)" if rate == "rate" else rate)] if p.decoupled else []
        return [*parts, by_rate, *velocity, *decay]
    return [*parts, *velocity, *([_decay(p)] if p.decoupled else []), by_rate]


def _plateau(rule: Plateau, p: Plain, draft: Draft) -> None:
    """A part of its own, which scales the updates of the optimizer; it fires when patience is reached."""
    if rule.warmup:
        draft.differs("warmup: it is left out: here a plateau would also scale the rates of a warm-up.")
    if p.inside:
        draft.differs(
            "rate_in_velocity = true: the plateau scales the updates, velocity included: after each change of the rate "
            "the next steps differ."
        )
    if rule.threshold and rule.running_best:
        draft.differs("running_best = true: to Optax only a loss that was progress is the best one.")
    if rule.least_change:
        draft.differs("least_change: Optax has none; it is left out.")
    threshold = float(rule.threshold)
    made = call(
        "optax.contrib.reduce_on_plateau", factor=float(rule.drop), patience=int(rule.patience) + 1,
        rtol=0.0 if rule.absolute or not threshold else threshold,
        atol=(threshold if rule.absolute else 0.0) if threshold else LEAST,
        cooldown=int(rule.cooldown), min_scale=float(rule.floor) or None,
    )  # fmt: skip
    draft.write(f"plateau = {made}")
    loss = "training_loss" if rule.watch_training else "validation_loss"
    first = "Once before training and after" if rule.baseline else "After"
    draft.say(
        f"watched = plateau.init(params) before training. {first} every epoch: _, watched = plateau.update(params, "
        f"watched, value={loss}). In every step: updates = optax.tree.scale(watched.scale, updates)."
    )


def _rate(p: Plain, draft: Draft) -> bool:
    """Write the schedule, if the rate changes; false if no formula of it is known."""
    if not _changing(p):
        return True
    schedule = Constant() if p.plateau else p.schedule
    own = None if p.rate_decay else _native(schedule, p.rate, p.steps)
    if own is not None:
        draft.write(f"rate = {own}")
        return True
    found = formula(schedule, p.steps, JAX, p.rate_decay)
    if found is None:
        return False
    body = [*found.body, f"return {number(p.rate)} * ({found.value})"]
    draft.write(*found.before, "def rate(count):", *(f"    {line}" for line in body))
    return True


def _native(schedule: Schedule, rate: float, steps: int) -> str | None:
    """Optax' own schedule, if it has one that is the same; a warm-up and a chain are joins of such."""
    warmup = in_steps(schedule.warmup, steps)
    if isinstance(schedule, Join):
        return None if warmup else _joined(schedule, rate, steps)
    running = _running(schedule, rate, steps)
    if not warmup or running is None:
        return running
    if warmup.denominator > 1:
        return None
    begin = product(float(schedule.warmup_start), rate)
    if isinstance(schedule, Constant):
        return call("optax.warmup_constant_schedule", init_value=begin, peak_value=rate, warmup_steps=int(warmup))
    if isinstance(schedule, Cosine):
        end = product(float(schedule.end), rate) or None
        exponent = None if schedule.exponent == 1.0 else float(schedule.exponent)
        return call(
            "optax.warmup_cosine_decay_schedule", init_value=begin, peak_value=rate, warmup_steps=int(warmup),
            decay_steps=str(in_steps(schedule.duration, steps)), end_value=end, exponent=exponent,
        )  # fmt: skip
    rising = call("optax.linear_schedule", number(begin), number(rate), str(warmup))
    return call("optax.join_schedules", f"[{rising}, {running}]", f"[{warmup}]")


def _joined(schedule: Join, rate: float, steps: int) -> str | None:
    boundaries = [in_steps(boundary, steps) for boundary in schedule.boundaries]
    scales = schedule.scales or (1.0,) * len(schedule.parts)
    pairs = zip(schedule.parts, scales, strict=True)
    texts = [_native(part, product(rate, float(scale)), steps) for part, scale in pairs]
    known = [text for text in texts if text is not None]
    if len(known) < len(texts) or any(boundary.denominator > 1 for boundary in boundaries):
        return None
    return call("optax.join_schedules", f"[{', '.join(known)}]", f"[{', '.join(map(str, boundaries))}]")


def _running(schedule: Schedule, rate: float, steps: int) -> str | None:
    """Optax' own schedule for what comes after the warm-up."""
    if isinstance(schedule, Constant):
        return call("optax.constant_schedule", number(rate))
    if isinstance(schedule, Step | Exponential):
        return _exponential(schedule, rate, steps)
    if isinstance(schedule, Piecewise):
        return _piecewise(schedule, rate, steps)
    if isinstance(schedule, Annealed):
        return _annealed(schedule, rate, steps)
    return None


def _exponential(schedule: Step | Exponential, rate: float, steps: int) -> str | None:
    hold, floor = in_steps(schedule.hold, steps), float(schedule.floor)
    every, share = in_steps(1.0, steps), math.exp(-float(getattr(schedule, "rate", 0.0)))
    stairs = isinstance(schedule, Step)
    if isinstance(schedule, Step):
        every, share = in_steps(schedule.every, steps), product(1.0 / float(schedule.divisor))
    if hold.denominator > 1 or every.denominator > 1 or (stairs and not divides(int(every))) or share in (0.0, 1.0):
        return None
    return call(
        "optax.exponential_decay", number(rate), transition_steps=int(every), decay_rate=share,
        transition_begin=int(hold) or None, staircase=True if stairs else None,
        end_value=product(floor, rate) or None,
    )  # fmt: skip


def _piecewise(schedule: Piecewise, rate: float, steps: int) -> str | None:
    """Optax' factors are those of the piece before."""
    places = moments(schedule, steps)
    levels = [1.0, *map(float, schedule.factors)]
    if min(places, default=0) < 1 or len(set(places)) < len(places) or not all(levels[:-1]):
        return None
    scales = {at: product(b / a) for at, a, b in zip(places, levels, levels[1:], strict=False)}
    return call("optax.piecewise_constant_schedule", number(rate), str(scales))


def _annealed(schedule: Annealed, rate: float, steps: int) -> str | None:
    hold = in_steps(schedule.hold, steps)
    left = in_steps(schedule.left(), steps)
    end = product(float(schedule.end), rate)
    if left <= 0 or left.denominator > 1 or hold.denominator > 1:
        return None
    begin = int(hold) or None
    if isinstance(schedule, Linear):
        return call("optax.linear_schedule", number(rate), number(end), str(left), transition_begin=begin)
    if isinstance(schedule, Polynomial) and float(schedule.power).is_integer() and not schedule.cycle:
        given = {"power": int(schedule.power), "transition_steps": int(left), "transition_begin": begin}
        return call("optax.polynomial_schedule", number(rate), number(end), **given)
    if isinstance(schedule, Cosine) and not schedule.bounce and not hold:
        exponent = None if schedule.exponent == 1.0 else float(schedule.exponent)
        alpha = float(schedule.end) or None
        return call("optax.cosine_decay_schedule", number(rate), str(left), alpha=alpha, exponent=exponent)
    return None
