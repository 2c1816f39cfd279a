"""The bench of answers: what is held out stays unseen, studies are compared in pairs, and none is made twice."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from sweep.bench import answer, measuring
from sweep.bench.answer import contenders, sets, truth
from sweep.bench.answer.contenders import BEST_DEFAULT, CONTENDERS, OURS, RULE, SKLEARN, Outcome, Plan
from sweep.bench.answer.sets import SETS, Problem
from sweep.bench.answer.summary import ALL, Beside, Compared, summed_up
from sweep.bench.machine import describe
from sweep.bench.result import Bench
from sweep.bench.targets import targets
from sweep.door.terminal.bench import WIDTH, data, shown
from sweep.learning.configuration import Configuration
from sweep.learning.data.splits import prepare
from sweep.learning.optimizers.rules import Adam, Sgd
from tests.terminal import Outcome as Ended
from tests.terminal import sweep

TINY = Plan(("wine",), seeds=1, truths=2, trainings=36, epochs=2)


@dataclass(frozen=True)
class Ran:
    first: Ended
    second: Ended
    folder: Path


@contextmanager
def tiny(cache: Path) -> Iterator[None]:
    """A bench of one very small study, in this process, with its results in a cache of its own."""
    with (
        mock.patch.dict("os.environ", {"XDG_CACHE_HOME": str(cache)}),
        mock.patch.object(measuring, "QUICK", replace(measuring.QUICK, answers=TINY)),
        mock.patch.object(answer, "JOBS", 1),
        mock.patch.object(sets, "SCHEDULES", ["constant", "linear"]),
        mock.patch.object(contenders, "SEEDS", 3),
    ):
        yield


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The bench, and the same again with nothing left to do."""
    folder = tmp_path_factory.mktemp("answer")
    command = ("bench", "--quick", "--only", "answer", "--json")
    with tiny(folder):
        first = sweep(*command, cwd=folder)
        with mock.patch.object(answer, "compete", side_effect=AssertionError("a study is made twice")):
            second = sweep(*command, cwd=folder)
    assert first.code == 0, first.err
    return Ran(first, second, folder)


@pytest.mark.long
def test_every_contender_recommends_something_whose_truth_is_known(ran: Ran) -> None:
    outcomes = json.loads(ran.first.out)["answer"]["outcomes"]
    assert tuple(each["contender"] for each in outcomes) == CONTENDERS
    for each in outcomes:
        assert (each["data"], each["seed"]) == ("wine", 0)
        assert 0 < each["loss"] <= 3 * math.log(3)
        assert 0 <= each["error"] <= 1
    by_name = {each["contender"]: each for each in outcomes}
    assert by_name[OURS]["seconds"] > 1
    assert by_name[contenders.TPE]["seconds"] >= by_name[OURS]["seconds"]
    assert by_name[contenders.ADAM]["choice"].startswith("adam x constant")


@pytest.mark.long
def test_a_study_that_is_there_is_not_made_again(ran: Ran) -> None:
    assert ran.second.code == 0, ran.second.err
    first, second = (json.loads(each.out)["answer"] for each in (ran.first, ran.second))
    assert first == second
    kept = sorted(Path(first["folder"]).iterdir())
    assert [file.name for file in kept] == ["wine-0-36-2-2.json"]
    assert ran.folder in kept[0].parents
    assert "wine, seed 0: 1 of 1 studies done" in ran.first.err
    assert "studies done" not in ran.second.err


@pytest.mark.long
def test_the_table_shows_every_contender_and_where_the_studies_are(ran: Ran) -> None:
    found = json.loads(ran.first.out)["answer"]
    outcomes = [Outcome(**each) for each in found["outcomes"]]
    bench = Bench(describe(), quick=True, answered=summed_up(outcomes, found["folder"]))
    text = io.StringIO()
    Console(file=text, width=WIDTH).print(shown(bench))
    for part in ("What is recommended", "The same for the error", "True loss, median", "wine", *CONTENDERS):
        assert part in text.getvalue()
    assert Path(found["folder"]).name in text.getvalue()


