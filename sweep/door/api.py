"""Running studies from Python: what the command line does, without the terminal. The guide ``python`` has examples."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.door.run_folder import RunFolder
from sweep.door.studies import Study, find_all, folder_of, folders_of, resolve, resolve_all
from sweep.errors import SweepError, UsageError, unknown
from sweep.learning.configuration import Configuration
from sweep.learning.data.splits import Data, DataSource, named, prepare, samples
from sweep.learning.training.loop import Settings
from sweep.learning.training.loop import train as train_population
from sweep.search.running import memory_needed
from sweep.search.running.records import Progress
from sweep.search.space.space import parameters_of
from sweep.search.study_file.spec import Spec

if TYPE_CHECKING:
    import optuna
    import pandas as pd

    from sweep.parity.lines import Lines
    from sweep.results.answer import Answer
    from sweep.results.recommendation import Recommendation
    from sweep.results.statistics.summaries import Finding
    from sweep.results.statistics.verdicts import Verdict
    from sweep.search.running.workers import Pool
    from sweep.search.storage.storage import OpenStorage


@dataclass(frozen=True)
class Result:
    """What a run has left, read from its folder when asked for; also while the run is going on.

    Attributes
    ----------
    folder : Path
    spec : Spec
        The resolved study.
    """

    folder: Path
    spec: Spec

    @cached_property
    def answer(self) -> Answer:
        """The statistics: verdict, tuning curves, what is worth tuning, and the tables behind them."""
        from sweep.results.answer import Answer

        return Answer(self.folder, self.spec)

    @property
    def trials(self) -> pd.DataFrame:
        """One row a trial."""
        return self.answer.trials

    @property
    def curves(self) -> pd.DataFrame:
        """One row a trial, replicate and epoch."""
        return self.answer.curves

    def table(self, name: str) -> pd.DataFrame:
        """One of the tables by its name: trials, curves, race, finalists, finalist_curves."""
        from sweep.results.tables import after_search, tables

        readers: dict[str, Callable[[Path, Any], pd.DataFrame]] = {
            "trials": tables.read, "curves": tables.read, "race": after_search.read, "finalists": after_search.read,
            "finalist_curves": after_search.read,
        }  # fmt: skip
        if name not in readers:
            raise UsageError(f"--table: {unknown('table', name, readers)}")
        return readers[name](self.folder, name)

    @property
    def verdict(self) -> Verdict | None:
        """The leading arm beside the others, on fresh seeds and the test part; None while there is none."""
        return self.answer.verdict

    @cached_property
    def study(self) -> optuna.Study:
        """The Optuna study."""
        import optuna

        from sweep.search.storage.storage import open_for_reading

        storage = open_for_reading(RunFolder(self.folder).address(self.spec))
        try:
            return optuna.load_study(study_name=self.spec.study.name, storage=storage)
        except KeyError as error:
            raise UsageError(f"{self.folder}: its storage has no study {self.spec.study.name!r}") from error

    @property
    def best(self) -> dict[str, Any]:
        """The best trial's row without what does not apply to it; empty while no trial is complete."""
        from sweep.results.statistics.summaries import best_trial

        row = best_trial(self.trials)
        return {} if row is None else dict(row.dropna().to_dict())

    @property
    def chosen(self) -> dict[str, Any]:
        """The row of the configuration to use: what is recommended, if there is a verdict, else the best trial.

        A recommended default that no trial has had is without a number.
        """
        row = self.answer.chosen
        return {} if row is None else dict(row.dropna().to_dict())

    @property
    def recommendation(self) -> Recommendation | None:
        """What to use, how good it is, and whether tuning has paid; None while there is no verdict."""
        return self.answer.recommendation

    @property
    def configuration(self) -> Configuration:
        """The configuration to use."""
        chosen = self.chosen
        if not chosen:
            raise UsageError(f"{self.folder}: no trial is complete: run more trials, or lower the learning rates")
        return configuration_of(chosen, self.spec)

    @property
    def steps(self) -> int:
        """Updates an epoch; loads the data."""
        data = prepare(self.spec.source(), self.spec.study.seed)
        return self.spec.settings().steps(len(data.train))

    @property
    def lines(self) -> list[Lines]:
        """The chosen configuration as lines of code for PyTorch, Keras 3 and Optax."""
        from sweep.parity.lines import lines

        return lines(self.configuration, self.steps)

    @property
    def arms(self) -> pd.DataFrame:
        """Each optimizer with each schedule: its best trial, its score on fresh seeds, how it stands to the leader."""
        return self.answer.arms

    @property
    def pruning(self) -> dict[str, Any]:
        """What pruning saved; empty for a study without a pruner.

        `pruner`, its `rungs` (epochs), how many trials were `pruned`, the `share_saved` of all epochs, and at how many
        of its rungs a trial was let pass, for its learning rate had not moved yet (`not_judged`, by rung).
        """
        from sweep.results.statistics.summaries import share_saved
        from sweep.search.choosing.pruners import first_move, is_judged

        rungs, epochs = self.spec.rungs(), self.spec.network.epochs
        if not rungs:
            return {}
        trained = self.trials[self.trials["state"].isin(("complete", "pruned")) & (self.trials["epochs"] > rungs[0])]
        rows, space = (row.dropna().to_dict() for _, row in trained.iterrows()), self.spec.space()
        moves = [first_move(space.configuration(parameters_of(row)).schedule, epochs) for row in rows]
        return {
            "pruner": self.spec.study.pruner,
            "rungs": list(rungs),
            "pruned": int((self.trials["state"] == "pruned").sum()),
            "share_saved": share_saved(self.trials, epochs),
            "not_judged": {rung: sum(not is_judged(move, rung) for move in moves) for rung in rungs},
        }

    @property
    def findings(self) -> list[Finding]:
        """What to know before believing the result."""
        return self.answer.findings


