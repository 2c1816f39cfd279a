"""The sections of a study file but for ``[search]``: their keys, and the rules that one section holds by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from sweep.errors import Broken, Problem, shortened, unknown
from sweep.learning.network.functions import ACTIVATIONS, INITIAL_WEIGHTS, LOSSES, never_learns
from sweep.learning.network.metrics import LOSS, METRICS, VALIDATION, curve_names
from sweep.search.choosing import optuna_samplers
from sweep.search.choosing.pruners import PRUNERS
from sweep.search.choosing.samplers import SAMPLERS
from sweep.search.study_file.keys import Count, Section, key

LONGEST_NAME = 200  # a file system takes 255, and a folder that is set aside gets a number
LARGEST_PROPOSED = 10_000  # trials a generation: all are in memory at once
SMALLEST_GENERATION, LARGEST_GENERATION = 8, 64
FEW_SAMPLES = {2_000: 3, 5_000: 2}  # up to so many samples a trial is judged on so many splits, unless the study says
_SPLITS = ", ".join(f"{splits} up to {most:,} samples" for most, splits in FEW_SAMPLES.items())
_MADE_TO_FIND = 'mode "optimize" only, and not with the sampler "grid"'


class StudySection(Section):
    """``[study]``: the question, how long to search, and what is to be small.

    A trial is judged on so many `splits` of the data, by `replicates` trainings on each. With `defaults` the first
    trials are the default configurations of the arms. The `objective` is the curve of a metric on the validation part;
    more `metrics` than that, loss and error can be measured beside it.
    """

    name: str = key(
        "", "the name of the run's folder", "moons", unset="that of the file, without its ending",
        rule=f"no slash, printable, at most {LONGEST_NAME} bytes",
    )  # fmt: skip
    question: str = key("", "what the study is to answer; the summary and the report say it", "Which rate is best?")
    mode: Literal["optimize", "compare"] = key(
        "optimize",
        "to find a good configuration, or to judge the arms by as many random configurations each",
        "compare",
    )
    trials: Count = key(256, "how many trials, in total", 100, rule='with mode "compare" a multiple of the arms')
    seed: Annotated[int, Field(ge=0, lt=2**32)] = key(0, "what all that is random follows from", 1)
    sampler: str = key(
        "", "who proposes the trials", "random", unset='"tpe"; with mode "compare" "random"', among=SAMPLERS,
        rule="or one of Optuna's, such as optuna:GPSampler",
    )  # fmt: skip
    pruner: str = key("", "who stops hopeless trials early", "halving", unset='"none"', among=PRUNERS)
    generation: Annotated[int, Field(ge=1, le=LARGEST_PROPOSED)] | None = key(
        None, "how many trials are proposed at once", 16,
        unset="a twentieth of the trials, a quarter where the sampler does not learn; "
        f"from {SMALLEST_GENERATION} to {LARGEST_GENERATION}",
    )  # fmt: skip
    objective: str = key(
        VALIDATION + LOSS, "what judges a trial: the curve of a metric on the validation part", "validation_error",
        among=curve_names(METRICS),
    )  # fmt: skip
    metrics: list[str] = key(
        list, "what else is measured, beside loss, error and the objective", ["balanced_error"], among=METRICS
    )
    at: Literal["last", "best"] = key("last", "the objective after the last epoch, or the lowest of all epochs", "best")
    splits: Annotated[int, Field(ge=1, le=1000)] | None = key(
        None, "on how many splits into training and validation part a trial is judged", 5, unset=f"{_SPLITS}, else 1"
    )
    replicates: Count = key(1, "trainings on each split, each with weights and an order of its own", 2)
    defaults: bool | None = key(
        None, "whether the first trials are the default configurations of the arms", False,
        unset='true with mode "optimize", unless the sampler is "grid"', rule=f"true: {_MADE_TO_FIND}",
    )  # fmt: skip
    effective_rates: bool = key(False, "record, each epoch, quantiles of the parameters' own effective rates", True)
    storage: str = key(
        "", "where Optuna keeps the study: a journal file, relative to this one, or a database's URL",
        "sqlite:///optuna.db", unset="journal.log in the run's folder", rule="printable",
    )  # fmt: skip
    start: list[dict[str, Any]] = key(
        list, "the parameters of the first trials, by the names that the trials of the study have in Optuna",
        [{"optimizer": "sgd", "schedule": "constant", "learning_rate": 0.05}],
        rule=f"each names all that is searched for its arm, and nothing else; {_MADE_TO_FIND}",
    )  # fmt: skip

    @field_validator("objective")
    @classmethod
    def _objective_is_the_curve_of_a_metric(cls, objective: str) -> str:
        curves = curve_names(METRICS)
        if objective not in curves:
            raise Broken(Problem(unknown("objective", objective, curves)))
        return objective

    @field_validator("metrics")
    @classmethod
    def _metrics_are_known(cls, metrics: list[str]) -> list[str]:
        for name in metrics:
            if name not in METRICS:
                raise Broken(Problem(unknown("metric", name, METRICS)))
        return metrics

    @field_validator("name")
    @classmethod
    def _name_is_that_of_a_folder(cls, name: str) -> str:
        if name and (name in (".", "..") or Path(name).name != name):
            raise Broken(Problem(f"{shortened(repr(name))} names a folder under runs: must hold no slash"))
        if not name.isprintable() or len(name.encode()) > LONGEST_NAME:
            rule = f"names a folder under runs: must be printable, at most {LONGEST_NAME} bytes"
            raise Broken(Problem(f"{shortened(repr(name))} {rule}"))
        return name

    @field_validator("storage")
    @classmethod
    def _storage_can_be_written(cls, storage: str) -> str:
        if not storage.isprintable():
            raise Broken(Problem(f"{shortened(repr(storage))} names a file or a database: must be printable"))
        return storage

    @model_validator(mode="after")
    def _sampler_and_pruner_are_known(self) -> StudySection:
        if self.sampler.startswith(optuna_samplers.PREFIX):
            if self.sampler not in optuna_samplers.names():
                raise Broken(Problem(unknown("sampler", self.sampler, optuna_samplers.names()), "sampler"))
        elif self.sampler and self.sampler not in SAMPLERS:
            known = unknown("sampler", self.sampler, SAMPLERS)
            raise Broken(Problem(f"{known}; Optuna's own: {', '.join(optuna_samplers.names())}", "sampler"))
        if self.pruner and self.pruner not in PRUNERS:
            raise Broken(Problem(unknown("pruner", self.pruner, PRUNERS), "pruner"))
        return self

    @model_validator(mode="after")
    def _mode_allows_it(self) -> StudySection:
        if self.mode == "compare":
            judges = 'mode = "compare" judges independent random configurations, each trained to its end'
            for key, fine in (("sampler", "random"), ("pruner", "none")):
                value = getattr(self, key)
                if value not in ("", fine):
                    step = f'leave the {key} out, or use mode = "optimize"'
                    raise Broken(Problem(judges, key, value, step=step))
            for key in ("start", "defaults"):
                if getattr(self, key):
                    raise Broken(Problem(judges, key, step='leave it out, or use mode = "optimize"'))
        for key in ("start", "defaults"):
            if getattr(self, key) and self.sampler == "grid":
                rule = 'the sampler "grid" tries its own combinations only'
                raise Broken(Problem(rule, key, step="use another sampler"))
        return self


class NetworkSection(Section):
    """``[network]``: the network of every trial, and its budget; without `loss` that follows from the target."""

    hidden: list[Count] = key(lambda: [32], "units of each hidden layer; []: a linear model", [64, 32])
    activation: str = key("relu", "of the hidden layers", "tanh", among=ACTIVATIONS)
    loss: str | None = key(
        None, "what the network is to make small", "huber", among=LOSSES, rule="one for the task",
        unset="cross_entropy for classes, squared_error for numbers",
    )  # fmt: skip
    initial_weights: str = key("he", "how the weights begin", "glorot", among=INITIAL_WEIGHTS, rule="zero: hidden = []")
    epochs: Count = key(30, "passes over the training part, in every trial", 10)
    batch_size: Count = key(32, "samples of a minibatch", 64)
    dtype: Literal["float32", "float64"] = key("float32", "the precision of the training", "float64")

    @model_validator(mode="after")
    def _names_are_known(self) -> NetworkSection:
        if self.activation not in ACTIVATIONS:
            raise Broken(Problem(unknown("activation", self.activation, ACTIVATIONS), "activation"))
        if self.loss is not None and self.loss not in LOSSES:
            raise Broken(Problem(unknown("loss", self.loss, LOSSES), "loss"))
        if self.initial_weights not in INITIAL_WEIGHTS:
            rule = unknown("initial weights", self.initial_weights, INITIAL_WEIGHTS)
            raise Broken(Problem(rule, "initial_weights"))
        if rule := never_learns(self.initial_weights, self.hidden):
            raise Broken(Problem(rule, "initial_weights", self.initial_weights))
        return self


class RaceSection(Section):
    """``[race]``: who is trained again, on fresh splits, when the search is over, and for how long.

    The candidates are the best `candidates` configurations of each leading arm, as many arms as are judged in the end,
    and the default of every arm. Each round trains those that are left on so many more splits (`rounds`).
    """

    candidates: Annotated[int, Field(ge=1, le=100)] = key(5, "configurations of each leading arm that take part", 3)
    rounds: Annotated[list[Annotated[int, Field(ge=1, le=1000)]], Field(max_length=10)] = key(
        lambda: [2, 3], "the fresh splits of each round", [3], rule="[]: no race"
    )


class VerdictSection(Section):
    """``[verdict]``: those who are left of the race, trained on fresh seeds and judged by the test part.

    They are the representatives of `arms` arms, with `seeds` seeds each (0: no race and no verdict); a difference below
    `delta`, a share of the leader's mean, is none.
    """

    arms: Annotated[int, Field(ge=1, le=32)] = key(8, "how many leading arms are judged", 4)
    seeds: Annotated[int, Field(ge=0, le=1000)] = key(20, "fresh seeds for each; 0: no race and no verdict", 40)
    delta: Annotated[float, Field(gt=0, le=10)] = key(
        0.05, "a difference below this share of the leader's score is none", 0.02
    )
