"""One run of a study: its storage and its folder opened, its trials trained, its finalists judged, its story told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import optuna

from sweep.door.run_folder import RunFolder
from sweep.door.running import recipe
from sweep.door.running.finishing import Story, judge
from sweep.errors import UsageError
from sweep.learning.data import identity
from sweep.learning.data.parts import Facts
from sweep.results.answer import Answer
from sweep.results.statistics import summaries
from sweep.results.tables import tables
from sweep.results.tables.tables import Tables
from sweep.search.running.loop import Hooks, StudyLoop, open_study, sampler_of
from sweep.search.running.records import Progress
from sweep.search.running.workers import Pool
from sweep.search.storage.storage import OpenStorage, open_for_writing, rename_study
from sweep.search.study_file.spec import Spec


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a run is to go, apart from what the study says; fields as in `sweep.run`."""

    fresh: bool
    timeout: float | None
    notify: Callable[[Progress], None]
    stopping: Callable[[], bool]
    warn: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Session:
    """A study in its folder, with what is known of its data, and who trains it."""

    spec: Spec
    folder: RunFolder
    data: Facts
    pool: Pool
    wishes: Wishes

    def run(self) -> None:
        """Make or claim the folder, and go through the study; a storage elsewhere is opened before the folder."""
        sampler_of(self.spec)  # one that cannot work is found before anything is written
        address = self.spec.study.storage
        elsewhere = open_for_writing(address) if address else None
        if self.wishes.fresh:
            _set_aside(self.folder, elsewhere)
        study = self._study(elsewhere) if elsewhere else None
        with self.folder.locked():
            storage = elsewhere or open_for_writing(self.folder.address(self.spec))
            study = study or self._study(storage)
            self._keep_table()
            self.folder.write(self.spec)
            recipe.write(self.folder.path, self.spec, self.data)
            self._proceed(study, storage)

    def _keep_table(self) -> None:
        """Write a table that is in memory; from then on it is in its file."""
        file = self.spec.data.file
        if (content := identity.waiting(file)) is not None:
            self.folder.keep(content)
            identity.release(file)

    def _study(self, storage: OpenStorage) -> optuna.Study:
        """The study in the storage, made or found there."""
        with storage.writing():
            study = open_study(self.spec, storage, self.data.fingerprint)
            _check_known(study, self.folder)
        return study

    def _proceed(self, study: optuna.Study, storage: OpenStorage) -> None:
        """Train what is missing; when all trials are done, judge; at the end of a run that nobody stops, tell it."""
        story = Story(study, storage, self.spec.study.question)
        hooks = self._hooks(story)
        loop = StudyLoop(self.spec, study, storage, self.pool, hooks)
        self.pool.equip(loop.job([]))
        progress = loop.run(self.wishes.timeout)
        if self.wishes.stopping():
            return
        if progress.done == progress.total:
            judge(self.spec, self.folder.path, self.pool, progress, hooks)
        with storage.writing():
            story.end(Answer(self.folder.path, self.spec))

    def _hooks(self, story: Story) -> Hooks:
        """Whoever is to hear of the run: the tables, the caller, and the story."""
        columns = self.spec.space().columns()
        study = self.spec.study
        written = Tables(self.folder.path, columns, effective_rates=study.effective_rates, metrics=self.spec.metrics)

        def notify(progress: Progress) -> None:
            self.wishes.notify(progress)
            story.begin(progress)

        return Hooks(written.record, notify, self.wishes.stopping, self.wishes.warn)


def _check_known(study: optuna.Study, folder: RunFolder) -> None:
    """Raise `UsageError` if the storage has finished trials that the tables of the folder have not."""
    told = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}
    if not told:
        return
    known: set[int] = set()
    if folder.exists():
        known = set(summaries.finished(tables.read(folder.path, "trials"))["number"])
    if told - known:
        raise UsageError(
            f"{folder.path}: the storage of study {study.study_name!r} has {len(told - known)} finished trials that "
            "are not in the tables there: use another --storage, or another name under [study]"
        )


def _set_aside(folder: RunFolder, storage: OpenStorage | None) -> None:
    """Keep an old run under another name, in its folder and in a storage elsewhere, unless somebody is writing it."""
    if folder.path.exists():
        with folder.locked():
            folder.set_aside()
    if storage is not None:
        rename_study(storage, folder.path.name)
