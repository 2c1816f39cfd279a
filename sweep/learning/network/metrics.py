"""What is measured of a network on a part of the data, and the table of it: its loss, its error, and others.

A metric is a function of what the network has given and of what was wanted; smaller is better, and 0 is perfect. Where
people know a number of which more is better (R2), the metric is what that lacks of 1, and its words show it as they
know it.

A study may be judged by any of them, by its curve on the validation part: ``objective = "validation_balanced_error"``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sweep.errors import UsageError
from sweep.learning.hyper import Array
from sweep.learning.network.functions import Loss, sum_first

LOSS, ERROR = "loss", "error"
VALIDATION = "validation_"  # before a metric's name: that of its curve
TEST = "test_"  # the same, of what it is on the test part
ALWAYS = (LOSS, ERROR)  # of the metrics: measured in every study


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the networks of a population have given for some samples.

    Attributes
    ----------
    outputs : array, shape (rows, outputs, samples)
        Logits, or standardised numbers. Not to be changed.
    targets : array, shape (outputs, rows or 1, samples)
        Ones and zeros, or standardised numbers.
    variance : array, shape (outputs, rows or 1, 1)
        That of each target over the whole part.
    loss : Loss
        What the networks are trained with.
    weights : array, shape (rows or 1, samples), optional
        How much each sample counts; None: they all count the same. Means over samples are weighted by `Measuring`.
    loss_weights : array, shape (rows or 1, samples), optional
        The same for the loss, in which classes may have weights, too.
    """

    outputs: Array
    targets: Array
    variance: Array
    loss: Loss
    weights: Array | None = None
    loss_weights: Array | None = None


def joined(outcomes: Sequence[Outcome]) -> Outcome:
    """Outcomes of the same networks for some samples after the other, as one."""
    every: dict[str, Any] = {}
    for name in ("outputs", "targets", "weights", "loss_weights"):
        if getattr(outcomes[0], name) is not None:
            every[name] = np.concatenate([getattr(each, name) for each in outcomes], axis=-1)
    return replace(outcomes[0], **every)


Measure = Callable[[Outcome], Array]


@dataclass(frozen=True, slots=True)
class Words:
    """How people say a metric: a share in percent, what it lacks of 1 (more is better), or the number as it is.

    >>> Words("wrong answers", percent=True).said(0.0234), Words("R2", higher=True).said(0.1)
    ('2.3 % wrong answers', 'R2 0.900')
    """

    name: str
    percent: bool = False
    higher: bool = False

    def said(self, mean: float, low: float | None = None, high: float | None = None) -> str:
        """A mean, with its interval if there is one."""
        if self.higher:
            mean, low, high = 1 - mean, None if high is None else 1 - high, None if low is None else 1 - low
        ends = "" if low is None or high is None else f" ({self._digits(low)} to {self._digits(high)}{self._unit})"
        number = self._digits(mean) + self._unit
        return f"{number} {self.name}{ends}" if self.percent else f"{self.name} {number}{ends}"

    @property
    def _unit(self) -> str:
        return " %" if self.percent else ""

    def _digits(self, value: float) -> str:
        return f"{100 * value:.1f}" if self.percent else f"{value:.3f}"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, for the tasks that it has a measure for.

    Attributes
    ----------
    measures : mapping
        For each task, ``classification`` or ``regression``, the function: to one number a sample, ``(rows, samples)``,
        whose mean counts (where samples have weights, the weighted mean); to one number a row, ``(rows,)``, if it needs
        the `whole` part at once.
    words : mapping
        For each task, how people say it.
    whole : bool
    weighs : bool
        Of one that is `whole`: it goes by the weights of the samples, `Outcome.weights`. Where there are any, one that
        does not is refused: nobody else could weigh its samples.
    """

    measures: Mapping[str, Measure]
    words: Mapping[str, Words]
    whole: bool = False
    weighs: bool = False


def _loss(of: Outcome) -> Array:
    """The loss that the network is trained with. It leaves the outputs in disorder, so it is measured last."""
    return of.loss.evaluate(of.outputs, of.targets)


def _wrong(of: Outcome) -> Array:
    """Whether another class than the right one comes first among the largest."""
    return np.asarray(np.argmax(of.outputs, axis=1) != np.argmax(of.targets, axis=0))


def _unexplained(of: Outcome) -> Array:
    """The squared error over the variance of the target, mean over the outputs; its mean is 1 - R^2."""
    difference = of.outputs.transpose(1, 0, 2) - of.targets
    share = of.outputs.dtype.type(1 / len(difference))
    return np.asarray(sum_first(difference * difference / of.variance) * share)


def _absolute(of: Outcome) -> Array:
    """The absolute error in standard deviations of the training part's target, mean over the outputs."""
    difference = np.abs(of.outputs.transpose(1, 0, 2) - of.targets)
    return np.asarray(sum_first(difference) * of.outputs.dtype.type(1 / len(difference)))


def _brier(of: Outcome) -> Array:
    """Brier 1950: the squared difference between the probabilities and the truth, summed over the classes."""
    outputs = of.outputs.transpose(1, 0, 2)
    exponentials = np.exp(outputs - outputs.max(axis=0))
    return sum_first((exponentials / sum_first(exponentials) - of.targets) ** 2)


