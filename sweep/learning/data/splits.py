"""From a table to what a network eats: train, validation and test parts, scaled by the training part alone (or not).

The split is stratified by class and decided by the seed. Means, variances and categories are learnt from the training
part. The test part is carried along and touched by no search.

One seed can also make several splits of the same samples, with one test part: their validation parts do not overlap
while the samples last (k-fold), then the samples are divided anew. Each split is scaled by its own training part. They
stand one after the other in the same arrays, and are trained as rows of one population.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from sweep.errors import DataError
from sweep.learning.data.datasets import load_named
from sweep.learning.data.tables import Table, Task, load_file
from sweep.learning.hyper import Array
from sweep.learning.seeds import integer_seed

LARGEST_UNSCALED = 1e18  # its square is far from overflowing in single precision
FEWEST_OF_A_CLASS = 4  # fewer cannot be dealt to three parts, one of which is the larger


@dataclass(frozen=True, slots=True)
class Part:
    """Samples, float64: `inputs` ``(samples, inputs)``, `targets` ``(samples, outputs)``, one-hot or standardised.

    Of several `splits` the samples stand one after the other, as many of each; the length is that of one split.
    """

    inputs: Array
    targets: Array
    splits: int = 1

    def __len__(self) -> int:
        return len(self.inputs) // self.splits


@dataclass(frozen=True, slots=True)
class Data:
    """A data set ready for training.

    `classes` are the labels in the order of the outputs (empty for regression); `encoder` turns raw features into
    inputs, and `scaler` standardised outputs into numbers (None for classification): both scikit-learn transformers.
    Several splits have none: each would have its own. `fingerprint` identifies the values, in 12 hexadecimal digits.
    """

    task: Task
    train: Part
    validation: Part
    test: Part
    classes: Array
    encoder: Any
    scaler: Any
    fingerprint: str

    def bare(self) -> Data:
        """The same without the transformers: all that training needs, and to load it nobody needs scikit-learn."""
        return replace(self, encoder=None, scaler=None)

    @property
    def bytes(self) -> int:
        """The memory of the samples."""
        parts = (self.train, self.validation, self.test)
        return sum(part.inputs.nbytes + part.targets.nbytes for part in parts)

    @property
    def splits(self) -> int:
        """How many splits of the same samples these are."""
        return self.train.splits

    @property
    def inputs(self) -> int:
        """Number of inputs of a network for these data."""
        return int(self.train.inputs.shape[1])

    @property
    def outputs(self) -> int:
        """Number of outputs: classes, or targets."""
        return int(self.train.targets.shape[1])

    @property
    def loss(self) -> str:
        """The loss that follows from the task."""
        return "cross_entropy" if self.task == "classification" else "squared_error"


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where data come from and how they are split: small, hashable, and all that a worker needs to load them.

    Either `name` (with `arguments`, as sorted pairs) or `file` and `target`. `rows` takes a random part of that many
    samples, stratified. `validation` and `test` are fractions of the samples. `test_seed`, if given, decides in place
    of the seed which samples there are and which are the test part: the others can be split anew, and that stays.
    With `scale` numbers are standardised, else they stay as they are; the targets of a regression always are.
    """

    name: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    file: str = ""
    target: str = ""
    ignore: tuple[str, ...] = ()
    task: Task | None = None
    rows: int | None = None
    validation: float = 0.2
    test: float = 0.2
    test_seed: int | None = None
    scale: bool = True

    def table(self) -> Table:
        """Load the data, unsplit."""
        if self.file:
            return load_file(Path(self.file), self.target, self.ignore, self.task)
        return load_named(self.name, dict(self.arguments))

    @property
    def label(self) -> str:
        """A short name for messages."""
        return Path(self.file).name if self.file else self.name


def named(name: str, arguments: Mapping[str, Any] | None = None, **options: Any) -> DataSource:
    """Make a `DataSource` from a data set's name and its arguments."""
    pairs = tuple(sorted((arguments or {}).items()))
    return DataSource(name=name, arguments=tuple((k, _hashable(v)) for k, v in pairs), **options)


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        value = list(value.items())  # no data set takes one: it will say so
    return tuple(_hashable(v) for v in value) if isinstance(value, list | tuple) else value


@functools.lru_cache(maxsize=4)
def prepare(source: DataSource, seed: int, splits: int = 1) -> Data:
    """Load, split (into several splits, if so asked) and scale; kept, so that a worker does it once.

    Raises
    ------
    DataError
        The data cannot be loaded or are too few to be split.
    """
    return split(_loaded(source), source, seed, splits)


