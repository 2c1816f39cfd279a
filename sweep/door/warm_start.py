"""A warm start: the best configurations of another run as the first trials of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from sweep.errors import UsageError
from sweep.learning.hyper import Choices, Fixed, Range, contains
from sweep.search.space.entries import written
from sweep.search.space.space import Arm, Space, parameters_of
from sweep.search.study_file.spec import Spec, misfit_option

MOST = 10  # configurations taken over


def started(spec: Spec, trials: pd.DataFrame, run: str) -> tuple[Spec, list[str]]:
    """The study with another run's best configurations as its first trials, and why those were left out that were.

    `trials` is the other run's table, `run` what it is called. The best `MOST` different configurations are looked at.
    One fits if its optimizer and schedule are searched here, by these names, and each of its constants has a value that
    this study may try.

    Raises
    ------
    UsageError
        The other run has no complete trial, or the study takes no given trials.
    """
    complete = trials[trials["state"] == "complete"].sort_values("objective", kind="stable")
    if complete.empty:
        raise UsageError(f"--from {run}: no trial of it is complete: run it first")
    space, start, misfits = spec.space(), [], []
    looked_at = complete.drop_duplicates(["learning_rate", *(c for c in complete if _is_choice(c))])
    for row in looked_at.head(min(MOST, spec.study.trials)).to_dict("records"):
        parameters, problem = _fitted(row, space)
        if problem:
            misfits.append(f"trial {row['number']} of {run} does not fit: {problem}")
        else:
            start.append(parameters)
    _check(spec, start, run)
    return spec.model_copy(update={"study": spec.study.model_copy(update={"start": start})}), misfits


def _check(spec: Spec, start: Sequence[Mapping[str, Any]], run: str) -> None:
    """Raise `UsageError`, without all the configurations in its line, if the study takes none that are given."""
    problem = misfit_option(spec, "start", start)
    if problem:
        raise UsageError(problem.at(f"--from {run}"))


def _is_choice(column: str) -> bool:
    return column.startswith(("optimizer", "schedule"))


def _fitted(row: Mapping[Any, Any], space: Space) -> tuple[dict[str, Any], str]:
    """A row of the table of trials as parameters of a space; or what keeps it from being that."""
    kinds = {"optimizer": row["optimizer"], "schedule": row["schedule"]}
    for kind, name in kinds.items():
        if name not in (space.optimizers if kind == "optimizer" else space.schedules):
            return {}, f"{kind} {name!r} is not searched here"
    given = parameters_of({column: value for column, value in row.items() if not pd.isna(value)})
    found = {kind: given.pop(kind) for kind in kinds}
    for name, search in space.entries(Arm.of(row)).items():
        value = given.pop(name, None)
        if value is None or not contains(search, value):
            return {}, f"{name} = {value}: searched is {written(search)}"
        if not isinstance(search, Fixed):
            found[name] = _as_searched(search, value)
    for name, value in given.items():  # one more element of a list than here
        return {}, f"{name} = {value}: is no parameter of such a trial"
    return found, ""


def _as_searched(search: Choices | Range, value: float) -> float:
    """A number of the table, where all are floats, as the search gives it."""
    if isinstance(search, Choices):
        return next(choice for choice in search.values if choice == value)
    return int(value) if search.integer else value
