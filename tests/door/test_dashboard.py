"""The real dashboard, served by the real command, shows a study with its curves, also while a run writes it."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.terminal import BRIEFLY, command, environment, sweep, tiny_study


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[str]:
    """The address of a dashboard on a study of `folder`."""
    process = subprocess.Popen(
        command("dashboard", *arguments, "--port", "0"),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[0].removesuffix("/dashboard")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        process.stdout.close()


def fetch(url: str) -> Any:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # an address of this machine
    with direct.open(url, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.parametrize(
    "storage",
    [(), pytest.param(("--storage", "sqlite:///optuna.db"), marks=pytest.mark.long)],
    ids=["journal", "sqlite"],
)
def test_the_dashboard_shows_every_trial_with_parameters_and_curve(tmp_path: Path, storage: tuple[str, ...]) -> None:
    tiny_study(tmp_path, extra=BRIEFLY)
    assert sweep("run", "tiny.toml", "-q", "--backend", "serial", *storage, cwd=tmp_path).code == 0
    with served(tmp_path, "tiny.toml") as address:
        assert address.startswith("http://127.0.0.1:")
        (summary,) = fetch(f"{address}/api/studies")["study_summaries"]
        study = fetch(f"{address}/api/studies/{summary['study_id']}?after=0")
    assert study["name"] == "tiny"
    assert len(study["trials"]) == 16
    for trial in study["trials"]:
        assert trial["state"] == "Complete"
        assert {"optimizer", "schedule", "learning_rate"} <= {p["name"] for p in trial["params"]}
        assert len(trial["intermediate_values"]) >= 2  # before training, and at least one epoch
        assert "validation_error" in {a["key"] for a in trial["user_attrs"]}
    assert study["objective_names"] == ["validation loss"]


@pytest.mark.long
def test_the_dashboard_reads_while_a_run_writes(tmp_path: Path) -> None:
    tiny_study(tmp_path)
    assert sweep("run", "tiny.toml", "-q", "--backend", "serial", cwd=tmp_path).code == 0
    with served(tmp_path, "tiny.toml") as address:
        run = subprocess.Popen(
            command("run", "tiny.toml", "-q", "--backend", "serial", "--trials", "100000", "--sampler", "tpe"),
            cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        seen = [16]
        deadline = time.monotonic() + 90  # the dashboard looks at a storage again after up to 10 seconds
        while len(set(seen)) < 4 and time.monotonic() < deadline:
            seen.append(len(fetch(f"{address}/api/studies/0?after=0")["trials"]))
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=60) == 130
    assert seen == sorted(seen)
    assert len(set(seen)) == 4, "it grew before our eyes"


@pytest.mark.long
def test_a_port_that_is_taken_is_one_line(tmp_path: Path) -> None:
    tiny_study(tmp_path)
    assert sweep("run", "tiny.toml", "-q", "--backend", "serial", cwd=tmp_path).code == 0
    with served(tmp_path, "tiny.toml") as address:
        outcome = sweep("dashboard", "tiny.toml", "--port", address.rsplit(":", 1)[1], cwd=tmp_path)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
