"""Data sets by name, or from a CSV or Parquet file: features, target and task, as they are before any split.

Built-in and generated sets need nothing; those marked *downloaded* come through scikit-learn's own fetchers into
scikit-learn's own cache (``SCIKIT_LEARN_DATA``), and need the network once.

To add a data set: write one function here that returns a `Table` and put it in `DATASETS`. Nothing else. Its keyword
arguments are what a study file may give under ``[data.arguments]``.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sweep.errors import DataError, UsageError, unknown
from sweep.learning.data import memory
from sweep.learning.hyper import Array

if TYPE_CHECKING:  # pandas takes half a second to import, and only tables with text need it
    import pandas as pd

Task = Literal["classification", "regression"]

MOST_CLASSES = 20  # a whole-number target with more values than this is taken for a number
LARGEST = 1e100  # its square is far from overflowing when it is standardised
_TOO_LARGE = f"have values that are not numbers up to {LARGEST:g}"
_COPIES = 3  # of a data set at the least: as it is loaded, scaled, and in the network's layout
MOST_CATEGORIES = 100  # a text column with more values than this is taken for a mistake (a name, a key)


@dataclass(frozen=True, slots=True)
class Table:
    """A data set before any split.

    `features` is an array ``(samples, features)`` of numbers or a DataFrame with named columns of numbers and text;
    `target` an array ``(samples,)`` or ``(samples, targets)``; `features` and `target` have no missing value.
    """

    features: Array | pd.DataFrame
    target: Array
    task: Task


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
            raise UsageError(f"[data.arguments] for make_{name}: {_one_line(error)}") from error
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
    return table_of(frame.frame, name, f"openml {data_id}")


def _fetch(what: str, fetch: Callable[[], Any]) -> Any:
    """Call a fetcher of scikit-learn; a failure becomes one line that says what to do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fetchers announce each retry as a warning
        try:
            return fetch()
        except (OSError, ValueError) as error:  # URLError and HTTPError are OSErrors, OpenMLError is a ValueError
            raise DataError(
                f"{what}: not in scikit-learn's cache and cannot be downloaded ({_one_line(error)}): connect to the "
                "network once, or set SCIKIT_LEARN_DATA to a folder that has it"
            ) from error


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


def load_file(path: Path, target: str, ignore: tuple[str, ...] = (), task: Task | None = None) -> Table:
    """Load a CSV or Parquet file (by its ending) with a target column.

    Raises
    ------
    DataError
        The file is missing, unreadable, lacks a column, or has missing values.
    """
    import pandas as pd

    readers: dict[str, Callable[[Path], pd.DataFrame]] = {".csv": _read_csv, ".parquet": pd.read_parquet}
    if path.suffix not in readers:
        raise DataError(f"{path}: ending {path.suffix!r}: must be one of {', '.join(readers)}")
    try:
        frame = readers[path.suffix](path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file: check [data] file; it is relative to the study file") from error
    except (OSError, ValueError, pd.errors.ParserWarning) as error:  # the parsers' own errors are ValueErrors
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]}: {_one_line(error)}") from error
    frame.columns = frame.columns.map(str)
    for column in (target, *ignore):
        if column not in frame.columns:
            raise DataError(f"{path}: {unknown('column', column, frame.columns)}")
    if target in ignore:
        raise UsageError(f"[data] ignore: {target!r} is the target")
    return table_of(frame.drop(columns=list(ignore)), target, str(path), task)


def _read_csv(path: Path) -> pd.DataFrame:
    """Read a CSV file; a row with more fields than the header is an error, not a reason to shift the columns."""
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame: pd.DataFrame = pd.read_csv(path, index_col=False, low_memory=False)
    return frame


def table_of(frame: pd.DataFrame, target: str, where: str, task: Task | None = None) -> Table:
    """Turn a DataFrame into a `Table`, or say in one line why it cannot be.

    The task is read off the target, unless given: text, truth values and whole numbers with at most 20 different values
    are classes, all else is a number.
    """
    features, wanted = frame.drop(columns=[target]), frame[target]
    if frame.empty:
        raise DataError(f"{where}: has no rows")
    _refuse_missing(frame, where)
    _check_kind(wanted, where)
    if not len(features.columns):
        raise DataError(f"{where}: has no column but the target {target!r}: there is nothing to learn from")
    for name in features.columns:
        _check_feature(features[name], where)
    if task is None:
        task = _task_of(wanted)
    if task == "regression" and not _is_number(wanted):
        raise DataError(f"{where}: target {target!r} is {wanted.dtype}: regression needs numbers")
    if task == "regression":
        _refuse_infinite(wanted, f"{where}: target")
    return Table(features, wanted.to_numpy(), task)


def _task_of(target: pd.Series) -> Task:
    from pandas.api import types

    few_whole_numbers = types.is_integer_dtype(target) and target.nunique() <= MOST_CLASSES
    is_class = few_whole_numbers or types.is_bool_dtype(target) or not types.is_numeric_dtype(target)
    return "classification" if is_class else "regression"


def _is_number(column: pd.Series) -> bool:
    from pandas.api import types

    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def _refuse_missing(frame: pd.DataFrame, where: str) -> None:
    missing = {str(name): int(count) for name, count in frame.isna().sum().items() if count}
    if missing:
        listed = ", ".join(f"{name} ({count})" for name, count in missing.items())
        raise DataError(
            f"{where}: missing values in {listed} of {len(frame)} rows: fill or drop them first, or leave a "
            "feature out with ignore under [data]"
        )


def _check_feature(column: pd.Series, where: str) -> None:
    from pandas.api import types

    _check_kind(column, where)
    if types.is_numeric_dtype(column):
        _refuse_infinite(column, f"{where}: column")
    elif column.nunique() > MOST_CATEGORIES:
        raise DataError(
            f"{where}: text column {column.name!r} has {column.nunique()} different values, at most {MOST_CATEGORIES} "
            "are one-hot encoded: ignore it under [data]"
        )


def _refuse_infinite(column: pd.Series, where: str) -> None:
    values = column.to_numpy(dtype=float)
    if not np.isfinite(values).all():
        raise DataError(f"{where} {column.name!r} has infinite values: replace them first")
    if not (np.abs(values) <= LARGEST).all():
        raise DataError(f"{where} {column.name!r} has values beyond {LARGEST:g}: replace them first")


def _check_kind(column: pd.Series, where: str) -> None:
    """Raise `DataError` unless a column holds numbers, truth values or text, and one of them only."""
    from pandas.api import types

    dated = types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column)
    kinds = {type(value).__name__ for value in column} if types.is_object_dtype(column) else set()
    if dated or kinds & {"date", "datetime", "Timestamp"}:
        raise DataError(f"{where}: column {column.name!r} is a date: turn it into numbers, or ignore it under [data]")
    if not kinds <= {"str"}:
        held = ", ".join(sorted(kinds))
        raise DataError(f"{where}: column {column.name!r} holds {held}: must be all numbers or all text, or be ignored")


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


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else text[:197] + "..."
