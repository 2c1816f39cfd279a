from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.hyper import Fixed, Range, hyperparameters
from sweep.learning.optimizers import OPTIMIZERS
from sweep.learning.schedules import SCHEDULES
from sweep.search.catalogue import shipped
from sweep.search.samplers import SAMPLERS
from sweep.search.spec import LARGEST_GENERATION, SMALLEST_GENERATION, complete, generation_size, read, read_all
from tests.studies import content, everything, laws, searches, tiny

HERE = Path("study.toml")


def write(folder: Path, study: dict[str, Any]) -> Path:
    path = folder / "mine.toml"
    path.write_text(tomli_w.dumps(study), encoding="utf-8")
    return path


def errors_of(path: Path) -> list[str]:
    with pytest.raises(UsageError) as caught:
        read(path)
    return str(caught.value).splitlines()


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
        "file": "/data/prices.csv", "target": "price", "ignore": ["id"], "task": "regression", "rows": 50,
        "scale": False, "validation": 0.3, "test": 0.1,
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
    for spec in read_all(shipped()[name]):
        assert spec.study.name.startswith(name)
        assert complete(spec.resolved(), HERE).space() == spec.space()


def test_what_a_file_leaves_out_is_filled_in(tmp_path: Path) -> None:
    spec = read(write(tmp_path, {"data": {"name": "iris"}}))
    assert (spec.study.name, spec.study.sampler, spec.study.trials) == ("mine", "tpe", 256)
    assert spec.study.generation == generation_size(256, "tpe")
    assert spec.search.optimizers == list(OPTIMIZERS)
    assert spec.search.schedules == list(SCHEDULES)
    assert set(spec.resolved()["network"]) == set(type(spec.network).model_fields)
    for kind, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        for name, constants in spec.resolved()["search"][kind].items():
            assert list(constants) == [p.name for p in hyperparameters(table[name])]


@pytest.mark.parametrize(("samples", "splits"), [(10, 3), (2000, 3), (2001, 2), (5000, 2), (5001, 1), (10**6, 1)])
def test_the_fewer_samples_the_more_splits_unless_the_study_says_how_many(samples: int, splits: int) -> None:
    silent = content()
    del silent["study"]["splits"]
    spec = complete(silent, HERE)
    assert (spec.study.splits, spec.splits) == (None, 1)
    suited = spec.suited(samples)
    assert suited.splits == suited.study.splits == suited.settings().splits == splits
    assert suited.suited(1) == suited, "once it is said it is said"
    assert tiny(study={"splits": 7}).suited(samples).splits == 7


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


RATE = "search.learning_rate"
DECAY = "search.optimizer.rmsprop.decay"
PIECES = {"optimizers": ["sgd"], "schedules": ["piecewise"]}


def rate(entry: Any) -> dict[str, Any]:
    return {"search": {"learning_rate": entry}}


def decay(entry: Any) -> dict[str, Any]:
    return {"search": {"optimizer": {"rmsprop": {"decay": entry}}}}


def pieces(**constants: Any) -> dict[str, Any]:
    return {"search": PIECES | {"schedule": {"piecewise": constants}}}


