"""Who recommends what: this version, the rules before it, no search at all, and what people do without us.

Each contender is given the samples inside and a study seed, and names one configuration (or constants of scikit-learn's
MLP). What it has spent is processor time of one core.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import tomli_w

from sweep.bench.answer import truth
from sweep.bench.answer.sets import Problem
from sweep.bench.whole import complain, started
from sweep.learning.configuration import Configuration
from sweep.learning.data.splits import prepare
from sweep.learning.hyper import Array
from sweep.learning.seeds import integer_seed
from sweep.results.tables import tables
from sweep.search.running.finalists import DEFAULT, Finalist, Stage, train
from sweep.search.running.workers import Serial
from sweep.search.space.defaults import default
from sweep.search.space.space import Arm, parameters_of
from sweep.search.study_file.spec import Spec, read

OURS = "this version"
RULE = "previous rule, same search"
PREVIOUS = "previous version"
BEST_DEFAULT = "best default by six seeds"
ADAM = "Adam's default"
TPE = "Optuna's TPE, scikit-learn"
SKLEARN = "scikit-learn's default"
CONTENDERS = (OURS, RULE, PREVIOUS, BEST_DEFAULT, ADAM, TPE, SKLEARN)
ARMS, SEEDS = 8, 20  # that the previous rule judges, and how often each
DEFAULT_SEEDS = 6
FIRST = 1_000  # of the splits on which the defaults are tried: beyond those of any race


@dataclass(frozen=True)
class Plan:
    """How much is done.

    Attributes
    ----------
    sets : tuple of str
        Names of `SETS`.
    seeds : int
        Studies of each.
    truths : int
        New seeds that judge a choice.
    trainings : int
        Networks trained in a search.
    epochs : int or None
        In place of the data sets' own.
    """

    sets: tuple[str, ...]
    seeds: int
    truths: int
    trainings: int = 512
    epochs: int | None = None


@dataclass(frozen=True)
class Outcome:
    """A contender's choice in one study: in words, what is true of it, and the processor seconds it took."""

    contender: str
    data: str
    seed: int
    choice: str
    loss: float
    error: float
    diverged: float
    seconds: float


@dataclass(frozen=True)
class Run:
    """A study that has been run as a user runs it; `chosen` is the row of what is recommended."""

    spec: Spec
    trials: pd.DataFrame
    chosen: Mapping[str, Any]
    seconds: float

    def configuration(self, row: Mapping[str, Any]) -> Configuration:
        """The configuration in a row of the table of trials."""
        there = {str(name): value for name, value in row.items() if not pd.isna(value)}
        return self.spec.space().configuration(parameters_of(there))


Choice = tuple[Configuration | Mapping[str, Any], float]  # what is chosen, and in how many seconds


def compete(problem: Problem, plan: Plan, folder: Path) -> list[Outcome]:
    """Let all contenders choose, and find out what is true of their choices; the folder is for their files."""
    choices = dict(_choices(problem, plan, folder))
    spec = problem.spec(problem.study(folder / "answer.parquet", plan.trainings, plan.epochs))
    ours = [(name, use) for name, (use, _) in choices.items() if isinstance(use, Configuration)]
    together = truth.of_configurations(problem, spec, [use for _, use in ours], plan.truths)
    found = dict(zip([name for name, _ in ours], together, strict=True))
    outcomes = []
    for name, (use, seconds) in choices.items():
        if isinstance(use, Configuration):
            true, words = found[name], f"{use.arm}, {use.learning_rate:.4g}"
        else:
            true = truth.of_model(problem, spec.network.epochs, use, plan.truths)
            words = ", ".join(f"{key} {value}" for key, value in use.items())
        outcomes.append(Outcome(name, problem.name, problem.seed, words, true.loss, true.error, true.diverged, seconds))
    return outcomes


def _choices(problem: Problem, plan: Plan, folder: Path) -> Iterator[tuple[str, Choice]]:
    """Each contender with its choice, in the order of `CONTENDERS`."""
    ours = run(problem, plan, folder, "ours")
    yield OURS, (ours.configuration(ours.chosen), ours.seconds)
    yield RULE, leader(ours)
    before = {"splits": 1, "defaults": False}
    yield PREVIOUS, leader(run(problem, plan, folder, "previous", verdict={"seeds": 0}, **before))
    yield BEST_DEFAULT, best_default(ours.spec)
    yield ADAM, (default(ours.spec.space(), Arm("adam", "constant")), 0.0)
    yield TPE, searched(problem, ours.spec.network.epochs, ours.seconds)
    yield SKLEARN, ({}, 0.0)


