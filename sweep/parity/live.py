"""The installed libraries on the recorded problems: the lines of `sweep.parity.lines`, executed, beside our training.

A library trains the recorded network by its own operations and its own gradients. Recordings show what a library did
when they were made; this shows what the one that is here does, and that the lines make what they say.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from sweep.errors import UsageError, unknown
from sweep.learning.hyper import Array
from sweep.parity import words
from sweep.parity.comparing import TOLERANCES, Comparison, Curves, compare, train_runs
from sweep.parity.lines import LIBRARIES, Lines
from sweep.parity.recordings import Problem, Recordings, Run

# Else TensorFlow tells of its build on import, and its oneDNN part complains of each product in double precision.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}
# On PyTorch and JAX some operations of Keras, the cosine among them, give single precision for double: rates are then
# 1e-7 off, and what follows from them. On TensorFlow they do not.
KERAS_ELSEWHERE = 1e-6
BACKENDS = ("tensorflow", "jax", "torch")  # of Keras, in the order of preference; its own default is the first


def installed() -> list[str]:
    """The libraries that can be imported here; nothing is imported. Keras needs a backend."""
    found = [name for name in TRAINERS if find_spec(name)]
    return [name for name in found if name != "keras" or _backend()]


def train_live(library: str, code: Sequence[str], problem: Problem, iterations: int, dtype: str) -> Curves:
    """Train a recorded problem in a library, with the optimizer and the schedule that lines of code make.

    Parameters
    ----------
    library : str
        One of `installed`.
    code : sequence of str
        As in `Lines`; executed.
    problem : Problem
    iterations : int
        How many of its minibatches, from the first.
    dtype : str
        ``"float64"`` or ``"float32"``.

    Returns
    -------
    Curves
        The loss before each update, the final parameters in the order of the recordings, and the rate of each update:
        NaN where the library does not tell it.

    Raises
    ------
    UsageError
        The library is not installed.
    """
    if library not in installed():
        raise UsageError(f"{unknown('library', library, installed())} (installed)")
    order = problem.minibatches[:iterations]
    inputs, targets = problem.x[order].astype(dtype), problem.targets[order].astype(dtype)
    initial = [p.astype(dtype) for p in problem.params]
    losses, final, rates = TRAINERS[library](Task(code, problem.activation, initial, inputs, targets))
    flat = np.concatenate([np.asarray(p, np.float64).ravel() for p in final])
    return Curves(np.asarray(losses, np.float64), flat, np.asarray(rates, np.float64))


def compare_live(recordings: Recordings, library: str) -> list[Comparison]:
    """The recorded settings of a library, trained by it here and now, beside our training.

    What its lines do not make exactly, and what watches a loss, is left out.
    """
    runs = [run for run in recordings.runs if _is_of(run, library)]
    code = [_lines(run, library) for run in runs]
    chosen = [(run, lines.code) for run, lines in zip(runs, code, strict=True) if lines.exact]
    ours = train_runs(recordings, [run for run, _ in chosen])
    found = []
    for (run, lines), mine in zip(chosen, ours, strict=True):
        theirs = train_live(library, lines, recordings.problems[run.problem], run.iterations, run.dtype)
        told = None if np.isnan(theirs.rates).all() else theirs.rates
        now = run.model_copy(update={"loss": theirs.loss, "final": theirs.final, "lr": told})
        found.append(replace(compare(now, mine), tolerance=tolerance(library, run.dtype)))
    return found


def tolerance(library: str, dtype: str) -> float:
    """The difference that passes between a library and this trainer."""
    single = library == "keras" and _backend() != "tensorflow"
    return max(TOLERANCES[dtype], KERAS_ELSEWHERE if single else 0.0)


def _is_of(run: Run, library: str) -> bool:
    """Whether a run is of the library; not one whose constants stand for the rounding of that recording."""
    dialect = {"keras": "keras3"}.get(library, library)
    rounded = any(part in run.id for part in ("pyfloat", "int32count"))
    return run.library == dialect and run.order is None and not rounded and run.schedule["kind"] != "plateau"


def _lines(run: Run, library: str) -> Lines:
    """The lines for a run, an iteration of which is an epoch of ours."""
    return LIBRARIES[library](words.configuration(run.knobs, run.schedule, run.id), 1)


@dataclass(frozen=True)
class Task:
    """What a library has to train: lines, the activation's name, initial parameters, and the minibatches in a row."""

    code: Sequence[str]
    activation: str
    initial: list[Array]
    inputs: Array
    targets: Array

    @property
    def double(self) -> bool:
        """Whether in double precision."""
        return bool(self.inputs.dtype == np.float64)

    def execute(self, *, exactly: bool = False, **names: Any) -> dict[str, Any]:
        """Execute the lines where these names are known; return all names.

        `exactly` puts NumPy's floats in place of Python's, of which TensorFlow keeps single precision only.
        """
        tree = ast.parse("\n".join(self.code))
        if exactly:
            tree = ast.fix_missing_locations(_Exactly().visit(tree))
        names["exactly"] = np.float64
        exec(compile(tree, "<lines>", "exec"), names)
        return names


