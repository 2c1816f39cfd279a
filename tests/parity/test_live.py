from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Array
from sweep.learning.optimizers.rules import OPTIMIZERS, Momentum, RMSProp
from sweep.learning.schedules.formulas import Schedule, Step
from sweep.parity.comparing import largest, relative, train_problem
from sweep.parity.lines import LIBRARIES
from sweep.parity.live import QUIET, compare_live, installed, tolerance, train_live
from sweep.parity.recordings import Problem, Recordings, load
from tests.parity.settings import optimizers, own, rates, schedules

pytestmark = pytest.mark.long

STEPS = 4  # minibatches an epoch
UPDATES = 40
RATE = 0.01  # small enough that nothing diverges with twice as much: what diverges magnifies roundings

every_library = pytest.mark.parametrize("library", LIBRARIES)


@pytest.fixture(scope="module")
def recordings() -> Recordings:
    return load()


@pytest.fixture(scope="module")
def problem(recordings: Recordings) -> Problem:
    """A recorded problem without its hidden layer: JAX compiles that in half the time, and a rule is element-wise."""
    whole = recordings.problems["A"]
    weights = np.random.default_rng(5).normal(size=(whole.x.shape[1], whole.classes))
    return whole.model_copy(update={"params": [weights, np.zeros(whole.classes)]})


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)


def needs(library: str) -> None:
    if library not in installed():
        pytest.skip(f"{library} is not installed")


def ours(problem: Problem, configurations: list[Configuration], dtype: str = "float64") -> tuple[Array, Array]:
    """Loss per epoch of STEPS minibatches, and final parameters."""
    orders = problem.order[:UPDATES].astype(int).reshape(UPDATES // STEPS, 1, -1)
    result = train_problem(problem, configurations, orders, dtype)
    return result.train_loss[:, 0, 1:], result.parameters[:, 0]


def compare_exact_ones(library: str, problem: Problem, configurations: list[Configuration]) -> int:
    """Compare what the library does exactly; how many those were."""
    written = [LIBRARIES[library](configuration, STEPS) for configuration in configurations]
    pairs = [(c, lines.code) for c, lines in zip(configurations, written, strict=True) if lines.exact]
    losses, finals = ours(problem, [configuration for configuration, _ in pairs])
    limit = tolerance(library, "float64")
    for (configuration, code), loss, final in zip(pairs, losses, finals, strict=True):
        theirs = train_live(library, code, problem, UPDATES, "float64")
        per_epoch = theirs.loss.reshape(-1, STEPS).mean(axis=1)
        said = f"{configuration}\n" + "\n".join(code)
        assert relative(loss, per_epoch, np.abs(per_epoch)) <= limit, said
        assert relative(final, theirs.final, largest(theirs.final)) <= limit, said
        if not np.isnan(theirs.rates).all():
            expected = rates(configuration, STEPS, UPDATES)
            assert relative(expected, theirs.rates, largest(theirs.rates)) <= limit, said
    return len(pairs)


def test_installed_are_those_that_can_be_imported() -> None:
    assert set(installed()) <= set(LIBRARIES)
    assert all(find_spec(name) for name in installed())


def test_a_library_that_is_not_installed_is_refused(problem: Problem) -> None:
    with pytest.raises(UsageError, match="unknown library 'caffe'"):
        train_live("caffe", (), problem, 1, "float64")


@every_library
def test_recorded_settings_trained_now_agree_with_ours(library: str, recordings: Recordings) -> None:
    needs(library)
    found = compare_live(recordings, library)
    assert len(found) >= 15  # of each library, save those that are not exact
    assert {comparison.dtype for comparison in found} == {"float64", "float32"}
    assert all(comparison.passed for comparison in found), [c for c in found if not c.passed]


@every_library
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_lines_of_an_optimizer_give_our_loss_per_iteration(library: str, name: str, problem: Problem) -> None:
    needs(library)
    changing = Step(every=2.0, divisor=1.5)
    # JAX compiles each setting for 0.4 s, where PyTorch has trained it in 0.03
    momenta = (0.9,) if library == "optax" else (0.0, 0.9)
    tried = [Configuration(RATE, made, changing) for made in optimizers(name, library, momenta)]
    assert compare_exact_ones(library, problem, tried) >= 5


# One of each kind: the rates of all of them are compared in `test_lines`.
@every_library
@pytest.mark.parametrize(
    "schedule", {made.name: made for made in schedules()}.values(), ids=lambda made: str(made.name)
)
def test_the_lines_of_a_schedule_give_our_loss_per_iteration(
    library: str, schedule: Schedule, problem: Problem
) -> None:
    needs(library)
    # PyTorch has the rate outside the velocity, Keras inside; Optax has both
    made = Momentum(rate_in_velocity=library != "torch")
    assert compare_exact_ones(library, problem, [Configuration(RATE, made, schedule)]) == 1


def test_torch_gives_our_loss_for_every_optimizer_with_every_schedule(problem: Problem) -> None:
    needs("torch")
    tried = [Configuration(RATE, own(name, "torch"), schedule) for name in OPTIMIZERS for schedule in schedules()]
    assert compare_exact_ones("torch", problem, tried) == len(tried)


@every_library
def test_single_precision_agrees_as_far_as_it_goes(library: str, problem: Problem) -> None:
    needs(library)
    made = RMSProp(epsilon=0.0, initial_cache=1.0, decay=0.97)
    configuration = Configuration(RATE, made, Step(every=2.0))
    written = LIBRARIES[library](configuration, STEPS)
    assert written.exact
    losses, _ = ours(problem, [configuration], "float32")
    theirs = train_live(library, written.code, problem, UPDATES, "float32").loss.reshape(-1, STEPS).mean(axis=1)
    assert relative(losses[0], theirs, np.abs(theirs)) <= tolerance(library, "float32")


@every_library
@pytest.mark.parametrize("knob", ["decay", "epsilon", "initial_cache", "momentum"])
def test_a_constant_that_is_a_little_off_is_noticed(library: str, knob: str, problem: Problem) -> None:
    needs(library)
    constants = {"decay": 0.9, "epsilon": 0.01, "initial_cache": 0.1, "momentum": 0.5}
    place = {"epsilon_inside": library != "torch"}
    right, wrong = (
        Configuration(RATE, RMSProp(**constants | {knob: constants[knob] * off}, **place)) for off in (1.0, 1.001)
    )
    losses, _ = ours(problem, [right])
    theirs = train_live(library, LIBRARIES[library](wrong, STEPS).code, problem, UPDATES, "float64").loss
    per_epoch = theirs.reshape(-1, STEPS).mean(axis=1)
    assert relative(losses[0], per_epoch, np.abs(per_epoch)) > 10 * tolerance(library, "float64")
