"""How much each sample counts: weights that the table has, and weights of classes.

A sample counts in metrics by its own weight, and in the loss by that times the weight of its class: weights of classes
tell the training what to care about, and do not change which answers are wrong. Means, variances and categories that
features and targets are scaled by stay unweighted: they choose units, and units need not move with what counts.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from sweep.errors import DataError, Problem, UsageError, shortened, unknown
from sweep.learning.data.dividing import Indices
from sweep.learning.data.source import ClassWeight, DataSource
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array

BALANCED = "balanced"
KEY = "class_weight"  # what it is called wherever a person writes it


def sample_weights(table: Table, indices: Indices, source: DataSource) -> Array | None:
    """The weight of each sample of the table, if it has weights; `DataError` if a part cannot be weighed by them."""
    if table.weights is None:
        return None
    where = f"{source.label}: weights{f' in {source.weight}' if source.weight else ''}"
    weights = np.asarray(table.weights, dtype=np.float64)
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        count = f"the first of {len(wrong)} in {len(weights)} samples"
        raise DataError(f"{where}: {weights[wrong[0]]:g}, {count}: must be numbers, 0 or more: mend or drop these rows")
    for name in ("train", "validation", "test"):
        chosen = getattr(indices, name)
        if len(chosen) and weights[chosen].max() < np.finfo(np.float64).tiny:  # subnormal: 0 while networks train
            part = "training" if name == "train" else name
            raise DataError(
                f"{where}: 0 for all {len(chosen)} samples of the {part} part: some must be above 0: drop rows that do "
                "not count, or make that part larger"
            )
    return weights


def class_weights(
    source: DataSource, table: Table, targets: Array, classes: Array, train: Array, own: Array | None
) -> Array | None:
    """The weight of each sample's class, if classes have weights: as they are given, or such as balance them.

    Balanced: what all samples weigh, over the number of classes and what those of the class weigh (King and Zen 2001),
    on the training part `train`; each sample weighs 1 or its `own` weight. A class that is given none has 1.

    Raises
    ------
    UsageError
        The `targets` are numbers, not the one-hot `classes`.
    DataError
        A class is named that there is not, or one cannot be balanced because all of its samples weigh 0.
    """
    if not source.class_weight:
        return None
    if table.task == "regression":
        rule = "is for classes, and the targets are numbers"
        raise UsageError(Problem(rule, KEY, _readable(source.class_weight), source.label, "leave it out"))
    numbers = targets.argmax(axis=1)
    if isinstance(source.class_weight, str):
        found = _balanced(numbers[train], None if own is None else own[train], classes, source.label)
    else:
        found = _given(dict(source.class_weight), classes, source.label)
    return np.asarray(found[numbers])


def _balanced(numbers: Array, own: Array | None, classes: Array, label: str) -> Array:
    """Weights such that all classes weigh the same together; `numbers` are those of the samples' classes."""
    together = np.bincount(numbers, None if own is None else own / own.max(), len(classes))
    if not together.all():
        name = _name(classes[int(np.argmin(together))])
        raise DataError(
            f"{label}: all samples of class {name!r} in the training part weigh 0: "
            f"{KEY} = {BALANCED!r} cannot balance it: drop these rows, or leave {KEY} out"
        )
    return np.asarray(together.sum() / (len(classes) * together))


def _given(given: Mapping[Any, float], classes: Array, label: str) -> Array:
    """The weights that were given, in the order of the classes; one may be called by what is written for it."""
    found, left = np.ones(len(classes)), dict(given)
    for number, each in enumerate(classes):
        value = each.item() if isinstance(each, np.generic) else each
        for key in [key for key in left if key == value or str(key) in _ways_to_write(value)][:1]:
            found[number] = left.pop(key)
    if left:
        names = [_name(each) for each in classes]
        raise DataError(f"{label}: {KEY}: {unknown('class', str(next(iter(left))), names)}")
    return found


def _name(label: Any) -> str:
    return str(label.item() if isinstance(label, np.generic) else label)


def _ways_to_write(value: Any) -> set[str]:
    """How a class may be written as the key of a table, where all keys are text.

    >>> sorted(_ways_to_write(True)), sorted(_ways_to_write(3.0))
    (['True', 'true'], ['3', '3.0'])
    """
    ways = {str(value)}
    if isinstance(value, bool):
        ways.add(str(value).lower())
    elif isinstance(value, float) and value.is_integer():
        ways.add(str(int(value)))
    return ways


def misfit(given: Any) -> str:
    """Why this cannot be the weights of classes; empty: it can, as far as can be said without the data.

    >>> misfit("balanced"), misfit({"yes": 3}), misfit({"yes": 0})
    ('', '', "the weight of 'yes' must be a number above 0")
    """
    if isinstance(given, str) and given == BALANCED:
        return ""
    if not isinstance(given, Mapping) or not given:
        return f'must be "{BALANCED}" or a table of classes with their weights'
    for name, weight in given.items():
        number = isinstance(weight, int | float | np.number) and not isinstance(weight, bool)
        if not (number and 0 < weight <= sys.float_info.max):  # which a NaN is not
            return f"the weight of {shortened(str(name))!r} must be a number above 0"
    return ""


def hashable(given: str | Mapping[Any, float] | None) -> ClassWeight:
    """Weights of classes as a `DataSource` has them.

    >>> hashable({"yes": 3, "no": 1})
    (('yes', 3.0), ('no', 1.0))
    """
    if isinstance(given, Mapping):
        return tuple((name, float(weight)) for name, weight in given.items())
    return given or ()


def _readable(given: ClassWeight) -> str | dict[Any, float]:
    return given if isinstance(given, str) else dict(given)
