from __future__ import annotations

import ast
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Array
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.optimizers.rules import OPTIMIZERS, AdaGrad, Adam, Momentum, Nesterov, RMSProp, Sgd
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import SCHEDULES, Constant, Cosine, Exponential, Plateau, Polynomial, Step
from sweep.parity.lines import LIBRARIES, Lines, lines
from sweep.parity.lines.formulas import FORMULAS
from sweep.parity.live import QUIET, Task
from tests.learning.strategies import configurations
from tests.parity.settings import optimizers, rates, schedules

UPDATES = 300
every_library = pytest.mark.parametrize("library", LIBRARIES)
# Keras 3.15 asks TensorFlow's and PyTorch's tensors for an array in the way of NumPy 1.
old_arrays = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def written(library: str, configuration: Configuration, steps: int = 1) -> Lines:
    return LIBRARIES[library](configuration, steps)


def check(found: Lines) -> None:
    """What holds of all lines: Python, complete, and a reason where they are not the same mathematics."""
    ast.parse("\n".join(found.code))
    assert found.exact or found.notes
    assert found.code or not found.exact
    assert not found.code or any(line.startswith("optimizer = ") for line in found.code)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_with_every_schedule_gives_lines_for_each_library(optimizer: str, schedule: str) -> None:
    for made in optimizers(optimizer, "torch") + optimizers(optimizer, "keras"):
        found = lines(Configuration(0.1, made, SCHEDULES[schedule](warmup=1.0)), 7)
        assert [entry.library for entry in found] == ["torch", "keras", "optax"] == list(LIBRARIES)
        for entry in found:
            check(entry)


@every_library
@given(configuration=configurations)
def test_any_legal_configuration_gives_python(library: str, configuration: Configuration) -> None:
    check(written(library, configuration, 3))


PLAIN: dict[str, tuple[Configuration, str]] = {
    "momentum": (
        Configuration(0.1, Momentum(), Constant()),
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\n"
        "optimizer = keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)\n"
        "optimizer = optax.sgd(0.1, momentum=0.9)",
    ),
    "step": (
        Configuration(0.1, Sgd(), Step(every=5.0)),
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=50, gamma=0.5)\n"
        "rate = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=50, decay_rate=0.5, staircase=True)\n"
        "optimizer = keras.optimizers.SGD(learning_rate=rate)\n"
        "rate = optax.exponential_decay(0.1, transition_steps=50, decay_rate=0.5, staircase=True)\n"
        "optimizer = optax.sgd(rate)",
    ),
    "cosine": (
        Configuration(0.01, Adam(epsilon=0.0), Cosine(duration=30.0, warmup=2.0)),
        "import math\n"
        "optimizer = torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.999), eps=0.0)\n"
        "def factor(count):\n"
        "    return count / 20 if count < 20 else 0.5 * (1 + math.cos(math.pi * min((count - 20) / 280, 1)))\n"
        "scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)\n"
        "rate = keras.optimizers.schedules.CosineDecay(0.0, decay_steps=280, warmup_target=0.01, warmup_steps=20)\n"
        "optimizer = keras.optimizers.Adam(learning_rate=rate, beta_1=0.9, beta_2=0.999, epsilon=0.0)\n"
        "rate = optax.warmup_cosine_decay_schedule(init_value=0.0, peak_value=0.01, warmup_steps=20, decay_steps=300)\n"
        "optimizer = optax.adam(rate, b1=0.9, b2=0.999, eps=0.0)",
    ),
}


@pytest.mark.parametrize("name", PLAIN)
def test_ordinary_cases_are_what_a_user_of_the_library_would_write(name: str) -> None:
    configuration, expected = PLAIN[name]
    found = lines(configuration, 10)
    assert "\n".join(line for entry in found for line in entry.code) == expected
    assert all(entry.exact for entry in found)


@every_library
def test_numbers_keep_all_their_digits(library: str) -> None:
    odd = 0.12345678901234566
    made = RMSProp(decay=odd, epsilon=odd / 3, initial_cache=odd / 5, epsilon_inside=library != "torch")
    code = "\n".join(written(library, Configuration(odd / 7, made, Exponential(rate=odd)), 3).code)
    numbers = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)}
    assert {odd, odd / 3, odd / 5, odd / 7} <= numbers


@every_library
def test_a_schedule_that_a_compiled_division_would_make_late_counts_in_whole_numbers(library: str) -> None:
    code = "\n".join(written(library, Configuration(0.1, Sgd(), Step(every=41.0)), 1).code)
    assert "staircase" not in code
    assert "// 41" in code or "step_size=41" in code
    assert "staircase" in "\n".join(written(library, Configuration(0.1, Sgd(), Step(every=40.0)), 1).code) or (
        library == "torch"
    )


