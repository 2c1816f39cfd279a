"""What the search finds: the best validation loss after so many trials, and after so much time, beside Optuna's TPE.

Real training on three data sets, some study seeds each. A seed decides the split and what every sampler draws, so that
contenders are compared in pairs. Each runs on one core, its storage in memory: asking and training count, nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from sweep.learning.data.splits import prepare
from sweep.learning.hyper import Array
from sweep.learning.seeds import integer_seed
from sweep.learning.training.loop import train
from sweep.search.running.loop import Hooks, StudyLoop, objective, open_study
from sweep.search.running.records import Curves, Record
from sweep.search.running.workers import Serial
from sweep.search.storage.storage import OpenStorage
from sweep.search.study_file.spec import Spec, complete

SEEDS, QUICK_SEEDS = 10, 3
BUDGETS, QUICK_BUDGETS = (100, 300), (60,)
EPOCHS = 30
NOISY = {"n_samples": 1000, "n_features": 20, "n_informative": 6, "flip_y": 0.1, "class_sep": 0.8, "random_state": 3}
DATA: dict[str, dict[str, Any]] = {
    "digits": {"name": "digits"},
    "breast_cancer": {"name": "breast_cancer"},
    "noisy": {"name": "make_classification", "arguments": NOISY},
}
SCHEDULES = ["constant", "step", "exponential", "inverse_time", "piecewise", "plateau", "linear", "cosine"]
OURS = "sweep"
ALL = "all"
PRUNED = ("halving", "median")
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Search:
    """One study of one contender.

    Attributes
    ----------
    best : array, shape (trials,)
        The lowest objective so far, after each trial.
    seconds : array, shape (trials,)
        When each trial's result was known, since the start.
    epochs : int
        Epochs trained, in all trials together.
    """

    contender: str
    data: str
    seed: int
    best: Array
    seconds: Array
    epochs: int

    def after(self, seconds: float) -> float:
        """The best objective known at a time; infinity if there is none yet."""
        known = int(np.searchsorted(self.seconds, seconds, side="right"))
        return float(self.best[known - 1]) if known else np.inf


def study_of(data: str, seed: int, trials: int, **keys: Any) -> Spec:
    """A study of all optimizers and all schedules with their default ranges, of the default generation size."""
    study = {"name": "quality", "trials": trials, "seed": seed, "defaults": False, **keys}
    network, search = {"hidden": [32], "epochs": EPOCHS}, {"schedules": SCHEDULES}
    content = {"study": study, "data": DATA[data], "network": network, "search": search}
    return complete(content, Path("quality"))


def in_generations(contender: str, data: str, seed: int, trials: int, **keys: Any) -> Search:
    """A study as this project runs it, by one of its samplers or pruners."""
    spec = study_of(data, seed, trials, **keys)
    storage = OpenStorage(optuna.storages.InMemoryStorage(), lambda: None, "memory")
    prepare(spec.source(), seed)  # it is remembered, so that its time is not counted
    ended: dict[int, tuple[float, float, int]] = {}
    started = time.perf_counter()

    def record(generation: int, records: Sequence[Record]) -> None:
        del generation
        for each in records:
            if each.objective is not None:
                value = each.objective if each.state == "complete" else np.inf
                ended[each.number] = value, time.perf_counter() - started, each.epochs

    study = open_study(spec, storage, "")
    StudyLoop(spec, study, storage, Serial(1, None, lambda text: None), Hooks(record)).run()
    values, seconds, epochs = np.array([ended[number] for number in sorted(ended)]).T
    return Search(contender, data, seed, np.minimum.accumulate(values), seconds, int(epochs.sum()))


def one_by_one(contender: str, data: str, seed: int, trials: int) -> Search:
    """Optuna's TPE with its defaults, as its users run it: each trial asked when the one before it is known."""
    spec = study_of(data, seed, trials)
    ready, settings, space = prepare(spec.source(), seed), spec.settings(), spec.space()
    seconds, epochs = [], 0
    started = time.perf_counter()

    def trained(trial: optuna.Trial) -> float:
        nonlocal epochs
        training = train([space.suggest(trial)], ready, settings, seed)
        epochs += int(training.epochs[0])
        return objective(spec, Curves.of(training, 0), int(training.diverged_at[0]))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=integer_seed(seed, "sampler")))
    study.optimize(trained, trials, callbacks=[lambda *unused: seconds.append(time.perf_counter() - started)])
    values = np.array([trial.value for trial in study.get_trials(deepcopy=False)])
    return Search(contender, data, seed, np.minimum.accumulate(values), np.array(seconds), epochs)


