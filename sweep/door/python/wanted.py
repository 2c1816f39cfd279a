"""The study that a caller wants: one that is there, with a table and keyword arguments over what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sweep.door import tables
from sweep.door.python import frames
from sweep.door.python import keys as keywords
from sweep.door.python.frames import Given
from sweep.door.python.keys import Content
from sweep.door.run_folder import RunFolder
from sweep.door.studies import Study, resolve
from sweep.errors import DataError, SweepError, UsageError
from sweep.learning.data import identity
from sweep.learning.data.datasets import DATASETS
from sweep.learning.data.parts import Data
from sweep.learning.data.source import GIVEN, DataSource
from sweep.learning.data.splits import TABLE_GIVEN, prepare, split
from sweep.learning.data.table import Task
from sweep.learning.data.tables import reading, understanding
from sweep.search.study_file import catalogue, variants
from sweep.search.study_file import spec as specs
from sweep.search.study_file.catalogue import Found
from sweep.search.study_file.spec import Spec

NAME = "table"  # of a study that is made of a table alone
_OF_A_FILE = ("name", "arguments", "file", "separator", "encoding", "header", "sheet")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller says of the study: keys by their names, a table or where it is, and what is predicted of it."""

    study: Study | Found | None
    data: Any = None
    target: Any = None
    keys: Mapping[str, Any] | None = None
    wishes: Mapping[str, Any] | None = None

    def found(self, others: tuple[str, ...]) -> tuple[Study, Given | None]:
        """The study, with the table in place of its data; as it was named, if nothing is said over it."""
        data, study = self.data, self.study
        if isinstance(study, Found):
            study = resolve(study)
        if data is None and isinstance(study, Mapping) and _is_table(study.get("data", {})):
            study = dict(study)
            data = study.pop("data")
        over = keywords.sections(self.keys or {}, others)
        if data is None and isinstance(study, str | Path) and reading.is_table(Path(study)):
            return self._of_table(str(study), over), None
        if data is None and self.target is None and not over:
            return keywords.plain(study) if isinstance(study, Mapping) else study or "quickstart", None
        if over or data is not None:
            over["study"] = self._wished | over.get("study", {})
        content, path = _content(study, data, over)
        if variants.KEY in content:
            specs.complete(content, path)  # says that it must be one of them
        if self.target is not None:
            over.setdefault("data", {})["target"] = _names(self.target)
        if _is_section(data):
            over["data"] = keywords.plain(data) | over.get("data", {})
        elif isinstance(data, str | Path):
            _say_data(over, str(data))
        if "file" in over.get("data", {}):  # relative to where the program runs, not to the study file
            over["data"]["file"] = str(Path(over["data"]["file"]).absolute())
        table = None
        if data is not None and _is_table(data):
            table = frames.given(data, over.get("data", {}).get("target") or _own_target(content))
            content = _instead(content, over, table)
        return specs.complete(variants.content_of(content, over), path), table

    @property
    def _wished(self) -> dict[str, Any]:
        """The wishes that there are."""
        return {key: value for key, value in (self.wishes or {}).items() if value is not None}

    def _of_table(self, table: str, over: Content) -> Spec:
        """The study that the command line runs of a table, too."""
        said = over.pop("data", {})
        spec = tables.study(table, frames.names_of(self.target))
        content = spec.model_dump(exclude_none=True)
        content["data"] |= said
        over["study"] = self._wished | over.get("study", {})
        return specs.complete(variants.merged(content, over), Path(spec.study.name))


def _names(target: Any) -> Any:
    return list(map(str, target)) if isinstance(target, list | tuple) else str(target)


def _is_section(data: Any) -> bool:
    """Whether data are said as a study file says them, by keys."""
    return isinstance(data, Mapping) and not {"data", "target"} <= set(data) and not hasattr(data, "columns")


def _is_table(data: Any) -> bool:
    return not isinstance(data, str | Path) and not _is_section(data)


