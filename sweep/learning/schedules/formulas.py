"""The learning-rate schedules: one small class each, and their table. What one is: `sweep.learning.schedules.base`.

`Plateau`, which watches a loss, and `Join`, which puts schedules one after the other, have files of their own. The
libraries' schedules are these with other words and units (steps); `sweep.parity` translates. To add a schedule:
write one class here and put it in `SCHEDULES`. Nothing else.

>>> Cosine(duration=30.0, warmup=5.0).factor([0.0, 2.5, 5.0, 30.0]).tolist()
[0.0, 0.5, 1.0, 0.0]
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from sweep.errors import UsageError
from sweep.learning.hyper import NOT_NEGATIVE, POSITIVE, Array, Choices, Domain, Range, Scalar, flag, hyper
from sweep.learning.schedules.base import ROUNDING, Annealed, Falling, Schedule, State, periods
from sweep.learning.schedules.joined import Join
from sweep.learning.schedules.plateau import Plateau

__all__ = [
    "SCHEDULES", "Constant", "Cosine", "CosineRestarts", "Exponential", "InverseScaling", "InverseTime", "Join",
    "Linear", "Piecewise", "Plateau", "Polynomial", "Ramps", "Schedule", "Step",
]  # fmt: skip

FAR = 1e30  # epochs: a time that never comes


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
class Step(Falling):
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

    def fall(self, time: Array) -> Array:
        """Divide the rate once more at each multiple of `every`."""
        return (1.0 / self.divisor) ** periods(time, self.every)


@final
@dataclass(frozen=True)
class Exponential(Falling):
    """Exponential decay.

    ``factor = exp(-rate * time)``

    >>> float(Exponential(rate=math.log(2)).factor(3.0).round(6))
    0.125
    """

    name: ClassVar[str] = "exponential"

    rate: Scalar = hyper(
        0.05, "decay per epoch", domain=NOT_NEGATIVE, search=Range(0.1, 10.0, log=True, unit="per epoch")
    )

    def fall(self, time: Array) -> Array:
        """Fall by the same share in every epoch."""
        return np.exp(-self.rate * time)


@final
@dataclass(frozen=True)
class InverseTime(Falling):
    """1/t decay: falls more slowly than the exponential.

    ``factor = 1 / (1 + rate * time)``; with `every`, time counts in whole multiples of it (a staircase).

    >>> InverseTime(rate=0.5).factor(2.0).tolist()
    0.5
    """

    name: ClassVar[str] = "inverse_time"

    rate: Scalar = hyper(
        0.1, "k of 1/(1 + kt), per epoch", domain=NOT_NEGATIVE, search=Range(0.1, 100.0, log=True, unit="per epoch")
    )
    every: Scalar = hyper(0.0, "epochs between two drops; 0: no staircase", domain=NOT_NEGATIVE)

    def fall(self, time: Array) -> Array:
        """Fall like one over the time."""
        smooth = np.equal(self.every, 0.0)
        length = np.where(smooth, 1.0, self.every)
        return 1.0 / (1.0 + self.rate * np.where(smooth, time, length * periods(time, length)))


@final
@dataclass(frozen=True)
class InverseScaling(Schedule):
    """A power of the epoch, changed only between epochs: scikit-learn's ``invscaling``.

    ``factor = (1 + samples * epoch) ** -power``, epoch the whole number of epochs passed. scikit-learn counts the
    samples of the training part, which makes the first drop very large; the default here counts epochs.

    >>> InverseScaling(power=0.5).factor([0.0, 2.9, 3.0]).round(4).tolist()
    [1.0, 0.5774, 0.5]
    """

    name: ClassVar[str] = "inverse_scaling"

    power: Scalar = hyper(0.5, "the power of the epoch", domain=NOT_NEGATIVE, search=Range(0.1, 2.0, log=True))
    samples: Scalar = hyper(
        1.0, "what an epoch counts for (scikit-learn: samples of the training part)", domain=POSITIVE
    )

    def decay(self, time: Array, state: State) -> Array:
        """Fall like a power of the epochs passed."""
        return np.asarray(np.float_power(1.0 + self.samples * periods(time, 1.0), -np.asarray(self.power)))


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
        padding=FAR,
    )
    factors: tuple[Scalar, ...] = hyper(
        (0.1, 0.01),
        "the factor from each boundary on",
        domain=NOT_NEGATIVE,
        search=Range(1e-3, 3.0, log=True),
        padding=1.0,
    )
    after: Scalar = flag(False, "change after the update at a boundary, one update later (TensorFlow 1, Keras: true)")

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_each(self.name, "boundary", self.boundaries, self.factors)

    def decay(self, time: Array, state: State) -> Array:
        """Count the boundaries reached, or passed; look the factor up."""
        late = np.where(self.after, ROUNDING, -ROUNDING)
        reached = sum((np.where(time >= b + late, 1.0, 0.0) for b in self.boundaries), np.zeros_like(time))
        factor = np.ones_like(time)
        for i, value in enumerate(self.factors, start=1):
            factor = np.where(reached >= i, value, factor)
        return factor


def _one_each(name: str, place: str, places: tuple[Scalar, ...], factors: tuple[Scalar, ...]) -> None:
    if len(places) != len(factors):
        plural = "boundaries" if place == "boundary" else f"{place}s"
        counts = f"{len(places)} {plural} and {len(factors)} factors"
        raise UsageError(f"{name}: {counts}: give one factor for each {place}")


@final
@dataclass(frozen=True)
class Ramps(Schedule):
    """Manual scheduling without jumps: from 1 at time 0 the factor goes to each factor at its time, and stays there.

    Straight lines, or half cosines with `cosine`. Two ramps, up and down, are the one-cycle policy (Smith and Topin
    2019). The order of the times is immaterial.

    >>> Ramps(times=(10.0, 30.0), factors=(3.0, 0.0)).factor([0.0, 5.0, 10.0, 20.0, 40.0]).tolist()
    [1.0, 2.0, 3.0, 1.5, 0.0]
    """

    name: ClassVar[str] = "ramps"

    times: tuple[Scalar, ...] = hyper(
        (10.0, 30.0),
        "epochs at which the ramps end",
        domain=NOT_NEGATIVE,
        search=Range(0.1, 1.0, unit="epochs"),
        padding=FAR,
    )
    factors: tuple[Scalar, ...] = hyper(
        (10.0, 0.0),
        "the factor at each of these times",
        domain=NOT_NEGATIVE,
        search=Range(1e-3, 10.0, log=True),
        padding=1.0,
    )
    cosine: Scalar = flag(False, "half cosines in place of straight lines (PyTorch's OneCycleLR: true)")

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_each(self.name, "time", self.times, self.factors)

    def decay(self, time: Array, state: State) -> Array:
        """Walk the ramps, one after the other."""
        ends = np.sort(np.stack(np.broadcast_arrays(*self.times)), axis=0) if self.times else ()
        begin, level, factor = 0.0 * time, np.ones_like(time), np.ones_like(time)
        for end, goal in zip(ends, self.factors, strict=True):
            goal = np.where(end >= FAR, level, goal)
            length = end - begin
            share = np.clip((time - begin) / np.where(length > 0.0, length, 1.0), 0.0, 1.0)
            share = np.where(length > 0.0, share, 1.0)
            shape = np.where(self.cosine, 0.5 * (1.0 - np.cos(math.pi * share)), share)
            reached = np.where(share < 1.0, level + (goal - level) * shape, goal)
            factor = np.where(time >= begin - ROUNDING, reached, factor)
            begin, level = end, goal
        return factor


@final
@dataclass(frozen=True)
class Linear(Annealed):
    """Linear decay from 1 to `end` at epoch `duration` (warm-up included), constant after it.

    ``factor = 1 + (end - 1) * progress``
    """

    name: ClassVar[str] = "linear"

    def decay(self, time: Array, state: State) -> Array:
        """Fall along a straight line."""
        return 1.0 + (self.end - 1.0) * self.progress(time)


@final
@dataclass(frozen=True)
class Polynomial(Annealed):
    """Polynomial decay from 1 to `end` at epoch `duration`, constant after it, or again and again with `cycle`.

    ``factor = end + (1 - end) * (1 - progress) ** power``; with `cycle`, after the n-th duration the way becomes n + 1
    durations long, all of it counted from the start (TensorFlow 1, Keras): the rate jumps up, to less each time.
    """

    name: ClassVar[str] = "polynomial"

    power: Scalar = hyper(2.0, "1 is linear decay", domain=POSITIVE, search=Choices((0.5, 2.0, 3.0)), kw_only=True)
    cycle: Scalar = flag(False, "begin again at the end, with a longer way")

    def decay(self, time: Array, state: State) -> Array:
        """Fall along a power of what is left."""
        left = np.where(self.left() > 0.0, self.left(), 1.0)
        on_the_way = np.maximum(time - self.hold, 0.0)
        rounds = np.maximum(np.ceil((on_the_way - ROUNDING) / left), 1.0)
        again = np.minimum(on_the_way / (left * rounds), 1.0)
        progress = np.where(np.greater(self.cycle, 0.0) & (self.left() > 0.0), again, self.progress(time))
        return np.asarray(self.end + (1.0 - self.end) * np.float_power(1.0 - progress, self.power))


@final
@dataclass(frozen=True)
class Cosine(Annealed):
    """Cosine decay (Loshchilov and Hutter 2017, eq. 5, one cycle) from 1 to `end` at epoch `duration`.

    ``factor = end + (1 - end) * ((1 + cos(pi * progress)) / 2) ** exponent``, constant after `duration` (warm-up
    included), or up again in as many epochs with `bounce`.
    """

    name: ClassVar[str] = "cosine"

    exponent: Scalar = hyper(1.0, "above 1: lower soon (an option of Optax)", domain=POSITIVE, kw_only=True)
    bounce: Scalar = flag(False, "go up again after the end, and down, for ever (PyTorch: true)")

    def decay(self, time: Array, state: State) -> Array:
        """Fall along half a cosine."""
        endless = np.maximum(time - self.hold, 0.0) / np.where(self.left() > 0.0, self.left(), 1.0)
        going = np.greater(self.bounce, 0.0) & (self.left() > 0.0)
        progress = np.where(going, endless, self.progress(time))
        shape = np.float_power(0.5 * (1.0 + np.cos(math.pi * progress)), self.exponent)
        return np.asarray(self.end + (1.0 - self.end) * shape)


@final
@dataclass(frozen=True)
class CosineRestarts(Schedule):
    """Cosine decay with warm restarts (Loshchilov and Hutter 2017): from a peak to `end`, again and again.

    The i-th period, counted from 0, is ``first * period_factor ** i`` epochs long and begins at ``peak_factor ** i``::

        factor = end + (1 - end) * peak_factor ** i * (1 + cos(pi * progress in the period)) / 2
    """

    name: ClassVar[str] = "cosine_restarts"

    first: Scalar = hyper(
        10.0, "epochs of the first period", domain=POSITIVE, search=Range(0.1, 0.5, integer=True, unit="epochs")
    )
    period_factor: Scalar = hyper(
        2.0,
        "how much longer each period is (PyTorch 1)",
        domain=Domain(1.0, high_open=True),
        search=Choices((1.0, 2.0)),
    )
    peak_factor: Scalar = hyper(
        1.0, "how much lower each peak is", domain=Domain(0.0, 1.0, low_open=True), search=Choices((0.5, 1.0))
    )
    end: Scalar = hyper(0.0, "factor at the end of each period", domain=NOT_NEGATIVE, search=Choices((0.0, 0.01, 0.1)))

    def decay(self, time: Array, state: State) -> Array:
        """Fall along half a cosine in each period."""
        count = self._restarts(time)
        begin = self._begin(count)
        length = self._begin(count + 1.0) - begin
        shape = 0.5 * (1.0 + np.cos(math.pi * np.clip((time - begin) / length, 0.0, 1.0)))
        peak = np.float_power(self.peak_factor, count)
        return np.asarray(self.end + (1.0 - self.end) * peak * shape)

    def _begin(self, count: Array) -> Array:
        """When the period of that number begins: a sum of a geometric series."""
        equal = np.equal(self.period_factor, 1.0)
        growth = np.where(equal, 2.0, self.period_factor)
        total = (np.float_power(growth, np.where(equal, 1.0, count)) - 1.0) / (growth - 1.0)
        return np.asarray(self.first * np.where(equal, count, total))

    def _restarts(self, time: Array) -> Array:
        """How many periods have passed: estimated by a logarithm, then counted, as its rounding may be one off."""
        equal = np.equal(self.period_factor, 1.0)
        growth = np.where(equal, 2.0, self.period_factor)
        passed = time / self.first
        count = np.floor(np.where(equal, passed, np.log1p(passed * (growth - 1.0)) / np.log(growth)))
        count = count + np.where(time + ROUNDING >= self._begin(count + 1.0), 1.0, 0.0)
        return np.asarray(np.maximum(count - np.where(time + ROUNDING < self._begin(count), 1.0, 0.0), 0.0))


SCHEDULES: dict[str, type[Schedule]] = {
    kind.name: kind
    for kind in (
        Constant, Step, Exponential, InverseTime, InverseScaling, Piecewise, Ramps, Plateau,
        Linear, Polynomial, Cosine, CosineRestarts,
    )
}  # fmt: skip
