"""From a clean table to a network's inputs: a scikit-learn transformer, to be fitted on the training part of a split.

==================  ==============================================================================================
number, date        median in place of a missing value, standardised; an input more says that it was missing
few categories      an input each; rare ones, and those that the training part lacks, share one
many categories     what the target is on average where the category stands, cross-fitted: no row sees its own target
text                weights of its most frequent words (TF-IDF)
==================  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sweep.learning.data.table import Task
from sweep.learning.data.tables.columns import Column
from sweep.learning.data.tables.kinds import FEW

MOST_INPUTS = 50  # of one column
_SEEN = 2  # times in the training part, or a category is rare
MOST_MEANS = 30  # inputs of a column with many categories, one a class; with more classes it gets one an often seen one


def encoder(columns: Sequence[Column], task: Task, outputs: int, *, scale: bool) -> Any:
    """An unfitted ColumnTransformer for the clean columns; `outputs` are classes or targets."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import MissingIndicator

    numbers = [name for column in columns if column.numeric for name in column.outputs]
    gaps = [column.outputs[0] for column in columns if column.numeric and column.missing]
    categories = [column for column in columns if column.kind == "category"]
    means = outputs == 1 if task == "regression" else outputs <= MOST_MEANS
    many = [column.name for column in categories if column.distinct > FEW and means]
    few = [column.name for column in categories if column.name not in many]
    steps = [
        ("numbers", _numbers(scale), numbers),
        ("missing", MissingIndicator(features="all", error_on_new=False), gaps),
        ("categories", _one_hot(), few),
        ("means", _means(task, outputs), many),
        *((f"words of {column.name!r}", _words(), column.name) for column in columns if column.kind == "text"),
    ]
    return ColumnTransformer([step for step in steps if len(step[2])], sparse_threshold=0.0)


def _numbers(scale: bool) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    filled = SimpleImputer(strategy="median", keep_empty_features=True)
    return make_pipeline(filled, StandardScaler(with_mean=scale, with_std=scale))  # with neither it changes nothing


def _one_hot() -> Any:
    from sklearn.preprocessing import OneHotEncoder

    return OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=_SEEN, max_categories=MOST_INPUTS, sparse_output=False,
        feature_name_combiner=_category,
    )  # fmt: skip


def _means(task: Task, outputs: int) -> Any:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler, TargetEncoder

    kind = "continuous" if task == "regression" else "binary" if outputs == 2 else "multiclass"
    return make_pipeline(TargetEncoder(target_type=kind, random_state=0), StandardScaler())


def _words() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(max_features=MOST_INPUTS, token_pattern=r"(?u)\b\w+\b")


def _category(column: str, category: Any) -> str:
    """The name of the input for a category: no two are alike, whatever is in a name."""
    return f"{column!r} = {category!r}"