def configuration_of(row: Mapping[str, Any], spec: Spec) -> Configuration:
    """The configuration in a row of the table of trials."""
    return spec.space().configuration(parameters_of(row))


def load(folder: str | Path) -> Result:
    """Open a run folder, such as ``runs/quickstart``."""
    return Result(Path(folder), RunFolder(Path(folder)).spec())


def run(
    study: Study = "quickstart",
    *,
    trials: int | None = None,
    workers: int | None = None,
    seed: int | None = None,
    backend: str = "loky",
    scheduler: str | None = None,
    storage: str | None = None,
    sampler: str | None = None,
    pruner: str | None = None,
    start_from: str | Path | None = None,
    timeout: float | None = None,
    fresh: bool = False,
    runs: str | Path = "runs",
    notify: Callable[[Progress], None] = lambda progress: None,
    stopping: Callable[[], bool] = lambda: False,
    warn: Callable[[str], None] = warnings.warn,
) -> Result:
    """Run a study, or go on with it.

    Parameters
    ----------
    study : str, Path, mapping or Spec
        A shipped study's name, a path to a study file, or the content of one; of one that has variants, one of them.
    trials : int, optional
        The total, not more: what an earlier run has finished counts.
    workers, backend, scheduler
        Who trains: how many, ``"loky"``, ``"serial"`` or ``"dask"``, and a Dask scheduler's address. No result depends
        on it.
    seed, sampler, pruner, storage
        Override what the study says.
    start_from : str or Path, optional
        Another run, by its folder or its study: its best configurations are this study's first trials, where they fit.
    timeout : float, optional
        Seconds after which no more trials are asked.
    fresh : bool
        Start anew; an earlier run folder is kept under another name.
    runs : str or Path
        Where run folders are.
    notify, stopping, warn : callables
        To show progress, to stop after the running jobs, and to hear what went wrong and was survived.

    Raises
    ------
    SweepError
        Before anything is written if the study, the data or an argument is at fault.
    """
    from sweep.search.running.workers import open_pool

    spec = resolve(study, trials=trials, seed=seed, sampler=sampler, pruner=pruner, storage=storage)
    if start_from is not None:
        spec = warmed(spec, start_from, runs, warn)
    if timeout is not None and not timeout > 0:
        raise UsageError(f"--timeout {timeout:g}: must be above 0 seconds")
    folder = RunFolder(Path(runs) / spec.study.name)
    pool = open_pool(backend, workers, scheduler, warn)
    finished = False
    try:
        spec, data = usable(spec)  # what cannot be used is found before anything is written
        if not fresh:
            spec = folder.check(spec)
        _run(spec, folder, data, pool, Wishes(fresh, timeout, notify, stopping, warn))
        finished = True
    finally:
        pool.close(now=not finished)
    return Result(folder.path, spec)


def usable(spec: Spec) -> tuple[Spec, Data]:
    """The study as it suits its data, and these; raises a `SweepError` if they cannot be used, or it does not fit."""
    spec = spec.suited(samples(spec.source()))
    data = prepare(spec.source(), spec.study.seed, spec.splits)
    memory_needed.check(spec, data)
    return spec, data


