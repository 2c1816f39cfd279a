"""What a network eats: the training, validation and test part of a data set, of one split or of several."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sweep.learning.data.table import Task
from sweep.learning.hyper import Array

BLOCK = 2**15  # samples


@dataclass(frozen=True, slots=True)
class Part:
    """Samples, float64: `inputs` ``(samples, inputs)``, `targets` ``(samples, outputs)``, one-hot or standardised.

    Of several `splits` the samples stand one after the other, as many of each; the length is that of one split.
    `weights` say how much each sample counts, `class_weights` how much its class does in the loss, beside that: both
    ``(samples,)``, of any scale, not all 0 in a split, and None where all count the same.
    """

    inputs: Array
    targets: Array
    splits: int = 1
    weights: Array | None = None
    class_weights: Array | None = None

    def __len__(self) -> int:
        return len(self.inputs) // self.splits

    @property
    def metric_weights(self) -> Array | None:
        """How much each sample counts where metrics are averaged, ``(splits, samples)``; see `_of_mean_one`.

        Class weights are left out: a wrong answer is a wrong answer, whatever the training was told to care about.
        """
        return _of_mean_one(self.weights, self.splits)

    @property
    def loss_weights(self) -> Array | None:
        """The same for the loss, of which each sample's share is its own weight times that of its class.

        So what is trained, its curve on either part and what is said of it in the end are one number.
        """
        own, of_class = self.metric_weights, _of_mean_one(self.class_weights, self.splits)
        if own is None or of_class is None:
            return own if of_class is None else of_class
        return _of_mean_one(own * of_class, self.splits)

    @property
    def variance(self) -> Array:
        """That of each target in each split, ``(splits, outputs)``, weighted as metrics are; never 0."""
        targets, weights = self.targets.reshape(self.splits, -1, self.targets.shape[-1]), self.metric_weights
        if not len(self):
            found = np.zeros((self.splits, targets.shape[-1]))
        elif weights is None:
            found = targets.var(axis=1)
        else:
            weights = weights[..., None]
            total = weights.sum(axis=1, keepdims=True)
            mean = (weights * targets).sum(axis=1, keepdims=True) / total
            found = (weights * (targets - mean) ** 2).sum(axis=1) / total[:, 0]
        return np.asarray(np.maximum(found, np.finfo(np.float32).tiny))


def _of_mean_one(weights: Array | None, splits: int) -> Array | None:
    """Weights scaled to a mean of 1 in each split, ``(splits, samples)``; None: they are all 1 then, or there are none.

    So a learning rate means the same with weights of any scale, and equal weights are as good as none, to the bit: they
    are divided by the largest first, for the mean of n equal numbers may be another one by a rounding.
    """
    if weights is None or not weights.size:
        return None
    by_split = weights.reshape(splits, -1)
    by_split = by_split / by_split.max(axis=1, keepdims=True)
    by_split = by_split / by_split.mean(axis=1, keepdims=True)
    return None if (by_split == 1.0).all() else by_split


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a data set ready for training without its samples: so much a plan and a network's shape need.

    `samples` are those of the training, validation and test part of one of the `splits`; the others as in `Data`.
    """

    task: Task
    splits: int
    samples: tuple[int, int, int]
    inputs: int
    outputs: int
    fingerprint: str
    weighted: bool = False

    @property
    def bytes(self) -> int:
        """The memory of the samples, as `Data` has them."""
        return 8 * self.splits * sum(self.samples) * (self.inputs + self.outputs)

    @property
    def loss(self) -> str:
        """The loss that follows from the task."""
        return "cross_entropy" if self.task == "classification" else "squared_error"


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

    @property
    def facts(self) -> Facts:
        """What is known of it without its samples."""
        samples = len(self.train), len(self.validation), len(self.test)
        return Facts(self.task, self.splits, samples, self.inputs, self.outputs, self.fingerprint, self.weighted)

    @property
    def bytes(self) -> int:
        """The memory of the samples."""
        return sum(array.nbytes for part in self.parts for _, array in _arrays(part))

    @property
    def parts(self) -> tuple[Part, Part, Part]:
        """All three."""
        return self.train, self.validation, self.test

    @property
    def weighted(self) -> bool:
        """Whether samples have weights of their own, which metrics go by."""
        return any(part.weights is not None for part in self.parts)

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
        return self.facts.loss


def blocks(samples: int) -> Iterator[slice]:
    """So many samples, `BLOCK` after `BLOCK`: what is made of some of them on the way is small."""
    return (slice(start, min(start + BLOCK, samples)) for start in range(0, samples, BLOCK))


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
        arrays = {name: np.concatenate([getattr(each, name) for each in parts]) for name, _ in _arrays(parts[0])}
        return Part(splits=len(splits), **arrays)

    parts = part("train"), part("validation"), part("test")
    return Data(first.task, *parts, first.classes, None, None, fingerprint_of(*parts))


def _names(data: Data) -> list[str]:
    """What the inputs are called."""
    return [str(name) for name in data.encoder.get_feature_names_out()]


def _spread(part: Part, own: Sequence[str], names: Sequence[str]) -> Part:
    """The part with an input for each of the names; 0 where it has not that one."""
    if list(own) == list(names) or not len(part):
        return part if len(part) else replace(part, inputs=np.empty((0, len(names))))
    inputs = np.zeros((len(part), len(names)))
    inputs[:, [names.index(name) for name in own]] = part.inputs
    return replace(part, inputs=inputs)


def fingerprint_of(*parts: Part) -> str:
    """What identifies the values of these parts, 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        for name, array in _arrays(part):
            digest.update(name.encode() * name.endswith("weights"))  # the others are always there
            for block in blocks(len(array)):  # in the order of the samples, however they lie in memory
                digest.update(array[block].tobytes())
    return digest.hexdigest()[:12]


def _arrays(part: Part) -> Iterator[tuple[str, Array]]:
    """What there is of a part, each array with its name."""
    for name in ("inputs", "targets", "weights", "class_weights"):
        array: Array | None = getattr(part, name)
        if array is not None:
            yield name, array
