"""Text with a separator: which one, in which encoding, and whether what stands beside the columns is empty.

What is found out is said; each of it can be given instead.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

from sweep.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
_SAMPLE = 2**18  # bytes that decide
_RECORDS = 200
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", r"\s+": "spaces"}
_PROPER = 0.9  # of the records have as many fields as the header, or the separator is another
_MOST_BESIDE = 16  # empty fields at the end of a row, where the header has none


@dataclass(frozen=True, slots=True)
class Form:
    """How a text is to be read; what is empty or None is found out.

    Attributes
    ----------
    separator, encoding : str
    header : bool, optional
        Whether the first row names the columns.
    """

    separator: str = ""
    encoding: str = ""
    header: bool = True


def read(content: IO[bytes], form: Form, usual: str = ",") -> tuple[pd.DataFrame, list[str]]:
    """Read all cells as text; say what was found out and is not as usual.

    Raises
    ------
    DataError, ValueError
        It cannot be read; where it is from, its reader knows.
    """
    head = content.read(_SAMPLE)
    if not head.strip(b"\x00\r\n\t \xef\xbb\xbf\xfe\xff"):
        raise DataError("is empty")
    content.seek(0)
    encoding = form.encoding or _encoding(head, whole=len(head) < _SAMPLE)
    start = _start(codecs.getincrementaldecoder(encoding)("strict").decode(head), form, usual)
    names = start.names if form.header else [str(k) for k in range(start.fields)]
    frame = _cells(content, start.separator, encoding, names, start.before + form.header)
    said = [] if start.fields <= len(names) else ["empty fields at the end of rows"]
    said += [f"{start.before} lines before the table"] if start.before and head.lstrip().startswith(b"#") else []
    said += [] if encoding in ("utf-8", "utf-8-sig") else [f"encoding {encoding}"]
    if start.separator != usual:
        said.append(f"separator {SEPARATORS.get(start.separator, repr(start.separator))}")
    if form.header and any(names) and all(re.fullmatch(r"[-+]?\d+([.,]\d+)?", name) for name in names if name):
        said.append("the first row, all numbers, names the columns (header = false if it is a row of data)")
    return frame, said


def _encoding(head: bytes, whole: bool) -> str:
    """What a text is written in: what its mark says, else UTF-8 if it is that, else what Windows writes."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    zeros = head[:4096].count(0)
    if zeros > len(head[:4096]) // 4:
        return "utf-16-be" if head[0] == 0 else "utf-16-le"
    try:
        codecs.getincrementaldecoder("utf-8")("strict").decode(head, final=whole)
    except UnicodeDecodeError:
        return "cp1252" if not set(head) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "latin-1"
    return "utf-8"


@dataclass(frozen=True, slots=True)
class _Start:
    """How a text begins: its first records, cut by a separator, and how many lines to skip before them."""

    records: list[list[str]]
    separator: str
    before: int = 0

    @property
    def names(self) -> list[str]:
        return [name.strip() for name in self.records[0]]

    @property
    def fields(self) -> int:
        return max(map(len, self.records))


def _start(text: str, form: Form, usual: str) -> _Start:
    """Cut the beginning of a text by the separator that suits it best."""
    text, before = _without_remarks(text)
    line, _, rest = text.partition("\n")
    stated = re.fullmatch(r'"?sep=(.)"?\s*', line)  # Excel's own way to say it
    separator = form.separator or (stated[1] if stated else "")
    cuts = [_cut(rest if stated else text, each) for each in ([separator] if separator else SEPARATORS)]
    best = max(cuts, key=lambda cut: (_score(cut.records), cut.separator == usual))
    if not separator and _score(best.records) <= 1:
        best = next(cut for cut in cuts if cut.separator == usual)
    return replace(best, before=best.before + before + bool(stated))


def _without_remarks(text: str) -> tuple[str, int]:
    """The text without the lines at its start that begin with # and are less cut than what follows; and their number.

    A first line of names may begin with #, too: that is cut as the next line is.
    """
    lines = text.split("\n")
    count = next((place for place, line in enumerate(lines) if not line.startswith("#")), 0)
    while count and _marks(lines[count - 1]) == _marks(lines[count]) > 0:
        count -= 1
    return "\n".join(lines[count:]), count


def _marks(line: str) -> int:
    """How often a line is cut, by whatever cuts it most."""
    return max(line.count(separator) for separator in ",;\t|")


def _cut(text: str, separator: str) -> _Start:
    """The first records, without empty ones; one that the sample may have cut off is left out."""
    if separator == r"\s+":
        return _Start([line.split() for line in text.splitlines()[:_RECORDS] if line.strip()], separator)
    records: list[list[str]] = []
    before = 0
    with contextlib.suppress(csv.Error):  # a field without an end: what comes after it is not looked at
        for record in csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True):
            if any(record):
                records.append(record)
            before += not records
            if len(records) == _RECORDS:
                break
    return _Start(records[:-1] if 2 < len(records) < _RECORDS else records, separator, before)


def _score(records: list[list[str]]) -> float:
    """How many columns a separator makes, if it cuts nearly all records alike; 0 if it does not."""
    if not records:
        return 0.0
    lengths = [_filled(record) for record in records]
    most, _ = Counter(lengths[1:] or lengths).most_common(1)[0]
    header = lengths[0]
    proper = sum(length <= len(records[0]) for length in lengths) / len(lengths)
    return float(header) if proper >= _PROPER and most > 1 and header > 1 else min(1.0, float(header))


def _filled(record: list[str]) -> int:
    """How many fields a record has without the empty ones at its end."""
    length = len(record)
    while length and not record[length - 1].strip():
        length -= 1
    return length


def _cells(content: IO[bytes], separator: str, encoding: str, names: list[str], skipped: int) -> pd.DataFrame:
    """All cells as text, the columns named; a row may end with empty fields that the first row does not name."""
    import pandas as pd

    beside = [f"\x00{k}" for k in range(_MOST_BESIDE)]
    numbered = [f"{k}\x00{name}" for k, name in enumerate(names)]  # doubled names are for others to mend
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        frame = pd.read_csv(
            content, sep=separator, header=None, names=[*numbered, *beside], skiprows=skipped, dtype=str,
            keep_default_na=False, na_values=[""], encoding=encoding, skipinitialspace=True, index_col=False,
            low_memory=False,
        )  # fmt: skip
    used = next((name for name in beside if frame[name].notna().any()), None)
    if used:
        row = int(frame.index.get_loc(frame[used].first_valid_index())) + 1
        raise DataError(f"row {row} has more fields than the {len(names)} columns that the first row names")
    found = frame[numbered]
    found.columns = pd.Index(names, dtype=object)
    return found
