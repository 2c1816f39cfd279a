"""Baselines on large data: the linear model comes to an end, by a limit that the data alone decide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from sweep.learning import baselines
from sweep.learning.data import keeping
from sweep.learning.data.parts import Facts
from sweep.learning.data.source import named
from sweep.learning.data.splits import prepare
from sweep.results.tables import after_search
from tests.studies import content, run

DIGITS = Facts("classification", 1, (1078, 359, 360), 64, 10, "")


def test_the_limit_of_what_is_small_is_as_it_was() -> None:
    assert baselines.steps(DIGITS) == baselines.MOST_STEPS
    assert baselines.seeds(DIGITS) == baselines.SEEDS


@pytest.mark.parametrize("times", [100, 1000, 10_000])
def test_the_larger_the_data_the_fewer_the_steps_but_never_none(times: int) -> None:
    large = replace(DIGITS, samples=(1078 * times, 359 * times, 360 * times))
    larger = replace(large, outputs=2 * large.outputs)
    assert baselines.MOST_STEPS > baselines.steps(large) >= baselines.steps(larger) >= baselines.FEWEST_STEPS
    assert baselines.steps(large) * 1078 * times * 65 * 10 <= baselines.WORK or (
        baselines.steps(large) == baselines.FEWEST_STEPS
    )
    assert baselines.seeds(large) == baselines.SEEDS_OF_LARGE
    assert baselines.steps(replace(large, task="regression")) == baselines.MOST_STEPS  # it takes none


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_the_solver_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    data = prepare(named("wine"), 0)
    whole = baselines.baselines(data)["linear"]["loss"]
    monkeypatch.setattr(baselines, "WORK", 10 * len(data.train) * (data.inputs + 1) * data.outputs)
    assert baselines.steps(data.facts) == 10
    found = baselines.baselines(data)["linear"]["loss"]
    model = LogisticRegression(max_iter=10).fit(data.train.inputs, data.train.targets.argmax(axis=1))
    expected = log_loss(data.test.targets.argmax(axis=1), model.predict_proba(data.test.inputs))
    assert found == pytest.approx(expected)
    assert found != pytest.approx(whole)


def test_a_run_on_large_data_keeps_how_many_steps_there_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"trials": 8, "generation": 8}
    plain = run(content(study=options, verdict={"seeds": 4, "arms": 1}), tmp_path / "plain")
    known = after_search.read_baselines(plain.folder)
    assert "steps" not in known
    assert sorted(known["replicate"].unique()) == [0, 1, 2, 3]
    monkeypatch.setattr(keeping, "LARGE", 0)
    monkeypatch.setattr(baselines, "WORK", 0)
    large = run(content(study=options, verdict={"seeds": 4, "arms": 1}), tmp_path / "large")
    known = after_search.read_baselines(large.folder)
    assert known["steps"].tolist() == [baselines.FEWEST_STEPS] * len(known)
    assert sorted(known["replicate"].unique()) == [0, 1, 2]
    assert np.isfinite(known["loss"]).all()
    np.testing.assert_array_equal(large.curves["validation_loss"], plain.curves["validation_loss"])
