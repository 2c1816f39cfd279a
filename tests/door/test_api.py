from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import tomli_w

import sweep
from sweep.door import retraining
from sweep.door.api import Result, configuration_of, resolve
from sweep.errors import DataError, SweepError, UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.data.source import named
from sweep.learning.data.splits import load, prepare, split_off_test
from sweep.learning.optimizers.rules import OPTIMIZERS, Adam, Momentum
from sweep.learning.schedules.formulas import SCHEDULES, Step
from sweep.results.tables.tables import read
from tests.studies import CALM, assert_same_results, content, run

ARMS = len(OPTIMIZERS) * len(SCHEDULES)
EVERYTHING = {"optimizers": list(OPTIMIZERS), "schedules": list(SCHEDULES)}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """Every optimizer and every schedule, two replicates."""
    study = content(study={"trials": ARMS, "generation": 24, "mode": "compare", "replicates": 2}, search=EVERYTHING)
    return run(study, tmp_path_factory.mktemp("runs"))


def test_a_result_has_the_tables_the_study_and_the_best(result: Result) -> None:
    assert len(result.trials) == len(result.study.trials) == ARMS
    assert set(result.curves["number"]) == set(range(ARMS))
    complete = result.trials[result.trials["state"] == "complete"]
    assert result.best["objective"] == complete["objective"].min() == result.study.best_value
    assert result.best["number"] == result.study.best_trial.number
    assert not any(pd.isna(value) for value in result.best.values())
    assert result.configuration == configuration_of(result.best, result.spec)
    assert result.configuration.arm == f"{result.best['optimizer']} x {result.best['schedule']}"
    assert len(result.arms) == ARMS


def test_a_run_is_loaded_from_its_folder_as_it_was_returned(result: Result) -> None:
    for folder in (result.folder, str(result.folder)):
        loaded = sweep.load(folder)
        assert loaded.best == result.best
        assert loaded.configuration == result.configuration
        assert loaded.findings == result.findings
        assert loaded.spec.resolved() == result.spec.resolved()
        pd.testing.assert_frame_equal(loaded.trials, result.trials)
        pd.testing.assert_frame_equal(loaded.curves, result.curves)
        assert [t.params for t in loaded.study.trials] == [t.params for t in result.study.trials]


def test_the_configuration_of_every_row_is_that_of_its_optuna_trial(result: Result) -> None:
    space = result.spec.space()
    for row, trial in zip(result.trials.to_dict("records"), result.study.trials, strict=True):
        assert configuration_of(row, result.spec) == space.configuration(trial.params)


def test_the_folder_has_what_the_contract_says(result: Result) -> None:
    names = {path.name for path in result.folder.iterdir() if not path.name.startswith(".")}
    assert names == {"study.toml", "recipe.json", "journal.log", "trials.parquet", "curves.parquet"}


def test_a_folder_without_a_run_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run here"):
        sweep.load(tmp_path)


def test_a_study_may_be_given_as_its_content_or_its_file(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(tomli_w.dumps(content()))
    by_content = run(content(), tmp_path / "1")
    by_path = sweep.run(tmp_path / "tiny.toml", runs=tmp_path / "2", backend="serial")
    by_text = sweep.run(str(tmp_path / "tiny.toml"), runs=str(tmp_path / "3"), backend="serial")
    assert_same_results(by_content, by_path)
    assert_same_results(by_content, by_text)


def test_arguments_stand_in_for_what_the_study_says(tmp_path: Path) -> None:
    wishes: dict[str, Any] = {"trials": 3, "seed": 9, "sampler": "grid", "storage": str(tmp_path / "mine.log")}
    result = run(content(), tmp_path, **wishes)
    assert {key: getattr(result.spec.study, key) for key in wishes} == wishes
    assert len(result.trials) == 3
    assert (tmp_path / "mine.log").is_file()
    assert len(sweep.load(result.folder).study.trials) == 3


def test_a_total_does_not_change_the_size_of_a_generation() -> None:
    study = content(study={"trials": 512, "sampler": "tpe"})
    del study["study"]["generation"]
    assert resolve(study, trials=9).study.generation == resolve(study).study.generation == 25


BAD_ARGUMENTS: dict[str, dict[str, Any]] = {
    "trials": {"trials": 0},
    "seed": {"seed": -1},
    "sampler": {"sampler": "tpee"},
    "pruner": {"pruner": "halvin"},
    "backend": {"backend": "seriell"},
    "workers": {"workers": 0},
    "scheduler": {"scheduler": "tcp://there:1"},
    "timeout": {"timeout": 0.0},
}


@pytest.mark.parametrize("name", BAD_ARGUMENTS)
def test_a_bad_argument_is_one_line_that_names_it_and_nothing_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(content(), tmp_path / "runs", **BAD_ARGUMENTS[name])
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"--{name}")
    assert not (tmp_path / "runs").exists()


def test_a_storage_that_cannot_be_opened_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        run(content(), tmp_path, storage="nosuch://place")
    assert len(run(content(), tmp_path).trials) == 12


