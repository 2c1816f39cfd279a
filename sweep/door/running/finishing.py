"""What a run does when its trials are done: the race, the finalists, and what the dashboard is told of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sweep.learning import baselines
from sweep.learning.data.splits import facts, prepare
from sweep.results.answer import Answer
from sweep.results.tables import after_search
from sweep.results.telling import note
from sweep.search.running import finalists
from sweep.search.running.finalists import Finalist, Score, Stage
from sweep.search.running.loop import Hooks
from sweep.search.running.records import Progress
from sweep.search.running.workers import Lost, Pool
from sweep.search.storage.storage import OpenStorage
from sweep.search.study_file.spec import Spec

if TYPE_CHECKING:
    import optuna

WRITE_EVERY = 2.0  # seconds: each time the whole tables are written
HEADING = "# sweep\n"  # what stands above it in a note is a person's, and stays
TOLD = "sweep:told"  # the study's attribute that says what was told last


def judge(spec: Spec, folder: Path, pool: Pool, progress: Progress, hooks: Hooks) -> None:
    """Run the race to its end, train the finalists, then what they are compared with; record all as it comes."""
    if not spec.verdict.seeds:
        return
    judging = _Judging(spec, folder, pool, progress, hooks)
    try:
        while (answer := Answer(folder, spec)).race.missing:
            if not judging.train(answer.race.missing, "race"):
                return
        finalists = after_search.missing(folder, answer.finalists, spec.verdict.seeds)
        if judging.train(finalists, "finalists") and answer.leading:
            add_baselines(spec, folder)
    except Lost as error:
        hooks.warn(f"the finalists are not judged to the end: {error}: run again with fewer --workers")


@dataclass
class _Judging:
    """The training of candidates and finalists, written into the tables every few seconds."""

    spec: Spec
    folder: Path
    pool: Pool
    progress: Progress
    hooks: Hooks

    def train(self, missing: Mapping[int, Sequence[Finalist]], stage: Stage) -> bool:
        """Train those who have no score yet; say whether all of them have one now."""
        self.progress.stage, self.progress.judged = stage, 0
        self.progress.to_judge = sum(map(len, missing.values()))
        rows = self.spec.settings().population(facts(self.spec.source(), self.spec.study.seed, self.spec.splits))
        waiting: list[Score] = []
        written = time.monotonic()
        try:
            for scores in finalists.train(self.spec, self.pool, missing, self.hooks.stopping, rows, stage):
                waiting += scores
                if time.monotonic() - written >= WRITE_EVERY:
                    taken, waiting = waiting, []
                    after_search.add(self.folder, taken, stage)
                    written = time.monotonic()
                self.progress.judged += len(scores)
                self.hooks.notify(self.progress)
        finally:
            after_search.add(self.folder, waiting, stage)
        return self.progress.judged == self.progress.to_judge


def add_baselines(spec: Spec, folder: Path) -> None:
    """Train scikit-learn's models on the parts of the first fresh seeds, unless they have been."""
    known = after_search.read_baselines(folder)
    first = finalists.job(spec, 0, [])
    about = facts(first.source, first.seed)
    wanted = range(min(spec.verdict.seeds, baselines.seeds(about)))
    if set(wanted) <= set(known["replicate"]):
        return
    rows = []
    for replicate in wanted:
        work = finalists.job(spec, replicate, [])
        found = baselines.baselines(prepare(work.source, work.seed), spec.metrics, spec.network.loss)
        rows += [{"name": name, **measured, "replicate": replicate} for name, measured in found.items()]
    frame = pd.DataFrame(rows)
    if (steps := baselines.steps(about)) < baselines.MOST_STEPS:
        frame["steps"] = steps
    after_search.write_baselines(folder, frame)


class Story:
    """What the dashboard is told of a study: that the run goes on, and at its end the answer.

    In the note, what a person has written above our heading stays.
    """

    def __init__(self, study: optuna.Study, storage: OpenStorage, question: str) -> None:
        self.study, self.storage, self.question = study, storage, question
        self._begun = self._told() != ""

    def begin(self, progress: Progress) -> None:
        """When the first trials are done: what a reader can wait for."""
        if progress.done and not self._begun:
            self._begun = True
            going = (
                f"The run goes on, to {progress.total} trials; the verdict and the arms stand here when it has ended."
            )
            self._write(f"{self.question}\n\n{going}\n".lstrip())

    def end(self, answer: Answer) -> None:
        """The note and the figures, unless they say already what there is to say."""
        text = note.text(answer)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        if self._told() == digest:
            return
        self._write(text)
        for name, figure in note.figures(answer).items():
            optuna_dashboard().save_plotly_graph_object(self.study, figure, graph_object_id=name)
        self.storage.storage.set_study_system_attr(self.study._study_id, TOLD, digest)

    def _told(self) -> str:
        return str(self.storage.storage.get_study_system_attrs(self.study._study_id).get(TOLD, ""))

    def _write(self, text: str) -> None:
        theirs, _, _ = optuna_dashboard().get_note(self.study).partition(HEADING)
        optuna_dashboard().save_note(self.study, f"{theirs}{HEADING}\n{text}")


def optuna_dashboard() -> Any:
    """The package, which takes a second to import: when it is needed, the workers are at work."""
    import optuna_dashboard

    return optuna_dashboard
