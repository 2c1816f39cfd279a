"""``bench`` through the command line, with as little work as shows every part of its result."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from rich.console import Console

from sweep.bench import measuring, parent, peers, whole
from sweep.bench.machine import describe
from sweep.bench.result import Bench, Trained
from sweep.bench.targets import Target, targets
from sweep.bench.timing import Timing
from sweep.door.terminal.bench import WIDTH, data, shown
from tests.terminal import Outcome, sweep

pytestmark = pytest.mark.long

WORKLOADS = ("W1", "W2", "W3", "W4")
THERE = ("sklearn", "optuna")


@dataclass(frozen=True)
class Ran:
    outcome: Outcome
    data: Any
    bench: Bench


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One epoch and one round of everything but the whole runs; of the peers those that are always installed."""
    effort = replace(measuring.QUICK, rounds=1, sizes=(2,), finished=(40, 80))
    benches: list[Bench] = []

    def keeping(*arguments: Any, **options: Any) -> Bench:
        benches.append(measure(*arguments, **options))
        return benches[-1]

    measure = measuring.measure
    only = [word for part in ("kernel", "curve", "peers", "asks", "parent") for word in ("--only", part)]
    with (
        mock.patch.object(measuring, "QUICK", effort),
        mock.patch.object(measuring.Effort, "epochs", return_value=1),
        mock.patch.object(peers, "find_spec", lambda name: object() if name in THERE else None),
        mock.patch.object(parent, "SAMPLERS", ("random", "tpe")),
        mock.patch.object(measuring, "measure", keeping),
    ):
        outcome = sweep("bench", "--quick", *only, "--json", cwd=tmp_path_factory.mktemp("bench"))
    assert outcome.code == 0, outcome.err
    return Ran(outcome, json.loads(outcome.out), benches[0])


def test_every_workload_has_its_time_and_that_of_its_products(ran: Ran) -> None:
    assert tuple(ran.data["kernel"]) == WORKLOADS
    for kernel in ran.data["kernel"].values():
        for name in ("", "products_", "one_at_a_time_"):
            assert 0 < kernel[f"{name}low"] <= kernel[f"{name}ms_per_trial"] <= kernel[f"{name}high"]
            assert kernel[f"{name}runs"] == 1
        assert kernel["epochs"] == 30
        assert kernel["epochs_run"] == 1
        assert kernel["products_layout"]
    assert ran.data["kernel"]["W1"]["rows"] == 32
    for name in ("mixed", "saturating", "stopping", "lasting"):
        assert ran.data["kernel"]["W1"][f"{name}_ms_per_trial"] > 0


def test_the_curve_marks_the_size_that_the_trainer_takes(ran: Ran) -> None:
    assert tuple(ran.data["curve"]) == WORKLOADS
    for points in ran.data["curve"].values():
        assert [point["chosen"] for point in points].count(True) == 1
        assert 2 in [point["rows"] for point in points]
        assert all(point["ms_per_trial"] > 0 for point in points)


def test_peers_are_listed_whether_they_are_installed_or_not(ran: Ran) -> None:
    assert list(ran.data["peers"]["W1"]) == ["scikit-learn"]
    found = ran.data["peers"]["W1"]["scikit-learn"]
    assert found["ms_per_trial"] > 0
    assert found["accuracy"] > 0.9
    assert found["compile_seconds"] == 0
    assert "no RMSProp" in found["note"]
    assert ran.data["not_installed"] == ["jax", "rustuna", "torch"]
    asked = {(name, finished) for name in ("sweep TPE", "Optuna TPE") for finished in (40, 80)}
    assert {(ask["name"], ask["finished"]) for ask in ran.data["asks"]} == asked


def test_the_parents_cost_is_there_for_each_sampler(ran: Ran) -> None:
    assert list(ran.data["parent"]) == ["random", "tpe"]
    for found in ran.data["parent"].values():
        assert [cost["finished"] for cost in found["costs"]] == [40, 80]
        assert all(cost["ms_per_trial"] > cost["tables_ms_per_trial"] > 0 for cost in found["costs"])
        assert found["peak_megabytes"] > 0


def test_the_result_names_the_machine_and_says_what_was_wanted(ran: Ran) -> None:
    assert ran.data["schema"] == 1
    assert ran.data["quick"] is True
    for name in ("processor", "cores", "python", "blas", "packages"):
        assert ran.data["machine"][name]
    wanted = {target["what"]: target for target in ran.data["targets"]}
    found = wanted["W1: stacked / its matrix products"]
    kernel = ran.data["kernel"]["W1"]
    assert found["measured"] == pytest.approx(kernel["ms_per_trial"] / kernel["products_ms_per_trial"])
    assert found["met"] == (found["measured"] <= 1.8)


def test_progress_goes_to_stderr_and_the_result_alone_to_stdout(ran: Ran) -> None:
    assert ran.outcome.out.count("\n") == 1
    assert "sweep: W1 (digits" in ran.outcome.err
    assert "parent: a whole study" in ran.outcome.err


def test_the_table_shows_every_part(ran: Ran) -> None:
    text = io.StringIO()
    Console(file=text, width=WIDTH).print(shown(ran.bench))
    for part in (
        ran.bench.machine.processor, "stacked, RMSProp alone", "its matrix products alone", "W4: 20,000",
        "Rows trained at once", "scikit-learn", "Optuna TPE", "of it tables", "What the project wants to hold",
        "Not installed: jax, rustuna, torch (pip install 'sweep[peers]')",
    ):  # fmt: skip
        assert part in text.getvalue()
    assert max(map(len, text.getvalue().splitlines())) <= WIDTH


def test_a_wrong_part_is_one_line(tmp_path: Path) -> None:
    outcome = sweep("bench", "--only", "kernal", cwd=tmp_path)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err == (
        "sweep: --only: unknown part 'kernal'; did you mean 'kernel'? "
        "Known: answer, asks, curve, kernel, long, parent, peers, quality, whole\n"
    )


def test_a_run_from_end_to_end_gives_its_speed_and_its_start_up() -> None:
    found = whole.measure("random", 24, kernel_ms=10.0)
    assert found.trials == 24
    assert found.diverged == 0
    assert 0 < found.startup_seconds < found.wall_seconds
    assert found.efficiency == pytest.approx(found.trials_per_second * 0.010 / 2)


def test_a_limit_that_was_not_measured_is_not_listed() -> None:
    assert targets(Bench(describe(), quick=True)) == []
    assert data(Bench(describe(), quick=True))["kernel"] == {}
    alone = Bench(describe(), quick=True, peers=[Trained("PyTorch", Timing.of([9.0]), 0.9, 0.0, "")])
    assert targets(alone) == []


@pytest.mark.parametrize(("sense", "met"), [("at most", False), ("at least", True)])
def test_a_limit_is_met_from_its_own_side(sense: Any, met: bool) -> None:
    assert Target("", sense, 2.0, 3.0).met is met
    assert Target("", sense, 2.0, 2.0).met
