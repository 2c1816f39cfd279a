"""Several studies in one file: ``[variants.NAME]`` says what is different in each, and is merged over the rest.

Tables are merged key by key; a list or a value replaces what was there. Where data come from is one thing: a variant's
``data.name`` also takes the place of a file with all that belongs to it, ``data.file`` that of a named data set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sweep.errors import Broken, Problem, shortened

Content = Mapping[str, Any]

KEY = "variants"
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")  # it ends the name of a folder
_OTHER_SOURCE = {"name": ("file", "target", "ignore", "task", "weight"), "file": ("name", "arguments")}


def tables(content: Content) -> dict[str, Content]:
    """What a study file says of each of its variants; empty: it has none.

    Raises
    ------
    Broken
        Something there is no variant.
    """
    if KEY not in content:
        return {}
    found = content[KEY]
    if not isinstance(found, Mapping) or not found:
        raise Broken(Problem(f"must hold tables: [{KEY}.NAME]", KEY, found))
    for name, table in found.items():
        if not (isinstance(name, str) and _WORD.fullmatch(name)):
            rule = "must be a word: letters, digits, _ and -, at most 50, no _ or - first"
            raise Broken(Problem(rule, f"{KEY}.{shortened(str(name))}"))
        if not isinstance(table, Mapping):
            raise Broken(Problem(f"must be a table: [{KEY}.{name}]", f"{KEY}.{name}", table))
        study = table.get("study", {})
        if isinstance(study, Mapping) and "name" in study:
            rule = f"a variant is called STUDY-{name}"
            raise Broken(Problem(rule, f"{KEY}.{name}.study.name", study["name"], step="remove it"))
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


def told(wrong: Mapping[str, list[Problem]], given: Mapping[str, Content]) -> list[Problem]:
    """What is wrong with some variants: what is wrong with all of them is said once, for the file.

    Parameters
    ----------
    wrong : mapping
        Variant to its problems; only variants that have any.
    given : mapping
        Every variant's table.
    """
    shared = [each for each in next(iter(wrong.values())) if all(each in wrong.get(name, ()) for name in given)]
    if len(given) == 1:
        shared = []
    return shared + [
        _placed(each, name, given[name]) for name, found in wrong.items() for each in found if each not in shared
    ]


def _placed(problem: Problem, name: str, table: Content) -> Problem:
    """A problem with its place: the key in the variant's table, if it says anything there, else the variant."""
    section, *keys = problem.key.split(".")
    own = table.get(section)
    inside = section in table and (not keys or (isinstance(own, Mapping) and keys[0] in own))
    return problem.under(f"{KEY}.{name}") if inside else problem.at(f"{KEY}.{name}")
