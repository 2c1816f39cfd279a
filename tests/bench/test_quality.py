"""The bench of what is found: contenders really search the same problem, and are compared in pairs."""

from __future__ import annotations

import numpy as np
import pytest

from sweep.bench import quality
from sweep.bench.quality import CONTENDERS, DATA, OURS, Difference, Search, summed_up


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_contender_searches_and_notes_when_it_knew_what(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "EPOCHS", 4)
    found = CONTENDERS[name](name, "noisy", 1, 20)
    assert (found.contender, found.data, found.seed) == (name, "noisy", 1)
    assert len(found.best) == len(found.seconds) == 20
    assert (np.diff(found.best[np.isfinite(found.best)]) <= 0).all()
    assert np.isfinite(found.best[-1])
    assert (np.diff(found.seconds) >= 0).all()
    assert 20 <= found.epochs <= 20 * 4
    again = CONTENDERS[name](name, "noisy", 1, 20)
    np.testing.assert_array_equal(found.best, again.best)


def test_pruners_train_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "EPOCHS", 8)
    whole, halved = (CONTENDERS[name](name, "noisy", 1, 24) for name in (OURS, "sweep, halving"))
    assert halved.epochs < 0.9 * whole.epochs


def test_every_data_set_of_the_bench_makes_a_study() -> None:
    for data in DATA:
        assert quality.study_of(data, 0, 100).study.generation == 8


def search(contender: str, seed: int, best: list[float], seconds: list[float]) -> Search:
    return Search(contender, "digits", seed, np.array(best), np.array(seconds), len(best))


def test_contenders_are_compared_seed_by_seed_at_equal_trials_and_at_equal_time() -> None:
    studies = []
    for seed, level in enumerate((1.0, 10.0, 100.0)):
        studies.append(search(OURS, seed, [3 * level, 2 * level], [1.0, 2.0]))
        studies.append(search("other", seed, [4 * level, level], [1.5, 9.0]))
    found = summed_up("digits", studies, "other")
    assert (found.trials, found.best, found.seconds, found.epochs) == (2, 10.0, 9.0, 1.0)
    assert found.worse
    assert found.worse_by_then
    assert found.worse.mean == pytest.approx(np.mean([-1.0, -10.0, -100.0]) / 20.0)
    assert found.worse_by_then.mean == pytest.approx(np.mean([2.0, 20.0, 200.0]) / 20.0)
    assert summed_up("digits", studies, OURS).worse is None


def test_data_sets_are_taken_together_each_on_its_own_scale() -> None:
    studies = []
    for data, level in (("digits", 1.0), ("noisy", 1000.0)):
        for seed in (0, 1):
            studies.append(Search(OURS, data, seed, np.array([level]), np.array([1.0]), 1))
            studies.append(Search("other", data, seed, np.array([(1.5 + seed) * level]), np.array([1.0]), 1))
    found = summed_up(quality.ALL, studies, "other")
    assert found.best is None
    assert found.worse
    assert found.worse.mean == pytest.approx(1.0)


def test_who_knows_nothing_yet_is_not_compared_at_that_time() -> None:
    studies = [search(OURS, 0, [2.0], [1.0]), search("other", 0, [1.0], [5.0])]
    assert summed_up("digits", studies, "other").worse_by_then is None


def test_the_interval_of_equal_differences_is_a_point_and_of_others_holds_the_mean() -> None:
    assert Difference.of(np.zeros(5)) == Difference(0.0, 0.0, 0.0)
    found = Difference.of(np.array([0.1, 0.3, 0.2, 0.6, 0.4]))
    assert 0 < found.low < found.mean < found.high
