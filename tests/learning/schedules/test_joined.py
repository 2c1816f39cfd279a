from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.learning.configuration import Configuration
from sweep.learning.optimizers.rules import Adam, Momentum, Sgd
from sweep.learning.schedules.base import Schedule
from sweep.learning.schedules.formulas import Constant, Cosine, Exponential, InverseTime, Join, Piecewise, Plateau, Step
from sweep.learning.training.loop import train
from sweep.learning.training.population import Population
from sweep.learning.training.settings import Settings
from tests.learning.strategies import evenly, joins, moments, open_loop, small_data

eighths = st.integers(0, 160).map(lambda n: n / 8)  # of them and their differences every digit is kept


@given(joined=joins, times=st.lists(eighths, min_size=2, max_size=30))
def test_each_part_runs_from_its_boundary_on_with_its_scale(joined: Join, times: list[float]) -> None:
    joined = dataclasses.replace(joined, warmup=0.0)
    shown = joined.factor(np.array(times))
    for time, factor in zip(times, shown, strict=True):
        part = sum(time >= boundary for boundary in joined.boundaries)
        since = time - (joined.boundaries[part - 1] if part else 0.0)
        scale = joined.scales[part] if joined.scales else 1.0
        # NumPy takes other paths for a single number, so a rounding may differ.
        assert factor == pytest.approx(scale * joined.parts[part].factor(since).item(), rel=1e-14, abs=1e-15)


@given(part=open_loop, times=st.lists(moments, min_size=2, max_size=30))
def test_one_part_alone_is_that_part(part: Schedule, times: list[float]) -> None:
    alone = part.factor(np.array(times))
    np.testing.assert_array_equal(Join(parts=(part,)).factor(np.array(times)), alone)
    np.testing.assert_array_equal(Join(parts=(part,), scales=(2.0,)).factor(np.array(times)), 2.0 * alone)


@given(joined=joins, times=st.lists(eighths, min_size=2, max_size=30))
def test_after_its_warm_up_the_chain_runs_from_its_own_start(joined: Join, times: list[float]) -> None:
    at_once, later = (dataclasses.replace(joined, warmup=warmup) for warmup in (0.0, 2.5))
    np.testing.assert_array_equal(later.factor(2.5 + np.array(times)), at_once.factor(np.array(times)))
    start = joined.warmup_start
    assert later.factor(np.array([0.0, 1.25])).tolist() == [start, start + (1.0 - start) * 0.5]


def test_a_chain_may_be_a_part_of_a_chain() -> None:
    inner = Join(parts=(Constant(), Step(every=2.0)), boundaries=(3.0,), scales=(1.0, 0.5))
    outer = Join(parts=(Constant(), inner), boundaries=(10.0,), scales=(4.0, 2.0))
    assert outer.factor(np.array([9.0, 10.0, 13.0, 15.0])).tolist() == [4.0, 2.0, 1.0, 0.5]


@pytest.mark.parametrize("steps", [3, 7, 10, 49, 96])
@pytest.mark.parametrize("warmup", [0, 29])
def test_a_part_begins_at_the_update_of_its_boundary(steps: int, warmup: int) -> None:
    joined = Join(parts=(Constant(), Constant()), boundaries=(41 / steps,), scales=(1.0, 0.5), warmup=warmup / steps)
    updates = np.arange(warmup, warmup + 83)
    assert joined.factor(updates / steps).tolist() == np.where(updates - warmup >= 41, 0.5, 1.0).tolist()


@pytest.mark.parametrize("early", [0.0, 1e-15, 9e-10])
def test_a_time_less_than_a_billionth_before_a_boundary_counts_as_at_it(early: float) -> None:
    joined = Join(parts=(Constant(), Constant()), boundaries=(6.0,), scales=(1.0, 0.5))
    assert joined.factor(np.array([6.0 - early, 6.0 - 2e-9])).tolist() == [0.5, 1.0]


@given(several=st.lists(joins, min_size=2, max_size=4), few=st.lists(moments, min_size=2, max_size=6), many=evenly)
def test_stacked_chains_give_what_each_gives_alone_bit_for_bit(
    several: list[Join], few: list[float], many: list[float]
) -> None:
    times = [*few, *many]
    together = Join.stacked(several).factor(np.array(times))
    assert together.shape == (len(several), len(times))
    for k, joined in enumerate(several):
        np.testing.assert_array_equal(together[k], Join.stacked([joined]).factor(np.array(times))[0])
        np.testing.assert_array_equal(together[k], joined.factor(np.array(times)))


