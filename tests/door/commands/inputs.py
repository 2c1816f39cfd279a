"""What somebody may hand to the command line: study files, data files and command lines, most of them wrong somewhere.

Each strategy starts from something legal and changes a few things, for what is wrong everywhere is refused at the first
look. What is legal stays small: a few rows, epochs and units. A number that is too large is absurdly so, which nobody's
machine could run. No data set is named that would be downloaded.
"""

from __future__ import annotations

import csv
import datetime
import io
import math
import warnings
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tomli_w
from hypothesis import strategies as st

from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.parity.conventions import CONVENTIONS
from sweep.search.choosing.samplers import SAMPLERS
from tests.studies import searches

Content = dict[str, Any]

INTEGERS = st.sampled_from([-(10**30), -1, 0, 1, 2, 3, 10**13, 2**63 - 1, 2**63, 2**64, 10**30, 10**400])
FLOATS = st.sampled_from([0.0, -0.0, 0.1, 0.5, 0.999, 1.0, 1.5, -1e-3, 5e-324, 1e-300, 1e300, math.inf, math.nan])
TEXTS = st.text(max_size=6) | st.sampled_from(["", ".", "..", "a/b", "a\x00b", "\n", "ß", "\u202e", "{0}", "%s", "[b]"])
DATES = st.sampled_from(
    [datetime.date(2024, 2, 29), datetime.time(1, 2), datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)]
)
SCALARS = INTEGERS | FLOATS | TEXTS | st.booleans() | DATES
JUNK: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)

# --- study files

NAMES = st.sampled_from(
    (*OPTIMIZERS, *SCHEDULES, *CONVENTIONS, *SAMPLERS, "loss", "iris", "table.csv", "low", "high", "log", "target")
)
SOURCES: tuple[Content, ...] = (
    {"name": "iris"},
    {"name": "linnerud"},
    {"name": "make_moons", "arguments": {"n_samples": 40, "noise": 0.1}},
    {"name": "make_classification", "arguments": {"n_samples": 40, "n_features": 6, "n_informative": 4}},
    {"name": "make_regression", "arguments": {"n_samples": 30, "n_features": 4}},
    {"name": "make_friedman1", "arguments": {"n_samples": 30}},
    {"name": "least_squares", "arguments": {"n_samples": 30, "n_features": 3, "condition": 9.0}, "scale": False},
    {"name": "separable", "arguments": {"n_samples": 30, "positive": 0.7}, "scale": False},
    {"file": "table.csv", "target": "y"},
    {"file": "table.csv", "target": "y", "ignore": ["text"], "task": "regression", "rows": 20},
)
TABLE = "x,text,y\n" + "".join(
    f"{i % 7},{'abc'[i % 3]},{i % 2}\n" for i in range(40)
)  # what the sources call table.csv


@st.composite
def legal_studies(draw: st.DrawFn) -> Content:
    """The content of a study file that can be run in a moment."""
    sampler = draw(st.sampled_from(["tpe", "random", "qmc", "grid"]))
    network = {"hidden": draw(st.sampled_from([[], [2], [3, 2]])), "epochs": 2, "batch_size": 16}
    variants = draw(st.sampled_from([{}] * 4 + [{"variants": {"one": {"network": {"epochs": 1}}}}]))
    return {
        "study": {"trials": 2, "generation": 2, "sampler": sampler, "seed": draw(st.integers(0, 2**32 - 1))},
        "data": draw(st.sampled_from(SOURCES)) | {"validation": 0.2, "test": draw(st.sampled_from([0.0, 0.2]))},
        "network": network,
        "search": draw(searches()),
        **variants,
    }


