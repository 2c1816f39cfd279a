"""Training a recorded trial once more: to see whether it reproduces, or to keep it as an estimator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sweep.door.result import Result, configuration_of
from sweep.errors import CheckFailed, DataError, UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.splits import prepare, split_off_test
from sweep.learning.training.loop import train
from sweep.results import provenance
from sweep.results.tables.files import replacing
from sweep.results.tables.tables import curves_of


def check_data(result: Result) -> None:
    """Raise `DataError` if the data are not those of the run any more.

    A file is known by its bytes; a data set that has a name, and the file of an older run, by the prepared values.
    """
    spec, recipe = result.spec, result.answer.recipe
    if changed := provenance.changed(recipe, spec.data.file):
        raise DataError(f"{changed.evidence}: {changed.advice}")
    known = recipe.get("data", {})
    if not known.get("fingerprint") or known.get("file"):
        return
    now = prepare(spec.source(), spec.study.seed, spec.splits).fingerprint
    if now != known["fingerprint"]:
        raise DataError(
            f"{result.folder}: the data have changed since this run: {spec.source().label} had the fingerprint "
            f"{known['fingerprint']}, now {now}: bring back the old data (of a data set with a name: the version of "
            "scikit-learn in recipe.json), or run the study again with --fresh"
        )


@dataclass(frozen=True, slots=True)
class Rerun:
    """Whether a trial reproduced: bit for bit, and if not, the largest relative difference of a validation loss."""

    study: str
    number: int
    reproduced: bool
    epochs: int
    largest_relative_difference: float | None

    def sentence(self) -> str:
        """The outcome in words."""
        if self.reproduced:
            return f"trial {self.number} of {self.study}: reproduced bit for bit, alone, over {self.epochs} epochs"
        if self.largest_relative_difference is None:
            return f"trial {self.number} of {self.study}: NOT reproduced: it stopped at another epoch"
        return (
            f"trial {self.number} of {self.study}: NOT reproduced: validation loss differs up to "
            f"{self.largest_relative_difference:.1e} (relative); other processors or libraries round differently"
        )


def rerun(result: Result, number: int) -> Rerun:
    """Train one finished trial again, alone, and compare its curves with the recorded ones.

    Of a trial that was pruned these end at its rung.

    Raises
    ------
    DataError
        The data are not those of the run any more.
    """
    configuration = _configuration(result, number)
    check_data(result)
    spec = result.spec
    data = prepare(spec.source(), spec.study.seed, spec.splits)
    now = curves_of(train([configuration], data, spec.settings(), spec.study.seed))
    before = result.curves[result.curves["number"] == number].reset_index(drop=True)
    if (result.trials.loc[result.trials["number"] == number, "state"] == "pruned").all():
        now = now[now["epoch"] <= before["epoch"].max()].reset_index(drop=True)
    same_length = len(now) == len(before)
    equal = same_length and all(np.array_equal(now[c], before[c], equal_nan=True) for c in spec.settings().curves)
    largest = _largest_difference(now, before) if same_length else None
    return Rerun(spec.study.name, number, equal, int(before["epoch"].max()), largest)


def _largest_difference(now: pd.DataFrame, before: pd.DataFrame) -> float:
    difference = (now["validation_loss"] - before["validation_loss"]).abs() / before["validation_loss"].abs()
    return float(difference.replace(np.inf, np.nan).max(skipna=True))


def _configuration(result: Result, number: int) -> Configuration:
    row = result.trials[result.trials["number"] == number]
    if row.empty:
        raise UsageError(f"trial {number}: {result.folder} has trials 0 to {len(result.trials) - 1}")
    if row["state"].iloc[0] == "running":
        raise UsageError(f"trial {number} of {result.folder} is not finished: run the study to its end first")
    return configuration_of(row.iloc[0].dropna().to_dict(), result.spec)


@dataclass(frozen=True, slots=True)
class Saved:
    """An estimator in a file."""

    file: str
    trial: int | None
    samples: int

    def sentence(self) -> str:
        """The outcome in words, with the line that loads it."""
        what = "the recommended default settings" if self.trial is None else f"trial {self.trial}"
        return (
            f"{self.file}: {what}, trained on {self.samples} samples (all but the test part)\n"
            f'load it with: joblib.load("{self.file}").predict(X)'
        )


def fit(result: Result, output: Path, number: int | None = None) -> Saved:
    """Train a trial's configuration (the chosen one, if no number is given) on all data but the test part; save it."""
    import joblib

    from sweep.learning.estimators import NetworkClassifier, NetworkRegressor

    chosen = result.configuration if number is None else _configuration(result, number)
    check_data(result)
    trial = result.chosen.get("number") if number is None else number
    spec, settings = result.spec, result.spec.settings()
    table = split_off_test(spec.source(), spec.study.seed)
    kind = NetworkClassifier if table.task == "classification" else NetworkRegressor
    estimator = kind(
        chosen,
        hidden=settings.hidden,
        activation=settings.activation,
        loss=settings.loss,
        initial_weights=settings.initial_weights,
        dtype=settings.dtype,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        scale=spec.data.scale,
        validation=0.0,
        seed=spec.study.seed,
        class_weight=spec.network.class_weight,
    ).fit_table(table)
    if estimator.diverged_:
        what = "the recommended default" if trial is None else f"trial {trial}"
        raise CheckFailed(
            f"{what} of {result.folder}: diverged when it was trained on {len(table.target)} samples: nothing "
            "is saved; choose a trial with a lower learning rate: --trial NUMBER"
        )
    try:
        with replacing(output) as beside:
            joblib.dump(estimator, beside)
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror}: choose another place") from error
    return Saved(str(output), None if trial is None else int(trial), len(table.target))