def test_a_population_of_chains_has_the_rates_of_each() -> None:
    chains = [Join(parts=(Step(every=n), InverseTime()), boundaries=(2.0,), scales=(1.0, 0.5)) for n in (0.5, 1.0)]
    population = [Configuration(0.1, Sgd(), schedule) for schedule in (chains[0], Cosine(duration=3.0), chains[1])]
    data, settings = small_data("regression"), Settings((3,), epochs=1)
    architecture = settings.architecture(data)
    losses = np.ones(1), np.ones(1)
    stacked = Population.of(population, architecture, np.zeros((1, architecture.parameters)), losses)
    times = np.arange(9) / 2
    rates = stacked.rates(times, np.arange(9))
    for row, trial in enumerate(stacked.trials):
        schedule = population[trial].schedule
        np.testing.assert_array_equal(rates[row], 0.1 * type(schedule).stacked([schedule]).factor(times)[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_trial_with_a_chain_trains_the_same_alone_and_beside_others_that_leave(dtype: str) -> None:
    leap = Join(parts=(Constant(), Constant()), boundaries=(2.0,), scales=(1.0, 1e30))
    chains = [
        Join(parts=(Step(every=0.5), Cosine(duration=2.0)), boundaries=(1.5,), scales=(1.0, 0.5), warmup=0.5),
        Join(parts=(Exponential(rate=0.5), Constant(), Step(every=1.0)), boundaries=(1.0, 3.0)),
    ]
    chosen = [
        Configuration(0.02, Sgd(), leap), Configuration(0.02, Momentum(), chains[0]),
        Configuration(1e30, Sgd(), chains[1]), Configuration(0.02, Adam(), Piecewise()),
        Configuration(0.02, Sgd(), chains[1]), Configuration(0.02, Adam(), chains[0]),
    ]  # fmt: skip
    settings, data = Settings((4,), dtype=dtype, epochs=6, batch_size=6, replicates=2), small_data("regression")
    training = train(chosen, data, settings, seed=0)
    assert training.diverged_at.tolist() == [3, -1, 1, -1, -1, -1]
    for k, configuration in enumerate(chosen):
        alone = train([configuration], data, settings, seed=0)
        np.testing.assert_array_equal(training.parameters[k], alone.parameters[0])
        np.testing.assert_array_equal(training.learning_rate[k], alone.learning_rate[0])


def test_what_watches_a_loss_cannot_be_joined() -> None:
    with pytest.raises(UsageError, match="join: plateau watches a loss: only schedules of time alone can be joined"):
        Join(parts=(Constant(), Plateau()), boundaries=(3.0,))


@pytest.mark.parametrize(
    ("parts", "boundaries"), [(0, ()), (1, (1.0,)), (2, ()), (2, (1.0, 2.0)), (3, (2.0, 1.0))], ids=str
)
def test_one_rising_boundary_is_wanted_between_two_parts(parts: int, boundaries: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match=f"join: {parts} parts: need one rising boundary between each and the next"):
        Join(parts=(Constant(),) * parts, boundaries=boundaries)


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 1.0, 1.0)], ids=str)
def test_one_scale_is_wanted_for_each_part_or_none(scales: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match=f"join: {len(scales)} scales for 2 parts: give one for each, or none"):
        Join(parts=(Constant(), Constant()), boundaries=(1.0,), scales=scales)


def test_the_warm_up_of_a_chain_is_checked_like_any_other() -> None:
    with pytest.raises(UsageError, match=r"join\.warmup = -1: must obey 0 <= warmup and finite"):
        Join(parts=(Constant(),), warmup=-1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"boundaries": (-1.0,)}, r"join\.boundaries = \(-1\.0,\): must obey 0 <= boundaries and finite"),
        ({"boundaries": (math.nan,)}, r"join\.boundaries = \(nan,\)"),
        ({"scales": (1.0, -2.0)}, r"join\.scales = \(1\.0, -2\.0\): must obey 0 <= scales and finite"),
        ({"parts": (Constant(), 0.5)}, r"join: 0\.5 is not a schedule"),
    ],
)
def test_places_and_factors_that_cannot_be_and_parts_that_are_none_are_refused(
    arguments: dict[str, Any], said: str
) -> None:
    fitting: dict[str, Any] = {"parts": (Constant(), Constant()), "boundaries": (1.0,)}
    with pytest.raises(UsageError, match=said):
        Join(**fitting | arguments)
