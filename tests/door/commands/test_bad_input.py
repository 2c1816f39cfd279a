"""A user's mistake gets one clear line and the right exit code; no traceback, nothing written, nothing lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.terminal import BRIEFLY, TINY, sweep, tiny_study


@dataclass(frozen=True)
class Mistake:
    """A study file, the command's arguments, the exit code, and what the line must name."""

    name: str
    code: int
    names: tuple[str, ...]
    study: str = TINY
    arguments: tuple[str, ...] = ("run", "s.toml")
    files: dict[str, str] = field(default_factory=dict)


def search(text: str) -> str:
    return f"{TINY}\n[search]\n{text}\n"


MISTAKES = [
    Mistake("unknown study", 2, ("nope", "quickstart"), arguments=("run", "nope")),
    Mistake("nearest study", 2, ("quikstart", "did you mean 'quickstart'"), arguments=("run", "quikstart")),
    Mistake("missing file", 2, ("gone.toml",), arguments=("run", "gone.toml")),
    Mistake("broken TOML", 2, ("s.toml", "line 1"), study="[study\n"),
    Mistake("unknown key", 2, ("study.trails", "did you mean 'trials'"), study=TINY.replace("trials", "trails")),
    Mistake("unknown section", 2, ("serach", "did you mean 'search'"), study=f"{TINY}\n[serach]\n"),
    Mistake("unknown schedule", 2, ("stp", "did you mean 'step'"), study=search('schedules = ["stp"]')),
    Mistake("unknown optimizer", 2, ("rmsprob", "did you mean 'rmsprop'"), study=search('optimizers = ["rmsprob"]')),
    Mistake("unknown data set", 2, ("irs", "did you mean 'iris'"), study='[data]\nname = "irs"\n'),
    Mistake(
        "low above high", 2, ("search.learning_rate", "low <= high"),
        study=search("learning_rate = {low = 1.0, high = 0.1}"),
    ),
    Mistake(
        "a decay of 1.2", 2, ("search.optimizer.rmsprop.decay", "1.2", "0 <= decay < 1"),
        study=search("[search.optimizer.rmsprop]\ndecay = 1.2"),
    ),
    Mistake("a negative rate", 2, ("search.learning_rate = -1", "0 <"), study=search("learning_rate = -1")),
    Mistake(
        "a rate of 0 on a log range", 2, ("search.learning_rate.low", "0", "0 < learning_rate"),
        study=search("learning_rate = {low = 0, high = 1.0, log = true}"),
    ),
    Mistake("no trials", 2, ("--trials 0",), arguments=("run", "s.toml", "--trials", "0")),
    Mistake("negative workers", 2, ("--workers -1", "at least 1"), arguments=("run", "s.toml", "--workers", "-1")),
    Mistake("negative seed", 2, ("--seed -1",), arguments=("run", "s.toml", "--seed", "-1")),
    Mistake("no time", 2, ("--timeout 0",), arguments=("run", "s.toml", "--timeout", "0")),
    Mistake("unknown sampler", 2, ("tep", "did you mean 'tpe'"), arguments=("run", "s.toml", "--sampler", "tep")),
    Mistake("unknown backend", 2, ("lok", "did you mean 'loky'"), arguments=("run", "s.toml", "--backend", "lok")),
    Mistake("unknown option", 2, ("--trails",), arguments=("run", "s.toml", "--trails", "3")),
    Mistake("unknown command", 2, ("rnu",), arguments=("rnu", "s.toml")),
    Mistake("text for a number", 2, ("--trials", "integer"), arguments=("run", "s.toml", "--trials", "many")),
    Mistake(
        "missing target column", 4, ("t.csv", "prize", "did you mean 'price'"),
        study='[data]\nfile = "t.csv"\ntarget = "prize"\n', files={"t.csv": "a,price\n1,2.5\n2,3.5\n"},
    ),
    Mistake(
        "dates to predict", 4, ("t.csv", "'day'", "dates"),
        study='[data]\nfile = "t.csv"\ntarget = "day"\n', files={"t.csv": "a,day\n1,2024-01-02\n2,2024-03-01\n"},
    ),
    Mistake("missing data file", 4, ("gone.csv",), study='[data]\nfile = "gone.csv"\ntarget = "price"\n'),
    Mistake(
        "unwritable run folder", 2, ("file/runs/s",),
        arguments=("run", "s.toml", "--runs", "file/runs"), files={"file": ""},
    ),
    Mistake("no run yet", 2, ("no run here",), arguments=("show", "quickstart")),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.name)
def test_a_mistake_is_one_line_and_nothing_is_written(mistake: Mistake, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(mistake.study)
    for name, content in mistake.files.items():
        (tmp_path / name).write_text(content)
    before = sorted(tmp_path.rglob("*"))
    outcome = sweep(*mistake.arguments, cwd=tmp_path)
    assert outcome.code == mistake.code, outcome.err
    assert outcome.out == ""
    (line,) = outcome.err.splitlines()
    for text in mistake.names:
        assert text in line
    assert sorted(tmp_path.rglob("*")) == before


def test_a_data_set_that_cannot_be_downloaded_is_one_line_and_exit_4(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[data]\nname = "california_housing"\n')
    # A proxy where nobody listens: the fetch fails at once, with and without a network.
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in (nowhere | {"SCIKIT_LEARN_DATA": str(tmp_path / "cache"), "no_proxy": ""}).items():
            patch.setenv(key, value)
        outcome = sweep("run", "s.toml", cwd=tmp_path)
    assert outcome.code == 4
    (line,) = outcome.err.splitlines()
    assert "california_housing" in line
    assert "SCIKIT_LEARN_DATA" in line
    assert not (tmp_path / "runs").exists()


def test_a_run_folder_of_a_different_study_is_refused_and_kept(tmp_path: Path) -> None:
    tiny_study(tmp_path, extra=BRIEFLY)
    assert sweep("run", "tiny.toml", "-q", "--backend", "serial", cwd=tmp_path).code == 0
    kept = {p: p.read_bytes() for p in (tmp_path / "runs").rglob("*") if p.is_file()}
    (tmp_path / "tiny.toml").write_text(TINY.replace("hidden = [4]", "hidden = [5]") + BRIEFLY)
    outcome = sweep("run", "tiny.toml", cwd=tmp_path)
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    for text in ("network.hidden", "[4]", "[5]", "--fresh"):
        assert text in line
    assert {p: p.read_bytes() for p in (tmp_path / "runs").rglob("*") if p.is_file()} == kept


def test_several_mistakes_in_a_file_are_a_line_each(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[study]\ntrails = 1\n[data]\nname = "irs"\n')
    outcome = sweep("run", "s.toml", cwd=tmp_path)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 2
