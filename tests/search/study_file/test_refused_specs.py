"""What a study file may not say, and the line that says so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from sweep.errors import UsageError
from sweep.search.choosing.samplers import SAMPLERS
from sweep.search.study_file.spec import complete, read
from tests.search.study_file.test_spec import write
from tests.studies import content


def errors_of(path: Path) -> list[str]:
    with pytest.raises(UsageError) as caught:
        read(path)
    return str(caught.value).splitlines()


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
    ({"study": {"objective": "loss"}}, "study.objective", ["'loss'", "Known: validation_abs"]),
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
    ({"data": {"weight": "w"}}, "data.weight", ["= 'w'", "goes with file"]),
    ({"data": {"file": "a.csv", "target": "y", "weight": "y", "name": ""}}, "data.weight", ["= 'y'", "in target, too"]),
    (
        {"data": {"file": "a.csv", "target": "y", "weight": "w", "ignore": ["w"], "name": ""}},
        "data.weight",
        ["= 'w'", "in ignore, too"],
    ),
    ({"network": {"class_weight": "balance"}}, "network.class_weight", ["'balance'", '"balanced" or a table']),
    ({"network": {"class_weight": {}}}, "network.class_weight", ["= {}", '"balanced" or a table']),
    ({"network": {"class_weight": 2}}, "network.class_weight", ["= 2", '"balanced" or a table']),
    *(
        ({"network": {"class_weight": {"a": 1, "b": wrong}}}, "network.class_weight", ["weight of 'b'", "above 0"])
        for wrong in (0, -1.5, float("nan"), float("inf"), 10**400, True, "3", [1])
    ),
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
    "name with group": {"name": "iris", "group": "patient"},
    "name with rare classes": {"name": "iris", "group_rare": True},
}


@pytest.mark.parametrize("data", SOURCES.values(), ids=SOURCES)
def test_data_come_from_one_place_or_it_is_one_line(tmp_path: Path, data: dict[str, Any]) -> None:
    path = write(tmp_path, content() | {"data": data})
    (line,) = errors_of(path)
    assert line.startswith(f"{path}: data")
    assert "file" in line


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"group": "patient", "time": "day"}, "data.group + time: group, time and split each say how the samples are"),
        ({"time": "day", "split": "part"}, "data.time + split: group, time and split each say how the samples are"),
        ({"split": "y"}, "data.split = 'y': is named in target, too: a column has one use"),
    ],
    ids=["group and time", "time and split", "target"],
)
def test_samples_are_divided_in_one_way_by_a_column_of_its_own(tmp_path: Path, keys: dict[str, str], said: str) -> None:
    path = write(tmp_path, content() | {"data": {"file": "mine.csv", "target": "y", **keys}})
    (line,) = errors_of(path)
    assert line.startswith(f"{path}: {said}")


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


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("study", "name", "a/" * 350_000),
        ("study", "sampler", "x" * 700_000),
        ("network", "activation", "r" * 700_000),
        ("search", "learning_rate", [0.1] * 100_000),
        ("study", "trials", [1] * 100_000),
        ("study", "k" * 700_000, 1),
    ],
)
def test_a_line_is_short_however_long_what_is_wrong(section: str, key: str, value: Any) -> None:
    with pytest.raises(UsageError) as refused:
        complete({"data": {"name": "iris"}, section: {key: value}}, Path("long.toml"))
    for line in str(refused.value).splitlines():
        assert line.startswith("long.toml: ")
        assert len(line) < 2_100
        assert re.search(r"\(\d+ letters\)", line)


def test_a_mistake_is_data_that_says_where_it_is() -> None:
    with pytest.raises(UsageError) as refused:
        complete({"data": {"name": "iris"}, "network": {"epochs": 0}, "study": {"trial": 3}}, Path("two.toml"))
    (study, network) = sorted(refused.value.problems, key=lambda problem: problem.key, reverse=True)
    assert (study.where, study.key) == ("two.toml", "study.trial")
    assert "did you mean 'trials'" in study.rule
    assert (network.where, network.key, network.value) == ("two.toml", "network.epochs", 0)
    assert str(refused.value).splitlines() == [str(problem) for problem in refused.value.problems]