def _balanced(of: Outcome) -> Array:
    """The share of wrong answers in each class, mean over the classes that there are."""
    wrong = _wrong(of)
    right = np.broadcast_to(np.argmax(of.targets, axis=0), wrong.shape)
    weights = np.broadcast_to(1.0 if of.weights is None else of.weights, wrong.shape)
    shares = np.zeros(len(wrong))
    for row, (mistakes, classes, each) in enumerate(zip(wrong, right, weights, strict=True)):
        counts = np.bincount(classes, each)
        known = counts > 0
        shares[row] = (np.bincount(classes, mistakes * each)[known] / counts[known]).mean()
    return shares


METRICS: dict[str, Metric] = {
    "loss": Metric(
        {"classification": _loss, "regression": _loss}, {"classification": Words("loss"), "regression": Words("loss")}
    ),
    "error": Metric(
        {"classification": _wrong, "regression": _unexplained},
        {"classification": Words("wrong answers", percent=True), "regression": Words("R2", higher=True)},
    ),
    "absolute_error": Metric(
        {"regression": _absolute}, {"regression": Words("mean absolute error in standard deviations")}
    ),
    "brier": Metric({"classification": _brier}, {"classification": Words("Brier score")}),
    "balanced_error": Metric(
        {"classification": _balanced},
        {"classification": Words("wrong answers, mean of the classes", percent=True)},
        whole=True,
        weighs=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Measuring:
    """What is measured in a study with one task."""

    task: str
    names: tuple[str, ...] = ALWAYS

    def of(self, outcomes: Iterable[Outcome]) -> dict[str, Array]:
        """What is measured of each row, ``(rows,)``, on samples that come some after the other.

        A mean over samples is ``sum(w m) / sum(w)``, summed in float64; the loss has its own weights.
        """
        sums: dict[str, Array] = {}
        kept = []
        for outcome in outcomes:
            if self.wholes:
                kept.append(replace(outcome, outputs=outcome.outputs.copy()))
            for name, values in self.each(outcome).items():
                weights = outcome.loss_weights if name == LOSS else outcome.weights
                sums[name] = sums.get(name, 0.0) + _sums(values, weights)
        found = {name: np.asarray(total / weight) for name, (total, weight) in sums.items()}
        if kept:
            found |= self.whole(joined(kept))
        return {name: found[name] for name in self.names}

    def each(self, of: Outcome) -> dict[str, Array]:
        """Of those that are means over samples the numbers of each, ``(rows, samples)``."""
        order = sorted(self.names, key=lambda name: name == LOSS)  # the loss last: it leaves nothing of the outputs
        return {name: METRICS[name].measures[self.task](of) for name in order if not METRICS[name].whole}

    def whole(self, of: Outcome) -> dict[str, Array]:
        """The others, ``(rows,)``, from all samples of a part; `UsageError` if one cannot weigh them and has to."""
        for name in weightless(self.names) if of.weights is not None else ():
            raise UsageError(f"metric {name!r}: does not go by the weights of the samples: leave it out, or them")
        return {name: METRICS[name].measures[self.task](of) for name in self.wholes}

    @property
    def wholes(self) -> tuple[str, ...]:
        """Those that need all samples of a part at once."""
        return tuple(name for name in self.names if METRICS[name].whole)


def _sums(values: Array, weights: Array | None) -> Array:
    """Of numbers, ``(rows, samples)``, the weighted sum in each row, and the sum of its weights: ``(2, rows)``."""
    if weights is None:
        return np.stack([values.sum(axis=1, dtype=float), np.full(len(values), float(values.shape[1]))])
    total = np.broadcast_to(weights.astype(float).sum(axis=1), len(values))
    return np.stack([(values * weights).sum(axis=1, dtype=float), total])


def weightless(names: Iterable[str]) -> tuple[str, ...]:
    """Those of these metrics that cannot be used where samples have weights.

    >>> weightless(["loss", "brier", "balanced_error"])
    ()
    """
    return tuple(name for name in names if METRICS[name].whole and not METRICS[name].weighs)


def measured(names: Iterable[str]) -> tuple[str, ...]:
    """What is measured in a study that asks for these, each once: loss and error first, always."""
    return tuple(dict.fromkeys([*ALWAYS, *names]))


def curve_names(metrics: Iterable[str]) -> list[str]:
    """The names of these metrics' curves on the validation part.

    >>> curve_names(["loss", "brier"])
    ['validation_loss', 'validation_brier']
    """
    return [VALIDATION + name for name in metrics]


def metrics_among(curves: Iterable[str]) -> list[str]:
    """The metrics that have their curve among these.

    >>> metrics_among(["learning_rate", "validation_loss"])
    ['loss']
    """
    return [metric_of(curve) for curve in curves if curve.startswith(VALIDATION)]


def metric_of(curve: str) -> str:
    """The metric of a curve of the validation part.

    >>> metric_of("validation_loss")
    'loss'
    """
    return curve.removeprefix(VALIDATION)
