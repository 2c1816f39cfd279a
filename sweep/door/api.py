"""Running studies from Python: what the command line does, without the terminal. The guide ``python`` has examples."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from sweep.door.python.keys import Keys
from sweep.door.python.wanted import Wanted, kept, prepared
from sweep.door.result import Result, configuration_of, load
from sweep.door.run_folder import RunFolder
from sweep.door.studies import Study, find_all, folder_of, folders_of, resolve, resolve_all
from sweep.errors import SweepError, UsageError, unknown
from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Facts
from sweep.learning.data.splits import facts, samples
from sweep.learning.data.table import Task
from sweep.learning.training.loop import train as train_population
from sweep.learning.training.settings import Settings
from sweep.search.running import suitable
from sweep.search.running.records import Progress
from sweep.search.study_file.spec import Spec

if TYPE_CHECKING:
    import pandas as pd


def run(
    study: Study | None = None,
    *,
    data: Any = None,
    target: str | Sequence[str] | None = None,
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
    **keys: Unpack[Keys],
) -> Result:
    """Run a study, or go on with it.

    Parameters
    ----------
    study : str, Path, mapping or Spec, optional
        A shipped study's name, a path to a study file, or the content of one; of one that has variants, one of them.
        Left out: a study of the data with the defaults, called "table" unless `name` says otherwise; without any data
        "quickstart".
    data : table, pair, str, Path or mapping, optional
        In place of the study's: a DataFrame (pandas, polars), an Arrow table, an array, a pair ``(X, y)`` or a Bunch of
        scikit-learn; it is kept in the run folder as data.parquet. Or a data set's name, a file, or keys of ``[data]``.
    target : str or sequence of str, optional
        The column to predict, or several of numbers; of a pair, what y is called.
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
    keys
        Any other key of a study file by its own name, over what the study says: ``epochs=20``, ``hidden=[64]``,
        ``optimizers=["adam"]``, ``group="patient"``. A pair of numbers for a constant that is searched is a range.

    Raises
    ------
    SweepError
        Before anything is written if the study, the data or an argument is at fault.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> import sweep
    >>> frame = pd.DataFrame({"size": range(90), "kind": list("abc") * 30, "sold": [0] * 45 + [1] * 45})
    >>> with tempfile.TemporaryDirectory() as runs:
    ...     result = sweep.run(
    ...         data=frame, target="sold", name="houses", trials=8, optimizers=["momentum"], schedules=["constant"],
    ...         learning_rate=(1e-3, 0.1), epochs=5, seeds=0, backend="serial", runs=runs,
    ...     )
    ...     print(result.folder.name, len(result.trials), result.best["optimizer"])
    houses 8 momentum

    The same from the content of a study file:

    >>> study = {
    ...     "study": {"name": "tiny", "trials": 8},
    ...     "data": {"name": "iris"},
    ...     "network": {"hidden": [8], "epochs": 5},
    ...     "search": {"optimizers": ["momentum"], "schedules": ["constant", "step"]},
    ...     "verdict": {"seeds": 0},
    ... }
    >>> with tempfile.TemporaryDirectory() as runs:
    ...     print(sweep.run(study, backend="serial", runs=runs).best["optimizer"])
    momentum
    """
    from sweep.search.running.workers import open_pool

    wishes = {"trials": trials, "seed": seed, "sampler": sampler, "pruner": pruner}
    wanted, table = Wanted(study, data, target, keys, wishes).found(_ARGUMENTS)
    spec = resolve(wanted, **wishes, storage=storage)
    if start_from is not None:
        spec = warmed(spec, start_from, runs, warn)
    if timeout is not None and not timeout > 0:
        raise UsageError(f"--timeout {timeout:g}: must be above 0 seconds")
    folder = RunFolder(Path(runs) / spec.study.name)
    with kept(spec, folder, table, fresh=fresh) as spec:
        del table  # in memory it is kept until it is written
        pool = open_pool(backend, workers, scheduler, warn)
        finished = False
        try:
            spec, known = usable(spec)  # what cannot be used is found before anything is written
            if not fresh:
                spec = folder.check(spec)
            from sweep.door.running.session import Session, Wishes  # it takes its time, while the workers start

            Session(spec, folder, known, pool, Wishes(fresh, timeout, notify, stopping, warn)).run()
            finished = True
        finally:
            pool.close(now=not finished)
    return Result(folder.path, spec)


_ARGUMENTS = tuple(name for name in inspect.signature(run).parameters if name != "keys")


def usable(spec: Spec) -> tuple[Spec, Facts]:
    """The study as it suits its data, and what is known of these; or a `SweepError` if they cannot be used."""
    spec = spec.suited(samples(spec.source()))
    known = facts(spec.source(), spec.study.seed, spec.splits)
    suitable.check(spec, known)
    return spec, known


def warmed(spec: Spec, start_from: str | Path, runs: str | Path, warn: Callable[[str], None]) -> Spec:
    """The study with another run's best configurations first; `warn` is told of those that do not fit."""
    from sweep.door.warm_start import started

    other = load(folder_of(start_from, runs).path)
    spec, misfits = started(spec, other.trials, str(other.folder))
    for misfit in misfits:
        warn(misfit)
    return spec


def train(
    configurations: Sequence[Configuration],
    data: Any = "digits",
    *,
    target: str | Sequence[str] | None = None,
    task: Task | None = None,
    seed: int = 0,
    **settings: Any,
) -> pd.DataFrame:
    """Train configurations together, without Optuna, and give their curves.

    Parameters
    ----------
    configurations : sequence of Configuration
        Optimizers and schedules may be mixed.
    data : str, Path, table, pair, DataSource or Data
        A data set's name, a file, a table or a pair ``(X, y)`` as `run` takes them, or data made by
        `sweep.learning.data.splits`.
    target : str or sequence of str, optional
        The column to predict of a table or a file, or several of numbers; of a pair, what y is called.
    task : str, optional
        ``"classification"`` or ``"regression"``, if it is not what the target looks like.
    seed : int
        Decides the split, the initial weights and the order of minibatches.
    settings
        Fields of `sweep.learning.training.settings.Settings`: hidden, activation, epochs, batch_size, replicates, ...

    Returns
    -------
    DataFrame
        The table `curves`; `number` is the configuration's place.

    Examples
    --------
    >>> import pandas as pd
    >>> import sweep
    >>> momentum = sweep.optimizers.Momentum(momentum=0.9)
    >>> curves = sweep.train([sweep.Configuration(rate, momentum) for rate in (1e-4, 0.02)], "wine", epochs=10)
    >>> last = curves[curves["epoch"] == 10].set_index("number")["validation_loss"]
    >>> bool(last[1] < last[0])
    True

    Of a table of one's own:

    >>> frame = pd.DataFrame({"size": range(90), "kind": list("abc") * 30, "price": [2.5 * size for size in range(90)]})
    >>> curves = sweep.train([sweep.Configuration(0.02, momentum)], frame, target="price", epochs=10)
    >>> int(curves["epoch"].max())
    10
    """
    from sweep.results.tables.tables import curves_of

    known = Settings.__dataclass_fields__
    for name in settings:
        if name not in known:
            raise UsageError(f"train: {unknown('setting', name, known)}")
    ready = prepared(data, target, task, seed)
    return curves_of(train_population(configurations, ready, Settings(**settings), seed))


__all__ = [
    "Result", "SweepError", "configuration_of", "find_all", "folder_of", "folders_of", "load", "resolve", "resolve_all",
    "run", "train",
]  # fmt: skip
