from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.hyper import Fixed, Range, hyperparameters
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.search.study_file.catalogue import shipped
from sweep.search.study_file.sections import LARGEST_GENERATION, SMALLEST_GENERATION
from sweep.search.study_file.spec import complete, generation_size, read, read_variants
from tests.studies import content, everything, laws, searches, tiny

HERE = Path("study.toml")


def write(folder: Path, study: dict[str, Any]) -> Path:
    path = folder / "mine.toml"
    path.write_text(tomli_w.dumps(study), encoding="utf-8")
    return path


@laws
@given(search=searches(), epochs=st.integers(1, 200), replicates=st.integers(1, 3))
def test_the_resolved_form_is_a_fixed_point_and_means_the_same(
    search: dict[str, Any], epochs: int, replicates: int
) -> None:
    study = content(network={"epochs": epochs}, study={"replicates": replicates}) | {"search": search}
    spec = complete(study, HERE)
    again = complete(spec.resolved(), HERE)
    assert again.resolved() == spec.resolved()
    assert complete(again.resolved(), HERE) == again
    assert again.space() == spec.space()
    assert again.source() == spec.source()
    assert again.settings() == spec.settings()
    assert again.study == spec.study


@laws
@given(search=searches())
def test_the_resolved_form_survives_toml(search: dict[str, Any]) -> None:
    resolved = complete(content() | {"search": search}, HERE).resolved()
    assert tomllib.loads(tomli_w.dumps(resolved)) == resolved


def test_a_file_with_the_resolved_form_is_read_back_as_the_same_study(tmp_path: Path) -> None:
    spec = everything()
    again = read(write(tmp_path, spec.resolved()))
    assert again.resolved() == spec.resolved()
    assert again.space() == spec.space()


@laws
@given(
    splits=st.none() | st.integers(1, 1000),
    defaults=st.none() | st.booleans(),
    race=st.fixed_dictionaries(
        {},
        optional={"candidates": st.integers(1, 100), "rounds": st.lists(st.integers(1, 1000), max_size=10)},
    ),
    samples=st.integers(10, 10_000),
)
def test_splits_defaults_and_race_stay_what_was_said_and_what_suits(
    splits: int | None, defaults: bool | None, race: dict[str, Any], samples: int
) -> None:
    study = content(race=race)
    study["study"] |= {"splits": splits, "defaults": defaults}
    study["study"] = {key: value for key, value in study["study"].items() if value is not None}
    for spec in (given := complete(study, HERE), given.suited(samples)):
        resolved = spec.resolved()
        again = complete(tomllib.loads(tomli_w.dumps(resolved)), HERE)
        assert again.resolved() == resolved
        assert again.splits == again.settings().splits == spec.splits == spec.settings().splits
        assert again.study.splits == spec.study.splits
        assert again.first_trials() == spec.first_trials()
        assert again.race == spec.race
        assert resolved["race"] == {"candidates": 5, "rounds": [2, 3]} | race
        if spec.study.splits:
            assert again.suited(samples) == again
    assert given.splits == (splits or 1)


@pytest.mark.parametrize(
    ("samples", "splits"), [(10, 3), (150, 3), (2000, 3), (2001, 2), (5000, 2), (5001, 1), (10**6, 1)]
)
def test_the_fewer_the_samples_the_more_splits_unless_the_study_says(samples: int, splits: int) -> None:
    study = content()
    del study["study"]["splits"]
    spec = complete(study, HERE)
    assert (spec.study.splits, spec.splits) == (None, 1)
    suited = spec.suited(samples)
    assert suited.study.splits == suited.splits == suited.settings().splits == splits
    assert suited.suited(10**6) == suited
    for said in (1, 2, 3, 7):
        assert tiny(study={"splits": said}).suited(samples) == tiny(study={"splits": said})


EVERYTHING: dict[str, Any] = {
    "study": {
        "name": "all", "question": "why?", "mode": "optimize", "trials": 7, "seed": 3, "sampler": "qmc",
        "pruner": "median", "generation": 5, "objective": "validation_error", "at": "best", "splits": 4,
        "replicates": 2, "defaults": True, "effective_rates": True, "storage": "/some/file",
        "start": [
            {
                "optimizer": "rmsprop", "schedule": "piecewise", "learning_rate": 0.05, "rmsprop.decay": 0.99,
                "rmsprop.weight_decay": 1e-4, "rmsprop.nesterov": True, "piecewise.boundaries.1": 3.0,
            }
        ],
    },
    "data": {
        "file": "/data/prices.csv", "target": ["price", "rent"], "ignore": ["id"], "task": "regression", "rows": 50,
        "scale": False, "validation": 0.3, "test": 0.1, "separator": ";", "decimal": ",", "encoding": "cp1252",
        "header": False, "sheet": "one", "na_values": ["none"], "day_first": True, "positive": "yes",
        "categorical": ["zip"], "ordered": {"grade": ["low", 2, 3.5]}, "kinds": {"nr": "number"}, "group": "owner",
        "time": "sold", "split": "part", "weight": "count",
    },
    "network": {
        "hidden": [8, 4], "activation": "tanh", "initial_weights": "glorot", "epochs": 9, "batch_size": 16,
        "dtype": "float64",
    },
    "search": {
        "learning_rate": {"low": 0.01, "high": 0.1, "log": False, "integer": False},
        "optimizers": ["rmsprop"],
        "schedules": ["piecewise"],
        "optimizer": {
            "rmsprop": {
                "rate_decay": 0.0, "weight_decay": [0.0, 1e-4], "weight_decay_decoupled": False,
                "weight_decay_biases": True, "weight_decay_over_batch": False, "momentum": 0.5,
                "nesterov": [False, True], "dampening": 0.0, "rate_in_velocity": True, "decay": [0.9, 0.99],
                "epsilon": 1e-8, "initial_cache": 1.0, "epsilon_inside": True, "centered": False,
                "bias_correction": False,
            }
        },
        "schedule": {
            "piecewise": {
                "warmup": 0.0, "warmup_start": 0.0, "boundaries": [[2.0, 3.0], 5.0], "factors": [0.1, 0.01],
                "after": False,
            }
        },
    },
    "race": {"candidates": 4, "rounds": [1, 2, 5]},
    "verdict": {"arms": 3, "seeds": 11, "delta": 0.1},
}  # fmt: skip