@dataclass(frozen=True)
class Wishes:
    """How a run is to go, apart from what the study says; fields as in `run`."""

    fresh: bool
    timeout: float | None
    notify: Callable[[Progress], None]
    stopping: Callable[[], bool]
    warn: Callable[[str], None]


def warmed(spec: Spec, start_from: str | Path, runs: str | Path, warn: Callable[[str], None]) -> Spec:
    """The study with another run's best configurations first; `warn` is told of those that do not fit."""
    from sweep.door.warm_start import started

    other = load(folder_of(start_from, runs).path)
    spec, misfits = started(spec, other.trials, str(other.folder))
    for misfit in misfits:
        warn(misfit)
    return spec


def _run(spec: Spec, folder: RunFolder, data: Data, pool: Pool, wishes: Wishes) -> None:
    """Open the storage, make or claim the folder, and go through the study; a storage elsewhere is opened first."""
    from sweep.door import recipe
    from sweep.door.finishing import Story, judge
    from sweep.results.answer import Answer
    from sweep.results.tables.tables import Tables
    from sweep.search.running.loop import Hooks, StudyLoop, open_study, sampler_of
    from sweep.search.storage.storage import open_for_writing

    def known(storage: OpenStorage) -> optuna.Study:
        with storage.writing():
            study = open_study(spec, storage, data.fingerprint)
            _check_known(study, folder)
        return study

    sampler_of(spec)  # one that cannot work is found before anything is written
    elsewhere = open_for_writing(spec.study.storage) if spec.study.storage else None
    if wishes.fresh:
        _set_aside(folder, elsewhere)
    study = known(elsewhere) if elsewhere else None
    with folder.locked():
        storage = elsewhere or open_for_writing(folder.address(spec))
        study = study or known(storage)
        folder.write(spec)
        recipe.write(folder.path, spec, data)
        tables = Tables(folder.path, spec.space().columns(), effective_rates=spec.study.effective_rates)
        story = Story(study, storage, spec.study.question)

        def notify(progress: Progress) -> None:
            wishes.notify(progress)
            story.begin(progress)

        hooks = Hooks(tables.record, notify, wishes.stopping, wishes.warn)
        loop = StudyLoop(spec, study, storage, pool, hooks)
        pool.equip(loop.job([]))
        progress = loop.run(wishes.timeout)
        if wishes.stopping():
            return
        if progress.done == progress.total:
            judge(spec, folder.path, pool, progress, hooks)
        with storage.writing():
            story.end(Answer(folder.path, spec))


def _check_known(study: optuna.Study, folder: RunFolder) -> None:
    """Raise `UsageError` if the storage has finished trials that the tables of the folder have not."""
    from sweep.results.statistics import summaries
    from sweep.results.tables import tables

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
    from sweep.search.storage.storage import rename_study

    if folder.path.exists():
        with folder.locked():
            folder.set_aside()
    if storage is not None:
        rename_study(storage, folder.path.name)


def train(
    configurations: Sequence[Configuration],
    data: str | DataSource | Data = "digits",
    *,
    seed: int = 0,
    **settings: Any,
) -> pd.DataFrame:
    """Train configurations together, without Optuna, and give their curves.

    Parameters
    ----------
    configurations : sequence of Configuration
        Optimizers and schedules may be mixed.
    data : str, DataSource or Data
        A data set's name, or data made by `sweep.learning.data.splits`.
    seed : int
        Decides the split, the initial weights and the order of minibatches.
    settings
        Fields of `sweep.learning.training.loop.Settings`: hidden, activation, epochs, batch_size, replicates, ...

    Returns
    -------
    DataFrame
        The table `curves`; `number` is the configuration's place.
    """
    from sweep.results.tables.tables import curves_of

    known = Settings.__dataclass_fields__
    for name in settings:
        if name not in known:
            raise UsageError(f"train: {unknown('setting', name, known)}")
    source = named(data) if isinstance(data, str) else data
    ready = source if isinstance(source, Data) else prepare(source, seed)
    return curves_of(train_population(configurations, ready, Settings(**settings), seed))


__all__ = [
    "Result", "SweepError", "configuration_of", "find_all", "folder_of", "folders_of", "load", "resolve", "resolve_all",
    "run", "train",
]  # fmt: skip
