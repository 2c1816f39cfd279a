"""The optimizers: one small class each, with its formula, and the table of them.

What an optimizer is: `sweep.learning.optimizers.base`.
The libraries differ in the knobs' defaults and in where they put epsilon and the rate; each field says who does
otherwise, and `sweep.parity` knows them all. The default rates are those of 0.001, 0.002, 0.003, 0.005, 0.01, ... with
the lowest mean log loss over ten data sets of 178 to 6,000 samples, 3 to 40 epochs, with a constant rate and with a
cosine (`python -m tests.benchmarks.rates`): one rate for all leaves plain gradient descent far behind. To add an
optimizer: write one class here and put it in `OPTIMIZERS`. Nothing else.

>>> OPTIMIZERS["momentum"](momentum=0.5) == Momentum(momentum=0.5)
True
>>> RMSProp(decay=0.999, initial_cache=1.0).epsilon
1e-08

Sources: Polyak 1964 (momentum); Nesterov 1983 in the form of Sutskever et al. 2013, eq. 7; Duchi, Hazan and Singer
2011, fig. 1 (AdaGrad, diagonal); Hinton, Srivastava and Swersky 2012, lecture 6e (RMSProp); Graves 2013, eq. 38 to 45
(centered RMSProp); Kingma and Ba 2015, algorithm 1 (Adam); Loshchilov and Hutter 2019 (decoupled weight decay).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np

from sweep.learning.hyper import FRACTION, NOT_NEGATIVE, Array, Choices, Range, Scalar, flag, hyper
from sweep.learning.optimizers.base import Optimizer, WithVelocity, moved, placed, rooted, scaled, spread

CACHE_VALUES = Choices((0.0, 0.01, 0.1, 1.0))
DECAYS = Choices((0.9, 0.99, 0.999, 0.9999))
EPSILONS = Range(1e-10, 1e-2, log=True)
MOMENTA = Choices((0.5, 0.8, 0.9, 0.95, 0.99))


@final
@dataclass(frozen=True)
class Sgd(Optimizer):
    """Plain gradient descent on minibatches: ``step = rate * g``."""

    name: ClassVar[str] = "sgd"
    default_rate: ClassVar[float] = 0.05

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give the rate alone."""
        return (rate,)

    @staticmethod
    def formula(gradient: Any, rate: Any) -> tuple[Any, ...]:
        """Go down the gradient."""
        return (rate * gradient,)


