"""PyTorch: ``torch.optim`` and ``torch.optim.lr_scheduler``; where there is no such scheduler, a ``LambdaLR``."""

from __future__ import annotations

import math
from itertools import pairwise

from sweep.learning.configuration import Configuration
from sweep.learning.schedules.base import Annealed, Falling, Schedule
from sweep.learning.schedules.formulas import (
    Cosine,
    CosineRestarts,
    Exponential,
    Linear,
    Piecewise,
    Plateau,
    Polynomial,
    Step,
)
from sweep.parity.lines import differences
from sweep.parity.lines.formulas import Dialect, formula
from sweep.parity.lines.plain import Plain, begun, plain
from sweep.parity.lines.units import moments, whole
from sweep.parity.lines.writing import Draft, Lines, call, cannot, number, product

LIBRARY = "torch"
PYTHON = Dialect()
WIDTH = 110  # columns: a longer lambda becomes a function
STEPPED = "Call scheduler.step() after every optimizer.step()."


def lines(configuration: Configuration, steps: int) -> Lines:
    """The optimizer and, if the rate changes, the scheduler; `steps` minibatches make an epoch."""
    plainly = plain(configuration, steps)
    if plainly is None:
        return cannot(LIBRARY, f"the optimizer {configuration.optimizer.name}")
    draft = begun(plainly, LIBRARY)
    decay = 0.0 if _own_decay(plainly) else plainly.rate_decay
    _optimizer(plainly, draft)
    if plainly.plateau:
        _plateau(plainly.plateau, plainly, decay, draft)
    elif (decay or not plainly.constant) and not _scheduler(plainly, decay, draft):
        return cannot(LIBRARY, f"the schedule {configuration.schedule.name}")
    return draft.finish(["import math"])


def _own_decay(p: Plain) -> bool:
    """Whether the optimizer itself divides the rate: not where another line has to know the rate."""
    return p.kind == "adagrad" and not p.decoupled


def _optimizer(p: Plain, draft: Draft) -> None:
    _differences(p, draft)
    parameters, strength = _groups(p, draft)
    given: dict[str, str | float | None] = {"lr": _rate(p)}
    match p.kind:
        case "sgd":
            given |= {"momentum": p.momentum or None, "nesterov": p.nesterov or None}
            given |= {"dampening": None if p.nesterov else p.dampening or None}
            name = "SGD"
        case "adagrad":
            decay = p.rate_decay if _own_decay(p) else 0.0
            given |= {"lr_decay": decay or None, "initial_accumulator_value": p.initial_cache or None}
            name = "Adagrad"
        case "rmsprop" if not p.is_adam:
            given |= {"alpha": p.decay, "momentum": p.momentum or None, "centered": p.centered or None}
            name = "RMSprop"
        case _:
            mean = p.momentum if p.kind == "adam" else 0.0
            given |= {"betas": f"({number(mean)}, {number(p.decay)})"}
            name = "AdamW" if p.decoupled else "Adam"
    if name != "SGD":
        given |= {"eps": _epsilon(p)}
    draft.write(f"optimizer = {call(f'torch.optim.{name}', parameters, **given, weight_decay=strength)}")
    if p.kind == "rmsprop" and not p.is_adam:
        _first_cache(p, draft)
    if p.decoupled and not p.is_adam:
        _decoupled(p, draft)


def _rate(p: Plain) -> float:
    """The rate; it makes up for a velocity and a dampening that cannot be had."""
    if p.kind == "adagrad":
        return product(p.rate, (1.0 - p.dampening) / (1.0 - p.momentum))
    return p.rate if _has_dampening(p) else product(p.rate, 1.0 - p.dampening)


def _has_dampening(p: Plain) -> bool:
    return not p.dampening or (p.kind == "sgd" and not p.nesterov)


def _epsilon(p: Plain) -> float:
    return math.sqrt(p.epsilon) if p.epsilon_inside else p.epsilon


def _differences(p: Plain, draft: Draft) -> None:
    """What PyTorch does otherwise, and what of it these lines make up for."""
    if p.epsilon_inside:
        differences.epsilon(draft, "PyTorch", "eps", inside=False)
    if p.before_correction:
        differences.correction(draft, "PyTorch", before=False)
    if p.inside and p.kind != "adagrad":
        differences.rate(draft, "PyTorch", inside=False)
    if not _has_dampening(p) and p.kind != "adagrad":
        draft.differs(
            "dampening: PyTorch has it in SGD without Nesterov only. The rate here is multiplied by 1 - dampening "
            "instead: the undampened first push, and Nesterov's look ahead, differ."
        )
    differences.velocity(p, draft, "PyTorch's")
    if p.bias_correction and not p.is_adam:
        draft.differs("bias_correction = true: PyTorch's RMSprop has none; it is left out: the first steps are larger.")


def _groups(p: Plain, draft: Draft) -> tuple[str, str | None]:
    """The parameters, and the optimizer's own weight decay, if the decay is in the gradient or the optimizer AdamW."""
    own = not p.decoupled or p.is_adam
    differences.batch(p, draft)
    if not (own and p.weight_decay):
        return "model.parameters()", None
    if p.biases:
        return "model.parameters()", p.strength
    draft.write(
        f'weights = {{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": {p.strength}}}',
        'biases = {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}',
    )
    return "[weights, biases]", None


