from __future__ import annotations

import contextlib
from itertools import product

import numpy as np
import pytest

from sweep.bench.step.workloads import POPULATIONS, SEED, WORKLOADS, mixed, pure, stopping, vanishing
from sweep.learning.data.parts import Data
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.learning.training import machine
from sweep.learning.training.loop import train
from sweep.learning.training.population import Population

W1 = WORKLOADS["W1"]
EPOCHS = W1.settings.epochs


def test_the_workloads_are_the_ones_that_are_named() -> None:
    found = {
        name: (workload.sizes(), len(workload.data().train), workload.settings.batch_size)
        for name, workload in WORKLOADS.items()
    }
    assert found == {
        "W1": ((64, 32, 10), 1437, 32),
        "W2": ((30, 64, 2), 455, 32),
        "W3": ((64, 128, 128, 10), 1437, 128),
        "W4": ((54, 64, 64, 7), 20_000, 256),
    }


def test_minibatches_use_every_sample_once() -> None:
    for workload in WORKLOADS.values():
        minibatches = workload.minibatches()
        assert sum(minibatches) == len(workload.data().train)
        assert set(minibatches[:-1]) == {workload.settings.batch_size}


@pytest.mark.parametrize("population", POPULATIONS)
@pytest.mark.parametrize("rows", [1, 32])
def test_populations_have_as_many_rows_as_asked_for(population: str, rows: int) -> None:
    assert len(POPULATIONS[population](rows, EPOCHS)) == rows


def test_the_pure_population_is_rmsprop_alone_and_nothing_diverges() -> None:
    population = pure(32, EPOCHS)
    assert {configuration.arm for configuration in population} == {"rmsprop x constant"}
    assert (train(population, W1.data(), W1.settings, SEED).diverged_at == -1).all()


def test_the_mixed_population_has_all_optimizers_and_schedules_and_nothing_diverges() -> None:
    population = mixed(32, EPOCHS)
    assert {configuration.optimizer.name for configuration in population} == set(OPTIMIZERS)
    assert {configuration.schedule.name for configuration in population} == set(SCHEDULES)
    assert (train(population, W1.data(), W1.settings, SEED).diverged_at == -1).all()


def test_a_large_enough_mixed_population_has_every_pair_once() -> None:
    pairs = [(c.optimizer.name, c.schedule.name) for c in mixed(len(OPTIMIZERS) * len(SCHEDULES), EPOCHS)]
    assert sorted(pairs) == sorted(product(OPTIMIZERS, SCHEDULES))


def test_half_of_the_stopping_population_stops_at_a_third() -> None:
    diverged_at = train(stopping(32, EPOCHS), W1.data(), W1.settings, SEED).diverged_at
    assert sorted(set(diverged_at.tolist())) == [-1, EPOCHS // 3]
    assert (diverged_at == EPOCHS // 3).sum() == 16


def test_the_population_it_is_compared_with_goes_on_to_the_end() -> None:
    ended = train(POPULATIONS["lasting"](32, EPOCHS), W1.data(), W1.settings, SEED)
    assert (ended.epochs == EPOCHS).all()


def subnormal_share(data: Data) -> float:
    """The share of the caches that is subnormal after two epochs, at least of any row."""
    shares: list[float] = []

    def watch(epoch: int, population: Population) -> None:
        cache = population.optimizers[0].state[0]
        assert cache is not None
        bits = np.ascontiguousarray(cache).view(np.uint32)  # as numbers, they would count as 0 where they are flushed
        shares.append(float(((bits > 0) & (bits < 0x00800000)).mean(axis=1).min()))

    train(pure(4, 2), data, W1.shortened(2), SEED, watch=watch)
    return shares[-1]


def test_the_saturating_workload_would_compute_with_subnormals_were_they_not_flushed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as kept:
        kept.setattr(machine, "subnormals_flushed", contextlib.nullcontext)
        assert subnormal_share(vanishing(W1.data())) > 0.5
        assert subnormal_share(W1.data()) == 0.0
    if machine._libm() is not None:
        assert subnormal_share(vanishing(W1.data())) == 0.0
