"""What a newcomer adds, one of each kind: text that goes to the end of one source file, its name into the table there.

`ADDED` has the file, the table and the names; `add` makes a copy of the tree with all of them in it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Addition:
    """One source file's newcomers: the names that they get in its table, and the text."""

    path: str
    names: tuple[str, ...]
    text: str


OPTIMIZERS = '''
from sweep.learning.hyper import hyper  # noqa: E402


@final
@dataclass(frozen=True)
class Lion(Optimizer):
    """Lion (Chen et al. 2023): the sign of a mean of gradients."""

    name: ClassVar[str] = "lion"
    default_rate: ClassVar[float] = 0.001

    look: Scalar = hyper(0.9, "share of the mean in the sign", domain=FRACTION, search=Choices((0.9, 0.95)))
    kept: Scalar = hyper(0.99, "share of the mean that is kept", domain=FRACTION, search=Choices((0.98, 0.99)))

    def start(self) -> tuple[Scalar | None, ...]:
        """The mean starts at 0."""
        return (0.0,)

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give the rate and both pairs of shares."""
        return rate, self.look, 1.0 - self.look, self.kept, 1.0 - self.kept

    @staticmethod
    def formula(
        gradient: Any, mean: Any, rate: Any, look: Any, ahead: Any, kept: Any, rest: Any
    ) -> tuple[Any, ...]:
        """Go by the sign."""
        return rate * np.sign(look * mean + ahead * gradient), kept * mean + rest * gradient


@final
@dataclass(frozen=True)
class AmsGrad(Optimizer):
    """AMSGrad (Reddi et al. 2018): Adam whose divisor never shrinks; three arrays of state."""

    name: ClassVar[str] = "amsgrad"

    momentum: Scalar = hyper(0.9, "share of the mean that is kept", domain=FRACTION, search=Choices((0.5, 0.9)))
    decay: Scalar = hyper(0.999, "share of the cache that is kept", domain=FRACTION, search=DECAYS)
    epsilon: Scalar = hyper(1e-8, "keeps the divisor from 0", domain=NOT_NEGATIVE, search=EPSILONS)

    def start(self) -> tuple[Scalar | None, ...]:
        """All start at 0."""
        return 0.0, 0.0, 0.0

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give the rate, the shares and epsilon."""
        return rate, self.momentum, 1.0 - self.momentum, self.decay, 1.0 - self.decay, self.epsilon

    def effective(self, rate: Array, count: Array, state: tuple[Array | None, ...]) -> Array:
        """Divide the rate by the root of the largest cache so far."""
        return np.asarray(rate / (np.sqrt(state[2]) + self.epsilon))

    @staticmethod
    def formula(
        gradient: Any, mean: Any, cache: Any, largest: Any,
        rate: Any, momentum: Any, rest: Any, decay: Any, remainder: Any, epsilon: Any,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Divide the mean gradient by the root of the largest cache."""
        mean = momentum * mean + rest * gradient
        cache = decay * cache + remainder * (gradient * gradient)
        largest = np.maximum(largest, cache)
        return rate * mean / (np.sqrt(largest) + epsilon), mean, cache, largest


@final
@dataclass(frozen=True)
class Adan(Optimizer):
    """Adan (Xie et al. 2022): Nesterov momentum from the differences of gradients; four arrays of state."""

    name: ClassVar[str] = "adan"

    momentum: Scalar = hyper(0.98, "share of the mean that is kept", domain=FRACTION, search=Choices((0.9, 0.98)))
    change: Scalar = hyper(0.92, "share of the mean change that is kept", domain=FRACTION)
    decay: Scalar = hyper(0.99, "share of the cache that is kept", domain=FRACTION, search=DECAYS)
    epsilon: Scalar = hyper(1e-8, "keeps the divisor from 0", domain=NOT_NEGATIVE, search=EPSILONS)

    def start(self) -> tuple[Scalar | None, ...]:
        """All start at 0; the gradient before the first is the first."""
        return 0.0, 0.0, 0.0, 0.0

    def coefficients(self, rate: Array, count: Array) -> tuple[Scalar, ...]:
        """Give the rate, the shares, and 0 at the first update."""
        kept = self.momentum, 1.0 - self.momentum, self.change, 1.0 - self.change, self.decay, 1.0 - self.decay
        return rate, *kept, self.epsilon, np.where(np.greater(count, 0), 1.0, 0.0)

    def effective(self, rate: Array, count: Array, state: tuple[Array | None, ...]) -> Array:
        """Divide the rate by the root of the cache."""
        return np.asarray(rate / (np.sqrt(state[2]) + self.epsilon))

    @staticmethod
    def formula(
        gradient: Any, mean: Any, change: Any, cache: Any, before: Any,
        rate: Any, momentum: Any, rest: Any, kept: Any, new: Any, decay: Any, remainder: Any, epsilon: Any, later: Any,
    ) -> tuple[Any, ...]:  # fmt: skip
        """Divide the mean gradient, and where it goes, by the root of the cache."""
        moved_by = later * (gradient - before)
        mean = momentum * mean + rest * gradient
        change = kept * change + new * moved_by
        ahead = gradient + kept * moved_by
        cache = decay * cache + remainder * (ahead * ahead)
        step = rate * (mean + kept * change) / (np.sqrt(cache) + epsilon)
        return step, mean, change, cache, gradient


OPTIMIZERS |= {kind.name: kind for kind in (Lion, AmsGrad, Adan)}
'''