def _content(study: Study | None, data: Any, over: Content) -> tuple[Content, Path]:
    """The content of the study, and the file that it stands in, or is called by."""
    if isinstance(study, Spec):
        return study.model_dump(exclude_none=True), Path(study.study.name)
    if isinstance(study, Mapping):
        return keywords.plain(study), Path("study")
    if study is not None:
        return catalogue.content(str(study))
    place = data if isinstance(data, str | Path) else over.get("data", {}).get("file")
    if place is not None:
        return {}, Path(Path(place).name.partition(".")[0] or NAME)
    return ({}, Path(NAME)) if data is not None else catalogue.content("quickstart")


def _say_data(over: Content, data: str) -> None:
    """Data by a name or by a file."""
    by_name = data in DATASETS or "." not in Path(data).name
    over.setdefault("data", {})["name" if by_name else "file"] = data


def _own_target(content: Content) -> Any:
    data = content.get("data")
    return data.get("target") or None if isinstance(data, Mapping) else None


def _instead(content: Content, over: Content, table: Given) -> Content:
    """The content without where its data come from: they are in the file that will keep the table."""
    _check_target(table)
    own = content.get("data")
    kept = {key: value for key, value in own.items() if key not in _OF_A_FILE} if isinstance(own, Mapping) else {}
    over["data"] = over.get("data", {}) | {"file": RunFolder.TABLE, "target": table.target}
    return content | {"data": kept}


def _check_target(table: Given) -> None:
    """Raise `UsageError` if nobody has said what is to be predicted."""
    if not table.targets:
        raise UsageError(f'{TABLE_GIVEN}: needs target, the name of the column to predict: target="..."')


@contextmanager
def kept(spec: Spec, folder: RunFolder, table: Given | None, *, fresh: bool) -> Iterator[Spec]:
    """The study with its data in the run folder; until they are written there, they are in memory.

    Raises
    ------
    DataError
        The folder keeps another table, and is to be gone on with.
    """
    file, given = folder.table, table is not None
    if table is None:
        inside = spec.data.file == str(file) and fresh and file.is_file()
        content = file.read_bytes() if inside else None  # it goes away with the folder that is set aside
    else:
        spec = spec.model_copy(update={"data": spec.data.model_copy(update={"file": str(file)})})
        there = folder.exists() and file.is_file() and not fresh
        if there and folder.spec().data.file == str(file) and not table.is_in(file):
            raise DataError(
                f"{file}: the table given is not the one that this run keeps: give that one, leave data out to go on "
                "without it, or start anew with fresh=True (the old folder is kept under another name)"
            )
        content = None if there else table.content
    if content is None:
        yield spec
        return
    with identity.held(str(file), content), _told_as_given(file, given=given):
        del content, table  # whoever writes it releases it
        yield spec


@contextmanager
def _told_as_given(file: Path, *, given: bool) -> Iterator[None]:
    """Speak of the table that was given, not of the file in which it is not yet."""
    try:
        yield
    except DataError as error:
        if not given or file.exists():
            raise
        raise _retold(error, file) from error


def _retold(error: SweepError, file: Path) -> DataError:
    def told(text: str) -> str:
        return text.replace(f"{file}: ", f"{TABLE_GIVEN}: ").replace(f"{file.name}: ", f"{TABLE_GIVEN}: ")

    return DataError(*(replace(each, rule=told(each.rule), where=told(each.where)) for each in error.problems))


def prepared(data: Any, target: Any, task: Task | None, seed: int) -> Data:
    """Data for a training alone, from whatever `sweep.train` takes.

    Raises
    ------
    SweepError
        They cannot be used.
    """
    if isinstance(data, Data):
        return data
    if isinstance(data, DataSource):
        return prepare(data, seed)
    if isinstance(data, str | Path):
        over: Content = {}
        _say_data(over, str(data))
        said = (
            over["data"] | ({"target": _names(target)} if target is not None else {}) | ({"task": task} if task else {})
        )
        spec = specs.complete({"data": said}, Path("train"))
        return prepare(spec.source(), seed)
    table = frames.given(data, target)
    _check_target(table)
    source = DataSource(name=GIVEN, target=table.targets, task=task)
    found = understanding.understood_at(TABLE_GIVEN, identity.table_of(table.content), source)
    return split(found, source, seed)
