"""Classes of few samples: which they are, and how they become one."""

from __future__ import annotations

from typing import Any

import numpy as np

from sweep.learning.hyper import Array

FEWEST_OF_A_CLASS = 4  # fewer cannot be dealt to three parts, one of which is the larger
OTHER = "(other)"


def rare(target: Array) -> list[tuple[Any, int]]:
    """The classes with fewer than `FEWEST_OF_A_CLASS` samples, the rarest first, and how many they have.

    >>> rare(np.array(["a"] * 5 + ["b", "c", "c"]))
    [('b', 1), ('c', 2)]
    """
    labels, counts = np.unique(target, return_counts=True)
    order = np.argsort(counts, kind="stable")
    few = order[counts[order] < FEWEST_OF_A_CLASS]
    return [(label, int(count)) for label, count in zip(labels[few].tolist(), counts[few], strict=True)]


def grouped(target: Array) -> Array:
    """The target with all rare classes as one, `OTHER`; then labels are text. Without rare classes, as it is.

    >>> grouped(np.array([7, 7, 7, 7, 1, 2])).tolist()
    ['7', '7', '7', '7', '(other)', '(other)']
    """
    labels, places, counts = np.unique(target, return_inverse=True, return_counts=True)
    few = counts < FEWEST_OF_A_CLASS
    if not few.any():
        return target
    names = np.array([OTHER if each else str(label) for label, each in zip(labels.tolist(), few, strict=True)], object)
    return np.asarray(names[places])