def test_a_timeout_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--timeout nan"):
        run(content(), tmp_path, timeout=float("nan"))


def test_comparing_refuses_a_sampler_that_learns(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--sampler.*independent random"):
        run(content(study={"mode": "compare"}), tmp_path, sampler="tpe")


def test_comparing_refuses_a_total_that_the_arms_cannot_share(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--trials 10: .*each of the 4 arms.*such as 8 or 12") as caught:
        run(content(study={"mode": "compare"}), tmp_path / "runs", trials=10)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_data_that_cannot_be_used_are_found_before_anything_is_written(tmp_path: Path) -> None:
    study = content() | {"data": {"file": str(tmp_path / "none.csv"), "target": "y"}}
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        run(study, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_study_that_differs_is_refused_and_the_old_one_stays(tmp_path: Path) -> None:
    before = run(content(), tmp_path)
    with pytest.raises(UsageError, match=r"different study \(study\.seed: 0 there, 1 now\)"):
        run(content(), tmp_path, seed=1)
    assert_same_results(sweep.load(before.folder), before)


def test_a_fresh_run_keeps_the_old_one_under_another_name(tmp_path: Path) -> None:
    old = run(content(), tmp_path)
    trials = old.trials
    new = run(content(study={"seed": 1}), tmp_path, fresh=True)
    assert new.folder == old.folder
    assert set(new.trials["seed"]) == {1}
    kept = sweep.load(tmp_path / "tiny.1")
    pd.testing.assert_frame_equal(kept.trials, trials)
    assert len(kept.study.trials) == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny", "tiny.1"]


def test_a_first_run_may_be_fresh(tmp_path: Path) -> None:
    assert len(run(content(), tmp_path, fresh=True).trials) == 12
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_fresh_run_with_a_storage_elsewhere_trains_anew(tmp_path: Path) -> None:
    storage = str(tmp_path / "mine.log")
    run(content(), tmp_path / "runs", storage=storage)
    assert len(run(content(), tmp_path / "runs", storage=storage, fresh=True).trials) == 12


CONFIGURATIONS = [Configuration(0.01, Momentum()), Configuration(0.001, Adam(), Step(every=1.0))]


def test_training_without_optuna_gives_curves_numbered_by_place() -> None:
    curves = sweep.train(CONFIGURATIONS, "iris", hidden=(4,), epochs=3, replicates=2)
    expected = [(n, r, e) for n in range(2) for r in range(2) for e in range(4)]
    assert list(zip(curves["number"], curves["replicate"], curves["epoch"], strict=True)) == expected
    assert curves.loc[curves["number"] == 0, "learning_rate"].unique().tolist() == [0.01]


def test_training_is_decided_by_configuration_and_seed_alone() -> None:
    both = sweep.train(CONFIGURATIONS, "iris", seed=3, epochs=2)
    alone = sweep.train(CONFIGURATIONS[1:], prepare(named("iris"), 3), seed=3, epochs=2)
    second = both[both["number"] == 1].drop(columns="number").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.drop(columns="number"), second, check_exact=True)
    other = sweep.train(CONFIGURATIONS, named("iris"), seed=4, epochs=2)
    assert not np.array_equal(other["validation_loss"], both["validation_loss"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": "irirs"}, "did you mean 'iris'"),
        ({"data": "iris", "epoch": 3}, "unknown setting 'epoch'; did you mean 'epochs'"),
        ({"data": "iris", "epochs": 0}, "epochs = 0: must be a whole number, at least 1"),
        ({"data": "iris", "configurations": []}, "no configurations given"),
    ],
)
def test_training_refuses_bad_arguments_in_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        sweep.train(**({"configurations": CONFIGURATIONS} | arguments))
    assert len(str(caught.value).splitlines()) == 1


def test_the_public_names_are_all_there() -> None:
    assert sweep.run is sweep.door.api.run
    assert sweep.load is sweep.door.api.load
    assert sweep.train is sweep.door.api.train
    assert issubclass(UsageError, sweep.SweepError)
    assert all(getattr(sweep, name) is not None for name in sweep.__all__)
    assert set(sweep.__all__) <= set(dir(sweep))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        getattr(sweep, "trian")  # noqa: B009


def numbers_of(result: Result, state: str, count: int) -> list[int]:
    rows = result.trials[result.trials["state"] == state].groupby("optimizer").head(1)
    return [int(number) for number in rows["number"][:count]]


def test_every_trial_reproduces_bit_for_bit_trained_alone(result: Result) -> None:
    numbers = numbers_of(result, "complete", 6) + numbers_of(result, "diverged", 1)
    assert len(numbers) >= 6
    for number in numbers:
        outcome = retraining.rerun(result, number)
        assert outcome.reproduced
        assert outcome.largest_relative_difference == 0.0
        assert outcome.epochs == result.trials["epochs"][number]
        assert f"trial {number} of tiny: reproduced bit for bit" in outcome.sentence()


def tampered(result: Result, change: Any) -> Result:
    """The result as if its curves said something else."""
    other = sweep.load(result.folder)
    other.answer.__dict__["curves"] = change(result.curves.copy())
    return other


def test_a_trial_whose_curves_differ_in_the_last_bit_has_not_reproduced(result: Result) -> None:
    number = int(result.best["number"])
    (place, *_) = result.curves.index[result.curves["number"] == number]

    def change(curves: pd.DataFrame) -> pd.DataFrame:
        curves.loc[place, "validation_loss"] = np.nextafter(curves.loc[place, "validation_loss"], np.inf)
        return curves

    outcome = retraining.rerun(tampered(result, change), number)
    assert not outcome.reproduced
    assert outcome.largest_relative_difference is not None
    assert 0 < outcome.largest_relative_difference < 1e-15
    assert "NOT reproduced: validation loss differs up to" in outcome.sentence()


def test_a_trial_whose_curves_are_shorter_has_not_reproduced(result: Result) -> None:
    number = int(result.best["number"])
    outcome = retraining.rerun(tampered(result, lambda curves: curves[curves["epoch"] < 3]), number)
    assert not outcome.reproduced
    assert "another epoch" in outcome.sentence()


def test_a_tampered_file_is_found_out(tmp_path: Path) -> None:
    result = run(content(search=CALM, study={"trials": 2}), tmp_path)
    part = result.folder / "curves.parquet" / "part-000000.parquet"
    curves = pd.read_parquet(part)
    curves["train_loss"] += 1.0
    curves.to_parquet(part, index=False)
    assert not retraining.rerun(sweep.load(result.folder), 0).reproduced


@pytest.mark.parametrize("number", [-1, ARMS])
def test_a_trial_that_is_not_there_is_one_line(result: Result, number: int, tmp_path: Path) -> None:
    for act in (
        lambda: retraining.rerun(result, number),
        lambda: retraining.fit(result, tmp_path / "m.joblib", number),
    ):
        with pytest.raises(UsageError, match=rf"trial {number}: .* has trials 0 to {ARMS - 1}"):
            act()


def test_a_trial_that_is_not_finished_cannot_be_trained_again(result: Result) -> None:
    running = sweep.load(result.folder)
    running.answer.__dict__["trials"] = read(result.folder, "trials").assign(state="running")
    with pytest.raises(UsageError, match=r"trial 3 of .* is not finished"):
        retraining.rerun(running, 3)


def one_trial(data: str, momentum: float) -> dict[str, Any]:
    search = {"learning_rate": 0.005, "optimizers": ["momentum"], "schedules": ["constant"]}
    search |= {"optimizer": {"momentum": {"momentum": momentum}}}
    return content(study={"trials": 1}, search=search, data={"name": data}, network={"epochs": 40, "hidden": [8]})


@pytest.mark.parametrize(("data", "task"), [("iris", "classification"), ("diabetes", "regression")])
def test_a_saved_estimator_predicts_raw_features(tmp_path: Path, data: str, task: str) -> None:
    result = run(one_trial(data, momentum=0.9), tmp_path)
    saved = retraining.fit(result, tmp_path / "model.joblib")
    table, rest = load(result.spec.source()), split_off_test(result.spec.source(), 0)
    assert saved.samples == len(rest.target) < len(table.target)
    assert saved.trial == result.best["number"]
    assert str(tmp_path / "model.joblib") in saved.sentence()
    estimator = joblib.load(saved.file)
    # Far better than chance on samples as they are in the data set: it scales them itself. Score is accuracy or R2.
    assert estimator.score(table.features, table.target) > (0.8 if task == "classification" else 0.3)
    assert not list(tmp_path.glob(".*"))


def test_an_estimator_whose_training_diverges_is_not_saved_in_silence(tmp_path: Path) -> None:
    result = run(one_trial("diabetes", momentum=0.99), tmp_path)
    assert result.best, "the trial itself did not diverge"
    with pytest.raises((SweepError, Warning)):
        retraining.fit(result, tmp_path / "model.joblib")


def test_a_saved_estimator_has_the_configuration_asked_for(result: Result, tmp_path: Path) -> None:
    (number,) = numbers_of(result, "complete", 1)
    saved = retraining.fit(result, tmp_path / "model.joblib", number)
    estimator = joblib.load(saved.file)
    assert saved.trial == number
    assert estimator.configuration == configuration_of(result.trials.iloc[number].dropna().to_dict(), result.spec)
    assert estimator.hidden == (4,)


def test_an_estimator_that_cannot_be_written_is_one_line(result: Result, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written") as caught:
        retraining.fit(result, tmp_path / "none" / "model.joblib")
    assert len(str(caught.value).splitlines()) == 1


def test_a_run_without_a_complete_trial_has_no_configuration_to_keep(tmp_path: Path) -> None:
    study = content(study={"trials": 2}, search={"learning_rate": 1e8, "optimizers": ["sgd"]})
    with pytest.raises(SweepError, match="no trial is complete"):
        retraining.fit(run(study, tmp_path), tmp_path / "model.joblib")
