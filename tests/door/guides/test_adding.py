"""The guide to adding things names files and tables that there are."""

from __future__ import annotations

import importlib
import re

import pytest

from sweep.door import guides
from tests.terminal import ROOT

ROWS = re.findall(r"^\| (an? [^|]*) \| `([^`]*)` \|(.*)\|$", guides.guide("adding"), flags=re.MULTILINE)


@pytest.mark.parametrize(("what", "file", "tables"), ROWS)
def test_each_row_names_a_file_and_the_tables_in_it(what: str, file: str, tables: str) -> None:
    assert len(ROWS) >= 10, what
    if "NAME" in file:
        folder = (ROOT / "sweep" / file).parent
        assert list(folder.resolve().glob(f"*{file.rpartition('NAME')[2]}"))
        return
    assert (ROOT / "sweep" / file).is_file()
    module = importlib.import_module("sweep." + file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    for table in re.findall(r"`(\w+)`", tables):
        assert len(getattr(module, table)) > 1


def test_every_room_is_described() -> None:
    rooms = {path.parent.name for path in (ROOT / "sweep").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)/` \|", guides.guide("adding"), flags=re.MULTILINE)) == rooms
