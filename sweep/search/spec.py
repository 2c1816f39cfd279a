"""A study file (TOML) becomes a frozen, validated `Spec`; or one line an error, and nothing has run.

The resolved form, `Spec.resolved`, is complete: every default and every range in plain numbers. It is what a run folder
keeps as ``study.toml``, and reading it gives the same `Spec` again.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from sweep.errors import UsageError, unknown
from sweep.learning.configuration import LEARNING_RATE
from sweep.learning.datasets import DATASETS
from sweep.learning.functions import ACTIVATIONS, INITIAL_WEIGHTS
from sweep.learning.hyper import Search
from sweep.learning.optimizers import OPTIMIZERS
from sweep.learning.schedules import SCHEDULES
from sweep.learning.splits import DataSource, named
from sweep.learning.training import Settings
from sweep.parity.conventions import CONVENTIONS
from sweep.search import stock
from sweep.search.entries import Constants, Problems, parse_constants, parse_entry, written
from sweep.search.pruning import PRUNERS
from sweep.search.samplers import SAMPLERS, Planned
from sweep.search.space import Space
from sweep.search.storage import absolute

Count = Annotated[int, Field(ge=1, le=10**9)]  # far from what overflows anywhere
LONGEST_NAME = 200  # a file system takes 255, and a folder that is set aside gets a number
LARGEST_PROPOSED = 10_000  # trials a generation: all are in memory at once
SMALLEST_GENERATION, LARGEST_GENERATION = 8, 64


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class StudySection(_Section):
    """``[study]``: the question, how long to search, and what is to be small."""

    name: str = ""
    question: str = ""
    mode: Literal["optimize", "compare"] = "optimize"
    trials: Count = 256
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    sampler: str = ""
    pruner: str = ""
    generation: Annotated[int, Field(ge=1, le=LARGEST_PROPOSED)] | None = None
    objective: Literal["validation_loss", "validation_error"] = "validation_loss"
    at: Literal["last", "best"] = "last"
    replicates: Count = 1
    effective_rates: bool = False
    storage: str = ""
    start: list[dict[str, Any]] = Field(default_factory=list)

    @field_validator("name")
    @classmethod
    def _name_is_that_of_a_folder(cls, name: str) -> str:
        if name and (name in (".", "..") or Path(name).name != name):
            raise ValueError(f"{name!r} names a folder under runs: must hold no slash")
        if not name.isprintable() or len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"{name!r} names a folder under runs: must be printable, at most {LONGEST_NAME} bytes")
        return name

    @field_validator("storage")
    @classmethod
    def _storage_can_be_written(cls, storage: str) -> str:
        if not storage.isprintable():
            raise ValueError(f"{storage!r} names a file or a database: must be printable")
        return storage

    @model_validator(mode="after")
    def _sampler_and_pruner_are_known(self) -> StudySection:
        if self.sampler.startswith(stock.PREFIX):
            if self.sampler not in stock.names():
                raise ValueError(f"sampler: {unknown('sampler', self.sampler, stock.names())}")
        elif self.sampler and self.sampler not in SAMPLERS:
            known = unknown("sampler", self.sampler, SAMPLERS)
            raise ValueError(f"sampler: {known}; Optuna's own: {', '.join(stock.names())}")
        if self.pruner and self.pruner not in PRUNERS:
            raise ValueError(f"pruner: {unknown('pruner', self.pruner, PRUNERS)}")
        return self

    @model_validator(mode="after")
    def _mode_allows_it(self) -> StudySection:
        if self.mode == "compare":
            judges = 'mode = "compare" judges independent random configurations, each trained to its end'
            for key, fine in (("sampler", "random"), ("pruner", "none")):
                value = getattr(self, key)
                if value not in ("", fine):
                    raise ValueError(f'{key} = {value!r}: {judges}: leave the {key} out, or use mode = "optimize"')
            if self.start:
                raise ValueError(f'start: {judges}: leave it out, or use mode = "optimize"')
        if self.start and self.sampler == "grid":
            raise ValueError('start: the sampler "grid" tries its own combinations only: use another sampler')
        return self


class DataSection(_Section):
    """``[data]``: a data set by name with its arguments, or a file with its target column."""

    name: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    file: str = ""
    target: str = ""
    ignore: list[str] = Field(default_factory=list)
    task: Literal["classification", "regression"] | None = None
    rows: Count | None = None
    validation: Annotated[float, Field(gt=0, lt=1)] = 0.2
    test: Annotated[float, Field(ge=0, lt=1)] = 0.2

    @model_validator(mode="after")
    def _one_source(self) -> DataSection:
        if bool(self.name) == bool(self.file):
            raise ValueError("needs either name (a data set) or file (CSV or Parquet) with target")
        if self.name and self.name not in DATASETS:
            raise ValueError(f"name: {unknown('data set', self.name, DATASETS)}")
        if self.file and not self.target:
            raise ValueError(f"file = {self.file!r} needs target, the name of the column to predict")
        if self.name and (self.target or self.ignore or self.task):
            raise ValueError("target, ignore and task go with file, not with name")
        if self.file and self.arguments:
            raise ValueError("arguments go with name, not with file")
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation + test = {self.validation + self.test:g}: must be below 1, to leave a training part"
            )
        return self


class NetworkSection(_Section):
    """``[network]``: the network of every trial, and its budget."""

    hidden: list[Count] = Field(default_factory=lambda: [32])
    activation: str = "relu"
    initial_weights: str = "he"
    epochs: Count = 30
    batch_size: Count = 32
    dtype: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def _names_are_known(self) -> NetworkSection:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation: {unknown('activation', self.activation, ACTIVATIONS)}")
        if self.initial_weights not in INITIAL_WEIGHTS:
            raise ValueError(f"initial_weights: {unknown('initial weights', self.initial_weights, INITIAL_WEIGHTS)}")
        return self


class SearchSection(_Section):
    """``[search]``: the learning rate, the optimizers, the schedules, and how their constants are narrowed.

    What is not narrowed has the default range, or, under a `convention`, the default of that library.
    """

    convention: str = ""
    learning_rate: Any = None
    optimizers: list[str] = Field(default_factory=lambda: list(OPTIMIZERS), min_length=1)
    schedules: list[str] = Field(default_factory=lambda: list(SCHEDULES), min_length=1)
    optimizer: dict[str, dict[str, Any]] = Field(default_factory=dict)
    schedule: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def kinds(self) -> tuple[tuple[str, list[str], Mapping[str, Any], Mapping[str, type]], ...]:
        """For optimizers and for schedules: the word, those used, how they are narrowed, and those there are."""
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
            raise ValueError(f"convention: {unknown('convention', name, CONVENTIONS)}")
        found = CONVENTIONS[name]
        return {"optimizers": found.has("optimizer"), "schedules": found.has("schedule"), **content}

    def narrowed(self, kind: str, name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What the study file says of an optimizer or a schedule, over what the convention says."""
        if not self.convention:
            return given
        try:
            return CONVENTIONS[self.convention].values(kind, name, given)
        except UsageError as error:
            raise ValueError(f"search.convention = {self.convention!r}: {error}") from error

    @model_validator(mode="after")
    def _kinds_are_known(self) -> SearchSection:
        for kind, used, narrowed, table in self.kinds():
            for key, named_there in ((f"{kind}s", used), (kind, narrowed)):
                for name in named_there:
                    if name not in table:
                        raise ValueError(f"{key}{'.' + name if key == kind else ''}: {unknown(kind, name, table)}")
            if len(set(used)) < len(used):
                raise ValueError(f"{kind}s = {used}: each may be named once")
            for name in narrowed:
                if name not in used:
                    raise ValueError(
                        f"{kind}.{name}: {name!r} is not among {kind}s = {used}: add it there, or remove this table"
                    )
        return self