def samples(source: DataSource) -> int:
    """How many samples there are, in all parts together."""
    count = len(_loaded(source).target)
    return count if source.rows is None else min(count, source.rows)


@functools.lru_cache(maxsize=1)
def _loaded(source: DataSource) -> Table:
    """The table, which many splits are made of."""
    return source.table()


@dataclass(frozen=True, slots=True)
class _Indices:
    train: Array
    validation: Array
    test: Array = field(default_factory=lambda: np.empty(0, int))


def split(table: Table, source: DataSource, seed: int, splits: int = 1) -> Data:
    """Split and scale a table as `source` says."""
    return joined([_scaled(table, indices, source) for indices in _indices(table, source, seed, splits)])


def joined(splits: Sequence[Data]) -> Data:
    """Several splits of the same samples as one `Data`, the parts one after the other; a single one as it is.

    A category that a split's training part lacks is an input that is 0 in all of its samples.
    """
    first, *others = splits
    if not others:
        return first
    names = list(dict.fromkeys(name for each in splits for name in _names(each)))

    def part(which: str) -> Part:
        parts = [_spread(getattr(each, which), _names(each), names) for each in splits]
        inputs, targets = (np.concatenate([getattr(each, array) for each in parts]) for array in ("inputs", "targets"))
        return Part(inputs, targets, len(splits))

    parts = part("train"), part("validation"), part("test")
    return Data(first.task, *parts, first.classes, None, None, _fingerprint(*parts))


def _names(data: Data) -> list[str]:
    """What the inputs are called."""
    return [str(name) for name in data.encoder.get_feature_names_out()]


def _spread(part: Part, own: Sequence[str], names: Sequence[str]) -> Part:
    """The part with an input for each of the names; 0 where it has not that one."""
    if list(own) == list(names) or not len(part):
        return Part(part.inputs if len(part) else np.empty((0, len(names))), part.targets)
    inputs = np.zeros((len(part), len(names)))
    inputs[:, [names.index(name) for name in own]] = part.inputs
    return Part(inputs, part.targets)


def whole(table: Table, source: DataSource) -> Data:
    """Scale a table without splitting it: every sample is a training sample, and watched as the validation part."""
    everything = np.arange(len(table.target))
    return _scaled(table, _Indices(everything, everything), source)


def split_off_test(source: DataSource, seed: int) -> Table:
    """The samples of the training and validation parts, as they are before scaling."""
    table = source.table()
    indices = next(_indices(table, source, seed))
    rest = np.sort(np.concatenate([indices.train, indices.validation]))
    return Table(_take(table.features, rest), table.target[rest], table.task)


def _take(features: Any, indices: Array) -> Any:
    return features[indices] if isinstance(features, np.ndarray) else features.iloc[indices]


def _scaled(table: Table, indices: _Indices, source: DataSource) -> Data:
    """Learn scaling, categories and classes from the training part; apply them to all."""
    from sklearn.preprocessing import StandardScaler

    encoder = _encoder(table.features, source.scale).fit(_take(table.features, indices.train))
    targets, classes, scaler = table.target, np.empty(0), None
    if table.task == "classification":
        classes = np.unique(targets[indices.train])
        targets = (targets[:, None] == classes).astype(np.float64)
    else:
        targets = targets.reshape(len(targets), -1).astype(np.float64)
        scaler = StandardScaler().fit(targets[indices.train])
        targets = scaler.transform(targets)

    def part(chosen: Array) -> Part:
        if not len(chosen):
            return Part(np.empty((0, 0)), targets[chosen])
        return Part(np.asarray(encoder.transform(_take(table.features, chosen)), dtype=np.float64), targets[chosen])

    parts = part(indices.train), part(indices.validation), part(indices.test)
    if not source.scale:
        _check_unscaled(parts, source.label)
    return Data(table.task, *parts, classes, encoder, scaler, _fingerprint(*parts))


def _check_unscaled(parts: tuple[Part, ...], label: str) -> None:
    """Raise `DataError` for inputs that a network in single precision cannot square."""
    for part in parts:
        if part.inputs.size and not np.abs(part.inputs).max() <= LARGEST_UNSCALED:
            raise DataError(
                f"{label}: has values beyond {LARGEST_UNSCALED:g}, and scale = false leaves them as they are: leave "
                "scale out"
            )


def _encoder(features: Any, scale: bool) -> Any:
    """Standardise numbers (or not), one-hot encode text; a category that the training part lacks is all zeros."""
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    scaler = StandardScaler(with_mean=scale, with_std=scale)  # with neither it changes nothing
    if isinstance(features, np.ndarray):
        return scaler
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, feature_name_combiner=_category)
    numbers = make_column_selector(dtype_include=["number", "bool"])
    text = make_column_selector(dtype_exclude=["number", "bool"])
    return ColumnTransformer([("numbers", scaler, numbers), ("text", one_hot, text)])


