"""What an optimizer is: a step, given a gradient and what came before; and what several optimizers share.

An optimizer is one pure, element-wise formula, written once for a scalar::

    formula(gradient, *state, *coefficients) -> (step, *new_state)          new parameter = parameter - step

Called on arrays it is the NumPy implementation; compiled, it becomes one fused in-place loop (see
`sweep.learning.network.executors`). It holds no number literals, which would lift float32 to float64. An array of state
that the hyperparameters leave unused is None: there is nothing to store, and the formula passes it by.

What is not done for each parameter is done once an epoch, in float64, by `coefficients`: it turns the hyperparameters,
the rate and the count of updates into numbers, for example ``1 - decay`` or Adam's corrections. So a knob that only
changes coefficients (where epsilon stands, Nesterov's look ahead, dampening) costs nothing.

======================  ==================================================================================
``start()``             the first value of each state array: one number (or column) each, or None: unused
``coefficients(r, t)``  the formula's last arguments, from the learning rate and the number of past updates
``formula``             the rule
``effective(r, t, s)``  the effective rate: what a gradient is multiplied by, each parameter's own
======================  ==================================================================================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from sweep.learning.hyper import FRACTION, NOT_NEGATIVE, Array, Scalar, check, flag, hyper

Formula = Callable[..., tuple[Any, ...]]


# Lines that formulas share, element-wise like them.


def scaled(gradient: Any, variance: Any, inside: Any, outside: Any) -> Any:
    """Divide by the root of the squared gradients; epsilon stands inside the root or outside."""
    return gradient / (np.sqrt(variance + inside) + outside)


def spread(cache: Any, mean: Any, correction: Any) -> Any:
    """What the root is taken of: the cache, freed of the bias of its start; less the squared mean, if one is kept."""
    variance = correction * cache
    if mean is None:
        return variance
    return variance - mean * mean


def rooted(cache: Any, correction: Any, epsilon: Any) -> Any:
    """Adam's divisor: the root of the cache, freed of the bias of its start, and epsilon."""
    return np.sqrt(cache) * correction + epsilon


def moved(push: Any, velocity: Any, momentum: Any, look: Any, ahead: Any) -> tuple[Any, Any]:
    """Add a push to the velocity; the step is along it, or along where it will be. Without velocity: the push."""
    if velocity is None:
        return push, velocity
    velocity = momentum * velocity + push
    return look * velocity + ahead * push, velocity


