"""Learning-rate schedules: the rate as a function of time.

A schedule is a function of time to a *factor* of the base learning rate; ``factor(0) = 1`` without a warm-up. Time is
in epochs, a float: it moves within an epoch. Times may be an array, and so may the constants (a ``(trials, 1)`` column
each, see `sweep.learning.hyper.stack`); the formulas are element-wise.

All but one are open-loop: the factor follows from the time alone. `Plateau` watches the validation loss. Both kinds
have one interface, in which an open-loop schedule has an empty state:

====================  =================================================================================
``start(loss)``       once, with the validation loss before training; returns the first state
``factor(time, s)``   for each time of the coming epoch; depends on the state but does not change it
``observe(s, loss)``  after each epoch, with its validation loss; returns the next state
====================  =================================================================================

Every schedule may begin with a linear warm-up: for `warmup` epochs the factor rises from 0 to 1, and only then does
the schedule's own clock start.

To add a schedule: write one class here and put it in `SCHEDULES`. Nothing else. Write an array to the power of a
constant as ``np.float_power(array, constant)``: for ``**`` NumPy has short cuts that it takes for one trial and not for
several.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from sweep.errors import UsageError
from sweep.learning.hyper import NOT_NEGATIVE, POSITIVE, Array, Choices, Domain, Fixed, Range, Scalar, check, hyper

State = tuple[Array, ...]


@dataclass(frozen=True)
class Schedule(ABC):
    """A learning-rate schedule; the abstract root. Subclasses give `name` and `decay`."""

    name: ClassVar[str]

    warmup: Scalar = hyper(
        0.0, "epochs of linear warm-up from 0 to the base rate", domain=NOT_NEGATIVE, search=Fixed(0.0), kw_only=True
    )

    def __post_init__(self) -> None:
        check(self, self.name)

    @abstractmethod
    def decay(self, time: Array, state: State) -> Array:
        """The factor at `time` epochs after the warm-up has ended, ``time >= 0``; 1 at 0."""

    def start(self, loss: Array) -> State:
        """The state before training, from the validation loss before training, shape ``(trials, 1)``."""
        del loss
        return ()

    def observe(self, state: State, loss: Array) -> State:
        """The state after an epoch, from its validation loss, shape ``(trials, 1)``."""
        del loss
        return state

    @final
    def factor(self, time: Scalar, state: State = ()) -> Array:
        """The factor of the base rate at `time` epochs, warm-up included.

        Parameters
        ----------
        time : float or array
            Epochs since the start, not negative. Broadcasts with the constants: ``(steps,)`` against ``(trials, 1)``.
        state : tuple of arrays
            What `start` or `observe` returned last. Left out: the schedule has observed nothing.

        Returns
        -------
        array
            Not negative, of the broadcast shape.
        """
        now = np.asarray(time, dtype=np.float64)
        running = self.decay(np.maximum(now - self.warmup, 0.0), state)
        ramp = now / np.where(np.equal(self.warmup, 0.0), 1.0, self.warmup)
        return np.where(now < self.warmup, ramp, running)

    def _progress(self, time: Array, duration: Scalar) -> Array:
        """How much of `duration`, which counts from the start of the warm-up, has passed: from 0 to 1."""
        left = np.maximum(duration - self.warmup, 0.0)
        return np.where(time < left, time / np.where(left > 0.0, left, 1.0), 1.0)


@final
@dataclass(frozen=True)
class Constant(Schedule):
    """No decay: the factor is 1."""

    name: ClassVar[str] = "constant"

    def decay(self, time: Array, state: State) -> Array:
        """Give 1 for ever."""
        return np.ones_like(time)


@final
@dataclass(frozen=True)
class Step(Schedule):
    """Step decay, the staircase: every `every` epochs the rate is divided by `divisor`.

    ``factor = (1 / divisor) ** floor(time / every)``

    >>> Step(every=10, divisor=2).factor([0.0, 9.9, 10.0, 25.0]).tolist()
    [1.0, 1.0, 0.5, 0.25]
    """

    name: ClassVar[str] = "step"

    every: Scalar = hyper(
        10.0, "epochs between two drops", domain=POSITIVE, search=Range(0.05, 0.5, integer=True, unit="epochs")
    )
    divisor: Scalar = hyper(
        2.0,
        "what each drop divides the rate by",
        domain=Domain(1.0, high_open=True),
        search=Range(1.25, 10.0, log=True),
    )

    def decay(self, time: Array, state: State) -> Array:
        """Divide the rate once more at each multiple of `every`."""
        return (1.0 / self.divisor) ** np.floor(time / self.every)


@final
@dataclass(frozen=True)
class Exponential(Schedule):
    """Exponential decay.

    ``factor = exp(-rate * time)``

    >>> float(Exponential(rate=math.log(2)).factor(3.0).round(6))
    0.125
    """

    name: ClassVar[str] = "exponential"

    rate: Scalar = hyper(
        0.05, "decay per epoch", domain=NOT_NEGATIVE, search=Range(0.1, 10.0, log=True, unit="per epoch")
    )

    def decay(self, time: Array, state: State) -> Array:
        """Fall by the same share in every epoch."""
        return np.exp(-self.rate * time)


@final
@dataclass(frozen=True)
class InverseTime(Schedule):
    """1/t decay: falls more slowly than the exponential.

    ``factor = 1 / (1 + rate * time)``

    >>> InverseTime(rate=0.5).factor(2.0).tolist()
    0.5
    """

    name: ClassVar[str] = "inverse_time"

    rate: Scalar = hyper(
        0.1, "k of 1/(1 + kt), per epoch", domain=NOT_NEGATIVE, search=Range(0.1, 100.0, log=True, unit="per epoch")
    )

    def decay(self, time: Array, state: State) -> Array:
        """Fall like one over the time."""
        return 1.0 / (1.0 + self.rate * time)


@final
@dataclass(frozen=True)
class Piecewise(Schedule):
    """Manual scheduling, written beforehand: a table of boundaries (epochs) and of the factors that hold from them on.

    Before the first boundary the factor is 1 (a boundary at 0 leaves no time for that). When ``i`` boundaries are
    reached (``time >= boundary``) it is ``factors[i - 1]``, a factor of the base rate, not of the piece before. The
    order of the boundaries is immaterial.

    >>> Piecewise(boundaries=(10.0, 20.0), factors=(0.1, 0.01)).factor([0.0, 10.0, 30.0]).tolist()
    [1.0, 0.1, 0.01]
    """

    name: ClassVar[str] = "piecewise"

    boundaries: tuple[Scalar, ...] = hyper(
        (10.0, 20.0),
        "epochs at which the rate changes",
        domain=NOT_NEGATIVE,
        search=Range(0.1, 0.95, integer=True, unit="epochs"),
        padding=1e30,
    )
    factors: tuple[Scalar, ...] = hyper(
        (0.1, 0.01),
        "the factor from each boundary on",
        domain=NOT_NEGATIVE,
        search=Range(1e-3, 3.0, log=True),
        padding=1.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.boundaries) != len(self.factors):
            counts = f"{len(self.boundaries)} boundaries and {len(self.factors)} factors"
            raise UsageError(f"piecewise: {counts}: give one factor for each boundary")

    def decay(self, time: Array, state: State) -> Array:
        """Count the boundaries reached; look the factor up."""
        reached = sum((np.where(time >= b, 1.0, 0.0) for b in self.boundaries), np.zeros_like(time))
        factor = np.ones_like(time)
        for i, value in enumerate(self.factors, start=1):
            factor = np.where(reached >= i, value, factor)
        return factor


@final
@dataclass(frozen=True)
class Plateau(Schedule):
    """The babysitter, automated: when the validation loss has levelled off, multiply the rate by `drop`.

    An epoch is *better* when ``loss < best * (1 - threshold)``; `best` starts at the loss before training. After more
    than `patience` epochs in a row that were not better, the rate is multiplied and the count starts again (the
    counting of PyTorch's ``ReduceLROnPlateau``). A loss that is not a number is not better.
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
        1e-3, "relative progress that counts", domain=Domain(0.0, 1.0), search=Choices((0.0, 1e-3, 1e-2))
    )

    def start(self, loss: Array) -> State:
        """Scale 1, best = the loss before training, no bad epoch."""
        return np.ones_like(loss), np.array(loss), np.zeros_like(loss)

    def observe(self, state: State, loss: Array) -> State:
        """Count a bad epoch, or multiply the rate when there were too many."""
        scale, best, bad = state
        better = loss < best * (1.0 - self.threshold)
        bad = np.where(better, 0.0, bad + 1.0)
        fires = bad > self.patience
        return np.where(fires, scale * self.drop, scale), np.where(better, loss, best), np.where(fires, 0.0, bad)

    def decay(self, time: Array, state: State) -> Array:
        """Hold the factor that the losses so far have earned."""
        return np.ones_like(time) * (state[0] if state else 1.0)