# What the file says; the key path that the message must name; what else it must say: the value and the rule.
ILLEGAL: list[tuple[dict[str, Any], str, list[str]]] = [
    ({"study": {"trials": 0}}, "study.trials", ["= 0", "greater than or equal to 1"]),
    ({"study": {"trials": "8"}}, "study.trials", ["'8'", "integer"]),
    ({"study": {"trials": True}}, "study.trials", ["True", "integer"]),
    ({"study": {"trials": 8.5}}, "study.trials", ["8.5", "integer"]),
    ({"study": {"seed": -1}}, "study.seed", ["-1", "greater than or equal to 0"]),
    ({"study": {"seed": 2**32}}, "study.seed", [str(2**32), "less than"]),
    ({"study": {"replicates": 0}}, "study.replicates", ["= 0"]),
    ({"study": {"splits": 0}}, "study.splits", ["= 0"]),
    ({"study": {"splits": 1001}}, "study.splits", ["= 1001"]),
    ({"race": {"candidates": 0}}, "race.candidates", ["= 0"]),
    ({"race": {"rounds": [2, 0]}}, "race.rounds.1", ["= 0"]),
    ({"race": {"rouns": [2]}}, "race.rouns", ["rounds"]),
    ({"study": {"generation": 0}}, "study.generation", ["= 0"]),
    ({"study": {"splits": 0}}, "study.splits", ["= 0", "greater than or equal to 1"]),
    ({"study": {"splits": 1001}}, "study.splits", ["= 1001", "less than or equal to 1000"]),
    ({"study": {"splits": True}}, "study.splits", ["True", "integer"]),
    ({"study": {"splits": "3"}}, "study.splits", ["'3'", "integer"]),
    ({"study": {"defaults": 1}}, "study.defaults", ["= 1", "boolean"]),
    ({"study": {"defaults": "yes"}}, "study.defaults", ["'yes'", "boolean"]),
    ({"race": {"candidates": 0}}, "race.candidates", ["= 0", "greater than or equal to 1"]),
    ({"race": {"candidates": 101}}, "race.candidates", ["= 101", "less than or equal to 100"]),
    ({"race": {"candidates": 2.5}}, "race.candidates", ["2.5", "integer"]),
    ({"race": {"rounds": 3}}, "race.rounds", ["= 3", "list"]),
    ({"race": {"rounds": [2, 0]}}, "race.rounds.1", ["= 0", "greater than or equal to 1"]),
    ({"race": {"rounds": [1001]}}, "race.rounds.0", ["= 1001", "less than or equal to 1000"]),
    ({"race": {"rounds": ["2"]}}, "race.rounds.0", ["'2'", "integer"]),
    ({"race": {"rounds": [1] * 11}}, "race.rounds", ["at most 10", "11"]),
    ({"study": {"mode": "compere"}}, "study.mode", ["'compere'", "'compare'", "'optimize'"]),
    ({"study": {"objective": "loss"}}, "study.objective", ["'loss'", "'validation_loss'", "'validation_error'"]),
    ({"study": {"at": "end"}}, "study.at", ["'end'", "'last'", "'best'"]),
    ({"study": {"sampler": "tpee"}}, "study.sampler", ["'tpee'", "did you mean 'tpe'", *SAMPLERS]),
    ({"study": {"mode": "compare", "sampler": "tpe"}}, "study.sampler", ["'tpe'", "independent random"]),
    ({"study": {"mode": "compare", "trials": 14}}, "study.trials", ["= 14", "each of the 4 arms", "12 or 16"]),
    ({"study": {"mode": "compare", "trials": 3}}, "study.trials", ["= 3", "must be a multiple of 4, such as 4"]),
    ({"data": {"scale": 0}}, "data.scale", ["= 0", "boolean"]),
    ({"data": {"name": "irirs"}}, "data.name", ["'irirs'", "did you mean 'iris'"]),
    ({"data": {"rows": True}}, "data.rows", ["True", "integer"]),
    ({"data": {"validation": 0}}, "data.validation", ["= 0", "greater than 0"]),
    ({"data": {"validation": "much"}}, "data.validation", ["'much'", "number"]),
    ({"data": {"test": -0.5}}, "data.test", ["-0.5", "greater than or equal to 0"]),
    ({"data": {"validation": 0.5, "test": 0.5}}, "data.validation + test", ["= 1", "below 1"]),
    ({"network": {"hidden": 4}}, "network.hidden", ["= 4", "list"]),
    ({"network": {"hidden": [4, 0]}}, "network.hidden.1", ["= 0", "greater than or equal to 1"]),
    ({"network": {"epochs": True}}, "network.epochs", ["True", "integer"]),
    ({"network": {"batch_size": 0}}, "network.batch_size", ["= 0"]),
    ({"network": {"dtype": "float16"}}, "network.dtype", ["'float16'", "'float32'"]),
    ({"network": {"activation": "rellu"}}, "network.activation", ["'rellu'", "did you mean 'relu'"]),
    ({"network": {"initial_weights": "hee"}}, "network.initial_weights", ["'hee'", "did you mean 'he'"]),
    ({"network": {"initial_weights": "zero"}}, "network.initial_weights", ["'zero'", "hidden = [4]", "never learns"]),
    ({"search": {"optimizers": ["rmsprob"]}}, "search.optimizers", ["'rmsprob'", "did you mean 'rmsprop'"]),
    ({"search": {"schedules": ["stepp"]}}, "search.schedules", ["'stepp'", "did you mean 'step'"]),
    ({"search": {"optimizers": []}}, "search.optimizers", ["= []", "at least 1"]),
    ({"search": {"schedules": []}}, "search.schedules", ["= []", "at least 1"]),
    ({"search": {"optimizers": "sgd"}}, "search.optimizers", ["'sgd'", "list"]),
    ({"search": {"optimizers": ["sgd", "sgd"]}}, "search.optimizers", ["once"]),
    ({"search": {"optimizer": {"adam": {}}}}, "search.optimizer.adam", ["not among optimizers"]),
    ({"search": {"schedule": {"step": {"every": 2}}}}, "search.schedule.step", ["not among schedules"]),
    ({"search": {"optimizer": {"rmsprop": 5}}}, "search.optimizer.rmsprop", ["= 5"]),
    (rate(-1), RATE, ["= -1", "0 < learning_rate"]),
    (rate("fast"), RATE, ["'fast'", "a number"]),
    (rate(True), RATE, ["True", "a number"]),
    (rate(float("nan")), RATE, ["nan"]),
    (rate([]), RATE, ["= []", "at least one"]),
    (rate([0.1, 0.1]), RATE, ["[0.1, 0.1]", "different"]),
    (rate([[0.1]]), RATE, ["[0.1]", "a number"]),
    (rate({"low": 0.1}), RATE, ["needs high"]),
    (rate({"low": 1, "high": 0.1}), RATE, ["low = 1", "high = 0.1", "low <= high"]),
    (rate({"low": 0, "high": 1, "log": True}), f"{RATE}.low", ["= 0", "0 < learning_rate"]),
    (rate({"low": 1, "high": 2, "log": 1}), f"{RATE}.log", ["= 1", "true or false"]),
    (rate({"low": 1, "hihg": 2}), f"{RATE}.hihg", ["did you mean 'high'"]),
    (rate({"low": 0.5, "high": 2, "integer": True}), RATE, ["low = 0.5", "whole numbers"]),
    (decay(1.2), DECAY, ["= 1.2", "0 <= decay < 1"]),
    (decay({"low": 0.9, "high": 1.2}), f"{DECAY}.high", ["= 1.2", "0 <= decay < 1"]),
    (decay([0.9, 1.0]), DECAY, ["= 1.0", "0 <= decay < 1"]),
    (decay({"low": 0, "high": 0.9, "log": True}), f"{DECAY}.low", ["= 0", "above 0"]),
    (pieces(boundaries=[1, 2, 3]), "search.schedule.piecewise", ["boundaries has 3", "factors has 2"]),
    (pieces(boundaries=[]), "search.schedule.piecewise.boundaries", ["= []", "a list"]),
    (pieces(boundaries=2), "search.schedule.piecewise.boundaries", ["= 2", "a list"]),
    (pieces(factors=[0.1, -1]), "search.schedule.piecewise.factors.2", ["= -1", "0 <= factors"]),
]