def test_the_whole_table_fits(tmp_path: Path) -> None:
    outcomes = [
        Outcome(name, problem, seed, "", 0.1 * (1 + place) ** seed, 0.05, 0.0, 1000.0)
        for place, name in enumerate(CONTENDERS)
        for problem in SETS
        for seed in range(3)
    ]
    text = io.StringIO()
    bench = Bench(describe(), quick=False, answered=summed_up(outcomes, "here"))
    Console(file=text, width=WIDTH).print(shown(bench))
    assert "…" not in text.getvalue()
    assert max(map(len, text.getvalue().splitlines())) <= WIDTH
    assert len(data(bench)["answer"]["compared"]) == 3 * (len(CONTENDERS) - 1)


def outcome(contender: str, seed: int, loss: float, error: float = 0.0, problem: str = "wine") -> Outcome:
    return Outcome(contender, problem, seed, "", loss, error, 0.0, float(seed))


def test_losses_are_compared_in_pairs_by_their_ratios_and_errors_by_their_differences() -> None:
    random = np.random.default_rng(0)
    ours, theirs = np.exp(random.normal(size=(2, 20)))
    mine, other = random.random((2, 20))
    outcomes = [outcome(OURS, seed, ours[seed], mine[seed]) for seed in range(20)]
    outcomes += [outcome(BEST_DEFAULT, seed, theirs[seed], other[seed]) for seed in reversed(range(20))]
    found = summed_up(outcomes, "").beside("small", BEST_DEFAULT)
    assert found
    ratios = [math.log(a / b) for a, b in zip(ours, theirs, strict=True)]
    low, high = stats.ttest_1samp(ratios, 0.0).confidence_interval(0.95)
    assert found.loss.mean == pytest.approx(math.prod(a / b for a, b in zip(ours, theirs, strict=True)) ** (1 / 20) - 1)
    assert (found.loss.low, found.loss.high) == pytest.approx((math.exp(low) - 1, math.exp(high) - 1))
    assert found.loss.worst == pytest.approx(max(ours / theirs) - 1)
    assert found.loss.worse == sum(a > 1.05 * b for a, b in zip(ours, theirs, strict=True)) / 20
    assert found.loss.much_worse == sum(a > 1.1 * b for a, b in zip(ours, theirs, strict=True)) / 20
    differences = stats.ttest_1samp(mine - other, 0.0).confidence_interval(0.95)
    assert (found.error.mean, found.error.low, found.error.high) == pytest.approx(
        (np.mean(mine - other), differences.low, differences.high)
    )
    assert found.error.worse == np.mean(mine - other > 0.01)
    assert (found.studies, found.seconds) == (20, 9.5)


