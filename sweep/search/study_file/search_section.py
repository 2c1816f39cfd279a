"""The section ``[search]`` of a study file: what is searched, by which names, and how it is narrowed.

An optimizer or a schedule has the name that it has in `OPTIMIZERS` or `SCHEDULES`. One more space of the same kind is
searched under a name of the study's own, whose table says with ``like`` which kind it is::

    [search]
    optimizers = ["rmsprop", "rmsprop_tuned"]
    [search.optimizer.rmsprop_tuned]
    like = "rmsprop"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from sweep.errors import Broken, Problem, UsageError, unknown
from sweep.learning.configuration import LEARNING_RATE
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.parity.conventions import CONVENTIONS
from sweep.search.space.entries import written
from sweep.search.study_file.keys import Section, key
from sweep.search.study_file.keys import written as toml

LIKE = "like"  # the key that says which kind a name stands for
_RATES = toml({part: value for part, value in written(LEARNING_RATE.search).items() if value is not False})
_NAMED = f"known, or a name of your own with {LIKE} in its table; each once"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")  # no dot: Optuna's parameters are called name.field


class SearchSection(Section):
    """``[search]``: the learning rate, the optimizers, the schedules, and how their constants are narrowed.

    What is not narrowed has the default range, or, under a `convention`, the default of that library.
    """

    convention: str = key("", "the library whose defaults hold for what is not said", "torch", among=CONVENTIONS)
    learning_rate: Any = key(
        None, LEARNING_RATE.help, {"low": 1e-3, "high": 1.0, "log": True}, type="number, list or range",
        unset=_RATES, rule=LEARNING_RATE.domain.rule(LEARNING_RATE.name),
    )  # fmt: skip
    optimizers: Annotated[list[str], Field(min_length=1)] = key(
        lambda: list(OPTIMIZERS), "the optimizers to search", ["momentum", "adam"], rule=_NAMED
    )
    schedules: Annotated[list[str], Field(min_length=1)] = key(
        lambda: list(SCHEDULES), "the schedules to search", ["constant", "cosine"], rule=_NAMED
    )
    optimizer: dict[str, dict[str, Any]] = key(
        dict, "how an optimizer's constants are narrowed", {"rmsprop": {"decay": [0.9, 0.99], "epsilon": 1e-8}},
        rule="a table for each, which is among optimizers",
    )  # fmt: skip
    schedule: dict[str, dict[str, Any]] = key(
        dict, "how a schedule's constants are narrowed", {"step": {"every": 10, "divisor": {"low": 2.0, "high": 5.0}}},
        rule="a table for each, which is among schedules",
    )  # fmt: skip

    def kinds(self) -> tuple[tuple[str, list[str], Mapping[str, Mapping[str, Any]], Mapping[str, type]], ...]:
        """For optimizers and for schedules: the word, the names used, their tables, and the kinds that there are."""
        return (
            ("optimizer", self.optimizers, self.optimizer, OPTIMIZERS),
            ("schedule", self.schedules, self.schedule, SCHEDULES),
        )

    @model_validator(mode="before")
    @classmethod
    def _convention_limits_the_kinds(cls, content: Any) -> Any:
        """A library need not have all optimizers and schedules: those it has are then the default."""
        name = content.get("convention", "") if isinstance(content, dict) else ""
        if not isinstance(name, str) or not name:
            return content
        if name not in CONVENTIONS:
            raise Broken(Problem(unknown("convention", name, CONVENTIONS), "convention"))
        found = CONVENTIONS[name]
        return {"optimizers": found.has("optimizer"), "schedules": found.has("schedule"), **content}

    @model_validator(mode="after")
    def _names_are_fine(self) -> SearchSection:
        for word, used, tables, known in self.kinds():
            for where, names in ((f"{word}s", used), (word, tables)):
                for name in names:
                    key = where if where != word else f"{word}.{name}"
                    _check_name(word, name, tables.get(name, {}), known, key)
            if len(set(used)) < len(used):
                raise Broken(Problem("each may be named once", f"{word}s", used))
            for name in tables:
                if name not in used:
                    rule = f"{name!r} is not among {word}s = {used}"
                    step = "add it there, or remove this table"
                    raise Broken(Problem(rule, f"{word}.{name}", step=step))
        for name in self.schedules:
            if name in self.optimizers:
                rule = f"{name!r} is among the optimizers too"
                raise Broken(Problem(rule, f"schedule.{name}", step="choose another name"))
        return self

    def like(self) -> dict[str, str]:
        """The names that the study has given, and which kind of optimizer or schedule each stands for."""
        tables = {**self.optimizer, **self.schedule}
        return {name: table[LIKE] for name, table in tables.items() if table.get(LIKE, name) != name}

    def narrowed(self, word: str, name: str) -> Mapping[str, Any]:
        """What the study file says of an optimizer's or a schedule's constants, over what the convention says."""
        table = self.optimizer if word == "optimizer" else self.schedule
        given = {key: value for key, value in table.get(name, {}).items() if key != LIKE}
        if not self.convention:
            return given
        try:
            return CONVENTIONS[self.convention].values(word, self.like().get(name, name), given)
        except UsageError as error:
            raise Broken(Problem(str(error), "search.convention", self.convention)) from error


def _check_name(word: str, name: str, table: Mapping[str, Any], known: Mapping[str, type], key: str) -> None:
    """Raise `Broken` for a name of an optimizer or a schedule (`word`) that cannot be; `key` is where it stands."""
    if LIKE not in table:
        if name not in known:
            own = f"a name of your own needs {LIKE} = one of these in its table"
            raise Broken(Problem(f"{unknown(word, name, known)}; {own}", key))
        return
    like = table[LIKE]
    if not isinstance(like, str) or like not in known:
        raise Broken(Problem(unknown(word, str(like), known), f"{word}.{name}.{LIKE}"))
    if name == like:
        return
    if not _WORD.fullmatch(name):
        rule = "letters, digits, _ and -, at most 100, the first a letter"
        raise Broken(Problem(f"a name of one's own must be a word: {rule}", f"{word}.{name}"))
    for what, taken in (("an optimizer", OPTIMIZERS), ("a schedule", SCHEDULES)):
        if name in taken:
            rule = f"{name!r} is {what} by itself: what is like {like!r} needs a name of its own"
            raise Broken(Problem(rule, f"{word}.{name}"))
