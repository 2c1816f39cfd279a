"""A table that a program holds, as the content of the Parquet file that a run keeps of it.

pandas, polars, Arrow, NumPy and scikit-learn's Bunch; one table with the target in it, or a pair ``(X, y)``. What is
learnt from is always what can be read from that file again: a resumed run sees the same bits.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.errors import DataError, UsageError, shortened
from sweep.learning.data.identity import identity, table_of
from sweep.learning.data.splits import TABLE_GIVEN
from sweep.learning.data.tables import reading
from sweep.learning.data.tables.columns import MISSING, texts
from sweep.learning.data.tables.tidy import doubled

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TARGET = "target"  # what a y without a name is called
_KINDS = "a DataFrame (pandas, polars), an Arrow table, an array, a scikit-learn Bunch, or a pair (X, y)"


@dataclass(frozen=True, slots=True)
class Given:
    """A table as the content of a Parquet file, and the columns to predict; none: it has not been said."""

    content: bytes
    targets: tuple[str, ...]

    @property
    def target(self) -> str | list[str]:
        """The same as a study file says it."""
        return self.targets[0] if len(self.targets) == 1 else list(self.targets)

    def is_in(self, file: Path) -> bool:
        """Whether a Parquet file has this table: the same bytes, or the same columns with the same values."""
        if identity(file)["bytes"] == len(self.content) and file.read_bytes() == self.content:
            return True
        frame, _ = reading.read(file, reading.Form(), "use fresh=True")
        return bool(frame.equals(table_of(self.content)))


def given(data: Any, target: str | Sequence[str] | None = None) -> Given:
    """Take a table from a program.

    Parameters
    ----------
    data : table, Bunch or pair
    target : str or sequence of str, optional
        The columns to predict; of a pair, what those of y are called.

    Raises
    ------
    SweepError
        It is no table, or one that says two things at once.
    """
    names = names_of(target)
    if isinstance(data, Mapping) and {"data", "target"} <= set(data):
        data, names = _of_bunch(data, names)
    if isinstance(data, tuple | list) and len(data) == 2 and _is_pair(*data):
        frame, names = _pair(data[0], data[1], names)
    else:
        frame = _frame(data)
    _check_names(frame)
    return Given(_parquet(frame), names)


def names_of(target: str | int | Sequence[str] | None) -> tuple[str, ...]:
    """The columns to predict, however they are said."""
    return () if target is None else (str(target),) if isinstance(target, str | int) else tuple(map(str, target))


def _is_pair(features: Any, target: Any) -> bool:
    """Whether two things are X and y, not two rows of a table."""
    return _has_columns(features) or len(getattr(features, "shape", ())) == 2 or _is_nested(features, target)


def _is_nested(features: Any, target: Any) -> bool:
    """Whether X is a list of rows and y one of as many values."""
    nested = isinstance(features, list | tuple) and bool(features) and isinstance(features[0], list | tuple)
    return nested and hasattr(target, "__len__")


def _of_bunch(bunch: Mapping[str, Any], names: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
    """What scikit-learn's loaders and `fetch_openml` give: the whole table if there is one, else X and y."""
    target = bunch["target"]
    if bunch.get("frame") is not None:
        own = list(target.columns) if _has_columns(target) else [target.name]
        return bunch["frame"], names or tuple(map(str, own))
    features, called = bunch["data"], bunch.get("feature_names")
    if called is not None and not _has_columns(features):
        import pandas as pd

        features = pd.DataFrame(features, columns=list(called))
    return (features, target), names