@final
@dataclass(frozen=True)
class Linear(Schedule):
    """Linear decay from 1 to `end` at epoch `duration` (warm-up included), constant after it.

    ``factor = 1 + (end - 1) * progress``
    """

    name: ClassVar[str] = "linear"

    end: Scalar = hyper(0.0, "factor at the end", domain=NOT_NEGATIVE, search=Choices((0.0, 0.01, 0.1)))
    duration: Scalar = hyper(
        30.0, "epoch at which the end is reached", domain=POSITIVE, search=Fixed(1.0, unit="epochs")
    )

    def decay(self, time: Array, state: State) -> Array:
        """Fall along a straight line."""
        return 1.0 + (self.end - 1.0) * self._progress(time, self.duration)


@final
@dataclass(frozen=True)
class Cosine(Schedule):
    """Cosine decay (Loshchilov and Hutter 2017, eq. 5, one cycle) from 1 to `end` at epoch `duration`.

    ``factor = end + (1 - end) * (1 + cos(pi * progress)) / 2``, constant after `duration` (warm-up included).
    """

    name: ClassVar[str] = "cosine"

    end: Scalar = hyper(0.0, "factor at the end", domain=NOT_NEGATIVE, search=Choices((0.0, 0.01, 0.1)))
    duration: Scalar = hyper(
        30.0, "epoch at which the end is reached", domain=POSITIVE, search=Fixed(1.0, unit="epochs")
    )

    def decay(self, time: Array, state: State) -> Array:
        """Fall along half a cosine."""
        return self.end + (1.0 - self.end) * 0.5 * (1.0 + np.cos(math.pi * self._progress(time, self.duration)))


SCHEDULES: dict[str, type[Schedule]] = {
    kind.name: kind for kind in (Constant, Step, Exponential, InverseTime, Piecewise, Plateau, Linear, Cosine)
}
