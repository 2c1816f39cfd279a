"""The scikit-learn transformer from a raw table to a clean one; it goes into the estimator that is saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from sweep.errors import DataError, unknown
from sweep.learning.data.tables.columns import Column
from sweep.learning.data.tables.reading import from_memory
from sweep.learning.hyper import Array

if TYPE_CHECKING:
    import pandas as pd


class Reader(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """A scikit-learn transformer from a raw table to a clean one; nothing is learnt in `fit`.

    Parameters
    ----------
    columns : tuple of Column
    """

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self.columns = columns

    def fit(self, frame: Any, target: Any = None) -> Reader:
        """Nothing to learn."""
        del frame, target
        return self

    def transform(self, frame: Any) -> pd.DataFrame:
        """Read the columns, by their names, in whatever order they stand.

        Raises
        ------
        DataError
            One is not there.
        """
        import pandas as pd

        frame = from_memory(frame)
        places = {str(name).strip(): place for place, name in reversed(list(enumerate(frame.columns)))}
        for column in self.columns:
            if column.name not in places:
                raise DataError(f"the table lacks a column: {unknown('column', column.name, places)}")
        found: dict[str, Array] = {}
        for column in self.columns:
            found |= column.read(frame.iloc[:, places[column.name]])
        return pd.DataFrame(found, copy=False)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """The names of the clean columns."""
        del input_features
        return np.array([name for column in self.columns for name in column.outputs], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return True
