"""What a person should know of a table before anything is learnt from it: leaks, doubled rows, rare classes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from sweep.errors import shortened
from sweep.learning.data.table import Table
from sweep.learning.data.tables.columns import Column
from sweep.learning.hyper import Array

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 2000  # of which a leak is told
TELLS_ALL = 0.99  # of the variance, or of the classes, from one column alone
RARE = 0.05  # of the samples: a class that is easily overlooked
_FOLDS = 5


def warned(table: Table, raw: pd.DataFrame) -> list[str]:
    """Warnings, a sentence each.

    Parameters
    ----------
    table : Table
        As it was understood.
    raw : DataFrame
        The same rows as they stand in the file.
    """
    return [*_leaks(table), *_doubled(raw), *_imbalance(table)]


def _leaks(table: Table) -> list[str]:
    """Columns that tell the target alone, by a small tree on rows that it has not seen."""
    rows = np.random.default_rng(0).permutation(len(table))[:MOST_ROWS]
    some = table.rows(np.sort(rows))
    telling = [column.name for column in table.columns if _score(some, column) >= TELLS_ALL]
    return [
        f"{shortened(name, 60)} alone tells the target: is it known when a prediction is wanted? If not: ignore = "
        f'["{shortened(name, 60)}"]'
        for name in telling
    ]


def _score(table: Table, column: Column) -> float:
    """How much of the target a column tells: R2, or the mean over the classes of the share that is told."""
    from sklearn.model_selection import cross_val_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    if len(table) < 4 * _FOLDS or column.kind == "text":
        return 0.0
    values = np.column_stack([_as_number(table.features[name]) for name in column.outputs])
    classes = table.task == "classification"
    model = (DecisionTreeClassifier if classes else DecisionTreeRegressor)(min_samples_leaf=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class of fewer samples than folds
        found = cross_val_score(
            model, values, table.target, cv=_FOLDS, scoring="balanced_accuracy" if classes else "r2"
        )
    return float(np.nanmean(found))


def _as_number(values: pd.Series) -> Array:
    """Numbers as they are, categories by their place in the alphabet."""
    return np.asarray(values) if values.dtype.kind == "f" else np.unique(np.asarray(values), return_inverse=True)[1]


def _doubled(raw: pd.DataFrame) -> list[str]:
    """Rows that are there more than once: one of them may be learnt and the other judged."""
    count = int(raw.astype(str).duplicated().sum())
    if not count:
        return []
    return [
        f"{count} of {len(raw)} rows are there already: what is learnt may be judged by the same row in another part"
    ]


def _imbalance(table: Table) -> list[str]:
    if table.told is None or not table.told.classes:
        return []
    name, count = min(table.told.classes, key=lambda each: each[1])
    if count >= RARE * len(table):
        return []
    share = f"{100 * count / len(table):.1f} %"
    return [
        f"class {shortened(name, 40)} has {share} of the rows: a model may do well without ever saying it; "
        'objective = "validation_balanced_error" under [study] counts every class alike'
    ]
