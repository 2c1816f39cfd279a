"""The command line: what each command prints where, and with which exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sweep.door.api import load, resolve, run
from sweep.door.manual import epilogue, steer
from sweep.learning.configuration import Configuration
from sweep.learning.data import splits
from sweep.learning.optimizers.rules import OPTIMIZERS, RMSProp
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.search.study_file.catalogue import shipped
from tests.terminal import BRIEFLY, TINY, Outcome, command, environment, sweep, sweep_process, tiny_study


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny study has been run."""
    folder = tmp_path_factory.mktemp("place")
    tiny_study(folder, extra=BRIEFLY)
    outcome = sweep("run", "tiny.toml", "--workers", "1", cwd=folder)  # loky, as by default
    assert outcome.code == 0, outcome.err
    return folder


def one_object(outcome: Outcome) -> Any:
    assert outcome.code == 0, outcome.err
    data = json.loads(outcome.out)
    assert isinstance(data, dict)
    return data


def test_a_run_prints_the_summary_a_person_wants(place: Path) -> None:
    text = sweep("show", "tiny.toml", cwd=place).out
    for part in (
        "Is this a study?",
        "16 of 16 trials",
        "Use ",
        "learning_rate",
        "schedule with each optimizer",
    ):
        assert part in text
    for part in ("trials.parquet", "curves.parquet", "python -m sweep dashboard", "python -m sweep export"):
        assert part in text


@pytest.mark.long
def test_streams_without_a_terminal_hold_no_cursor_codes(place: Path) -> None:
    outcome = sweep_process("run", "tiny.toml", "--runs", "other", "--backend", "serial", "-v", cwd=place)
    assert outcome.code == 0
    assert "\x1b" not in outcome.out + outcome.err
    assert outcome.out.startswith("tiny: Is this a study?")


def test_quiet_says_nothing(place: Path) -> None:
    assert sweep("run", "tiny.toml", "-q", "--backend", "serial", cwd=place) == Outcome(0, "", "")


def test_run_with_json_prints_one_object_and_show_prints_the_same(place: Path) -> None:
    ran = one_object(sweep("run", "tiny.toml", "--json", "--backend", "serial", cwd=place))
    shown = one_object(sweep("show", "tiny", "--json", cwd=place))
    assert ran == shown
    assert ran["trials"]["total"] == 16 == ran["trials"]["complete"] + ran["trials"]["diverged"]
    assert ran["best"]["objective"] == min(a["objective"] for a in ran["arms"] if a["objective"] is not None)


def test_show_ends_with_the_best_optimizer_and_schedule_as_lines_of_code_for_other_libraries(place: Path) -> None:
    text = sweep("show", "tiny", cwd=place).out
    lines = one_object(sweep("show", "tiny", "--json", cwd=place))["lines"]
    assert [found["library"] for found in lines] == ["torch", "keras", "optax"]
    assert f"{iris_steps(place)} minibatches an epoch" in text
    for found in lines:
        assert found["code"]
        assert found["exact"] or found["notes"]
        for line in found["code"]:  # whole, so that it can be copied
            assert f"    {line}\n" in text
    assert "torch.optim" not in sweep("run", "tiny.toml", cwd=place).out


def test_a_run_can_be_shown_when_its_data_are_gone(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(60)))
    study = TINY.replace('name = "iris"', 'file = "mine.csv"\ntarget = "y"')
    (tmp_path / "mine.toml").write_text(study + BRIEFLY)
    assert sweep("run", "mine.toml", "-q", "--backend", "serial", cwd=tmp_path).code == 0
    (tmp_path / "mine.csv").unlink()
    splits.forget()  # as in a process of its own
    outcome = sweep("show", "mine", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert "Use " in outcome.out
    assert "cannot be read any more" in " ".join(outcome.out.split())
    assert one_object(sweep("show", "mine", "--json", cwd=tmp_path))["lines"]
    (tmp_path / "runs" / "mine" / "recipe.json").unlink()  # as of a run that has noted nothing
    assert "not known without the data" in sweep("show", "mine", cwd=tmp_path).out
    assert one_object(sweep("show", "mine", "--json", cwd=tmp_path))["lines"] == []


def iris_steps(place: Path) -> int:
    """150 samples, of which 30 are the test part and 30 the validation part, in minibatches of 32."""
    assert load(place / "runs" / "tiny").spec.network.batch_size == 32
    return -(-90 // 32)


def test_list_names_every_shipped_study_a_line_each(place: Path) -> None:
    lines = sweep("list", cwd=place).out.splitlines()
    assert [line.split()[0] for line in lines] == [*shipped()]
    assert len(one_object(sweep("list", "--json", cwd=place))["studies"]) == len(shipped()) > 9


def test_dry_run_predicts_and_writes_nothing(tmp_path: Path) -> None:
    tiny_study(tmp_path)
    text = sweep("run", "tiny.toml", "--dry-run", cwd=tmp_path).out
    for part in (
        f"{len(OPTIMIZERS) * len(SCHEDULES)} (optimizer x schedule)",
        "16, in generations of 8",
        "ms to train",
        "memory",
    ):
        assert part in text
    plan = one_object(sweep("run", "tiny.toml", "--dry-run", "--json", "--workers", "2", cwd=tmp_path))
    assert plan["total"] > 0
    assert plan["workers"] == 2
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".feather", ".json", ".xlsx"])
@pytest.mark.parametrize("table", ["trials", "curves"])
def test_export_writes_the_format_of_the_ending(place: Path, ending: str, table: str) -> None:
    file = f"{table}{ending}"
    said = one_object(sweep("export", "tiny.toml", file, "--table", table, "--json", cwd=place))
    readers = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".feather": pd.read_feather, ".json": pd.read_json}
    frame = readers.get(ending, pd.read_excel)(place / file)
    assert len(frame) == said["rows"] > 0
    assert "learning_rate" in frame.columns


