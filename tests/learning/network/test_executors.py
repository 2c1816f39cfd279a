from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data
from sweep.learning.data.table import Task
from sweep.learning.hyper import Array
from sweep.learning.network import executors
from sweep.learning.network.executors import State, update_function
from sweep.learning.network.functions import ACTIVATIONS
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.training.loop import Training, train
from sweep.learning.training.machine import steady
from sweep.learning.training.settings import Settings
from tests.learning.bits import arrays_of, every_dtype, needs_numba
from tests.learning.bits import assert_same_bits as assert_bits
from tests.learning.strategies import configurations, data_sets, mixed, small_data, trainings, uses, variants
from tests.terminal import python, sweep, tiny_study

TRIALS, PARAMETERS, STEPS = 5, 37, 6

# Each optimizer with each combination of state arrays that it may use.
STATES = {(rule.name, tuple(value is None for value in rule.start())): rule for n in OPTIMIZERS for rule in uses(n)}
every_use = pytest.mark.parametrize(
    "rule", STATES.values(), ids=[f"{name}-{''.join('.' if empty else '#' for empty in used)}" for name, used in STATES]
)


def width(rule: Optimizer) -> int:
    """How many coefficients an optimizer has."""
    return len(rule.coefficients(np.ones((1, 2)), np.arange(2)))


def columns(rule: Optimizer, dtype: str) -> Array:
    """Random coefficients for every step and trial: the formula does not ask what they stand for."""
    random = np.random.default_rng(7)
    return random.uniform(0.01, 1.0, (STEPS, TRIALS, width(rule))).astype(dtype)


def run(rule: Optimizer, coefficients: Array, *, compiled: bool | None) -> list[list[Array]]:
    """Parameters and the state arrays in use of a random population, after each step."""
    dtype, random = coefficients.dtype, np.random.default_rng(8)
    parameters = random.normal(size=(TRIALS, PARAMETERS)).astype(dtype)
    state: State = tuple(
        None if value is None else random.uniform(size=parameters.shape).astype(dtype) for value in rule.start()
    )
    update = update_function(rule.formula, len(state), width(rule), compiled=compiled)
    after = []
    with steady():
        for now in coefficients:
            scale = 10.0 ** random.uniform(-25, 2, parameters.shape)  # the smallest squares are lost in float32
            update(parameters, (random.normal(size=parameters.shape) * scale).astype(dtype), state, now)
            after.append([array.copy() for array in (parameters, *state) if array is not None])
    return after


def assert_same_bits(one: list[list[Array]], other: list[list[Array]], rows: Any = slice(None)) -> None:
    for arrays, others in zip(one, other, strict=True):
        for array, another in zip(arrays, others, strict=True):
            assert array.dtype == another.dtype
            assert array[rows].tobytes() == another[rows].tobytes()


def test_every_optimizer_is_tried_with_all_that_it_may_leave_unused() -> None:
    counts = {name: sum(name == known for known, _ in STATES) for name in OPTIMIZERS}
    expected = {"sgd": 1, "momentum": 1, "nesterov": 1, "adagrad": 2, "rmsprop": 4, "adam": 1}
    assert {name: counts[name] for name in expected} == expected


@needs_numba
@every_use
@every_dtype
def test_compiled_and_numpy_agree_bit_for_bit(rule: Optimizer, dtype: str) -> None:
    chosen = columns(rule, dtype)
    compiled, interpreted = run(rule, chosen, compiled=True), run(rule, chosen, compiled=False)
    for first, last in zip(interpreted[0], interpreted[-1], strict=True):
        assert not np.array_equal(first, last)
    assert {array.dtype for arrays in compiled for array in arrays} == {np.dtype(dtype)}
    assert_same_bits(compiled, interpreted)


