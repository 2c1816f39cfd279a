"""Parts that the table says itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import DataError
from sweep.learning.data.source import DataSource
from sweep.learning.data.table import Table
from tests.learning.data.dividing.laws import PARTS, divided, fresh, seeds, table
from tests.studies import laws


def said(parts: list[str], **known: Any) -> Table:
    """A table with these parts, of two classes that take turns."""
    return table(known.get("target", np.arange(len(parts)) // 2 % 2), parts=np.array(parts))


@st.composite
def words(draw: st.DrawFn, drawn: tuple[str, ...] = PARTS) -> list[str]:
    """Parts in any order, with at least eight samples each."""
    found = [word for word in drawn for _ in range(draw(st.integers(8, 30)))]
    return list(draw(st.permutations(found)))


@laws
@given(
    parts=words(), splits=st.integers(1, 4), seed=seeds, test=st.sampled_from([0.0, 0.5]), numbers=st.booleans()
)  # fmt: skip
def test_the_parts_are_those_of_the_table_whatever_the_seed_and_the_shares(
    parts: list[str], splits: int, seed: int, test: float, numbers: bool
) -> None:
    target = np.arange(len(parts)) / 2 if numbers else np.arange(len(parts)) % 2
    if not numbers:
        target[np.flatnonzero(np.array(parts) == "train")[:2]] = [0, 1]
    data = said(parts, target=target)
    for each in divided(data, DataSource(name="n", test=test, validation=0.45), seed, splits):
        for part in PARTS:
            assert getattr(each, part).tolist() == np.flatnonzero(data.parts == part).tolist()


@laws
@given(parts=words(("train", "test")), splits=st.integers(1, 4), seed=seeds)
def test_without_a_validation_part_it_is_drawn_from_the_training_samples(
    parts: list[str], splits: int, seed: int
) -> None:
    data = table(np.arange(len(parts)) / 2, parts=np.array(parts))
    found = divided(data, DataSource(name="n", validation=0.25), seed, splits)
    training = np.flatnonzero(data.parts == "train")
    for each in found:
        assert each.test.tolist() == np.flatnonzero(data.parts == "test").tolist()
        assert sorted([*each.train, *each.validation]) == training.tolist()
        assert len(each.validation) == max(1, round(0.25 * len(training)))
    apart = found[: len(training) // len(found[0].validation)]
    assert len({place for each in apart for place in each.validation}) == sum(len(each.validation) for each in apart)


def test_a_validation_part_that_is_drawn_is_stratified() -> None:
    data = table(np.repeat([0, 1, 0], [80, 20, 50]), parts=np.repeat(["train", "test"], [100, 50]))
    for each in divided(data, DataSource(name="n"), 1, 4):
        assert np.bincount(data.target[each.validation]).tolist() == [16, 4]


def test_without_a_test_part_in_the_table_there_is_none() -> None:
    (each,) = divided(said(["train"] * 20 + ["validation"] * 8), DataSource(name="n", test=0.2), 0)
    assert len(each.test) == 0


def test_fresh_seeds_draw_another_validation_part_and_keep_one_that_is_given() -> None:
    drawn, kept = ["train"] * 30 + ["test"] * 10, ["train"] * 20 + ["validation"] * 10 + ["test"] * 10
    source = DataSource(name="n", test_seed=1)
    assert len({tuple(each.validation) for each in fresh(said(drawn), source, range(6))}) == 6
    assert len({tuple(each.validation) for each in fresh(said(kept), source, range(6))}) == 1


@laws
@given(parts=words(), seed=seeds, data=st.data())
def test_a_part_of_the_rows_has_all_parts_in_proportion(parts: list[str], seed: int, data: st.DataObject) -> None:
    rows = data.draw(st.integers(6, len(parts)))
    target = np.random.default_rng(0).normal(size=len(parts))
    source = DataSource(name="n", rows=rows, test_seed=seed)
    (each,) = divided(said(parts, target=target), source, 0)
    for part in PARTS:
        # rounded, and at least one
        assert abs(len(getattr(each, part)) - rows * parts.count(part) / len(parts)) <= 2
    assert sum(len(getattr(each, part)) for part in PARTS) == rows
    again = divided(said(parts, target=target), source, 1)[0]
    assert again.train.tolist() == each.train.tolist()
    smaller = divided(said(parts, target=target), replace(source, rows=4), 0)[0]
    assert min(len(smaller.train), len(smaller.validation), len(smaller.test)) >= 1


@pytest.mark.parametrize(
    ("parts", "target", "options", "line"),
    [
        (["test"] * 9, [0, 1, 2] * 3, {}, "t.csv: part gives no sample to the training part"),
        (
            ["train"] * 8 + ["validation"] * 2 + ["test"] * 2, [0, 1] * 4 + [2, 2, 0, 1], {},
            "t.csv: class 2 has 2 of 12 samples, none of them in the training part: give it samples of that class, or "
            "none of it to the other parts",
        ),
        (["train"] * 8 + ["test"] * 2, [0, 1] * 4 + [2, 2], {}, "t.csv: class 2 has 2 of 10 samples, none of them in"),
        (["train"] * 9 + ["test"] * 9, [0, 1, 2] * 6, {"rows": 5}, "t.csv: rows = 5 is too few to have a sample of"),
        (["train"] * 3 + ["test"] * 9, [0, 1, 2] * 4, {}, "t.csv: 3 samples of 3 classes cannot be split: 1 for the"),
    ],
    ids=["no training part", "class not trained", "class only tested", "few rows", "nothing to draw from"],
)  # fmt: skip
def test_parts_that_cannot_be_used_are_refused_in_one_line(
    parts: list[str], target: list[int], options: dict[str, Any], line: str
) -> None:
    source = DataSource(file="t.csv", target="y", split="part", **options)
    with pytest.raises(DataError) as caught:
        divided(said(parts, target=np.array(target)), source, 0)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)
