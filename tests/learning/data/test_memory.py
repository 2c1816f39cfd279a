"""The memory that a table takes: what cannot fit is said before it is loaded, what fits is not copied needlessly."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sweep.errors import UsageError
from sweep.learning.data import memory
from sweep.learning.data.dividing import Indices
from sweep.learning.data.parts import BLOCK, Part, blocks, fingerprint_of
from sweep.learning.data.scaling import scaled
from sweep.learning.data.source import DataSource
from sweep.learning.data.splits import prepare, split
from sweep.learning.data.table import Table
from sweep.learning.hyper import Array
from sweep.learning.training.laid_out import LaidOut

SAMPLES, FEATURES = 3 * BLOCK + 5, 20


def numbers(samples: int = SAMPLES, features: int = FEATURES) -> Array:
    return np.random.default_rng(0).normal(size=(samples, features))


def peak(work: Callable[[], Any]) -> tuple[int, Any]:
    """The most memory that work took beyond what there was before, and what it gave."""
    gc.collect()
    tracemalloc.start()
    try:
        found = work()
        return tracemalloc.get_traced_memory()[1], found
    finally:
        tracemalloc.stop()


# ------------------------------------------------------------------------------------------------------------- copies


def test_a_table_is_split_and_scaled_in_less_than_three_times_its_size() -> None:
    inputs = numbers()
    table = Table(inputs, inputs[:, 0] + inputs[:, 1], "regression")
    source = DataSource(name="numbers")
    split(table.rows(np.arange(100)), source, 0)  # what is imported does not count
    most, data = peak(lambda: split(table, source, 0))
    # The parts themselves, and what StandardScaler makes of the training part (three fifths) to learn from it.
    assert data.bytes <= most < 3 * inputs.nbytes


def test_to_lay_data_out_takes_no_more_than_what_is_laid_out() -> None:
    inputs = numbers()
    data = split(Table(inputs, inputs[:, 0], "regression"), DataSource(name="numbers"), 0)
    most, laid = peak(lambda: LaidOut.of(data, "float32"))
    parts = (laid.train, laid.validation, laid.test)
    # and the squares of the targets, of which the variance is the mean
    assert most < 1.1 * sum(part.inputs.nbytes + part.targets.nbytes for part in parts)


def test_a_fingerprint_needs_no_copy_of_the_data_and_not_how_they_lie_in_memory() -> None:
    inputs = numbers()
    targets = inputs[:, :1].copy()
    most, found = peak(lambda: fingerprint_of(Part(inputs, targets)))
    assert most < 1.1 * BLOCK * FEATURES * 8 < inputs.nbytes / 2
    assert found == fingerprint_of(Part(np.asfortranarray(inputs), targets))
    assert found != fingerprint_of(Part(inputs[::-1], targets))


def test_blocks_are_all_of_the_samples_once() -> None:
    for samples in (0, 1, BLOCK, BLOCK + 1, SAMPLES):
        covered = np.concatenate([np.arange(samples)[block] for block in blocks(samples)] or [np.arange(0)])
        np.testing.assert_array_equal(covered, np.arange(samples))


def test_samples_that_are_scaled_block_by_block_are_what_they_would_be_at_once() -> None:
    inputs = numbers()
    table = Table(inputs, inputs[:, 0], "regression")
    places = np.random.default_rng(1).permutation(SAMPLES)
    data = scaled(table, Indices(places[:1000], places[1000:]), DataSource(name="numbers"))
    np.testing.assert_array_equal(data.validation.inputs, data.encoder.transform(inputs[places[1000:]]))


# ------------------------------------------------------------------------------------------------------------- guards


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with 100,000 bytes."""
    monkeypatch.setattr(memory, "available", lambda: 100_000.0)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize(
    ("dtype", "least", "fits"),
    [("float64", 16, 6_000), ("float32", 12, 8_000), ("int64", 16, 6_000), ("bool", 0, 100_000)],
)
def test_a_parquet_file_is_refused_by_what_it_says_of_itself(tmp_path: Path, dtype: str, least: int, fits: int) -> None:
    file = tmp_path / "table.parquet"
    pd.DataFrame({"x": np.zeros(fits, dtype), "y": ["a", "b"] * (fits // 2)}).to_parquet(file)
    assert least * fits <= 100_000
    memory.check_file(file)
    if least:
        pd.DataFrame({"x": np.zeros(fits + 3_000, dtype)}).to_parquet(file)
        assert file.stat().st_size < 10_000  # it is not the size of the file
        with pytest.raises(UsageError, match=rf"^{file}: needs about 1 GB of memory, .*: leave columns out with"):
            memory.check_file(file)
        memory.check_file(file, ignored=["x"])


@pytest.mark.usefixtures("little")
def test_a_text_file_is_refused_by_its_size(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("x,y\n" * 50_000)
    memory.check_file(file)
    file.write_text("x,y\n" * 50_001)
    with pytest.raises(UsageError, match="needs about 1 GB of memory"):
        memory.check_file(file)


@pytest.mark.usefixtures("little")
def test_a_table_that_cannot_fit_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "table.csv"
    file.write_text("x,y\n" * 60_000)
    monkeypatch.setattr("sweep.learning.data.splits.load", pytest.fail)
    with pytest.raises(UsageError, match=r"table\.csv: needs about"):
        prepare(DataSource(file=str(file), target="y"), 0)


@pytest.mark.parametrize("name", ["none.parquet", "none.csv", "broken.parquet"])
def test_a_file_that_cannot_be_looked_at_is_for_its_reader_to_refuse(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.parquet").write_text("no")
    memory.check_file(tmp_path / name)


@pytest.mark.usefixtures("little")
def test_more_ones_and_zeros_than_memory_are_refused() -> None:
    table = Table(np.zeros((400, 1)), np.arange(400) // 20, "classification")
    with pytest.raises(UsageError, match="numbers: 400 samples of 20 classes: needs about"):
        split(table, DataSource(name="numbers"), 0)
    assert (
        split(Table(table.features, table.target // 10, "classification"), DataSource(name="numbers"), 0).outputs == 2
    )
