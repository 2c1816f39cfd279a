"""The schedule that watches a loss: what a person at the screen would do, as a rule."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from sweep.learning.hyper import NOT_NEGATIVE, Array, Choices, Domain, Range, Scalar, flag, hyper
from sweep.learning.schedules.base import Schedule, State


@final
@dataclass(frozen=True)
class Plateau(Schedule):
    """The babysitter, automated: when the validation loss has levelled off, multiply the rate by `drop`.

    An epoch is *better* when ``loss < best * (1 - threshold)``; `best` starts at the loss before training. After more
    than `patience` epochs in a row that were not better, the rate is multiplied and the count starts again (the
    counting of PyTorch's ``ReduceLROnPlateau``; Keras and Optax fire one epoch sooner). A loss that is not a number is
    not better.
    """

    name: ClassVar[str] = "plateau"

    drop: Scalar = hyper(
        0.5, "what a plateau multiplies the rate by", domain=Domain(0.0, 1.0, low_open=True), search=Range(0.1, 0.8)
    )
    patience: Scalar = hyper(
        3.0,
        "epochs without progress that are tolerated",
        domain=Domain(0.0, integer=True, high_open=True),
        search=Range(0.03, 0.2, integer=True, unit="epochs"),
    )
    threshold: Scalar = hyper(
        1e-3,
        "progress that counts: a share of the best loss",
        domain=Domain(0.0, 1.0),
        search=Choices((0.0, 1e-3, 1e-2)),
    )
    absolute: Scalar = flag(False, "the threshold is a difference of losses, not a share (Keras, scikit-learn: true)")
    cooldown: Scalar = hyper(
        0.0, "epochs after a drop that do not count", domain=Domain(0.0, integer=True, high_open=True), kw_only=True
    )
    floor: Scalar = hyper(0.0, "the factor below which it does not drop", domain=Domain(0.0, 1.0), kw_only=True)
    least_change: Scalar = hyper(
        0.0, "a drop of the factor that is not above this is not made (PyTorch: 1e-8 of the rate)",
        domain=NOT_NEGATIVE, kw_only=True,
    )  # fmt: skip
    baseline: Scalar = flag(True, "the loss before training is the first best (the libraries: false)")
    running_best: Scalar = flag(
        False, "the best loss is the lowest, and progress may be just the threshold (scikit-learn: true)"
    )
    watch_training: Scalar = flag(False, "watch the training loss (scikit-learn: true)")

    def start(self, validation: Array, training: Array) -> State:
        """Scale 1, best = the loss before training (or none), no bad epoch, no cooldown."""
        loss = np.where(self.watch_training, training, validation)
        nothing = np.zeros_like(loss)
        return np.ones_like(loss), np.where(self.baseline, loss, math.inf), nothing, nothing

    def observe(self, state: State, validation: Array, training: Array) -> State:
        """Count a bad epoch, or multiply the rate when there were too many."""
        loss = np.where(self.watch_training, training, validation)
        scale, best, bad, resting = state
        mark = np.where(self.absolute, best - self.threshold, best * (1.0 - self.threshold))
        better = np.where(self.running_best, loss <= mark, loss < mark)
        bad = np.where(better | (resting > 0.0), 0.0, bad + 1.0)
        fires = bad > self.patience
        lower = np.maximum(scale * self.drop, self.floor)
        scale = np.where(fires & (scale - lower > self.least_change), lower, scale)
        lowest = np.greater(self.running_best, 0.0) & (loss < best)
        resting = np.where(fires, self.cooldown, np.maximum(resting - 1.0, 0.0))
        return scale, np.where(better | lowest, loss, best), np.where(fires, 0.0, bad), resting

    def decay(self, time: Array, state: State) -> Array:
        """Hold the factor that the losses so far have earned."""
        return np.ones_like(time) * (state[0] if state else 1.0)