@every_use
@pytest.mark.parametrize("block", [1, 2 * PARAMETERS, 3 * PARAMETERS + 1])
def test_numpy_gives_the_same_bits_whatever_the_size_of_its_blocks(
    rule: Optimizer, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = columns(rule, "float32")
    whole = run(rule, chosen, compiled=False)
    monkeypatch.setattr(executors, "BLOCK", block)
    assert_same_bits(run(rule, chosen, compiled=False), whole)


@needs_numba
@every_use
def test_compiled_formula_computes_in_float32(rule: Optimizer) -> None:
    """A number literal in a formula would make its compiled form, and only that, compute in float64."""
    formula = executors.jitted(rule.formula)
    used = [value is not None for value in rule.start()]
    number = np.float32(0.5)
    formula(number, *(number if use else None for use in used), *[number] * width(rule))
    (signature,) = formula.nopython_signatures
    results = [str(kind) for kind in signature.return_type]
    assert results == ["float32", *("float32" if use else "none" for use in used)]


@every_use
@pytest.mark.parametrize("compiled", [pytest.param(True, marks=needs_numba), False])
def test_a_trial_with_coefficients_that_are_not_numbers_stays_alone(rule: Optimizer, compiled: bool) -> None:
    healthy, ill = columns(rule, "float32"), columns(rule, "float32")
    ill[:, 2] = np.nan
    spoilt = run(rule, ill, compiled=compiled)
    assert_same_bits(run(rule, healthy, compiled=compiled), spoilt, np.arange(TRIALS) != 2)
    assert np.isnan(spoilt[-1][0][2]).all()


@every_use
@pytest.mark.parametrize("compiled", [pytest.param(True, marks=needs_numba), False])
def test_update_works_in_place_and_leaves_the_gradient_alone(rule: Optimizer, compiled: bool) -> None:
    parameters, gradient = np.ones((2, 3)), np.full((2, 3), 0.5)
    state = tuple(None if value is None else np.ones((2, 3)) for value in rule.start())
    update = update_function(rule.formula, len(state), width(rule), compiled=compiled)
    update(parameters, gradient, state, np.full((2, width(rule)), 0.5))
    assert (gradient == 0.5).all()
    assert (parameters != 1.0).all()


@needs_numba
@every_dtype
def test_a_training_is_the_same_bit_for_bit_compiled_or_not(dtype: str) -> None:
    """Every optimizer with its knobs in many positions, some schedules, and trials that diverge."""
    rules = [rule for name in OPTIMIZERS for rule in (*uses(name), *variants(name))]
    population = [Configuration(0.02, rule) for rule in rules] + mixed(20)
    settings, data = Settings((5,), dtype=dtype, epochs=4, batch_size=8), small_data("classification", outputs=3)
    compiled = assert_trained_the_same(population, data, settings)
    assert 0 < (compiled.diverged_at > 0).sum() < 20


def assert_trained_the_same(population: list[Configuration], data: Data, settings: Settings) -> Training:
    compiled, interpreted = (train(population, data, settings, seed=3, compiled=c) for c in (True, False))
    for name, values in arrays_of(compiled).items():
        assert_bits(values, arrays_of(interpreted)[name])
    return compiled


@needs_numba
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("hidden", [(), (6,), (6, 5, 4)], ids=["0", "1", "3"])
@pytest.mark.parametrize("batch_size", [1, 7, 16, 32])
@every_dtype
def test_a_network_of_any_depth_is_trained_the_same_compiled_or_not(
    activation: str, task: Task, hidden: tuple[int, ...], batch_size: int, dtype: str
) -> None:
    """Several replicates, and but for the first no size of minibatches divides the number of samples."""
    population = [Configuration(0.02 * (k + 1), OPTIMIZERS[name]()) for name in ("sgd", "adam") for k in range(2)]
    settings = Settings(hidden, activation, dtype=dtype, epochs=2, batch_size=batch_size, replicates=3)
    training = assert_trained_the_same(population, small_data(task, 41, inputs=5, outputs=3), settings)
    assert (training.diverged_at < 0).any()


@needs_numba
@given(population=st.lists(configurations, min_size=1, max_size=3), data=data_sets, settings=trainings)
def test_any_training_is_the_same_bit_for_bit_compiled_or_not(
    population: list[Configuration], data: Data, settings: Settings
) -> None:
    assert_trained_the_same(population, data, settings)


@needs_numba
@pytest.mark.parametrize(
    ("activation", "task", "loops"),
    [
        ("relu", "classification", {"_loop_0", "_pass_0", "_pass_1", "_classes"}),
        ("relu", "regression", {"_loop_0", "_pass_0", "_pass_1"}),
        ("tanh", "regression", {"_loop_0", "_interpreted_in_place", "_pass_1"}),
    ],
)
def test_a_training_takes_the_executor_that_is_asked_for(
    activation: str, task: Task, loops: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = set()

    def noted(name: str, executor: Callable[..., Any]) -> Callable[..., Any]:
        def noting(first: Any, *given: Any, **named: Any) -> Any:
            asked.add(first.__name__ if name == "_compiled" else name)
            return executor(first, *given, **named)

        return noting

    interpreted = {"_interpreted", "_interpreted_in_place", *["_interpreted_by_class"] * (task == "classification")}
    for name in ("_compiled", "_interpreted", "_interpreted_in_place", "_interpreted_by_class"):
        monkeypatch.setattr(executors, name, noted(name, getattr(executors, name)))
    for compiled, expected in ((True, loops), (False, interpreted), (None, loops)):
        asked.clear()
        chosen = [Configuration(0.01, OPTIMIZERS["sgd"]())]
        train(chosen, small_data(task), Settings((2,), activation, epochs=1), seed=0, compiled=compiled)
        assert asked == expected


@pytest.mark.usefixtures("without_numba")
def test_without_numba_numpy_serves() -> None:
    parameters = np.ones((2, 3))
    update_function(OPTIMIZERS["sgd"].formula, 0, 1)(parameters, np.ones((2, 3)), (), np.array([[0.25], [1.0]]))
    assert parameters.tolist() == [[0.75] * 3, [0.0] * 3]


@needs_numba
def test_with_numba_there_is_nothing_to_warn_of() -> None:
    assert executors.warning == ""


def leaky(count: int) -> Callable[..., tuple[Any, ...]]:
    """A made-up rule with `count` state arrays, each a running mean of the one before."""
    means = [f"s{j}" for j in range(count)]
    moved = [f"{mean} + r * ({before} - {mean})" for before, mean in zip(["g", *means], means, strict=False)]
    rule: Callable[..., tuple[Any, ...]] = eval(
        f"lambda g, {', '.join(means)}, r: (r * {means[-1]}, {', '.join(moved)})"
    )
    return rule


@needs_numba
@pytest.mark.parametrize("slots", [1, 3, 4, 7])
def test_a_newcomer_may_have_as_many_state_arrays_as_it_likes_and_is_compiled(slots: int) -> None:
    loop: Any = update_function(leaky(slots), slots, 1)
    assert executors.numba.extending.is_jitted(loop)
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


@pytest.mark.long
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
