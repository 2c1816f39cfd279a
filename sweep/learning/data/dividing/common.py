"""What every way of dividing needs: the parts of a split, their sizes, the seeds, and classes as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sweep.learning.data.dividing.cutting import leave_out
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array
from sweep.learning.seeds import integer_seed


@dataclass(frozen=True, slots=True)
class Indices:
    """Which samples are in each part, by their place in the table."""

    train: Array
    validation: Array
    test: Array = field(default_factory=lambda: np.empty(0, int))


def classes_of(table: Table) -> Array | None:
    """The class of each sample as a number, in the order of the labels; None for regression."""
    return None if table.task != "classification" else np.unique(table.target, return_inverse=True)[1]


def count_of(classes: Array | None, indices: Array) -> int:
    """How many classes these have; 0 for regression."""
    return 0 if classes is None else len(np.unique(classes[indices]))


def test_state(source: DataSource, seed: int) -> int:
    """What decides which samples there are, and which are the test part."""
    return integer_seed(seed if source.test_seed is None else source.test_seed, "split")


def fold_state(seed: int, number: int) -> int:
    """What decides the validation part of the split with this number."""
    return integer_seed(seed, "split", *([number] if number else []))


def test_size(source: DataSource, samples: int) -> int:
    """How many samples the test part is to have."""
    return max(1, round(source.test * samples)) if source.test else 0


def validation_size(source: DataSource, samples: int) -> int:
    """How many samples a validation part is to have."""
    return max(1, round(source.validation * samples))


def of_one_size(divided: Sequence[Indices], classes: Array | None, seed: int) -> list[Indices]:
    """The splits with training parts of one size and validation parts of one size, so that they can be stacked.

    The larger ones are cut down to the smallest: some of their samples, random ones, are left out of that split; the
    classes stay in proportion, and none is lost from a training part.
    """
    train, validation = (min(len(getattr(each, part)) for each in divided) for part in ("train", "validation"))
    found = []
    for number, each in enumerate(divided):
        state = integer_seed(seed, "split", number, 1)
        found.append(
            Indices(
                np.sort(leave_out(each.train, len(each.train) - train, classes, state, keep=1)),
                np.sort(leave_out(each.validation, len(each.validation) - validation, classes, state)),
                each.test,
            )
        )
    return found