@every_library
def test_a_broken_power_of_what_is_left_is_never_that_of_a_negative_number(library: str) -> None:
    code = "\n".join(written(library, Configuration(0.1, Sgd(), Polynomial(0.1, 15.0, power=0.5)), 1).code)
    assert "PolynomialDecay" not in code
    assert "polynomial_schedule" not in code


CHANGING = Exponential(rate=0.1)
# What a library does not have: the knob that the note names, and a setting that has nothing else against it.
MISSING: list[tuple[str, str, Optimizer, Schedule]] = [
    ("torch", "epsilon_inside", RMSProp(epsilon_inside=True), Constant()),
    ("torch", "epsilon_inside", AdaGrad(epsilon_inside=True), Constant()),
    ("torch", "rate_in_velocity", Momentum(rate_in_velocity=True), CHANGING),
    ("torch", "rate_in_velocity", RMSProp(momentum=0.9), CHANGING),
    ("torch", "dampening", Nesterov(dampening=0.5), Constant()),
    ("torch", "dampening", RMSProp(momentum=0.9, dampening=0.5), Constant()),
    ("torch", "momentum", AdaGrad(momentum=0.9), Constant()),
    ("torch", "nesterov", RMSProp(momentum=0.9, nesterov=True), Constant()),
    ("torch", "bias_correction", RMSProp(bias_correction=True, centered=True), Constant()),
    ("torch", "epsilon_before_correction", Adam(epsilon_before_correction=True), Constant()),
    ("torch", "weight_decay_over_batch", Sgd(weight_decay=0.1, weight_decay_over_batch=True), Constant()),
    ("torch", "warmup", Sgd(), Plateau(warmup=2.0)),
    ("torch", "rate_decay", Sgd(rate_decay=0.1), Plateau()),
    ("torch", "running_best", Sgd(), Plateau(running_best=True)),
    ("keras", "epsilon_inside", RMSProp(), Constant()),
    ("keras", "epsilon_inside", AdaGrad(), Constant()),
    ("keras", "rate_in_velocity", Momentum(rate_in_velocity=False), CHANGING),
    ("keras", "dampening", Momentum(dampening=0.5), Constant()),
    ("keras", "momentum", AdaGrad(momentum=0.9, epsilon_inside=True), Constant()),
    ("keras", "nesterov", RMSProp(momentum=0.9, nesterov=True, epsilon_inside=True), Constant()),
    ("keras", "bias_correction", RMSProp(bias_correction=True, epsilon_inside=True), Constant()),
    ("keras", "bias_correction", RMSProp(bias_correction=True, epsilon=0.0, momentum=0.9), Constant()),
    ("keras", "epsilon_before_correction", Adam(), Constant()),
    ("keras", "weight_decay_decoupled", Momentum(weight_decay=0.1), Constant()),
    ("keras", "weight_decay_over_batch", Sgd(weight_decay=0.1, weight_decay_over_batch=True), Constant()),
    ("keras", "threshold", Sgd(), Plateau(baseline=False)),
    ("keras", "baseline", Sgd(), Plateau(absolute=True)),
    ("keras", "least_change", Sgd(), Plateau(absolute=True, baseline=False, least_change=0.1)),
    ("keras", "running_best", Sgd(), Plateau(absolute=True, baseline=False, running_best=True)),
    ("keras", "warmup", Sgd(), Plateau(absolute=True, baseline=False, warmup=1.0)),
    ("keras", "rate_decay", Sgd(rate_decay=0.1), Plateau(absolute=True, baseline=False)),
    ("optax", "epsilon_inside", AdaGrad(), Constant()),
    ("optax", "initial_cache", AdaGrad(epsilon=0.0), Constant()),
    ("optax", "epsilon_before_correction", Adam(epsilon_before_correction=True), Constant()),
    ("optax", "bias_correction", RMSProp(bias_correction=True, centered=True), Constant()),
    ("optax", "dampening", Nesterov(dampening=0.5), Constant()),
    ("optax", "weight_decay_over_batch", Sgd(weight_decay=0.1, weight_decay_over_batch=True), Constant()),
    ("optax", "rate_in_velocity", Momentum(), Plateau()),
    ("optax", "warmup", Sgd(), Plateau(warmup=2.0)),
    ("optax", "least_change", Sgd(), Plateau(least_change=0.1)),
    ("optax", "running_best", Sgd(), Plateau(running_best=True)),
]


