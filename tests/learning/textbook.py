"""Oracles for one scalar: what the optimizers and the schedules do, written from the formulas of the references.

Nothing here is stacked, compiled or folded into coefficients: a closure for each parameter, a loop for each count. If
the program and an oracle disagree, read the oracle first: it is meant to be seen right at a glance. A newcomer's oracle
goes into `OPTIMIZERS`, with its effective rate in `EFFECTIVE`, or into `SCHEDULES`; until then its tests are skipped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from typing import Any

import pytest


def need(name: str, table: Container[str], where: str) -> None:
    """Skip for a newcomer that has no oracle yet; `where` is the table in which one is wanted."""
    if name not in table:
        pytest.skip(f"no oracle for {name}: wanted in {where} of tests/learning/textbook.py")


# ---------------------------------------------------------------------------------------------------------- optimizers
# Each one is made for one scalar parameter and remembers its own past: ``step(gradient, rate)`` is to be subtracted.

Stepper = Callable[[float, float], float]


def sgd() -> Stepper:
    return lambda gradient, rate: rate * gradient


def momentum(*, momentum: float, nesterov: bool, dampening: float, rate_in_velocity: bool) -> Stepper:
    """Sutskever et al. 2013; PyTorch's dampening, which leaves the first push alone; without momentum no velocity."""
    velocity, first = 0.0, True

    def step(push: float, rate: float) -> float:
        nonlocal velocity, first
        if momentum == 0:
            return rate * push
        inside, outside = (rate, 1.0) if rate_in_velocity else (1.0, rate)
        share = 1.0 if first else 1 - dampening
        first = False
        velocity = momentum * velocity + inside * share * push
        if nesterov:
            return outside * (momentum * velocity + inside * push)
        return outside * velocity

    return step


def adagrad(*, epsilon: float, initial_cache: float, epsilon_inside: bool, **velocity: Any) -> Stepper:
    total, move = initial_cache, momentum(**velocity)

    def step(gradient: float, rate: float) -> float:
        nonlocal total
        total += gradient * gradient
        return move(gradient / root(total, epsilon, epsilon_inside), rate)

    return step


def root(square: float, epsilon: float, inside: bool) -> float:
    """What a gradient is divided by."""
    return math.sqrt(square + epsilon) if inside else math.sqrt(square) + epsilon


def rmsprop(
    *,
    decay: float,
    epsilon: float,
    initial_cache: float,
    epsilon_inside: bool,
    centered: bool,
    bias_correction: bool,
    **velocity: Any,
) -> Stepper:
    t, mean_square, mean, move = 0, initial_cache, 0.0, momentum(**velocity)

    def step(gradient: float, rate: float) -> float:
        nonlocal t, mean_square, mean
        t += 1
        mean_square = decay * mean_square + (1 - decay) * gradient * gradient
        variance = mean_square / (1 - decay**t) if bias_correction else mean_square
        if centered:
            mean = decay * mean + (1 - decay) * gradient
            variance -= mean * mean
        return move(gradient / root(variance, epsilon, epsilon_inside), rate)

    return step


def adam(*, momentum: float, decay: float, epsilon: float, epsilon_before_correction: bool) -> Stepper:
    """Kingma and Ba 2015: algorithm 1 line by line, or in the form at the end of section 2, with another epsilon."""
    t, m, v = 0, 0.0, 0.0

    def step(gradient: float, rate: float) -> float:
        nonlocal t, m, v
        t += 1
        m = momentum * m + (1 - momentum) * gradient
        v = decay * v + (1 - decay) * gradient * gradient
        if epsilon_before_correction:
            rate_now = rate * math.sqrt(1 - decay**t) / (1 - momentum**t)
            return rate_now * m / (math.sqrt(v) + epsilon)
        m_hat = m / (1 - momentum**t)
        v_hat = v / (1 - decay**t)
        return rate * m_hat / (math.sqrt(v_hat) + epsilon)

    return step


OPTIMIZERS: dict[str, Callable[..., Stepper]] = {
    "sgd": sgd, "momentum": momentum, "nesterov": momentum, "adagrad": adagrad, "rmsprop": rmsprop, "adam": adam,
}  # fmt: skip

Mover = Callable[[float, float, float, int], float]


