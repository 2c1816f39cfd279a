"""Data sets by name: features, target and task, as they are before any split.

Built-in and generated sets need nothing; those marked *downloaded* come through scikit-learn's own fetchers into
scikit-learn's own cache (``SCIKIT_LEARN_DATA``), and need the network once.

To add a data set: write one function here that returns a `Table` and put it in `DATASETS`. Nothing else. Its keyword
arguments are what a study file may give under ``[data.arguments]``.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sweep.errors import DataError, UsageError, unknown
from sweep.learning.data import memory
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table, Task
from sweep.learning.data.tables.columns import LARGEST
from sweep.learning.data.tables.reading import one_line
from sweep.learning.data.tables.understanding import understood_at

_TOO_LARGE = f"have values that are not numbers up to {LARGEST:g}"
_COPIES = 3  # of a data set at the least: as it is loaded, scaled, and in the network's layout


def _shipped(name: str, task: Task) -> Callable[[], Table]:
    """A data set that scikit-learn carries."""

    def load() -> Table:
        from sklearn import datasets

        features, target = getattr(datasets, f"load_{name}")(return_X_y=True)
        return Table(features, target, task)

    return load


def _generated(name: str, task: Task, **defaults: Any) -> Callable[..., Table]:
    """A data set that scikit-learn makes. Its random state is 0 unless given: the study's seed does not change it."""

    def make(**arguments: Any) -> Table:
        from sklearn import datasets

        function = getattr(datasets, f"make_{name}")
        _check_arguments(f"make_{name}", function, arguments)
        known = {"n_samples": 100, "n_features": 20, **defaults, **arguments}
        _check_size(f"[data.arguments] for make_{name}", known["n_samples"], known["n_features"])
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                features, target = function(**{"random_state": 0, **defaults, **arguments})
        except Exception as error:  # whatever it is, the arguments are at fault
            raise UsageError(f"[data.arguments] for make_{name}: {one_line(error)}") from error
        for what, values in (("features", features), ("targets", target)):
            if not (np.abs(values) <= LARGEST).all():  # NaN neither
                raise UsageError(f"[data.arguments] for make_{name}: {what} {_TOO_LARGE}")
        return Table(features, target, task)

    return make


def _check_size(where: str, samples: Any, features: Any) -> None:
    """Raise `UsageError` for more numbers than fit into memory; wrong types are for scikit-learn to refuse."""
    sizes = (*samples, features) if isinstance(samples, tuple) else (samples, features)
    if all(isinstance(size, int) and size > 0 for size in sizes):
        numbers = sum(sizes[:-1]) * features
        memory.check(_COPIES * 8 * numbers, f"{where}: {memory.shortened(sum(sizes[:-1]))} samples", "ask for fewer")


