"""Where data come from and how they are split, as a small record that a worker gets in place of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.learning.data.datasets import load_named
from sweep.learning.data.table import Table, Task
from sweep.learning.data.tables import load_file

ClassWeight = str | tuple[tuple[Any, float], ...]


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where data come from and how they are split: small, hashable, and all that a worker needs to load them.

    Either `name` (with `arguments`, as sorted pairs) or `file` and `target`. `rows` takes a random part of that many
    samples, stratified. `validation` and `test` are fractions of the samples. `test_seed`, if given, decides in place
    of the seed which samples there are and which are the test part: the others can be split anew, and that stays.
    With `scale` numbers are standardised, else they stay as they are; the targets of a regression always are.
    `weight` names the column of the file that says how much each sample counts; `class_weight` is ``"balanced"``, or
    pairs of a class and its weight, see `sweep.learning.data.weighing`.
    """

    name: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    file: str = ""
    target: str = ""
    ignore: tuple[str, ...] = ()
    task: Task | None = None
    rows: int | None = None
    validation: float = 0.2
    test: float = 0.2
    test_seed: int | None = None
    scale: bool = True
    weight: str = ""
    class_weight: ClassWeight = ()

    def table(self) -> Table:
        """Load the data, unsplit."""
        if self.file:
            return load_file(Path(self.file), self.target, self.ignore, self.task)
        return load_named(self.name, dict(self.arguments))

    @property
    def label(self) -> str:
        """A short name for messages."""
        return Path(self.file).name if self.file else self.name


def named(name: str, arguments: Mapping[str, Any] | None = None, **options: Any) -> DataSource:
    """Make a `DataSource` from a data set's name and its arguments."""
    pairs = tuple(sorted((arguments or {}).items()))
    return DataSource(name=name, arguments=tuple((k, _hashable(v)) for k, v in pairs), **options)


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        value = list(value.items())  # no data set takes one: it will say so
    return tuple(_hashable(v) for v in value) if isinstance(value, list | tuple) else value
