from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweep.search.space.scales import place, quantile, value_at

bounds = st.tuples(st.floats(1e-9, 1e9), st.floats(1e-9, 1e9)).filter(lambda b: b[0] < b[1])
whole_bounds = st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)).filter(lambda b: b[0] < b[1])
shares = st.floats(0, 1)


@given(bounds=bounds, log=st.booleans(), share=shares)
def test_a_number_comes_back_from_its_place(bounds: tuple[float, float], log: bool, share: float) -> None:
    distribution = FloatDistribution(*bounds, log=log)
    value = value_at(distribution, share)
    assert bounds[0] <= value <= bounds[1]
    # A rounding of the place is a larger one of the value, the more so the wider the range.
    assert value_at(distribution, place(distribution, value)) == pytest.approx(value, rel=1e-9)


@given(bounds=whole_bounds, log=st.booleans(), share=shares)
def test_a_whole_number_comes_back_from_its_place(bounds: tuple[int, int], log: bool, share: float) -> None:
    distribution = IntDistribution(*bounds, log=log)
    value = value_at(distribution, share)
    assert bounds[0] <= value <= bounds[1]
    assert value_at(distribution, place(distribution, value)) == value


@pytest.mark.parametrize("value", ["a", 0.9, None, True])
def test_a_choice_comes_back_from_its_place(value: object) -> None:
    distribution = CategoricalDistribution(("b", "a", 0.9, None, True))
    assert value_at(distribution, place(distribution, value)) is value


def test_places_run_from_end_to_end_and_the_middle_of_a_log_range_is_its_geometric_mean() -> None:
    rate = FloatDistribution(1e-4, 1.0, log=True)
    assert [place(rate, v) for v in (1e-4, 1e-2, 1.0)] == pytest.approx([0, 0.5, 1], abs=1e-12)
    assert value_at(rate, 0.25) == pytest.approx(1e-3)


def test_every_whole_number_and_every_choice_has_an_equal_share() -> None:
    points = [(i + 0.5) / 1200 for i in range(1200)]
    for distribution in (IntDistribution(3, 8), CategoricalDistribution(tuple("abcdef"))):
        drawn = [quantile(distribution, u) for u in points]
        assert {drawn.count(value) for value in set(drawn)} == {200}
        assert len(set(drawn)) == 6


def test_a_share_of_a_log_range_of_whole_numbers_is_that_of_its_logarithm() -> None:
    drawn = [quantile(IntDistribution(1, 100, log=True), (i + 0.5) / 10_000) for i in range(10_000)]
    share = math.log(10.5 / 0.5) / math.log(100.5 / 0.5)
    assert sum(value <= 10 for value in drawn) / 10_000 == pytest.approx(share, abs=1e-3)
