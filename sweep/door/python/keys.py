"""Keyword arguments in place of a study file: every key of every section by its own name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from sweep.errors import UsageError, unknown
from sweep.learning.configuration import LEARNING_RATE
from sweep.learning.hyper import Hyperparameter, Range, hyperparameters
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.search.study_file.search_section import LIKE
from sweep.search.study_file.spec import Spec

Content = dict[str, Any]
Entry = float | tuple[float, float] | list[float] | Mapping[str, float | bool]  # a value, a range, choices
Tables = Mapping[str, Mapping[str, Any]]


class Keys(TypedDict, total=False):
    """The keys of a study file that `sweep.run` takes as keyword arguments; the guide ``study-file`` explains each."""

    name: str
    question: str
    mode: Literal["optimize", "compare"]
    generation: int
    objective: str
    metrics: list[str]
    at: Literal["last", "best"]
    splits: int
    replicates: int
    defaults: bool
    effective_rates: bool
    start: list[dict[str, Any]]
    arguments: Mapping[str, Any]
    file: str | Path
    task: Literal["classification", "regression"]
    positive: str
    ignore: list[str]
    categorical: list[str]
    ordered: Mapping[str, list[Any]] | list[str]
    kinds: Mapping[str, str]
    separator: str
    decimal: Literal["", ".", ","]
    encoding: str
    header: bool
    sheet: str
    na_values: list[str]
    day_first: bool
    group: str
    time: str
    split: str
    group_rare: bool
    weight: str
    rows: int
    scale: bool
    validation: float
    test: float
    hidden: list[int] | tuple[int, ...]
    activation: str
    loss: str
    initial_weights: str
    epochs: int
    batch_size: int
    dtype: Literal["float32", "float64"]
    class_weight: Literal["balanced"] | Mapping[Any, float]
    convention: str
    learning_rate: Entry
    optimizers: list[str]
    schedules: list[str]
    optimizer: Tables
    schedule: Tables
    candidates: int
    rounds: list[int]
    arms: int
    seeds: int
    delta: float


OWN = ("trials", "seed", "sampler", "pruner", "storage", "target")  # keys that are arguments of `run` itself


def homes() -> dict[str, str]:
    """The section of each key; the one that two sections have, `name`, is the study's."""
    found: dict[str, str] = {}
    for section, field in Spec.model_fields.items():
        kind: Any = field.annotation
        for name in kind.model_fields:
            found.setdefault(name, section)
    return found


def sections(keys: Mapping[str, Any], others: tuple[str, ...]) -> Content:
    """Keyword arguments as the content of a study file.

    Parameters
    ----------
    keys : mapping
    others : tuple of str
        What else the function takes, for whoever has mistyped that.

    Raises
    ------
    UsageError
        There is no such key; the nearest is named.
    """
    known, found = homes(), Content()
    for name, value in keys.items():
        if name not in known:
            raise UsageError(f"run: {unknown('argument', name, {*known, *others})}")
        found.setdefault(known[name], {})[name] = value
    return plain(found)


def plain(content: Mapping[str, Any]) -> Content:
    """The content of a study in what TOML has; a pair of numbers in place of a searched constant is a range.

    >>> plain({"search": {"learning_rate": (1e-3, 0.1)}, "network": {"hidden": (8,)}})
    {'search': {'learning_rate': {'low': 0.001, 'high': 0.1, 'log': True}}, 'network': {'hidden': [8]}}
    """
    found = dict(content)
    search = found.get("search")
    if isinstance(search, Mapping):
        found["search"] = _with_ranges(search)
    made: Content = _plain(found)
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items() if each is not None}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _with_ranges(search: Mapping[str, Any]) -> Content:
    found = dict(search)
    if "learning_rate" in found:
        found["learning_rate"] = _entry(LEARNING_RATE, found["learning_rate"])
    for word, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        tables = found.get(word)
        if isinstance(tables, Mapping):
            found[word] = {name: _constants(known, name, table) for name, table in tables.items()}
    return found


def _constants(known: Mapping[str, type], name: str, table: Any) -> Any:
    """A table of an optimizer's or a schedule's constants; what is no such thing is told later."""
    if not isinstance(table, Mapping) or (kind := known.get(table.get(LIKE, name))) is None:
        return table
    declared = {parameter.name: parameter for parameter in hyperparameters(kind)}
    found = dict(table)
    for field in declared.keys() & found.keys():
        parameter, given = declared[field], found[field]
        several = parameter.vector and isinstance(given, list | tuple)
        found[field] = [_entry(parameter, each) for each in given] if several else _entry(parameter, given)
    return found


def _entry(parameter: Hyperparameter, given: Any) -> Any:
    """A pair as the range that it means, on the scale on which the constant is searched by default."""
    if not isinstance(given, tuple) or len(given) != 2 or not all(map(_is_number, given)):
        return given
    log = isinstance(parameter.search, Range) and parameter.search.log
    return {"low": given[0], "high": given[1], "log": log}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
