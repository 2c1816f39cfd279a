"""The parts of guides that are made when they are read: what the program itself knows, so that they are never old."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.learning.hyper import Hyperparameter

EPOCHS = 30  # what ranges that scale with the training are shown for
_DOCTEST = re.compile(r"^>>> .*?(\n\n|\Z)", flags=re.MULTILINE | re.DOTALL)

# ---------------------------------------------------------------------------------------------------- a section's keys


def section(name: str) -> str:
    """The keys of a section of a study file."""
    from sweep.search.study_file.keys import keys
    from sweep.search.study_file.spec import Spec

    found = keys(Spec.model_fields[name].annotation)  # type: ignore[arg-type]
    return "\n".join(_item(key.name, key.type, key.default, key.help, key.rule, _code(key.example)) for key in found)


def _item(name: str, kind: str, default: str, help: str, rule: str, example: str) -> str:
    """A key or a constant: an item of a list, of three lines."""
    said = f"- **{name}** ({kind}; default {default}): {help}."
    return "  \n  ".join(filter(None, [said, f"Rule: {rule}." if rule else "", example]))


def _code(lines: str) -> str:
    """Lines of TOML, each as it stands."""
    return "  \n  ".join(f"`{line}`" for line in lines.splitlines())


# ---------------------------------------------------------------------------- the constants of optimizers and schedules


def optimizers() -> str:
    """All optimizers with their constants."""
    from sweep.learning.optimizers.rules import OPTIMIZERS

    rates = {name: f"Its default learning rate is {kind.default_rate:g}." for name, kind in OPTIMIZERS.items()}
    return _kinds("optimizer", OPTIMIZERS, rates)


def schedules() -> str:
    """All schedules with their constants."""
    from sweep.learning.schedules.formulas import SCHEDULES

    return _kinds("schedule", SCHEDULES, {})


def _kinds(word: str, known: Mapping[str, type], more: Mapping[str, str]) -> str:
    """The constants that all have; then each kind with its others, those first that are searched."""
    from sweep.learning.hyper import Fixed, hyperparameters

    having: dict[Hyperparameter, list[str]] = {}
    for name, kind in known.items():
        for constant in hyperparameters(kind):
            having.setdefault(constant, []).append(name)
    common = [constant for constant, names in having.items() if len(names) == len(known)]
    lines = [f"### Every {word}", "", *map(_constant, common), ""]
    for name, kind in known.items():
        own = [constant for constant, names in having.items() if name in names and constant not in common]
        own.sort(key=lambda constant: isinstance(constant.search, Fixed))
        lines += [f"### {name}", "", _told(kind), "", *([more[name], ""] if name in more else [])]
        lines += [*map(_constant, own), ""]
    return "\n".join(lines).strip()


def _told(kind: type) -> str:
    """What a class says of itself, as Markdown."""
    text = _DOCTEST.sub("", inspect.getdoc(kind) or "").strip()
    return text.replace("::\n", ":\n")


def _constant(constant: Hyperparameter) -> str:
    """One constant; the example is how it is searched, or fixed, unless a study says otherwise."""
    from sweep.learning.hyper import Fixed

    kind = "true or false" if constant.flag else "whole number" if constant.domain.integer else "number"
    how = "not searched unless you say so" if isinstance(constant.search, Fixed) else "how it is searched"
    scaled = f", with {EPOCHS} epochs" if getattr(constant.search, "unit", "") else ""
    return _item(
        constant.name,
        f"list of {kind}s" if constant.vector else kind,
        _toml(constant, constant.default),
        constant.help,
        "" if constant.flag else constant.domain.rule(constant.name),
        f"`{constant.name} = {_toml(constant, _searched(constant))}` ({how}{scaled})",
    )


def _searched(constant: Hyperparameter) -> Any:
    """Where a study searches that says nothing, as its file would say it."""
    from sweep.search.space.entries import written

    entry = written(constant.search.resolved(EPOCHS))
    return [entry] * len(constant.default) if isinstance(constant.default, tuple) else entry


def _toml(constant: Hyperparameter, value: Any) -> str:
    """A value of a constant as a person writes it: flags in words, whole numbers without a point, nothing needless."""
    from sweep.search.study_file.keys import written

    def tidy(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: tidy(each) for key, each in value.items() if each is not False}
        if isinstance(value, list | tuple):
            return [tidy(each) for each in value]
        if constant.flag or value is True:
            return bool(value)
        return int(value) if value == int(value) else float(f"{value:.4g}")

    return written(tidy(value))


PARTS: Mapping[str, Callable[[], str]] = {
    **{f"[{name}]": partial(section, name) for name in ("study", "data", "network", "search", "race", "verdict")},
    "optimizers": optimizers,
    "schedules": schedules,
}
