"""Tables of trials for tests of what is worked out from them alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from tests.studies import everything

EVERY = everything().space()


def trials_of(logs: Any, objectives: Any, state: Any = "complete", optimizer: Any = "sgd") -> pd.DataFrame:
    """Trials with rates of these powers of ten."""
    table = pd.DataFrame({"objective": objectives, "state": state, "optimizer": optimizer, "schedule": "constant"})
    return table.assign(learning_rate=10.0 ** np.asarray(logs), number=range(len(table)))


values = st.none() | st.sampled_from([0.0, 1.0, math.inf, math.nan]) | st.floats(0.0, 1e6)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Any table of trials, whether or not the program would write it."""
    states = ["complete"] * 3 + ["diverged", "pruned", "failed", "running"]
    count = draw(st.sampled_from([0, 1, 5, 25, 40]))
    random = np.random.default_rng(draw(st.integers(0, 9)))
    kinds = (draw(st.sampled_from([list(k)[:1], list(k)])) for k in (EVERY.optimizers, EVERY.schedules))
    optimizers, schedules = (random.choice(some, count) for some in kinds)
    logs = draw(st.lists(st.sampled_from([-4, -2, 0]) | st.floats(-9, 3), min_size=count, max_size=count))
    objectives = draw(st.lists(values, min_size=count, max_size=count))
    table = trials_of(logs, objectives, random.choice(states, count), optimizers).assign(schedule=schedules)
    return table.assign(**{name: random.choice([0.0, 0.5, 3.0, math.nan], count) for name in EVERY.columns()})
