"""What can happen to a run's files: no room, no permission, another run, a corrupt journal, a changed study."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sweep.door.result import Result
from tests.processes import parts, result_in, running, until, write_study
from tests.studies import assert_same_results, content
from tests.terminal import Outcome, sweep

TRIALS, GENERATION = 40, 4
SERIAL = ("-q", "--backend", "serial")
COMMANDS = pytest.mark.parametrize("workers", [SERIAL, ("-q", "--workers", "2")], ids=["serial", "loky"])


def study(epochs: int = 3, **keys: Any) -> dict[str, Any]:
    return content(
        study={"sampler": "tpe", "trials": TRIALS, "generation": GENERATION, **keys}, network={"epochs": epochs}
    )


@functools.cache
def undisturbed(epochs: int = 3) -> Result:
    """The study run at once; after it the compiled loops are on disk, and nobody else has to write them."""
    place = Path(tempfile.mkdtemp())
    write_study(place, study(epochs))
    assert run(place).code == 0
    return result_in(place)


def run(place: Path, *arguments: str) -> Outcome:
    """Run the study in this process, which is quicker."""
    return sweep("run", "tiny.toml", *SERIAL, *arguments, cwd=place)


def run_process(place: Path, *arguments: str, **options: Any) -> Outcome:
    """Run the study in a process to its end."""
    with running(place, "tiny.toml", *arguments, **options) as run:
        return Outcome(run.code(), "", "\n".join(run.said()))


def complaint(outcome: Outcome) -> str:
    """The one line that a run failed with."""
    assert outcome.code in (2, 3), outcome.err
    (line,) = outcome.err.splitlines()
    assert line.startswith("sweep: ")
    assert "internal error" not in line
    return line


def by_optuna(journal: Path) -> optuna.Study:
    """The study as Optuna's own backend reads it from the file."""
    return optuna.load_study(study_name="tiny", storage=JournalStorage(JournalFileBackend(str(journal))))


def assert_everything_recorded_is_readable(place: Path, journal: Path | None) -> int:
    """Read all with the libraries' own readers; give the number of finished trials."""
    trials = pd.read_parquet(place / "runs" / "tiny" / "trials.parquet").set_index("number").sort_index()
    curves = pd.read_parquet(place / "runs" / "tiny" / "curves.parquet")
    finished = trials[trials["state"] != "running"]
    assert set(finished.index) <= set(curves["number"])
    expected = undisturbed().trials.set_index("number")
    assert finished["objective"].tolist() == expected["objective"].loc[finished.index].tolist()
    if journal:
        assert all(json.loads(line) for line in journal.read_text().splitlines())
        assert journal.read_bytes()[-1:] in (b"", b"\n")
        told = {t.number: t.value for t in by_optuna(journal).trials if t.state.is_finished()}
        assert told == {number: finished["objective"][number] for number in told}
    return len(finished)


def assert_goes_on_to_the_same_result(place: Path, *arguments: str, epochs: int = 3) -> None:
    outcome = run(place, *arguments)
    assert outcome.code == 0, outcome.err
    assert_same_results(result_in(place), undisturbed(epochs))
    assert [t.value for t in result_in(place).study.trials] == [t.value for t in undisturbed(epochs).study.trials]
    assert all(trial.state.is_finished() for trial in result_in(place).study.trials)


# No room: as a limit on the size of one file, which everybody may set ...


