"""The ledger: a study's trials in its storage, as the loop asks and tells them.

Written through the storage's own interface. `Study.ask` and `Study.tell` look through all trials of the study each
time, write every parameter on its own and copy the trial; here a trial is one entry with all its parameters when it is
asked, and what is told of it at the end. Only Optuna's own samplers are asked Optuna's way.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Array
from sweep.search.choosing.chooser import Chooser
from sweep.search.choosing.tpe import ENQUEUED
from sweep.search.running.records import Record
from sweep.search.space.space import Arm

MOST_REPORTS = 11  # intermediate values a trial, those at rungs aside: each costs as much as all its parameters
WORST = 1.25  # times the value before training: the highest objective of a diverged trial; more would flatten plots
_STATES = {"complete": TrialState.COMPLETE, "diverged": TrialState.COMPLETE, "pruned": TrialState.PRUNED}


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial that was asked and is not finished: its number, its name in the storage, and what is to be trained.

    A configuration does not know what the study calls its optimizer and its schedule: the arm does.
    """

    number: int
    trial_id: int
    arm: Arm
    configuration: Configuration


class Ledger:
    """The trials of one study in one storage.

    Parameters
    ----------
    study : optuna.Study
    storage : BaseStorage
        The one that the study is in.
    sampler : Chooser
        Who proposes.
    objective : str
        Which curve is reported.
    reports : sequence of int
        The epochs at which it is; a trial that ends earlier has its last one too.
    start : sequence of mappings
        The parameters of the first trials, which the sampler is not asked for.
    """

    def __init__(
        self,
        study: optuna.Study,
        storage: BaseStorage,
        sampler: Chooser,
        objective: str,
        reports: Sequence[int],
        start: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.study, self.storage, self.sampler, self.objective = study, storage, sampler, objective
        self.reports, self.start = reports, start
        self._union = sampler.space.distributions()
        self._study_id = storage.get_study_id_from_name(study.study_name)
        study.sampler = sampler

    def trials(self) -> list[FrozenTrial]:
        """All trials, in the order of their numbers; not to be changed."""
        return self.study.get_trials(deepcopy=False)

    def ask(self, number: int, generation: int) -> Asked:
        """Let the sampler propose the study's next trial, which will have this number, and enter it as running."""
        enqueued: dict[str, Any] = {}
        if number < len(self.start):
            chosen = dict(self.start[number])
            enqueued = {ENQUEUED: chosen}
        else:
            proposed = self.sampler.parameters(self.study, number)
            if proposed is None:
                return self._suggested(self.study.ask(), generation)
            chosen = dict(proposed)
        entry = create_trial(
            state=TrialState.RUNNING,
            params=chosen,
            distributions={name: self._union[name] for name in chosen},
            user_attrs={"generation": generation},
            system_attrs=enqueued,
        )
        trial_id = self.storage.create_new_trial(self._study_id, template_trial=entry)
        return self._asked(number, trial_id, chosen)

    def _asked(self, number: int, trial_id: int, parameters: Mapping[str, Any]) -> Asked:
        return Asked(number, trial_id, Arm.of(parameters), self.sampler.space.configuration(parameters))

    def _suggested(self, trial: Trial, generation: int) -> Asked:
        """A trial whose parameters the sampler chooses one by one."""
        trial.set_user_attr("generation", generation)
        self.sampler.space.suggest(trial)
        return self._asked(trial.number, trial._trial_id, trial.params)

    def again(self, trial: FrozenTrial, generation: int) -> Asked:
        """Take up a trial that an earlier run asked, or had begun to ask."""
        parameters: Mapping[str, Any] = trial.params
        if not trial.state.is_finished() and trial.number >= len(self.start):
            if "generation" not in trial.user_attrs:
                self.storage.set_trial_user_attr(trial._trial_id, "generation", generation)
            parameters = self.sampler.resumed(self.study, trial)
        return self._asked(trial.number, trial._trial_id, parameters)

    def shown(self, mean: Array) -> Array:
        """The objective's curve as others see it, on its last axis.

        Cut off where the objective of a diverged trial ends, or one overflow would flatten all others in a plot.
        """
        ceiling = WORST * np.maximum(mean[..., :1], 1.0)
        return np.where(np.isnan(mean), ceiling, np.minimum(mean, ceiling))

    def tell(self, asked: Asked, record: Record) -> None:
        """Enter what became of a trial, with the curve thinned out and what a reader of the dashboard wants."""
        state = _STATES.get(record.state, TrialState.FAIL)
        values = None if record.objective is None else [record.objective]
        if record.curves is not None:
            shown = self.shown(record.curves.mean(self.objective)).tolist()
            for epoch in dict.fromkeys([*(e for e in self.reports if e < record.epochs), record.epochs]):
                self.storage.set_trial_intermediate_value(asked.trial_id, epoch, shown[epoch])
        for name, value in _attributes(record).items():
            self.storage.set_trial_user_attr(asked.trial_id, name, value)
        self.sampler.told(self.study, self.storage, asked.trial_id, state, values)
        self.storage.set_trial_state_values(asked.trial_id, state, values)


@functools.cache
def reported(epochs: int, rungs: Sequence[int] = ()) -> tuple[int, ...]:
    """The epochs at which a study of so many epochs reports: evenly spread, and the rungs."""
    evenly = np.linspace(0, epochs, MOST_REPORTS).round().astype(int)
    return tuple(sorted({*evenly.tolist(), *rungs}))


def _attributes(record: Record) -> Mapping[str, Any]:
    """What is told besides the objective: numbers, which the dashboard makes columns; none that is not finite."""
    found: dict[str, Any] = {"epochs": record.epochs, "seconds": record.seconds, "diverged_at": record.diverged_at}
    if record.curves is not None:
        found |= record.curves.ends()
    return {name: value for name, value in found.items() if value is not None and np.isfinite(value)}
