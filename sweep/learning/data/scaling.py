"""From raw features and targets to numbers, learnt from the training part of a split alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from sweep.errors import DataError
from sweep.learning.data import memory
from sweep.learning.data.dividing import Indices
from sweep.learning.data.parts import Data, Part, blocks, fingerprint_of
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table, take
from sweep.learning.data.tables import encoding
from sweep.learning.data.tables.columns import text
from sweep.learning.data.weighing import class_weights, sample_weights
from sweep.learning.hyper import Array

LARGEST_UNSCALED = 1e18  # its square is far from overflowing in single precision


def scaled(table: Table, indices: Indices, source: DataSource) -> Data:
    """Learn scaling, categories and classes from the training part; apply them to all. Weights are handed on."""
    from sklearn.preprocessing import StandardScaler

    targets, classes, scaler = table.target, np.empty(0), None
    if table.task == "classification":
        classes = _in_order(np.unique(targets[indices.train]), source.positive)
        _check_classes(len(targets), len(classes), source.label)
        targets = (targets[:, None] == classes).astype(np.float64)
    else:
        targets = targets.reshape(len(targets), -1).astype(np.float64)
        scaler = StandardScaler().fit(targets[indices.train])
        targets = scaler.transform(targets)
    encoder = _encoder(table, targets.shape[1], source.scale)
    seen = table.target[indices.train]
    train = np.asarray(encoder.fit_transform(take(table.features, indices.train), seen), dtype=np.float64)
    own = sample_weights(table, indices, source)
    weights = own, class_weights(source, table, targets, classes, indices.train, own)

    def part(chosen: Array) -> Part:
        if not len(chosen):
            return Part(np.empty((0, 0)), targets[chosen])
        inputs = train if chosen is indices.train else _inputs(encoder, table.features, chosen)
        return Part(inputs, targets[chosen], 1, *(None if each is None else each[chosen] for each in weights))

    parts = part(indices.train), part(indices.validation), part(indices.test)
    if not source.scale:
        _check_unscaled(parts, source.label)
    return Data(table.task, *parts, classes, _from_raw(table, encoder), scaler, fingerprint_of(*parts))


def _in_order(classes: Array, positive: str) -> Array:
    """The classes as they are sorted; the positive one, if any is, comes last."""
    last = np.array([text(label) == positive for label in classes.tolist()], bool)
    return np.concatenate([classes[~last], classes[last]])


def _encoder(table: Table, outputs: int, scale: bool) -> Any:
    """What turns features into inputs: of an array the numbers are standardised (or not)."""
    from sklearn.preprocessing import StandardScaler

    if isinstance(table.features, np.ndarray):
        return StandardScaler(with_mean=scale, with_std=scale)  # with neither it changes nothing
    return encoding.encoder(table.columns, table.task, outputs, scale=scale)


def _from_raw(table: Table, encoder: Any) -> Any:
    """The encoder with what reads a raw table before it, if there is one."""
    if not table.columns:
        return encoder
    from sklearn.pipeline import Pipeline

    from sweep.learning.data.tables.reader import Reader

    return Pipeline([("read", Reader(table.columns)), ("encode", encoder)])


def _inputs(encoder: Any, features: Any, chosen: Array) -> Array:
    """What the encoder makes of some samples, each by itself: block by block, for it makes copies on its way."""
    made = np.empty(0)
    for block in blocks(len(chosen)):
        found = np.asarray(encoder.transform(take(features, chosen[block])), dtype=np.float64)
        if not block.start:
            made = np.empty_like(found, shape=(len(chosen), found.shape[1]))
        made[block] = found
    return made


def _check_classes(samples: int, classes: int, label: str) -> None:
    """Raise `UsageError` for more ones and zeros than there is memory for: of all samples, and of those of a part."""
    what = f"{label}: {memory.shortened(samples)} samples of {memory.shortened(classes)} classes"
    memory.check(2 * 8 * samples * classes, what, "join classes, or take fewer samples")


def _check_unscaled(parts: tuple[Part, ...], label: str) -> None:
    """Raise `DataError` for inputs that a network in single precision cannot square."""
    for part in parts:
        if part.inputs.size and not max(part.inputs.max(), -part.inputs.min()) <= LARGEST_UNSCALED:
            raise DataError(
                f"{label}: has values beyond {LARGEST_UNSCALED:g}, and scale = false leaves them as they are: leave "
                "scale out"
            )