@pytest.mark.parametrize(("library", "knob", "optimizer", "schedule"), MISSING)
def test_what_a_library_cannot_do_is_not_called_exact_and_named(
    library: str, knob: str, optimizer: Optimizer, schedule: Schedule
) -> None:
    found = written(library, Configuration(0.1, optimizer, schedule), 5)
    check(found)
    assert not found.exact
    assert knob in found.notes[0].split(":")[0]


# Knobs that make no difference where these constants are, and knobs that a library has under another name.
IMMATERIAL: list[tuple[str, Optimizer, Schedule]] = [
    ("torch", RMSProp(epsilon=0.0, epsilon_inside=True), Constant()),
    ("torch", Momentum(rate_in_velocity=True), Step(divisor=1.0)),
    ("torch", Momentum(momentum=0.0, dampening=0.5, nesterov=True), CHANGING),
    ("torch", Sgd(weight_decay=0.1, weight_decay_decoupled=True), CHANGING),
    ("torch", RMSProp(weight_decay=0.1, weight_decay_decoupled=True, weight_decay_biases=False), CHANGING),
    ("torch", RMSProp(bias_correction=True), Constant()),
    ("torch", AdaGrad(rate_decay=0.1, nesterov=True), CHANGING),
    ("torch", Adam(epsilon=0.0, epsilon_before_correction=True), CHANGING),
    ("torch", Sgd(), Plateau(drop=1.0, warmup=2.0, warmup_start=1.0)),
    ("keras", RMSProp(epsilon=0.0, initial_cache=1.0), CHANGING),
    ("keras", Sgd(weight_decay=0.1, weight_decay_biases=False), CHANGING),
    ("keras", Momentum(rate_in_velocity=False), Constant()),
    ("keras", Adam(epsilon=0.0), CHANGING),
    ("keras", RMSProp(epsilon=0.0, bias_correction=True), CHANGING),
    ("keras", Sgd(), Plateau(absolute=True, baseline=False)),
    ("optax", AdaGrad(epsilon=0.0, initial_cache=0.1), CHANGING),
    ("optax", Momentum(dampening=0.5, weight_decay=0.1, weight_decay_decoupled=True), CHANGING),
    ("optax", AdaGrad(epsilon_inside=True, momentum=0.9, nesterov=True), CHANGING),
    ("optax", RMSProp(momentum=0.9, rate_in_velocity=False, centered=True), CHANGING),
    ("optax", Sgd(), Plateau(threshold=0.0)),
]


@pytest.mark.parametrize(("library", "optimizer", "schedule"), IMMATERIAL)
def test_what_makes_no_difference_is_exact(library: str, optimizer: Optimizer, schedule: Schedule) -> None:
    found = written(library, Configuration(0.1, optimizer, schedule), 5)
    check(found)
    assert found.exact


def torch_rates(code: tuple[str, ...], updates: int) -> Array:
    torch = pytest.importorskip("torch")
    parameter = torch.nn.Parameter(torch.zeros(1))
    names = {"torch": torch, "model": torch.nn.ParameterList([parameter])}
    exec("\n".join(code), names)
    parameter.grad, found = torch.zeros(1), []
    for _ in range(updates):
        found.append(names["optimizer"].param_groups[0]["lr"])
        names["optimizer"].step()
        if "scheduler" in names:
            names["scheduler"].step()
    return np.array(found)


def optax_rates(code: tuple[str, ...], updates: int) -> Array:
    pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        names = executed("optax", code)
        found = jax.vmap(names["rate"])(jax.numpy.arange(updates, dtype="int64"))
        return np.broadcast_to(np.asarray(found), (updates,))


def keras_rates(code: tuple[str, ...], updates: int) -> Array:
    keras, tensorflow = keras_on_tensorflow(), pytest.importorskip("tensorflow")
    keras.config.set_floatx("float64")
    try:
        rate = executed("keras", code)["rate"]
        counts = tensorflow.range(updates, dtype="int64")

        def at(count: Any) -> Any:
            return tensorflow.convert_to_tensor(rate(count), "float64")

        def all_of_them() -> Any:
            return tensorflow.map_fn(at, counts, fn_output_signature="float64")

        return np.asarray(tensorflow.function(all_of_them, autograph=False)())
    finally:
        keras.config.set_floatx("float32")


def keras_on_tensorflow() -> Any:
    """Keras, if TensorFlow is its backend: the others have no schedules in double precision."""
    pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras is on another backend than TensorFlow")
    return keras


def executed(library: str, code: tuple[str, ...]) -> dict[str, Any]:
    """The names that lines leave, with floats as TensorFlow keeps them."""
    names = {library: pytest.importorskip(library), "model": SimpleNamespace(trainable_variables=[])}
    nothing = np.zeros(1)
    return Task(code, "", [], nothing, nothing).execute(exactly=library == "keras", **names)