def optimizer(name: str, constants: dict[str, Any], *, bias: bool = False) -> Mover:
    """With the decays of the rate and of the parameter, given the minibatch's size as well.

    ``change(parameter, gradient, rate, samples)`` is to be subtracted.
    """
    own = dict(constants)
    rate_decay, weight_decay = own.pop("rate_decay"), own.pop("weight_decay")
    decoupled, over_batch = own.pop("weight_decay_decoupled"), own.pop("weight_decay_over_batch")
    decays_biases = own.pop("weight_decay_biases")
    step, updates = OPTIMIZERS[name](**own), 0

    def change(parameter: float, gradient: float, rate: float, samples: int) -> float:
        nonlocal updates
        rate = rate / (1 + rate_decay * updates)
        updates += 1
        pull: float = weight_decay / samples if over_batch else weight_decay
        if bias and not decays_biases:
            pull = 0.0
        if decoupled:
            return rate * pull * parameter + step(gradient, rate)
        return step(gradient + pull * parameter, rate)

    return change


# ------------------------------------------------------------------------------------------------------ effective rates
# What a (mean) gradient is multiplied by, for one scalar, from all gradients so far; velocity is left aside.


def rate_alone(gradients: Sequence[float], rate: float) -> float:
    return rate


def rate_of_adagrad(
    gradients: Sequence[float], rate: float, *, epsilon: float, initial_cache: float, epsilon_inside: bool
) -> float:
    return rate / root(initial_cache + sum(g * g for g in gradients), epsilon, epsilon_inside)


def rate_of_rmsprop(
    gradients: Sequence[float],
    rate: float,
    *,
    decay: float,
    epsilon: float,
    initial_cache: float,
    epsilon_inside: bool,
    centered: bool,
    bias_correction: bool,
) -> float:
    cache, mean = initial_cache, 0.0
    for g in gradients:
        cache = decay * cache + (1 - decay) * g * g
        mean = decay * mean + (1 - decay) * g
    if bias_correction:
        cache /= 1 - decay ** len(gradients)
    variance = cache - mean**2 if centered else cache
    return rate / root(variance, epsilon, epsilon_inside)


def rate_of_adam(
    gradients: Sequence[float],
    rate: float,
    *,
    momentum: float,
    decay: float,
    epsilon: float,
    epsilon_before_correction: bool,
) -> float:
    cache, t = 0.0, len(gradients)
    for g in gradients:
        cache = decay * cache + (1 - decay) * g * g
    if epsilon_before_correction:
        return rate * math.sqrt(1 - decay**t) / (math.sqrt(cache) + epsilon)
    return rate / (math.sqrt(cache / (1 - decay**t)) + epsilon)


EFFECTIVE: dict[str, Callable[..., float]] = {
    "sgd": rate_alone, "momentum": rate_alone, "nesterov": rate_alone,
    "adagrad": rate_of_adagrad, "rmsprop": rate_of_rmsprop, "adam": rate_of_adam,
}  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- schedules
# Each one gives the factor at `time` epochs after its warm-up, from plain numbers; `losses` are the validation and the
# training loss of each epoch so far, the first pair from before training. A boundary is reached a little too soon,
# as times are quotients: by less than one update of a billion in an epoch.

NEAR = 1e-9
Losses = Sequence[tuple[float, float]]


def whole(time: float, length: float) -> int:
    """How many whole lengths have passed."""
    count = 0
    while time >= (count + 1) * length - NEAR:
        count += 1
    return count


def constant(time: float, losses: Losses) -> float:
    return 1.0


def step(time: float, losses: Losses, *, every: float, divisor: float, hold: float, floor: float) -> float:
    factor = 1.0
    for _ in range(whole(time - hold, every)):
        factor /= divisor
    return max(factor, floor)


def exponential(time: float, losses: Losses, *, rate: float, hold: float, floor: float) -> float:
    return max(math.exp(-rate * max(time - hold, 0.0)), floor)


def inverse_time(time: float, losses: Losses, *, rate: float, every: float, hold: float, floor: float) -> float:
    passed = max(time - hold, 0.0)
    if every > 0:
        passed = every * whole(passed, every)
    return max(1 / (1 + rate * passed), floor)


def inverse_scaling(time: float, losses: Losses, *, power: float, samples: float) -> float:
    """scikit-learn's t_ is the number of samples seen; it sets the rate after each epoch."""
    seen = samples * whole(time, 1.0)
    return float((seen + 1) ** -power)


def piecewise(
    time: float, losses: Losses, *, boundaries: Sequence[float], factors: Sequence[float], after: bool
) -> float:
    passed = 0
    for boundary in boundaries:
        passed += time > boundary + NEAR if after else time >= boundary - NEAR
    return factors[passed - 1] if passed else 1.0


