"""The problems of the bench of answers: ten data sets, each with a network and a budget, and a part that nobody sees.

Two kinds. On the *small* ones the default settings are good, and what a search can lose is more than it can win. On the
others the defaults are *off*: few epochs, larger networks, ill-conditioned inputs, thousands of rows, many wrong
labels. A search that never tunes does well on the first, one that trusts its luck on the second.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sweep.learning.data.datasets import load_named
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import split
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array
from sweep.learning.seeds import integer_seed
from sweep.search.study_file.spec import Spec, complete

Kind = Literal["small", "off"]
HOLDOUT = 0.3  # of the samples
OUTER = 1_000_000  # of the streams of splits the one that makes the holdout part
TARGET = "target"
SCHEDULES = ["constant", "step", "exponential", "inverse_time", "piecewise", "plateau", "linear", "cosine"]
ILL_INPUTS = 20
ILL_DECADES = 1.5  # between the widest and the narrowest direction of the ill-conditioned inputs


@dataclass(frozen=True)
class DataSet:
    """Samples, and the network that is to learn them."""

    kind: Kind
    table: Callable[[], Table]
    hidden: tuple[int, ...]
    epochs: int
    batch: int


def _named(name: str, **arguments: Any) -> Callable[[], Table]:
    return functools.partial(load_named, name, arguments)


def _blobs(samples: int, informative: int, wrong: float, classes: int, state: int) -> Callable[[], Table]:
    """Classes that overlap, a share of them relabelled at random."""
    return _named(
        "make_classification", n_samples=samples, n_features=20, n_informative=informative, n_redundant=2,
        n_classes=classes, n_clusters_per_class=2, flip_y=wrong, class_sep=0.8, random_state=state,
    )  # fmt: skip


def _ill_conditioned(samples: int = 2500) -> Table:
    """Regression on directions that hardly vary; standardising each input by itself does not help."""
    random = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(random.normal(size=(ILL_INPUTS, ILL_INPUTS)))
    hidden = random.normal(size=(samples, ILL_INPUTS))
    inputs = hidden @ np.diag(np.logspace(0, -ILL_DECADES, ILL_INPUTS)) @ rotation
    target = hidden[:, 10] + hidden[:, 15] * hidden[:, 3] + 0.5 * np.sin(2 * hidden[:, 12])
    return Table(inputs, target + 0.1 * random.normal(size=samples), "regression")


SETS: dict[str, DataSet] = {
    "digits": DataSet("small", _named("digits"), (32,), 30, 32),
    "breast_cancer": DataSet("small", _named("breast_cancer"), (16,), 30, 32),
    "wine": DataSet("small", _named("wine"), (16,), 40, 32),
    "diabetes": DataSet("small", _named("diabetes"), (16,), 40, 32),
    "moons": DataSet("small", _named("make_moons", n_samples=400, noise=0.3), (32,), 40, 32),
    "short_digits": DataSet("off", _named("digits"), (128,), 3, 64),
    "large_blobs": DataSet("off", _blobs(5000, 10, 0.05, 3, 0), (64, 64), 6, 128),
    "large_friedman": DataSet("off", _named("make_friedman1", n_samples=6000, n_features=10), (64,), 6, 64),
    "ill_conditioned": DataSet("off", _ill_conditioned, (64,), 10, 64),
    "noisy_blobs": DataSet("off", _blobs(1000, 6, 0.1, 2, 3), (32,), 30, 32),
}


@dataclass(frozen=True)
class Problem:
    """One study to be made: a data set and a study seed, which also decides what is held out.

    Attributes
    ----------
    inside : Table
        What the contenders are given.
    outside : Table
        The holdout part: nobody's choice has seen it.
    """

    name: str
    seed: int
    inside: Table
    outside: Table

    @classmethod
    def of(cls, name: str, seed: int) -> Problem:
        """Load a data set and hold a part out, the classes in proportion."""
        from sklearn.model_selection import train_test_split

        table = SETS[name].table()
        rest, taken = train_test_split(
            np.arange(len(table.target)), test_size=HOLDOUT, random_state=integer_seed(seed, "split", OUTER),
            stratify=table.target if table.task == "classification" else None,
        )  # fmt: skip
        return cls(name, seed, *(Table(table.features[part], table.target[part], table.task) for part in (rest, taken)))

    @property
    def set(self) -> DataSet:
        """The data set."""
        return SETS[self.name]

    def write(self, file: Path) -> None:
        """Write what the contenders are given, as a table."""
        import pandas as pd

        features = np.asarray(self.inside.features)
        columns = {f"x{place}": column for place, column in enumerate(features.T)}
        pd.DataFrame(columns | {TARGET: self.inside.target}).to_parquet(file)

    def study(self, file: Path, trainings: int, epochs: int | None, **keys: Any) -> dict[str, Any]:
        """The content of a study of all arms over a file with these samples.

        Parameters
        ----------
        trainings : int
            Networks trained in the search: the trials, times the splits that each is judged on.
        epochs : int, optional
            In place of the data set's own.
        keys
            More keys of the section ``[study]``.
        """
        source = {"file": str(file), "target": TARGET, "task": self.inside.task}
        network = {"hidden": list(self.set.hidden), "batch_size": self.set.batch, "epochs": epochs or self.set.epochs}
        content = {
            "study": {"seed": self.seed, **keys}, "data": source, "network": network,
            "search": {"schedules": SCHEDULES},
        }  # fmt: skip
        splits = self.spec(content).splits
        return content | {"study": {**content["study"], "trials": -(-trainings // splits)}}

    def spec(self, content: dict[str, Any]) -> Spec:
        """The study, with as many splits as suit these samples."""
        return complete(content, Path("answer")).suited(len(self.inside.target))

    def split(self, seed: int) -> Data:
        """The samples inside, divided into training and validation part; the holdout part is the test part."""
        source = DataSource(name=self.name, test=0.0)
        data = split(self.inside, source, seed)
        inputs = np.asarray(data.encoder.transform(self.outside.features), dtype=float)
        return Data(
            data.task, data.train, data.validation, Part(inputs, self._targets(data)), data.classes, data.encoder,
            data.scaler, data.fingerprint,
        )  # fmt: skip

    def _targets(self, data: Data) -> Array:
        """The targets of the holdout part as the networks have them."""
        if data.task == "classification":
            return np.asarray(self.outside.target[:, None] == data.classes, dtype=float)
        return np.asarray(data.scaler.transform(self.outside.target.reshape(-1, 1).astype(float)))
