"""Two ways to run one update formula over a population: plain NumPy, or compiled into one fused in-place loop.

Both do the same floating-point operations in the same order, without fused multiply-add, so they agree bit for bit;
a test holds that. The compiled one makes a single pass over the parameters: about 0.3 ns a parameter against 2.4
for NumPy (RMSProp with momentum, 32 trials of 2,410 float32 parameters, one core).

The compiled loop needs numba. Where it cannot be imported, NumPy serves, and `warning` says so in one line.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Sequence
from importlib import import_module
from types import FunctionType
from typing import Any

from sweep.learning.hyper import Array
from sweep.learning.optimizers import Formula

numba: Any
to_fixed_tuple: Any
try:
    numba = import_module("numba")
    to_fixed_tuple = import_module("numba.np.unsafe.ndarray").to_fixed_tuple
except ImportError:  # a supported way to run: an interpreter for which numba has no wheel yet
    numba = to_fixed_tuple = None

# update(parameters, gradient, state, coefficients): all in place, coefficients of shape (trials, coefficients)
Update = Callable[[Array, Array, tuple[Array, ...], Array], None]

warning = "" if numba else "numba cannot be imported: updates run in plain NumPy, about 8 times slower each"


def update_function(rule: Formula, slots: int, coefficients: int, *, compiled: bool | None = None) -> Update:
    """Make the in-place update of a population from one optimizer's formula.

    Parameters
    ----------
    rule : callable
        ``rule(gradient, *state, *coefficients) -> (step, *state)``, element-wise.
    slots, coefficients : int
        How many state arrays and how many coefficients it takes.
    compiled : bool, optional
        Which executor; left out: compiled if numba is there (and the rule has at most three state arrays).

    Returns
    -------
    callable
        ``update(parameters, gradient, state, coefficients)``: arrays of shape ``(trials, parameters)``, a tuple of
        `slots` such arrays, and ``(trials, coefficients)``. Changes parameters and state.
    """
    if compiled is None:
        compiled = numba is not None and slots in _LOOPS
    return _compiled(rule, slots, coefficients) if compiled else functools.partial(_interpreted, rule)


def _interpreted(rule: Formula, parameters: Array, gradient: Array, state: Sequence[Array], columns: Array) -> None:
    step, *new = rule(gradient, *state, *(columns[:, j, None] for j in range(columns.shape[1])))
    for slot, value in zip(state, new, strict=True):
        slot[...] = value
    parameters -= step


# The loops to be compiled, one for each number of state arrays. `formula` and `width` (the number of coefficients)
# stand for what `_compiled` puts in their place. Scalars in local variables, rows taken once: otherwise LLVM does not
# vectorise (13 times slower, measured).
formula: Any = None
width = 0


def _loop_0(parameters: Any, gradient: Any, state: Any, coefficients: Any) -> None:
    for k in range(parameters.shape[0]):
        c = to_fixed_tuple(coefficients[k], width)
        p, g = parameters[k], gradient[k]
        for i in range(parameters.shape[1]):
            (step,) = formula(g[i], *c)
            p[i] -= step


def _loop_1(parameters: Any, gradient: Any, state: Any, coefficients: Any) -> None:
    (first,) = state
    for k in range(parameters.shape[0]):
        c = to_fixed_tuple(coefficients[k], width)
        p, g, s = parameters[k], gradient[k], first[k]
        for i in range(parameters.shape[1]):
            step, s[i] = formula(g[i], s[i], *c)
            p[i] -= step


def _loop_2(parameters: Any, gradient: Any, state: Any, coefficients: Any) -> None:
    first, second = state
    for k in range(parameters.shape[0]):
        c = to_fixed_tuple(coefficients[k], width)
        p, g, s, r = parameters[k], gradient[k], first[k], second[k]
        for i in range(parameters.shape[1]):
            step, s[i], r[i] = formula(g[i], s[i], r[i], *c)
            p[i] -= step


def _loop_3(parameters: Any, gradient: Any, state: Any, coefficients: Any) -> None:
    first, second, third = state
    for k in range(parameters.shape[0]):
        c = to_fixed_tuple(coefficients[k], width)
        p, g, s, r, q = parameters[k], gradient[k], first[k], second[k], third[k]
        for i in range(parameters.shape[1]):
            step, s[i], r[i], q[i] = formula(g[i], s[i], r[i], q[i], *c)
            p[i] -= step


_LOOPS: dict[int, Any] = dict(enumerate((_loop_0, _loop_1, _loop_2, _loop_3)))


@functools.cache
def _compiled(rule: Formula, slots: int, coefficients: int) -> Update:
    """Compile the loop for this formula, or take it from numba's cache on disk.

    numba keys its cache by the loop's name and this file's date, and does not look at the formula that the loop calls;
    so the name carries a digest of the formula's byte code.
    """
    code = rule.__code__
    digest = hashlib.sha256(code.co_code + repr((code.co_consts, code.co_names)).encode()).hexdigest()[:12]
    template = _LOOPS[slots]
    scope = {**globals(), "formula": numba.njit(error_model="numpy")(rule), "width": coefficients}
    loop = FunctionType(template.__code__, scope, f"{template.__name__}_{coefficients}_{digest}")
    loop.__qualname__ = loop.__name__
    loop.__module__ = __name__
    update: Update = numba.njit(error_model="numpy", cache=True)(loop)
    return update
