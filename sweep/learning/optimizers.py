"""Update rules: from the gradient to the step, each one pure element-wise formula written for a scalar.

``formula(gradient, *state, *coefficients)`` returns ``(step, *new state)``; the trainer subtracts the step from the
parameter. Called on arrays the formula *is* the NumPy implementation; compiled, it becomes one fused in-place loop
(`sweep.learning.executors`). So a formula uses only operators and NumPy functions, and no number literal: a literal
would lift a compiled float32 formula to float64.

What does not depend on the gradient is prepared outside the formula, in float64, once an epoch: `coefficients` turns
the hyperparameters, the rate and the count of updates into numbers, for example ``1 - decay`` or Adam's corrections.

======================  ==================================================================================
``start()``             the first value of each state array, one number (or column) an array
``coefficients(r, t)``  the formula's last arguments, from the learning rate and the number of past updates
``formula``             the rule
======================  ==================================================================================

To add an optimizer: write one class here and put it in `OPTIMIZERS`. Nothing else.

Sources: Polyak 1964 (momentum); Nesterov 1983 in the form of Sutskever et al. 2013, eq. 7; Duchi, Hazan and Singer
2011, fig. 1 (AdaGrad, diagonal); Hinton, Srivastava and Swersky 2012, lecture 6e (RMSProp); Kingma and Ba 2015,
algorithm 1 (Adam).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from sweep.learning.hyper import FRACTION, NOT_NEGATIVE, Array, Choices, Domain, Range, Scalar, check, hyper

Formula = Callable[..., tuple[Any, ...]]

CACHE_VALUES = Choices((0.0, 0.01, 0.1, 1.0))
DECAYS = Choices((0.9, 0.99, 0.999, 0.9999))
EPSILONS = Range(1e-10, 1e-2, log=True)
MOMENTA = Choices((0.5, 0.8, 0.9, 0.95, 0.99))


@dataclass(frozen=True)
class Optimizer(ABC):
    """An update rule; the abstract root. Subclasses give `name`, `coefficients`, `formula` and, with state, `start`."""

    name: ClassVar[str]
    formula: ClassVar[Formula]

    def __post_init__(self) -> None:
        check(self, self.name)

    def start(self) -> tuple[Scalar, ...]:
        """The first value of each state array, in the order of the formula's arguments."""
        return ()

    @abstractmethod
    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """What the formula needs besides the gradient and the state.

        Parameters
        ----------
        rate : array, shape (trials, steps)
            The learning rate at each coming step.
        count : array, shape (steps,)
            How many updates came before it: 0 at the first.

        Returns
        -------
        tuple of scalars or arrays
            Each broadcasts to ``(trials, steps)``; float64.
        """


@final
@dataclass(frozen=True)
class Sgd(Optimizer):
    """Plain gradient descent on minibatches: ``step = rate * g``."""

    name: ClassVar[str] = "sgd"

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give the rate alone."""
        return (rate,)

    @staticmethod
    def formula(gradient: Any, rate: Any) -> tuple[Any, ...]:
        """Go down the gradient."""
        return (rate * gradient,)


@dataclass(frozen=True)
class HeavyBall(Optimizer):
    """What momentum and Nesterov momentum share: a velocity that starts at rest and keeps a share of itself; abstract.

    The rate is inside the velocity (as in Keras and scikit-learn; PyTorch multiplies by it outside, which differs only
    while the rate changes).
    """

    momentum: Scalar = hyper(0.9, "share of the velocity that is kept", domain=FRACTION, search=MOMENTA)

    def start(self) -> tuple[Scalar, ...]:
        """The velocity starts at rest."""
        return (0.0,)

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give the rate and the momentum."""
        return rate, self.momentum


@final
@dataclass(frozen=True)
class Momentum(HeavyBall):
    """Momentum: ``v <- momentum * v + rate * g;  step = v``."""

    name: ClassVar[str] = "momentum"

    @staticmethod
    def formula(gradient: Any, velocity: Any, rate: Any, momentum: Any) -> tuple[Any, ...]:
        """Accumulate velocity; move by it."""
        velocity = momentum * velocity + rate * gradient
        return velocity, velocity


@final
@dataclass(frozen=True)
class Nesterov(HeavyBall):
    """Nesterov momentum, look-ahead folded in: ``v <- momentum * v + rate * g;  step = momentum * v + rate * g``."""

    name: ClassVar[str] = "nesterov"

    @staticmethod
    def formula(gradient: Any, velocity: Any, rate: Any, momentum: Any) -> tuple[Any, ...]:
        """Accumulate velocity; move by where it will be."""
        push = rate * gradient
        velocity = momentum * velocity + push
        return momentum * velocity + push, velocity