@pytest.mark.parametrize(("change", "key", "rest"), ILLEGAL, ids=[f"{k}-{i}" for i, (_, k, _) in enumerate(ILLEGAL)])
def test_an_error_is_one_line_with_file_key_value_and_rule(
    tmp_path: Path, change: dict[str, Any], key: str, rest: list[str]
) -> None:
    path = write(tmp_path, content(**change))
    (line,) = errors_of(path)
    assert re.match(rf"{re.escape(str(path))}: {re.escape(key)}\b", line)
    for part in rest:
        assert part in line.removeprefix(str(path))


@pytest.mark.parametrize(
    ("change", "key", "near"),
    [
        ({"study": {"tirals": 8}}, "study.tirals", "trials"),
        ({"study": {"split": 3}}, "study.split", "splits"),
        ({"study": {"default": True}}, "study.default", "defaults"),
        ({"race": {"candidats": 3}}, "race.candidats", "candidates"),
        ({"data": {"validaton": 0.1}}, "data.validaton", "validation"),
        ({"network": {"hiden": [4]}}, "network.hiden", "hidden"),
        ({"search": {"learning_rat": 0.1}}, "search.learning_rat", "learning_rate"),
        ({"search": {"optimizer": {"rmsprop": {"decya": 0.9}}}}, "search.optimizer.rmsprop.decya", "decay"),
        ({"search": {"schedule": {"constant": {"warmpu": 1}}}}, "search.schedule.constant.warmpu", "warmup"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    tmp_path: Path, change: dict[str, Any], key: str, near: str
) -> None:
    (line,) = errors_of(write(tmp_path, content(**change)))
    assert f": {key}: unknown key" in line
    assert f"did you mean {near!r}?" in line


def test_an_unknown_section_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, content() | {"serch": {"schedules": ["step"]}}))
    assert ": serch: unknown key 'serch'; did you mean 'search'?" in line