def test_a_study_that_says_everything_round_trips(tmp_path: Path) -> None:
    assert read(write(tmp_path, EVERYTHING)).resolved() == EVERYTHING


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_study_is_legal_and_named_after_its_file(name: str) -> None:
    for spec in read_variants(shipped()[name]).values():
        assert spec.study.name.startswith(name)
        assert complete(spec.resolved(), HERE).space() == spec.space()


def test_what_a_file_leaves_out_is_filled_in(tmp_path: Path) -> None:
    spec = read(write(tmp_path, {"data": {"name": "iris"}}))
    assert (spec.study.name, spec.study.sampler, spec.study.trials) == ("mine", "tpe", 256)
    assert spec.study.generation == generation_size(256, "tpe")
    assert spec.search.optimizers == list(OPTIMIZERS)
    assert spec.search.schedules == list(SCHEDULES)
    assert set(spec.resolved()["network"]) == set(type(spec.network).model_fields) - {
        "loss"
    }  # it follows from the data
    for kind, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        for name, constants in spec.resolved()["search"][kind].items():
            assert list(constants) == [p.name for p in hyperparameters(table[name])]


@given(trials=st.integers(1, 10**6), optimizers=st.integers(1, 6), schedules=st.integers(1, 8))
def test_comparing_takes_a_multiple_of_the_arms_or_names_the_nearest(
    trials: int, optimizers: int, schedules: int
) -> None:
    arms = optimizers * schedules
    study = content(
        study={"mode": "compare", "trials": trials},
        search={"optimizers": list(OPTIMIZERS)[:optimizers], "schedules": list(SCHEDULES)[:schedules]},
    )
    if trials % arms == 0:
        assert complete(study, HERE).study.trials == trials
        return
    with pytest.raises(UsageError) as caught:
        complete(study, HERE)
    (line,) = str(caught.value).splitlines()
    assert f"study.trials = {trials}: " in line
    near = [int(number) for number in line.rpartition("such as ")[2].split(" or ")]
    below = trials // arms * arms
    assert near == ([below] if below else []) + [below + arms]


def test_comparing_draws_at_random_unless_told_otherwise() -> None:
    assert tiny(study={"mode": "compare", "sampler": ""}).study.sampler == "random"


@pytest.mark.parametrize(("sampler", "parts"), [("tpe", 20), ("optuna:TPESampler", 20), ("random", 4), ("grid", 4)])
@given(trials=st.integers(1, 100_000))
def test_a_generation_is_a_twentieth_of_the_study_within_bounds_unless_nobody_learns(
    sampler: str, parts: int, trials: int
) -> None:
    size = generation_size(trials, sampler)
    assert SMALLEST_GENERATION <= size <= LARGEST_GENERATION
    assert size in (SMALLEST_GENERATION, LARGEST_GENERATION) or parts * size <= trials < parts * (size + 1)


def test_a_data_file_is_sought_beside_the_study_file(tmp_path: Path) -> None:
    path = write(tmp_path, {"data": {"file": "mine.csv", "target": "y"}})
    assert read(path).source().file == str((tmp_path / "mine.csv").resolve())


def test_a_storage_is_sought_in_one_place_wherever_the_reader_stands(tmp_path: Path) -> None:
    path = write(tmp_path, content(study={"storage": "mine.log"}))
    assert Path(read(path).study.storage).is_absolute()


def test_ranges_and_single_values_are_told_apart() -> None:
    space = tiny(
        search={
            "learning_rate": {"low": 0.5, "high": 0.5},
            "optimizer": {"rmsprop": {"decay": [0.9], "epsilon": {"low": 1e-9, "high": 1e-8, "log": True}}},
        }
    ).space()
    assert space.learning_rate == Fixed(0.5)
    assert space.optimizers["rmsprop"]["decay"] == Fixed(0.9)
    assert space.optimizers["rmsprop"]["epsilon"] == Range(1e-9, 1e-8, log=True)
