"""The ledger: a study's trials in its storage, as the loop asks and tells them.

Written through the storage's own interface. `Study.ask` and `Study.tell` look through all trials of the study each
time, write every parameter on its own and copy the trial; here a trial is one entry with all its parameters when it is
asked, and what is told of it at the end.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweep.learning.configuration import Configuration
from sweep.search.records import Record
from sweep.search.samplers import Joint

MOST_REPORTS = 11  # intermediate values a trial: each costs as much as all its parameters, and the dashboard draws all
WORST = 3.0  # times the value before training: the highest objective that a diverged trial is told


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial that was asked and is not finished: its number, its name in the storage, and what is to be trained."""

    number: int
    trial_id: int
    configuration: Configuration


class Ledger:
    """The trials of one study in one storage.

    Parameters
    ----------
    study : optuna.Study
    storage : BaseStorage
        The one that the study is in.
    sampler : Joint
        Who proposes.
    objective : str
        Which curve is reported.
    """

    def __init__(self, study: optuna.Study, storage: BaseStorage, sampler: Joint, objective: str) -> None:
        self.study, self.storage, self.sampler, self.objective = study, storage, sampler, objective
        self._study_id = storage.get_study_id_from_name(study.study_name)

    def trials(self) -> list[FrozenTrial]:
        """All trials, in the order of their numbers; not to be changed."""
        return self.study.get_trials(deepcopy=False)

    def ask(self, number: int, generation: int) -> Asked:
        """Let the sampler propose the study's next trial, which will have this number, and enter it as running."""
        chosen = dict(self.sampler.parameters(self.study, number))
        configuration = self.sampler.space.configuration(chosen)
        entry = create_trial(
            state=TrialState.RUNNING,
            params=chosen,
            distributions={name: self.sampler.union[name] for name in chosen},
            user_attrs={"generation": generation},
        )
        return Asked(number, self.storage.create_new_trial(self._study_id, template_trial=entry), configuration)

    def again(self, trial: FrozenTrial) -> Asked:
        """Take up a trial that an earlier run asked."""
        return Asked(trial.number, trial._trial_id, self.sampler.space.configuration(trial.params))

    def tell(self, asked: Asked, record: Record) -> None:
        """Enter the objective, with the curve thinned out and what a reader of the dashboard wants.

        The curve is cut off where the objective of a diverged trial ends, or one overflow would flatten all others.
        """
        assert record.curves is not None
        assert record.objective is not None
        mean = record.curves.mean(self.objective)
        ceiling = WORST * max(mean[0], 1.0)
        shown = np.nan_to_num(np.minimum(mean, ceiling), nan=ceiling).tolist()
        for epoch in reported(record.epochs):
            self.storage.set_trial_intermediate_value(asked.trial_id, epoch, shown[epoch])
        for name, value in _attributes(record).items():
            self.storage.set_trial_user_attr(asked.trial_id, name, value)
        self.storage.set_trial_state_values(asked.trial_id, TrialState.COMPLETE, [record.objective])


@functools.cache
def reported(epochs: int) -> tuple[int, ...]:
    """The epochs that are reported of a trial that was trained for so many: the first, the last, and some between."""
    return tuple(np.unique(np.linspace(0, epochs, MOST_REPORTS).round().astype(int)).tolist())


def _attributes(record: Record) -> Mapping[str, Any]:
    """What is told besides the objective: numbers, which the dashboard makes columns; none that is not finite."""
    assert record.curves is not None
    found = {
        "validation_error": float(record.curves.mean("validation_error")[-1]),
        "train_loss": float(record.curves.mean("train_loss")[-1]),
        "epochs": record.epochs,
        "seconds": record.seconds,
        "diverged_at": record.diverged_at,
    }
    return {name: value for name, value in found.items() if value is not None and np.isfinite(value)}