class VerdictSection(_Section):
    """``[verdict]``: what is trained again, on fresh seeds, when the search is over.

    `arms` leading arms with `seeds` seeds each (0: nothing, and no verdict); a difference below `delta`, a share of the
    leader's mean, is none.
    """

    arms: Annotated[int, Field(ge=1, le=1000)] = 8
    seeds: Annotated[int, Field(ge=0, le=10_000)] = 20
    delta: Annotated[float, Field(gt=0, le=10)] = 0.05


class Spec(_Section):
    """A whole study, validated."""

    study: StudySection = Field(default_factory=StudySection)
    data: DataSection
    network: NetworkSection = Field(default_factory=NetworkSection)
    search: SearchSection = Field(default_factory=SearchSection)
    verdict: VerdictSection = Field(default_factory=VerdictSection)

    @model_validator(mode="after")
    def _search_is_legal(self) -> Spec:
        space = self.space()
        for place, parameters in enumerate(self.study.start, start=1):
            problem = space.misfit(parameters)
            if not problem and parameters in self.study.start[: place - 1]:
                problem = "is there twice"
            if problem:
                raise ValueError(f"study.start, number {place}: {problem}")
        if self.study.pruner not in ("", "none") and not self.rungs():
            raise ValueError(
                f"study.pruner = {self.study.pruner!r}: a training of {self.network.epochs} epochs has no rung to "
                'stop at: train for more epochs, or use "none"'
            )
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
        for kind, used, narrowed, table in search.kinds():
            for name in used:
                with problems.gathered():
                    where = f"search.{kind}.{name}"
                    given = search.narrowed(kind, name, narrowed.get(name, {}))
                    found[kind][name] = parse_constants(where, table[name], given, epochs)
        problems.report()
        return Space(rate, found["optimizer"], found["schedule"])

    def source(self) -> DataSource:
        """Where the data come from."""
        data = self.data
        options: dict[str, Any] = {"rows": data.rows, "validation": data.validation, "test": data.test}
        if data.name:
            return named(data.name, data.arguments, **options)
        return DataSource(file=data.file, target=data.target, ignore=tuple(data.ignore), task=data.task, **options)

    def settings(self) -> Settings:
        """How every trial is trained."""
        n = self.network
        return Settings(
            tuple(n.hidden), n.activation, n.initial_weights, n.dtype, n.epochs, n.batch_size, self.study.replicates,
            self.study.effective_rates,
        )  # fmt: skip

    def resolved(self) -> dict[str, Any]:
        """The complete study as plain data: every default and every range written out."""
        space, whole = self.space(), self.model_dump(exclude_none=True)
        for section in ("study", "data"):
            whole[section] = {key: value for key, value in whole[section].items() if value not in ("", {}, [])}
        whole["search"] = {
            **({"convention": self.search.convention} if self.search.convention else {}),
            "learning_rate": written(space.learning_rate),
            "optimizers": self.search.optimizers,
            "schedules": self.search.schedules,
            "optimizer": {n: {k: written(s) for k, s in c.items()} for n, c in space.optimizers.items() if c},
            "schedule": {n: {k: written(s) for k, s in c.items()} for n, c in space.schedules.items() if c},
        }
        return whole


