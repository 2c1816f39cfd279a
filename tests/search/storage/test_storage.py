from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sweep.errors import UsageError
from sweep.search.storage.journal import GroupCommitBackend
from sweep.search.storage.storage import OpenStorage, open_for_reading, open_for_writing
from tests.studies import laws

optuna.logging.set_verbosity(optuna.logging.WARNING)


def study_in(storage: Any) -> optuna.Study:
    return optuna.create_study(storage=storage, study_name="one", load_if_exists=True)


def add_trials(study: optuna.Study, count: int) -> None:
    for _ in range(count):
        trial = study.ask()
        trial.report(0.5, 1)
        trial.set_user_attr("epochs", 3)
        study.tell(trial, trial.suggest_float("x", 0.0, 1.0) + trial.number)


def by_optuna(path: Path) -> optuna.Study:
    """The study as Optuna's own backend reads it from the file."""
    return optuna.load_study(study_name="one", storage=JournalStorage(JournalFileBackend(str(path))))


def facts(study: optuna.Study) -> list[tuple[Any, ...]]:
    return [(t.number, t.state, t.value, t.params, t.user_attrs, t.intermediate_values) for t in study.trials]


def opened(path: Path) -> tuple[OpenStorage, optuna.Study]:
    storage = open_for_writing(str(path))
    return storage, study_in(storage.storage)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.log"


def test_nothing_is_on_disk_before_a_commit_and_everything_after(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 5)
    assert path.read_bytes() == b""
    storage.commit()
    assert facts(by_optuna(path)) == facts(study)
    assert len(study.trials) == 5


def test_a_commit_without_news_writes_nothing(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 1)
    storage.commit()
    before = path.read_bytes()
    storage.commit()
    assert path.read_bytes() == before


@laws
@given(groups=st.lists(st.integers(0, 4), max_size=5))
def test_how_operations_are_grouped_does_not_matter(tmp_path_factory: Any, groups: list[int]) -> None:
    path = tmp_path_factory.mktemp("groups") / "journal.log"
    storage, study = opened(path)
    for count in groups:
        add_trials(study, count)
        storage.commit()
    storage.commit()
    assert [t.number for t in by_optuna(path).trials] == list(range(sum(groups)))
    assert facts(by_optuna(path)) == facts(study)
    assert facts(opened(path)[1]) == facts(study)


def test_the_folder_of_a_journal_is_made(tmp_path: Path) -> None:
    storage, study = opened(tmp_path / "a" / "b" / "journal.log")
    add_trials(study, 1)
    storage.commit()
    assert len(by_optuna(tmp_path / "a" / "b" / "journal.log").trials) == 1


def test_what_others_write_meanwhile_is_taken_in_and_survives(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 2)
    storage.commit()
    by_optuna(path).set_user_attr("dashboard:note", "look at trial 1")
    add_trials(study, 2)
    storage.commit()
    by_optuna(path).set_user_attr("dashboard:note_ver", 2)
    add_trials(study, 1)
    storage.commit()
    for reader in (study, by_optuna(path), opened(path)[1]):
        assert reader.user_attrs == {"dashboard:note": "look at trial 1", "dashboard:note_ver": 2}
        assert [t.number for t in reader.trials] == [0, 1, 2, 3, 4]
    assert facts(by_optuna(path)) == facts(study)


def test_a_reader_sees_whole_groups_while_a_run_writes(path: Path) -> None:
    storage, study = opened(path)
    storage.commit()
    reader = optuna.load_study(study_name="one", storage=open_for_reading(str(path)))
    for group in range(1, 4):
        add_trials(study, 3)
        assert len(reader.trials) == 3 * (group - 1)
        storage.commit()
        assert facts(reader) == facts(study)


def test_a_reader_of_a_file_whose_last_line_is_being_written_sees_the_rest(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 2)
    storage.commit()
    with path.open("ab") as file:
        file.write(b'{"op_code":5,"worker')
    reader = optuna.load_study(study_name="one", storage=open_for_reading(str(path)))
    assert facts(reader) == facts(study)


