"""What is wrong with a study file, as `Problem`: ours as they were found, pydantic's in our words."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ValidationError

from sweep.errors import Broken, Problem, unknown


def problems(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """All that a `model` of a whole study file refused, each with the path of its key."""
    return [problem for each in error.errors(include_url=False) for problem in _problems(each, model)]


def _problems(error: Any, model: type[BaseModel]) -> list[Problem]:
    """One of pydantic's errors: one problem, or several if it is one of ours that gathers them."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return [Problem(unknown("key", str(error["loc"][-1]), _keys(error["loc"][:-1], model)), key)]
    if error["type"] == "missing":
        return [Problem("is needed and not there", key)]
    found = error.get("ctx", {}).get("error")
    if isinstance(found, Broken):
        return [problem.under(key) for problem in found.problems]
    return [Problem(_rule(error["msg"]), key, error["input"])]


def _rule(text: str) -> str:
    """A rule without pydantic's turns of phrase."""
    text = text.replace("Input should", "must")
    return re.sub(r"a valid dictionary.*", "a table: [section] or {key = value}", text)


def _keys(location: tuple[Any, ...], model: Any) -> list[str]:
    """The keys that a section may have."""
    for part in location:
        model = model.model_fields[part].annotation
    return list(model.model_fields)