@final
@dataclass(frozen=True)
class AdaGrad(Optimizer):
    """AdaGrad: ``cache <- cache + g^2;  step = rate * g / (sqrt(cache) + epsilon)``.

    The cache only grows, so the effective rate only falls. Its first value: 0 in PyTorch, 0.1 in TensorFlow and Keras.
    """

    name: ClassVar[str] = "adagrad"

    epsilon: Scalar = hyper(1e-8, "added to the root, outside it", domain=NOT_NEGATIVE, search=EPSILONS)
    initial_cache: Scalar = hyper(0.0, "first value of the cache", domain=NOT_NEGATIVE, search=CACHE_VALUES)

    def start(self) -> tuple[Scalar, ...]:
        """The cache starts where the hyperparameter says."""
        return (self.initial_cache,)

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give the rate and epsilon."""
        return rate, self.epsilon

    @staticmethod
    def formula(gradient: Any, cache: Any, rate: Any, epsilon: Any) -> tuple[Any, ...]:
        """Divide by the root of all squared gradients so far."""
        cache = cache + gradient * gradient
        return rate * gradient / (np.sqrt(cache) + epsilon), cache


@final
@dataclass(frozen=True)
class RMSProp(Optimizer):
    """RMSProp, a leaking cache, optionally with momentum on the scaled step.

    ``cache <- decay * cache + (1 - decay) * g^2``

    ``v <- momentum * v + rate * g / (sqrt(cache) + epsilon);  step = v``

    The cache's first value is nobody's standard: 0 in Keras and PyTorch, 1 in TensorFlow 1. From 0 with decay 0.999 the
    first effective rate is about 32 times the nominal one (1 / sqrt(1 - 0.999)); from 1 it is about the nominal one.
    """

    name: ClassVar[str] = "rmsprop"

    decay: Scalar = hyper(0.9, "share of the cache that is kept", domain=FRACTION, search=DECAYS)
    epsilon: Scalar = hyper(1e-8, "added to the root, outside it", domain=NOT_NEGATIVE, search=EPSILONS)
    initial_cache: Scalar = hyper(0.0, "first value of the cache", domain=NOT_NEGATIVE, search=CACHE_VALUES)
    momentum: Scalar = hyper(0.0, "share of the velocity that is kept; 0 is plain RMSProp", domain=FRACTION)

    def start(self) -> tuple[Scalar, ...]:
        """The cache starts where the hyperparameter says, the velocity at rest."""
        return self.initial_cache, 0.0

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give the rate, the decay and what it leaves, epsilon and the momentum."""
        return rate, self.decay, 1.0 - self.decay, self.epsilon, self.momentum

    @staticmethod
    def formula(
        gradient: Any, cache: Any, velocity: Any, rate: Any, decay: Any, remainder: Any, epsilon: Any, momentum: Any
    ) -> tuple[Any, ...]:
        """Divide by the root of the recent squared gradients; accumulate velocity."""
        cache = decay * cache + remainder * (gradient * gradient)
        velocity = momentum * velocity + rate * gradient / (np.sqrt(cache) + epsilon)
        return velocity, cache, velocity


@final
@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam: RMSProp on a running mean of gradients, both freed of the bias of their start at 0.

    ``m <- momentum * m + (1 - momentum) * g;  cache <- decay * cache + (1 - decay) * g^2``

    ``step = rate * m / (1 - momentum^t) / (sqrt(cache / (1 - decay^t)) + epsilon)``, t = 1 at the first update
    (PyTorch's and Optax's place of epsilon).
    """

    name: ClassVar[str] = "adam"

    momentum: Scalar = hyper(
        0.9, "beta_1, share of the mean that is kept", domain=FRACTION, search=Choices((0.5, 0.9, 0.95))
    )
    decay: Scalar = hyper(0.999, "beta_2, share of the cache that is kept", domain=FRACTION, search=DECAYS)
    epsilon: Scalar = hyper(1e-8, "added to the root, outside it", domain=Domain(0.0, high_open=True), search=EPSILONS)

    def start(self) -> tuple[Scalar, ...]:
        """Mean and cache start at 0; the corrections make up for it."""
        return 0.0, 0.0

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Fold both bias corrections into the rate and a scale of the root."""
        mean_seen = 1.0 - self.momentum ** (count + 1.0)
        cache_seen = 1.0 - self.decay ** (count + 1.0)
        kept = self.momentum, 1.0 - self.momentum, self.decay, 1.0 - self.decay
        return rate / mean_seen, *kept, 1.0 / np.sqrt(cache_seen), self.epsilon

    @staticmethod
    def formula(
        gradient: Any, mean: Any, cache: Any,
        rate: Any, momentum: Any, rest: Any, decay: Any, remainder: Any, correction: Any, epsilon: Any,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Divide the mean gradient by the root of the recent squared ones."""
        mean = momentum * mean + rest * gradient
        cache = decay * cache + remainder * (gradient * gradient)
        return rate * mean / (np.sqrt(cache) * correction + epsilon), mean, cache


OPTIMIZERS: dict[str, type[Optimizer]] = {kind.name: kind for kind in (Sgd, Momentum, Nesterov, AdaGrad, RMSProp, Adam)}