def test_a_torn_last_line_is_cut_off_and_the_study_goes_on(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 2)
    storage.commit()
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[-1][:20])
    storage, study = opened(path)
    assert path.read_bytes() == whole
    add_trials(study, 2)
    storage.commit()
    assert [t.number for t in by_optuna(path).trials] == [0, 1, 2, 3]
    assert facts(by_optuna(path)) == facts(study)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("journal") / "journal.log"
    storage, study = opened(path)
    add_trials(study, 3)
    storage.commit()
    return path.read_bytes()


@laws
@given(data=st.data())
def test_a_file_cut_anywhere_opens_goes_on_and_stays_readable(
    tmp_path_factory: Any, journal: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "journal.log"
    path.write_bytes(journal[: data.draw(st.integers(0, len(journal)))])
    storage, study = opened(path)
    before = len(study.trials)
    assert before <= 3
    add_trials(study, 2)
    storage.commit()
    assert len(by_optuna(path).trials) == before + 2
    assert facts(by_optuna(path)) == facts(study)


GARBAGE = [b"garbage\n", b"\xff\xfe\x00\n", b"\n", b'{"op_code":\n']


@pytest.mark.parametrize("line", GARBAGE)
def test_a_corrupt_line_in_the_middle_is_named_with_its_number(path: Path, journal: bytes, line: bytes) -> None:
    lines = journal.splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], line, *lines[4:]]))
    with pytest.raises(UsageError) as caught:
        open_for_writing(str(path))
    (text,) = str(caught.value).splitlines()
    assert f"line 5 of {path}" in text


def test_a_corrupt_line_that_came_meanwhile_is_named_with_its_number(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 1)
    storage.commit()
    number = len(path.read_bytes().splitlines()) + 1
    with path.open("ab") as file:
        file.write(b"garbage\n")
    add_trials(study, 1)
    with pytest.raises(UsageError, match=f"line {number} of "):
        storage.commit()


def test_a_line_of_json_that_is_no_operation_is_one_line(path: Path) -> None:
    path.write_bytes(b"5\n")
    with pytest.raises(UsageError):
        open_for_writing(str(path))


def test_a_lock_left_behind_can_be_recognised_whatever_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    locked, link = [], os.symlink

    def watched(target: str, name: str) -> None:
        link(target, name)
        locked.append(os.path.exists(name))  # Optuna reads the age of a lock through the link

    monkeypatch.setattr(os, "symlink", watched)
    open_for_writing("runs/journal.log")
    assert locked
    assert all(locked)


def test_no_lock_is_left_behind(path: Path) -> None:
    storage, study = opened(path)
    add_trials(study, 1)
    storage.commit()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_lock_is_let_go_of_when_opening_fails(path: Path) -> None:
    path.write_bytes(b"garbage\n")
    with pytest.raises(UsageError):
        GroupCommitBackend(path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_database_is_opened_by_its_url_and_needs_no_commit(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    storage = open_for_writing(url)
    study = study_in(storage.storage)
    add_trials(study, 2)
    assert facts(optuna.load_study(study_name="one", storage=open_for_reading(url))) == facts(study)
    storage.commit()
    assert len(study.trials) == 2


@pytest.mark.parametrize("url", ["nosuch://place", "sqlite:////no/such/folder/study.db", "://", "sqlite:///\0"])
def test_a_database_that_cannot_be_opened_is_one_line(url: str) -> None:
    for open_it in (open_for_writing, open_for_reading):
        with pytest.raises(UsageError) as caught:
            open_it(url)
        (text,) = str(caught.value).splitlines()
        assert text.startswith((f"storage {url}: cannot be opened", f"storage {url}: no such file"))


def test_a_journal_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for address in (tmp_path, tmp_path / "file" / "journal.log"):
        with pytest.raises(UsageError) as caught:
            open_for_writing(str(address))
        (text,) = str(caught.value).splitlines()
        assert text.startswith(f"storage {address}: cannot be written")


def test_a_journal_that_is_not_there_is_not_made_by_reading(path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        open_for_reading(str(path))
    assert not path.exists()


def test_a_database_that_is_not_there_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        open_for_reading(f"sqlite:///{tmp_path / 'study.db'}")