def _first_cache(p: Plain, draft: Draft) -> None:
    """RMSprop's cache is made at the first step, unless it is there."""
    if not p.initial_cache:
        return
    state = f'"step": torch.tensor(0.0), "square_avg": torch.full_like(p, {number(p.initial_cache)})'
    if p.momentum:
        state += ', "momentum_buffer": torch.zeros_like(p)'
    if p.centered:
        state += ', "grad_avg": torch.zeros_like(p)'
    draft.write("for p in model.parameters():", f"    optimizer.state[p] = {{{state}}}")
    draft.say("initial_cache: PyTorch's RMSprop has no argument for it; the state is set before the first step.")


def _decoupled(p: Plain, draft: Draft) -> None:
    shrink = f'p.data.mul_(1 - group["lr"] * {p.strength})'
    draft.write(
        "def shrink(optimizer, args, kwargs):  # decoupled weight decay, as in AdamW",
        "    for group in optimizer.param_groups:",
        '        for p in group["params"]:',
        *([f"            {shrink}"] if p.biases else ["            if p.ndim > 1:", f"                {shrink}"]),
        "optimizer.register_step_pre_hook(shrink)",
    )


def _plateau(rule: Plateau, p: Plain, decay: float, draft: Draft) -> None:
    if rule.warmup:
        draft.differs("warmup: PyTorch's ReduceLROnPlateau has none; it is left out.")
    if decay:
        draft.differs("rate_decay: PyTorch cannot have it together with ReduceLROnPlateau; it is left out.")
    if rule.running_best and rule.threshold:
        draft.differs("running_best = true: to PyTorch only a loss that was progress is the best one.")
    made = call(
        "torch.optim.lr_scheduler.ReduceLROnPlateau", "optimizer", factor=float(rule.drop), patience=int(rule.patience),
        threshold=float(rule.threshold), threshold_mode='"abs"' if rule.absolute else None,
        cooldown=int(rule.cooldown) or None, min_lr=product(float(rule.floor), p.rate) or None,
        eps=product(float(rule.least_change), p.rate),
    )  # fmt: skip
    draft.write(f"scheduler = {made}")
    loss = "training_loss" if rule.watch_training else "validation_loss"
    first = "once before training and " if rule.baseline else ""
    draft.say(f"Call scheduler.step({loss}) {first}after every epoch.")


def _scheduler(p: Plain, decay: float, draft: Draft) -> bool:
    """Write the scheduler; false if no formula of the schedule is known."""
    schedule = p.schedule
    made = None if decay or schedule.warmup else _native(schedule, p)
    if made is None:
        found = formula(schedule, p.steps, PYTHON, decay)
        if found is None:
            return False
        draft.write(*found.before)
        made = call("LambdaLR", "optimizer", f"lambda count: {found.value}")
        if found.body or len(made) > WIDTH - len("scheduler = torch.optim.lr_scheduler."):
            body = [f"    {line}" for line in (*found.body, f"return {found.value}")]
            draft.write("def factor(count):", *body)
            made = call("LambdaLR", "optimizer", "factor")
    draft.write(f"scheduler = torch.optim.lr_scheduler.{made}")
    draft.say(STEPPED)
    if isinstance(schedule, Cosine) and made.startswith("LambdaLR") and not schedule.bounce:
        draft.say("PyTorch's own CosineAnnealingLR goes up again after the end; this stays there.")
    return True


def _native(schedule: Schedule, p: Plain) -> str | None:
    """PyTorch's own scheduler, if it has one that is the same."""
    if isinstance(schedule, Falling) and (schedule.hold or schedule.floor):
        return None
    if isinstance(schedule, Annealed):
        return _annealed(schedule, p)
    if isinstance(schedule, Step):
        every = whole(schedule.every, p.steps)
        share = product(1.0 / float(schedule.divisor))
        return call("StepLR", "optimizer", step_size=every, gamma=share) if every else None
    if isinstance(schedule, Exponential):
        return call("ExponentialLR", "optimizer", gamma=math.exp(-float(schedule.rate) / p.steps))
    if isinstance(schedule, Piecewise):
        return _milestones(schedule, p)
    if isinstance(schedule, CosineRestarts):
        first, growth = whole(schedule.first, p.steps), float(schedule.period_factor)
        if first and growth.is_integer() and schedule.peak_factor == 1.0:
            least = product(float(schedule.end), p.rate) or None
            name = "CosineAnnealingWarmRestarts"
            return call(name, "optimizer", T_0=first, T_mult=int(growth) if growth > 1 else None, eta_min=least)
    return None


def _annealed(schedule: Annealed, p: Plain) -> str | None:
    length, end = whole(schedule.duration, p.steps), float(schedule.end)
    if length is None or schedule.hold:
        return None
    if isinstance(schedule, Linear) and end <= 1.0:
        return call("LinearLR", "optimizer", start_factor=1.0, end_factor=end, total_iters=length)
    if isinstance(schedule, Polynomial) and not end and not schedule.cycle:
        return call("PolynomialLR", "optimizer", total_iters=length, power=float(schedule.power))
    if isinstance(schedule, Cosine) and schedule.bounce and schedule.exponent == 1.0:
        return call("CosineAnnealingLR", "optimizer", T_max=length, eta_min=product(end, p.rate) or None)
    return None


def _milestones(schedule: Piecewise, p: Plain) -> str | None:
    """MultiStepLR knows one ratio only."""
    steps = moments(schedule, p.steps)
    levels = [1.0, *map(float, schedule.factors)]
    if min(steps, default=0) < 1 or len(set(steps)) < len(steps) or not all(levels):
        return None
    first, *others = [product(b / a) for a, b in pairwise(levels)]
    if not all(math.isclose(first, other, rel_tol=1e-12) for other in others):
        return None
    return call("MultiStepLR", "optimizer", milestones=str(steps), gamma=first)