def _pair(features: Any, target: Any, names: tuple[str, ...]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """X and y as one table, row by row, whatever index they have; and what the columns of y are called."""
    import pandas as pd

    x, y = _frame(features), _target(target)
    if names and len(names) != y.shape[1]:
        raise UsageError(f"target = {list(names)}: y has {y.shape[1]} columns: must be as many names")
    y.columns = list(names) if names else [str(name) for name in y.columns]
    if len(x) != len(y):
        raise DataError(f"{TABLE_GIVEN}: X has {len(x)} rows and y has {len(y)}: must be as many")
    both = sorted({*map(str, x.columns)} & {*y.columns})
    if both:
        raise DataError(f"{TABLE_GIVEN}: X has a column {shortened(both[0])!r} as y has: drop it, or name y by target")
    found = pd.concat([x.reset_index(drop=True), y.reset_index(drop=True)], axis=1)
    return found, tuple(map(str, y.columns))


def _has_columns(data: Any) -> bool:
    return hasattr(data, "columns")


def _frame(data: Any) -> pd.DataFrame:
    """A table as a DataFrame; a pandas index that has a name is a column, as in a file."""
    import pandas as pd

    if _has_columns(data) and hasattr(data, "__arrow_c_stream__"):
        frame = reading.from_memory(data)
    elif hasattr(data, "toarray"):
        raise DataError(f"{TABLE_GIVEN} is sparse: must be dense: use .toarray()")
    elif isinstance(data, str | bytes | Mapping) or not hasattr(data, "__len__"):
        raise DataError(f"data of type {type(data).__name__}: must be {_KINDS}")
    else:
        frame = _of_array(data)
        if isinstance(frame.columns, pd.RangeIndex):
            frame.columns = [f"x{place}" for place in range(frame.shape[1])]
    named = [name for name in frame.index.names if name is not None]
    if twice := [name for name in named if name in frame.columns]:
        raise DataError(f"{TABLE_GIVEN}: {shortened(str(twice[0]))!r} is a column and the index: rename one")
    return frame.reset_index(level=named) if named else frame


def _of_array(data: Any) -> pd.DataFrame:
    """A DataFrame of an array or a list of rows."""
    import numpy as np
    import pandas as pd

    if hasattr(data, "__array__") and not isinstance(data, np.ndarray | pd.Series):
        data = np.asarray(data)
    try:
        return pd.DataFrame(data).infer_objects()
    except (ValueError, TypeError) as error:
        raise DataError(f"{TABLE_GIVEN}: {reading.one_line(error)}: must be rows and columns") from error


def _target(data: Any) -> pd.DataFrame:
    """The columns of y, by the names that they have."""
    import pandas as pd
    import pyarrow as pa

    if _has_columns(data):
        return reading.from_memory(data).copy(deep=False)
    name = getattr(data, "name", None)
    if hasattr(data, "__arrow_c_stream__") and not isinstance(data, pd.Series):
        data = pa.chunked_array(data).to_pandas()
    elif hasattr(data, "__arrow_c_array__") and not isinstance(data, pd.Series):
        data = pa.array(data).to_pandas()
    elif not hasattr(data, "__len__") or isinstance(data, str | bytes | Mapping):
        raise DataError(f"y of type {type(data).__name__}: must be a column or an array")
    frame = _of_array(data)
    several = frame.shape[1] > 1
    frame.columns = [f"{TARGET}{place}" if several else name or TARGET for place in range(frame.shape[1])]
    return frame


def _check_names(frame: pd.DataFrame) -> None:
    """Raise `DataError` if two columns are called alike."""
    if twice := doubled(map(str, frame.columns)):
        raise DataError(f"{TABLE_GIVEN}: column {shortened(twice)!r} is there twice: rename one")


def _parquet(frame: pd.DataFrame) -> bytes:
    """The table as a Parquet file; a column that such a file cannot hold is kept as text."""
    import pyarrow as pa

    columns = {str(name): _column(frame.iloc[:, place]) for place, name in enumerate(frame.columns)}
    try:
        return _written(columns)
    except pa.ArrowException:
        for place, name in enumerate(columns):
            try:
                _written({name: columns[name]})
            except pa.ArrowException:
                columns[name] = _as_text(frame.iloc[:, place])
        return _written(columns)


def _column(values: pd.Series) -> pa.Array:
    import pandas as pd
    import pyarrow as pa

    if isinstance(values.dtype, pd.SparseDtype):
        values = values.sparse.to_dense()
    try:
        found = pa.Array.from_pandas(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):  # objects of several kinds, say
        return _as_text(values)
    return _as_text(values) if isinstance(found.type, pa.BaseExtensionType) else found


def _as_text(values: pd.Series) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if text == MISSING else text for text in texts(values)], pa.string())


def _written(columns: Mapping[str, Any]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet

    content = io.BytesIO()
    pa.parquet.write_table(pa.table(dict(columns)), content)
    return content.getvalue()
