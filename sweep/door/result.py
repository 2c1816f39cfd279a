"""What a run has left: its tables, its statistics, and the configuration to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.door.run_folder import RunFolder
from sweep.errors import UsageError, unknown
from sweep.learning.configuration import Configuration
from sweep.learning.data.splits import facts
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


@dataclass(frozen=True)
class Result:
    """What a run has left, read from its folder when asked for; also while the run is going on.

    Tables are pandas DataFrames. A type checker knows that where `pandas-stubs` is installed; elsewhere it takes them
    for anything, for pandas has no types of its own.

    Attributes
    ----------
    folder : Path
    spec : Spec
        The resolved study.

    Examples
    --------
    >>> import tempfile
    >>> import sweep
    >>> study = {
    ...     "study": {"name": "tiny", "trials": 4},
    ...     "data": {"name": "iris"},
    ...     "network": {"hidden": [8], "epochs": 3},
    ...     "search": {"optimizers": ["momentum"], "schedules": ["step"]},
    ...     "verdict": {"seeds": 0},
    ... }
    >>> with tempfile.TemporaryDirectory() as runs:
    ...     result = sweep.run(study, backend="serial", runs=runs)
    ...     print(result.configuration.arm, result.trials["state"].tolist(), result.verdict)
    momentum x step ['complete', 'complete', 'complete', 'complete'] None
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
        """Updates an epoch; loads the data of a run that has not noted how many they are."""
        noted = self.answer.recipe.get("data", {}).get("samples")
        samples = noted[0] if noted else facts(self.spec.source(), self.spec.study.seed).samples[0]
        return self.spec.settings().steps(samples)

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
    def understood(self) -> Mapping[str, Any]:
        """What was understood of the data: task, classes, columns by kind, what was left out and why."""
        return self.answer.understood

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
    """Open a run folder, such as ``runs/quickstart``; a study may still be running in it.

    Raises
    ------
    UsageError
        There has been no run, or what says which study it was cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import sweep
    >>> study = {
    ...     "study": {"name": "tiny", "trials": 4},
    ...     "data": {"name": "iris"},
    ...     "network": {"hidden": [8], "epochs": 3},
    ...     "verdict": {"seeds": 0},
    ... }
    >>> with tempfile.TemporaryDirectory() as runs:
    ...     best = sweep.run(study, backend="serial", runs=runs).best
    ...     result = sweep.load(f"{runs}/tiny")
    ...     print(result.best == best, len(result.trials))
    True 4
    """
    return Result(Path(folder), RunFolder(Path(folder)).spec())
