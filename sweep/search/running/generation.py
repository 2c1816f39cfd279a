"""A generation in training: its trials, what is known of them so far as matrices, and the jobs that train them.

It is trained in stages, from one rung of the pruner to the next (one stage, if nothing is pruned). In each the trials
that are still there are dealt out to the workers anew, so that every worker has as many.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Array
from sweep.learning.training.loop import Pause, Training
from sweep.learning.training.population import Snapshot
from sweep.learning.training.settings import Settings
from sweep.search.running.ledger import Asked
from sweep.search.running.records import Curves, Record
from sweep.search.running.workers import Finished, Handle, Lost

Submit = Callable[[Sequence[Configuration], Pause | None, int], Handle]
Deal = Callable[[Sequence[Configuration]], list[list[int]]]


class Generation:
    """A generation in training: all its trials are asked.

    Parameters
    ----------
    number : int
    trials : sequence of Asked
        The index of a trial in it is its row in all matrices.
    settings : Settings
        How they are trained.
    told : collection of int
        Rows that an earlier run has told already: trained again so that the others can be judged beside them.
    first_moves : sequence of float
        When each trial's learning rate first moves, for the pruner; empty without one.

    Attributes
    ----------
    handed_over : bool
        Whether jobs have been made of it, and not all taken back.
    epoch : int
        Epochs that all of its jobs so far have trained.
    until : int
        The epoch to which its jobs train.
    alive : array of bool, shape (trials,)
        Those to be trained on.
    pruned, lost : array of bool, shape (trials,)
        Those that the pruner has stopped, and those whose jobs cost their workers' lives.
    training : Training
        What the jobs have given.
    seconds, started, finished : array, shape (trials,)
    records : dict
        Row to record, of those that have come to an end.
    """

    def __init__(
        self,
        number: int,
        trials: Sequence[Asked],
        settings: Settings,
        told: Collection[int] = (),
        first_moves: Sequence[float] = (),
    ) -> None:
        self.number, self.trials, self.told, self.first_moves = number, trials, told, first_moves
        self.handed_over, self.epoch, self.until = False, 0, 0
        count = len(trials)
        self.alive, self.pruned, self.lost = np.ones(count, bool), np.zeros(count, bool), np.zeros(count, bool)
        self.training = Training.empty(count, settings)
        self.seconds, self.finished = np.zeros(count), np.zeros(count)
        self.started = np.full(count, np.inf)
        self.records: dict[int, Record] = {}
        self._jobs: list[tuple[list[int], Handle]] = []
        self._snapshots: dict[int, Snapshot] = {}
        self._start: tuple[Array, Array] | None = None

    def hand_over(self, submit: Submit, deal: Deal, until: int) -> None:
        """Make jobs that train those alive up to an epoch."""
        self.handed_over, self.until = True, until
        rows = np.flatnonzero(self.alive).tolist()
        for share in deal([self.trials[row].configuration for row in rows]):
            self._submit(submit, [rows[place] for place in share])

    def _submit(self, submit: Submit, rows: list[int]) -> None:
        begin = None
        if self._start is not None:
            snapshots = {place: self._snapshots[row] for place, row in enumerate(rows)}
            begin = Pause(self.epoch, self._start, snapshots)
        configurations = [self.trials[row].configuration for row in rows]
        self._jobs.append((rows, submit(configurations, begin, self.until)))

    def take_back(self, submit: Submit) -> bool:
        """Take all jobs back if nobody has begun any of them; say whether that is so."""
        if self.epoch:
            return False
        begun: list[tuple[list[int], Handle]] = []
        returned: list[list[int]] = []
        for rows, handle in reversed(self._jobs):
            if handle.cancel():
                returned.append(rows)
            else:
                begun.append((rows, handle))
        self._jobs = begun[::-1]
        if begun:  # who has begun cannot be judged without the others
            for rows in returned:
                self._submit(submit, rows)
        self.handed_over = bool(begun)
        return not begun

    def collect(self, taken_back: Callable[[Handle], bool]) -> Iterable[list[int]]:
        """Wait for the jobs, one after the other; yield the rows of each. A job that is `taken_back` is passed over."""
        jobs, self._jobs = self._jobs, []
        snapshots: dict[int, Snapshot] = {}
        for rows, handle in jobs:
            if taken_back(handle):
                self.alive[rows] = False
                continue
            try:
                self._take_in(rows, handle.result(), snapshots)
            except Lost:
                self.lost[rows], self.alive[rows] = True, False
            yield rows
        self.epoch, self._snapshots = self.until, snapshots

    def _take_in(self, rows: list[int], result: Finished, snapshots: dict[int, Snapshot]) -> None:
        training = result.training
        columns = slice(self.epoch + 1 if self.epoch else 0, self.until + 1)
        for name, curve in self.training.curves.items():
            curve[rows, :, columns] = training.curves[name][:, :, columns]
        self.training.effective_rate[rows, :, columns] = training.effective_rate[:, :, columns]
        self.training.epochs[rows] = training.epochs
        self.training.diverged_at[rows] = training.diverged_at
        self.alive[rows] = training.diverged_at < 0
        self.started[rows] = np.minimum(self.started[rows], result.started)
        self.finished[rows] = result.finished
        self.seconds[rows] += (result.finished - result.started) / len(rows)
        if training.paused:
            self._start = training.paused.start
            snapshots |= {rows[place]: snapshot for place, snapshot in training.paused.trials.items()}

    def prune(self, rows: Array) -> None:
        """Stop some trials here."""
        self.pruned[rows], self.alive[rows] = True, False

    def state(self, row: int) -> str:
        """What has become of a trial that has come to an end."""
        if self.lost[row]:
            return "failed"
        if self.training.diverged_at[row] >= 0:
            return "diverged"
        return "pruned" if self.pruned[row] else "complete"

    def curves(self, row: int) -> Curves:
        """One trial's curves, as far as it was trained."""
        return Curves.of(self.training, row)
