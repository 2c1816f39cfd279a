"""A study file (TOML) becomes a frozen, validated `Spec`; or one line an error, and nothing has run.

The resolved form, `Spec.resolved`, is complete: every default and every range in plain numbers. It is what a run folder
keeps as ``study.toml``, and reading it gives the same `Spec` again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from sweep.errors import Broken, Problem, UsageError, shortened
from sweep.learning.configuration import LEARNING_RATE
from sweep.learning.data.source import DataSource
from sweep.learning.data.weighing import hashable as class_weight
from sweep.learning.hyper import Search
from sweep.learning.network.metrics import METRICS, measured, metric_of, weightless
from sweep.learning.training.settings import Settings
from sweep.search.choosing.pruners import PRUNERS
from sweep.search.choosing.samplers import SAMPLERS, Planned
from sweep.search.space.defaults import first_trials as defaults_first
from sweep.search.space.entries import Constants, Problems, parse_constants, parse_entry, written
from sweep.search.space.space import Space
from sweep.search.storage.storage import absolute
from sweep.search.study_file import messages, variants
from sweep.search.study_file.data_section import DataSection
from sweep.search.study_file.keys import Section
from sweep.search.study_file.search_section import LIKE, SearchSection
from sweep.search.study_file.sections import (
    FEW_SAMPLES,
    LARGEST_GENERATION,
    LONGEST_NAME,
    SMALLEST_GENERATION,
    NetworkSection,
    RaceSection,
    StudySection,
    VerdictSection,
)


class Spec(Section):
    """A whole study, validated."""

    study: StudySection = Field(default_factory=StudySection)
    data: DataSection
    network: NetworkSection = Field(default_factory=NetworkSection)
    search: SearchSection = Field(default_factory=SearchSection)
    race: RaceSection = Field(default_factory=RaceSection)
    verdict: VerdictSection = Field(default_factory=VerdictSection)

    @model_validator(mode="after")
    def _search_is_legal(self) -> Spec:
        space = self.space()
        if self.study.mode == "compare":
            _check_shares(self.study.trials, len(space.arms))
        for place, parameters in enumerate(self.study.start, start=1):
            rule = space.misfit(parameters)
            if not rule and parameters in self.study.start[: place - 1]:
                rule = "is there twice"
            if rule:
                raise Broken(Problem(f"number {place}: {rule}", "study.start"))
        if self.study.pruner not in ("", "none") and not self.rungs():
            rule = f"a training of {self.network.epochs} epochs has no rung to stop at"
            step = 'train for more epochs, or use "none"'
            raise Broken(Problem(rule, "study.pruner", self.study.pruner, step=step))
        return self

    def rungs(self) -> tuple[int, ...]:
        """The epochs after which trials are judged."""
        return PRUNERS[self.study.pruner or "none"]().rungs(self.network.epochs)

    def space(self) -> Space:
        """The search space, in plain numbers."""
        epochs, search, problems = self.network.epochs, self.search, Problems()
        found: dict[str, dict[str, Constants]] = {"optimizer": {}, "schedule": {}}
        rate: Search = LEARNING_RATE.search
        with problems.gathered():
            given = rate if search.learning_rate is None else search.learning_rate
            rate = parse_entry("search.learning_rate", LEARNING_RATE, given)
        like = search.like()
        for word, used, _, known in search.kinds():
            for name in used:
                with problems.gathered():
                    kind, given = known[like.get(name, name)], search.narrowed(word, name)
                    found[word][name] = parse_constants(f"search.{word}.{name}", kind, given, epochs)
        problems.report()
        return Space(rate, found["optimizer"], found["schedule"], like)

    def source(self) -> DataSource:
        """Where the data come from."""
        return replace(self.data.source(), class_weight=class_weight(self.network.class_weight))

    def settings(self) -> Settings:
        """How every trial is trained."""
        n = self.network
        return Settings(
            tuple(n.hidden), n.activation, n.initial_weights, n.dtype, n.epochs, n.batch_size, self.study.replicates,
            self.study.effective_rates, self.splits, self.metrics, n.loss,
        )  # fmt: skip

    @property
    def metrics(self) -> tuple[str, ...]:
        """What is measured: loss and error, what the study is judged by, and what else it asks for."""
        return measured([metric_of(self.study.objective), *self.study.metrics])

    def check_metrics(self, task: str, weighted: bool) -> None:
        """Raise `UsageError` if one of the metrics is none for the task, or for the weights, that the data have."""
        rules = {name: "does not go by the weights of the samples" for name in weightless(METRICS) if weighted}
        for name, metric in METRICS.items():
            if task not in metric.measures:
                rules[name] = f"is none for {task}, and the targets are one"
        for name in self.metrics:
            if name in rules:
                key = "objective" if metric_of(self.study.objective) == name else "metrics"
                fit = ", ".join(each for each in METRICS if each not in rules)
                raise UsageError(Problem(f"{name!r} {rules[name]}", f"study.{key}", step=f"use one of {fit}"))

    @property
    def splits(self) -> int:
        """On how many splits of the data a trial is judged; 1 as long as neither the study nor the data say."""
        return self.study.splits or 1

    @property
    def begins_with_defaults(self) -> bool:
        """Whether the first trials are the arms' defaults: as the study says; else if it is made to find."""
        said, sampler = self.study.defaults, self.study.sampler
        return said if said is not None else self.study.mode == "optimize" and sampler != "grid"

    def first_trials(self) -> list[dict[str, Any]]:
        """The parameters of the first trials: those that are given, then the defaults of the arms."""
        defaults = defaults_first(self.space()) if self.begins_with_defaults else []
        return [*self.study.start, *(each for each in defaults if each not in self.study.start)]

    def suited(self, samples: int) -> Spec:
        """The study with the number of splits that suits so many samples, if it does not say itself."""
        if self.study.splits is not None:
            return self
        splits = next((splits for most, splits in FEW_SAMPLES.items() if samples <= most), 1)
        return self.model_copy(update={"study": self.study.model_copy(update={"splits": splits})})

    def resolved(self) -> dict[str, Any]:
        """The complete study as plain data: every default and every range written out."""
        space, whole = self.space(), self.model_dump(exclude_none=True)
        for section in ("study", "data"):
            whole[section] = {key: value for key, value in whole[section].items() if value not in ("", {}, [])}
        whole["study"]["defaults"] = self.begins_with_defaults
        whole["search"] = {
            **({"convention": self.search.convention} if self.search.convention else {}),
            "learning_rate": written(space.learning_rate),
            "optimizers": self.search.optimizers,
            "schedules": self.search.schedules,
            "optimizer": _tables(self.search.optimizer, space.optimizers),
            "schedule": _tables(self.search.schedule, space.schedules),
        }
        return whole


