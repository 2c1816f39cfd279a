from __future__ import annotations

from itertools import product
from typing import get_args

import numpy as np
import pytest

from sweep.learning.seeds import Purpose, integer_seed, stream

PURPOSES = get_args(Purpose)


def draws(seed: int, purpose: Purpose, *numbers: int) -> tuple[float, ...]:
    return tuple(np.random.default_rng(stream(seed, purpose, *numbers)).random(4).tolist())


def test_a_stream_is_the_same_each_time() -> None:
    assert draws(3, "weights", 1, 2) == draws(3, "weights", 1, 2)


def test_no_two_streams_are_alike() -> None:
    numbers: list[tuple[int, ...]] = [(), (0,), (1,), (0, 0), (0, 1), (1, 0)]
    drawn = [draws(seed, purpose, *which) for seed, purpose, which in product((0, 1, 2**40), PURPOSES, numbers)]
    assert len(set(drawn)) == len(drawn) == 3 * len(PURPOSES) * len(numbers)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_an_integer_seed_fits_32_bits_and_follows_from_its_stream(purpose: Purpose) -> None:
    seeds = [integer_seed(5, purpose, number) for number in range(20)]
    assert seeds == [integer_seed(5, purpose, number) for number in range(20)]
    assert len(set(seeds)) == 20
    assert all(0 <= seed < 2**32 for seed in seeds)