def read(path: Path) -> Spec:
    """Read a study file and validate it as a whole.

    Raises
    ------
    UsageError
        One line for each thing that is wrong: file, key, value, rule.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # some editors begin a file with a mark
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such study file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: not valid TOML: nested too deeply") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    return complete(content, path)


def complete(content: Mapping[str, Any], path: Path) -> Spec:
    """Validate plain data as a study; fill in what follows from the file: its name, sampler and generation size."""
    try:
        spec = Spec.model_validate(content)
    except ValidationError as error:
        raise UsageError("\n".join(_line(path, e) for e in error.errors(include_url=False))) from error
    study, data = spec.study, spec.data
    if data.file:
        data = data.model_copy(update={"file": str(path.parent.absolute() / data.file)})
    storage = absolute(study.storage, path.parent) if study.storage else ""
    sampler = study.sampler or ("random" if study.mode == "compare" else "tpe")
    pruner = study.pruner or "none"
    generation = study.generation or generation_size(study.trials, sampler)
    update = {
        "name": study.name or path.stem, "sampler": sampler, "pruner": pruner, "generation": generation,
        "storage": storage,
    }  # fmt: skip
    return spec.model_copy(update={"study": study.model_copy(update=update), "data": data})


def check_option(spec: Spec, key: str, value: Any) -> None:
    """Check a value that is to stand in for one of ``[study]``, by the same rules; `key` is the option's name too."""
    try:
        study = StudySection.model_validate(spec.study.model_dump() | {key: value})
        Spec.model_validate(spec.model_dump() | {"study": study.model_dump()})
    except ValidationError as error:
        rule = _rule(error.errors(include_url=False)[0])
        for said in (f"{key}: ", f"study.{key} = {value!r}: "):
            rule = rule.removeprefix(said)
        raise UsageError(f"--{key} {value}: {rule}") from error


def generation_size(trials: int, sampler: str) -> int:
    """How many trials to ask at once, from 8 to 64: a twentieth of the study; a quarter if the sampler does not learn.

    Larger generations stack better and choose worse: a sampler learns only between them.
    """
    learns = not (sampler in SAMPLERS and issubclass(SAMPLERS[sampler], Planned))
    return min(LARGEST_GENERATION, max(SMALLEST_GENERATION, trials // (20 if learns else 4)))


def _line(path: Path, error: Any) -> str:
    """One of pydantic's errors in our words: file, key, value, rule."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{path}: {key}: {unknown('key', str(error['loc'][-1]), _keys(error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{path}: {key}: is needed and not there"
    if error["type"] == "value_error":  # one of ours: it says where in the section, unless it is about the whole of it
        rule = _rule(error)
        inside = re.match(r"\w+", rule)
        sections = _keys(error["loc"]) if len(error["loc"]) == 1 else ()
        within = inside is not None and inside[0] in sections and rule[inside.end()] in ".: "
        start = f"{key}{'.' if within else ': '}" if key else ""
        return "\n".join(f"{path}: {start}{line}" for line in rule.splitlines())
    return f"{path}: {key} = {error['input']!r}: {_rule(error)}"


def _rule(error: Any) -> str:
    """The rule that was broken, without pydantic's turns of phrase."""
    text: str = error["msg"]
    text = text.removeprefix("Value error, ").replace("Input should", "must")
    return re.sub(r"a valid dictionary.*", "a table: [section] or {key = value}", text)


def _keys(location: tuple[Any, ...]) -> list[str]:
    """The keys that a section may have."""
    section: Any = Spec
    for part in location:
        section = section.model_fields[part].annotation
    return list(section.model_fields)
