"""Who trains: this process, joblib's loky processes, or a Dask cluster.

A job is small and pure: names, numbers, configurations. It returns arrays, and can be run again anywhere, so a worker
that dies costs nothing but time. Workers never see the storage or a file of the run.
"""

from __future__ import annotations

import functools
import os
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sweep.errors import SweepError, UsageError, unknown
from sweep.learning.configuration import Configuration
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import prepare
from sweep.learning.training.laid_out import LaidOut
from sweep.learning.training.loop import Pause, Training, train
from sweep.learning.training.settings import Settings
from sweep.learning.training.tester import At, Tested, Tester
from sweep.search.running import children
from sweep.search.running.prepared import Files, Key

TRIES = 3  # of a job whose worker dies
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


Warn = Callable[[str], None]


class Lost(SweepError):
    """A job that cost its worker's life every time, or for which there is not enough memory."""


@dataclass(frozen=True, slots=True)
class Job:
    """Some trials to be trained as one population.

    `begin` is what they go on from, if not from the start, and `until` the epoch to pause after, if not the last.
    `prepared` may name a file with the data as they are trained on: quicker to read than to load, split and scale them
    again, which takes scikit-learn. With a `test` the networks are also evaluated on the test part, if there is one:
    after the last epoch, or after that with the best of the `curve`.
    """

    source: DataSource
    settings: Settings
    seed: int
    configurations: tuple[Configuration, ...]
    begin: Pause | None = None
    until: int | None = None
    prepared: str = ""
    test: At | None = None
    curve: str = "validation_loss"


@dataclass(frozen=True, slots=True)
class Finished:
    """What a job gave, but for the trained parameters, and when (seconds since the epoch) it ran."""

    training: Training
    started: float
    finished: float
    test: Tested | None = None


def run(job: Job) -> Finished:
    """Train a job's trials: the function that workers run."""
    started = time.time()
    data = _read(job.prepared) if job.prepared else _prepared(job)
    tester = None
    if job.test and len(data.test):
        tester = Tester(data, job.settings, len(job.configurations), job.test)
    watch = tester.watch if tester else None
    training = train(job.configurations, data, job.settings, job.seed, watch=watch, begin=job.begin, until=job.until)
    tested = tester.tested(training, job.curve) if tester else None
    return Finished(replace(training, parameters=training.parameters[..., :0]), started, time.time(), tested)


def _key(job: Job) -> Key:
    """What decides a job's data."""
    return job.source, job.seed, job.settings.splits, job.settings.dtype


def _prepared(job: Job) -> LaidOut:
    """A job's data, prepared here."""
    return LaidOut.of(prepare(job.source, job.seed, job.settings.splits), job.settings.dtype)


@functools.lru_cache(maxsize=1)
def _read(file: str) -> LaidOut:
    """A job's data, prepared elsewhere."""
    return LaidOut.read(file)


class Handle(Protocol):
    """The future of one job, as `concurrent.futures` has it."""

    def result(self) -> Finished:
        """Wait for the job; raise what it raised, or `Lost`."""

    def cancel(self) -> bool:
        """Take the job back if nobody has begun it."""


class Pool(Protocol):
    """Somebody who runs jobs."""

    workers: int

    def equip(self, job: Job) -> None:
        """Spare the workers the preparing of the data of jobs like this one, if they can be handed over cheaply."""

    def submit(self, job: Job) -> Handle:
        """Hand a job over."""

    def close(self, *, now: bool = False) -> None:
        """Let the workers go; `now` does not wait for what they are doing."""


class Serial:
    """The process itself, one job after the other."""

    def __init__(self, workers: int, address: str | None, warn: Warn) -> None:
        del workers, address, warn
        self.workers = 1

    def equip(self, job: Job) -> None:
        """Nothing to do: this process has the data."""

    def submit(self, job: Job) -> Handle:
        """Run the job at once."""
        future: Future[Finished] = Future()
        try:
            future.set_result(run(job))
        except MemoryError:
            future.set_exception(Lost("not enough memory"))
        return future

    def close(self, *, now: bool = False) -> None:
        """Nothing to let go."""


class Loky:
    """Processes of joblib's loky, one BLAS thread each; they leave Ctrl-C to the parent.

    They start at once, so that they import what they need while the parent imports what it needs.
    """

    def __init__(self, workers: int, address: str | None, warn: Warn) -> None:
        del address
        self.workers, self.warn = workers, warn
        self._executor = self._start()
        self.files = Files()

    def _start(self) -> Any:
        from joblib.externals.loky import get_reusable_executor

        with children.quiet():
            executor = get_reusable_executor(
                self.workers, timeout=300, initializer=children.get_ready, initargs=(os.getpid(),), env=_ONE_THREAD
            )
            executor.submit(_nothing)
        return executor

    def equip(self, job: Job) -> None:
        """Put the data into a file for the workers."""
        self.files.put(_key(job))

    def submit(self, job: Job) -> Handle:
        """Hand the job over; a worker that dies is replaced and the job run again."""
        return _Retried(self, replace(job, prepared=self.files.of(_key(job))))

    def hand_over(self, job: Job) -> Future[Finished]:
        """Give a job to the executor, which is replaced if it has broken."""
        from concurrent.futures import BrokenExecutor

        try:
            future: Future[Finished] = self._executor.submit(run, job)
        except BrokenExecutor:
            self._executor = self._start()
            future = self._executor.submit(run, job)
        return future

    def close(self, *, now: bool = False) -> None:
        """Stop the processes."""
        self._executor.shutdown(wait=True, kill_workers=now)
        self.files.close()


