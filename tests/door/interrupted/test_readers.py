"""Dashboards read a study while a run writes it, in each kind of storage: no error, no trial lost, none seen to go."""

from __future__ import annotations

import io
import json
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial

from sweep.door.dashboard import application
from sweep.door.result import load
from tests.door.test_dashboard import fetch
from tests.terminal import TINY, command, environment

pytestmark = pytest.mark.long

READERS = 4
TOTALS = (8, 32, 64)  # of the runs, one after the other: before the dashboard starts, and while it is read


class Reader(threading.Thread):
    """Somebody who looks at the study again and again, as a browser does, and notes how many trials there are.

    A browser says how many finished trials it has (``after``), and gets the others.
    """

    def __init__(self, address: str, *, everything: bool, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.address, self.everything, self.ended = address, everything, ended
        self.seen: list[int] = []
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            while not self.ended.wait(0.05):
                self.look()
        except Exception as error:  # told to the test, which raises it
            self.error = error

    def look(self) -> None:
        (study,) = fetch(f"{self.address}/api/studies")["study_summaries"]
        known = 0 if self.everything or not self.seen else self.seen[-1] // 2
        detail = fetch(f"{self.address}/api/studies/{study['study_id']}?after={known}")
        numbers = [trial["number"] for trial in detail["trials"]]
        assert numbers == list(range(known, known + len(numbers)))
        self.seen.append(known + len(numbers))


@contextmanager
def dashboard(folder: Path, complaints: Path) -> Iterator[str]:
    """The address of a real dashboard, whose stderr goes to a file."""
    with complaints.open("w") as stderr:
        process = subprocess.Popen(
            command("dashboard", "tiny.toml", "--port", "0"),
            cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=stderr, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[0].removesuffix("/dashboard")
        finally:
            process.terminate()
            process.wait(timeout=60)
            process.stdout.close()


@contextmanager
def readers(address: str) -> Iterator[list[Reader]]:
    """Some readers at work, half of which ask for the whole study each time."""
    ended = threading.Event()
    found = [Reader(address, everything=i % 2 == 0, ended=ended) for i in range(READERS)]
    for reader in found:
        reader.start()
    try:
        yield found
    finally:
        ended.set()
        for reader in found:
            reader.join(timeout=120)


def sweep_to(total: int, folder: Path, *options: str) -> None:
    """Run the study to this total in a process of its own; it must not say a word."""
    line = command("run", "tiny.toml", "-q", "--trials", str(total), "--workers", "1", *options)
    done = subprocess.run(line, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def wait_until_seen(total: int, found: list[Reader]) -> None:
    """Wait for every reader to see so many trials; a dashboard looks at a storage again after up to 10 seconds."""
    for _ in range(1200):
        for reader in found:
            if reader.error is not None:
                raise reader.error
        if all(reader.seen and reader.seen[-1] >= total for reader in found):
            return
        threading.Event().wait(0.1)
    pytest.fail(f"after two minutes the readers have seen {[reader.seen[-1:] for reader in found]} of {total} trials")


@pytest.mark.parametrize("kind", ["journal", "sqlite", "postgresql"])
def test_readers_see_every_trial_of_a_study_that_is_written(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    storage: tuple[str, ...] = ()
    if kind == "sqlite":
        storage = ("--storage", "sqlite:///optuna.db")
    elif kind == "postgresql":
        storage = ("--storage", request.getfixturevalue("postgresql").new_database())
    (tmp_path / "tiny.toml").write_text(TINY)
    sweep_to(TOTALS[0], tmp_path, *storage)
    complaints = tmp_path / "dashboard.txt"
    with dashboard(tmp_path, complaints) as address, readers(address) as found:
        wait_until_seen(TOTALS[0], found)
        for total in TOTALS[1:]:
            sweep_to(total, tmp_path)
            wait_until_seen(total, found)
    for reader in found:
        assert reader.error is None
        assert reader.seen == sorted(reader.seen), "trials were seen to go"
        assert reader.seen[-1] == TOTALS[-1]
        assert set(TOTALS) <= set(reader.seen)
    assert complaints.read_text() == ""
    assert_nothing_lost(tmp_path / "runs" / "tiny", TOTALS[-1])


def assert_nothing_lost(folder: Path, total: int) -> None:
    """The tables and the storage have every trial, and all are finished."""
    result = load(folder)
    numbers = list(range(total))
    assert result.trials["number"].tolist() == numbers
    assert set(result.trials["state"]) <= {"complete", "diverged", "pruned"}
    assert result.curves["number"].unique().tolist() == numbers
    assert [trial.number for trial in result.study.trials] == numbers
    assert all(trial.state.is_finished() for trial in result.study.trials)


class Hesitant(InMemoryStorage):
    """A storage of which the first reader is held up on the way back, until the second has been or a second is over."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.first_has_read, self.second_is_back = threading.Event(), threading.Event()

    def get_all_trials(self, *arguments: Any, **options: Any) -> list[FrozenTrial]:
        found = list(super().get_all_trials(*arguments, **options))
        self.reads += 1
        if self.reads == 1:
            self.first_has_read.set()
            self.second_is_back.wait(1.0)
        return found


def trials_in(answer: Any, study_id: int) -> int:
    """How many trials the dashboard's application says there are."""
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": f"/api/studies/{study_id}", "QUERY_STRING": "after=0",
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
    }  # fmt: skip
    return len(json.loads(b"".join(answer(environ, lambda *said: None)))["trials"])


def test_a_slow_reader_does_not_take_trials_back_from_a_quick_one() -> None:
    storage = Hesitant()
    study = optuna.create_study(storage=storage)
    study.add_trial(optuna.create_trial(value=1.0))
    answer = application(storage)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(trials_in, answer, study._study_id)
        assert storage.first_has_read.wait(60)
        study.add_trial(optuna.create_trial(value=2.0))
        quick = pool.submit(trials_in, answer, study._study_id)
        quick.add_done_callback(lambda _: storage.second_is_back.set())
        seen = [quick.result(60), slow.result(60)]
    assert trials_in(answer, study._study_id) >= max(seen)
