"""The sections of a study file but for ``[search]``: their keys, and the rules that one section holds by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sweep.errors import unknown
from sweep.learning.data.datasets import DATASETS
from sweep.learning.network.functions import ACTIVATIONS, INITIAL_WEIGHTS, LOSSES, never_learns
from sweep.search.choosing import optuna_samplers
from sweep.search.choosing.pruners import PRUNERS
from sweep.search.choosing.samplers import SAMPLERS

Count = Annotated[int, Field(ge=1, le=10**9)]  # far from what overflows anywhere
LONGEST_NAME = 200  # a file system takes 255, and a folder that is set aside gets a number
LARGEST_PROPOSED = 10_000  # trials a generation: all are in memory at once


class Section(BaseModel):
    """A table of a study file: no key but those declared, and each of the declared type."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class StudySection(Section):
    """``[study]``: the question, how long to search, and what is to be small.

    A trial is judged on so many `splits` of the data, by `replicates` trainings on each. With `defaults` the first
    trials are the default configurations of the arms.
    """

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
    splits: Annotated[int, Field(ge=1, le=1000)] | None = None
    replicates: Count = 1
    defaults: bool | None = None
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
        if self.sampler.startswith(optuna_samplers.PREFIX):
            if self.sampler not in optuna_samplers.names():
                raise ValueError(f"sampler: {unknown('sampler', self.sampler, optuna_samplers.names())}")
        elif self.sampler and self.sampler not in SAMPLERS:
            known = unknown("sampler", self.sampler, SAMPLERS)
            raise ValueError(f"sampler: {known}; Optuna's own: {', '.join(optuna_samplers.names())}")
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
            for key in ("start", "defaults"):
                if getattr(self, key):
                    raise ValueError(f'{key}: {judges}: leave it out, or use mode = "optimize"')
        for key in ("start", "defaults"):
            if getattr(self, key) and self.sampler == "grid":
                raise ValueError(f'{key}: the sampler "grid" tries its own combinations only: use another sampler')
        return self


class DataSection(Section):
    """``[data]``: a data set by name with its arguments, or a file with its target column."""

    name: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    file: str = ""
    target: str = ""
    ignore: list[str] = Field(default_factory=list)
    task: Literal["classification", "regression"] | None = None
    rows: Count | None = None
    scale: bool = True
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


class NetworkSection(Section):
    """``[network]``: the network of every trial, and its budget; without `loss` that follows from the target."""

    hidden: list[Count] = Field(default_factory=lambda: [32])
    activation: str = "relu"
    loss: str | None = None
    initial_weights: str = "he"
    epochs: Count = 30
    batch_size: Count = 32
    dtype: Literal["float32", "float64"] = "float32"

    @model_validator(mode="after")
    def _names_are_known(self) -> NetworkSection:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation: {unknown('activation', self.activation, ACTIVATIONS)}")
        if self.loss is not None and self.loss not in LOSSES:
            raise ValueError(f"loss: {unknown('loss', self.loss, LOSSES)}")
        if self.initial_weights not in INITIAL_WEIGHTS:
            raise ValueError(f"initial_weights: {unknown('initial weights', self.initial_weights, INITIAL_WEIGHTS)}")
        if problem := never_learns(self.initial_weights, self.hidden):
            raise ValueError(problem)
        return self


class RaceSection(Section):
    """``[race]``: who is trained again, on fresh splits, when the search is over, and for how long.

    The candidates are the best `candidates` configurations of each leading arm, as many arms as are judged in the end,
    and the default of every arm. Each round trains those that are left on so many more splits (`rounds`).
    """

    candidates: Annotated[int, Field(ge=1, le=100)] = 5
    rounds: list[Annotated[int, Field(ge=1, le=1000)]] = Field(default_factory=lambda: [2, 3], max_length=10)


class VerdictSection(Section):
    """``[verdict]``: those who are left of the race, trained on fresh seeds and judged by the test part.

    They are the representatives of `arms` arms, with `seeds` seeds each (0: no race and no verdict); a difference below
    `delta`, a share of the leader's mean, is none.
    """

    arms: Annotated[int, Field(ge=1, le=32)] = 8
    seeds: Annotated[int, Field(ge=0, le=1000)] = 20
    delta: Annotated[float, Field(gt=0, le=10)] = 0.05