CONTENDERS: dict[str, Callable[..., Search]] = {
    OURS: in_generations,
    "Optuna's TPE, one by one": one_by_one,
    "Optuna's TPE, in generations": partial(in_generations, sampler="optuna:TPESampler"),
    "random": partial(in_generations, sampler="random"),
    **{f"sweep, {name}": partial(in_generations, pruner=name) for name in PRUNED},
}


@dataclass(frozen=True)
class Difference:
    """How much larger another's best loss is than ours: the mean of the paired differences, over our median loss.

    `low` and `high` bound it with a confidence of 95 % (BCa bootstrap over the seeds; Efron 1987). Below 0: the other
    is better. Not a mean of ratios: a loss may be next to nothing.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, shares: Array) -> Difference:
        """Sum up paired differences."""
        from scipy.stats import bootstrap

        if np.ptp(shares) == 0:
            return cls(*[float(shares[0])] * 3)
        interval = bootstrap((shares,), np.mean, confidence_level=CONFIDENCE, rng=np.random.default_rng(0))
        return cls(float(shares.mean()), *map(float, interval.confidence_interval))

    @classmethod
    def of_medians(cls, ours: Array, theirs: Array) -> Difference:
        """How much larger their median loss is, over ours; percentile bootstrap over the pairs."""
        from scipy.stats import bootstrap

        def larger(mine: Array, other: Array) -> float:
            return float((np.median(other) - np.median(mine)) / np.median(ours))

        if len(ours) == 1:
            return cls(*[larger(ours, theirs)] * 3)

        interval = bootstrap(
            (ours, theirs), larger, paired=True, vectorized=False, method="percentile",
            confidence_level=CONFIDENCE, rng=np.random.default_rng(0),
        ).confidence_interval  # fmt: skip
        return cls(larger(ours, theirs), float(interval.low), float(interval.high))


@dataclass(frozen=True)
class Found:
    """What a contender found on a data set in so many trials: medians over the seeds.

    Attributes
    ----------
    data : str
        Or `ALL` of them: then the differences of all are taken together.
    best : float or None
        The lowest validation loss.
    seconds : float
        What its study took.
    epochs : float
        Trained, as a share of what ours trained.
    worse : Difference or None
        Its best beside ours after as many trials; None: it is ours.
    worse_by_then : Difference or None
        Its best at the time when ours had all its trials, beside ours; None also where it had none by then.
    median_worse : Difference or None
        Its median best beside our median best; None: it is ours, or these are several data sets.
    """

    data: str
    contender: str
    trials: int
    best: float | None
    seconds: float
    epochs: float
    worse: Difference | None
    worse_by_then: Difference | None
    median_worse: Difference | None


def searched(data: str, seed: int, trials: int) -> list[Search]:
    """Let all contenders search once."""
    return [search(name, data, seed, trials) for name, search in CONTENDERS.items()]


def measure(seeds: int, budgets: Sequence[int]) -> list[Found]:
    """Let all contenders search on all data sets, on all cores, one search a core."""
    import joblib

    tasks = [(data, seed, trials) for data in DATA for trials in budgets for seed in range(seeds)]
    together = joblib.Parallel(n_jobs=-1)(joblib.delayed(searched)(*task) for task in tasks)
    studies = [search for group in together for search in group]
    chosen = {
        (data, trials): [s for s in studies if len(s.best) == trials and data in (s.data, ALL)]
        for data in (*DATA, ALL)
        for trials in budgets
    }
    return [summed_up(data, group, name) for (data, _), group in chosen.items() for name in CONTENDERS]


def summed_up(data: str, studies: Sequence[Search], name: str) -> Found:
    """Sum one contender's studies up, of one data set (or `ALL`) and length; all contenders' studies are given."""
    ours, own = ({(s.data, s.seed): s for s in studies if s.contender == who} for who in (OURS, name))
    pairs = [(ours[key], own[key]) for key in own]
    level = {d: np.median([mine.best[-1] for mine, _ in pairs if mine.data == d]) for d, _ in own}

    def worse(theirs: Array) -> Difference | None:
        if name == OURS or not np.isfinite(theirs).all():
            return None
        found = zip(pairs, theirs, strict=True)
        return Difference.of(np.array([(loss - mine.best[-1]) / level[mine.data] for (mine, _), loss in found]))

    best, losses = (np.array([search.best[-1] for search in side]) for side in zip(*pairs, strict=True))
    return Found(
        data,
        name,
        len(pairs[0][1].best),
        None if data == ALL else float(np.median(losses)),
        float(np.median([other.seconds[-1] for _, other in pairs])),
        float(np.median([other.epochs / mine.epochs for mine, other in pairs])),
        worse(losses),
        worse(np.array([other.after(mine.seconds[-1]) for mine, other in pairs])),
        None if data == ALL or name == OURS else Difference.of_medians(best, losses),
    )