def _category(column: str, category: Any) -> str:
    """The name of the input for a category: no two are alike, whatever is in a name."""
    return f"{column!r} = {category!r}"


def _indices(table: Table, source: DataSource, seed: int, splits: int = 1) -> Iterator[_Indices]:
    """Choose which sample belongs to which part, for each split."""
    from sklearn.model_selection import train_test_split

    everything = np.arange(len(table.target))
    state = integer_seed(seed, "split")
    test_state = state if source.test_seed is None else integer_seed(source.test_seed, "split")
    classes = table.target if table.task == "classification" else None

    def cut(indices: Array, count: int, state: int) -> tuple[Array, Array]:
        strata = None if classes is None else classes[indices]
        rest, taken = train_test_split(indices, test_size=count, random_state=state, stratify=strata)
        return rest, taken

    try:
        if source.rows is not None and source.rows < len(everything):
            everything = _some(everything, source.rows, classes, test_state)
        rest, test = everything, np.empty(0, int)
        if source.test:
            rest, test = cut(everything, max(1, round(source.test * len(everything))), test_state)
        folds = _folds(rest, max(1, round(source.validation * len(everything))), cut, seed)
        first = next(folds)
    except ValueError as error:
        raise DataError(f"{source.label}: {_too_few(table, error)}") from error
    if classes is not None:
        _check_classes(classes, everything, np.setdiff1d(rest, first), source.label)
        # With little for training a tie may be decided against a rare class, in a later split if not in the first.
        folds = (fold for fold in folds if not len(_absent(classes, everything, np.setdiff1d(rest, fold))))
    for validation in itertools.islice(itertools.chain([first], folds), splits):
        yield _Indices(np.setdiff1d(rest, validation), np.sort(validation), np.sort(test))


def _folds(
    rest: Array, count: int, cut: Callable[[Array, int, int], tuple[Array, Array]], seed: int
) -> Iterator[Array]:
    """Validation parts without end: each takes so many of what is left, and when too few are, of all anew."""
    left = rest
    for number in itertools.count():
        state = integer_seed(seed, "split", *([number] if number else []))
        if len(left) == count < len(rest):
            yield left
            left = rest
            continue
        try:
            left, taken = cut(left, count, state)
        except ValueError:  # too few, of all samples or of a class
            if left is rest:
                raise
            left, taken = cut(rest, count, state)
        yield taken


def _some(indices: Array, count: int, classes: Array | None, state: int) -> Array:
    """Choose some of the samples, the classes in proportion (but for a handful that is left out: then at random)."""
    from sklearn.model_selection import train_test_split

    handful = classes is not None and len(indices) - count < len(np.unique(classes))
    strata = None if handful else classes
    return np.asarray(train_test_split(indices, test_size=count, random_state=state, stratify=strata)[1])


def _absent(classes: Array, everything: Array, train: Array) -> Array:
    """The classes of which the training part has no sample."""
    return np.setdiff1d(classes[everything], classes[train])


def _check_classes(classes: Array, everything: Array, train: Array, label: str) -> None:
    """Raise `DataError` unless the training part has every class, and more than one."""
    if len(np.unique(classes[train])) < 2:
        raise DataError(f"{label}: the target has one class only: there is nothing to tell apart")
    absent = _absent(classes, everything, train)
    if len(absent):
        raise DataError(
            f"{label}: the training part has no sample of class {absent[0]!s}: make the other parts smaller"
        )


def _too_few(table: Table, error: ValueError) -> str:
    """Say why a split failed in the user's terms."""
    samples = len(table.target)
    if table.task == "classification" and samples:
        labels, counts = np.unique(table.target, return_counts=True)
        rarest = int(np.argmin(counts))
        label = labels[rarest].item() if isinstance(labels[rarest], np.generic) else labels[rarest]
        if counts[rarest] < FEWEST_OF_A_CLASS:
            return (
                f"cannot be split by class: class {label!r} has {counts[rarest]} of {samples} samples: each "
                "part needs one of every class; merge rare classes or add samples"
            )
        return (
            f"{samples} samples of {len(labels)} classes cannot be split: each part needs one of every class; add "
            "samples, or change validation and test under [data]"
        )
    return f"{samples} samples cannot be split: {error}"


def _fingerprint(*parts: Part) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part.inputs).tobytes())
        digest.update(np.ascontiguousarray(part.targets).tobytes())
    return digest.hexdigest()[:12]