def ramps(time: float, losses: Losses, *, times: Sequence[float], factors: Sequence[float], cosine: bool) -> float:
    begin, level = 0.0, 1.0
    for end, goal in zip(sorted(times), factors, strict=True):
        if time < end - NEAR:
            share = max(time - begin, 0.0) / (end - begin)
            if cosine:
                share = (1 - math.cos(math.pi * share)) / 2
            return level + (goal - level) * share
        begin, level = end, goal
    return level


def plateau(
    time: float,
    losses: Losses,
    *,
    drop: float,
    patience: float,
    threshold: float,
    absolute: bool,
    cooldown: float,
    floor: float,
    least_change: float,
    baseline: bool,
    running_best: bool,
    watch_training: bool,
) -> float:
    """PyTorch's ReduceLROnPlateau, step by step; `running_best` is what scikit-learn does."""
    if not losses:
        return 1.0
    before, *later = [training if watch_training else validation for validation, training in losses]
    factor, best, bad, resting = 1.0, before if baseline else math.inf, 0, 0.0
    for loss in later:
        mark = best - threshold if absolute else best * (1 - threshold)
        if loss < mark or (running_best and loss == mark):
            best, bad = loss, 0
        else:
            bad += 1
        if running_best and loss < best:
            best = loss
        if resting > 0:
            resting, bad = resting - 1, 0
        if bad > patience:
            lower = max(factor * drop, floor)
            if factor - lower > least_change:
                factor = lower
            resting, bad = cooldown, 0
    return factor


def gone(time: float, duration: float, hold: float) -> float:
    """How much of the way from the hold to the duration is gone; all of it afterwards."""
    passed, way = max(time - hold, 0.0), duration - hold
    return passed / way if passed < way else 1.0


def linear(time: float, losses: Losses, *, end: float, duration: float, hold: float) -> float:
    return 1 - (1 - end) * gone(time, duration, hold)


def polynomial(
    time: float, losses: Losses, *, end: float, duration: float, hold: float, power: float, cycle: bool
) -> float:
    """Keras: with a cycle the way grows by its first length whenever it has been gone."""
    passed, rounds = max(time - hold, 0.0), 1
    while cycle and passed > rounds * (duration - hold) + NEAR:
        rounds += 1
    way = rounds * (duration - hold)
    left = 1 - min(passed, way) / way
    return float((1 - end) * left**power + end)


def cosine(
    time: float, losses: Losses, *, end: float, duration: float, hold: float, exponent: float, bounce: bool
) -> float:
    """Optax's, with an exponent; without a clamp it is PyTorch's."""
    share = gone(time, duration, hold)
    if bounce:
        share = max(time - hold, 0.0) / (duration - hold)
    return float((1 - end) * (0.5 * (1 + math.cos(math.pi * share))) ** exponent + end)


def cosine_restarts(
    time: float, losses: Losses, *, first: float, period_factor: float, peak_factor: float, end: float
) -> float:
    begin, length, peak = 0.0, first, 1.0
    while time >= begin + length - NEAR:
        begin, length, peak = begin + length, length * period_factor, peak * peak_factor
    share = max(time - begin, 0.0) / length
    return (1 - end) * peak * 0.5 * (1 + math.cos(math.pi * share)) + end


SCHEDULES: dict[str, Callable[..., float]] = {
    "constant": constant, "step": step, "exponential": exponential, "inverse_time": inverse_time,
    "inverse_scaling": inverse_scaling, "piecewise": piecewise, "ramps": ramps, "plateau": plateau,
    "linear": linear, "polynomial": polynomial, "cosine": cosine, "cosine_restarts": cosine_restarts,
}  # fmt: skip


def factor(name: str, time: float, constants: dict[str, Any], losses: Losses = ()) -> float:
    """A schedule's factor with its warm-up: a ramp, and then the schedule from its own start; the end stays put."""
    own = dict(constants)
    warmup, start = own.pop("warmup"), own.pop("warmup_start")
    if time < warmup:
        return float(start + (1 - start) * time / warmup)
    if {"duration", "hold"} <= own.keys():  # counted from the start of the training
        own["duration"] -= warmup
        if own["duration"] <= own["hold"]:
            return 1.0 if time - warmup < own["hold"] else float(own["end"])  # no way is left to go
    return SCHEDULES[name](time - warmup, losses, **own)
