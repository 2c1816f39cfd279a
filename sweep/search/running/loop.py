"""The loop of a study: ask, train, judge, record, tell.

The parent process alone talks to Optuna and writes. Trials are asked in generations; the next generation is asked while
one trains, so a proposal never waits, and knows all results but the newest generation's. Trial ``n`` belongs to
generation ``n // size``; neither depends on how many workers there are, when they finish, or how often the run was
killed. A generation is recorded (tables) before it is told (storage), so whatever the storage knows, the tables have.

With a pruner, a generation is trained from rung to rung and judged at each, always after the generation before it. So
what it is compared with does not depend on who was quick, either.
"""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.splits import facts
from sweep.learning.training.loop import Pause
from sweep.search.choosing.chooser import Chooser
from sweep.search.choosing.pruners import PRUNERS, Judge, first_move, is_judged
from sweep.search.choosing.samplers import IN_FLIGHT, Balanced, sampler
from sweep.search.running.generation import Generation
from sweep.search.running.ledger import WORST, Asked, Ledger, reported
from sweep.search.running.records import Curves, Progress, Record
from sweep.search.running.workers import Handle, Job, Pool, shares
from sweep.search.storage.storage import OpenStorage
from sweep.search.study_file.spec import Spec


@dataclass(frozen=True)
class Hooks:
    """What the loop tells others: tables to write, progress to show, warnings; and whether it is to stop."""

    record: Callable[[int, Sequence[Record]], None]
    notify: Callable[[Progress], None] = lambda progress: None
    stopping: Callable[[], bool] = lambda: False
    warn: Callable[[str], None] = warnings.warn


def total_trials(spec: Spec) -> int:
    """How many trials the study has in the end: as many as asked for, unless there are fewer different ones."""
    return _total(spec, sampler_of(spec))


def _total(spec: Spec, chooses: Chooser) -> int:
    most = chooses.most()
    return spec.study.trials if most is None else min(spec.study.trials, most)


def sampler_of(spec: Spec) -> Chooser:
    """Who proposes the trials of a study."""
    assert spec.study.generation is not None, "a Spec is completed when it is read"
    if spec.study.mode == "compare":
        return Balanced(spec.space(), spec.study.seed, spec.study.generation)
    return sampler(spec.study.sampler, spec.space(), spec.study.seed, spec.study.generation)


