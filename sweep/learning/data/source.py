"""Where data come from and how they are split, as a small record that a worker gets in place of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sweep.learning.data.table import Kind, Task

GIVEN = "the samples given"  # the name of what an estimator is trained on
_ROLES = ("group", "time", "split", "weight")

ClassWeight = str | tuple[tuple[Any, float], ...]


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where data come from and how they are split: small, hashable, and all that a worker needs to load them.

    Either `name` (with `arguments`, as sorted pairs) or `file` and `target`. `rows` takes a random part of that many
    samples, stratified. `validation` and `test` are fractions of the samples. `test_seed`, if given, decides in place
    of the seed which samples there are and which are the test part: the others can be split anew, and that stays.
    With `scale` numbers are standardised, else they stay as they are; the targets of a regression always are.
    `group`, `time` or `split`, one of them, names the column that says how the samples are divided (see
    `sweep.learning.data.dividing`). With `group_rare` rare classes are one. All else says how a file is to be read, and
    goes by the names of a study file's ``[data]``; mappings are pairs here.
    `weight` names the column of the file that says how much each sample counts; `class_weight` is ``"balanced"``, or
    pairs of a class and its weight, see `sweep.learning.data.weighing`.
    """

    name: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()
    file: str = ""
    target: str | tuple[str, ...] = ""
    ignore: tuple[str, ...] = ()
    task: Task | None = None
    rows: int | None = None
    validation: float = 0.2
    test: float = 0.2
    test_seed: int | None = None
    scale: bool = True
    separator: str = ""
    decimal: str = ""
    encoding: str = ""
    header: bool = True
    sheet: str = ""
    na_values: tuple[str, ...] = ()
    day_first: bool | None = None
    categorical: tuple[str, ...] = ()
    ordered: tuple[tuple[str, tuple[str, ...]], ...] = ()
    kinds: tuple[tuple[str, Kind], ...] = ()
    positive: str = ""
    group: str = ""
    time: str = ""
    split: str = ""
    weight: str = ""
    group_rare: bool = False
    class_weight: ClassWeight = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """The target columns."""
        return (self.target,) if isinstance(self.target, str) else self.target

    @property
    def roles(self) -> dict[str, str]:
        """The columns that are neither learnt from nor predicted, by what they are for."""
        return {role: name for role in _ROLES if (name := getattr(self, role))}

    @property
    def unsplit(self) -> DataSource:
        """The same without what only says how it is split: what it is loaded by."""
        plain = DataSource()
        divided = ("rows", "validation", "test", "test_seed", "scale", "class_weight")
        return replace(self, **{key: getattr(plain, key) for key in divided})

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