SCHEDULES = '''
@final
@dataclass(frozen=True)
class SquareRoot(Schedule):
    """Down to `end` in `duration` epochs after the warm-up, like a root: there is no hold."""

    name: ClassVar[str] = "square_root"

    end: Scalar = hyper(0.1, "factor at the end", domain=NOT_NEGATIVE, search=Choices((0.0, 0.1)))
    duration: Scalar = hyper(
        20.0, "epochs from the warm-up to the end", domain=POSITIVE, search=Range(0.5, 1.0, unit="epochs")
    )

    def decay(self, time: Array, state: State) -> Array:
        """Fall fast, then slowly."""
        return 1.0 + (self.end - 1.0) * np.sqrt(np.minimum(time / self.duration, 1.0))


SCHEDULES[SquareRoot.name] = SquareRoot
'''

FUNCTIONS = '''
def _mish(z: Any) -> Any:
    """Misra 2019, eq. 1."""
    return z * np.tanh(np.logaddexp(0, z))


def _mish_backward(gradient: Any, activation: Any, z: Any) -> Any:
    bent = np.tanh(np.logaddexp(0, z))
    return gradient * (bent + z * (1 - bent * bent) * _logistic(z))


ACTIVATIONS["mish"] = Activation(_mish, _mish_backward, own=True, own_backward=True)


@final
class LogCosh(OfNumbers):
    """The logarithm of the hyperbolic cosine: a parabola where it is small, a line where it is large."""

    @staticmethod
    def of(difference: Array) -> tuple[Array, Array]:
        """Free of overflow."""
        size = np.abs(difference)
        return size + np.log1p(np.exp(-2 * size)) - math.log(2.0), np.tanh(difference)


LOSSES["log_cosh"] = LogCosh
'''

DATASETS = '''
def _rings(*, n_samples: int = 60, noise: float = 0.1) -> Table:
    """Three rings, one in another."""
    _check_values(("n_samples", n_samples, _whole_number(n_samples, 30, 10**6), "a whole number, at least 30"))
    random, ring = np.random.default_rng(0), np.arange(n_samples) % 3
    angle = random.uniform(0, 2 * np.pi, n_samples)
    features = (1 + ring)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Table(features + noise * random.normal(size=features.shape), ring, "classification")


DATASETS["three_rings"] = _rings
'''