class _Exactly(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """Wrap a float in a call."""
        if not isinstance(node.value, float):
            return node
        return ast.Call(ast.Name("exactly", ast.Load()), [node], [])


Trained = tuple[Any, Any, Any]  # losses, final parameters, rates


def _loss(activate: Any, log_softmax: Any, mean: Any) -> Any:
    """The recorded problems' loss, from the operations of a library."""

    def loss(params: Any, x: Any, y: Any) -> Any:
        for weights, biases in zip(params[:-2:2], params[1:-2:2], strict=True):
            x = activate(x @ weights + biases)
        return mean(log_softmax(x @ params[-2] + params[-1], -1) * y) * -y.shape[-1]

    return loss


def _torch_loss(activation: str) -> Any:
    torch = importlib.import_module("torch")
    return _loss(getattr(torch, activation), torch.log_softmax, torch.mean)


def _jax_loss(activation: str) -> Any:
    nn, jnp = importlib.import_module("jax.nn"), importlib.import_module("jax.numpy")
    return _loss(getattr(nn, activation), nn.log_softmax, jnp.mean)


def _tensorflow_loss(activation: str) -> Any:
    tensorflow = importlib.import_module("tensorflow")
    nn = tensorflow.nn
    return _loss(getattr(nn, activation), nn.log_softmax, tensorflow.reduce_mean)


@contextmanager
def _one_thread() -> Iterator[Any]:
    """PyTorch on one thread, as our trainer: minibatches this small only lose by more."""
    torch = importlib.import_module("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield torch
    finally:
        torch.set_num_threads(threads)


def _torch(task: Task) -> Trained:
    with _one_thread() as torch:
        return _torch_loop(torch, task)


def _torch_loop(torch: Any, task: Task) -> Trained:
    model = torch.nn.ParameterList([torch.nn.Parameter(torch.from_numpy(p.copy())) for p in task.initial])
    params, loss = list(model.parameters()), _torch_loss(task.activation)
    names = task.execute(torch=torch, model=model)
    optimizer, scheduler = names["optimizer"], names.get("scheduler")
    losses, rates = [], []
    for t, (x, y) in enumerate(zip(torch.from_numpy(task.inputs), torch.from_numpy(task.targets), strict=True)):
        optimizer.zero_grad()
        now = loss(params, x, y)
        now.backward()
        losses.append(now.item())
        group = optimizer.param_groups[0]
        rates.append(group["lr"] / (1 + group.get("lr_decay", 0.0) * t))  # Adagrad's own decay is not in its lr
        optimizer.step()
        if scheduler:
            scheduler.step()
    return losses, [p.detach().numpy() for p in params], rates


def _optax(task: Task) -> Trained:
    jax = importlib.import_module("jax")
    with _precision(jax, task.double):
        return _optax_scan(jax, task)


def _precision(jax: Any, double: bool) -> Any:
    """Let JAX have double precision, or not."""
    older = None if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")
    return (older or jax).enable_x64(double)


def _optax_scan(jax: Any, task: Task) -> Trained:
    """All updates as one compiled loop."""
    jnp, optax = jax.numpy, importlib.import_module("optax")
    names, loss = task.execute(optax=optax), _jax_loss(task.activation)
    optimizer, rate = names["optimizer"], names.get("rate", lambda count: jnp.nan)

    def step(carried: Any, batch: Any) -> Any:
        params, state = carried
        count, x, y = batch
        now, gradient = jax.value_and_grad(loss)(params, x, y)
        updates, state = optimizer.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), (now, rate(count))

    def wide(leaf: Any) -> Any:
        """A count of 64 bits: over one of 32 bits a quotient is in single precision, also where all else is double."""
        return leaf.astype(jnp.int64) if task.double and leaf.dtype == jnp.int32 else leaf

    params = [jnp.asarray(p) for p in task.initial]
    state = jax.tree.map(wide, optimizer.init(params))
    counts = wide(jnp.arange(len(task.inputs), dtype=jnp.int32))
    train = jax.jit(lambda start, batches: jax.lax.scan(step, start, batches))
    (params, _), (losses, rates) = train((params, state), (counts, task.inputs, task.targets))
    return losses, params, rates


def _backend() -> str:
    """The backend that Keras would take if it is installed, or else one that is; none: an empty text."""
    file = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "keras.json"
    try:
        configured = json.loads(file.read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        configured = BACKENDS[0]
    wished = os.environ.get("KERAS_BACKEND", configured)
    return next((name for name in (wished, *BACKENDS) if name in BACKENDS and find_spec(name)), "")


def _keras(task: Task) -> Trained:
    os.environ["KERAS_BACKEND"] = _backend()
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    keras = importlib.import_module("keras")
    backend = keras.backend.backend()
    floatx = keras.config.floatx()
    keras.config.set_floatx(str(task.inputs.dtype))
    try:
        with _surroundings(backend, task):
            return _keras_loop(keras, backend, task)
    finally:
        keras.config.set_floatx(floatx)


def _surroundings(backend: str, task: Task) -> Any:
    """What a backend of Keras needs around it."""
    if backend == "jax":
        return _precision(importlib.import_module("jax"), task.double)
    return _one_thread() if backend == "torch" else nullcontext()


def _keras_loop(keras: Any, backend: str, task: Task) -> Trained:
    ops, kinds = keras.ops, ("kernel", "bias")
    variables = [keras.Variable(p, name=f"{kinds[i % 2]}_{i // 2}") for i, p in enumerate(task.initial)]
    model = SimpleNamespace(trainable_variables=variables)
    names = task.execute(exactly=task.double and backend == "tensorflow", keras=keras, model=model)
    optimizer = names["optimizer"]
    if not optimizer.built:
        optimizer.build(variables)

    def update(slopes: Any) -> Any:
        """Make an update; the rate that was used."""
        rate = ops.convert_to_tensor(optimizer.learning_rate) + 0  # a copy: a variable's own value may be changed below
        optimizer.apply(slopes, variables)
        return rate

    step = STEPS[backend](task.activation, variables, update)
    batches = zip(map(ops.convert_to_tensor, task.inputs), map(ops.convert_to_tensor, task.targets), strict=True)
    found = [step(x, y) for x, y in batches]
    losses, rates = ([float(value) for value in values] for values in zip(*found, strict=True))
    return losses, [np.asarray(ops.stop_gradient(variable.value)) for variable in variables], rates


Step = Callable[[Any, Any], tuple[Any, Any]]  # a minibatch to its loss and the rate of the update it made


def _tensorflow_step(activation: str, variables: list[Any], update: Any) -> Step:
    """The whole update compiled."""
    tensorflow, loss = importlib.import_module("tensorflow"), _tensorflow_loss(activation)

    def step(x: Any, y: Any) -> tuple[Any, Any]:
        values = [v.value for v in variables]
        with tensorflow.GradientTape() as tape:
            now = loss(values, x, y)
        return now, update(tape.gradient(now, values))

    compiled: Step = tensorflow.function(step, autograph=False)  # which would ask for the source of executed lines
    return compiled


def _jax_step(activation: str, variables: list[Any], update: Any) -> Step:
    jax = importlib.import_module("jax")
    slopes = jax.jit(jax.value_and_grad(_jax_loss(activation)))

    def step(x: Any, y: Any) -> tuple[Any, Any]:
        now, gradient = slopes([v.value for v in variables], x, y)
        return now, update(gradient)

    return step


def _torch_step(activation: str, variables: list[Any], update: Any) -> Step:
    torch, loss = importlib.import_module("torch"), _torch_loss(activation)

    def step(x: Any, y: Any) -> tuple[Any, Any]:
        values = [v.value for v in variables]
        now = loss(values, x, y)
        with torch.no_grad():
            return now.detach(), update(torch.autograd.grad(now, values))

    return step


STEPS: dict[str, Callable[[str, list[Any], Any], Step]] = {
    "tensorflow": _tensorflow_step, "jax": _jax_step, "torch": _torch_step,
}  # fmt: skip

TRAINERS: dict[str, Callable[[Task], Trained]] = {
    "torch": _torch, "keras": _keras, "optax": _optax,
}  # fmt: skip
