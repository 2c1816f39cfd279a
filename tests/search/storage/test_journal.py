"""A journal when something goes wrong: no room, Ctrl-C, a kill within a commit, another writer, a corrupt line."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.storages.journal import JournalFileSymlinkLock

from sweep.errors import SweepError, UsageError
from sweep.search.storage.storage import OpenStorage, open_for_reading, open_for_writing
from tests.search.storage.test_storage import GARBAGE, add_trials, by_optuna, facts, opened, study_in


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.log"


@pytest.fixture
def lines(tmp_path: Path) -> list[bytes]:
    """The lines of a sound journal."""
    storage, study = opened(tmp_path / "sound.log")
    add_trials(study, 3)
    storage.commit()
    return (tmp_path / "sound.log").read_bytes().splitlines(keepends=True)


@contextmanager
def failing(error: BaseException) -> Iterator[None]:
    """Let writes come half-way to the disk and fail."""

    def fail(descriptor: int) -> None:
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - 30)
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        yield


NO_ROOM = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_group_that_came_half_way_is_taken_back_and_written_once_when_there_is_room(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 2)
    storage.commit()
    before = path.read_bytes()
    add_trials(study, 2)
    for _ in range(2):
        with failing(NO_ROOM), pytest.raises(SweepError) as caught:
            storage.commit()
        assert str(caught.value).startswith(f"storage {path}: cannot be written: No space left on device: make room")
        assert path.read_bytes() == before
    storage.commit()
    assert [t.number for t in by_optuna(path).trials] == [0, 1, 2, 3]
    assert facts(by_optuna(path)) == facts(study)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_commit_that_is_interrupted_is_written_once_by_the_next(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 2)
    with failing(KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        storage.commit()
    assert path.read_bytes() == b""
    storage.commit()
    assert facts(by_optuna(path)) == facts(study)
    assert len(by_optuna(path).trials) == 2


def test_a_group_that_cannot_be_taken_back_is_not_written_twice(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, study = opened(path)
    add_trials(study, 2)

    def refuse(path: Path, length: int) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch, failing(NO_ROOM):
        patch.setattr(os, "truncate", refuse)
        with pytest.raises(SweepError):
            storage.commit()
    storage.commit()
    again = opened(path)[1]
    assert len(again.trials) == len(by_optuna(path).trials) <= 2


def add_and(study: optuna.Study, storage: OpenStorage, error: Exception | None) -> None:
    with storage.writing():
        add_trials(study, 2)
        if error:
            raise error


def test_what_fails_in_the_block_is_what_the_caller_hears_of_and_the_rest_is_committed(path: Path) -> None:
    storage, study = opened(path)
    with pytest.raises(ZeroDivisionError):
        add_and(study, storage, ZeroDivisionError())
    assert facts(by_optuna(path)) == facts(study)
    with failing(NO_ROOM), pytest.raises(ZeroDivisionError):
        add_and(study, storage, ZeroDivisionError())
    assert len(by_optuna(path).trials) == 2


def test_what_is_written_in_the_block_is_committed_at_its_end_or_said_to_be_not(path: Path) -> None:
    storage, study = opened(path)
    add_and(study, storage, None)
    assert facts(by_optuna(path)) == facts(study)
    with failing(NO_ROOM), pytest.raises(SweepError, match="No space left on device"):
        add_and(study, storage, None)
    assert len(by_optuna(path).trials) == 2


def test_what_a_database_refuses_is_one_line_with_its_reason(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    storage = open_for_writing(url)
    study = study_in(storage.storage)
    with closing(sqlite3.connect(tmp_path / "study.db")) as database:
        database.execute("drop table trials")
    with pytest.raises(SweepError) as caught, storage.writing():
        study.ask()
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"storage {url}: failed: no such table: trials: mend it, then run again")


DIES_IN_A_COMMIT = """
import os, signal, sys
from tests.search.storage.test_storage import Path, add_trials, opened
storage, study = opened(Path(sys.argv[1]))
add_trials(study, 2)
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
storage.commit()
"""


def test_the_lock_of_a_run_that_was_killed_within_a_commit_stops_nobody(path: Path) -> None:
    assert python_killed(DIES_IN_A_COMMIT, path)
    assert os.path.lexists(f"{path}.lock"), "it was killed while it had the lock"
    started = time.monotonic()
    storage, study = opened(path)
    assert len(study.trials) == 2
    add_trials(study, 1)
    storage.commit()
    assert time.monotonic() - started < 25, "Optuna waits 30 s for a lock that was left"
    assert len(by_optuna(path).trials) == 3
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def python_killed(code: str, path: Path) -> bool:
    """Run a piece of Python; whether it ended by SIGKILL."""
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, capture_output=True, check=False)
    return done.returncode == -signal.SIGKILL


def test_the_lock_of_a_dashboard_that_writes_is_waited_for(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 1)
    other = JournalFileSymlinkLock(str(path))
    other.acquire()
    committing = threading.Thread(target=storage.commit, daemon=True)
    committing.start()
    committing.join(0.5)
    assert committing.is_alive()
    assert path.read_bytes() == b""
    other.release()
    committing.join(30)
    assert not committing.is_alive()
    assert len(by_optuna(path).trials) == 1


def test_two_runs_that_write_one_journal_do_not_mix_their_trials(path: Path) -> None:
    storage, study = opened(path)
    storage.commit()
    second, same_study = opened(path)
    add_trials(study, 2)
    add_trials(same_study, 1)
    storage.commit()
    before = path.read_bytes()
    with pytest.raises(SweepError, match="another process has added trials") as caught:
        second.commit()
    assert len(str(caught.value).splitlines()) == 1
    second.commit()
    assert path.read_bytes() == before
    add_trials(study, 1)
    storage.commit()
    assert facts(by_optuna(path)) == facts(study)


def test_a_note_that_somebody_left_half_written_is_cut_off_before_the_next_append(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 1)
    storage.commit()
    with path.open("ab") as file:
        file.write(b'{"op_code":2,"worker')
    add_trials(study, 1)
    storage.commit()
    assert facts(by_optuna(path)) == facts(study)
    assert len(by_optuna(path).trials) == 2


@pytest.mark.parametrize("line", GARBAGE)
def test_a_corrupt_line_is_named_to_a_reader_too(path: Path, lines: list[bytes], line: bytes) -> None:
    path.write_bytes(b"".join([*lines[:4], line, *lines[4:]]))
    with pytest.raises(UsageError, match=f"^line 5 of {path}: "):
        open_for_reading(str(path))


def test_an_operation_without_sense_is_named_to_the_run_and_one_line_to_a_reader(
    path: Path, lines: list[bytes]
) -> None:
    path.write_bytes(b"".join([*lines[:4], b'{"op_code":4}\n', *lines[4:]]))
    with pytest.raises(UsageError, match=f"^line 5 of {path}: "):
        open_for_writing(str(path))
    with pytest.raises(UsageError, match=f"^storage {path}: not a journal"):
        open_for_reading(str(path))
