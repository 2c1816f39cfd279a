from __future__ import annotations

from pathlib import Path

import pytest

from sweep.bench.parent import SAMPLERS, Clock, MadeUp, measure, peak_megabytes, run, study_of
from sweep.bench.timing import Timing
from sweep.results.tables import tables
from sweep.results.tables.tables import Tables
from sweep.search.running.records import Progress


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_whole_study_is_asked_told_and_recorded(sampler: str, tmp_path: Path) -> None:
    spec = study_of(sampler, 60)
    clock = run(spec, tmp_path)
    trials, curves = tables.read(tmp_path, "trials"), tables.read(tmp_path, "curves")
    assert len(trials) == spec.study.trials > 60
    assert set(trials["state"]) == {"complete"}
    assert trials["objective"].nunique() == len(trials)
    assert len(curves) == len(trials) * (spec.network.epochs + 1)
    assert [done for done, _ in clock.ends] == list(range(clock.size, len(trials) + 1, clock.size))


def test_the_costs_are_those_around_the_number_of_finished_trials(tmp_path: Path) -> None:
    clock = Clock(MadeUp(), 10, Tables(tmp_path, []))
    seconds = 0.0
    for generation in range(1, 31):  # a trial costs 1 ms up to 150 finished ones, then 3; its tables 0.5
        clock.ends.append((10 * generation, seconds))
        clock.writing.append(generation * 0.005)
        seconds += 0.010 if generation < 15 else 0.030
    early, late = clock.around(50), clock.around(250)
    assert early.timing.ms == pytest.approx(1.0)
    assert late.timing.ms == pytest.approx(3.0)
    assert early.tables.ms == pytest.approx(0.5)
    assert early.timing.runs >= 3


def test_what_the_pool_takes_is_not_the_parents_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.bench.parent.time.perf_counter", lambda: 10.0)
    pool = MadeUp()
    clock = Clock(pool, 4, Tables(tmp_path, []))
    for done, spent in ((4, 1.0), (6, 2.0), (8, 3.0)):
        pool.spent = spent
        clock.notify(Progress(100, done))
    assert clock.ends == [(4, 9.0), (8, 7.0)]  # in the middle of a generation nothing is noted


def test_measured_are_the_costs_and_the_memory() -> None:
    found = measure("random", (20, 40))
    assert [cost.finished for cost in found.costs] == [20, 40]
    for cost in found.costs:
        assert isinstance(cost.timing, Timing)
        assert cost.timing.ms > cost.tables.ms > 0
    assert found.peak_megabytes == pytest.approx(peak_megabytes(), rel=0.5)