def _tables(given: Mapping[str, Mapping[str, Any]], searched: Mapping[str, Constants]) -> dict[str, dict[str, Any]]:
    """The tables of some optimizers or schedules: what kind they are, where that was said, and all their constants."""
    found = {}
    for name, constants in searched.items():
        said = {LIKE: given[name][LIKE]} if LIKE in given.get(name, {}) else {}
        found[name] = {**said, **{field: written(search) for field, search in constants.items()}}
    return {name: table for name, table in found.items() if table}


def _check_shares(trials: int, arms: int) -> None:
    """Raise `Broken` unless every arm gets as many trials as any other."""
    below = trials // arms * arms
    if below != trials:
        near = " or ".join(str(total) for total in (below, below + arms) if total)
        rule = f'mode = "compare" gives each of the {arms} arms the same number of trials'
        raise Broken(Problem(rule, "study.trials", trials, step=f"must be a multiple of {arms}, such as {near}"))


def read(path: Path) -> Spec:
    """Read a study file with one study and validate it as a whole.

    Raises
    ------
    UsageError
        One line for each thing that is wrong: file, key, value, rule. Or the file has variants: they are named.
    """
    return complete(content(path), path)


def read_variants(path: Path) -> dict[str, Spec]:
    """Read a study file: its studies by the names of its variants; one that has none is called nothing."""
    return complete_variants(content(path), path)