def test_rerun_reproduces_and_says_so(place: Path) -> None:
    outcome = sweep("rerun", "tiny.toml", "3", cwd=place)
    assert outcome.code == 0
    assert "reproduced bit for bit" in outcome.out


def test_rerun_of_a_trial_that_was_altered_exits_with_5(place: Path) -> None:
    assert sweep("run", "tiny.toml", "-q", "--backend", "serial", "--runs", "altered", cwd=place).code == 0
    part = sorted((place / "altered" / "tiny" / "curves.parquet").glob("part-*"))[0]
    frame = pd.read_parquet(part)
    frame["validation_loss"] *= 1.001
    frame.to_parquet(part, index=False)
    outcome = sweep("rerun", "tiny.toml", "3", "--runs", "altered", cwd=place)
    assert outcome.code == 5
    assert "NOT reproduced" in outcome.out


def test_fit_saves_an_estimator_that_another_process_can_load(place: Path) -> None:
    assert sweep("fit", "tiny.toml", "-o", "model.joblib", cwd=place).code == 0
    code = (
        "import joblib; from sklearn.datasets import load_iris\n"
        "print(joblib.load('model.joblib').score(*load_iris(return_X_y=True)))"
    )
    python = command()[0]
    done = subprocess.run(
        [python, "-c", code], cwd=place, env=environment(), capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 0.5  # three balanced classes: a guess scores a third


@pytest.mark.parametrize("name", ["", "run", "list", "show", "export", "dashboard", "rerun", "fit", "manual"])
def test_every_command_has_help_with_an_example(name: str, tmp_path: Path) -> None:
    outcome = sweep(*filter(None, [name]), "--help", cwd=tmp_path)
    assert outcome.code == 0
    assert "Example: python -m sweep" in outcome.out


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_with_everything_finished_saved(tmp_path: Path, number: int, code: int) -> None:
    extra = "\n[search]\nschedules = ['constant']\n"
    path = tiny_study(tmp_path, extra=extra)
    path.write_text(path.read_text().replace("trials = 16", "trials = 20000"))
    process = subprocess.Popen(
        command("run", "tiny.toml", "--workers", "2", "--sampler", "random"),
        cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    curves = tmp_path / "runs" / "tiny" / "curves.parquet"
    deadline = time.monotonic() + 60
    while len(list(curves.glob("part-*"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert out == ""
    assert "Traceback" not in err
    assert "go on with" in err
    trials = pd.read_parquet(tmp_path / "runs" / "tiny" / "trials.parquet")
    finished = trials[trials["state"] != "running"]
    assert len(finished) >= 64
    assert set(finished["number"]) == set(pd.read_parquet(curves)["number"])


def test_manual_scheduling_follows_the_person_and_gives_the_schedule(tmp_path: Path) -> None:
    tiny_study(tmp_path)
    outcome = sweep("manual", "tiny.toml", "--learning-rate", "0.05", cwd=tmp_path, stdin="\n/2\nhelp\n5\n")
    assert outcome.code == 0, outcome.err
    assert "epoch   3  rate 0.025" in outcome.err
    for part in ("piecewise", "boundaries", "factors"):
        assert part in outcome.out


def test_what_a_person_did_by_hand_is_repeated_to_the_last_bit_by_the_lines_it_gives(tmp_path: Path) -> None:
    answers = iter(["", "/3", "*1.7"])

    def ask(prompt: str) -> str:
        return next(answers)

    def nothing(text: str) -> None:
        pass

    spec = resolve(tiny_study(tmp_path))
    chosen = Configuration(0.07, RMSProp(decay=0.99))
    session = steer(spec, chosen, ask, nothing)
    assert len(session.boundaries) == 2
    _, _, lines = epilogue(session, chosen).partition("with splits = 1 under [study]:")
    file = tiny_study(tmp_path, "again", extra=f"{lines}\n[verdict]\nseeds = 0\n")
    file.write_text(file.read_text().replace("[study]", "[study]\nsplits = 1", 1))
    again = run(tmp_path / "again.toml", trials=1, backend="serial", runs=tmp_path / "runs")
    assert again.curves["validation_loss"].tolist() == session.losses