def no_file_above(size: int) -> Callable[[], None]:
    """What a process does before it starts, so that no file it writes grows beyond so many bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.long
@COMMANDS
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_journal_that_cannot_grow_ends_the_run_in_one_line(
    tmp_path: Path, workers: tuple[str, ...], share: float
) -> None:
    whole = undisturbed().folder / "journal.log"
    limit = int(share * whole.stat().st_size)
    write_study(tmp_path, study())
    line = complaint(run_process(tmp_path, *workers, preexec_fn=no_file_above(limit)))
    journal = tmp_path / "runs" / "tiny" / "journal.log"
    assert line.startswith(f"sweep: storage {journal}: cannot be written: File too large: make room")
    assert "run again" in line
    done = assert_everything_recorded_is_readable(tmp_path, journal)
    assert (share - 0.2) * TRIALS <= done <= (share + 0.4) * TRIALS
    assert_goes_on_to_the_same_result(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(("limit", "place"), [(4096, ""), (20_000, "/part-000000.parquet")], ids=["empty", "part"])
def test_a_table_that_cannot_be_written_ends_the_run_in_one_line(tmp_path: Path, limit: int, place: str) -> None:
    undisturbed(300)
    write_study(tmp_path, study(epochs=300))  # so that the curves are longer than the journal
    line = complaint(run_process(tmp_path, *SERIAL, preexec_fn=no_file_above(limit)))
    table = "curves.parquet" if place else "trials.parquet"
    assert line.startswith(f"sweep: {Path('runs/tiny') / table}{place}: cannot be written: File too large: make room")
    folder = tmp_path / "runs" / "tiny"
    if place:
        assert [p.name for p in (folder / table).iterdir()] == ["part-000000.parquet"]
        assert (pd.read_parquet(folder / "trials.parquet")["state"] == "complete").any()
        assert len(pd.read_parquet(folder / "curves.parquet")) == 0
        assert len(by_optuna(folder / "journal.log").trials) > 0
    else:
        assert not (folder / table).exists()
    assert_goes_on_to_the_same_result(tmp_path, epochs=300)


# ... and as a small disk, which only root may mount.


@contextlib.contextmanager
def disk(place: Path, size: str) -> Iterator[Callable[[str], object]]:
    """Mount a small disk; gives who mounts it again with other options."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small disk")
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this machine lets not even root mount a disk: {mounted.stderr.strip()}")
    try:
        yield lambda options: subprocess.check_call(["mount", "-o", f"remount,{options}", str(place)])
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.mark.long
@COMMANDS
def test_a_full_disk_ends_the_run_in_one_line(tmp_path: Path, workers: tuple[str, ...]) -> None:
    undisturbed()
    write_study(tmp_path, study())
    with disk(tmp_path / "runs", "80k") as remount:
        line = complaint(run_process(tmp_path, *workers))
        assert "cannot be written: No space left on device: make room" in line
        assert assert_everything_recorded_is_readable(tmp_path, tmp_path / "runs" / "tiny" / "journal.log") > 0
        again = complaint(run(tmp_path))  # there is still no room
        assert "No space left on device" in again
        assert assert_everything_recorded_is_readable(tmp_path, tmp_path / "runs" / "tiny" / "journal.log") > 0
        remount("size=20m")
        assert_goes_on_to_the_same_result(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize(
    ("address", "size", "reason"),
    [
        ("elsewhere/journal.log", "16k", "cannot be written: No space left on device"),
        ("sqlite:///elsewhere/optuna.db", "180k", "failed: database or disk is full"),
    ],
    ids=["journal", "sqlite"],
)
def test_a_storage_elsewhere_on_a_full_disk_ends_the_run_in_one_line(
    tmp_path: Path, address: str, size: str, reason: str
) -> None:
    undisturbed()
    write_study(tmp_path, study())
    arguments = ("--storage", address)
    journal = None if "sqlite" in address else tmp_path / "elsewhere" / "journal.log"
    with disk(tmp_path / "elsewhere", size) as remount:
        line = complaint(run(tmp_path, *arguments))
        assert line.startswith("sweep: storage ")
        assert f"{address.rpartition('/')[2]}: {reason}" in line
        assert "run again" in line
        assert assert_everything_recorded_is_readable(tmp_path, journal) > 0
        remount("size=20m")
        assert_goes_on_to_the_same_result(tmp_path, *arguments)


# No permission.


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[tuple[Callable[[], object], Callable[[], object]]]:
    """Make a folder; gives who makes it read-only and writable again: by its mode or, for root, by a mount."""
    if os.geteuid() == 0:
        with disk(place, "20m") as remount:
            yield lambda: remount("ro"), lambda: remount("rw")
        return

    def mode(folders: int, files: int) -> None:
        for path in [place, *place.rglob("*")]:
            path.chmod(folders if path.is_dir() else files)

    place.mkdir()
    try:
        yield lambda: mode(0o555, 0o444), lambda: mode(0o755, 0o644)
    finally:
        mode(0o755, 0o644)


@pytest.mark.long
@pytest.mark.parametrize("storage", [(), ("--storage", "sqlite:///runs/optuna.db")], ids=["journal", "sqlite"])
def test_a_read_only_folder_is_one_line_and_what_it_has_stays_readable(
    tmp_path: Path, storage: tuple[str, ...]
) -> None:
    undisturbed()
    write_study(tmp_path, study())
    with read_only(tmp_path / "runs") as (forbid, allow):
        forbid()
        line = complaint(run(tmp_path, *storage))
        assert "runs" in line
        assert list((tmp_path / "runs").iterdir()) == []
        allow()
        assert run_process(tmp_path, *SERIAL, *storage, "--trials", "12").code == 0
        forbid()
        for arguments in ((), ("--fresh",)):
            line = complaint(run(tmp_path, *storage, *arguments))
            assert "runs" in line
            journal = None if storage else tmp_path / "runs" / "tiny" / "journal.log"
            assert assert_everything_recorded_is_readable(tmp_path, journal) == 12
        allow()
        assert_goes_on_to_the_same_result(tmp_path, *storage)


@pytest.mark.long
def test_a_database_that_becomes_read_only_ends_the_run_in_one_line(tmp_path: Path) -> None:
    undisturbed()
    write_study(tmp_path, study())
    arguments = ("--storage", "sqlite:///elsewhere/optuna.db")
    with read_only(tmp_path / "elsewhere") as (forbid, allow):
        assert run_process(tmp_path, *SERIAL, *arguments, "--trials", "12").code == 0
        forbid()
        line = complaint(run(tmp_path, *arguments))
        assert "elsewhere/optuna.db: failed: attempt to write a readonly database" in line
        assert assert_everything_recorded_is_readable(tmp_path, None) == 12
        allow()
        assert_goes_on_to_the_same_result(tmp_path, *arguments)


# Another run.


@pytest.mark.long
def test_a_second_run_is_refused_while_the_first_is_alive_and_allowed_when_it_was_killed(tmp_path: Path) -> None:
    undisturbed()
    write_study(tmp_path, study(trials=100_000))
    other = tmp_path / "other"  # where the second run's streams go
    write_study(other, study(trials=100_000))
    second = ("--runs", str(tmp_path / "runs"))
    with running(tmp_path, "tiny.toml", "-q", "--workers", "2") as first:
        until(lambda: parts(tmp_path, "curves") > 2, "some generations")
        for arguments in ((), ("--fresh",)):
            line = complaint(run(other, *second, *arguments))
            assert "another process is running this study" in line
        before = parts(tmp_path, "curves")
        until(lambda: parts(tmp_path, "curves") > before, "the first run to go on")
        assert first.alive()
        assert first.said() == []
        first.kill()
        assert first.process.returncode == -signal.SIGKILL
        known = len(pd.read_parquet(tmp_path / "runs" / "tiny" / "trials.parquet"))
        allowed = run(other, *second, "--trials", str(known))
        assert allowed.code == 0, allowed.err
    result = result_in(tmp_path)
    assert len(result.trials) == known
    assert (result.trials["state"] != "running").all()
    same = min(known, TRIALS)
    expected = undisturbed().trials["objective"].head(same)
    assert result.trials["objective"].head(same).tolist() == expected.tolist()


# A corrupt journal.


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """A place where some generations of the study have been run."""
    write_study(tmp_path, study())
    assert run(tmp_path, "--trials", "12").code == 0
    return tmp_path


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_journal_that_was_cut_within_its_last_line_goes_on_to_the_same_result(begun: Path) -> None:
    journal = begun / "runs" / "tiny" / "journal.log"
    os.truncate(journal, journal.stat().st_size - 20)
    assert_goes_on_to_the_same_result(begun)
    assert len(by_optuna(journal).trials) == TRIALS


@pytest.mark.parametrize("line", [b"garbage", b'{"op_code":4}', b'{"op_code":77,"worker_id":"x"}', b""])
def test_a_corrupt_line_of_the_journal_is_named_with_its_number_and_nothing_is_changed(
    begun: Path, line: bytes
) -> None:
    journal = begun / "runs" / "tiny" / "journal.log"
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([*lines[:6], line, *lines[6:]]))
    before = everything_in(begun / "runs")
    outcome = run(begun)
    assert outcome.code == 2
    (said,) = outcome.err.splitlines()
    assert said.startswith(f"sweep: line 7 of {journal}: ")
    assert "--fresh" in said
    assert everything_in(begun / "runs") == before


# A changed study.


def test_a_changed_study_is_refused_naming_the_keys_and_fresh_keeps_the_old_folder(begun: Path) -> None:
    before = everything_in(begun / "runs" / "tiny")
    write_study(begun, study(epochs=4, seed=7))
    outcome = run(begun)
    assert outcome.code == 2
    (said,) = outcome.err.splitlines()
    assert "network.epochs: 3 there, 4 now" in said
    assert "study.seed: 0 there, 7 now" in said
    assert "--fresh" in said
    assert everything_in(begun / "runs" / "tiny") == before
    assert run(begun, "--fresh", "--trials", "8").code == 0
    assert everything_in(begun / "runs" / "tiny.1") == before
    assert len(result_in(begun).trials) == 8
    assert result_in(begun).spec.study.seed == 7
    assert sorted(p.name for p in (begun / "runs").iterdir()) == ["tiny", "tiny.1"]