def test_equal_losses_are_a_point_and_a_limit_itself_is_not_beyond_it() -> None:
    assert Beside.of(np.zeros(5), (0.05, 0.1)) == Beside(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    one = Beside.of(np.array([0.1]), (0.05, 0.1))
    assert (one.mean, one.low, one.high, one.worse, one.much_worse) == (0.1, 0.1, 0.1, 1.0, 0.0)


def test_sets_are_grouped_by_whether_their_defaults_are_good() -> None:
    outcomes = [
        outcome(name, seed, loss, problem=problem)
        for problem, name, loss in (
            ("wine", OURS, 2.0), ("wine", RULE, 1.0), ("short_digits", OURS, 1.0), ("short_digits", RULE, 2.0),
        )
        for seed in range(3)
    ]  # fmt: skip
    found = summed_up(outcomes, "")
    beside = {each.group: each for each in found.compared if each.contender == RULE}
    assert {group: each.studies for group, each in beside.items()} == {ALL: 6, "small": 3, "off": 3}
    assert [each.loss.mean for each in beside.values()] == pytest.approx([0.0, 1.0, -0.5])
    assert found.beside(ALL, SKLEARN) is None
    assert [(level.data, level.contender, level.loss) for level in found.levels] == [
        ("wine", OURS, 2.0), ("wine", RULE, 1.0), ("short_digits", OURS, 1.0), ("short_digits", RULE, 2.0),
    ]  # fmt: skip


def test_a_limit_is_there_for_each_thing_that_the_project_wants() -> None:
    outcomes = [
        outcome(name, seed, 1.0 if name == OURS else 2.0, problem=problem)
        for problem in SETS
        for name in CONTENDERS
        for seed in range(2)
    ]
    wanted = targets(Bench(describe(), quick=False, answered=summed_up(outcomes, "")))
    assert len(wanted) == 6
    assert {round(target.measured, 9) for target in wanted} == {-50.0, 0.0}
    assert all(target.met for target in wanted)


@pytest.mark.parametrize("name", SETS)
def test_the_holdout_part_is_nobodys_and_every_set_makes_a_study(name: str, tmp_path: Path) -> None:
    problem, other = Problem.of(name, 0), Problem.of(name, 1)
    inside, outside = ({row.tobytes() for row in np.asarray(t.features)} for t in (problem.inside, problem.outside))
    assert len(problem.outside.target) >= 0.3 * (len(problem.inside.target) + len(problem.outside.target)) - 1
    assert len(inside & outside) <= 1  # a data set may have a sample twice
    assert outside != {row.tobytes() for row in np.asarray(other.outside.features)}
    problem.write(tmp_path / "inside.parquet")
    spec = problem.spec(problem.study(tmp_path / "inside.parquet", 512, None))
    assert 512 <= spec.study.trials * spec.splits < 512 + spec.splits
    held, asked = problem.split(7), prepare(replace(spec.source(), test=0.0), 7)
    # Columns of a table are summed in another order than those of an array, and one that is constant is left out.
    left = np.ptp(np.asarray(problem.inside.features), axis=0) > 0
    np.testing.assert_allclose(held.train.inputs[:, left], asked.train.inputs, rtol=0, atol=1e-12)
    assert held.test.inputs.shape == (len(problem.outside.target), held.inputs)
    assert held.test.targets.shape[1] == held.outputs
    assert abs(held.test.inputs.mean()) < 0.3  # scaled as the training part is


def test_at_least_four_sets_of_each_kind_and_regression_among_them() -> None:
    for kind in ("small", "off"):
        assert len([each for each in SETS.values() if each.kind == kind]) >= 4
    tasks = {name: each.table().task for name, each in SETS.items()}
    assert {SETS[name].kind for name, task in tasks.items() if task == "regression"} == {"small", "off"}
    assert set(answer.QUICK.sets) <= set(answer.FULL.sets) == set(SETS)
    assert answer.FULL.truths >= 12


def test_a_diverged_training_counts_as_bad_and_finite() -> None:
    problem = Problem.of("diabetes", 0)
    spec = problem.spec(problem.study(Path("none.parquet"), 36, 3))
    wild, calm = truth.of_configurations(problem, spec, [Configuration(1e6, Sgd()), Configuration(0.01, Adam())], 2)
    assert (wild.diverged, wild.error) == (1.0, 1.0)
    assert 2 <= wild.loss < 10
    assert calm.diverged == 0
    assert calm.loss < 1.5
    model = {"solver": "sgd", "learning_rate_init": 1e6}
    assert truth.of_model(problem, 3, model, 2) == truth.Truth(truth.ceiling(problem), 1.0, 1.0)


def test_the_truth_of_a_configuration_does_not_depend_on_the_others() -> None:
    problem = Problem.of("moons", 0)
    spec = problem.spec(problem.study(Path("none.parquet"), 36, 2))
    both = [Configuration(0.1, Sgd()), Configuration(0.01, Adam())]
    together = truth.of_configurations(problem, spec, both, 2)
    assert together == [truth.of_configurations(problem, spec, [each], 2)[0] for each in both]


def test_the_folder_is_another_for_other_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    before = answer.place()
    assert before == answer.place()
    assert before.parent == tmp_path / "sweep" / "bench-answer"
    monkeypatch.setattr(answer, "TELLS_NOTHING", answer.TELLS_NOTHING | {"truth.py"})
    assert answer.place() != before


def test_a_study_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def compete(problem: Problem, plan: Plan, folder: Path) -> list[Outcome]:
        made.append((problem.name, problem.seed))
        if len(made) == 2:
            raise KeyboardInterrupt
        return [outcome(OURS, problem.seed, 1.0), outcome(RULE, problem.seed, 2.0)]

    monkeypatch.setattr(answer, "compete", compete)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(answer, "JOBS", 1)
    plan = replace(TINY, seeds=3)
    with pytest.raises(KeyboardInterrupt):
        answer.measure(plan)
    assert [answer.kept(answer.place(), "wine", seed, plan).exists() for seed in range(3)] == [True, False, False]
    found = answer.measure(plan).beside(ALL, RULE)
    assert made == [("wine", 0), ("wine", 1), ("wine", 1), ("wine", 2)]
    assert isinstance(found, Compared)
    assert found.studies == 3
    assert found.loss.mean == pytest.approx(-0.5)
