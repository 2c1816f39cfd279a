"""Whatever is handed to the command line, the answer is a run or a line a mistake, with the right exit code.

Never a traceback, never exit code 3, and what was refused has left nothing behind. A few hundred examples with
``--all``, the same each time; thousands of new ones::

    pytest tests/door/commands/test_any_input.py --hypothesis-profile=explore
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from sweep.learning.data import splits
from sweep.search.running import workers
from sweep.search.study_file import catalogue
from tests.door.commands import inputs
from tests.terminal import BRIEFLY, TINY, Outcome, sweep

SHORT = TINY.replace("trials = 16", "trials = 2").replace("epochs = 3", "epochs = 1")
QUICK = SHORT + BRIEFLY
PHASES = (Phase.explicit, Phase.generate, Phase.shrink)
FEW = 15  # examples in the short tier, of half a second each
SHARE = 2.5  # else, in terms of the profile's


def examples() -> settings:
    """As many examples as this room can afford, or as were asked for."""
    assert settings.default is not None
    most = settings.default.max_examples
    count = round(SHARE * most) if most > FEW else FEW
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)


def everything_in(folder: Path) -> dict[str, bytes | None]:
    """All files and folders with what is in them."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder of one example's own, and nothing known of earlier ones."""
    splits.forget()
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def answer(place: Path, *line: str, unused: tuple[int, ...] = ()) -> Outcome:
    """The outcome of a command, after all that has to be true of each."""
    before = everything_in(place)
    outcome = sweep(*line, cwd=place)
    assert outcome.code in {0, 2, 4, 5} - set(unused), outcome
    assert "Traceback" not in outcome.err
    if outcome.code in (2, 4):
        lines = outcome.err.splitlines()
        assert lines, "says nothing"
        assert all(line.startswith("sweep: ") and len(line) > len("sweep: ") for line in lines), outcome.err
        assert outcome.out == ""
        after = everything_in(place)
        assert after.keys() == before.keys(), f"made or removed {sorted(after.keys() ^ before.keys())}: {outcome.err}"
        assert after == before, outcome.err
    return outcome


def assert_complete(run: Path, trials: int) -> None:
    """A run folder is whole."""
    assert len(pd.read_parquet(run / "trials.parquet")) == trials
    assert set(pd.read_parquet(run / "curves.parquet")["number"]) == set(range(trials))


@examples()
@given(inputs.study_files())
def test_any_study_file_is_run_or_refused(content: bytes) -> None:
    with folder() as place:
        (place / "s.toml").write_bytes(content)
        (place / "table.csv").write_text(inputs.TABLE)
        outcome = answer(place, "run", "s.toml", "-q", "--backend", "serial", "--trials", "2", unused=(5,))
        if outcome.code == 0:
            (run,) = (place / "runs").iterdir()
            assert len(pd.read_parquet(run / "trials.parquet")) in (1, 2)  # a grid may have one combination only
            again = answer(place, "run", "s.toml", "-q", "--backend", "serial", "--trials", "2")
            assert again == Outcome(0, "", "")  # the folder it left is one to go on with


@examples()
@given(inputs.tables())
def test_any_data_file_is_run_or_refused(table: tuple[str, bytes]) -> None:
    ending, content = table
    with folder() as place:
        (place / f"table.{ending}").write_bytes(content)
        (place / "s.toml").write_text(QUICK.replace('name = "iris"', f'file = "table.{ending}"\ntarget = "y"'))
        outcome = answer(place, "run", "s.toml", "-q", "--backend", "serial", unused=(2, 5))
        if outcome.code == 0:
            assert_complete(place / "runs" / "s", 2)


DIGITS = 10**400  # a whole number that no float can hold
FOUND = {  # what was once answered with exit code 3, or left something behind
    "a rate of 400 digits": ("search", f"learning_rate = {DIGITS}"),
    "a range of 400 digits": ("search", f"learning_rate = {{low = 1, high = {DIGITS}}}"),
    "choices that no float tells apart": ("search", f"learning_rate = [{2**53}, {2**53 + 1}]"),
    "a huge minibatch": ("network", f"batch_size = {2**63}"),
    "a huge network": ("network", "hidden = [1000000000, 1000000000]"),
    "many epochs": ("network", f"epochs = {10**30}"),
    "a huge generation": ("study", "generation = 1000000000"),
    "many replicates": ("study", f"replicates = {10**13}"),
    "a name with a null byte": ("study", 'name = "a\\u0000b"'),
    "a name that no file system takes": ("study", f'name = "{"a" * 300}"'),
    "a storage with a null byte": ("study", 'storage = "a\\u0000b"'),
    "a storage that is somebody's text": ("study", 'storage = "words.txt"'),
    "a database in memory": ("study", 'storage = "sqlite:///:memory:"'),
    "a table for an argument": ("data", 'name = "make_moons"\narguments = {n_samples = {}}'),
    "an argument that overflows": ("data", 'name = "make_moons"\narguments = {noise = 1e308}'),
    "more samples than memory": ("data", f'name = "make_moons"\narguments = {{n_samples = {10**13}}}'),
    "an argument that changes the result": ("data", 'name = "make_regression"\narguments = {coef = true}'),
    "a file with a null byte": ("data", 'file = "a\\u0000.csv"\ntarget = "y"'),
    "deep nesting": ("data", f'name = "iris"\narguments = {{a = {"[" * 2000}{"]" * 2000}}}'),
}
WRITTEN = ("a storage that is somebody's text", "a database in memory")  # a plan does not look where it would write


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_is_refused(name: str) -> None:
    section, text = FOUND[name]
    sections = {"study": "trials = 2", "data": 'name = "iris"', "network": "hidden = [2]\nepochs = 1", "search": ""}
    known = {line.split(" ")[0] for line in text.splitlines()}
    kept = [] if section == "data" else [s for s in sections[section].splitlines() if s.split(" ")[0] not in known]
    sections[section] = "\n".join([*kept, text])
    with folder() as place:
        (place / "s.toml").write_text("\n".join(f"[{key}]\n{lines}" for key, lines in sections.items()))
        (place / "words.txt").write_text("one\ntwo\nthree")
        for how in ("-q", "--dry-run")[: 1 if name in WRITTEN else 2]:
            assert answer(place, "run", "s.toml", "--backend", "serial", how).code in (2, 4)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a study has been run."""
    place = tmp_path_factory.mktemp("done")
    (place / "done.toml").write_text(QUICK)
    assert sweep("run", "done.toml", "-q", "--backend", "serial", cwd=place).code == 0
    return place


@contextlib.contextmanager
def only_short_runs(place: Path) -> Iterator[None]:
    """The study that comes with the project is a short one, and workers are this process: neither is what is tested."""
    with (
        mock.patch.object(catalogue, "shipped", return_value={"quickstart": place / "quickstart.toml"}),
        mock.patch.dict(workers.BACKENDS, {"loky": workers.Serial}),
    ):
        yield


@examples()
@given(line=inputs.command_lines())
def test_any_command_line_is_obeyed_or_refused(done: Path, line: list[str]) -> None:
    with folder() as place:
        shutil.copytree(done, place, dirs_exist_ok=True)
        (place / "tiny.toml").write_text(QUICK)
        (place / "quickstart.toml").write_text(QUICK)
        (place / "words.txt").write_text("one\ntwo\nthree")
        (place / "folder.toml").mkdir()
        (place / "folder").mkdir()
        with only_short_runs(place):
            answer(place, *line)