def test_a_constant_that_an_optimizer_does_not_have_cannot_be_narrowed(tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, content(search={"optimizer": {"sgd": {"decay": 0.9}}})))
    assert "search.optimizer.sgd.decay: unknown key 'decay'" in line


SOURCES = {
    "name and file": {"name": "iris", "file": "mine.csv", "target": "y"},
    "neither name nor file": {"validation": 0.2},
    "file without target": {"file": "mine.csv"},
    "name with target": {"name": "iris", "target": "y"},
    "file with arguments": {"file": "mine.csv", "target": "y", "arguments": {"n_samples": 5}},
}


@pytest.mark.parametrize("data", SOURCES.values(), ids=SOURCES)
def test_data_come_from_one_place_or_it_is_one_line(tmp_path: Path, data: dict[str, Any]) -> None:
    path = write(tmp_path, content() | {"data": data})
    (line,) = errors_of(path)
    assert line.startswith(f"{path}: data")
    assert "file" in line


@pytest.mark.parametrize("data", [SOURCES["name and file"], SOURCES["neither name nor file"]])
def test_a_rule_about_a_section_is_not_written_as_a_key(tmp_path: Path, data: dict[str, Any]) -> None:
    (line,) = errors_of(write(tmp_path, content() | {"data": data}))
    assert "data.give" not in line


def test_a_study_without_data_is_one_line(tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, {"study": {"trials": 8}}))
    assert ": data: is needed" in line


def test_an_unknown_narrowed_optimizer_is_named_where_it_stands(tmp_path: Path) -> None:
    (line,) = errors_of(write(tmp_path, content(search={"optimizer": {"rmsprob": {"decay": 0.9}}})))
    assert "search.optimizer.rmsprob" in line


def test_several_errors_are_several_lines_each_complete(tmp_path: Path) -> None:
    study = content(
        study={"trials": 0, "seed": "x"},
        data={"name": "irirs"},
        network={"epochs": 0},
        search={"optimizers": ["sdg"]},
    )
    path = write(tmp_path, study)
    lines = errors_of(path)
    keys = ["study.trials", "study.seed", "data.name", "network.epochs", "search.optimizers"]
    assert len(lines) == len(keys)
    for line, key in zip(lines, keys, strict=True):
        assert line.startswith(f"{path}: {key}")


def test_two_illegal_constants_are_two_lines(tmp_path: Path) -> None:
    search = {"learning_rate": -1, "optimizer": {"rmsprop": {"decay": 1.2, "momentum": 2}}}
    assert len(errors_of(write(tmp_path, content(search=search)))) == 3


@pytest.mark.parametrize("text", [b"[study\n", b"trials = \n", b"\xff\xfe", b"[study]\n[study]\n"])
def test_broken_toml_is_one_line_with_the_file(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(text)
    (line,) = errors_of(path)
    assert line.startswith(f"{path}: not valid TOML: ")


def test_a_study_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert errors_of(tmp_path / "none.toml") == [f"{tmp_path / 'none.toml'}: no such study file"]


def test_a_folder_in_place_of_a_study_file_is_one_line(tmp_path: Path) -> None:
    (line,) = errors_of(tmp_path)
    assert line.startswith(f"{tmp_path}: cannot be read")
