"""What a reader is to know of a key of a study file: declared with it by `key`, read back by `keys`.

The type, the default and what pydantic checks follow from the model itself. A key says what it is for and gives an
example, and adds what pydantic cannot know. The guide ``study-file`` is made of that whenever somebody reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Schema = Mapping[str, Any]  # a part of a JSON schema

_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "string",
    "boolean": "true or false",
    "object": "table",
}
_LIMITS = {
    "minimum": "at least {}", "exclusiveMinimum": "above {}", "maximum": "at most {}", "exclusiveMaximum": "below {}",
    "minItems": "at least {} of them", "maxItems": "at most {} of them",
}  # fmt: skip


Count = Annotated[int, Field(ge=1, le=10**9)]  # far from what overflows anywhere


class Section(BaseModel):
    """A table of a study file: no key but those declared, and each of the declared type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Key:
    """A key in words; `example` is a line of TOML, or several."""

    name: str
    type: str
    default: str
    rule: str
    help: str
    example: str


def key(
    default: Any,
    help: str,
    example: Any,
    *,
    type: str = "",
    rule: str = "",
    unset: str = "",
    among: Iterable[str] = (),
) -> Any:
    """Declare a key of a section.

    Parameters
    ----------
    default : object
        The value, or a function that makes it.
    help : str
        What it is for, without a dot at the end.
    example : object
        A value that makes sense; of a table, one with the keys that it may have.
    type : str
        In words, where the annotation says less.
    rule : str
        What is checked and the annotation does not say.
    unset : str
        What holds if the key is left out, where the default is empty.
    among : iterable of str
        The names that it may have.
    """
    names = f"one of {', '.join(among)}" if among else ""
    said: dict[str, JsonValue] = {"type": type, "rule": "; ".join(filter(None, [names, rule])), "unset": unset}
    start = {"default_factory": default} if callable(default) else {"default": default}
    return Field(**start, description=help, examples=[example], json_schema_extra={"said": said})


def keys(section: type[BaseModel]) -> tuple[Key, ...]:
    """The keys of a section, in its own order.

    >>> from sweep.search.study_file.sections import VerdictSection
    >>> found = keys(VerdictSection)[0]
    >>> found.name, found.type, found.default, found.rule, found.example
    ('arms', 'whole number', '8', 'at least 1, at most 32', 'arms = 4')
    """
    schemas = section.model_json_schema()["properties"]
    found = []
    for name, field in section.model_fields.items():
        schema, default = schemas[name], field.get_default(call_default_factory=True, validated_data={})
        said = schema.get("said", {"type": "", "rule": "", "unset": ""})
        kind = next((each for each in schema.get("anyOf", ()) if each["type"] != "null"), schema)
        empty = default is None or default in ("", [], {})
        found.append(
            Key(
                name,
                said["type"] or _type(kind),
                (said["unset"] or "none") if empty else written(default),
                "; ".join(filter(None, [_limits(kind), said["rule"]])),
                field.description or "",
                "\n".join(_lines(name, example) for example in field.examples or ()),
            )
        )
    return tuple(found)


def written(value: Any) -> str:
    """A value as TOML has it on one line.

    >>> written({"low": 1e-4, "log": True, "names": ["a"]})
    '{ low = 0.0001, log = true, names = ["a"] }'
    """
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{name} = {written(each)}' for name, each in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _lines(name: str, value: Any) -> str:
    """An entry of a section; what a table holds by dotted keys."""
    nested = isinstance(value, Mapping) and any(isinstance(each, Mapping) for each in value.values())
    if not nested:
        return f"{name} = {written(value)}"
    return "\n".join(_lines(f"{name}.{inner}", each) for inner, each in value.items())


def _type(schema: Schema) -> str:
    """The type in words."""
    if "enum" in schema:
        return " or ".join(map(written, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}s"
    return _TYPES[schema["type"]]


def _limits(schema: Schema) -> str:
    """Which numbers, and how many of them, are legal."""
    own = [words.format(f"{schema[limit]:,}") for limit, words in _LIMITS.items() if limit in schema]
    each = _limits(schema["items"]) if "items" in schema else ""
    return ", ".join(own + ([f"each {each}"] if each else []))
