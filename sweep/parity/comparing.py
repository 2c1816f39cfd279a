"""Our trainings beside recorded ones: the largest relative difference of loss, weights and rates.

The trainer and the formulas are those of a sweep; runs of equal shape and precision are one stacked population. One
iteration is one epoch here, so that the trainer's loss of an epoch is the loss of an iteration, and schedules, which
are measured in epochs, run in steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from sweep.errors import DataError
from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.hyper import Array
from sweep.learning.schedules.base import Schedule
from sweep.learning.training.loop import Script, Training, Watch, train
from sweep.learning.training.population import Population
from sweep.learning.training.settings import Settings
from sweep.parity import words
from sweep.parity.recordings import Problem, Rates, Recordings, Run

# The largest differences that pass: the same mathematics in another order of operations gives 1e-14 and 2e-5.
TOLERANCES = {"float64": 1e-9, "float32": 1e-4}


@dataclass(frozen=True, slots=True)
class Curves:
    """One training: loss per iteration, final parameters, rate per iteration."""

    loss: Array
    final: Array
    rates: Array


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours beside theirs: one setting of one library.

    `loss` is the largest relative difference at any iteration; `weights` and `rates` the largest difference relative
    to the largest weight or rate. None: not recorded. `curves` are the two losses, ours and theirs, to be drawn.
    """

    library: str
    setting: str
    optimizer: str
    schedule: str
    problem: str
    dtype: str
    loss: float | None
    weights: float | None
    rates: float | None
    tolerance: float
    curves: tuple[Array, Array] | None = None

    @property
    def worst(self) -> float:
        """The largest of the differences."""
        return max(value for value in (self.loss, self.weights, self.rates) if value is not None)

    @property
    def passed(self) -> bool:
        """Whether all differences are within the tolerance."""
        return self.worst <= self.tolerance


def relative(ours: Array, theirs: Array, scale: Array | float) -> float:
    """The largest difference over `scale`; infinite where one of two numbers is not finite and the other is another."""
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = np.where(same, 0.0, np.abs(ours - theirs) / scale)
    return float(np.max(np.where(np.isnan(difference), np.inf, difference), initial=0.0))


def largest(values: Array) -> float:
    """The largest finite number, by absolute value."""
    return float(np.max(np.abs(values[np.isfinite(values)]), initial=0.0)) or 1.0


def compare_runs(recordings: Recordings, *, compiled: bool | None = None) -> list[Comparison]:
    """Train all recorded runs again, stacked where shapes allow, and compare; in the order of the recordings."""
    curves = train_runs(recordings, recordings.runs, compiled=compiled)
    return [compare(run, ours) for run, ours in zip(recordings.runs, curves, strict=True)]


def compare(run: Run, ours: Curves) -> Comparison:
    """One recorded run beside ours."""
    library, setting = _named(run.id)
    return Comparison(
        library=library, setting=setting, optimizer=run.knobs.rule, schedule=run.schedule["kind"],
        problem=run.problem, dtype=run.dtype,
        loss=relative(ours.loss, run.loss, np.abs(run.loss)),
        weights=relative(ours.final, run.final, largest(run.final)),
        rates=None if run.lr is None else relative(ours.rates, run.lr, largest(run.lr)),
        tolerance=TOLERANCES[run.dtype], curves=(ours.loss, run.loss),
    )  # fmt: skip


def _named(identity: str) -> tuple[str, str]:
    """The library and the setting of ``library/setting/precision``."""
    library, _, setting = identity.partition("/")
    return library, setting.rsplit("/", 1)[0]


def train_runs(recordings: Recordings, runs: Sequence[Run], *, compiled: bool | None = None) -> list[Curves]:
    """Train what the runs stand for; those of one problem, precision and length as one population."""

    def shape(index: int) -> tuple[Any, ...]:
        run = runs[index]
        return run.problem, run.dtype, run.order or "", run.iterations

    found: dict[int, Curves] = {}
    for (problem, *_), members in groupby(sorted(range(len(runs)), key=shape), key=shape):
        chosen = list(members)
        curves = _train(recordings.problems[problem], [runs[i] for i in chosen], compiled)
        found |= dict(zip(chosen, curves, strict=True))
    return [found[i] for i in range(len(runs))]


