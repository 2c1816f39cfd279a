"""What each library does by default, and where it puts epsilon and the rate.

A study file's ``convention`` sets these values wherever the file itself says nothing, so that constants found here mean
the same there. What is not listed (a momentum's coefficient, the length of a step) has no default in the library and is
searched as usual. The sources are the libraries' own: see `sweep.parity.recordings` for their versions; each value is
held by a recorded training or was read in the library's code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sweep.errors import UsageError, unknown
from sweep.learning.hyper import hyperparameters
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import SCHEDULES

Values = Mapping[str, Any]  # field -> number, true or false; or WITH_MOMENTUM

WITH_MOMENTUM = "with momentum"  # true where momentum is above 0


@dataclass(frozen=True)
class Convention:
    """One library's defaults and placements.

    Attributes
    ----------
    name, title : str
        As a study file has it, and as a person reads it.
    optimizers : mapping
        The optimizers that the library has, each with the fields that it sets.
    schedules : mapping
        Fields that it sets.
    only : tuple of str
        The schedules that the library can follow at all; empty: any, by a function of the step.
    """

    name: str
    title: str
    optimizers: Mapping[str, Values]
    schedules: Mapping[str, Values] = field(default_factory=dict)
    only: tuple[str, ...] = ()

    def has(self, kind: str) -> list[str]:
        """The optimizers, or the schedules, that the library has; `kind` is the word."""
        return list(self.optimizers) if kind == "optimizer" else list(self.only or SCHEDULES)

    def values(self, kind: str, name: str, given: Values) -> dict[str, Any]:
        """What the library sets of an optimizer's or a schedule's fields, over which `given` goes.

        Raises
        ------
        UsageError
            The library has no such optimizer or schedule; or what it sets depends on a momentum that is searched
            from 0 upwards.
        """
        if name not in self.has(kind):
            raise UsageError(f"{self.title} has no {kind} {name!r}. It has: {', '.join(self.has(kind))}")
        table = self.optimizers if kind == "optimizer" else self.schedules
        set_here = {key: value for key, value in table.get(name, {}).items() if key not in given}
        for key, value in set_here.items():
            if value == WITH_MOMENTUM:
                set_here[key] = self._moving(name, key, given.get("momentum", 0.0))
        return {**set_here, **given}

    def _moving(self, name: str, key: str, momentum: Any) -> bool:
        """Whether there is momentum, of a number or of an entry of a study file."""
        if isinstance(momentum, Mapping):
            momentum = [momentum.get("low", 0.0), momentum.get("high", 0.0)]
        moving = {bool(value) for value in (momentum if isinstance(momentum, list) else [momentum])}
        if len(moving) > 1:
            raise UsageError(
                f"{self.title}'s {name} has {key} true only with momentum, and momentum is searched from 0 upwards: "
                f"give {key}, or search momentum above 0"
            )
        return moving.pop()

    def optimizer(self, name: str, **constants: Any) -> Optimizer:
        """Make an optimizer as the library has it, but for the constants given.

        >>> convention("torch").optimizer("rmsprop", momentum=0.5).decay
        0.99
        """
        made: Optimizer = self._make("optimizer", OPTIMIZERS, name, constants)
        return made

    def schedule(self, name: str, **constants: Any) -> Schedule:
        """Make a schedule as the library has it, but for the constants given."""
        made: Schedule = self._make("schedule", SCHEDULES, name, constants)
        return made

    def _make(self, kind: str, table: Mapping[str, Any], name: str, constants: Values) -> Any:
        if name not in table:
            raise UsageError(unknown(kind, name, table))
        known = [parameter.name for parameter in hyperparameters(table[name])]
        for key in constants:
            if key not in known:
                raise UsageError(f"{name}: {unknown('constant', key, known)}")
        return table[name](**self.values(kind, name, constants))


def convention(name: str) -> Convention:
    """Find a convention by name: tensorflow1, keras1, tf_keras, keras3, torch, optax or sklearn.

    >>> rmsprop = convention("keras3").optimizer("rmsprop", decay=0.99)
    >>> rmsprop.epsilon, rmsprop.initial_cache
    (1e-07, 0.0)
    """
    if name not in CONVENTIONS:
        raise UsageError(unknown("convention", name, CONVENTIONS))
    return CONVENTIONS[name]


def _velocity(inside: bool, **more: Any) -> dict[str, Values]:
    """Plain descent, and momentum and Nesterov momentum with the rate inside the velocity or outside."""
    return {"sgd": more} | {name: {"rate_in_velocity": inside, **more} for name in ("momentum", "nesterov")}


def _adam(epsilon: float, before: bool, **more: Any) -> Values:
    return {"momentum": 0.9, "decay": 0.999, "epsilon": epsilon, "epsilon_before_correction": before, **more}


def _adagrad(initial_cache: float, epsilon: float, inside: bool, **more: Any) -> Values:
    return {"initial_cache": initial_cache, "epsilon": epsilon, "epsilon_inside": inside, **more}


def _rmsprop(decay: float, initial_cache: float, epsilon: float, inside: bool | str, **more: Any) -> Values:
    return {"decay": decay, **_adagrad(initial_cache, epsilon, inside is True), "epsilon_inside": inside, **more}


_L2: Values = {"weight_decay": 1e-4, "weight_decay_biases": False, "weight_decay_over_batch": True}
_DECOUPLED: Values = {"weight_decay_decoupled": True}
_AFTER: dict[str, Values] = {
    "piecewise": {"after": True},
    "cosine_restarts": {"period_factor": 2.0, "peak_factor": 1.0},
}
_CALLBACK: Values = {"drop": 0.1, "patience": 9.0, "threshold": 1e-4, "absolute": True, "baseline": False}
_ADAPTIVE: Values = {
    "drop": 0.2, "patience": 10.0, "threshold": 1e-4,
    "absolute": True, "baseline": False, "running_best": True, "watch_training": True,
}  # fmt: skip

CONVENTIONS: dict[str, Convention] = {
    found.name: found
    for found in (
        Convention(
            "tensorflow1",
            "TensorFlow 1",
            {
                **_velocity(False),
                "adagrad": _adagrad(0.1, 0.0, False),
                "rmsprop": _rmsprop(0.9, 1.0, 1e-10, True, rate_in_velocity=True),
                "adam": _adam(1e-8, True),
            },
            _AFTER,
        ),
        Convention(
            "keras1",
            "Keras 1 to 2.2",
            {
                **_velocity(True),
                "adagrad": _adagrad(0.0, 1e-7, False),
                "rmsprop": _rmsprop(0.9, 0.0, 1e-7, False),
                "adam": _adam(1e-7, True),
            },
            {"plateau": _CALLBACK},
        ),
        Convention(
            "tf_keras",
            "tf.keras to 2.10",
            {
                **_velocity(True),
                "adagrad": _adagrad(0.1, 1e-7, False),
                "rmsprop": _rmsprop(0.9, 0.0, 1e-7, WITH_MOMENTUM, rate_in_velocity=True),
                "adam": _adam(1e-7, True),
            },
            {**_AFTER, "plateau": _CALLBACK},
        ),
        Convention(
            "keras3",
            "Keras 3",
            {
                **_velocity(True, **_DECOUPLED),
                "adagrad": _adagrad(0.1, 1e-7, True, **_DECOUPLED),
                "rmsprop": _rmsprop(0.9, 0.0, 1e-7, True, rate_in_velocity=True, **_DECOUPLED),
                "adam": _adam(1e-7, True, **_DECOUPLED),
            },
            {**_AFTER, "plateau": _CALLBACK},
        ),
        Convention(
            "torch",
            "PyTorch",
            {
                **_velocity(False),
                "adagrad": _adagrad(0.0, 1e-10, False),
                "rmsprop": _rmsprop(0.99, 0.0, 1e-8, False, rate_in_velocity=False),
                "adam": _adam(1e-8, False),
            },
            {
                "plateau": {"drop": 0.1, "patience": 10.0, "threshold": 1e-4, "absolute": False, "baseline": False},
                "cosine": {"bounce": True},
                "cosine_restarts": {"period_factor": 1.0, "peak_factor": 1.0},
            },
        ),
        Convention(
            "optax",
            "Optax",
            {
                **_velocity(False),
                "adagrad": _adagrad(0.1, 1e-7, True),
                "rmsprop": _rmsprop(0.9, 0.0, 1e-8, True, rate_in_velocity=True),
                "adam": _adam(1e-8, False),
            },
            {"plateau": {"drop": 0.1, "patience": 9.0, "threshold": 1e-4, "absolute": False, "baseline": False}},
        ),
        Convention(
            "sklearn",
            "scikit-learn's MLPClassifier",
            {
                **_velocity(True, momentum=0.9, **_L2),
                "sgd": _L2,
                "adam": _adam(1e-8, True, **_L2),
            },
            {"plateau": _ADAPTIVE, "inverse_scaling": {"power": 0.5}},
            only=("constant", "inverse_scaling", "plateau"),
        ),
    )
}  # fmt: skip
