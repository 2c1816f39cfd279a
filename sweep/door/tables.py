"""A table in place of a study: what `run TABLE` runs, and the study file that `init TABLE` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.errors import DataError, UsageError, reason, shortened
from sweep.learning.data import looking
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from sweep.learning.data.tables import kinds, reading, told, understanding
from sweep.learning.data.tables.columns import Column
from sweep.learning.data.tables.tidy import tidied
from sweep.results.tables.files import replacing
from sweep.search.study_file import spec as specs
from sweep.search.study_file.keys import written
from sweep.search.study_file.spec import Spec

if TYPE_CHECKING:
    import pandas as pd

TRIALS = 128
OPTIMIZERS = ["momentum", "adagrad", "rmsprop", "adam"]
SCHEDULES = ["constant", "exponential", "cosine", "plateau"]
NETWORK = {"hidden": [32], "epochs": 60}
DECAY = {"low": 1e-5, "high": 0.3, "log": True}  # of the weights: tables are small, and a network knows too much of one
_LIKELY = ("target", "label", "class", "y", "outcome", "response")  # names of a target


def name_of(table: str | Path) -> str:
    """What the study of a table is called.

    >>> name_of("data/my.csv.gz")
    'my'
    """
    path = Path(table)
    return path.name.removesuffix("".join(path.suffixes)) or path.name


def study(table: str, targets: Sequence[str], task: str | None = None) -> Spec:
    """The study that is run of a table.

    Raises
    ------
    UsageError
        No target is named.
    """
    if not targets:
        columns = ", ".join(_columns(Path(table)))
        raise UsageError(f"{table}: needs --target, the column to predict: one of {shortened(columns)}")
    return specs.complete(content(Path(table).absolute(), targets, task), Path(table).absolute().parent / "study")


def content(path: Path, targets: Sequence[str], task: str | None) -> dict[str, Any]:
    """The same as the content of a study file."""
    data: dict[str, Any] = {"file": str(path), "target": targets[0] if len(targets) == 1 else list(targets)}
    return {
        "study": {"name": name_of(path), "question": question(targets), "trials": TRIALS},
        "data": data | ({"task": task} if task else {}),
        "network": NETWORK,
        "search": {
            "optimizers": OPTIMIZERS,
            "schedules": SCHEDULES,
            "optimizer": {name: {"weight_decay": DECAY} for name in OPTIMIZERS},
        },
    }


def question(targets: Sequence[str]) -> str:
    """The question of such a study."""
    return f"Which optimizer and schedule predict {shortened(', '.join(targets), 80)} best?"


@dataclass(frozen=True, slots=True)
class Look:
    """What `init` has seen of a table: the study file, its target (and why that), what was understood, warnings."""

    file: str
    target: tuple[str, ...]
    guessed: bool
    data: Mapping[str, Any]
    warnings: tuple[str, ...]


def look(table: Path, targets: Sequence[str], output: Path | None) -> Look:
    """Look at a table and write a starter study beside it, or where it is wanted.

    Raises
    ------
    DataError
        The table cannot be read.
    UsageError
        The study file is there already, or cannot be written.
    """
    output = output or Path(f"{name_of(table)}.toml")
    if output.exists():
        raise UsageError(f"{output}: is there already: name another with -o")
    if output.suffix != ".toml":
        raise UsageError(f"{output}: a study file ends in .toml: name another with -o")
    raw, read = reading.read(table, reading.Form(), "check its path")
    wanted = tuple(targets) or (_likely(raw, table),)
    found = understanding.understood_at(str(table), raw, DataSource(file=str(table), target=wanted), read)
    assert found.told is not None
    warnings = (*found.told.warnings, *looking.warned(found, raw))
    text = starter(_from(output, table), wanted, not targets, found, warnings)
    try:
        with replacing(output) as beside:
            beside.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {reason(error)}: choose another place") from error
    return Look(str(output), wanted, not targets, found.told.data(), warnings)


def _columns(table: Path) -> list[str]:
    frame, _ = reading.read(table, reading.Form(), "check its path")
    return [str(name) for name in frame.columns if str(name)]


def _likely(raw: pd.DataFrame, table: Path) -> str:
    """The column that is likely the target: one that is called so, else the last of numbers or classes."""
    frame, _ = tidied(raw, ())
    named = [name for name in frame.columns if name.casefold() in _LIKELY]
    found = [each for each in kinds.all_of(frame) if isinstance(each, Column) and each.kind in ("number", "category")]
    if not named and not found:
        raise DataError(f"{table}: has no column of numbers or classes to predict")
    return named[0] if named else found[-1].name


def _from(output: Path, table: Path) -> str:
    """The table's path as a study file says it: relative to itself if it is beside or below it."""
    here, there = output.absolute().parent, table.absolute()
    return str(there.relative_to(here)) if there.is_relative_to(here) else str(there)


def starter(file: str, targets: Sequence[str], guessed: bool, table: Table, warnings: Sequence[str]) -> str:
    """A study file with comments that say what was found."""
    assert table.told is not None
    facts = dict(told.lines(table.told.data()))
    target: Any = targets[0] if len(targets) == 1 else list(targets)
    lines = [
        f"# Made by: python -m sweep init {Path(file).name}. Every key: python -m sweep help study-file", "",
        "[study]", f"question = {written(question(targets))}", f"trials = {TRIALS}", "",
        "[data]", f"file = {written(file)}",
        f"target = {written(target)}" + ("  # taken to be it: no --target was given" if guessed else ""),
        f"task = {written(table.task)}" + _comment(facts["task"].partition(", ")[2]),
        *(f"# {label}: {_plain(text)}" for label, text in facts.items() if label not in ("task", "warning")),
        *(f"# Warning: {_plain(warning)}" for warning in warnings),
        "# ignore = []        columns that are not to be learnt from",
        "# categorical = []   columns whose numbers are names, such as codes",
        '# group = ""         a column that says whose a row is: nobody is in two parts',
        '# time = ""          a column of dates: the latest rows are the test part', "",
        "[network]", *(f"{key} = {written(value)}" for key, value in NETWORK.items()), "",
        "[search]", f"optimizers = {written(OPTIMIZERS)}", f"schedules = {written(SCHEDULES)}", "",
        "[search.optimizer]", *(f"{name}.weight_decay = {written(DECAY)}" for name in OPTIMIZERS), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _comment(text: str) -> str:
    return f"  # {_plain(text)}" if text else ""


def _plain(text: str) -> str:
    """A text on one line, of bounded length, without what TOML forbids in a comment."""
    return shortened(json.dumps(" ".join(text.split()), ensure_ascii=False)[1:-1].replace('\\"', '"'), 300)