def _whole_number(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _number(value: Any, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _check_values(*rules: tuple[str, Any, bool, str]) -> None:
    """Raise `UsageError` for the first argument that breaks its rule; each: name, value, whether it is fine, rule."""
    for name, value, fine, rule in rules:
        if not fine:
            raise UsageError(f"[data.arguments] {name} = {value!r}: must be {rule}")


_SEED_RULE = "a whole number from 0 to 4294967295"


def _is_seed(value: Any) -> bool:
    return _whole_number(value, 0, 2**32 - 1)


def _least_squares(
    *,
    n_samples: int = 2000,
    n_features: int = 20,
    condition: float = 100.0,
    noise: float = 0.1,
    random_state: int = 0,
) -> Table:
    """Ill-conditioned linear regression, as Ge et al. 2019 (arXiv 1904.12838) need it.

    Normal features of variance 1, so that standardising them leaves everything as it is. Their correlation matrix is
    random with eigenvalues that are spread evenly on a logarithmic scale, the largest `condition` times the smallest.
    The target is a random linear function of variance 1, and `noise` times a standard normal number.
    """
    from scipy.stats import random_correlation

    _check_values(
        ("n_samples", n_samples, _whole_number(n_samples, 1, 10**12), "a whole number, at least 1"),
        ("n_features", n_features, _whole_number(n_features, 2, 2000), "a whole number from 2 to 2000"),
        ("condition", condition, _number(condition, 1.0, 1e10), "a number from 1 to 1e10"),
        ("noise", noise, _number(noise, 0.0, 1e10), "a number from 0 to 1e10"),
        ("random_state", random_state, _is_seed(random_state), _SEED_RULE),
    )
    _check_size("[data.arguments] for least_squares", n_samples, n_features)
    random = np.random.default_rng(random_state)
    spread = np.geomspace(1.0, 1.0 / condition, n_features)
    eigenvalues = spread * (n_features / spread.sum())
    correlation = random_correlation.rvs(eigenvalues, random_state=random, tol=1e-9 * n_features)
    features = random.normal(size=(n_samples, n_features)) @ np.linalg.cholesky(correlation).T
    weights = random.normal(size=n_features)
    weights /= np.sqrt(weights @ correlation @ weights)
    return Table(features, features @ weights + noise * random.normal(size=n_samples), "regression")


def _separable(*, n_samples: int = 500, positive: float = 0.6, random_state: int = 0) -> Table:
    """Two classes that a linear model separates, and adaptive methods do not: Wilson et al. 2017, section 3.3.

    (arXiv 1705.08292.) A label is 1 with probability `positive` and -1 otherwise. The first feature is the label, the
    second is always 1 (a network's bias is another such); then each sample has coordinates that no other shares, one
    that is 1 if its label is 1, five if it is -1: ``5 n_samples + 2`` in all, and all others are 0. It wants
    ``scale = false``, and ``hidden = []``, ``initial_weights = "zero"`` and full batches: then an adaptive method moves
    all weights by the same amount, so that on new samples, of whose coordinates it knows nothing, the two that are
    always 1 outvote the label.
    """
    _check_values(
        ("n_samples", n_samples, _whole_number(n_samples, 1, 10**12), "a whole number, at least 1"),
        ("positive", positive, _number(positive, 0.5, 1.0) and 0.5 < positive < 1, "a number between 0.5 and 1"),
        ("random_state", random_state, _is_seed(random_state), _SEED_RULE),
    )
    _check_size("[data.arguments] for separable", n_samples, 5 * n_samples + 2)
    target = np.where(np.random.default_rng(random_state).random(n_samples) < positive, 1, -1)
    features = np.zeros((n_samples, 5 * n_samples + 2))
    features[:, 0], features[:, 1] = target, 1.0
    each, own = np.arange(n_samples)[:, None], np.arange(5)
    features[each, 2 + 5 * each + own] = (own == 0) | (target[:, None] < 0)
    return Table(features, target, "classification")


def _downloaded(name: str, task: Task) -> Callable[[], Table]:
    """A data set that scikit-learn fetches."""

    def fetch() -> Table:
        from sklearn import datasets

        features, target = _fetch(name, lambda: getattr(datasets, f"fetch_{name}")(return_X_y=True))
        return Table(features, target, task)

    return fetch


def _openml(*, data_id: int, target: str | None = None) -> Table:
    """A data set of openml.org by its number; the target is the one declared there unless given."""
    from sklearn.datasets import fetch_openml

    frame = _fetch(f"openml {data_id}", lambda: fetch_openml(data_id=data_id, as_frame=True, parser="auto"))
    name = target or (frame.target_names[0] if frame.target_names else None)
    if name is None:
        raise DataError(f"openml {data_id}: declares no target: give one as target under [data.arguments]")
    where = f"openml {data_id}"
    return understood_at(where, frame.frame, DataSource(where, target=name))


def _fetch(what: str, fetch: Callable[[], Any]) -> Any:
    """Call a fetcher of scikit-learn; a failure becomes one line that says what to do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fetchers announce each retry as a warning
        try:
            return fetch()
        except (OSError, ValueError) as error:  # URLError and HTTPError are OSErrors, OpenMLError is a ValueError
            raise DataError(
                f"{what}: not in scikit-learn's cache and cannot be downloaded ({one_line(error)}): connect to the "
                "network once, or set SCIKIT_LEARN_DATA to a folder that has it"
            ) from error


def load_named(name: str, arguments: Mapping[str, Any]) -> Table:
    """Load a data set of `DATASETS`.

    Raises
    ------
    UsageError
        The name or an argument is not known.
    DataError
        It cannot be downloaded, or cannot be used.
    """
    if name not in DATASETS:
        raise UsageError(f"[data] name: {unknown('data set', name, DATASETS)}")
    source = DATASETS[name]
    _check_arguments(name, source, arguments)
    table = source(**arguments)
    if not np.isfinite(np.asarray(table.target, dtype=float) if table.task == "regression" else 0.0).all():
        raise DataError(f"{name}: the target has values that are not finite")
    return table


def _check_arguments(name: str, function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Raise `UsageError` for an argument that the function does not have, or one that it needs."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return  # a generator of scikit-learn: checked there against scikit-learn's own function
    known = [p for p in parameters if p not in ("return_X_y", "as_frame")]
    for argument in arguments:
        if argument not in known:
            rule = unknown(f"argument of {name}", argument, known) if known else f"{name} takes no arguments"
            raise UsageError(f"[data.arguments] {argument}: {rule}")
    for argument, parameter in parameters.items():
        if (
            parameter.default is parameter.empty
            and parameter.kind is parameter.KEYWORD_ONLY
            and argument not in arguments
        ):
            raise UsageError(f"[data.arguments]: {name} needs {argument}")


DATASETS: dict[str, Callable[..., Table]] = {
    "iris": _shipped("iris", "classification"),
    "wine": _shipped("wine", "classification"),
    "breast_cancer": _shipped("breast_cancer", "classification"),
    "digits": _shipped("digits", "classification"),
    "diabetes": _shipped("diabetes", "regression"),
    "linnerud": _shipped("linnerud", "regression"),
    "make_moons": _generated("moons", "classification", n_samples=1000, noise=0.2),
    "make_circles": _generated("circles", "classification", n_samples=1000, noise=0.1, factor=0.5),
    "make_classification": _generated("classification", "classification", n_samples=1000),
    "make_regression": _generated("regression", "regression", n_samples=1000, noise=10.0),
    "make_friedman1": _generated("friedman1", "regression", n_samples=1000, noise=1.0),
    "least_squares": _least_squares,
    "separable": _separable,
    "california_housing": _downloaded("california_housing", "regression"),
    "covtype": _downloaded("covtype", "classification"),
    "olivetti_faces": _downloaded("olivetti_faces", "classification"),
    "openml": _openml,
}
