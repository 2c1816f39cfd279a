from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.source import DataSource
from sweep.learning.optimizers.rules import OPTIMIZERS, Momentum, RMSProp
from sweep.learning.training.settings import MOST_ROWS, Settings
from sweep.search.running.workers import (
    BACKENDS,
    TRIES,
    Finished,
    Job,
    Loky,
    Lost,
    Pool,
    Serial,
    Warn,
    open_pool,
    run,
    shares,
)

SETTINGS = Settings(hidden=(4,), epochs=2)
CONFIGURATIONS = (Configuration(0.01, Momentum()), Configuration(0.02, RMSProp()))
JOB = Job(DataSource(name="iris"), SETTINGS, 0, CONFIGURATIONS)

populations = st.lists(st.sampled_from(list(OPTIMIZERS)), max_size=200).map(
    lambda names: [Configuration(0.1, OPTIMIZERS[name]()) for name in names]
)
worker_counts = st.integers(1, 20)


@given(trials=populations, workers=worker_counts, replicates=st.integers(1, 100))
def test_shares_deal_every_trial_to_exactly_one_job(trials: list[Configuration], workers: int, replicates: int) -> None:
    jobs = shares(trials, workers, replicates, MOST_ROWS)
    assert sorted(index for job in jobs for index in job) == list(range(len(trials)))
    assert all(jobs)


@given(trials=populations, workers=worker_counts, replicates=st.integers(1, 100))
def test_shares_keep_every_worker_busy_while_there_are_trials(
    trials: list[Configuration], workers: int, replicates: int
) -> None:
    assert len(shares(trials, workers, replicates, MOST_ROWS)) >= min(workers, len(trials))


@given(trials=populations, workers=worker_counts, replicates=st.integers(1, 100))
def test_shares_keep_trials_of_one_optimizer_together(
    trials: list[Configuration], workers: int, replicates: int
) -> None:
    dealt = [trials[index].optimizer.name for job in shares(trials, workers, replicates, MOST_ROWS) for index in job]
    assert dealt == sorted(dealt)


@given(trials=populations, workers=worker_counts)
def test_no_job_is_larger_than_a_population_should_be(trials: list[Configuration], workers: int) -> None:
    assert all(len(job) <= MOST_ROWS for job in shares(trials, workers, 1, MOST_ROWS))


@given(trials=populations, workers=worker_counts, replicates=st.integers(2, MOST_ROWS))
@example(trials=[CONFIGURATIONS[0]] * 5, workers=1, replicates=25)
def test_no_job_is_larger_than_a_population_should_be_with_replicates_counted(
    trials: list[Configuration], workers: int, replicates: int
) -> None:
    assert all(len(job) * replicates <= MOST_ROWS for job in shares(trials, workers, replicates, MOST_ROWS))


# What Dask's cluster has to say of ports, and of sockets that it closes late, is not ours to fail for.
let_dask_warn = pytest.mark.filterwarnings("ignore:::distributed", "ignore::ResourceWarning")


@pytest.fixture(scope="module", params=BACKENDS)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    opened = open_pool(request.param, 1)
    yield opened
    opened.close()


@let_dask_warn
def test_every_backend_trains_what_this_process_would(pool: Pool) -> None:
    there, here = pool.submit(JOB).result(), run(JOB)
    assert isinstance(there, Finished)
    for name in ("learning_rate", "train_loss", "validation_loss", "validation_error", "epochs", "parameters"):
        np.testing.assert_array_equal(getattr(there.training, name), getattr(here.training, name))
    assert there.started <= there.finished


@let_dask_warn
def test_a_job_that_was_not_taken_back_has_a_result(pool: Pool) -> None:
    handles = [pool.submit(JOB) for _ in range(3)]
    for handle in handles:
        if not handle.cancel():
            assert len(handle.result().training.epochs) == len(CONFIGURATIONS)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("workers", [0, -3])
def test_fewer_than_one_worker_is_one_line(backend: str, workers: int) -> None:
    with pytest.raises(UsageError) as caught:
        open_pool(backend, workers)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"--workers {workers}")
    assert "at least 1" in line


def test_an_unknown_backend_is_one_line_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"--backend: .*'lokky'.*did you mean 'loky'"):
        open_pool("lokky", 1)


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "dask"])
def test_a_scheduler_goes_with_dask_only(backend: str) -> None:
    with pytest.raises(UsageError, match=r"--scheduler tcp://there:1: .*--backend dask"):
        open_pool(backend, 1, "tcp://there:1")


def test_loky_starts_one_worker_a_core_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []

    def start(count: int, address: str | None, warn: Any) -> Any:
        started.append(count)

    monkeypatch.setitem(BACKENDS, "loky", start)
    open_pool("loky", None)
    open_pool("loky", 3)
    assert started[0] >= 1
    assert started[1] == 3


@dataclass(frozen=True, slots=True)
class Deadly(DataSource):
    """Iris, whose loading kills the worker that does it, as often as said."""

    folder: str = ""
    times: int = 0
    parent: int = 0

    def __setstate__(self, state: list[Any]) -> None:
        """What a worker calls when it is handed the job."""
        for field, value in zip(fields(self), state, strict=True):
            object.__setattr__(self, field.name, value)
        died = len(list(Path(self.folder).iterdir()))
        if died < self.times and os.getpid() != self.parent:
            (Path(self.folder) / str(died)).touch()
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.filterwarnings("ignore:A worker stopped")  # joblib says so when a worker dies; here it is meant to
def test_a_dead_worker_is_replaced_and_its_job_run_again(tmp_path: Path) -> None:
    warned: list[str] = []
    pool = open_pool("loky", 1, warn=warned.append)
    deadly = Deadly(name="iris", folder=str(tmp_path), times=1, parent=os.getpid())
    try:
        handles = [pool.submit(Job(deadly, SETTINGS, 0, CONFIGURATIONS)), pool.submit(JOB)]
        for handle in handles:
            np.testing.assert_array_equal(handle.result().training.parameters, run(JOB).training.parameters)
    finally:
        pool.close()
    assert len(list(tmp_path.iterdir())) == 1
    # Nobody knows whose fault it was, so both jobs are run again.
    assert (
        warned == [f"a worker died (killed, or out of memory): its 2 trials are trained again (try 2 of {TRIES})"] * 2
    )


