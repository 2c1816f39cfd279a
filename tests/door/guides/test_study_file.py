"""The guide of study files says what the models say, and what it shows can be written."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from pydantic import BaseModel

from sweep.door import guides
from sweep.errors import UsageError
from sweep.learning.hyper import Hyperparameter, hyperparameters
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.search.study_file.spec import Spec, complete

GUIDE = guides.guide("study-file")
SECTIONS: dict[str, type[BaseModel]] = {
    name: field.annotation for name, field in Spec.model_fields.items() if isinstance(field.annotation, type)
}
assert SECTIONS.keys() == Spec.model_fields.keys()
KEYS = [(section, name) for section, model in SECTIONS.items() for name in model.model_fields]
KINDS: dict[tuple[str, str], type] = {("optimizer", name): kind for name, kind in OPTIMIZERS.items()} | {
    ("schedule", name): kind for name, kind in SCHEDULES.items()
}


def part(heading: str, text: str = GUIDE) -> str:
    """What stands below a heading, up to the next one of its level or above."""
    level = heading.partition(" ")[0]
    after = re.split(rf"^{re.escape(heading)}$", text, flags=re.MULTILINE)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", after, flags=re.MULTILINE)[0]


def items(text: str) -> dict[str, str]:
    """The items of a list of keys, by their names."""
    found = re.split(r"^- \*\*(\w+)\*\* ", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def shown(item: str) -> dict[str, Any]:
    """What the lines of TOML at the end of an item say."""
    lines = [line.strip() for line in item.splitlines()]
    return tomllib.loads("\n".join(line.split("`")[1] for line in lines if line.startswith("`")))


@pytest.mark.parametrize(("section", "name"), KEYS)
def test_every_key_stands_there_with_its_default_what_it_is_for_and_an_example(section: str, name: str) -> None:
    field = SECTIONS[section].model_fields[name]
    item = items(part(f"## [{section}]"))[name]
    assert field.description
    assert f"): {field.description}." in item
    default = field.get_default(call_default_factory=True, validated_data={})
    said = re.match(r"\((.+?); default (.+?)\): ", item)
    assert said
    if default in ("", None, [], {}):
        assert said[2] != str(default)
    else:
        assert said[2] == json.dumps(default)
    assert list(shown(item)) == [name]


@pytest.mark.parametrize(("section", "name"), KEYS)
def test_every_example_of_a_key_can_be_written_and_is_not_the_default(section: str, name: str) -> None:
    example = shown(items(part(f"## [{section}]"))[name])
    content: dict[str, Any] = {"data": {"name": "make_moons"}, "search": {"schedules": ["constant", "step"]}}
    if section == "data" and name != "arguments":
        content["data"] = {} if name == "name" else {"file": "my.csv", "target": "price"}
    if name == "mode":
        content["study"] = {"trials": 12}
    if name == "splits":
        content["study"] = {"defaults": True}
    content[section] = content.get(section, {}) | example
    spec = complete(content, Path("mine.toml"))
    assert getattr(spec, section) != getattr(complete({"data": {"name": "digits"}}, Path("mine.toml")), section)


def test_what_is_checked_beyond_the_types_is_said() -> None:
    study, data = items(part("## [study]")), items(part("## [data]"))
    for word in ("at least 1", "at most 1,000,000,000"):
        assert word in study["trials"]
    assert "one of none, halving, median" in study["pruner"]
    assert "above 0, below 1" in data["validation"]
    assert "one of iris, wine, " in data["name"]
    for most, splits in ((2000, 3), (5000, 2)):
        assert f"{splits} up to {most:,} samples" in study["splits"]


def constants(word: str, name: str) -> dict[str, str]:
    """The items of an optimizer or a schedule, those that all have included."""
    text = part(f"## [search.{word}.NAME]: the constants of the {word}s")
    return items(part(f"### Every {word}", text)) | items(part(f"### {name}", text))


def default_of(constant: Hyperparameter) -> str:
    if isinstance(constant.default, tuple):
        return "[" + ", ".join(f"{value:g}" for value in constant.default) + "]"
    return str(bool(constant.default)).lower() if constant.flag else f"{constant.default:g}"


@pytest.mark.parametrize(("word", "name"), KINDS)
def test_every_constant_stands_there_with_its_default_and_its_rule(word: str, name: str) -> None:
    found = constants(word, name)
    declared = hyperparameters(KINDS[word, name])
    assert found.keys() == {constant.name for constant in declared}
    assert len(declared) == sum("hyper" in field.metadata for field in dataclasses.fields(KINDS[word, name]))
    for constant in declared:
        item = found[constant.name]
        assert f"; default {default_of(constant)}): {constant.help}." in item
        assert constant.flag or f"Rule: {constant.domain.rule(constant.name)}." in item


@pytest.mark.parametrize(("word", "name"), KINDS)
def test_what_is_shown_of_the_constants_is_what_is_searched(word: str, name: str) -> None:
    table = {key: value for item in constants(word, name).values() for key, value in shown(item).items()}
    base: dict[str, Any] = {"data": {"name": "iris"}, "network": {"epochs": 30}, "search": {f"{word}s": [name]}}
    said = base | {"search": base["search"] | {word: {name: table}}}
    theirs, ours = (complete(content, Path("mine.toml")).resolved() for content in (said, base))
    assert rounded(theirs) == rounded(ours)


def rounded(value: Any) -> Any:
    """With numbers as the guide writes them."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def test_a_mistake_in_an_example_would_be_found() -> None:
    with pytest.raises(UsageError):
        complete(tomllib.loads(tomli_w.dumps({"data": {"name": "iris"}, "study": {"trials": 0}})), Path("mine.toml"))