@dataclass(frozen=True)
class HeavyBall(WithVelocity):
    """What momentum and Nesterov momentum share: the velocity is driven by the gradient as it is; abstract."""

    momentum: Scalar = hyper(0.9, "share of the velocity that is kept", domain=FRACTION, search=MOMENTA, kw_only=True)

    def start(self) -> tuple[Scalar | None, ...]:
        """The velocity starts at rest."""
        return (0.0,)

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give what drives the velocity."""
        return self.pushes(rate, count)

    @staticmethod
    def formula(gradient: Any, velocity: Any, rate: Any, momentum: Any, look: Any, ahead: Any) -> tuple[Any, ...]:
        """Accumulate velocity; move by it, or by where it will be."""
        return moved(rate * gradient, velocity, momentum, look, ahead)


@final
@dataclass(frozen=True)
class Momentum(HeavyBall):
    """Momentum: ``v <- momentum * v + rate * g;  step = v``. With `nesterov` true it is `Nesterov`."""

    name: ClassVar[str] = "momentum"
    default_rate: ClassVar[float] = 0.02


@final
@dataclass(frozen=True)
class Nesterov(HeavyBall):
    """Nesterov momentum, look-ahead folded in: ``v <- momentum * v + rate * g;  step = momentum * v + rate * g``."""

    name: ClassVar[str] = "nesterov"
    default_rate: ClassVar[float] = 0.02

    nesterov: Scalar = flag(True, "look ahead along the velocity; false would be plain momentum")


@final
@dataclass(frozen=True)
class AdaGrad(WithVelocity):
    """AdaGrad: ``cache <- cache + g^2;  step = rate * g / (sqrt(cache) + epsilon)``.

    The cache only grows, so the effective rate only falls.
    """

    name: ClassVar[str] = "adagrad"
    default_rate: ClassVar[float] = 0.05

    epsilon: Scalar = hyper(
        1e-8,
        "keeps the divisor from 0 (PyTorch 1e-10; Keras, Optax 1e-7; TensorFlow 1 has none: 0)",
        domain=NOT_NEGATIVE,
        search=EPSILONS,
    )
    initial_cache: Scalar = hyper(
        0.0,
        "first value of the cache (0: PyTorch, Keras 1; 0.1: TensorFlow, later Keras, Optax)",
        domain=NOT_NEGATIVE,
        search=CACHE_VALUES,
    )
    epsilon_inside: Scalar = flag(False, "epsilon stands inside the root (Keras 3, Optax: true)")

    def start(self) -> tuple[Scalar | None, ...]:
        """The cache starts where the hyperparameter says, the velocity, if there is one, at rest."""
        return self.initial_cache, self._velocity()

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give epsilon in its place and what drives the velocity."""
        return *placed(self.epsilon, self.epsilon_inside), *self.pushes(rate, count)

    def effective(self, rate: Array, count: Array, state: tuple[Array | None, ...]) -> Array:
        """Divide the rate by the root of all squared gradients so far."""
        return np.asarray(scaled(rate, state[0], *placed(self.epsilon, self.epsilon_inside)))

    @staticmethod
    def formula(
        gradient: Any, cache: Any, velocity: Any,
        inside: Any, outside: Any, rate: Any, momentum: Any, look: Any, ahead: Any,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Divide by the root of all squared gradients so far; accumulate velocity, if there is one."""
        cache = cache + gradient * gradient
        step, velocity = moved(scaled(rate * gradient, cache, inside, outside), velocity, momentum, look, ahead)
        return step, cache, velocity


@final
@dataclass(frozen=True)
class RMSProp(WithVelocity):
    """RMSProp, a leaking cache, optionally with momentum on the scaled step.

    ``cache <- decay * cache + (1 - decay) * g^2;  step = rate * g / (sqrt(cache) + epsilon)``

    `centered` also keeps the mean gradient, ``m <- decay * m + (1 - decay) * g``, and divides by the root of ``cache -
    m^2`` (Graves 2013). For a constant gradient that goes to 0 and the step to ``rate * g / epsilon``: unstable.

    The cache's first value is nobody's standard: from 0 with decay 0.999 the first effective rate is about 32 times the
    nominal one (1 / sqrt(1 - 0.999)); from 1 it is about the nominal one.
    """

    name: ClassVar[str] = "rmsprop"
    default_rate: ClassVar[float] = 0.005

    decay: Scalar = hyper(0.9, "share of the cache that is kept (PyTorch 0.99)", domain=FRACTION, search=DECAYS)
    epsilon: Scalar = hyper(
        1e-8, "keeps the divisor from 0 (Keras 1e-7; TensorFlow 1 1e-10)", domain=NOT_NEGATIVE, search=EPSILONS
    )
    initial_cache: Scalar = hyper(
        0.0,
        "first value of the cache (0: PyTorch, Keras, Optax; 1: TensorFlow 1)",
        domain=NOT_NEGATIVE,
        search=CACHE_VALUES,
    )
    epsilon_inside: Scalar = flag(
        False,
        "epsilon stands inside the root (TensorFlow 1, Keras 3, Optax: true; tf.keras: true with momentum)",
    )
    centered: Scalar = flag(False, "divide by the root of the gradients' variance about their mean")
    bias_correction: Scalar = flag(False, "divide the cache by 1 - decay^t, as Adam does (an option of Optax)")

    def start(self) -> tuple[Scalar | None, ...]:
        """The cache starts where the hyperparameter says; mean and velocity, if there are any, at 0."""
        return self.initial_cache, 0.0 if np.any(self.centered) else None, self._velocity()

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give the decay and what it leaves, the correction, epsilon in its place, and what drives the velocity."""
        kept = self.decay, 1.0 - self.decay, self._correction(count)
        return *kept, *placed(self.epsilon, self.epsilon_inside), *self.pushes(rate, count)

    def effective(self, rate: Array, count: Array, state: tuple[Array | None, ...]) -> Array:
        """Divide the rate by the root of the recent squared gradients."""
        cache, mean, _ = state
        variance = spread(cache, mean, self._correction(count))
        return np.asarray(scaled(rate, variance, *placed(self.epsilon, self.epsilon_inside)))

    def _correction(self, count: Array) -> Array:
        return np.where(self.bias_correction, 1.0 / (1.0 - self.decay ** (count + 1.0)), 1.0)

    @staticmethod
    def formula(
        gradient: Any, cache: Any, mean: Any, velocity: Any,
        decay: Any, rest: Any, correction: Any, inside: Any, outside: Any,
        rate: Any, momentum: Any, look: Any, ahead: Any,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Divide by the root of the recent squared gradients; accumulate velocity, if there is one."""
        cache = decay * cache + rest * (gradient * gradient)
        if mean is not None:
            mean = decay * mean + rest * gradient
        push = scaled(rate * gradient, spread(cache, mean, correction), inside, outside)
        step, velocity = moved(push, velocity, momentum, look, ahead)
        return step, cache, mean, velocity


@final
@dataclass(frozen=True)
class Adam(Optimizer):
    """Adam: RMSProp on a running mean of gradients, both freed of the bias of their start at 0.

    ``m <- momentum * m + (1 - momentum) * g;  cache <- decay * cache + (1 - decay) * g^2``

    ``step = rate * m / (1 - momentum^t) / (sqrt(cache / (1 - decay^t)) + epsilon)``, t = 1 at the first update.
    """

    name: ClassVar[str] = "adam"
    default_rate: ClassVar[float] = 0.01

    momentum: Scalar = hyper(
        0.9, "beta_1, share of the mean that is kept", domain=FRACTION, search=Choices((0.5, 0.9, 0.95))
    )
    decay: Scalar = hyper(0.999, "beta_2, share of the cache that is kept", domain=FRACTION, search=DECAYS)
    epsilon: Scalar = hyper(1e-8, "keeps the divisor from 0 (Keras 1e-7)", domain=NOT_NEGATIVE, search=EPSILONS)
    epsilon_before_correction: Scalar = flag(
        False, "add epsilon before the cache is freed of its bias (TensorFlow 1, Keras, scikit-learn: true)"
    )

    def start(self) -> tuple[Scalar | None, ...]:
        """Mean and cache start at 0; the corrections make up for it."""
        return 0.0, 0.0

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Fold the mean's bias correction into the rate, the cache's into a factor of it, and epsilon in its place."""
        mean_seen = 1.0 - self.momentum ** (count + 1.0)
        kept = self.momentum, 1.0 - self.momentum, self.decay, 1.0 - self.decay
        return rate / mean_seen, *kept, *self._root(count)

    def effective(self, rate: Array, count: Array, state: tuple[Array | None, ...]) -> Array:
        """Divide the rate by the root of the recent squared gradients (what the mean gradient is multiplied by)."""
        return np.asarray(rate / rooted(state[1], *self._root(count)))

    def _root(self, count: Array) -> tuple[Array, Array]:
        correction = 1.0 / np.sqrt(1.0 - self.decay ** (count + 1.0))
        return correction, self.epsilon * np.where(self.epsilon_before_correction, correction, 1.0)

    @staticmethod
    def formula(
        gradient: Any, mean: Any, cache: Any,
        rate: Any, momentum: Any, rest: Any, decay: Any, remainder: Any, correction: Any, epsilon: Any,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Divide the mean gradient by the root of the recent squared ones."""
        mean = momentum * mean + rest * gradient
        cache = decay * cache + remainder * (gradient * gradient)
        return rate * mean / rooted(cache, correction, epsilon), mean, cache


OPTIMIZERS: dict[str, type[Optimizer]] = {kind.name: kind for kind in (Sgd, Momentum, Nesterov, AdaGrad, RMSProp, Adam)}
