"""Tiny studies, trained in a tenth of a second, and what several tests do with them."""

from __future__ import annotations

import contextlib
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import sweep
from sweep.door.result import Result
from sweep.door.running.finishing import Story
from sweep.learning.hyper import FLAG, Choices, Domain, Fixed, Range, Search, hyperparameters
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.search.study_file.spec import Spec, complete

# No deadline: nothing here is about time, and the first example of a test may have to compile.
laws = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

TIMES = ["seconds", "started", "finished"]  # the only columns of `trials` that may differ between two runs
_SECTIONS: dict[str, dict[str, Any]] = {
    # One split, no defaults, unless a test asks for them: a trial is one curve, and the sampler proposes them all.
    "study": {"name": "tiny", "trials": 12, "generation": 4, "sampler": "random", "splits": 1, "defaults": False},
    "data": {"name": "iris"},
    "network": {"hidden": [4], "epochs": 3},
    "search": {"optimizers": ["sgd", "rmsprop"], "schedules": ["constant", "exponential"]},
    "race": {},
    "verdict": {"seeds": 0},  # no finalists, unless a test asks for them
}
KINDS: dict[str, type] = {**OPTIMIZERS, **SCHEDULES}
# Rates at which no trial diverges, for tests that compare whole curves.
CALM = {"learning_rate": {"low": 0.001, "high": 0.01, "log": True}}


def content(**sections: Mapping[str, Any]) -> dict[str, Any]:
    """A study file's content; each argument adds keys to one section, or replaces them."""
    return {name: keys | dict(sections.get(name, {})) for name, keys in _SECTIONS.items()}


def tiny(**sections: Mapping[str, Any]) -> Spec:
    """The same, validated."""
    return complete(content(**sections), Path("tiny.toml"))


def everything() -> Spec:
    """A tiny study of every optimizer with every schedule, all constants by default."""
    return tiny(search={"optimizers": list(OPTIMIZERS), "schedules": list(SCHEDULES)}, network={"epochs": 40})


def run(study: Mapping[str, Any], runs: Path, *, told: bool = False, **arguments: Any) -> Result:
    """Run it in this process; the dashboard is told of it where that is looked at: it takes longer than such a run."""
    silent = contextlib.nullcontext() if told else mock.patch.object(Story, "end")
    with silent:
        return sweep.run(study, runs=runs, **{"backend": "serial", **arguments})


def copied(result: Result, runs: Path) -> None:
    """Put a copy of a run among other runs, to be gone on with."""
    shutil.copytree(result.folder, runs / result.folder.name)


def settled(trials: pd.DataFrame) -> pd.DataFrame:
    """The table of trials without what may differ between two runs."""
    return trials.drop(columns=TIMES)


def assert_same_results(one: Result, other: Result) -> None:
    """Both tables agree to the last bit, times aside."""
    pd.testing.assert_frame_equal(settled(one.trials), settled(other.trials), check_exact=True)
    pd.testing.assert_frame_equal(one.curves, other.curves, check_exact=True)


def inside(search: Search, value: float) -> bool:
    """Whether a value is one that this search may give."""
    match search:
        case Fixed(fixed):
            return value == fixed
        case Choices(values):
            return value in values
        case Range(low, high, _, integer):
            return low <= value <= high and (not integer or value == math.floor(value))


def numbers(domain: Domain) -> st.SearchStrategy[float]:
    """Legal numbers of everyday size."""
    low, high = max(domain.low, -1e6), min(domain.high, 1e6)
    if domain.integer:
        return st.integers(math.ceil(low), math.floor(high)).map(float)
    inner = st.floats(
        low,
        high,
        exclude_min=domain.low_open and low == domain.low,
        exclude_max=domain.high_open and high == domain.high,
        allow_nan=False,
        allow_subnormal=False,
    )
    return inner.filter(lambda x: x == 0 or abs(x) > 1e-12)


@st.composite
def entries(draw: st.DrawFn, domain: Domain) -> Any:
    """What a study file may say of one number: a value, choices, or a range; of a flag: true, false, or both."""
    if domain == FLAG:
        return draw(st.booleans() | st.sampled_from([[False, True], [True, False], [True], 0, 1.0]))
    form = draw(st.sampled_from(["value", "choices", "range"]))
    if form == "value":
        return draw(numbers(domain))
    if form == "choices":
        return draw(st.lists(numbers(domain), min_size=1, max_size=4, unique=True))
    low, high = sorted((draw(numbers(domain)), draw(numbers(domain))))
    whole = low == math.floor(low) and high == math.floor(high)
    return {"low": low, "high": high, "log": draw(st.booleans()) and low > 0, "integer": domain.integer and whole}


@st.composite
def narrowings(draw: st.DrawFn, kind: type) -> dict[str, Any]:
    """Some constants of an optimizer or a schedule, narrowed; lists of one kind are as long as each other."""
    length = draw(st.integers(1, 3))
    found: dict[str, Any] = {}
    for parameter in hyperparameters(kind):
        if parameter.vector:
            found[parameter.name] = [draw(entries(parameter.domain)) for _ in range(length)]
        elif draw(st.booleans()):
            found[parameter.name] = draw(entries(parameter.domain))
    return found


@st.composite
def searches(draw: st.DrawFn) -> dict[str, Any]:
    """A legal section ``[search]``."""
    optimizers = draw(st.lists(st.sampled_from(list(OPTIMIZERS)), min_size=1, max_size=3, unique=True))
    schedules = draw(st.lists(st.sampled_from(list(SCHEDULES)), min_size=1, max_size=3, unique=True))
    return {
        "learning_rate": draw(entries(Domain(1e-6, 10.0))),
        "optimizers": optimizers,
        "schedules": schedules,
        "optimizer": {name: draw(narrowings(OPTIMIZERS[name])) for name in optimizers},
        "schedule": {name: draw(narrowings(SCHEDULES[name])) for name in schedules},
    }


def finite(values: Any) -> bool:
    """Whether all are finite numbers."""
    return bool(np.isfinite(np.asarray(values, dtype=float)).all())
