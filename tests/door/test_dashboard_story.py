"""The real dashboard, in a real browser, while a run writes: it tells what was found without any other page."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna_dashboard import get_note, save_note

import sweep
from sweep.door.running.finishing import HEADING, Story
from sweep.search.running.records import Progress
from sweep.search.storage.storage import open_for_writing
from tests.browser import browser
from tests.door.interrupted.test_readers import sweep_to
from tests.door.test_dashboard import served
from tests.studies import tiny
from tests.terminal import TINY, command, environment

JUDGED = TINY + "\n[verdict]\nseeds = 3\narms = 2\n"


def watched(page: Any) -> list[str]:
    """What the page complains of: errors on the console, exceptions, and requests that fail or leave this machine."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(request.url))
    page.on(
        "request",
        lambda r: None if r.url.startswith(("http://127.0.0.1", "data:", "blob:")) else complaints.append(r.url),
    )
    return complaints


@pytest.mark.long
def test_the_dashboard_tells_the_story_while_a_run_writes(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(JUDGED)
    sweep_to(8, tmp_path)
    with browser() as opened, served(tmp_path, "tiny.toml") as address:
        page = opened.new_page(viewport={"width": 1300, "height": 900})
        complaints = watched(page)
        line = command("run", "tiny.toml", "-q", "--trials", "64", "--workers", "1")
        with subprocess.Popen(line, cwd=tmp_path, env=environment()) as running:
            page.goto(f"{address}/dashboard/studies/0/note")
            page.get_by_text("8 of 8 trials").wait_for(timeout=60_000)
            page.goto(f"{address}/dashboard/studies/0")
            page.locator("#plot-history .main-svg").first.wait_for(timeout=60_000)
            assert running.wait(timeout=120) == 0
        page.goto(f"{address}/dashboard/studies/0/note")
        page.get_by_text("64 of 64 trials").wait_for(timeout=60_000)
        leader = sweep.load(tmp_path / "runs" / "tiny").verdict
        assert leader is not None
        assert str(leader.leader) in page.locator("table").inner_text()
        page.goto(f"{address}/dashboard/studies/0")
        for name in ("scores", "top-curves", "history"):
            page.locator(f"[id='user-defined-plot:{name}'] .main-svg").first.wait_for(timeout=60_000)
        assert "validation loss" in page.locator("#plot-history").inner_text()
        page.screenshot(path=tmp_path / "study.png", full_page=True)
    assert complaints == []


@pytest.mark.long
def test_numbers_of_a_trial_are_columns_that_can_be_sorted(tmp_path: Path) -> None:
    result = sweep.run(tiny().resolved(), runs=tmp_path, backend="serial")
    for trial in result.study.trials:
        numbers = {name for name, value in trial.user_attrs.items() if isinstance(value, int | float)}
        assert {"generation", "epochs", "seconds", "validation_error", "train_loss"} <= numbers


def story(folder: Path, study: optuna.Study | None = None) -> tuple[Story, optuna.Study]:
    storage = open_for_writing(str(folder / "journal.log"))
    study = optuna.create_study(storage=storage.storage, study_name="s", load_if_exists=True)
    return Story(study, storage, "Why?"), study


def test_what_a_person_wrote_above_our_heading_stays(tmp_path: Path) -> None:
    told, study = story(tmp_path)
    told.begin(Progress(total=9, done=1))
    assert get_note(study).startswith(HEADING)
    assert "Why?" in get_note(study)
    save_note(study, "My own words.\n\n" + get_note(study))
    result = sweep.run(tiny().resolved(), runs=tmp_path, backend="serial")
    told.end(result.answer)
    assert get_note(study).startswith(f"My own words.\n\n{HEADING}")
    assert "12 of 12 trials" in get_note(study)
    assert "The run goes on" not in get_note(study)


def test_nothing_is_written_again_that_is_said_already(tmp_path: Path) -> None:
    spec = tiny().resolved()
    written = []
    for _ in range(2):
        sweep.run(spec, runs=tmp_path, backend="serial")
        written.append((tmp_path / "tiny" / "journal.log").read_bytes().count(b"dashboard:"))
    assert written[0] == written[1] > 0


@pytest.mark.parametrize("done", [0, 3])
def test_a_run_announces_itself_when_the_first_trials_are_done(tmp_path: Path, done: int) -> None:
    told, study = story(tmp_path)
    told.begin(Progress(total=9, done=done))
    assert ("to 9 trials" in get_note(study)) == (done > 0)
