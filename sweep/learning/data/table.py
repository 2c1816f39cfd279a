"""A data set before any split: features, target, task, and what is known of each sample beside these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sweep.learning.hyper import Array

if TYPE_CHECKING:  # pandas takes half a second to import, and only tables with text need it
    import pandas as pd

Task = Literal["classification", "regression"]


@dataclass(frozen=True, slots=True)
class Table:
    """A data set before any split.

    `features` is an array ``(samples, features)`` of numbers or a DataFrame with named columns; `target` an array
    ``(samples,)`` or ``(samples, targets)`` without missing values. What else may be known of the samples, each an
    array ``(samples,)``:

    Attributes
    ----------
    weights : array of float, optional
        How much each sample counts, 0 or more.
    groups : array, optional
        Whose sample it is, a patient's say: no two parts have samples of one group.
    times : array, optional
        When it was taken, in values that can be ordered: the test part is the latest.
    parts : array of str, optional
        ``"train"``, ``"validation"`` or ``"test"``: the part that it belongs to.
    """

    features: Array | pd.DataFrame
    target: Array
    task: Task
    weights: Array | None = None
    groups: Array | None = None
    times: Array | None = None
    parts: Array | None = None

    def __len__(self) -> int:
        return len(self.target)

    def rows(self, indices: Array) -> Table:
        """Some of the samples."""
        beside = (self.weights, self.groups, self.times, self.parts)
        known = [None if each is None else each[indices] for each in beside]
        return Table(take(self.features, indices), self.target[indices], self.task, *known)


def take(features: Any, indices: Array) -> Any:
    """Some rows of an array or a DataFrame."""
    return features[indices] if isinstance(features, np.ndarray) else features.iloc[indices]
