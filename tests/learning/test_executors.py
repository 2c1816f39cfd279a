from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweep.learning import executors
from sweep.learning.executors import update_function
from sweep.learning.hyper import Array
from sweep.learning.machine import steady
from sweep.learning.optimizers import OPTIMIZERS
from tests.terminal import python, sweep, tiny_study

TRIALS, PARAMETERS, STEPS = 5, 37, 6

every_optimizer = pytest.mark.parametrize("name", OPTIMIZERS)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
needs_numba = pytest.mark.skipif(executors.numba is None, reason="numba cannot be imported")


def widths(name: str) -> tuple[int, int]:
    """How many state arrays and how many coefficients an optimizer has."""
    rule = OPTIMIZERS[name]()
    return len(rule.start()), len(rule.coefficients(np.ones((1, 2)), np.arange(2)))


def columns(name: str, dtype: str) -> Array:
    """Random coefficients for every step and trial: the formula does not ask what they stand for."""
    random = np.random.default_rng(7)
    return random.uniform(0.01, 1.0, (STEPS, TRIALS, widths(name)[1])).astype(dtype)


def run(name: str, coefficients: Array, *, compiled: bool | None) -> list[Array]:
    """Parameters and state of a random population after each step."""
    dtype, random = coefficients.dtype, np.random.default_rng(8)
    slots, width = widths(name)
    parameters = random.normal(size=(TRIALS, PARAMETERS)).astype(dtype)
    state = tuple(random.uniform(size=parameters.shape).astype(dtype) for _ in range(slots))
    update = update_function(OPTIMIZERS[name].formula, slots, width, compiled=compiled)
    after = []
    with steady():
        for now in coefficients:
            scale = 10.0 ** random.uniform(-25, 2, parameters.shape)  # the smallest squares are lost in float32
            update(parameters, (random.normal(size=parameters.shape) * scale).astype(dtype), state, now)
            after += [array.copy() for array in (parameters, *state)]
    return after


@needs_numba
@every_optimizer
@every_dtype
def test_compiled_and_numpy_agree_bit_for_bit(name: str, dtype: str) -> None:
    chosen = columns(name, dtype)
    compiled, interpreted = run(name, chosen, compiled=True), run(name, chosen, compiled=False)
    assert not np.array_equal(interpreted[0], interpreted[-1 - widths(name)[0]])
    for one, other in zip(compiled, interpreted, strict=True):
        assert one.dtype == other.dtype == np.dtype(dtype)
        assert one.tobytes() == other.tobytes()


@needs_numba
@every_optimizer
def test_compiled_formula_computes_in_float32(name: str) -> None:
    """A number literal in a formula would make its compiled form, and only that, compute in float64."""
    slots, width = widths(name)
    formula = executors.numba.njit(error_model="numpy")(OPTIMIZERS[name].formula)
    formula(*[np.float32(0.5)] * (1 + slots + width))
    (signature,) = formula.nopython_signatures
    assert {str(kind) for kind in signature.return_type} == {"float32"}


@every_optimizer
@pytest.mark.parametrize("compiled", [pytest.param(True, marks=needs_numba), False])
def test_a_trial_with_coefficients_that_are_not_numbers_stays_alone(name: str, compiled: bool) -> None:
    healthy, ill = columns(name, "float32"), columns(name, "float32")
    ill[:, 2] = np.nan
    others = np.arange(TRIALS) != 2
    for one, other in zip(run(name, healthy, compiled=compiled), run(name, ill, compiled=compiled), strict=True):
        assert one[others].tobytes() == other[others].tobytes()
    slots = widths(name)[0]
    assert np.isnan(run(name, ill, compiled=compiled)[-1 - slots][2]).all()


@every_optimizer
@pytest.mark.parametrize("compiled", [pytest.param(True, marks=needs_numba), False])
def test_update_works_in_place_and_leaves_the_gradient_alone(name: str, compiled: bool) -> None:
    slots, width = widths(name)
    parameters, gradient = np.ones((2, 3)), np.full((2, 3), 0.5)
    state = tuple(np.ones((2, 3)) for _ in range(slots))
    update = update_function(OPTIMIZERS[name].formula, slots, width, compiled=compiled)
    update(parameters, gradient, state, np.full((2, width), 0.5))
    assert (gradient == 0.5).all()
    assert (parameters != 1.0).all()


@pytest.fixture
def without_numba(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setattr(executors, "numba", None)
    return update_function


def test_without_numba_numpy_serves(without_numba: Callable[..., Any]) -> None:
    parameters = np.ones((2, 3))
    without_numba(OPTIMIZERS["sgd"].formula, 0, 1)(parameters, np.ones((2, 3)), (), np.array([[0.25], [1.0]]))
    assert parameters.tolist() == [[0.75] * 3, [0.0] * 3]


@needs_numba
def test_with_numba_there_is_nothing_to_warn_of() -> None:
    assert executors.warning == ""


def leaky(count: int) -> Callable[..., tuple[Any, ...]]:
    """A made-up rule with `count` state arrays, each a running mean of the one before."""
    source = {
        1: "lambda g, a, r: (r * a, a + r * (g - a))",
        3: "lambda g, a, b, c, r: (r * c, a + r * (g - a), b + r * (a - b), c + r * (b - c))",
        4: "lambda g, a, b, c, d, r: (r * d, a + r * (g - a), b + r * (a - b), c + r * (b - c), d + r * (c - d))",
    }
    rule: Callable[..., tuple[Any, ...]] = eval(source[count])
    return rule


@pytest.mark.parametrize("slots", [1, 3, 4])
def test_a_newcomer_may_have_as_many_state_arrays_as_it_likes(slots: int) -> None:
    after = []
    for compiled in (None, False):
        random = np.random.default_rng(9)
        parameters = random.normal(size=(TRIALS, PARAMETERS))
        state = tuple(random.normal(size=parameters.shape) for _ in range(slots))
        gradient, rate = random.normal(size=parameters.shape), random.uniform(0.1, 0.9, (TRIALS, 1))
        update_function(leaky(slots), slots, 1, compiled=compiled)(parameters, gradient, state, rate)
        after.append((parameters, *state))
    for one, other in zip(*after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_without_numba_numpy_serves_and_one_line_says_so(tmp_path: Path) -> None:
    tiny_study(tmp_path)
    code = (
        "import sys; sys.modules['numba'] = None\n"  # importing it then raises ImportError
        "from sweep.door.cli import main; main(['run', 'tiny.toml', '--backend', 'serial', '--json'])"
    )
    outcome = python(code, cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    (tmp_path / "runs").rename(tmp_path / "before")
    assert sweep("run", "tiny.toml", "--backend", "serial", "-q", cwd=tmp_path).code == 0
    columns = ["number", "objective", "state"]
    trials = [pd.read_parquet(tmp_path / runs / "tiny" / "trials.parquet")[columns] for runs in ("before", "runs")]
    pd.testing.assert_frame_equal(*trials, check_exact=True)
    assert python(code.replace("'--json'", "'--fresh'"), cwd=tmp_path).err.startswith("sweep: warning: numba cannot")
