"""The lesson of the initial cache: RMSProp with the cache at 0 and at 1, beside each other.

From 0 the first update divides by ``sqrt(1 - decay)`` times the gradient: at decay 0.9 a step is 3.2 rates long,
whatever the gradient. From 1 it is about the rate times the gradient, and the 1 fades as ``decay ** t``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sweep.learning.configuration import Configuration
from sweep.learning.optimizers.rules import RMSProp
from sweep.learning.training.population import Population
from sweep.parity.comparing import train_problem
from sweep.parity.recordings import Problem

RATE = 0.01
SHOWN = (1, 2, 3, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True, slots=True)
class Start:
    """What one first value of the cache does; lists over the shown iterations.

    `effective` is the effective rate, rate / (sqrt(cache) + epsilon), over the nominal rate; `step` how far a parameter
    moves, over the nominal rate; both the median over the parameters. `loss` is the minibatch's, before its update.
    """

    initial_cache: float
    effective: list[float]
    step: list[float]
    loss: list[float]


@dataclass(frozen=True, slots=True)
class Lesson:
    """The two starts, at the same rate and decay, on the same problem; `iterations` are counted from 1."""

    rate: float
    decay: float
    iterations: list[int]
    starts: list[Start]


def lesson(problem: Problem) -> Lesson:
    """Train both on the problem, in one population, and watch."""
    rules = [RMSProp(initial_cache=cache) for cache in (0.0, 1.0)]
    shown = [t for t in SHOWN if t <= len(problem.order)]
    effective, step = np.zeros((2, 2, len(problem.order)))
    before = np.empty(0)

    def watch(epoch: int, population: Population) -> None:
        nonlocal before
        now = population.network.parameters.copy()
        if epoch:
            effective[population.trials, epoch - 1] = np.median(population.effective_rates(), axis=1) / RATE
            step[population.trials, epoch - 1] = np.median(np.abs(now - before), axis=1) / RATE
        before = now

    configurations = [Configuration(RATE, rule) for rule in rules]
    trained = train_problem(problem, configurations, problem.minibatches[:, None], "float64", watch)
    at = np.array(shown, dtype=int) - 1
    starts = [
        Start(
            float(np.asarray(rule.initial_cache)),
            effective[k, at].tolist(),
            step[k, at].tolist(),
            trained.train_loss[k, 0, 1:][at].tolist(),
        )
        for k, rule in enumerate(rules)
    ]
    return Lesson(RATE, float(np.asarray(rules[0].decay)), shown, starts)
