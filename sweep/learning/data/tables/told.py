"""What was understood of a table, to be told wherever somebody may ask: nothing is guessed silently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.errors import shortened
from sweep.learning.data.table import Table
from sweep.learning.data.tables.columns import Column, text
from sweep.learning.hyper import Array

_SHOWN = 8  # names of columns or classes that a line shows


@dataclass(frozen=True, slots=True)
class Told:
    """What was understood.

    Attributes
    ----------
    rows : int
        Samples that are left.
    target : tuple of str
    task : str
    why : str
        Why this task, if it was not said; with what to say if it is another.
    classes : tuple of pairs
        Each class as a text, and how many samples it has; none for a regression.
    columns : tuple of Column
        What is learnt from.
    left_out : tuple of pairs
        Columns that are not, and why.
    read : tuple of str
        How the file was read.
    rows_left_out : tuple of str
    roles : tuple of pairs
        What another column is for (group, time, split, weight), and its name.
    warnings : tuple of str
    """

    rows: int
    target: tuple[str, ...]
    task: str
    why: str = ""
    classes: tuple[tuple[str, int], ...] = ()
    columns: tuple[Column, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    read: tuple[str, ...] = ()
    rows_left_out: tuple[str, ...] = ()
    roles: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """The same as plain data."""
        by_kind: dict[str, list[dict[str, Any]]] = {}
        for column in self.columns:
            facts = {"name": column.name, "missing": column.missing, "distinct": column.distinct, "note": column.note}
            by_kind.setdefault(column.kind, []).append(facts)
        return {
            "rows": self.rows,
            "target": list(self.target),
            "task": self.task,
            "why": self.why,
            "classes": dict(self.classes),
            "columns": by_kind,
            "left_out": dict(self.left_out),
            "rows_left_out": list(self.rows_left_out),
            "read": list(self.read),
            "roles": dict(self.roles),
            "warnings": list(self.warnings),
        }


def of(table: Table, label: str) -> Told:
    """What is to be told of a table; of one of numbers, which needs no understanding, how many they are."""
    if table.told:
        return table.told
    classes = counted(table.target) if table.task == "classification" else ()
    inputs = np.shape(table.features)[1]
    return Told(len(table), (), table.task, classes=classes, read=(f"{label}: {inputs} numbers",))


def counted(labels: Array) -> tuple[tuple[str, int], ...]:
    """The classes as texts and how many samples each has."""
    classes, counts = np.unique(labels, return_counts=True)
    return tuple((text(each), int(count)) for each, count in zip(classes.tolist(), counts.tolist(), strict=True))


def lines(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was understood, from its plain data, as a label and a sentence each."""
    found = [("task", _task(told))]
    if told["columns"]:
        found.append(("inputs from", _columns(told["columns"])))
    notes = [
        f"{shortened(each['name'], 40)}: {each['note']}"
        for kind in told["columns"].values()
        for each in kind
        if each["note"]
    ]
    left = _by_reason(told["left_out"])
    found += [
        ("read", "; ".join(told["read"])),
        ("columns", _listed(notes, "; ")),
        ("left out", "; ".join(filter(None, [*told["rows_left_out"], left]))),
        ("used for", ", ".join(f"{role}: {name}" for role, name in told["roles"].items())),
        *(("warning", warning) for warning in told["warnings"]),
    ]
    return [(label, text) for label, text in found if text]


def _task(told: Mapping[str, Any]) -> str:
    target = shortened(", ".join(told["target"]), 80)
    of = f" of {target}" if target else ""
    classes = told["classes"]
    shown = f": {_listed([f'{name} ({count})' for name, count in classes.items()])}" if classes else ""
    kinds = f", {len(classes)} classes" if len(classes) > _SHOWN else ""
    why = f" ({told['why']})" if told["why"] else ""
    return f"{told['task']}{of}, {told['rows']} samples{kinds}{shown}{why}"


def _columns(by_kind: dict[str, Any]) -> str:
    parts = []
    for kind, facts in by_kind.items():
        names = _listed([each["name"] + (f" ({each['missing']} missing)" if each["missing"] else "") for each in facts])
        parts.append(f"{len(facts)} {_PLURALS[kind] if len(facts) > 1 else kind} ({names})")
    return ", ".join(parts)


_PLURALS = {"number": "numbers", "ordered": "ordered", "category": "categories", "text": "texts", "date": "dates"}


def _by_reason(left_out: dict[str, str]) -> str:
    reasons: dict[str, list[str]] = {}
    for name, why in left_out.items():
        reasons.setdefault(why, []).append(name)
    return "; ".join(f"{_listed(names)} ({why})" for why, names in reasons.items())


def _listed(names: Sequence[str], between: str = ", ") -> str:
    """Some of the names, and how many more there are."""
    more = f"{between}and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return between.join(shortened(str(name), 120) for name in names[:_SHOWN]) + more
