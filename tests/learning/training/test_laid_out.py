"""Data in the network's layout: the same training from a file that is mapped, and nothing of it copied."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from sweep.learning.data.parts import Data
from sweep.learning.data.source import DataSource, named
from sweep.learning.data.splits import prepare
from sweep.learning.hyper import Array
from sweep.learning.training import tester
from sweep.learning.training.laid_out import LaidOut
from sweep.learning.training.loop import train
from sweep.learning.training.minibatches import Samples
from sweep.learning.training.settings import Settings
from tests.learning.strategies import mixed, small_data

PARTS = ("train", "validation", "test")


def owner(values: Array) -> object:
    """Who owns the memory of an array."""
    base: object = values
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap) and base.base is not None:
        base = base.base
    return base


def through_a_file(data: Data, dtype: str, folder: Path) -> LaidOut:
    file = str(folder / "data")
    LaidOut.of(data, dtype).write(file)
    return LaidOut.read(file)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("source", "splits"), [(named("wine"), 1), (named("linnerud"), 1), (named("wine"), 3)])
def test_a_training_from_a_mapped_file_is_that_from_memory(
    tmp_path: Path, dtype: str, source: DataSource, splits: int
) -> None:
    data = prepare(source, 3, splits)
    settings = Settings((8,), dtype=dtype, epochs=4, batch_size=16, splits=splits, replicates=2)
    expected = train(mixed(7), data, settings, 3)
    found = train(mixed(7), through_a_file(data, dtype, tmp_path), settings, 3)
    np.testing.assert_array_equal(found.parameters, expected.parameters)
    for name, curve in expected.curves.items():
        np.testing.assert_array_equal(found.curves[name], curve, err_msg=name)


def test_samples_stay_in_the_mapped_file_and_are_not_laid_out_again(tmp_path: Path) -> None:
    laid = through_a_file(prepare(named("wine"), 3), "float32", tmp_path)
    for name in PARTS:
        part = getattr(laid, name)
        assert Samples.of(part, "float32") is part
        for values in (part.inputs, part.targets, part.variance):
            assert type(values) is np.ndarray  # another class costs time in each minibatch
            assert isinstance(owner(values), np.memmap)
            assert values.flags.c_contiguous
    watching = tester.Tester(laid, Settings((8,), epochs=1), 1, "last")
    assert np.shares_memory(watching.samples.inputs, laid.test.inputs)


def test_the_file_takes_what_the_network_is_given_and_hardly_more(tmp_path: Path) -> None:
    data = small_data("regression", 5000)
    through_a_file(data, "float32", tmp_path)
    numbers = sum(len(getattr(data, part)) for part in PARTS) * (data.inputs + 1 + data.outputs)
    assert 4 * numbers <= (tmp_path / "data").stat().st_size < 4 * numbers + 4096


def test_samples_lie_row_by_row_however_they_were_given() -> None:
    """To gather rows from columns NumPy would copy all of them, at each step."""
    part = small_data("regression", 100).train
    columns = type(part)(np.asfortranarray(part.inputs), np.asfortranarray(part.targets))
    plain, found = (Samples.of(each, "float32") for each in (part, columns))
    for values, expected in ((found.inputs, plain.inputs), (found.targets, plain.targets)):
        assert values.flags.c_contiguous
        np.testing.assert_array_equal(values, expected)


def test_a_part_without_samples_is_laid_out_without_a_word(tmp_path: Path) -> None:
    data = prepare(DataSource(name="wine", test=0.0), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        laid = through_a_file(data, "float32", tmp_path)
    assert len(laid.test) == 0
    assert laid.facts.samples == (len(data.train), len(data.validation), 0)
