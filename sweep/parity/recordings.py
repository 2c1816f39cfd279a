"""Trainings and learning rates recorded from the official libraries: the format, and reading it.

Three JSON files, as they come or compressed (``.xz``): ``problems.json`` (data, minibatches, initial parameters),
``runs.json`` (settings, loss per iteration, final parameters) and ``schedules.json`` (learning rates). The set that
travels with the package was recorded from PyTorch 2.13, TensorFlow 2.21 (its version 1 interface and the two old
generations of Keras in it), Keras 3.15, Optax 0.2.8 and scikit-learn 1.9.
"""

from __future__ import annotations

import json
import lzma
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from sweep.errors import DataError
from sweep.learning.hyper import Array

FILES = ("problems.json", "runs.json", "schedules.json")


def _numbers(value: Any) -> Array:
    """A list of numbers, of any depth but rectangular."""
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("must be numbers, in lists of equal length") from error


Numbers = Annotated[Array, PlainValidator(_numbers)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class Problem(_Record):
    """A classification problem and a network for it.

    Attributes
    ----------
    x : array, shape (samples, inputs)
    y : array, shape (samples,)
        Class numbers from 0.
    order : array, shape (iterations, batch)
        Which samples each minibatch has.
    params : list of arrays
        The initial weights, ``(inputs, outputs)``, and biases of each layer in turn.
    """

    activation: Literal["tanh", "relu"]
    x: Numbers
    y: Numbers
    order: Numbers
    params: list[Numbers]

    @model_validator(mode="after")
    def _fits(self) -> Problem:
        if self.x.ndim != 2 or self.y.shape != self.x.shape[:1]:
            raise ValueError(f"x {self.x.shape} and y {self.y.shape}: must be (samples, inputs) and (samples,)")
        if self.order.ndim != 2 or not 0 <= self.order.min() <= self.order.max() < len(self.x):
            raise ValueError(f"order {self.order.shape}: must be (iterations, batch) of rows of x")
        shapes = [p.shape for p in self.params]
        sizes = [self.x.shape[1], *(len(bias) for bias in self.params[1::2])]
        wanted = [s for i, o in pairwise(sizes) for s in ((i, o), (o,))]
        if not shapes or shapes != wanted:
            raise ValueError(f"params: shapes {shapes} are not those of layers of {sizes} units")
        if not 0 <= self.y.min() <= self.y.max() < sizes[-1]:
            raise ValueError(f"y: must be class numbers from 0 to {sizes[-1] - 1}")
        return self

    @property
    def hidden(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return tuple(len(bias) for bias in self.params[1:-1:2])

    @property
    def classes(self) -> int:
        """Number of outputs."""
        return len(self.params[-1])

    @property
    def minibatches(self) -> Array:
        """The order as indices, shape ``(iterations, batch)``."""
        return self.order.astype(int)

    @property
    def targets(self) -> Array:
        """The classes one-hot, shape ``(samples, classes)``."""
        return np.asarray(np.eye(self.classes)[self.y.astype(int)])

    @property
    def initial(self) -> Array:
        """All initial parameters, flat, each layer's weights row by row, then its biases."""
        return np.concatenate([p.ravel() for p in self.params])


class Knobs(_Record):
    """An optimizer's setting in library-neutral words; what is left out is neutral."""

    model_config = ConfigDict(extra="forbid")

    rule: Literal["sgd", "adagrad", "rmsprop"]
    rho: float = 0.9
    cache_init: float = 0.0
    eps: float = 0.0
    eps_inside_sqrt: bool = False
    centered: bool = False
    bias_correction: bool = False
    momentum: float = 0.0
    nesterov: bool = False
    lr_in_velocity: bool = True
    dampening: float = 0.0
    lr_decay: float = 0.0
    weight_decay: float = 0.0
    weight_decay_mode: Literal["l2", "decoupled"] = "l2"
    weight_decay_biases: bool = True
    weight_decay_over_batch: bool = False


class Run(_Record):
    """One recorded training; `schedule` in library-neutral words, see `sweep.parity.words`."""

    id: str
    library: str
    problem: str
    dtype: Literal["float64", "float32"]
    knobs: Knobs
    schedule: dict[str, Any]
    loss: Numbers
    final: Numbers
    lr: Numbers | None = None
    loss_includes_l2: bool = False
    order: Literal["sequential"] | None = None
    epochs: int | None = Field(default=None, ge=1)

    @property
    def iterations(self) -> int:
        """How many losses were recorded: of minibatches, or of epochs when the order is sequential."""
        return len(self.loss)


class Rates(_Record):
    """One recorded sequence of learning rates: at t = 0, 1, 2, ..."""

    id: str
    library: str
    dtype: Literal["float64", "float32"]
    schedule: dict[str, Any]
    lr: Numbers


class Recordings(_Record):
    """A whole set; `metrics` are the losses shown to the schedules that watch one, an epoch each."""

    problems: dict[str, Problem] = {}
    runs: list[Run] = []
    metrics: Numbers = np.empty(0)
    schedules: list[Rates] = []

    @model_validator(mode="after")
    def _runs_fit_their_problems(self) -> Recordings:
        for run in self.runs:
            if run.problem not in self.problems:
                raise ValueError(f"runs: {run.id}: its problem {run.problem!r} is not among {sorted(self.problems)}")
            problem = self.problems[run.problem]
            wanted = (run.epochs or run.iterations) if run.order else len(problem.order)
            if run.loss.shape != (wanted,) or (run.lr is not None and run.lr.shape != (wanted,)):
                raise ValueError(f"runs: {run.id}: must have {wanted} losses (and rates), one an iteration or epoch")
            if run.final.shape != problem.initial.shape:
                raise ValueError(f"runs: {run.id}: final must have {problem.initial.size} parameters")
        for rates in self.schedules:
            if rates.schedule.get("kind") == "plateau" and len(self.metrics) < len(rates.lr):
                raise ValueError(f"schedules: {rates.id}: needs {len(rates.lr)} metrics, there are {len(self.metrics)}")
        return self


def load(folder: Path | None = None) -> Recordings:
    """Read a set: from a folder, or the one that travels with the package.

    Raises
    ------
    DataError
        There is none in the folder, or it is not in the format: file, place, value, rule.
    """
    where = folder or files("sweep.parity") / "golden"
    content: dict[str, Any] = {}
    for name in FILES:
        found = _read(where, name)
        if found is not None:
            content |= {"problems": found} if name == "problems.json" else found
    if not content:
        raise DataError(f"{where}: holds none of {', '.join(FILES)} (or the same with .xz): give a folder that does")
    known = {key: value for key, value in content.items() if key in Recordings.model_fields}
    try:
        return Recordings.model_validate(known)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"{where}: {place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}"
        ) from error


def _read(where: Any, name: str) -> Any:
    """One file's content, plain or compressed; None if there is neither."""
    for suffix, unpack in (("", bytes), (".xz", lzma.decompress)):
        file = where / (name + suffix)
        if file.is_file():
            try:
                found = json.loads(unpack(file.read_bytes()))
            except (ValueError, lzma.LZMAError, OSError) as error:
                raise DataError(f"{file}: cannot be read as JSON: {error}") from error
            if not isinstance(found, dict):
                raise DataError(f"{file}: must be one JSON object")
            return found
    return None
