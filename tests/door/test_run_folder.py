from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

import sweep
from sweep.door.api import folder_of, resolve
from sweep.door.run_folder import RunFolder, differences
from sweep.errors import UsageError
from sweep.search.study_file.spec import Spec, complete
from tests.studies import CALM, content, laws, run, tiny


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "tiny").mkdir()
    return RunFolder(tmp_path / "tiny")


def claim(folder: RunFolder, spec: Spec) -> Spec:
    """What a run does with its folder before it trains."""
    checked = folder.check(spec)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.write(checked)
    return checked


def refusal(folder: RunFolder, **sections: Any) -> str:
    with pytest.raises(UsageError) as caught:
        claim(folder, tiny(**sections))
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{folder.path}: belongs to a different study")
    assert "--fresh" in line
    return line


def test_a_claimed_folder_has_the_resolved_study(folder: RunFolder) -> None:
    assert not folder.exists()
    claim(folder, tiny())
    assert folder.exists()
    assert tomllib.loads(folder.study_file.read_text()) == tiny().resolved()
    assert folder.spec().resolved() == tiny().resolved()
    assert [path.name for path in folder.path.iterdir()] == ["study.toml"]


def test_the_same_study_may_claim_its_folder_again(folder: RunFolder) -> None:
    claim(folder, tiny())
    before = folder.study_file.read_bytes()
    claim(folder, tiny())
    claim(folder, folder.spec())
    assert folder.study_file.read_bytes() == before


@pytest.mark.parametrize("trials", [5, 500])
def test_another_total_is_no_difference_and_is_written_down(folder: RunFolder, trials: int) -> None:
    claim(folder, tiny())
    claim(folder, tiny(study={"trials": trials}))
    assert folder.spec().study.trials == trials


@pytest.mark.parametrize(
    ("sections", "keys", "values"),
    [
        ({"study": {"seed": 7}}, ["study.seed"], ["0 there, 7 now"]),
        ({"study": {"generation": 6}}, ["study.generation"], ["4 there, 6 now"]),
        ({"study": {"sampler": "grid"}}, ["study.sampler"], ["'random' there, 'grid' now"]),
        ({"study": {"storage": "/elsewhere"}}, ["study.storage"], ["None there, '/elsewhere' now"]),
        ({"data": {"name": "wine"}}, ["data.name"], ["'iris' there, 'wine' now"]),
        ({"network": {"hidden": [8]}}, ["network.hidden"], ["[4] there, [8] now"]),
        ({"search": CALM}, ["search.learning_rate.low", "search.learning_rate.high"], ["0.001 now", "0.01 now"]),
        ({"search": {"optimizers": ["sgd"]}}, ["search.optimizers"], ["['sgd'] now"]),
        ({"search": {"optimizer": {"rmsprop": {"decay": 0.5}}}}, ["search.optimizer.rmsprop.decay"], ["0.5 now"]),
        ({"study": {"seed": 7}, "network": {"epochs": 9}}, ["study.seed", "network.epochs"], ["3 there, 9 now"]),
    ],
)
def test_a_different_study_is_refused_naming_what_differs(
    folder: RunFolder, sections: dict[str, Any], keys: list[str], values: list[str]
) -> None:
    claim(folder, tiny())
    before = folder.study_file.read_bytes()
    line = refusal(folder, **sections)
    assert all(f"{key}: " in line for key in keys)
    assert all(value in line for value in values)
    assert "study.trials" not in line
    assert folder.study_file.read_bytes() == before


def test_a_study_file_with_another_total_keeps_its_generations(folder: RunFolder) -> None:
    sections = content(study={"trials": 300, "sampler": "tpe"})
    del sections["study"]["generation"]
    assert claim(folder, complete(sections, Path("tiny.toml"))).study.generation == 15
    sections["study"]["trials"] = 600
    assert claim(folder, complete(sections, Path("tiny.toml"))).study.generation == 15
    assert folder.spec().study.trials == 600


def test_the_storage_of_the_earlier_run_is_kept_unless_another_is_named(folder: RunFolder) -> None:
    claim(folder, tiny(study={"storage": "/there/study.log"}))
    assert claim(folder, tiny()).study.storage == "/there/study.log"
    assert folder.spec().study.storage == "/there/study.log"
    assert "study.storage" in refusal(folder, study={"storage": "/elsewhere"})