def places(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to everything in nested dictionaries and lists."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [inner for key, value in items for inner in ((*path, key), *places(value, (*path, key)))]


def found(content: Any, path: tuple[Any, ...]) -> Any:
    """What is at a path."""
    for key in path:
        content = content[key]
    return content


def changed(content: Any, path: tuple[Any, ...], kind: str, value: Any) -> Any:
    """A copy in which what is at a path was changed."""
    copy: Any = dict(content) if isinstance(content, dict) else list(content)
    if len(path) == 1:
        _change(copy, path[0], kind, value)
    else:
        copy[path[0]] = changed(copy[path[0]], path[1:], kind, value)
    return copy


def _like(value: Any) -> st.SearchStrategy[Any]:
    """Something of the same type, or a number for a number; for what holds others, anything."""
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return INTEGERS | st.integers(1, 40)
    if isinstance(value, float):
        return FLOATS | st.floats(0, 2)
    return NAMES | TEXTS if isinstance(value, str) else JUNK


CHANGES = ("nudge",) * 6 + ("value",) * 2 + ("remove", "twice", "rename", "beside", "wrap")


def _change(container: Any, key: Any, kind: str, value: Any) -> None:
    """Change what a container has under a key; the value stands for a name where one is renamed."""
    match kind:
        case "nudge" | "value":
            container[key] = value
        case "remove":
            del container[key]
        case "twice":
            container[key] = container[key] * 2 if isinstance(container[key], list) else [container[key]] * 2
        case "wrap":
            container[key] = [container[key]]
        case "rename" if isinstance(container, dict):
            container[value] = container.pop(key)
        case "beside" if isinstance(container, dict):
            container[f"{key}_"] = value
        case _:
            container.insert(key, value)


@st.composite
def mutants(draw: st.DrawFn) -> Content:
    """The content of a legal study file after one to three changes, each somewhere in it."""
    content = draw(legal_studies())
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        where = places(content)
        if not where:
            break
        path, kind = draw(st.sampled_from(where)), draw(st.sampled_from(CHANGES))
        value = draw(_like(found(content, path)) if kind == "nudge" else NAMES if kind == "rename" else JUNK)
        content = changed(content, path, kind, value)
    return content


def as_toml(content: Content) -> bytes:
    """A study file."""
    return tomli_w.dumps(content).encode("utf-8", "surrogatepass")


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A legal study file in which a few bytes were replaced, removed or put in."""
    text = as_toml(draw(legal_studies()))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 8)))
        text = (
            text[:start]
            + draw(st.binary(max_size=4) | st.sampled_from([b'"', b"[", b"]", b"=", b"\n", b"-"]))
            + text[end:]
        )
    return text


def study_files() -> st.SearchStrategy[bytes]:
    """The bytes of a study file: a legal one with changes, or data of any kind, or hardly TOML."""
    sections = st.sampled_from(["study", "data", "network", "search", "variants"]) | TEXTS
    wild = st.dictionaries(sections, JUNK | st.dictionaries(TEXTS | NAMES, JUNK, max_size=4))
    forms = [mutants().map(as_toml)] * 6 + [damaged(), wild.map(as_toml), st.binary(max_size=40)]
    return st.sampled_from(forms).flatmap(lambda form: form)


# --- data files

NUMBERS = st.sampled_from([0, 1, -1, 2.5, 1e-320, 1e20, 1e154, 1e200, 1e308, -1e308, 2**53 + 1, 2**63, 10**25])
TIMES = st.sampled_from([pd.Timestamp("2024-01-01"), pd.Timestamp("1999-12-31", tz="UTC"), datetime.date(2020, 1, 1)])
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "few": st.sampled_from([0, 1]),
    "classes": st.sampled_from(["yes", "no", "perhaps"]),
    "whole": st.integers(-50, 50),
    "real": st.floats(-10, 10),
    "any number": NUMBERS | st.floats(allow_nan=False, allow_infinity=False),
    "huge": st.sampled_from([1e308, -1e308]),
    "not finite": st.sampled_from([1.0, math.inf, -math.inf]),
    "missing": st.sampled_from([1.0, None, math.nan]),
    "text": st.text(max_size=3),
    "flags": st.booleans(),
    "dates": TIMES,
    "bytes": st.binary(max_size=2),
    "lists": st.lists(st.integers(0, 1), max_size=2),
    "mixed": st.sampled_from([1, 1.5, "one", True, None, "", "nan"]),
}
COLUMN_NAMES = st.sampled_from(["x", "z", "y", "", " ", "ß", "a,b", "Unnamed: 0", "0", "x.1"])


USABLE = ("few", "classes", "whole", "real", "flags")  # as a rule


def columns(rows: int, kind: str) -> st.SearchStrategy[list[Any]]:
    """The values of one column: of one kind, all equal, or all different."""
    if kind == "constant":
        return (NUMBERS | st.sampled_from(["a", "", None, True])).map(lambda value: [value] * rows)
    if kind == "different":
        return st.just([f"name {i}" for i in range(rows)])
    return st.lists(CELLS[kind], min_size=rows, max_size=rows)


def _csv(names: list[str], values: list[list[Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows(zip(*values, strict=True))
    return out.getvalue().encode("utf-8", "surrogatepass")


def _parquet(names: list[str], values: list[list[Any]]) -> bytes:
    """A Parquet file, if there can be one: columns that Arrow cannot hold are written as text."""
    arrays = []
    for column in values:
        try:
            arrays.append(pa.array(column))
        except (pa.ArrowException, OverflowError):
            arrays.append(pa.array([str(value) for value in column]))
    out = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, names=names), out)
    return out.getvalue()


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, bytes]:
    """The ending and the bytes of a data file: in most of them one or two things are not as they should be."""
    rows = draw(st.sampled_from([30] * 9 + [0, 1, 2, 5, 8, 12]))
    kinds = {"x": draw(st.sampled_from(USABLE)), "z": draw(st.sampled_from(USABLE)), "y": draw(st.sampled_from(USABLE))}
    for name in draw(st.lists(st.sampled_from([*kinds]), max_size=2)):
        kinds[name] = draw(st.sampled_from([*CELLS, "constant", "different"]))
    names, values = [*kinds], [draw(columns(rows, kind)) for kind in kinds.values()]
    for place in draw(st.lists(st.sampled_from([0, 0, 1, 2]), max_size=1)):
        names[place] = draw(COLUMN_NAMES)
    kept = slice(draw(st.sampled_from([0, 0, 0, 0, 0, 0, 2])), None)
    ending = draw(st.sampled_from(["csv", "parquet"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = (_csv if ending == "csv" else _parquet)(names[kept], values[kept])
    damage = draw(st.integers(0, 15))
    if damage == 1:  # cut off, or followed by something else
        content = content[: draw(st.integers(0, len(content)))] + draw(st.binary(max_size=10))
    elif damage == 2:
        content = draw(st.binary(max_size=60))
    return ending, content


# --- command lines; `bench`, `verify` and `dashboard` are not among them: they take minutes, or never end

STUDY = ("tiny.toml", "done.toml", "runs/done", "done", "quickstart")
RUNS = {"--runs": ("runs", "elsewhere", "folder")}
JSON: dict[str, tuple[str, ...]] = {"--json": ()}
# The arguments of each command, and its options with their values.
LEGAL: dict[str, tuple[tuple[tuple[str, ...], ...], dict[str, tuple[str, ...]]]] = {
    "run": (
        (STUDY,),
        {
            "--trials": ("1", "2", "3"), "--workers": ("1", "2"), "--seed": ("0", "1", "4294967295"),
            "--backend": ("serial", "loky"), "--storage": ("log", "sqlite:///optuna.db"), "--fresh": (), "-v": (),
            "--sampler": ("tpe", "random", "qmc", "grid"), "--timeout": ("0.01", "60"), "--dry-run": (), "-q": (),
            **RUNS, **JSON,
        },
    ),
    "show": ((STUDY,), {**RUNS, **JSON}),
    "list": ((), JSON),
    "export": ((STUDY, ("o.csv", "o.parquet", "o.json", "o.xlsx")), {"--table": ("trials", "curves"), **RUNS, **JSON}),
    "rerun": ((STUDY, ("0", "1")), {**RUNS, **JSON}),
    "fit": ((STUDY,), {"-o": ("model.joblib",), "--trial": ("0", "1"), **RUNS, **JSON}),
    "manual": ((STUDY,), {"--optimizer": ("momentum", "adam"), "--learning-rate": ("0.1",), "--seed": ("3",)}),
}  # fmt: skip
WORDS = st.sampled_from((
    "tiny", "tiny.toml", "done", "done.toml", "quickstart", "nope", "nope.toml", "folder", "folder.toml", "runs/done",
    "", "0", "1", "-1", "1.5", "nan", "inf", "1e400", "-1e-9", "99999999999999999999", "many", "serial", "dask",
    "words.txt", "random", "grid", "momentum", "out.docx", "folder/out.parquet", "no/out.csv", "words.txt/out.csv",
    "journal.log", ".", "sqlite:///words.txt", "sqlite:///no/optuna.db", "sqlite://", "nodb://x", "://", "folder/",
    "sqlite:///folder", "sqlite:///a?b=c", "[red]", "ß", "a\tb", "~", "..", "/", "--", "-", "-x", "--help", "--nothing",
    "--json", "--fresh", "-q",
)) | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4)  # fmt: skip


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command with its arguments and options, right but for up to two words."""
    command = draw(st.sampled_from([*LEGAL, "run", "run", "run"]))
    arguments, options = LEGAL[command]
    line = [command, *(draw(st.sampled_from(known)) for known in arguments)]
    for option in draw(st.lists(st.sampled_from([*options]), max_size=3, unique=True)) if options else []:
        line += [option, *([draw(st.sampled_from(options[option]))] if options[option] else [])]
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(line)))
        kind = draw(st.sampled_from(["replace", "replace", "insert", "remove", "move"]))
        if kind == "insert":
            line.insert(place, draw(WORDS))
        elif place < len(line):
            word = line.pop(place)
            if kind == "replace":
                line.insert(place, draw(WORDS))
            elif kind == "move":
                line.insert(draw(st.integers(0, len(line))), word)
    return line
