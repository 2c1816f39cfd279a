"""From a file to a DataFrame, by the file's ending; CSV and its kin as text, all else with the types that it has.

To add a format: write one function here and put it into `FORMATS`. Nothing else.
"""

from __future__ import annotations

import io
import json
import lzma
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sweep.errors import DataError, reason, shortened, unknown
from sweep.learning.data.tables import delimited

if TYPE_CHECKING:
    import pandas as pd

COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".xz": "xz", ".zip": "zip"}


@dataclass(frozen=True, slots=True)
class Form(delimited.Form):
    """What is said of a file, and need not be found out; fields as under ``[data]``."""

    sheet: str = ""


Reader = Callable[[Path, Form], "tuple[pd.DataFrame, list[str]]"]


def _text(usual: str) -> Reader:
    """Text with a separator."""

    def read(path: Path, form: Form) -> tuple[pd.DataFrame, list[str]]:
        with opened(path) as content:
            return delimited.read(content, form, usual)

    return read


def _parquet(path: Path, form: Form) -> tuple[pd.DataFrame, list[str]]:
    """A file or a folder of files."""
    del form
    return parquet(path), []


def parquet(place: Path | IO[bytes]) -> pd.DataFrame:
    """A table in Parquet; what pandas noted beside the columns (an index, say) is a column like another."""
    import pyarrow.parquet

    frame: pd.DataFrame = pyarrow.parquet.read_table(place).to_pandas(ignore_metadata=True)
    return frame


def _feather(path: Path, form: Form) -> tuple[pd.DataFrame, list[str]]:
    """Arrow's file format, or its stream."""
    del form
    import pyarrow as pa

    try:
        table = pa.ipc.open_file(path).read_all()
    except pa.ArrowInvalid:
        with path.open("rb") as stream:
            table = pa.ipc.open_stream(stream).read_all()
    return table.to_pandas(ignore_metadata=True), []


def _json(path: Path, form: Form) -> tuple[pd.DataFrame, list[str]]:
    """A list of rows, or rows under one name, or what pandas writes: columns, or ``split``."""
    del form
    import pandas as pd

    with opened(path) as content:
        found = json.loads(content.read().decode("utf-8-sig"))
    if isinstance(found, dict) and set(found) >= {"columns", "data"}:
        return pd.DataFrame(found["data"], columns=found["columns"]), []
    if isinstance(found, dict) and len(found) == 1 and isinstance(rows := next(iter(found.values())), list):
        found = rows
    if not isinstance(found, list | dict) or (isinstance(found, list) and not all(isinstance(r, dict) for r in found)):
        raise DataError("holds no table: must be a list of rows, each an object")
    return pd.DataFrame(found), []


def _json_lines(path: Path, form: Form) -> tuple[pd.DataFrame, list[str]]:
    """A row a line."""
    del form
    import pandas as pd

    with opened(path) as content:
        lines = content.read().decode("utf-8-sig").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    if not all(isinstance(row, dict) for row in rows):
        raise DataError("must have an object on each line")
    return pd.DataFrame(rows), []


def _excel(path: Path, form: Form) -> tuple[pd.DataFrame, list[str]]:
    """A sheet; the first if none is named."""
    import pandas as pd

    with pd.ExcelFile(path) as book:
        sheets = [str(sheet) for sheet in book.sheet_names]
        if form.sheet and form.sheet not in sheets:
            raise DataError(unknown("sheet", form.sheet, sheets))
        sheet = form.sheet or sheets[0]
        frame = pd.read_excel(book, sheet_name=sheet, dtype=object, header=0 if form.header else None)
    others = [each for each in sheets if each != sheet]
    return frame, [f"sheet {sheet!r} (there are also {shortened(', '.join(others))})"] if others else []


FORMATS: dict[str, Reader] = {
    ".csv": _text(","),
    ".tsv": _text("\t"),
    ".txt": _text(","),
    ".parquet": _parquet,
    ".feather": _feather,
    ".arrow": _feather,
    ".json": _json,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".xlsx": _excel,
}
PLAIN = (".parquet", ".feather", ".arrow", ".xlsx")  # read from the file itself, which is never compressed as a whole


def is_table(path: Path) -> bool:
    """Whether a path is called as a table is.

    >>> is_table(Path("a.CSV.gz")), is_table(Path("study.toml"))
    (True, False)
    """
    return _ending(path) in FORMATS


def _ending(path: Path) -> str:
    """The ending that tells the format: that before one of compression."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if len(suffixes) > 1 and suffixes[-1] in COMPRESSED:
        return suffixes[-2] if suffixes[-2] not in PLAIN else suffixes[-1]
    return suffixes[-1] if suffixes else ""


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, decompressed if its ending says so."""
    import pyarrow as pa

    kind = COMPRESSED.get(path.suffix.lower())
    if kind is None:
        with path.open("rb") as content:
            yield content
    elif kind == "xz":
        with lzma.open(path) as content:
            yield content
    elif kind == "zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
            if len(names) != 1:
                raise DataError(f"holds {len(names)} files, must be one")
            yield io.BytesIO(archive.read(names[0]))
    else:
        with pa.input_stream(str(path), compression=kind) as content:
            yield io.BytesIO(content.read())


def read(path: Path, form: Form, step: str) -> tuple[pd.DataFrame, list[str]]:
    """Read a file; also what was found out of it, in words.

    Parameters
    ----------
    path : Path
    form : Form
    step : str
        What to do if the file is not there.

    Raises
    ------
    DataError
        It is not there, is of no known format, or cannot be read.
    """
    ending = _ending(path)
    if ending not in FORMATS:
        known = ", ".join(FORMATS)
        raise DataError(
            f"{path}: ending {ending!r}: must be one of {known}; or that and one of {', '.join(COMPRESSED)}"
        )
    try:
        frame, said = FORMATS[ending](path, form)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file: {step}") from error
    except DataError as error:
        raise DataError(f"{path}: cannot be read as {ending[1:]}: {error}") from error
    except _REFUSALS as error:
        raise DataError(f"{path}: cannot be read as {ending[1:]}: {one_line(error)}") from error
    if not len(frame.columns):
        raise DataError(f"{path}: is empty: it has no column")
    return frame, said


# A parser says in many ways that a file is not what its ending says: a broken archive, a key that is not there, ...
_REFUSALS = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    TypeError,
    AttributeError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    Warning,
)


def one_line(error: BaseException) -> str:
    """What went wrong, short enough to be read."""
    text = reason(error) if isinstance(error, OSError) else str(error)
    text = " ".join(text.split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."


def from_memory(data: Any, names: Sequence[str] = ()) -> pd.DataFrame:
    """A table that a program holds, as a pandas DataFrame: pandas, polars, pyarrow, or whatever speaks Arrow.

    An array is one if its columns are given `names`. A level of a pandas index that is so called is a column.

    Raises
    ------
    DataError
        It is none of these.
    """
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        levels = [name for name in names if name in data.index.names and name not in data.columns]
        return data.reset_index(level=levels) if levels else data
    if hasattr(data, "__arrow_c_stream__"):
        import pyarrow as pa

        return pa.table(data).to_pandas(ignore_metadata=True)
    shape: tuple[int, ...] = getattr(data, "shape", ())
    if names and len(shape) == 2 and shape[1] == len(names):
        return pd.DataFrame(data, columns=list(names)).infer_objects()
    raise DataError(
        f"data of type {type(data).__name__}: must be a DataFrame (pandas, polars), an Arrow table or (X, y)"
    )
