"""What a proposal costs, here and elsewhere, on the space of a shipped study: stock Optuna's TPE, and Rustuna's."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from statistics import median
from typing import Any

import optuna

from sweep.search.choosing.samplers import SAMPLERS, Balanced
from sweep.search.running.ledger import Ledger
from sweep.search.space.space import Space
from sweep.search.study_file import catalogue
from sweep.search.study_file.sections import LARGEST_GENERATION

STUDY = "quickstart"
ASKS = 5  # measured after so many finished trials


def space() -> Space:
    """All optimizers, eight schedules and all their constants."""
    return catalogue.one(STUDY).space()


def finished(searched: Space, count: int) -> list[tuple[dict[str, Any], float]]:
    """Parameters of random trials, and an objective that depends on them (by the learning rate) and on chance."""
    plans = map(Balanced(searched, 0, 1).plan, range(count))
    return [(dict(plan), objective(plan["learning_rate"], number)) for number, plan in enumerate(plans)]


def objective(rate: float, number: int) -> float:
    """Best at a rate of about 0.01, with a little noise."""
    return float(abs(rate - 0.01) ** 0.5 + (number * 7919 % 1000) / 5000)


def _known_study(searched: Space, count: int, sampler: Any) -> tuple[optuna.Study, optuna.storages.BaseStorage]:
    """A study in memory with so many finished trials, and its storage."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage, known = optuna.storages.InMemoryStorage(), searched.distributions()
    study = optuna.create_study(storage=storage, sampler=sampler)
    trials = [
        optuna.trial.create_trial(params=params, distributions={n: known[n] for n in params}, value=value)
        for params, value in finished(searched, count)
    ]
    study.add_trials(trials)
    return study, storage


def sweep_ask(count: int) -> float:
    """Ms that the loop of a study takes for one ask after about `count` trials: a whole generation's, shared out."""
    searched, size = space(), LARGEST_GENERATION
    generation = -(-count // size)
    sampler = SAMPLERS["tpe"](searched, 0, size)
    study, storage = _known_study(searched, generation * size, sampler)
    ledger = Ledger(study, storage, sampler, "validation_loss", ())
    times = []
    for turn in range(2):  # the first reads all trials, as it does once in a run
        started = time.perf_counter()
        for place in range(size):
            ledger.ask((generation + turn) * size + place, generation + turn)
        times.append(time.perf_counter() - started)
    return 1000 * times[-1] / size


def optuna_ask(count: int) -> float:
    """Ms that stock Optuna takes for one ask (with all its suggestions) after `count` finished trials."""
    searched = space()
    study, _ = _known_study(searched, count, optuna.samplers.TPESampler(seed=0))

    def tell(trial: Any, value: float) -> None:
        study.tell(trial, value)

    return _median_ask(searched, study.ask, tell)


def rustuna_ask(count: int) -> float:
    """Ms that Rustuna takes for the same."""
    rustuna, convert = import_module("rustuna"), import_module("rustuna.distributions")
    searched = space()
    known = {name: _converted(convert, found) for name, found in searched.distributions().items()}
    study = rustuna.create_study(sampler=rustuna.samplers.TPESampler(seed=0), direction="minimize")
    create = import_module("rustuna.trial").create_trial
    for params, value in finished(searched, count):
        study.add_trial(create(params=params, distributions={n: known[n] for n in params}, value=value))

    def ask() -> Any:
        return _WithLists(study.ask())

    def tell(trial: Any, value: float) -> None:
        study.tell(trial.number, value)

    return _median_ask(searched, ask, tell)


def _converted(to: Any, found: Any) -> Any:
    """One of Optuna's distributions as one of Rustuna's."""
    match found:
        case optuna.distributions.CategoricalDistribution(choices=choices):
            return to.CategoricalDistribution(list(choices))
        case optuna.distributions.IntDistribution(low=low, high=high, log=log):
            return to.IntDistribution(low, high, log=log)
    return to.FloatDistribution(found.low, found.high, log=found.log)


class _WithLists:
    """A trial that is given its choices as a list, as Rustuna wants them."""

    def __init__(self, trial: Any) -> None:
        self.suggest_float, self.suggest_int, self._trial = trial.suggest_float, trial.suggest_int, trial
        self.number = trial.number

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self._trial.suggest_categorical(name, list(choices))


def _median_ask(searched: Space, ask: Callable[[], Any], tell: Callable[[Any, float], None]) -> float:
    """The median time of a few asks, each told before the next; one goes before and is not counted."""
    times = []
    for number in range(ASKS + 1):
        started = time.perf_counter()
        trial = ask()
        chosen = searched.suggest(trial)
        times.append(time.perf_counter() - started)
        tell(trial, objective(chosen.learning_rate, number))
    return 1000 * median(times[1:])