def run(
    problem: Problem, plan: Plan, folder: Path, name: str, verdict: Mapping[str, Any] | None = None, **keys: Any
) -> Run:
    """Run a study in a process of its own, on one core; `verdict` and `keys` are what it has in its sections."""
    file = folder / "answer.parquet"
    problem.write(file)
    content = problem.study(file, plan.trainings, plan.epochs, name=name, **keys)
    (folder / f"{name}.toml").write_text(tomli_w.dumps(content | ({"verdict": verdict} if verdict else {})))
    arguments = ("run", f"{name}.toml", "--runs", "runs", "--backend", "serial", "--json", "--quiet", "--fresh")
    before = _seconds_of_children()
    with started(*arguments, folder=str(folder)) as process:
        out, said = process.communicate()
    complain(process, arguments, said)
    seconds = _seconds_of_children() - before
    kept = folder / "runs" / name
    return Run(read(kept / "study.toml"), tables.read(kept, "trials"), json.loads(out)["chosen"], seconds)


def _seconds_of_children() -> float:
    """Processor time of the processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def leader(ran: Run) -> Choice:
    """What the previous version recommended: of the best trials of the leading arms the best on the test part.

    Its seconds are those of the whole run and of its own trainings, so they are a little too many: a search by itself
    is a part of a run that also held a race.
    """
    begun = time.process_time()
    done = ran.trials[ran.trials["state"] == "complete"].sort_values(["objective", "number"])
    best = done.drop_duplicates(["optimizer", "schedule"]).head(ARMS).to_dict("records")
    finalists = [Finalist(Arm.of(row), int(row["number"]), ran.configuration(row)) for row in best]
    scores = mean_scores(ran.spec, finalists, range(SEEDS), "finalists")
    return finalists[int(scores.argmin())].configuration, ran.seconds + time.process_time() - begun


def best_default(spec: Spec) -> Choice:
    """Of the defaults of all arms the best on a few fresh splits."""
    begun = time.process_time()
    space = spec.space()
    finalists = [Finalist(arm, DEFAULT, default(space, arm)) for arm in space.arms]
    scores = mean_scores(spec, finalists, range(FIRST, FIRST + DEFAULT_SEEDS), "race")
    return finalists[int(scores.argmin())].configuration, time.process_time() - begun


def mean_scores(spec: Spec, finalists: Sequence[Finalist], replicates: Sequence[int], stage: Stage) -> Array:
    """The mean score of each, shape ``(finalists,)``: by the test part, or in a race by fresh validation parts."""
    rows = spec.settings().population(prepare(spec.source(), spec.study.seed))
    pool = Serial(1, None, warnings.warn)
    trained = train(spec, pool, dict.fromkeys(replicates, finalists), lambda: False, rows, stage)
    found = [score.score for scores in trained for score in scores]
    return np.asarray(np.reshape(found, (len(replicates), len(finalists))).mean(axis=0))


def searched(problem: Problem, epochs: int, seconds: float) -> Choice:
    """What stock Optuna finds for scikit-learn's MLP in so many processor seconds, judged by one validation part."""
    begun = time.process_time()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=integer_seed(problem.seed, "sampler")))
    data = problem.split(problem.seed)
    while not study.trials or time.process_time() - begun < seconds:
        trial = study.ask()
        constants = _suggested(trial)
        loss, _, _ = truth.fitted(problem, data, data.validation, epochs, constants, problem.seed)
        trial.set_user_attr("constants", constants)
        study.tell(trial, loss)
    return dict(study.best_trial.user_attrs["constants"]), time.process_time() - begun


def _suggested(trial: optuna.Trial) -> dict[str, Any]:
    """Constants of scikit-learn's MLP, those of the chosen solver."""
    constants: dict[str, Any] = {
        "solver": trial.suggest_categorical("solver", ("adam", "sgd")),
        "learning_rate_init": trial.suggest_float("learning_rate_init", 1e-4, 1.0, log=True),
        "alpha": trial.suggest_float("alpha", 1e-6, 0.1, log=True),
    }
    if constants["solver"] == "sgd":
        schedules = ("constant", "invscaling", "adaptive")
        constants["learning_rate"] = trial.suggest_categorical("learning_rate", schedules)
        constants["momentum"] = trial.suggest_float("momentum", 0.0, 0.99)
    else:
        constants["beta_2"] = trial.suggest_float("beta_2", 0.9, 0.9999)
        constants["epsilon"] = trial.suggest_float("epsilon", 1e-10, 1e-4, log=True)
    return constants
