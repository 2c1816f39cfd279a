"""What a run does when its trials are done: it trains the finalists, and tells the dashboard what was found."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.learning.splits import prepare
from sweep.results import judged, note
from sweep.results.answer import Answer
from sweep.search import finalists
from sweep.search.finalists import Finalist, Score
from sweep.search.records import Progress
from sweep.search.space import parameters_of
from sweep.search.spec import Spec
from sweep.search.storage import OpenStorage
from sweep.search.study import Hooks
from sweep.search.workers import Lost, Pool

if TYPE_CHECKING:
    import optuna

WRITE_EVERY = 2.0  # seconds: each time the whole tables are written
HEADING = "# sweep\n"  # what stands above it in a note is a person's, and stays
TOLD = "sweep:told"  # the study's attribute that says what was told last


def judge(spec: Spec, folder: Path, pool: Pool, progress: Progress, hooks: Hooks) -> None:
    """Train the finalists that have no score yet, and record them as they come, every few seconds."""
    answer = Answer(folder, spec)
    missing = judged.missing(folder, chosen(answer), spec.verdict.seeds)
    progress.to_judge = sum(map(len, missing.values()))
    rows = spec.settings().population(prepare(spec.source(), spec.study.seed))
    waiting: list[Score] = []
    written = time.monotonic()
    try:
        for scores in finalists.train(spec, pool, missing, hooks.stopping, rows):
            waiting += scores
            if time.monotonic() - written >= WRITE_EVERY:
                taken, waiting = waiting, []
                judged.add(folder, taken)
                written = time.monotonic()
            progress.judged += len(scores)
            hooks.notify(progress)
    except Lost as error:
        hooks.warn(f"the finalists are not judged to the end: {error}: run again with fewer --workers")
    finally:
        judged.add(folder, waiting)


def chosen(answer: Answer) -> list[Finalist]:
    """The best trial of each leading arm, and the arm's default."""
    space, rows = answer.spec.space(), answer.trials.set_index("number")
    tuned = [
        Finalist(arm, number, space.configuration(parameters_of(rows.loc[number].dropna().to_dict())))
        for arm, number in answer.leading.items()
    ]
    return finalists.with_defaults(space, tuned)


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