def test_the_journal_is_in_the_folder_unless_the_study_has_another_storage(folder: RunFolder) -> None:
    assert folder.address(tiny()) == str(folder.path / "journal.log")
    assert folder.address(tiny(study={"storage": "sqlite:////there/study.db"})) == "sqlite:////there/study.db"


plain = st.recursive(
    st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
contents = st.dictionaries(st.sampled_from("abc"), plain, max_size=3)


@laws
@given(one=contents, other=contents)
def test_differences_are_none_exactly_between_equals_and_go_both_ways(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert differences(one, one) == {}
    found = differences(one, other)
    assert (found == {}) == (one == other)
    assert {key: (was, now) for key, (now, was) in differences(other, one).items()} == found


def test_a_folder_is_set_aside_under_the_first_free_number(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "tiny")
    assert folder.set_aside() is None
    asides = []
    for content_of in ("first", "second", "third"):
        folder.path.mkdir()
        (folder.path / "mark").write_text(content_of)
        asides.append(folder.set_aside())
    assert asides == [tmp_path / f"tiny.{n}" for n in (1, 2, 3)]
    assert [(aside / "mark").read_text() for aside in asides if aside] == ["first", "second", "third"]
    assert not folder.path.exists()


HOLDER = """
import sys
from pathlib import Path
from sweep.door.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.readline()
"""


def holder(folder: RunFolder) -> subprocess.Popen[str]:
    """Another process, which holds the folder until it is told to go on."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder.path)],
        cwd=Path(sweep.__file__).parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_folder_that_another_process_runs_is_refused_until_that_process_is_dead(folder: RunFolder) -> None:
    with holder(folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(UsageError) as caught, folder.locked():
            pass
        run_too = pytest.raises(UsageError, match="another process is running this study")
        with run_too:
            run(content(), folder.path.parent)
        with run_too:
            run(content(), folder.path.parent, fresh=True)
        process.kill()
        process.wait()
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{folder.path}: another process is running this study")
    assert not folder.exists(), "who is refused writes nothing"
    with folder.locked():
        assert run_is_refused(folder)


def run_is_refused(folder: RunFolder) -> bool:
    """Whether this process, which holds the lock already, is refused a second run of its own."""
    try:
        run(content(), folder.path.parent)
    except UsageError:
        return True
    return False


def test_the_lock_is_free_again_after_an_error(folder: RunFolder) -> None:
    with pytest.raises(KeyError), folder.locked():
        raise KeyError
    with folder.locked():
        pass


def test_locking_makes_the_folder(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "a" / "b").locked():
        assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_below_a_file_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError) as caught:
        run(content(), tmp_path / "file")
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{tmp_path / 'file' / 'tiny'}: cannot be written")
    assert "--runs" in line
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_without_a_run_is_one_line_with_the_command_that_starts_one(folder: RunFolder) -> None:
    with pytest.raises(UsageError, match=r"no run here: .*python -m sweep run tiny"):
        folder.spec()


def test_a_run_is_found_by_its_folder_its_name_or_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(tomli_w.dumps(content(study={"name": "mine", "trials": 1})))
    path = run(resolve_file(file), tmp_path / "runs").folder
    assert path == tmp_path / "runs" / "mine"
    for meant in (path, str(path), "mine", file, str(file)):
        assert folder_of(meant, tmp_path / "runs") == RunFolder(path)


def resolve_file(file: Path) -> dict[str, Any]:
    return resolve(file).resolved()


def test_a_shipped_study_that_has_not_been_run_is_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    name = "quickstart"
    folder = folder_of(name, tmp_path)
    assert folder.path == tmp_path / name
    assert not folder.exists()


def test_a_study_that_nobody_knows_is_one_line_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown study 'quickstrat'; did you mean 'quickstart'") as caught:
        folder_of("quickstrat", tmp_path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_run_is_found_by_a_file_that_names_its_study_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(tomli_w.dumps(content(study={"name": "other", "trials": 1})))
    sweep.run(file, runs=tmp_path / "runs", backend="serial")
    assert folder_of(file, tmp_path / "runs").exists()


def test_a_name_that_leads_out_of_the_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        run(content(study={"name": "../outside", "trials": 1}), tmp_path / "runs")
