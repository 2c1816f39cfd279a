"""The finalists: one test part for all, fresh everything else, and a score that depends on nothing but these."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.data.splits import prepare
from sweep.learning.hyper import Array
from sweep.learning.optimizers.rules import Adam, Momentum, RMSProp, Sgd
from sweep.learning.schedules.formulas import Exponential, Piecewise, Step
from sweep.learning.training.loop import train as train_plainly
from sweep.search.running import workers
from sweep.search.running.finalists import DEFAULT, Finalist, Score, fresh_seed, job, train
from sweep.search.running.ledger import WORST
from sweep.search.running.workers import Finished, Job, Lost, Serial, open_pool
from sweep.search.running.workers import run as run_job
from sweep.search.space.space import Arm
from sweep.search.study_file.spec import Spec
from tests.learning.bits import arrays_of
from tests.learning.training.test_tester import loss_and_error
from tests.studies import tiny

FIVE = [
    Configuration(0.02, RMSProp(decay=0.99)),
    Configuration(0.05, Adam(), Exponential(rate=0.1)),
    Configuration(0.03, Momentum(), Step(every=1.0)),
    Configuration(0.01, Sgd()),
    Configuration(0.02, RMSProp(initial_cache=1.0), Exponential(rate=0.3)),
]


def finalists(configurations: Sequence[Configuration] = FIVE) -> list[Finalist]:
    arms = [Arm(each.optimizer.name, each.schedule.name) for each in configurations]
    return [
        Finalist(arm, n, configuration) for n, (arm, configuration) in enumerate(zip(arms, configurations, strict=True))
    ]


def study(**sections: Any) -> Spec:
    return tiny(**{"verdict": {"seeds": 3}, **sections})


def scored(
    spec: Spec, missing: dict[int, list[Finalist]], backend: str = "serial", workers: int = 1
) -> dict[int, list[Score]]:
    """The scores by replicate."""
    pool = open_pool(backend, workers)
    try:
        return {scores[0].replicate: scores for scores in train(spec, pool, missing, lambda: False)}
    finally:
        pool.close()


def bits(score: Score) -> tuple[Any, ...]:
    """Everything that a score says, exactly, but for whose it is."""
    curves = [curve.tobytes() for curve in score.curves.named.values()]
    numbers = score.score, score.objective, *score.test.values()
    return score.replicate, score.seed, score.state, *numbers, *curves


def data_of(spec: Spec, replicate: int) -> Data:
    """What the finalists of a replicate are trained and tested on."""
    made = job(spec, replicate, finalists())
    return prepare(made.source, made.seed)


# ----------------------------------------------------------------------------------------------------- seeds and splits


def rows(part: Part) -> set[bytes]:
    """The samples of a part, whatever their order."""
    return {row.tobytes() for row in np.hstack([part.inputs, part.targets])}


UNSCALED: dict[str, Any] = {"name": "diabetes", "scale": False}  # its samples all differ, and stay as they are


def test_the_test_part_is_the_studys_whatever_the_fresh_seed() -> None:
    spec = study(data=UNSCALED)
    own = prepare(spec.source(), spec.study.seed)
    for replicate in range(5):
        np.testing.assert_array_equal(data_of(spec, replicate).test.inputs, own.test.inputs)
    assert len(own.test) == 88


def test_the_test_part_of_classes_and_of_a_part_of_the_rows_is_the_studys_too() -> None:
    spec = study(data={"name": "digits", "rows": 300, "scale": False}, study={"seed": 11})
    own = prepare(spec.source(), 11)
    for replicate in range(3):
        fresh = data_of(spec, replicate)
        np.testing.assert_array_equal(fresh.test.inputs, own.test.inputs)
        np.testing.assert_array_equal(fresh.test.targets, own.test.targets)
        assert rows(fresh.train) | rows(fresh.validation) == rows(own.train) | rows(own.validation)


def test_training_and_validation_differ_between_seeds_and_never_hold_a_test_sample() -> None:
    spec = study(data={**UNSCALED, "name": "wine"})
    own = prepare(spec.source(), spec.study.seed)
    rest, seen = rows(own.train) | rows(own.validation), set()
    for replicate in range(5):
        data = data_of(spec, replicate)
        assert rows(data.train) | rows(data.validation) == rest
        assert not rows(data.train) & rows(data.validation)
        assert not rows(data.test) & rest
        assert len(data.train) == len(own.train)
        seen.add(frozenset(rows(data.validation)))
    assert len(seen | {frozenset(rows(own.validation))}) == 6


def test_every_replicate_has_a_seed_of_its_own_and_none_is_the_studys() -> None:
    seeds = {fresh_seed(study(study={"seed": seed}), replicate) for seed in range(4) for replicate in range(50)}
    assert len(seeds | set(range(4))) == 204


def test_fresh_seeds_follow_from_the_studys_seed_alone() -> None:
    one = study(study={"seed": 7})
    other = study(study={"seed": 7, "trials": 99, "name": "other"}, verdict={"seeds": 50}, data={"name": "wine"})
    assert [fresh_seed(one, r) for r in range(5)] == [fresh_seed(other, r) for r in range(5)]


# -------------------------------------------------------------------------------------------------------- the sentence


def test_who_has_the_same_configuration_has_the_same_score_and_who_has_not_has_not() -> None:
    twins = [Finalist(Arm("adam", "constant"), 90, FIVE[0]), *finalists(), Finalist(Arm("x", "y"), DEFAULT, FIVE[0])]
    for scores in scored(study(), dict.fromkeys(range(3), twins)).values():
        assert bits(scores[0]) == bits(scores[1]) == bits(scores[-1])
        assert len({bits(score) for score in scores}) == 5
        before = {score.curves.named["validation_loss"][0, 0] for score in scores}
        assert len(before) == 1, "weights and split are shared"


def test_replicates_differ() -> None:
    found = scored(study(), dict.fromkeys(range(3), finalists()[:1]))
    assert len({scores[0].curves.named["validation_loss"][0, 0] for scores in found.values()}) == 3
    assert len({scores[0].score for scores in found.values()}) == 3


@pytest.mark.parametrize("at", ["last", "best"])
def test_a_score_is_the_same_alone_in_company_in_another_order_and_without_the_replicates_before(at: str) -> None:
    spec = study(study={"at": at})
    together = scored(spec, dict.fromkeys(range(3), finalists()))
    for place, finalist in enumerate(finalists()):
        (alone,) = scored(spec, {2: [finalist]})[2]
        assert bits(alone) == bits(together[2][place])
    backwards = scored(spec, dict.fromkeys((2, 0), finalists()[::-1]))
    assert list(backwards) == [2, 0]
    assert [bits(score) for score in backwards[0][::-1]] == [bits(score) for score in together[0]]


@pytest.mark.long  # in the short tier, of a whole run with a race
def test_a_score_is_the_same_with_another_number_of_workers() -> None:
    missing = dict.fromkeys(range(3), finalists())
    here, elsewhere = scored(study(), missing), scored(study(), missing, "loky", 2)
    assert list(elsewhere) == [0, 1, 2]
    for replicate, scores in here.items():
        assert [bits(score) for score in scores] == [bits(score) for score in elsewhere[replicate]]
        assert [score.finalist for score in elsewhere[replicate]] == finalists()


def test_the_number_of_replicates_of_the_search_is_immaterial() -> None:
    """Each fresh seed is a replicate of its own."""
    one, three = (scored(study(study={"replicates": r}), {1: finalists()})[1] for r in (1, 3))
    assert [bits(score) for score in one] == [bits(score) for score in three]


# ----------------------------------------------------------------------------------------------------------- the score


@pytest.mark.parametrize("objective", ["validation_loss", "validation_error"])
@pytest.mark.parametrize("name", ["iris", "diabetes"])
def test_a_score_is_what_a_training_with_that_seed_has_on_the_test_part(name: str, objective: str) -> None:
    spec = study(data={"name": name}, study={"objective": objective}, network={"dtype": "float64", "hidden": [5]})
    for replicate, scores in scored(spec, dict.fromkeys(range(3), finalists())).items():
        data, settings, seed = data_of(spec, replicate), spec.settings(), fresh_seed(spec, replicate)
        for score in scores:
            training = train_plainly([score.finalist.configuration], data, settings, seed)
            expected = loss_and_error(training.parameters[0, 0], data, data.test, settings)
            assert (score.test["loss"], score.test["error"]) == pytest.approx(expected, rel=1e-10)
            assert score.score == (score.test["loss"] if objective == "validation_loss" else score.test["error"])
            assert score.objective == getattr(training, objective)[0, 0, -1]
            assert (score.seed, score.state) == (seed, "complete")
            np.testing.assert_array_equal(score.curves.named["validation_loss"], training.validation_loss[0])


@pytest.mark.parametrize("objective", ["validation_loss", "validation_error"])
def test_at_its_best_means_the_epoch_that_the_fresh_validation_part_chooses(objective: str) -> None:
    spec = study(
        study={"at": "best", "objective": objective}, network={"dtype": "float64", "epochs": 12}, data={"name": "wine"}
    )
    settings, chosen = spec.settings(), set()
    population = [Configuration(rate, Adam()) for rate in (0.01, 0.1, 0.5)]
    for replicate, scores in scored(spec, dict.fromkeys(range(3), finalists(population))).items():
        data, seed = data_of(spec, replicate), fresh_seed(spec, replicate)
        for score in scores:
            curve = score.curves.named[objective][0].tolist()
            epoch = curve.index(min(curve))
            chosen.add(epoch)
            assert score.objective == curve[epoch]
            ended = train_plainly([score.finalist.configuration], data, settings, seed, until=epoch).parameters[0, 0]
            assert (score.test["loss"], score.test["error"]) == pytest.approx(
                loss_and_error(ended, data, data.test, settings)
            )
    assert len(chosen) > 2, "or this would compare less than it says"


def test_a_diverged_finalist_has_a_bad_and_finite_score_and_no_number_of_the_test_part() -> None:
    ill = [
        Configuration(1e30, Sgd()),
        FIVE[0],
        Configuration(0.01, Sgd(), Piecewise(boundaries=(2.0,), factors=(1e30,))),
    ]
    for scores in scored(study(), dict.fromkeys(range(3), finalists(ill))).values():
        soon, well, late = scores
        assert [score.state for score in scores] == ["diverged", "complete", "diverged"]
        start = max(1.0, soon.curves.named["validation_loss"][0, 0])
        assert soon.score == soon.objective == pytest.approx((1 + (WORST - 1) * 2 / 3) * start)
        assert late.score == late.objective == pytest.approx(start)
        assert soon.test == late.test == {}
        assert well.score < late.score < soon.score <= WORST * start


@pytest.mark.parametrize("objective", ["validation_loss", "validation_error"])
def test_without_a_test_part_the_fresh_validation_part_judges(objective: str) -> None:
    spec = study(data={"test": 0.0}, study={"objective": objective})
    for replicate, scores in scored(spec, dict.fromkeys(range(2), finalists())).items():
        data, settings = data_of(spec, replicate), spec.settings()
        assert len(data.test) == 0
        for score in scores:
            assert score.test == {}
            assert score.score == score.objective
            training = train_plainly([score.finalist.configuration], data, settings, fresh_seed(spec, replicate))
            expected = loss_and_error(training.parameters[0, 0], data, data.validation, settings)
            # float32: 24 bits
            assert score.score == pytest.approx(expected[objective == "validation_error"], rel=1e-5)


def test_effective_rates_are_recorded_if_the_study_asks_for_them() -> None:
    with_them, without = (
        scored(study(study={"effective_rates": asked}), {0: finalists()})[0] for asked in (True, False)
    )
    assert [bits(score) for score in with_them] == [bits(score) for score in without]
    assert all(score.curves.effective_rate is None for score in without)
    for score in with_them:
        assert score.curves.effective_rate is not None
        assert np.isfinite(score.curves.effective_rate).all()


# -------------------------------------------------------------------------------------------------------- the training


class Counting(Serial):
    """Counts the jobs; after some of them, loses every one."""

    def __init__(self, survivors: int = 1000) -> None:
        super().__init__(1, None, lambda text: None)
        self.jobs: list[Job] = []
        self.survivors = survivors

    def submit(self, job: Job) -> Any:
        self.jobs.append(job)
        return _Lost() if len(self.jobs) > self.survivors else super().submit(job)


class _Lost:
    def result(self) -> Finished:
        raise Lost("the worker of 5 trials died 3 times")

    def cancel(self) -> bool:
        return False


def test_nobody_is_trained_who_is_not_missing() -> None:
    pool = Counting()
    assert list(train(study(), pool, {}, lambda: False)) == []
    assert pool.jobs == []
    three, one = finalists()[:3], finalists()[4:]
    found = list(train(study(), pool, {4: three, 1: one}, lambda: False))
    assert [[score.finalist for score in scores] for scores in found] == [three, one]
    assert [job.seed for job in pool.jobs] == [fresh_seed(study(), 4), fresh_seed(study(), 1)]
    assert [len(job.configurations) for job in pool.jobs] == [3, 1]


def test_when_stopping_what_is_begun_is_ended_and_nothing_more_is_begun() -> None:
    pool = Counting()
    found: list[int] = []
    for scores in train(study(), pool, dict.fromkeys(range(9), finalists()), lambda: len(found) >= 2):
        found.append(scores[0].replicate)  # noqa: PERF401 - it is asked meanwhile whether to stop
    begun = len(pool.jobs)
    assert found == list(range(begun))
    assert 2 <= begun <= 2 + pool.workers
    assert list(train(study(), pool, {0: finalists()}, lambda: True)) == []


def test_a_job_that_is_lost_is_told_after_the_scores_before_it() -> None:
    given = train(study(), Counting(survivors=3), dict.fromkeys(range(9), finalists()), lambda: False)
    assert [next(given)[0].replicate for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Lost):
        next(given)


class Patient:
    """Three workers; notes how many jobs they had been given whenever a result was waited for."""

    workers = 3

    def __init__(self) -> None:
        self.handed_over = 0
        self.waited: list[int] = []

    def equip(self, job: Job) -> None:
        pass

    def submit(self, job: Job) -> Any:
        self.handed_over += 1
        return _Result(self, run_job(job))


@dataclasses.dataclass
class _Result:
    pool: Patient
    finished: Finished

    def result(self) -> Finished:
        self.pool.waited.append(self.pool.handed_over)
        return self.finished


def test_one_job_more_than_there_are_workers_is_handed_over_before_one_is_waited_for() -> None:
    pool: Any = Patient()
    list(train(study(), pool, dict.fromkeys(range(9), finalists()[:1]), lambda: False))
    assert pool.waited == [4, 5, 6, 7, 8, 9, 9, 9, 9]


# ---------------------------------------------------------------------------------------------- who opens the test part


def spoilt(data: Data) -> Data:
    """The same with nothing but NaN in its test part."""

    def nothing(values: Array) -> Array:
        return np.full_like(values, np.nan)

    return dataclasses.replace(data, test=Part(nothing(data.test.inputs), nothing(data.test.targets)))


def test_only_finalists_see_what_stands_in_the_test_part(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = study()
    searched = Job(spec.source(), spec.settings(), spec.study.seed, tuple(FIVE))
    before, judged = workers.run(searched), scored(spec, {0: finalists()})[0]
    monkeypatch.setattr(workers, "prepare", lambda *which: spoilt(prepare(*which)))
    after, now = workers.run(searched), scored(spec, {0: finalists()})[0]
    assert before.test is after.test is None
    for name, values in arrays_of(before.training).items():
        np.testing.assert_array_equal(values, arrays_of(after.training)[name], err_msg=name)
    for score, spoiled in zip(judged, now, strict=True):
        assert np.isnan([spoiled.score, spoiled.test["loss"]]).all()
        np.testing.assert_array_equal(score.curves.named["validation_loss"], spoiled.curves.named["validation_loss"])
        assert score.objective == spoiled.objective
