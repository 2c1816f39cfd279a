"""sweep: which optimizer, which learning-rate schedule, which constants, and how sure are we.

>>> import sweep
>>> sweep.schedules.Step(every=10, divisor=2).factor(25.0).tolist()
0.25

The public names are found lazily (PEP 562), for every worker process imports this module:

=========================================  ==================================================================
`run`, `load`                              run a study, or open what a run has left: a `Result`
`train`                                    train some configurations on some data, without Optuna
`Configuration`, `optimizers`,             what a trial is made of
`schedules`
`convention`                               a library's defaults and placements: ``convention("torch")``
`NetworkClassifier`, `NetworkRegressor`    one network as a scikit-learn estimator
`SweepError`                               root of the errors raised on purpose
=========================================  ==================================================================
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.door.api import run, train
    from sweep.door.result import Result, load
    from sweep.errors import SweepError
    from sweep.learning.configuration import Configuration
    from sweep.learning.estimators import NetworkClassifier, NetworkRegressor
    from sweep.learning.optimizers import rules as optimizers
    from sweep.learning.schedules import formulas as schedules
    from sweep.parity.conventions import convention

__version__ = "0.1.0"

__all__ = [
    "Configuration",
    "NetworkClassifier",
    "NetworkRegressor",
    "Result",
    "SweepError",
    "convention",
    "load",
    "optimizers",
    "run",
    "schedules",
    "train",
]

_HOMES = {
    "Configuration": "sweep.learning.configuration",
    "NetworkClassifier": "sweep.learning.estimators",
    "NetworkRegressor": "sweep.learning.estimators",
    "Result": "sweep.door.result",
    "SweepError": "sweep.errors",
    "convention": "sweep.parity.conventions",
    "load": "sweep.door.result",
    "run": "sweep.door.api",
    "train": "sweep.door.api",
}
_MODULES = {"optimizers": "sweep.learning.optimizers.rules", "schedules": "sweep.learning.schedules.formulas"}


if not TYPE_CHECKING:  # a type checker would take any name for one that is found here

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return import_module(_MODULES[name])
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'sweep' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