SAMPLERS = '''
class Halton(Random):
    """Points of a Halton sequence, shifted by the seed."""

    def point(self, number: int) -> Array:
        """Point `number` of the sequence."""
        from scipy.stats import qmc

        sequence = qmc.Halton(len(self.union), scramble=False)
        sequence.fast_forward(number + 1)
        shift = np.random.default_rng(integer_seed(self.seed, "sampler")).random(len(self.union))
        return np.asarray((sequence.random(1)[0] + shift) % 1.0)


SAMPLERS["halton"] = Halton
'''

PRUNERS = '''
@final
class Quartile(Pruner):
    """Half-way, the worst quarter of all who have been there stops."""

    fractions: ClassVar[tuple[float, ...]] = (0.5,)

    def survivors(self, values: Array, before: Array) -> Array:
        """Those up to the third quartile; equals stay together."""
        together = np.concatenate([values, before])
        if not len(together):
            return np.ones(0, bool)
        return np.asarray(values <= np.quantile(together, 0.75, method="higher"))


PRUNERS["quartile"] = Quartile
'''

PLOTS = '''
from sweep.results.plots import look  # noqa: E402


def training_lengths(answer: Answer) -> go.Figure | None:
    """How long trials were trained.

    The epochs of each trial, in the order in which they were asked.
    """
    table = answer.trials.loc[answer.trials["state"] != "running", ["number", "epochs"]]
    if table.empty:
        return None
    figure = look.figure("trial", "epochs")
    figure.add_scatter(x=table["number"], y=table["epochs"], mode="markers", showlegend=False)
    return look.tell(figure, table)


PLOTS["training-lengths"] = training_lengths
'''

CONVENTIONS = """
CONVENTIONS["lasagne"] = Convention(
    "lasagne",
    "Lasagne",
    {
        **_velocity(True),
        "adagrad": _adagrad(0.0, 1e-6, True),
        "rmsprop": _rmsprop(0.9, 0.0, 1e-6, True),
        "adam": _adam(1e-8, True),
    },
)
"""

METRICS = '''

def _worst_class(of: Outcome) -> Array:
    """The share of wrong answers in the class that has the most of them."""
    wrong, right = _wrong(of), np.broadcast_to(np.argmax(of.targets, axis=0), (len(of.outputs), of.outputs.shape[2]))
    classes = np.unique(right)
    return np.stack([[row[own == each].mean() for each in classes] for row, own in zip(wrong, right)]).max(axis=1)


def _largest(of: Outcome) -> Array:
    """The largest absolute difference of all samples."""
    return np.abs(of.outputs.transpose(1, 0, 2) - of.targets).mean(axis=0).max(axis=1)


METRICS["worst_case"] = Metric(
    {"classification": _worst_class, "regression": _largest},
    {"classification": Words("wrong in the worst class", percent=True), "regression": Words("largest difference")},
    whole=True,
)
'''


ADDED = (
    Addition("sweep/learning/optimizers/rules.py", ("lion", "amsgrad", "adan"), OPTIMIZERS),
    Addition("sweep/learning/schedules/formulas.py", ("square_root",), SCHEDULES),
    Addition("sweep/learning/network/functions.py", ("mish", "log_cosh"), FUNCTIONS),
    Addition("sweep/learning/network/metrics.py", ("worst_case",), METRICS),
    Addition("sweep/learning/data/datasets.py", ("three_rings",), DATASETS),
    Addition("sweep/search/choosing/samplers.py", ("halton",), SAMPLERS),
    Addition("sweep/search/choosing/pruners.py", ("quartile",), PRUNERS),
    Addition("sweep/results/plots/__init__.py", ("training-lengths",), PLOTS),
    Addition("sweep/parity/conventions.py", ("lasagne",), CONVENTIONS),
)


def add(folder: Path) -> None:
    """Copy the sources and the tests to a folder, and add them all."""
    for part in ("sweep", "tests", "studies"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for addition in ADDED:
        with (folder / addition.path).open("a", encoding="utf-8") as file:
            file.write(addition.text)
