"""Keyword arguments in place of a study file."""

from __future__ import annotations

import inspect
import typing
from pathlib import Path

import numpy as np
import pytest

import sweep
from sweep.door.python.keys import OWN, Keys, homes, plain, sections
from sweep.door.python.wanted import Wanted
from sweep.door.studies import resolve
from sweep.errors import UsageError
from sweep.learning.hyper import Choices, Fixed, Range
from sweep.search.study_file.spec import Spec
from tests.door.python.made import SMALL, frame
from tests.studies import content


def found(**keys: typing.Any) -> Spec:
    """The study of a table with these keys."""
    study, _ = Wanted(None, frame(), "y", keys).found(())
    return resolve(study)


def test_every_key_of_every_section_is_an_argument_and_no_other() -> None:
    assert {*typing.get_type_hints(Keys)} == {*homes()} - {*OWN}
    assert {*OWN} <= {*inspect.signature(sweep.run).parameters}


def test_no_key_is_lost_to_one_of_the_same_name_but_for_the_name_of_a_data_set() -> None:
    names = [name for field in Spec.model_fields.values() for name in getattr(field.annotation, "model_fields", {})]
    assert sorted({name for name in names if names.count(name) > 1}) == ["name"]


def test_each_key_goes_to_its_section() -> None:
    spec = found(
        name="mine", mode="compare", hidden=(8, np.int64(4)), group_rare=True, optimizers=("adam", "sgd"), arms=4,
        candidates=3, task="classification", schedules=["constant"],
    )  # fmt: skip
    assert (spec.study.name, spec.study.mode, spec.network.hidden) == ("mine", "compare", [8, 4])
    assert (spec.data.group_rare, spec.data.task) == (True, "classification")
    assert (spec.search.optimizers, spec.verdict.arms, spec.race.candidates) == (["adam", "sgd"], 4, 3)


def test_without_keys_a_table_has_the_defaults_of_a_study_file() -> None:
    spec = found()
    written = resolve({"study": {"name": "table"}, "data": {"file": "data.parquet", "target": "y"}})
    assert spec.resolved() == written.resolved()


def test_a_pair_of_numbers_is_a_range_on_the_scale_of_the_constant() -> None:
    search = {"optimizer": {"rmsprop": {"decay": (0.9, 0.99), "epsilon": (1e-9, 1e-6)}}, "learning_rate": (1e-3, 0.1)}
    spec = found(
        optimizers=["rmsprop"], schedules=["constant", "step"], **search, schedule={"step": {"divisor": (2, 5)}}
    )
    space = spec.space()
    assert space.learning_rate == Range(1e-3, 0.1, log=True)
    assert space.optimizers["rmsprop"]["epsilon"] == Range(1e-9, 1e-6, log=True)
    assert space.optimizers["rmsprop"]["decay"] == Range(0.9, 0.99)
    assert space.schedules["step"]["divisor"] == Range(2.0, 5.0, log=True)


def test_a_list_stays_a_list_of_choices() -> None:
    assert found(learning_rate=[0.01, 0.1]).space().learning_rate == Choices((0.01, 0.1))
    assert found(learning_rate=0.05).space().learning_rate == Fixed(0.05)


def test_the_elements_of_a_list_of_boundaries_may_be_ranges() -> None:
    made = plain({"search": {"schedule": {"piecewise": {"boundaries": [(2, 4), 7.0]}}}})
    assert made["search"]["schedule"]["piecewise"]["boundaries"] == [{"low": 2, "high": 4, "log": False}, 7.0]


def test_pairs_are_ranges_in_a_mapping_too() -> None:
    study = content(search={"learning_rate": (1e-3, 0.1)})
    assert resolve(Wanted(study).found(())[0]).space().learning_rate == Range(1e-3, 0.1, log=True)


def test_a_misspelt_argument_is_one_line_with_the_nearest() -> None:
    for name, near in (("lerning_rate", "learning_rate"), ("epoch", "epochs"), ("worker", "workers")):
        with pytest.raises(UsageError, match=f"run: unknown argument '{name}'; did you mean '{near}'") as caught:
            sweep.run(**{**SMALL, name: 1})
        assert len(str(caught.value).splitlines()) == 1


def test_keys_stand_over_what_a_study_says(tmp_path: Path) -> None:
    result = sweep.run(content(), epochs=2, hidden=[], trials=4, generation=4, runs=tmp_path, backend="serial")
    assert (result.spec.network.epochs, result.spec.network.hidden, len(result.trials)) == (2, [], 4)
    assert result.spec.search.optimizers == content()["search"]["optimizers"]


def test_totals_and_keys_are_judged_together() -> None:
    arguments = {"mode": "compare", "optimizers": ["sgd", "adam"], "schedules": ["constant", "step", "cosine"]}
    study, _ = Wanted(None, frame(), "y", arguments, {"trials": 60}).found(())
    assert resolve(study, trials=60).study.trials == 60


def test_data_may_be_named_or_be_a_file_or_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame().to_csv(tmp_path / "my.csv", index=False)
    monkeypatch.chdir(tmp_path)
    named, _ = Wanted(None, "wine").found(())
    assert (resolve(named).data.name, resolve(named).study.name) == ("wine", "wine")
    for wanted in (
        Wanted(None, "my.csv", "y"),
        Wanted(None, {"file": "my.csv", "target": "y"}),
        Wanted(None, None, "y", {"file": "my.csv"}),
        Wanted("my.csv", None, "y"),
    ):
        spec = resolve(wanted.found(())[0])
        assert (spec.data.file, spec.data.target) == (str(tmp_path / "my.csv"), "y")
    with pytest.raises(UsageError, match="unknown data set 'wines'; did you mean 'wine'"):
        Wanted(None, "wines").found(())


def test_an_argument_that_no_section_has_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"activation.*trials"):
        sections({"zzz": 1}, ("trials",))
