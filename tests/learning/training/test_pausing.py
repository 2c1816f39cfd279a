"""A training that is paused, dealt out anew and gone on with is the training that was not paused, to the last bit."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data
from sweep.learning.data.source import named
from sweep.learning.data.splits import prepare
from sweep.learning.optimizers.rules import Sgd
from sweep.learning.training.loop import Pause, Training, train
from sweep.learning.training.settings import Settings
from tests.learning.strategies import configurations, mixed, several, small_data
from tests.studies import laws

CURVES = ("learning_rate", "train_loss", "validation_loss", "validation_error")


def in_stages(
    population: Sequence[Configuration], data: Data, settings: Settings, seed: int, ends: Sequence[int], groups: int
) -> Training:
    """Train with a pause after each of some epochs; in each stage trials are dealt out otherwise, to some groups."""
    whole = train(population, data, settings, seed, until=0)
    pause, alive = whole.paused, list(range(len(population)))
    for stage, (begin, end) in enumerate(zip([0, *ends], [*ends, settings.epochs], strict=True)):
        assert pause is not None
        kept: dict[int, Training] = {}
        held = {}
        for group in range(groups):
            chosen = sorted(alive, key=lambda trial: trial * 7 % (5 + stage))[group::groups]
            if not chosen:
                continue
            begun = Pause(begin, pause.start, {place: pause.trials[trial] for place, trial in enumerate(chosen)})
            begun = pickle.loads(pickle.dumps(begun))  # as on the way to another process
            part = train([population[t] for t in chosen], data, settings, seed, begin=begun, until=end)
            for place, trial in enumerate(chosen):
                kept[trial] = part
                for name in CURVES:
                    getattr(whole, name)[trial, :, begin + 1 :] = getattr(part, name)[place, :, begin + 1 :]
                whole.epochs[trial], whole.diverged_at[trial] = part.epochs[place], part.diverged_at[place]
                whole.parameters[trial] = part.parameters[place]
                if part.paused and place in part.paused.trials:
                    held[trial] = part.paused.trials[place]
        pause, alive = Pause(end, pause.start, held), list(held)
    return whole


def assert_equal(one: Training, other: Training) -> None:
    for name in (*CURVES, "epochs", "diverged_at", "parameters"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@laws
@given(
    population=st.lists(configurations, min_size=1, max_size=4),
    data=several,
    ends=st.sets(st.integers(1, 4), max_size=3).map(sorted),
    groups=st.integers(1, 3),
    replicates=st.integers(1, 2),
    seed=st.integers(0, 2**63),
)
def test_pauses_change_nothing(
    population: list[Configuration], data: Data, ends: list[int], groups: int, replicates: int, seed: int
) -> None:
    settings = Settings((3,), epochs=5, batch_size=6, replicates=replicates, splits=data.splits)
    assert_equal(in_stages(population, data, settings, seed, ends, groups), train(population, data, settings, seed))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pauses_change_nothing_for_many_mixed_trials_on_real_data(dtype: str) -> None:
    data = prepare(named("wine"), 3)
    settings = Settings(hidden=(16, 8), dtype=dtype, epochs=8, batch_size=16, replicates=2)
    expected = train(mixed(32), data, settings, 9)
    assert len(set(expected.diverged_at.tolist())) > 2, "or this would compare less than it says"
    assert_equal(in_stages(mixed(32), data, settings, 9, [2, 3, 6], groups=3), expected)


def test_a_training_to_its_last_epoch_leaves_nothing_to_go_on_from() -> None:
    data, settings = small_data("regression"), Settings((3,), epochs=3)
    assert train([Configuration(0.01, Sgd())], data, settings, 0).paused is None
    assert train([Configuration(0.01, Sgd())], data, settings, 0, until=2).paused is not None


def test_diverged_trials_have_nothing_to_go_on_from() -> None:
    data, settings = small_data("regression"), Settings((3,), epochs=3)
    training = train([Configuration(0.01, Sgd()), Configuration(1e8, Sgd())], data, settings, 0, until=2)
    assert training.paused is not None
    assert list(training.paused.trials) == [0]
