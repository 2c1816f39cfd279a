"""Compiled loops are kept on disk: a second process takes them from there, and none is given another formula's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweep.learning.network import executors
from sweep.learning.network.executors import by_class, in_place
from tests.learning.bits import needs_numba
from tests.terminal import python

pytestmark = needs_numba

TRAINING = """
import json
from numba.core import event
from sweep.learning.network import executors
from sweep.learning.configuration import Configuration
from sweep.learning.optimizers.rules import Adam
from sweep.learning.training.loop import Settings, train
from tests.learning.strategies import small_data

loops, original = [], executors._compiled
def noted(*given, **named):
    loops.append(original(*given, **named))
    return loops[-1]
executors._compiled = noted

with event.install_recorder("numba:compile") as recorder:
    settings = Settings((3,), epochs=1, batch_size=8, replicates=2)
    train([Configuration(0.01, Adam())], small_data("classification"), settings, seed=0)
stats = {loop.__name__: [sum(n.values()) for n in (loop.stats.cache_hits, loop.stats.cache_misses)] for loop in loops}
print(json.dumps([len(recorder.buffer), stats]))
"""


@pytest.mark.long
def test_a_second_process_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No loop of a whole training, nor any formula that it calls."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    outcomes = [python(TRAINING, cwd=tmp_path) for _ in range(2)]
    assert [outcome.err for outcome in outcomes] == ["", ""]
    (events, first), (events_after, second) = (json.loads(outcome.out) for outcome in outcomes)
    templates = {name.rsplit("_", 2)[0] for name in first}
    assert templates >= {"_loop_2", "_pass_0", "_pass_1", "_classes"}
    assert len([name for name in first if name.startswith("_classes")]) == 2
    assert events > 0
    assert events_after == 0
    for name, (hits, misses) in first.items():
        assert hits == 0 < misses
        assert second[name] == [misses, 0]


@pytest.fixture
def formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make a formula in a module of its own, which is what an edited source file leaves to the next process."""
    monkeypatch.setattr(executors.numba.config, "CACHE_DIR", str(tmp_path))

    def made(source: str, **names: Any) -> Any:
        module: dict[str, Any] = {"np": np, "__name__": "edited", **names}
        exec(source, module)
        return module["formula"]

    return made


def total(function: Any) -> float:
    """Run a function of `by_class` whose rule leaves what is folded, over three classes of 1, 2 and 4."""
    values = np.array([1.0, 2.0, 4.0]).reshape(1, 3, 1)
    function(values, np.zeros((3, 1, 1)), np.empty((1, 1)), np.empty((1, 1)), 1.0)
    assert len(set(values.ravel().tolist())) == 1
    return float(values[0, 0, 0])


def hits_and_misses(function: Any) -> tuple[int, int]:
    return sum(function.stats.cache_hits.values()), sum(function.stats.cache_misses.values())


LEAVE = "def formula(value, target, folded, carried, scale): return folded, carried"
FOLD = "def formula(folded, value): return {}"


@pytest.mark.long
def test_a_changed_fold_is_not_served_from_the_cache_of_another(formula: Callable[..., Any]) -> None:
    """Not when it differs in an operation, nor in a name only, nor in a constant only."""
    expected = {
        "folded + value": 7.0, "folded - value": -5.0, "folded * value": 8.0, "value - folded": 3.0,
        "np.maximum(folded, value)": 4.0, "np.minimum(folded, value)": 1.0,
        "folded + value * 2.0": 13.0, "folded + value * 3.0": 19.0,
    }  # fmt: skip
    for before in (0, 1):  # the second time all of them are there
        for expression, number in expected.items():
            function = by_class(formula(FOLD.format(expression)), formula(LEAVE), compiled=True)
            assert total(function) == number
            assert hits_and_misses(function) == (before, 1 - before)


def test_fold_and_rule_are_told_apart_in_the_cache(formula: Callable[..., Any]) -> None:
    """One rule with two folds, and one fold with two rules."""
    add, leave = formula(FOLD.format("folded + value")), formula(LEAVE)
    negate = formula(LEAVE.replace("return folded", "return -folded"))
    take = formula(FOLD.format("folded - value"))
    pairs = [(add, leave), (add, negate), (take, leave)]
    functions = [by_class(*pair, compiled=True) for pair in pairs]
    assert [total(function) for function in functions] == [7.0, -7.0, -5.0]
    assert {hits_and_misses(function) for function in functions} == {(0, 1)}


CALLING = """
def called(value): return {}
def formula(folded, value): return folded + called(value)
"""


def test_a_fold_whose_function_is_changed_is_not_served_from_the_cache(formula: Callable[..., Any]) -> None:
    folds = [formula(CALLING.format(f"value * {factor}")) for factor in ("2.0", "3.0")]
    assert [total(by_class(fold, formula(LEAVE), compiled=True)) for fold in folds] == [13.0, 19.0]


def test_a_changed_formula_in_place_is_not_served_from_the_cache_of_another(formula: Callable[..., Any]) -> None:
    results = []
    for expression in ("target + target", "target * target", "-target", "target + 1.0", "target + 2.0"):
        target = np.array([[3.0, 4.0]])
        in_place(formula(f"def formula(target): return {expression}"), 0, compiled=True)(target)
        results.append(target[0].tolist())
    assert results == [[6.0, 8.0], [9.0, 16.0], [-3.0, -4.0], [4.0, 5.0], [5.0, 6.0]]


def test_a_formula_whose_constant_is_changed_is_not_served_from_the_cache(formula: Callable[..., Any]) -> None:
    """As ZERO and ONE are constants of the activations."""
    results = []
    for slope in (0.25, 0.5):
        target = np.array([[4.0]])
        leak = formula("def formula(target): return target * SLOPE", SLOPE=np.float32(slope))
        in_place(leak, 0, compiled=True)(target)
        results.append(target.item())
    assert results == [1.0, 2.0]