@dataclass(frozen=True)
class Optimizer(ABC):
    """An update rule; the abstract root. Subclasses give `name`, `coefficients`, `formula` and, with state, `start`.

    The fields here belong to every rule and act before it: on the rate, and on the gradient or the parameters.
    `default_rate` is the learning rate that goes with the other defaults.
    """

    name: ClassVar[str]
    formula: ClassVar[Formula]
    default_rate: ClassVar[float] = 0.01

    rate_decay: Scalar = hyper(
        0.0,
        "k in rate / (1 + k * updates so far): 1/t in the optimizer (Keras 1, tf.keras, PyTorch's Adagrad)",
        domain=NOT_NEGATIVE,
        kw_only=True,
    )
    weight_decay: Scalar = hyper(
        0.0,
        "share of each parameter that is added to its gradient (scikit-learn: 1e-4)",
        domain=NOT_NEGATIVE,
        kw_only=True,
    )
    weight_decay_decoupled: Scalar = flag(
        False, "take rate * weight_decay off the parameters instead of adding to the gradient (Keras 3, AdamW: true)"
    )
    weight_decay_biases: Scalar = flag(True, "decay the biases too (scikit-learn: false)")
    weight_decay_over_batch: Scalar = flag(False, "divide weight_decay by the minibatch's size (scikit-learn: true)")

    def __post_init__(self) -> None:
        check(self, self.name)

    def start(self) -> tuple[Scalar | None, ...]:
        """The first value of each state array, in the order of the formula's arguments; None: not used, not kept."""
        return ()

    @abstractmethod
    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """What the formula needs besides the gradient and the state.

        Parameters
        ----------
        rate : array, shape (trials, steps)
            The learning rate at each coming step, as `rates` gives it.
        count : array, shape (steps,)
            How many updates came before it: 0 at the first.

        Returns
        -------
        tuple of scalars or arrays
            Each broadcasts to ``(trials, steps)``; float64.
        """

    def effective(self, rate: Array, count: Array, state: tuple[Array | None, ...]) -> Array:
        """The effective rate of every parameter, velocity left aside: what its gradient is multiplied by.

        `rate` and `count` broadcast against the state arrays, which are those after an update (whose count it is).
        """
        del count, state
        return rate

    @final
    def rates(self, rate: Array, count: Array) -> Array:
        """The schedule's rates after the optimizer's own decay; shapes as in `coefficients`."""
        return rate / (1.0 + self.rate_decay * count)

    @final
    def weight_pulls(self, rate: Array, samples: Array) -> tuple[Array, Array]:
        """How much of a parameter is added to its gradient, and which share of it is taken off before the step.

        Parameters
        ----------
        rate : array, shape (trials, steps)
        samples : array, shape (steps,)
            The size of each minibatch.

        Returns
        -------
        tuple of two arrays, shape (trials, steps)
            One of them is 0: that of decoupled, or that of ordinary weight decay.
        """
        strength = self.weight_decay / np.where(self.weight_decay_over_batch, samples, 1.0)
        none = np.zeros(np.broadcast_shapes(np.shape(strength), rate.shape))
        decoupled = np.not_equal(self.weight_decay_decoupled, 0.0)
        return np.where(decoupled, none, strength), np.where(decoupled, rate * strength, none)


@dataclass(frozen=True)
class WithVelocity(Optimizer):
    """What has a velocity, which starts at rest and keeps a share of itself; abstract.

    With u the gradient, scaled or not, and dampening 0 at the first update (as in PyTorch)::

        v <- momentum * v + (1 - dampening) * rate * u       step = v, or momentum * v + rate * u with nesterov

    or, with the rate outside the velocity, the same without the rate in v, and the step times the rate. The two differ
    only where the rate changes: velocities gathered at an old rate are then spent at the old one, or at the new one.
    """

    momentum: Scalar = hyper(0.0, "share of the velocity that is kept; 0: no velocity", domain=FRACTION, kw_only=True)
    nesterov: Scalar = flag(False, "look ahead along the velocity (scikit-learn: true)")
    dampening: Scalar = hyper(
        0.0, "share of a push that does not enter the velocity (PyTorch's SGD)", domain=FRACTION, kw_only=True
    )
    rate_in_velocity: Scalar = flag(
        True, "multiply by the rate on the way into the velocity (false: PyTorch; TensorFlow 1's and Optax's momentum)"
    )

    def pushes(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """What a gradient is multiplied by, and the coefficients of `moved`."""
        moving = np.not_equal(self.momentum, 0.0)
        inside = np.not_equal(self.rate_in_velocity, 0.0) | ~moving
        outer = np.where(inside, 1.0, rate)
        entering = 1.0 - np.where(moving & np.greater(count, 0), self.dampening, 0.0)
        look = outer * np.where(self.nesterov, self.momentum, 1.0)
        ahead = np.where(self.nesterov, outer / entering, 0.0)
        return np.where(inside, rate, 1.0) * entering, self.momentum, look, ahead

    def _velocity(self) -> Scalar | None:
        """The velocity at rest, or none."""
        return 0.0 if np.any(self.momentum) else None


def placed(epsilon: Scalar, inside: Scalar) -> tuple[Array, Array]:
    """Epsilon inside the root, and epsilon outside it: one of them is 0."""
    within = np.not_equal(inside, 0.0)
    return np.where(within, epsilon, 0.0), np.where(within, 0.0, epsilon)