class Executor:
    """Breaks as often as said, then gives the job's result."""

    def __init__(self, breaks: int, at: str, fault: Exception | None = None) -> None:
        self.breaks, self.at, self.submitted = breaks, at, 0
        self.fault = fault or BrokenExecutor("a worker died")

    def submit(self, function: Any, job: Job) -> Future[Finished]:
        self.submitted += 1
        broken = self.submitted <= self.breaks
        if broken and self.at == "submit":
            raise self.fault
        future: Future[Finished] = Future()
        if broken:
            future.set_exception(self.fault)
        else:
            future.set_result(function(job))
        return future


def loky_with(monkeypatch: pytest.MonkeyPatch, executor: Executor, warn: Warn = pytest.fail) -> Loky:
    monkeypatch.setattr(Loky, "_start", lambda self: executor)
    return Loky(1, None, warn)


FAULTS: dict[str, tuple[Exception, str]] = {
    "death": (BrokenExecutor("gone"), "died (killed, or out of memory)"),
    "memory": (MemoryError(), "had not enough memory"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("breaks", range(TRIES))
def test_a_job_is_tried_again_while_workers_fall_over_it(
    monkeypatch: pytest.MonkeyPatch, breaks: int, fault: str
) -> None:
    executor, warned = Executor(breaks, "result", FAULTS[fault][0]), list[str]()
    result = loky_with(monkeypatch, executor, warned.append).submit(JOB).result()
    assert len(result.training.epochs) == len(CONFIGURATIONS)
    assert executor.submitted == breaks + 1
    assert warned == [
        f"a worker {FAULTS[fault][1]}: its 2 trials are trained again (try {attempt} of {TRIES})"
        for attempt in range(2, breaks + 2)
    ]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_job_over_which_every_worker_falls_is_given_up_in_one_line(
    monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    executor, warned = Executor(TRIES, "result", FAULTS[fault][0]), list[str]()
    with pytest.raises(Lost) as caught:
        loky_with(monkeypatch, executor, warned.append).submit(JOB).result()
    assert str(caught.value) == f"the worker of 2 trials {FAULTS[fault][1]} {TRIES} times"
    assert executor.submitted == TRIES
    assert len(warned) == TRIES - 1


def test_an_executor_found_broken_when_a_job_is_handed_over_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    executor = Executor(1, "submit")
    assert loky_with(monkeypatch, executor).submit(JOB).result().training.epochs.tolist() == [2, 2]


def test_the_process_itself_gives_a_job_up_for_which_there_is_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhaust(job: Job) -> Finished:
        raise MemoryError

    handle = Serial(1, None, pytest.fail).submit(JOB)
    assert len(handle.result().training.epochs) == len(CONFIGURATIONS)
    monkeypatch.setattr("sweep.search.running.workers.run", exhaust)
    with pytest.raises(Lost, match="not enough memory"):
        Serial(1, None, pytest.fail).submit(JOB).result()


def test_a_fault_of_the_job_itself_is_raised_once_and_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(job: Job) -> Finished:
        raise UsageError("no good")

    executor = Executor(0, "result")
    monkeypatch.setattr("sweep.search.running.workers.run", fail)
    with pytest.raises(UsageError, match="no good"):
        loky_with(monkeypatch, executor).submit(JOB).result()
    assert executor.submitted == 1


def blas_threads() -> list[int]:
    """How many threads each BLAS of the process may use; called in a worker."""
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def has_scikit_learn() -> bool:
    """Whether this process has had to import it; called in a worker."""
    return "sklearn" in sys.modules


def test_a_loky_worker_with_prepared_data_gives_the_same_and_needs_no_scikit_learn_nor_a_second_thread() -> None:
    pool = Loky(1, None, pytest.fail)
    try:
        threads = pool._executor.submit(blas_threads).result()
        handler = pool._executor.submit(signal.getsignal, signal.SIGINT).result()
        pool.equip(JOB)
        equipped = pool.submit(JOB).result().training
        assert not pool._executor.submit(has_scikit_learn).result()
        other = replace(JOB, seed=1)  # other data, which nobody has prepared
        unequipped = pool.submit(other).result().training
        assert pool._executor.submit(has_scikit_learn).result()
    finally:
        pool.close()
    assert threads
    assert set(threads) == {1}
    assert handler == signal.SIG_IGN
    for found, job in ((equipped, JOB), (unequipped, other)):
        expected = run(job).training
        np.testing.assert_array_equal(found.validation_loss, expected.validation_loss)
        np.testing.assert_array_equal(found.parameters, expected.parameters)


def test_the_prepared_data_are_gone_when_the_pool_is_closed() -> None:
    pool = Loky(1, None, pytest.fail)
    pool.equip(JOB)
    assert pool.files.folder
    folder = Path(pool.files.folder.name)
    assert list(folder.iterdir())
    pool.close()
    assert not folder.exists()


def test_without_room_for_the_prepared_data_a_worker_prepares_them_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*unused: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("joblib.dump", full)
    pool = Loky(1, None, pytest.fail)
    try:
        pool.equip(JOB)
        assert pool.submit(JOB).result().training.epochs.tolist() == [2, 2]
    finally:
        pool.close()
