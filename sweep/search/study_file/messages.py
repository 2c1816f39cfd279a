"""What is wrong with a study file, in our words: a line each, with the key path, the value and the rule."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ValidationError

from sweep.errors import unknown


def lines(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """All that a `model` of a whole study file refused, a line each, without the file's name."""
    return [line for each in error.errors(include_url=False) for line in _lines(each, model)]


def first_rule(error: ValidationError) -> str:
    """The first rule that was broken, alone."""
    return _rule(error.errors(include_url=False)[0])


def _lines(error: Any, model: type[BaseModel]) -> list[str]:
    """One of pydantic's errors: one line, or several if it is one of ours that gathers them."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return [f"{key}: {unknown('key', str(error['loc'][-1]), _keys(error['loc'][:-1], model))}"]
    if error["type"] == "missing":
        return [f"{key}: is needed and not there"]
    if error["type"] == "value_error":  # one of ours: it says where in the section, unless it is about the whole of it
        rule = _rule(error)
        inside = re.match(r"\w+", rule)
        sections = _keys(error["loc"], model) if len(error["loc"]) == 1 else ()
        within = inside is not None and inside[0] in sections and rule[inside.end()] in ".: "
        start = f"{key}{'.' if within else ': '}" if key else ""
        return [f"{start}{line}" for line in rule.splitlines()]
    return [f"{key} = {error['input']!r}: {_rule(error)}"]


def _rule(error: Any) -> str:
    """The rule that was broken, without pydantic's turns of phrase."""
    text: str = error["msg"]
    text = text.removeprefix("Value error, ").replace("Input should", "must")
    return re.sub(r"a valid dictionary.*", "a table: [section] or {key = value}", text)


def _keys(location: tuple[Any, ...], model: Any) -> list[str]:
    """The keys that a section may have."""
    for part in location:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
