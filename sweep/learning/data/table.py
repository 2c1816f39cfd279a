"""A data set before any split: features, target, task, and what is known of each sample beside these."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from sweep.learning.hyper import Array

if TYPE_CHECKING:  # pandas takes half a second to import, and only tables with text need it
    import pandas as pd

    from sweep.learning.data.tables.columns import Column
    from sweep.learning.data.tables.told import Told

Task = Literal["classification", "regression"]
Kind = Literal["number", "ordered", "category", "text", "date"]  # of a column that is learnt from
KINDS: tuple[Kind, ...] = get_args(Kind)


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
    columns : tuple of Column
        How the columns of a DataFrame were read, which is clean now; empty for an array.
    told : Told, optional
        What was understood of it, for people.
    """

    features: Array | pd.DataFrame
    target: Array
    task: Task
    weights: Array | None = None
    groups: Array | None = None
    times: Array | None = None
    parts: Array | None = None
    columns: tuple[Column, ...] = ()
    told: Told | None = None

    def __len__(self) -> int:
        return len(self.target)

    def rows(self, indices: Array) -> Table:
        """Some of the samples."""
        beside = ("weights", "groups", "times", "parts")
        known = {name: each[indices] for name in beside if (each := getattr(self, name)) is not None}
        return replace(self, features=take(self.features, indices), target=self.target[indices], **known)


def take(features: Any, indices: Array) -> Any:
    """Some rows of an array or a DataFrame."""
    return features[indices] if isinstance(features, np.ndarray) else features.iloc[indices]