def _train(problem: Problem, runs: Sequence[Run], compiled: bool | None) -> Iterator[Curves]:
    configurations = [words.configuration(run.knobs, run.schedule, run.id) for run in runs]
    orders = problem.minibatches[:, None]
    if runs[0].order == "sequential":
        orders = np.tile(np.arange(len(problem.x)), (runs[0].iterations, 1, 1))
    penalty = _Penalty(runs, problem, orders.shape[-1])
    result = train_problem(problem, configurations, orders, runs[0].dtype, penalty, compiled)
    for k, run in enumerate(runs):
        loss = result.train_loss[k, 0, 1:]
        if run.loss_includes_l2:
            loss = loss + penalty.values[k]
        yield Curves(loss, result.parameters[k, 0].astype(float), result.learning_rate[k, 0, 1:])


def train_problem(
    problem: Problem,
    configurations: Sequence[Configuration],
    orders: Array,
    dtype: str,
    watch: Watch | None = None,
    compiled: bool | None = None,
) -> Training:
    """Train configurations on a problem from its own initial parameters; `orders` as in `Script`."""
    samples, few = Part(problem.x, problem.targets), Part(problem.x[:1], problem.targets[:1])
    data = Data("classification", samples, few, few, np.arange(problem.classes), None, None, "")
    batch = problem.order.shape[1]
    settings = Settings(problem.hidden, problem.activation, "he", dtype, len(orders), batch)
    script = Script(problem.initial[None], orders)
    return train(configurations, data, settings, 0, script=script, watch=watch, compiled=compiled)


class _Penalty:
    """scikit-learn's reported loss holds half the squared weights, times weight_decay, over the batch; watched here."""

    def __init__(self, runs: Sequence[Run], problem: Problem, samples: int) -> None:
        batch = problem.order.shape[1]
        for run in runs:
            if run.loss_includes_l2 and samples != batch:
                raise DataError(f"{run.id}: loss_includes_l2 goes with one minibatch an iteration, not with epochs")
        self._share = np.array([run.knobs.weight_decay / 2 / batch for run in runs])
        self.values = np.zeros((len(runs), runs[0].iterations))

    def __call__(self, epoch: int, population: Population) -> None:
        if epoch < self.values.shape[1]:
            network = population.network
            weights = np.where(network.architecture.biases, 0.0, network.parameters.astype(float))
            self.values[population.trials, epoch] = self._share[population.trials] * (weights**2).sum(axis=1)


def compare_rates(recordings: Recordings) -> list[Comparison]:
    """Give each recorded schedule its times, and its metrics if it watches them, and compare the rates."""
    return [_compare_rates(rates, recordings.metrics) for rates in recordings.schedules]


def _compare_rates(recorded: Rates, metrics: Array) -> Comparison:
    base, schedule = words.timed(recorded.schedule, recorded.id)
    ours = base * factors(schedule, len(recorded.lr), metrics)
    library, setting = _named(recorded.id)
    return Comparison(
        library=library, setting=setting, optimizer="", schedule=recorded.schedule["kind"],
        problem="", dtype=recorded.dtype, loss=None, weights=None,
        rates=relative(ours, recorded.lr, largest(recorded.lr)), tolerance=TOLERANCES[recorded.dtype],
    )  # fmt: skip


def factors(schedule: Schedule, steps: int, metrics: Array) -> Array:
    """A schedule's factor at epochs 0, 1, ...; after each epoch it is shown a metric, if there are any."""
    times = np.arange(float(steps))
    state = schedule.start(*(np.full((1, 1), np.inf),) * 2)
    if not state:
        return schedule.factor(times).reshape(-1)
    seen = []
    for time, metric in zip(times, metrics, strict=False):
        seen.append(schedule.factor(time, state).item())
        state = schedule.observe(state, *(np.full((1, 1), metric),) * 2)
    return np.array(seen)
