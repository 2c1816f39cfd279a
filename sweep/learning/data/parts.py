"""What a network eats: the training, validation and test part of a data set, of one split or of several."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.learning.data.table import Task
from sweep.learning.hyper import Array

BLOCK = 2**15  # samples


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
        return Facts(self.task, self.splits, samples, self.inputs, self.outputs, self.fingerprint)

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
        inputs, targets = (np.concatenate([getattr(each, array) for each in parts]) for array in ("inputs", "targets"))
        return Part(inputs, targets, len(splits))

    parts = part("train"), part("validation"), part("test")
    return Data(first.task, *parts, first.classes, None, None, fingerprint_of(*parts))


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


def fingerprint_of(*parts: Part) -> str:
    """What identifies the values of these parts, 12 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        for values in (part.inputs, part.targets):
            for block in blocks(len(values)):  # in the order of the samples, however they lie in memory
                digest.update(values[block].tobytes())
    return digest.hexdigest()[:12]