def content(path: Path) -> dict[str, Any]:
    """What stands in a study file, as it stands there."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin a file with a mark
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such study file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: not valid TOML: nested too deeply") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def complete(content: Mapping[str, Any], path: Path) -> Spec:
    """Validate plain data as one study; fill in what follows from the file: its name, sampler and generation size."""
    found = complete_variants(content, path)
    if "" not in found:
        names = ", ".join(spec.study.name for spec in found.values())
        raise UsageError(f"{path}: has variants, each a study by itself: {names}: name one of them")
    return found[""]


def complete_variants(content: Mapping[str, Any], path: Path) -> dict[str, Spec]:
    """The same for plain data that may have variants."""
    try:
        tables = variants.tables(content)
    except Broken as error:
        raise UsageError(*(each.at(str(path)) for each in error.problems)) from error
    found: dict[str, Spec] = {}
    wrong: dict[str, list[Problem]] = {}
    for variant, table in (tables or {"": {}}).items():
        try:
            spec = Spec.model_validate(variants.content_of(content, table))
            found[variant] = _filled_in(spec, path, variant)
        except ValidationError as error:
            wrong[variant] = messages.problems(error, Spec)
    if wrong:
        problems = variants.told(wrong, tables) if tables else wrong[""]
        raise UsageError(*(each.at(str(path)) for each in problems))
    return found


def _filled_in(spec: Spec, path: Path, variant: str) -> Spec:
    study, data = spec.study, spec.data
    if data.file:
        data = data.model_copy(update={"file": str(path.parent.absolute() / data.file)})
    storage = absolute(study.storage, path.parent) if study.storage else ""
    sampler = study.sampler or ("random" if study.mode == "compare" else "tpe")
    pruner = study.pruner or "none"
    generation = study.generation or generation_size(study.trials, sampler)
    name = "-".join(filter(None, [study.name or path.stem, variant]))
    if len(name.encode()) > LONGEST_NAME:
        rule = f"names a folder under runs: at most {LONGEST_NAME} bytes"
        raise UsageError(Problem(rule, "study.name", name, str(path)))
    update = {"name": name, "sampler": sampler, "pruner": pruner, "generation": generation, "storage": storage}
    return spec.model_copy(update={"study": study.model_copy(update=update), "data": data})


def check_option(spec: Spec, key: str, value: Any) -> None:
    """Check a value that is to stand in for one of ``[study]``, by the same rules; `key` is the option's name too."""
    problem = misfit_option(spec, key, value)
    if problem:
        raise UsageError(problem.at(f"--{key} {shortened(str(value))}"))


def misfit_option(spec: Spec, key: str, value: Any) -> Problem | None:
    """What is wrong with a value that is to stand in for one of ``[study]``; where it comes from, its reader knows."""
    try:
        Spec.model_validate(spec.model_dump() | {"study": spec.study.model_dump() | {key: value}})
    except ValidationError as error:
        problem = messages.problems(error, Spec)[0]
        said = problem.key == f"study.{key}"
        return Problem(problem.rule, step=problem.step) if said else problem
    return None


def generation_size(trials: int, sampler: str) -> int:
    """How many trials to ask at once, from 8 to 64: a twentieth of the study; a quarter if the sampler does not learn.

    Larger generations stack better and choose worse: a sampler learns only between them.
    """
    learns = not (sampler in SAMPLERS and issubclass(SAMPLERS[sampler], Planned))
    return min(LARGEST_GENERATION, max(SMALLEST_GENERATION, trials // (20 if learns else 4)))
