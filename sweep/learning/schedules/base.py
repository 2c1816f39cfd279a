"""What a learning-rate schedule is: the rate as a function of time.

A schedule is a function of time to a *factor* of the base learning rate; ``factor(0) = 1`` without a warm-up. Time is
in epochs, a float: it moves within an epoch. Times may be an array, and so may the constants (a ``(trials, 1)`` column
each, see `sweep.learning.hyper.stack`); the formulas are element-wise.

All but one are open-loop: the factor follows from the time alone. `Plateau` watches a loss. Both kinds have one
interface, in which an open-loop schedule has an empty state:

===============================  ==============================================================================
``start(validation, training)``  once, with the losses before training; returns the first state
``factor(time, s)``              for each time of the coming epoch; depends on the state but does not change it
``observe(s, validation, t.)``   after each epoch, with its losses; returns the next state
===============================  ==============================================================================

Every schedule may begin with a linear warm-up: for `warmup` epochs the factor rises from `warmup_start` to 1, and only
then does the schedule's own clock start.

Write an array to the power of a constant as ``np.float_power(array, constant)``: for ``**`` NumPy has short cuts that
it takes for one trial and not for several.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from sweep.learning.hyper import NOT_NEGATIVE, POSITIVE, Array, Choices, Domain, Fixed, Scalar, check, hyper, stack

State = tuple[Array, ...]

# Epochs: times are quotients of whole numbers of updates, and a boundary meant at one of them may be a rounding off it.
# Nobody makes a billion updates in an epoch.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Schedule(ABC):
    """A learning-rate schedule; the abstract root. Subclasses give `name` and `decay`."""

    name: ClassVar[str]

    warmup: Scalar = hyper(
        0.0, "epochs of linear warm-up to the base rate", domain=NOT_NEGATIVE, search=Fixed(0.0), kw_only=True
    )
    warmup_start: Scalar = hyper(
        0.0, "the factor at which the warm-up starts (PyTorch's LinearLR: 1/3)", domain=NOT_NEGATIVE, kw_only=True
    )

    def __post_init__(self) -> None:
        check(self, self.name)

    @classmethod
    def stacked(cls, rules: Sequence[Any]) -> Schedule:
        """Many records of this class as one whose constants are ``(len(rules), 1)`` columns."""
        stacked: Schedule = stack(rules)
        return stacked

    @abstractmethod
    def decay(self, time: Array, state: State) -> Array:
        """The factor at `time` epochs after the warm-up has ended, ``time >= 0``; 1 at 0."""

    def start(self, validation: Array, training: Array) -> State:
        """The state before training, from the losses before training, shape ``(trials, 1)``."""
        del validation, training
        return ()

    def observe(self, state: State, validation: Array, training: Array) -> State:
        """The state after an epoch, from its losses, shape ``(trials, 1)``."""
        del validation, training
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
        share = now / np.where(np.equal(self.warmup, 0.0), 1.0, self.warmup)
        return np.where(now < self.warmup, self.warmup_start + (1.0 - self.warmup_start) * share, running)


def periods(time: Array, length: Scalar) -> Array:
    """How many whole periods have passed: counted, so that no rounding makes a drop late."""
    return np.asarray(np.floor((time + ROUNDING) / length))


@dataclass(frozen=True)
class Falling(Schedule):
    """What falls for ever: from 1 after `hold` epochs towards `floor`; abstract. Subclasses give `fall`."""

    hold: Scalar = hyper(
        0.0, "epochs at the base rate before the fall (Optax's transition_begin)", domain=NOT_NEGATIVE, kw_only=True
    )
    floor: Scalar = hyper(
        0.0, "the factor below which it does not fall (Optax's end_value)", domain=Domain(0.0, 1.0), kw_only=True
    )

    @final
    def decay(self, time: Array, state: State) -> Array:
        """Fall after the hold, down to the floor."""
        return np.maximum(self.fall(np.maximum(time - self.hold, 0.0)), self.floor)

    @abstractmethod
    def fall(self, time: Array) -> Array:
        """The factor at `time` epochs after the fall has begun; 1 at 0."""


@dataclass(frozen=True)
class Annealed(Schedule):
    """What goes from 1 to `end` and is there at epoch `duration`, warm-up and hold included; abstract.

    (Keras counts its durations from the end of the warm-up, Optax, as here, from the start.)
    """

    end: Scalar = hyper(
        0.0, "factor at the end (Keras' PolynomialDecay ends at a rate of 1e-4)",
        domain=NOT_NEGATIVE, search=Choices((0.0, 0.01, 0.1)),
    )  # fmt: skip
    duration: Scalar = hyper(
        30.0, "epoch at which the end is reached", domain=POSITIVE, search=Fixed(1.0, unit="epochs")
    )
    hold: Scalar = hyper(
        0.0, "epochs at the base rate before the decay (Optax's transition_begin)", domain=NOT_NEGATIVE, kw_only=True
    )

    def left(self) -> Array:
        """How many epochs the way from 1 to the end takes."""
        return np.maximum(self.duration - self.warmup - self.hold, 0.0)

    def progress(self, time: Array) -> Array:
        """How much of that has passed: from 0 to 1."""
        left, since = self.left(), time - self.hold
        return np.where(since < left, np.maximum(since, 0.0) / np.where(left > 0.0, left, 1.0), 1.0)
