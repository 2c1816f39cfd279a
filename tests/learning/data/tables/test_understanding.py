"""A table as a whole: what is learnt from the training part only, columns with another use, refusals in one line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweep.errors import DataError, UsageError
from sweep.learning.baselines import baselines
from sweep.learning.data.parts import Data
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import load, prepare, split
from sweep.learning.data.table import Table
from sweep.learning.data.tables.understanding import understood
from sweep.learning.estimators import NetworkClassifier, NetworkRegressor

N = 200
RANDOM = np.random.default_rng(5)


def frame(**more: Any) -> pd.DataFrame:
    size, town = RANDOM.normal(size=N), RANDOM.choice(["Ulm", "Bonn", "Rom"], N)
    price = size + (town == "Ulm") + RANDOM.normal(0, 0.1, N)
    return pd.DataFrame({"size": size, "town": town, **more, "price": price})


def inputs(data: Any) -> list[str]:
    return [str(name) for name in data.encoder.get_feature_names_out()]


# --------------------------------------------------------------------------------------------- what the inputs become


def test_a_missing_number_is_the_median_of_the_training_part_and_an_input_says_so() -> None:
    table = frame()
    table.loc[::4, "size"] = np.nan
    data = split(understood(table, DataSource(target="price")), DataSource(scale=False), 0)
    (place,) = [k for k, name in enumerate(inputs(data)) if "missing" in name]
    for part in (data.train, data.validation, data.test):
        gone = part.inputs[:, place] == 1
        assert gone.any()
        assert set(np.unique(part.inputs[:, place])) == {0.0, 1.0}
        assert len(set(part.inputs[gone, 0].tolist())) == 1
    known = data.train.inputs[data.train.inputs[:, place] == 0, 0]
    assert data.test.inputs[data.test.inputs[:, place] == 1, 0][0] == np.median(known)


def test_a_missing_category_is_a_category() -> None:
    table = frame()
    table.loc[::4, "town"] = None
    data = split(understood(table, DataSource(target="price")), DataSource(), 0)
    assert data.inputs == 1 + 4
    assert any("(missing)" in name for name in inputs(data))


def test_a_category_of_one_training_sample_and_one_of_none_share_an_input() -> None:
    table = frame()
    table.loc[:5, "town"] = ["a", "b", "c", "d", "e", "f"]
    data = split(understood(table, DataSource(target="price")), DataSource(), 0)
    assert data.inputs == 1 + 3 + 1
    for part in (data.train, data.validation, data.test):
        assert (part.inputs[:, 1:].sum(axis=1) == 1).all()


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_no_label_leaks_through_many_categories(task: str) -> None:
    """Labels that have nothing to do with the categories cannot be learnt from them, also not in the training part."""
    random = np.random.default_rng(1)
    shops = random.choice([f"shop {k}" for k in range(150)], 600)
    target: Any = random.normal(size=600) if task == "regression" else random.choice(["a", "b"], 600)
    found = understood(pd.DataFrame({"shop": shops, "y": target}), DataSource(target="y"))
    data = split(found, DataSource(), 0)
    assert data.inputs == 1
    train = baselines(on_the_training_part(data))["linear"]["error"]
    assert train > (0.9 if task == "regression" else 0.4)


def on_the_training_part(data: Data) -> Data:
    """The same data, tested on the training part."""
    return dataclasses.replace(data, test=data.train)


def test_many_categories_that_matter_are_learnt() -> None:
    random = np.random.default_rng(1)
    worth = random.normal(size=80)
    shop = random.integers(0, 80, 2000)
    table = pd.DataFrame({"shop": [f"shop {k}" for k in shop], "y": worth[shop] + random.normal(0, 0.3, 2000)})
    data = split(understood(table, DataSource(target="y")), DataSource(), 0)
    assert baselines(data)["linear"]["error"] < 0.25


def test_texts_become_weights_of_their_words() -> None:
    random = np.random.default_rng(1)
    good = random.random(300) < 0.5
    words = ["the house is", "a flat with", "rooms and", "near the lake", "quiet", "old", "by the road", "with a view"]
    notes = [
        " ".join([*random.permutation(words)[:4], "sunny" if yes else "dark", f"n{k}"]) for k, yes in enumerate(good)
    ]
    table = pd.DataFrame({"note": notes, "y": np.where(good, "yes", "no")})
    found = understood(table, DataSource(target="y"))
    assert found.columns[0].kind == "text"
    assert baselines(split(found, DataSource(), 0))["linear"]["error"] < 0.05


def test_nothing_of_the_other_parts_is_learnt() -> None:
    table = frame()
    source = DataSource(target="price")
    before = split(understood(table, source), source, 0)
    place = int(np.flatnonzero(table["price"].to_numpy() == before.scaler.inverse_transform(before.test.targets)[0])[0])
    table.loc[place, ["size", "town"]] = [1e6, "Rom"]
    after = split(understood(table, source), source, 0)
    np.testing.assert_array_equal(before.train.inputs, after.train.inputs)
    np.testing.assert_array_equal(before.validation.inputs, after.validation.inputs)
    assert not np.array_equal(before.test.inputs, after.test.inputs)


# --------------------------------------------------------------------------------------------------- columns with a use


def test_columns_with_another_use_are_not_learnt_from() -> None:
    table = frame(
        owner=np.arange(N) // 4, sold=pd.date_range("2020", periods=N).astype(str),
        part=["Training", "val", "TEST", "train"] * (N // 4), count=np.arange(N) % 3,
    )  # fmt: skip
    source = DataSource(target="price", group="owner", weight="count")
    found = understood(table, source)
    assert list(pd.DataFrame(found.features).columns)[:2] == ["size", "town"]
    assert not {"owner", "count"} & set(pd.DataFrame(found.features).columns)
    assert found.groups is not None
    assert len(set(found.groups.tolist())) == N // 4
    np.testing.assert_array_equal(found.weights, table["count"])
    assert found.told is not None
    assert dict(found.told.roles) == {"group": "owner", "weight": "count"}
    times = understood(table, DataSource(target="price", time="sold")).times
    assert times is not None
    np.testing.assert_array_equal(np.diff(times), 1.0)
    parts = understood(table, DataSource(target="price", split="part")).parts
    assert parts is not None
    assert parts.tolist() == ["train", "validation", "test", "train"] * (N // 4)


def test_rows_of_a_table_keep_what_belongs_to_them() -> None:
    table = frame(owner=np.arange(N) // 4, count=np.arange(N))
    some = understood(table, DataSource(target="price", group="owner", weight="count")).rows(np.arange(10, 20))
    assert len(some) == len(pd.DataFrame(some.features)) == 10
    assert some.weights is not None
    assert some.weights.tolist() == list(range(10, 20))
    assert some.groups is not None
    assert set(some.groups.tolist()) == {"2", "3", "4"}


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "unknown target": ({}, {"target": "prise"}, "unknown column 'prise'; did you mean 'price'"),
    "unknown to ignore": ({}, {"ignore": ("towns",)}, "unknown column 'towns'; did you mean 'town'"),
    "unknown code": ({}, {"categorical": ("sise",)}, "unknown column 'sise'; did you mean 'size'"),
    "unknown group": ({}, {"group": "owner"}, "unknown column 'owner'"),
    "negative weight": (
        {"w": -1},
        {"weight": "w"},
        "column 'w' of weight has values that are no numbers of at least 0",
    ),
    "no weight": ({"w": "much"}, {"weight": "w"}, "column 'w' of weight"),
    "no time": ({"t": "soon"}, {"time": "t"}, "column 't' of time holds neither dates nor numbers"),
    "no part": ({"p": "other"}, {"split": "p"}, "column 'p' of split holds 'other': must be train, validation or test"),
    "target only": ({}, {"ignore": ("size", "town")}, "has no column but the target 'price'"),
    "huge": ({"h": [1e150] * N}, {"kinds": (("h", "number"),)}, "column 'h' has values beyond 1e.100"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_line(name: str) -> None:
    more, options, said = REFUSED[name]
    with pytest.raises(DataError, match=said) as caught:
        understood(frame(**more), DataSource(**{"target": "price", **options}))
    assert "\n" not in str(caught.value)


def test_a_target_that_is_also_ignored_is_refused() -> None:
    with pytest.raises(UsageError, match="'price' is the target"):
        understood(frame(), DataSource(target="price", ignore=("price",)))


def test_a_target_that_is_there_twice_with_different_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,y,y\n" + "\n".join(f"{k},{k % 2},{k % 3}" for k in range(40)))
    with pytest.raises(DataError, match="column 'y' is there twice with different values, and is the target"):
        load(DataSource(file=str(path), target="y"))


def test_a_feature_that_is_there_twice_with_different_values_is_two_features(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,x,y\n" + "\n".join(f"{k % 7},{k % 5},{k % 2}" for k in range(40)))
    assert list(pd.DataFrame(load(DataSource(file=str(path), target="y")).features).columns) == ["x", "x (2)"]


# ------------------------------------------------------------------------------------------------------------- new rows


def trained(table: Table) -> Any:
    kind = NetworkClassifier if table.task == "classification" else NetworkRegressor
    return kind(epochs=20, seed=1).fit_table(table)


def test_an_estimator_reads_new_rows_as_the_table_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    raw = frame(
        cost=[f"${1000 + k:,}" for k in RANDOM.integers(0, 900, N)], seen=pd.date_range("2020", periods=N).astype(str)
    )
    raw.to_csv(path, index=False)
    model = trained(load(DataSource(file=str(path), target="price")))
    rows = pd.read_csv(path, dtype=str).head(5)
    right = model.predict(rows)
    assert np.isfinite(right).all()
    typed = rows.assign(size=rows["size"].astype(float), seen=pd.to_datetime(rows["seen"]), extra="x")
    np.testing.assert_array_equal(model.predict(typed[list(typed)[::-1]]), right)
    plain = rows.assign(cost=[float(cost.strip("$").replace(",", "")) for cost in rows["cost"]])
    np.testing.assert_array_equal(model.predict(plain), right)
    torn = rows.assign(size=None, town="Paris", cost="?", seen=None)
    assert np.isfinite(model.predict(torn)).all()
    with pytest.raises(DataError, match="lacks a column: unknown column 'town'"):
        model.predict(rows.drop(columns="town"))


def test_a_file_that_changes_its_types_is_the_same_data(tmp_path: Path) -> None:
    raw = frame()
    raw.to_csv(tmp_path / "a.csv", index=False)
    raw.to_parquet(tmp_path / "a.parquet")
    first, second = (
        prepare(DataSource(file=str(tmp_path / name), target="price"), 0, 3) for name in ("a.csv", "a.parquet")
    )
    assert first.fingerprint == second.fingerprint