class _Retried:
    """A job in loky that is handed over again when its worker has died.

    When one worker dies, the jobs of all are broken, and nobody knows whose fault it was. Each is run again when it is
    waited for, alone: so a job that breaks again has only itself to blame.
    """

    def __init__(self, pool: Loky, job: Job) -> None:
        self._pool, self._job = pool, job
        self._future = pool.hand_over(job)
        pool.files.begun(_key(job))

    def result(self) -> Finished:
        try:
            return self._result()
        finally:
            self._pool.files.ended(_key(self._job))

    def _result(self) -> Finished:
        from concurrent.futures import BrokenExecutor

        trials = f"{len(self._job.configurations)} trials"
        for attempt in range(1, TRIES + 1):
            try:
                if attempt > 1:
                    self._future = self._pool.hand_over(self._job)
                return self._future.result()
            except (BrokenExecutor, MemoryError) as error:
                why = "had not enough memory" if isinstance(error, MemoryError) else "died (killed, or out of memory)"
                if attempt < TRIES:
                    self._pool.warn(f"a worker {why}: its {trials} are trained again (try {attempt + 1} of {TRIES})")
        raise Lost(f"the worker of {trials} {why} {TRIES} times")

    def cancel(self) -> bool:
        cancelled = self._future.cancel()
        if cancelled:
            self._pool.files.ended(_key(self._job))
        return cancelled


class Dask:
    """A Dask cluster: that of the scheduler at `address`, else one started on this machine."""

    def __init__(self, workers: int, address: str | None, warn: Warn) -> None:
        del warn
        try:
            from distributed import Client

            connect: Any = Client
        except ImportError as error:
            raise UsageError(
                "--backend dask: the package 'distributed' is missing: pip install 'sweep[dask]'"
            ) from error
        try:
            if address:
                self._client: Any = connect(address, timeout="10s")
                self._client.wait_for_workers(1, timeout=30)
                workers = len(self._client.scheduler_info(n_workers=-1)["workers"])
            else:
                self._client = connect(n_workers=workers, threads_per_worker=1, dashboard_address=None)
        except (OSError, TimeoutError) as error:
            raise UsageError(f"--scheduler {address}: no Dask scheduler with workers answers there") from error
        self.workers = workers

    def equip(self, job: Job) -> None:
        """Nothing to do: the workers may be on other machines, and prepare the data once each."""

    def submit(self, job: Job) -> Handle:
        """Hand the job over; Dask itself runs it again when a worker dies."""
        return _Elsewhere(self._client.submit(run, job, pure=False))

    def close(self, *, now: bool = False) -> None:
        """Leave the cluster; stop it if it is ours."""
        self._client.close()


class _Elsewhere:
    """A job on a cluster. It is never taken back: Dask does not say whether it has begun."""

    def __init__(self, future: Any) -> None:
        self._future = future

    def result(self) -> Finished:
        from distributed import KilledWorker

        try:
            finished: Finished = self._future.result()
        except (KilledWorker, MemoryError) as error:
            raise Lost(f"no worker of the cluster survives it: {error}") from error
        return finished

    def cancel(self) -> bool:
        return False


BACKENDS: dict[str, Callable[[int, str | None, Warn], Pool]] = {"loky": Loky, "serial": Serial, "dask": Dask}


def open_pool(backend: str, workers: int | None, address: str | None = None, warn: Warn = warnings.warn) -> Pool:
    """Start workers.

    Parameters
    ----------
    backend : str
        A name of `BACKENDS`.
    workers : int, optional
        How many; left out: one a core.
    address : str, optional
        A Dask scheduler.
    warn : callable
        Told when a worker has died.
    """
    if backend not in BACKENDS:
        raise UsageError(f"--backend: {unknown('backend', backend, BACKENDS)}")
    if address and backend != "dask":
        raise UsageError(f"--scheduler {address}: goes with --backend dask, not with {backend}")
    return BACKENDS[backend](workers_to_start(workers), address, warn)


def workers_to_start(wanted: int | None) -> int:
    """How many workers to start: as wanted, else one a core (affinity and container limits included)."""
    from joblib import cpu_count

    if wanted is None:
        return int(cpu_count())
    if wanted < 1:
        raise UsageError(f"--workers {wanted}: must be at least 1")
    return wanted


def shares(configurations: Sequence[Configuration], workers: int, trainings: int, rows: int) -> list[list[int]]:
    """Deal trials of so many `trainings` out: as many jobs as keep every worker busy, none above so many `rows`.

    Neighbours of one optimizer go to one job. How trials are dealt changes no result.
    """
    order = sorted(range(len(configurations)), key=lambda i: configurations[i].optimizer.name)
    most = max(1, rows // trainings)
    fewest = -(-len(order) // most)
    jobs = min(len(order), workers * -(-fewest // workers))
    return [order[i * len(order) // jobs : (i + 1) * len(order) // jobs] for i in range(jobs)]


def _nothing() -> None:
    """A job that makes the executor start its processes."""