def open_study(spec: Spec, storage: OpenStorage, fingerprint: str) -> optuna.Study:
    """Make the study in the storage, or find it there, with the same seed and the same data (by their fingerprint).

    Raises
    ------
    UsageError
        The storage has a study of this name with another seed or other data.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=storage.storage, study_name=spec.study.name, load_if_exists=True, direction="minimize"
    )
    if study.metric_names is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names([spec.study.objective.replace("_", " ")])
        study.set_user_attr("question", spec.study.question)
        study.set_user_attr("seed", spec.study.seed)
        study.set_user_attr("data", fingerprint)
        storage.commit()
    for key, name, now, step in (
        ("seed", "another seed", spec.study.seed, ""),
        ("data", "other data", fingerprint, "bring the old data back, "),
    ):
        before = study.user_attrs.get(key)
        if before != now:
            raise UsageError(
                f"storage {storage.address}: its study {spec.study.name!r} was begun with {name} "
                f"({before} then, {now} now): {step}use --fresh, another --storage, or another name under [study]"
            )
    return study


def objective(spec: Spec, curves: Curves, diverged_at: int) -> float:
    """The number that a study makes small: mean over replicates, after the last epoch trained or at the best one.

    For a diverged trial (`diverged_at` is above 0): between one and `WORST` times the value before training (at least
    1), the worse the earlier it diverged. Finite and bounded, so that a sampler learns from it and a plot can show it.
    """
    mean = curves.mean(spec.study.objective)
    if diverged_at > 0:
        early = 1 - diverged_at / spec.network.epochs
        return float((1 + (WORST - 1) * early) * max(mean[0], 1.0))
    return float(mean.min() if spec.study.at == "best" else mean[-1])


class StudyLoop:
    """One run of a study, from where it stands to its total."""

    def __init__(self, spec: Spec, study: optuna.Study, storage: OpenStorage, pool: Pool, hooks: Hooks) -> None:
        self.spec, self.storage, self.pool, self.hooks = spec, storage, pool, hooks
        assert spec.study.generation is not None, "a Spec is completed when it is read"
        self.size = spec.study.generation
        self.settings = spec.settings()
        self.rows = self.settings.population(facts(spec.source(), spec.study.seed, spec.splits))
        self.judge = Judge(PRUNERS[spec.study.pruner](), spec.network.epochs)
        reports = reported(spec.network.epochs, self.judge.rungs)
        chooses = sampler_of(spec)
        self.ledger = Ledger(study, storage.storage, chooses, spec.study.objective, reports, spec.first_trials())
        self.progress = Progress(_total(spec, chooses))
        self.torn = False  # whether a part of a generation was taken back: then nobody may ask what depends on it

    def run(self, timeout: float | None = None) -> Progress:
        """Go on until the total is reached, `timeout` seconds have passed, or the hooks say stop.

        When stopping, what trains is finished and told, and jobs that nobody has begun are taken back. The generation
        that would have been asked meanwhile is still asked, for a later one would know more: it stays running in the
        storage, and the next run trains it. So a stopped and resumed study proposes what it would have proposed.
        """
        with self.storage.writing():
            self._run(np.inf if timeout is None else time.monotonic() + timeout)
        return self.progress

    def _run(self, deadline: float) -> None:
        in_flight = self._resume()
        asked = len(self.ledger.trials())
        for generation in in_flight:
            self._begin(generation)
        self.hooks.notify(self.progress)
        while in_flight or (asked < self.progress.total and not self.torn):
            stopping = self.hooks.stopping() or time.monotonic() > deadline
            if stopping and self.judge.rungs:
                self._take_back(in_flight)
            if stopping and not (in_flight and in_flight[0].handed_over):
                break
            if len(in_flight) < IN_FLIGHT and asked < self.progress.total and not self.torn:
                trials = self._ask(asked)
                in_flight.append(self._generation(asked // self.size, trials))
                asked += len(trials)
                self._begin(in_flight[-1], hand_over=not stopping)
            else:
                self._advance(in_flight)

    def _take_back(self, in_flight: Sequence[Generation]) -> None:
        """Take back whole generations that nobody has begun; the youngest first, which are judged after the others."""
        for generation in reversed(in_flight):
            if generation.handed_over and not generation.take_back(self._submit):
                return

    def _resume(self) -> deque[Generation]:
        """Count what is finished; gather what was asked and not finished, generation by generation.

        If the run was killed while it asked a generation, the rest is asked before anything more becomes known.
        """
        unfinished: dict[int, list[FrozenTrial]] = {}
        trials = self.ledger.trials()
        for trial in trials:
            if trial.state.is_finished():
                self.progress.count(self._known(trial))
            else:
                unfinished.setdefault(trial.number // self.size, []).append(trial)
        if self.judge.rungs:
            self._remember([trial for trial in trials if trial.number // self.size not in unfinished])
            for number in unfinished:  # whoever is judged is judged in company, but not in that of a killer
                members = trials[number * self.size : (number + 1) * self.size]
                unfinished[number] = [trial for trial in members if trial.state != TrialState.FAIL]
        found: deque[Generation] = deque()
        for number, members in sorted(unfinished.items()):
            told = {row for row, trial in enumerate(members) if trial.state.is_finished()}
            asked = [self.ledger.again(trial, number) for trial in members]
            if number == len(trials) // self.size:
                asked += self._ask(len(trials))
            found.append(self._generation(number, asked, told))
        return found

    def _generation(self, number: int, trials: Sequence[Asked], told: Collection[int] = ()) -> Generation:
        moves = [self._first_move(trial.configuration) for trial in trials] if self.judge.rungs else []
        return Generation(number, trials, self.settings, told, moves)

    def _known(self, trial: FrozenTrial) -> Record:
        """A trial of an earlier run, as far as counting needs it."""
        state = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}[trial.state.name]
        if "diverged_at" in trial.user_attrs:
            state = "diverged"
        generation = trial.number // self.size
        asked = self.ledger.again(trial, generation)
        return Record(
            trial.number, state, asked.arm, asked.configuration, self.spec.study.seed, generation, trial.value
        )

    def _remember(self, trials: Sequence[FrozenTrial]) -> None:
        """Let the pruner know what finished trials had at the rungs where they were judged."""
        for trial in trials:
            moved = self._first_move(self._known(trial).configuration)
            for rung in self.judge.rungs:
                alive = trial.user_attrs.get("diverged_at", np.inf) > rung
                if alive and rung in trial.intermediate_values and is_judged(moved, rung):
                    self.judge.remember(rung, np.array([trial.intermediate_values[rung]]))

    def _first_move(self, configuration: Configuration) -> float:
        return first_move(configuration.schedule, self.settings.epochs)

    def _ask(self, first: int) -> list[Asked]:
        """Ask for trial `first` and those after it in its generation, as far as the total goes."""
        generation = first // self.size
        end = min((generation + 1) * self.size, self.progress.total)
        return [self.ledger.ask(number, generation) for number in range(first, end)]

    def _begin(self, generation: Generation, *, hand_over: bool = True) -> None:
        """Record the generation as running and hand its jobs to the workers (or leave them to the next run)."""
        records = [
            Record(trial.number, "running", trial.arm, trial.configuration, self.spec.study.seed, generation.number)
            for row, trial in enumerate(generation.trials)
            if row not in generation.told
        ]
        self.hooks.record(generation.number, records)
        self.storage.commit()
        if hand_over:
            self._hand_over(generation)

    def _hand_over(self, generation: Generation) -> None:
        """Make jobs of a generation's next stage: to the next rung, or to the end."""
        ends = [rung for rung in self.judge.rungs if rung > generation.epoch]
        generation.hand_over(self._submit, self._deal, ends[0] if ends else self.settings.epochs)

    def _deal(self, configurations: Sequence[Configuration]) -> list[list[int]]:
        return shares(configurations, self.pool.workers, self.settings.trainings, self.rows)

    def _submit(self, configurations: Sequence[Configuration], begin: Pause | None, until: int) -> Handle:
        return self.pool.submit(self.job(configurations, begin, until))

    def job(self, configurations: Sequence[Configuration], begin: Pause | None = None, until: int | None = None) -> Job:
        """The training of some configurations."""
        return Job(self.spec.source(), self.settings, self.spec.study.seed, tuple(configurations), begin, until)

    def _advance(self, in_flight: deque[Generation]) -> None:
        """Wait for a stage of each generation, the oldest first; a generation that is trained to its end is finished.

        When the oldest is finished another one can be asked: the younger ones wait.
        """
        for generation in [each for each in in_flight if each.handed_over]:
            for rows in generation.collect(self._taken_back):
                self._count(generation, rows)
            if generation.epoch == self.settings.epochs:
                in_flight.remove(generation)
                self._finish(generation)
                return
            self._prune(generation)
            self._hand_over(generation)

    def _taken_back(self, handle: Handle) -> bool:
        """Take a job back if the run is to stop and nobody has begun it; not one that others are judged with."""
        if self.judge.rungs or not self.hooks.stopping() or not handle.cancel():
            return False
        self.torn = True
        return True

    def _prune(self, generation: Generation) -> None:
        """Judge those of a generation that are at a rung, all at once."""
        rung = generation.epoch
        judged = np.flatnonzero(generation.alive & [is_judged(move, rung) for move in generation.first_moves])
        curve = generation.training.curves[self.spec.study.objective][judged].mean(axis=1)
        values = self.ledger.shown(curve)[:, rung]
        pruned = judged[~self.judge.survivors(rung, values)]
        generation.prune(pruned)
        self._count(generation, pruned.tolist())

    def _count(self, generation: Generation, rows: Sequence[int]) -> None:
        """Take in and show which of some trials have come to an end."""
        for row in rows:
            ended = not generation.alive[row] or generation.until == self.settings.epochs
            if ended and row not in generation.records:
                record = generation.records[row] = self._record(generation, row)
                if row not in generation.told:
                    self.progress.count(record)
        self.hooks.notify(self.progress)

    def _finish(self, generation: Generation) -> None:
        """Record a generation and tell it, in the order of the trials' numbers.

        What is told becomes durable with the next generation that is submitted, or at the end.
        """
        rows = sorted(generation.records.keys() - generation.told)
        records = [generation.records[row] for row in rows]
        lost = [str(record.number) for record in records if record.state == "failed"]
        if lost:
            self.hooks.warn(f"given up, for their workers die: trials {', '.join(lost)}: marked as failed")
        self.hooks.record(generation.number, records)
        for row in rows:
            self.ledger.tell(generation.trials[row], generation.records[row])
        self.progress.mark()

    def _record(self, generation: Generation, row: int) -> Record:
        trial = generation.trials[row]
        seed, number = self.spec.study.seed, generation.number
        start = trial.number, generation.state(row), trial.arm, trial.configuration, seed, number
        if generation.lost[row]:
            return Record(*start)
        curves, diverged_at = generation.curves(row), int(generation.training.diverged_at[row])
        return Record(
            *start,
            objective=objective(self.spec, curves, diverged_at),
            epochs=int(generation.training.epochs[row]),
            diverged_at=diverged_at if diverged_at > 0 else None,
            seconds=float(generation.seconds[row]),
            started=float(generation.started[row]),
            finished=float(generation.finished[row]),
            curves=curves,
        )