RATES: dict[str, Callable[[tuple[str, ...], int], Array]] = {
    "torch": torch_rates, "keras": keras_rates, "optax": optax_rates,
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)


@every_library
@pytest.mark.parametrize("schedule", schedules(), ids=lambda schedule: str(schedule.name))
def test_rates_are_ours(library: str, schedule: Schedule) -> None:
    if type(schedule) not in FORMULAS:
        pytest.skip(f"no formula for {schedule.name}: wanted in FORMULAS of sweep/parity/lines/formulas.py")
    for steps, decay in ((4, 0.0), (1, 0.03)):
        configuration = Configuration(0.3, Sgd(rate_decay=decay), schedule)
        found = written(library, configuration, steps)
        assert found.exact
        if steps == 4 and not decay and isinstance(schedule, Constant) and not schedule.warmup:
            continue  # a number, no schedule
        theirs = RATES[library](found.code, UPDATES)
        # PyTorch's schedulers go from rate to rate, a rounding each
        np.testing.assert_allclose(theirs, rates(configuration, steps, UPDATES), rtol=1e-12, atol=1e-13)


def watched(schedule: Plateau, before: float, losses: list[float]) -> list[float]:
    """Our factor during each epoch."""
    state = schedule.start(*(np.full((1, 1), before),) * 2)
    found = []
    for loss in losses:
        found.append(schedule.factor(1.0, state).item())
        state = schedule.observe(state, *(np.full((1, 1), loss),) * 2)
    return found


def torch_plateau(code: tuple[str, ...], before: float | None, losses: list[float]) -> list[float]:
    torch = pytest.importorskip("torch")
    names = {"torch": torch, "model": torch.nn.ParameterList([torch.nn.Parameter(torch.zeros(1))])}
    exec("\n".join(code), names)
    if before is not None:
        names["scheduler"].step(before)
    found = []
    for loss in losses:
        found.append(names["optimizer"].param_groups[0]["lr"])
        names["scheduler"].step(loss)
    return found


def keras_plateau(code: tuple[str, ...], before: float | None, losses: list[float]) -> list[float]:
    keras = keras_on_tensorflow()
    assert before is None
    keras.config.set_floatx("float64")
    try:
        names, found = executed("keras", code), []
        names["plateau"].set_model(SimpleNamespace(optimizer=names["optimizer"]))
        names["plateau"].on_train_begin()
        for epoch, loss in enumerate(losses):
            found.append(float(names["optimizer"].learning_rate))
            names["plateau"].on_epoch_end(epoch, {"val_loss": loss})
        return found
    finally:
        keras.config.set_floatx("float32")


def optax_plateau(code: tuple[str, ...], before: float | None, losses: list[float]) -> list[float]:
    pytest.importorskip("optax")
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        names, params = executed("optax", code), jax.numpy.zeros(1)
        seen, update = names["plateau"].init(params), jax.jit(names["plateau"].update)
        if before is not None:
            _, seen = update(params, seen, value=before)
        found = []
        for loss in losses:
            found.append(float(seen.scale) * RATE)
            _, seen = update(params, seen, value=loss)
        return found


PLATEAUS: dict[str, Callable[[tuple[str, ...], float | None, list[float]], list[float]]] = {
    "torch": torch_plateau, "keras": keras_plateau, "optax": optax_plateau,
}  # fmt: skip
RATE = 0.3
FIRED = [
    Plateau(threshold=0.01),
    Plateau(threshold=0.01, baseline=False, patience=0.0),
    Plateau(threshold=0.02, absolute=True, baseline=False, drop=0.3, patience=1.0, cooldown=2.0, floor=0.05),
    Plateau(threshold=0.0, baseline=False, patience=2.0, cooldown=1.0, drop=0.9),
    Plateau(threshold=0.01, least_change=0.02, patience=1.0),
]


@old_arrays
@every_library
@pytest.mark.parametrize("schedule", FIRED)
def test_a_plateau_lowers_the_rate_when_ours_does(library: str, schedule: Plateau) -> None:
    found = written(library, Configuration(RATE, Sgd(), schedule))
    if not found.exact:
        assert library in ("keras", "optax")
        return
    random = np.random.default_rng(3)
    losses = (1.0 / np.arange(1, 61) ** 0.3 + 0.05 * random.normal(size=60)).tolist()
    ours = watched(schedule, 1.02, losses)
    assert len(set(ours)) > 3
    theirs = PLATEAUS[library](found.code, 1.02 if schedule.baseline else None, losses)
    np.testing.assert_allclose(theirs, RATE * np.array(ours), rtol=1e-14)
