from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.hyper import Array
from sweep.learning.network.functions import ACTIVATIONS, INITIAL_WEIGHTS, LINEAR_ONLY, LOSSES
from sweep.learning.network.stacked import Architecture, StackedNetwork
from sweep.learning.seeds import stream
from sweep.learning.training.machine import steady
from tests import reference
from tests.learning.bits import assert_same_bits, both_executors, evaluated
from tests.tiers import mostly_long

INPUTS, OUTPUTS, SAMPLES, TRIALS = 3, 3, 7, 2

every_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
every_loss = pytest.mark.parametrize("loss", LOSSES)
every_depth = pytest.mark.parametrize("hidden", [(), (4,), (4, 3), (4, 3, 5)], ids=["0", "1", "2", "3"])
some_replicates = pytest.mark.parametrize("replicates", [1, 2])
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def targets_of(loss: str, random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """One-hot classes, or numbers for the losses that want them; the first axis is the output's."""
    if LOSSES[loss].task == "regression":
        return random.normal(size=shape)
    return np.moveaxis(np.eye(shape[0])[random.integers(shape[0], size=shape[1:])], -1, 0)


class Case:
    """A random stacked network with a random minibatch for each replicate."""

    def __init__(self, architecture: Architecture, replicates: int, compiled: bool | None = None) -> None:
        random = np.random.default_rng(3)
        rows, dtype = TRIALS * replicates, architecture.dtype
        parameters = random.normal(size=(rows, architecture.parameters)).astype(dtype)
        self.network = StackedNetwork(architecture, parameters, replicates, compiled)
        inputs = random.normal(size=(replicates, SAMPLES, INPUTS))
        self.inputs = np.concatenate([inputs, np.ones((replicates, SAMPLES, 1))], axis=2).astype(dtype)
        self.targets = targets_of(architecture.loss, random, (OUTPUTS, replicates, SAMPLES)).astype(dtype)

    def samples(self) -> Iterator[tuple[int, int, Array, Array]]:
        """Row, sample, its inputs and its targets: what the oracle wants one by one."""
        for row in range(self.network.rows):
            replicate = row % self.network.replicates
            for i in range(SAMPLES):
                yield row, i, self.inputs[replicate, i, :-1], self.targets[:, replicate, i]

    def mean_losses(self) -> Array:
        return np.asarray(self.network.loss_and_gradient(self.inputs, self.targets).mean(axis=1))


def architecture(loss: str, activation: str, hidden: tuple[int, ...], dtype: str = "float64") -> Architecture:
    return Architecture((INPUTS, *hidden, OUTPUTS), loss, activation, dtype=dtype)


def oracle_for(loss: str, activation: str) -> None:
    if loss not in reference.LOSSES or activation not in reference.ACTIVATIONS:
        pytest.skip(f"no oracle for {loss} with {activation} in tests/reference.py")


@every_activation
@every_loss
@every_depth
@some_replicates
def test_gradient_is_that_of_finite_differences(
    activation: str, loss: str, hidden: tuple[int, ...], replicates: int
) -> None:
    case = Case(architecture(loss, activation, hidden), replicates)
    case.mean_losses()
    gradient, parameters, h = case.network.gradient.copy(), case.network.parameters, 1e-6
    numerical = np.empty_like(gradient)
    for j in range(parameters.shape[1]):
        before = parameters[:, j].copy()
        parameters[:, j] = before + h
        above = case.mean_losses()
        parameters[:, j] = before - h
        numerical[:, j] = (above - case.mean_losses()) / (2 * h)
        parameters[:, j] = before
    # Losses of about 10 are rounded to 1e-15, over 2h that is 1e-9; the third derivative adds h^2.
    np.testing.assert_allclose(gradient, numerical, rtol=1e-7, atol=1e-8)


def assert_is_the_references(case: Case) -> None:
    made_of = case.network.architecture
    outputs, losses = case.network.outputs(case.inputs), case.network.loss_and_gradient(case.inputs, case.targets)
    gradient = np.zeros_like(case.network.gradient)
    for row, i, sample, target in case.samples():
        layers = reference.layers_of(case.network.parameters[row], made_of.sizes)
        expected_loss, expected_gradient = reference.backward(layers, sample, target, made_of.activation, made_of.loss)
        expected_outputs = reference.forward(layers, sample, made_of.activation)[1][-1]
        # float64; the order of summation and tanh may differ by a few roundings a layer
        np.testing.assert_allclose(outputs[:, row, i], expected_outputs, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(losses[row, i], expected_loss, rtol=1e-12, atol=1e-12)
        gradient[row] += reference.flat_of(expected_gradient) / SAMPLES
    np.testing.assert_allclose(case.network.gradient, gradient, rtol=1e-12, atol=1e-12)


@every_activation
@every_loss
@every_depth
@some_replicates
def test_every_sample_has_the_reference_networks_outputs_loss_and_gradient(
    activation: str, loss: str, hidden: tuple[int, ...], replicates: int
) -> None:
    oracle_for(loss, activation)
    assert_is_the_references(Case(architecture(loss, activation, hidden), replicates))


@every_loss
@pytest.mark.parametrize("samples", [1, 2, SAMPLES])
def test_the_gradient_is_the_mean_over_as_many_samples_as_there_are(loss: str, samples: int) -> None:
    case, gradients = Case(architecture(loss, "tanh", (4, 3)), 1), []
    for some in (*(slice(i, i + 1) for i in range(samples)), slice(0, samples)):
        case.network.loss_and_gradient(case.inputs[:, some].copy(), case.targets[:, :, some].copy())
        gradients.append(case.network.gradient.copy())
    # float64, of numbers of the order of 1
    np.testing.assert_allclose(gradients[-1], np.mean(gradients[:-1], axis=0), rtol=1e-12, atol=1e-14)


def walked(case: Case, steps: int) -> Case:
    """The same network after some steps, other numbers of samples in between."""
    network, one = case.network, slice(0, 1)
    for _ in range(steps):
        network.loss_and_gradient(case.inputs, case.targets)
        network.parameters[:] -= 0.1 * network.gradient
        network.loss_and_gradient(case.inputs[:, one].copy(), case.targets[:, :, one].copy())
        evaluated(network, case.inputs, case.targets, np.ones(OUTPUTS))
    return case


@every_activation
@every_loss
@every_depth
@some_replicates
@both_executors
def test_after_many_steps_a_network_still_computes_what_a_new_one_does(
    activation: str, loss: str, hidden: tuple[int, ...], replicates: int, compiled: bool
) -> None:
    """The ones by which the biases are multiplied are still ones, and nothing else is left of the steps before."""
    case = walked(Case(architecture(loss, activation, hidden), replicates, compiled), 30)
    fresh = Case(architecture(loss, activation, hidden), replicates, compiled)
    assert not np.array_equal(case.network.parameters, fresh.network.parameters)
    fresh.network.parameters[:] = case.network.parameters
    assert_same_bits(case.mean_losses(), fresh.mean_losses())
    assert_same_bits(case.network.gradient, fresh.network.gradient)


@every_activation
@every_loss
@every_depth
def test_after_many_steps_gradients_are_still_those_of_the_reference_network(
    activation: str, loss: str, hidden: tuple[int, ...]
) -> None:
    oracle_for(loss, activation)
    assert_is_the_references(walked(Case(architecture(loss, activation, hidden), 2), 30))


Minibatch = tuple[Array, Array]


def company(made_of: Architecture, rows: int, replicates: int, samples: int, seed: int) -> tuple[Array, Minibatch]:
    """Random parameters of some rows, with random inputs and targets for their replicates."""
    random, dtype = np.random.default_rng(seed), made_of.dtype
    inputs = np.ones((replicates, samples, made_of.sizes[0] + 1), dtype)
    inputs[..., :-1] = random.normal(size=(replicates, samples, made_of.sizes[0]))
    targets = targets_of(made_of.loss, random, (made_of.sizes[-1], replicates, samples))
    parameters = random.normal(size=(rows, made_of.parameters)).astype(dtype)
    return parameters, (inputs, np.ascontiguousarray(targets.astype(dtype)))


@st.composite
def companies(draw: st.DrawFn, dtype: str) -> tuple[StackedNetwork, Minibatch]:
    """A random network of up to six rows with a minibatch; some rows are all 0, some overflow."""
    loss, activation = draw(st.sampled_from(sorted(LOSSES))), draw(st.sampled_from(sorted(ACTIVATIONS)))
    outputs = draw(st.integers(1 + (LOSSES[loss].task == "classification"), 5))
    sizes = draw(st.integers(1, 9)), *draw(st.lists(st.integers(1, 9), max_size=3)), outputs
    made_of = Architecture(sizes, loss, activation, dtype=dtype)
    replicates = draw(st.integers(1, 3))
    rows = replicates * draw(st.integers(1, 6 // replicates))
    parameters, minibatch = company(made_of, rows, replicates, draw(st.integers(1, 9)), draw(st.integers(0, 2**32)))
    scales = st.sampled_from([1.0, 0.0, 1e-3, 1e3, np.finfo(dtype).max])
    with steady():
        parameters *= np.array(draw(st.tuples(*[scales] * rows)), dtype)[:, None]
    return StackedNetwork(made_of, parameters, replicates, draw(st.sampled_from([None, False]))), minibatch


def everything(network: StackedNetwork, inputs: Array, targets: Array) -> list[Array]:
    """All that a network computes, its rows in front."""
    with steady():
        outputs = np.moveaxis(network.outputs(inputs), 1, 0)
        losses = network.loss_and_gradient(inputs, targets)
        measured = evaluated(network, inputs, targets, np.full(len(targets), 0.7, inputs.dtype))
    return [outputs, losses, network.gradient, *measured]


def assert_same_alone(network: StackedNetwork, minibatch: Minibatch) -> None:
    inputs, targets = minibatch
    together = everything(network, inputs, targets)
    for row in range(network.rows):
        r = row % network.replicates
        lone = StackedNetwork(network.architecture, network.parameters[[row]], 1, network.compiled)
        for one, several in zip(everything(lone, inputs[[r]], targets[:, [r]]), together, strict=True):
            assert_same_bits(one, several[[row]])


@every_dtype
@given(data=st.data())
def test_a_lone_row_computes_the_same_as_in_company_to_the_bit(dtype: str, data: st.DataObject) -> None:
    assert_same_alone(*data.draw(companies(dtype)))


# Which path a product takes does not depend on the activation: the short tier goes all of them with one.
@pytest.mark.parametrize(
    ("activation", "loss", "hidden", "samples", "replicates", "dtype"),
    mostly_long(
        product(ACTIVATIONS, LOSSES, [(), (1,), (2,), (1, 1), (17, 1)], [1, 2, 17], [1, 2], ["float32", "float64"]),
        lambda activation, _, hidden, samples, *rest: (
            activation == "relu" or (hidden, samples, *rest) == ((2,), 2, 1, "float64")
        ),
    ),
)
def test_a_lone_row_computes_the_same_where_products_and_sums_may_take_another_path(
    activation: str, loss: str, hidden: tuple[int, ...], samples: int, replicates: int, dtype: str
) -> None:
    """Vectors and single numbers in place of matrices, and more outputs than NumPy sums one by one."""
    for inputs, outputs in ((1, 11), (5, 10), (13, 2)):
        made_of = Architecture((inputs, *hidden, outputs), loss, activation, dtype=dtype)
        parameters, minibatch = company(made_of, 4 * replicates, replicates, samples, seed=1)
        assert_same_alone(StackedNetwork(made_of, parameters, replicates), minibatch)


@every_loss
def test_evaluation_gives_the_losses_of_training(loss: str) -> None:
    case = Case(architecture(loss, "relu", (4,)), 1)
    losses, _ = evaluated(case.network, case.inputs, case.targets, np.ones(OUTPUTS))
    np.testing.assert_array_equal(losses, case.network.loss_and_gradient(case.inputs, case.targets))


def test_a_class_is_wrong_when_another_output_is_larger() -> None:
    case = Case(architecture("cross_entropy", "relu", (4,)), 1)
    _, errors = evaluated(case.network, case.inputs, case.targets, np.ones(OUTPUTS))
    outputs = case.network.outputs(case.inputs)
    for row in range(TRIALS):
        for i in range(SAMPLES):
            right = int(np.flatnonzero(case.targets[:, 0, i])[0])
            others = [outputs[c, row, i] for c in range(OUTPUTS) if c != right]
            assert errors[row, i] == (outputs[right, row, i] < max(others))
    assert 0 < errors.mean() < 1


def test_the_error_of_numbers_is_what_r_squared_leaves() -> None:
    from sklearn.metrics import r2_score

    case = Case(architecture("squared_error", "relu", (4,)), 1)
    wanted = case.targets[:, 0].T
    _, errors = evaluated(case.network, case.inputs, case.targets, wanted.var(axis=0))
    outputs = case.network.outputs(case.inputs)
    for row in range(TRIALS):
        # two ways to sum the same numbers
        assert errors[row].mean() == pytest.approx(1 - r2_score(wanted, outputs[:, row].T), rel=1e-12)


@every_loss
def test_a_perfect_network_has_no_error(loss: str) -> None:
    """One linear layer that passes its inputs on."""
    made_of = Architecture((OUTPUTS, OUTPUTS), loss, dtype="float64")
    network = StackedNetwork(made_of, np.vstack([np.eye(OUTPUTS), np.zeros(OUTPUTS)]).reshape(1, -1))
    targets = targets_of(loss, np.random.default_rng(0), (OUTPUTS, 1, SAMPLES))
    inputs = np.concatenate([targets[:, 0].T, np.ones((SAMPLES, 1))], axis=1)[None]
    assert not evaluated(network, inputs, targets, np.ones(OUTPUTS))[1].any()


def test_cross_entropy_of_huge_outputs_neither_overflows_nor_loses_its_loss() -> None:
    made_of = Architecture((1, 2), "cross_entropy", dtype="float64")
    network = StackedNetwork(made_of, np.array([[1e4, -1e4, 0.0, 0.0]]))
    losses = network.loss_and_gradient(np.ones((1, 1, 2)), np.array([0.0, 1.0]).reshape(2, 1, 1))
    assert losses.item() == 2e4


@every_activation
@every_loss
@every_dtype
def test_precision_is_kept_from_end_to_end(activation: str, loss: str, dtype: str) -> None:
    case = Case(architecture(loss, activation, (4,), dtype), 2)
    losses = case.network.loss_and_gradient(case.inputs, case.targets)
    measured, _ = evaluated(case.network, case.inputs, case.targets, np.ones(OUTPUTS, dtype))
    results = losses, measured, case.network.gradient, case.network.outputs(case.inputs)
    assert {array.dtype for array in results} == {np.dtype(dtype)}


@every_activation
@every_loss
@some_replicates
@every_dtype
def test_a_row_of_nan_stays_alone(activation: str, loss: str, replicates: int, dtype: str) -> None:
    healthy = Case(architecture(loss, activation, (4, 3), dtype), replicates)
    ill = Case(architecture(loss, activation, (4, 3), dtype), replicates)
    ill.network.parameters[1] = np.nan
    others = np.arange(healthy.network.rows) != 1
    with np.errstate(invalid="ignore"):
        losses = ill.network.loss_and_gradient(ill.inputs, ill.targets)
    np.testing.assert_array_equal(
        losses[others], healthy.network.loss_and_gradient(healthy.inputs, healthy.targets)[others]
    )
    np.testing.assert_array_equal(ill.network.gradient[others], healthy.network.gradient[others])
    assert np.isnan(losses[1]).all()


DRAWN = [name for name in INITIAL_WEIGHTS if name not in LINEAR_ONLY]
VARIANCES = {"he": lambda i, o: 2 / i, "glorot": lambda i, o: 2 / (i + o)}


@pytest.mark.parametrize("name", DRAWN)
def test_initial_weights_have_mean_0_and_their_papers_variance_and_biases_are_0(name: str) -> None:
    # Inputs and outputs differ, so that a formula that confuses them is found out.
    made_of = Architecture((300, 200, 100), "cross_entropy", initial_weights=name, dtype="float64")
    layers = reference.layers_of(made_of.initial(stream(0, "weights", 0)), made_of.sizes)
    for layer in layers:
        assert not layer.biases.any()
        n, spread = layer.weights.size, layer.weights.std()
        # Five standard errors: of a mean, and of a normal variance (a uniform one has a smaller standard error).
        assert abs(layer.weights.mean()) < 5 * spread / np.sqrt(n)
        if name in VARIANCES:
            variance = VARIANCES[name](*layer.weights.shape)
            assert layer.weights.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / n))


@pytest.mark.parametrize("name", DRAWN)
@every_dtype
def test_initial_weights_follow_from_the_seed(name: str, dtype: str) -> None:
    made_of = Architecture((4, 5, 2), "cross_entropy", initial_weights=name, dtype=dtype)
    first, again, other = (made_of.initial(stream(seed, "weights", 0)) for seed in (1, 1, 2))
    assert first.dtype == np.dtype(dtype)
    assert first.shape == (made_of.parameters,) == (5 * 5 + 6 * 2,)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_linear_network_may_start_at_zero() -> None:
    made_of = Architecture((4, 2), "cross_entropy", initial_weights="zero")
    assert not made_of.initial(stream(1, "weights", 0)).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"loss": "cross_entropie"}, "unknown loss 'cross_entropie'; did you mean 'cross_entropy'"),
        ({"activation": "than"}, "unknown activation 'than'; did you mean 'tanh'"),
        ({"initial_weights": "hee"}, "unknown initial weights 'hee'; did you mean 'he'"),
        ({"dtype": "float16"}, "unknown dtype 'float16'; did you mean 'float"),
        (
            {"sizes": (3, 4, 2), "initial_weights": "zero"},
            r"initial_weights = 'zero': a network with hidden = \[4\] never learns from it: use hidden = \[\], or",
        ),
        ({"sizes": (3,)}, r"layer sizes \[3\]: need inputs and outputs"),
        ({"sizes": (3, 0, 2)}, r"layer sizes \[3, 0, 2\]: need inputs and outputs, each at least 1"),
    ],
)
def test_what_no_network_can_be_made_of_is_refused(wrong: dict[str, Any], message: str) -> None:
    right: dict[str, Any] = {"sizes": (3, 2), "loss": "cross_entropy"}
    with pytest.raises(UsageError, match=message):
        Architecture(**right | wrong)


def test_memory_of_a_row_grows_with_the_samples_and_the_precision() -> None:
    single, double = (Architecture((4, 5, 2), "cross_entropy", dtype=d) for d in ("float32", "float64"))
    assert double.bytes_per_row(10) == 2 * single.bytes_per_row(10)
    assert single.bytes_per_row(20) > single.bytes_per_row(10) > 4 * 4 * single.parameters
