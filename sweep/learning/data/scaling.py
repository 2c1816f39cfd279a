"""From raw features and targets to numbers, learnt from the training part of a split alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from sweep.errors import DataError
from sweep.learning.data.dividing import Indices
from sweep.learning.data.parts import Data, Part, blocks, fingerprint_of
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table, take
from sweep.learning.hyper import Array

LARGEST_UNSCALED = 1e18  # its square is far from overflowing in single precision


def scaled(table: Table, indices: Indices, source: DataSource) -> Data:
    """Learn scaling, categories and classes from the training part; apply them to all."""
    from sklearn.preprocessing import StandardScaler

    encoder = _encoder(table.features, source.scale).fit(take(table.features, indices.train))
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
        return Part(_inputs(encoder, table.features, chosen), targets[chosen])

    parts = part(indices.train), part(indices.validation), part(indices.test)
    if not source.scale:
        _check_unscaled(parts, source.label)
    return Data(table.task, *parts, classes, encoder, scaler, fingerprint_of(*parts))


def _inputs(encoder: Any, features: Any, chosen: Array) -> Array:
    """What the encoder makes of some samples, each by itself: block by block, for it makes copies on its way."""
    made = np.empty(0)
    for block in blocks(len(chosen)):
        found = np.asarray(encoder.transform(take(features, chosen[block])), dtype=np.float64)
        if not block.start:
            made = np.empty_like(found, shape=(len(chosen), found.shape[1]))
        made[block] = found
    return made


def _check_unscaled(parts: tuple[Part, ...], label: str) -> None:
    """Raise `DataError` for inputs that a network in single precision cannot square."""
    for part in parts:
        if part.inputs.size and not max(part.inputs.max(), -part.inputs.min()) <= LARGEST_UNSCALED:
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
