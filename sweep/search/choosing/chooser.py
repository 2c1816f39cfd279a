"""What the loop of a study asks of its sampler: the same of ours and of Optuna's own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from sweep.search.space.space import Space


class Chooser(BaseSampler):
    """Who proposes the trials of a study: abstract. Subclasses give `parameters`.

    Attributes
    ----------
    space : Space
    """

    space: Space

    def most(self) -> int | None:
        """After how many trials there is nothing left to propose; None: never."""
        return None

    @abstractmethod
    def parameters(self, study: Study, number: int) -> Mapping[str, Any] | None:
        """All parameters of trial `number`: those of its arm, no other. None: ask as Optuna does, one by one."""

    def resumed(self, study: Study, trial: FrozenTrial) -> Mapping[str, Any]:
        """All parameters of a trial that an earlier run has entered and not finished."""
        del study
        return trial.params

    def told(
        self, study: Study, storage: BaseStorage, trial_id: int, state: TrialState, values: Sequence[float] | None
    ) -> None:
        """Hear what has become of a trial, before the storage is told."""
        del study, storage, trial_id, state, values
