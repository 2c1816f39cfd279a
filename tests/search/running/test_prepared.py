"""The files with prepared data: each is written once, mapped by whoever trains on it, and gone when no job needs it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweep.learning.configuration import Configuration
from sweep.learning.data import keeping
from sweep.learning.data.source import named
from sweep.learning.data.splits import prepare
from sweep.learning.optimizers.rules import Adam, Momentum
from sweep.learning.training.laid_out import LaidOut
from sweep.learning.training.minibatches import Samples
from sweep.learning.training.settings import Settings
from sweep.search.running import finalists
from sweep.search.running.finalists import Finalist
from sweep.search.running.prepared import Files, Key
from sweep.search.running.workers import Finished, Job, Loky, run
from sweep.search.space.space import Arm
from tests.studies import tiny

SETTINGS = Settings((4,), epochs=2)
JOB = Job(named("iris"), SETTINGS, 0, (Configuration(0.01, Momentum()), Configuration(0.01, Adam())), test="last")

ARM = Arm("momentum", "constant")


def key(seed: int) -> Key:
    return JOB.source, seed, 1, "float32"


@pytest.fixture
def files() -> Iterator[Files]:
    made = Files()
    yield made
    made.close()


def there(files: Files) -> list[str]:
    """The files that there are."""
    return sorted(str(file) for file in Path(files.folder.name).iterdir()) if files.folder else []


def test_data_are_written_once_for_all_jobs_on_them(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.put(key(0))
    monkeypatch.setattr(LaidOut, "write", pytest.fail)
    files.put(key(0))
    assert there(files) == [files.of(key(0))]
    assert files.of(key(1)) == ""


def test_a_file_goes_when_the_next_is_written_and_no_job_needs_it(files: Files) -> None:
    for seed in (0, 1):
        files.put(key(seed))
        files.begun(key(seed))
    files.begun(key(1))
    for seed in (0, 1):
        files.ended(key(seed))
    assert len(there(files)) == 2
    files.put(key(2))
    assert there(files) == sorted([files.of(key(1)), files.of(key(2))])  # one job of seed 1 is not done
    assert files.of(key(0)) == ""


def test_a_name_is_not_used_again_for_other_data(files: Files) -> None:
    """A worker that has read a file does not look again whether it is another."""
    names = []
    for seed in (0, 1, 0, 1):
        files.put(key(seed))
        names.append(files.of(key(seed)))
    assert len(set(names)) == 4


def test_data_of_another_precision_are_other_data(files: Files) -> None:
    single, double = key(0), (*key(0)[:3], "float64")
    for each in (single, double):
        files.put(each)
        files.begun(each)
    assert [LaidOut.read(files.of(each)).train.inputs.dtype for each in (single, double)] == ["float32", "float64"]


def test_half_a_file_is_not_left_where_there_is_no_room(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: LaidOut, file: str) -> None:
        Path(file).write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LaidOut, "write", full)
    files.put(key(0))
    assert files.folder
    assert there(files) == []
    assert files.of(key(0)) == ""


@pytest.mark.parametrize(("large", "kept"), [(0, False), (10**6, True)])
def test_who_has_written_large_data_does_not_keep_them(
    files: Files, monkeypatch: pytest.MonkeyPatch, large: int, kept: bool
) -> None:
    monkeypatch.setattr(keeping, "LARGE", large)
    source, seed, splits, _ = key(0)
    before = prepare(source, seed, splits)
    files.put(key(0))
    assert (prepare(source, seed, splits) is before) == kept


def test_who_trains_on_a_file_lays_nothing_out(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run(JOB)
    files.put(key(0))

    def of(part: Any, dtype: str) -> Samples:
        assert isinstance(part, Samples), "a copy a job"
        return part

    monkeypatch.setattr(Samples, "of", of)
    found = run(replace(JOB, prepared=files.of(key(0))))
    np.testing.assert_array_equal(found.training.validation_loss, expected.training.validation_loss)
    assert found.test
    assert expected.test
    for name, values in expected.test.metrics.items():
        np.testing.assert_array_equal(found.test.metrics[name], values, err_msg=name)


class Later:
    """Runs jobs when their results are waited for."""

    def submit(self, function: Any, job: Job) -> Any:
        return _Result(function, job)

    def shutdown(self, **how: Any) -> None:
        """Nothing to stop."""


class _Result:
    def __init__(self, function: Any, job: Job) -> None:
        self.function, self.job = function, job

    def result(self) -> Finished:
        future: Future[Finished] = Future()
        future.set_result(self.function(self.job))
        return future.result()


@pytest.mark.parametrize("workers", [1, 3])
def test_of_fresh_seeds_there_are_as_many_files_as_jobs_in_flight(
    monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(Loky, "_start", lambda self: Later())
    spec, candidates = tiny(), [Finalist(ARM, n, each) for n, each in enumerate(JOB.configurations)]
    pool, most, names = Loky(workers, None, pytest.fail), 0, set[str]()
    pool.equip(replace(JOB, seed=spec.study.seed))  # the search's, which nobody needs any more
    try:
        for _ in finalists.train(spec, pool, dict.fromkeys(range(9), candidates), lambda: False, rows=1):
            found = there(pool.files)
            most, names = max(most, len(found)), names | set(found)
    finally:
        pool.close()
    assert len(names) in (9, 10)  # each is written once, though two jobs train on it
    assert most <= workers + 1
    assert there(pool.files) == []
