"""The same study in a journal, in SQLite and in a real PostgreSQL server: the same trials, and what can go wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sweep.door.result import Result
from sweep.errors import UsageError
from sweep.search.storage.storage import open_for_reading, open_for_writing
from tests import studies
from tests.servers import PostgreSQL
from tests.tiers import mostly_long

TRIALS = 16
# Every kind of parameter, constants that only some trials have, and rates that make some trials diverge.
STUDY = studies.content(
    study={"trials": TRIALS, "generation": 4, "sampler": "tpe"},
    search={
        "learning_rate": {"low": 1e-3, "high": 1e3, "log": True},
        "optimizers": ["sgd", "momentum", "rmsprop"],
        "schedules": ["constant", "exponential", "piecewise"],
        "optimizer": {"momentum": {"nesterov": [False, True]}, "rmsprop": {"initial_cache": [0.0, 1.0]}},
    },
)
Address = Callable[[Path], str]
# What is said in SQL is Optuna's: in the short tier a server is asked for two of the laws.
each_database = pytest.mark.parametrize("address", ["sqlite", "postgresql"], indirect=True)
mostly_sqlite = pytest.mark.parametrize(
    "address", mostly_long(["sqlite", "postgresql"], lambda kind: kind == "sqlite"), indirect=True
)


@pytest.fixture
def address(request: pytest.FixtureRequest) -> Address:
    """Where to keep a study, in each kind of database: a new one each time."""
    if request.param == "sqlite":
        return lambda folder: f"sqlite:///{folder}/optuna.db"
    server: PostgreSQL = request.getfixturevalue("postgresql")
    return lambda folder: server.new_database()


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """The study, kept in a journal as by default."""
    return studies.run(STUDY, tmp_path_factory.mktemp("journal"))


def known(result: Result) -> list[tuple[Any, ...]]:
    """What Optuna knows of each trial, times aside."""
    return [
        (
            trial.number, trial.state, trial.value, trial.params, trial.distributions, trial.intermediate_values,
            {name: value for name, value in trial.user_attrs.items() if name != "seconds"},
        )
        for trial in result.study.trials
    ]  # fmt: skip


def assert_same(one: Result, other: Result) -> None:
    studies.assert_same_results(one, other)
    assert known(one) == known(other)
    assert one.study.user_attrs == other.study.user_attrs
    assert one.study.metric_names == other.study.metric_names


def test_the_study_has_what_storages_could_lose(journal: Result) -> None:
    assert set(journal.trials["state"]) == {"complete", "diverged"}
    types = {type(value) for trial in journal.study.trials for value in trial.params.values()}
    assert types >= {str, float, bool}


@each_database
def test_the_same_study_in_a_database_gives_the_same_trials(tmp_path: Path, journal: Result, address: Address) -> None:
    assert_same(studies.run(STUDY, tmp_path, storage=address(tmp_path)), journal)


@mostly_sqlite
def test_a_study_in_a_database_goes_on_where_it_stopped(tmp_path: Path, journal: Result, address: Address) -> None:
    where = address(tmp_path)
    for trials in (5, 12):  # in the middle of a generation, and at the end of one
        assert len(studies.run(STUDY, tmp_path, storage=where, trials=trials).study.trials) == trials
    whole = studies.run(STUDY, tmp_path, storage=where)
    assert len(known(whole)) == TRIALS
    studies.assert_same_results(studies.run(STUDY, tmp_path), whole)  # the folder remembers its storage


@mostly_sqlite
def test_a_fresh_start_keeps_the_old_study_in_the_database(tmp_path: Path, journal: Result, address: Address) -> None:
    where = address(tmp_path)
    before = known(studies.run(STUDY, tmp_path, storage=where, trials=8))
    after = studies.run(STUDY, tmp_path, storage=where, fresh=True)
    assert_same(after, journal)
    import optuna

    kept = optuna.load_study(study_name="tiny.1", storage=open_for_reading(where))
    assert [(t.number, t.value, t.params) for t in kept.trials] == [(n, v, p) for n, _, v, p, *_ in before]


@each_database
def test_two_studies_share_a_database(tmp_path: Path, journal: Result, address: Address) -> None:
    where = address(tmp_path)
    other = studies.content(study={"name": "other", "trials": 4, "seed": 1})
    assert len(studies.run(other, tmp_path, storage=where).study.trials) == 4
    assert_same(studies.run(STUDY, tmp_path, storage=where), journal)


def refusal(address: str) -> str:
    with pytest.raises(UsageError) as caught:
        open_for_writing(address)
    (line,) = str(caught.value).splitlines()
    return line


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_a_missing_driver_is_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    for name in ("psycopg", "psycopg2"):  # as where neither is installed
        monkeypatch.setitem(sys.modules, name, None)
    line = refusal(f"{scheme}://ada:secret@localhost/studies")
    assert "pip install 'sweep[postgresql]'" in line
    assert "secret" not in line


def test_a_server_that_does_not_answer_is_one_line_without_the_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg2", reason="needs psycopg2-binary: a driver for PostgreSQL")
    line = refusal(f"postgresql://ada:secret@/studies?host={tmp_path}")
    assert "cannot be opened" in line
    assert str(tmp_path) in line
    assert "secret" not in line


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="would be gone with the run"):
        studies.run(STUDY, tmp_path / "runs", storage=address)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("This is no database. " * 100)
    assert "not a database" in refusal(f"sqlite:///{tmp_path}/text.db")


def test_a_folder_name_with_braces_is_no_template(tmp_path: Path) -> None:
    folder = tmp_path / "{0}"
    folder.mkdir()
    open_for_writing(f"sqlite:///{folder}/optuna.db")
    assert [path.name for path in folder.iterdir()] == ["optuna.db"]
