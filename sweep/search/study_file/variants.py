"""Several studies in one file: ``[variants.NAME]`` says what is different in each, and is merged over the rest.

Tables are merged key by key; a list or a value replaces what was there. Where data come from is one thing: a variant's
``data.name`` also takes the place of a file with all that belongs to it, ``data.file`` that of a named data set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Content = Mapping[str, Any]

KEY = "variants"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")  # it ends the name of a folder
_OTHER_SOURCE = {"name": ("file", "target", "ignore", "task"), "file": ("name", "arguments")}


def tables(content: Content) -> dict[str, Content]:
    """What a study file says of each of its variants; empty: it has none.

    Raises
    ------
    ValueError
        Something there is no variant.
    """
    if KEY not in content:
        return {}
    found = content[KEY]
    if not isinstance(found, Mapping) or not found:
        raise ValueError(f"{KEY} = {found!r}: must hold tables: [{KEY}.NAME]")
    for name, table in found.items():
        if not (isinstance(name, str) and _WORD.fullmatch(name)):
            raise ValueError(f"{KEY}.{name}: must be a word: letters, digits, _ and -, at most 50, no _ or - first")
        if not isinstance(table, Mapping):
            raise ValueError(f"{KEY}.{name} = {table!r}: must be a table: [{KEY}.{name}]")
        study = table.get("study", {})
        if isinstance(study, Mapping) and "name" in study:
            raise ValueError(
                f"{KEY}.{name}.study.name = {study['name']!r}: a variant is called STUDY-{name}: remove it"
            )
    return dict(found)


def content_of(content: Content, table: Content) -> dict[str, Any]:
    """The whole content of one variant."""
    base = {key: value for key, value in content.items() if key != KEY}
    own, data = base.get("data"), table.get("data")
    if isinstance(own, Mapping) and isinstance(data, Mapping):
        gone = {key for source in data.keys() & _OTHER_SOURCE for key in _OTHER_SOURCE[source]}
        base["data"] = {key: value for key, value in own.items() if key not in gone}
    return merged(base, table)


def merged(base: Content, over: Content) -> dict[str, Any]:
    """Tables merged key by key.

    >>> merged({"a": {"b": 1, "c": 2}, "d": [3]}, {"a": {"b": 4}, "d": [5, 6]})
    {'a': {'b': 4, 'c': 2}, 'd': [5, 6]}
    """
    found = dict(base)
    for key, value in over.items():
        old = found.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        found[key] = merged(old, value) if both else value  # type: ignore[arg-type]
    return found


def told(wrong: Mapping[str, list[str]], given: Mapping[str, Content]) -> list[str]:
    """What is wrong with some variants, a line each: what is wrong with all of them is said once, for the file.

    Parameters
    ----------
    wrong : mapping
        Variant to messages, each beginning with a key; only variants that have any.
    given : mapping
        Every variant's table.
    """
    shared = [line for line in next(iter(wrong.values())) if all(line in wrong.get(name, ()) for name in given)]
    if len(given) == 1:
        shared = []
    own = [_placed(line, name, given[name]) for name, lines in wrong.items() for line in lines if line not in shared]
    return shared + own


def _placed(line: str, name: str, table: Content) -> str:
    """A message with its place: the key in the variant's table, if it says anything there, else the variant."""
    section, *keys = re.split(r"[\s,:]", line, maxsplit=1)[0].split(".")
    own = table.get(section)
    inside = section in table and (not keys or (isinstance(own, Mapping) and keys[0] in own))
    return f"{KEY}.{name}{'.' if inside else ': '}{line}"
