from __future__ import annotations

from collections.abc import Callable

import pytest

from sweep.bench.timing import Timing, interleaved


def contenders(log: list[str], times: dict[str, list[float]]) -> dict[str, Callable[[], float]]:
    """Contenders that write down when they ran, and took these times, one a round."""

    def of(name: str) -> Callable[[], float]:
        left = iter(times[name])

        def run() -> float:
            log.append(name)
            return next(left)

        return run

    return {name: of(name) for name in times}


def rounds_of(seed: int, count: int = 8) -> list[tuple[str, ...]]:
    log: list[str] = []
    interleaved(contenders(log, {name: [1.0] * count for name in "abc"}), count, seed)
    return [tuple(log[start : start + 3]) for start in range(0, len(log), 3)]


def test_every_contender_runs_once_a_round_in_a_changing_order() -> None:
    orders = rounds_of(seed=0)
    assert len(orders) == 8
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert len(set(orders)) > 2


def test_the_order_follows_from_the_seed() -> None:
    assert rounds_of(seed=1) == rounds_of(seed=1)
    assert rounds_of(seed=1) != rounds_of(seed=2)


def test_the_median_and_the_quartiles_are_those_of_the_contenders_own_times() -> None:
    times = {"a": [5.0, 1.0, 4.0, 2.0, 3.0], "b": [10.0, 10.0, 10.0, 10.0, 99.0]}
    assert interleaved(contenders([], times), 5) == {
        "a": Timing(3.0, 2.0, 4.0, 5),
        "b": Timing(10.0, 10.0, 10.0, 5),
    }


@pytest.mark.parametrize(("values", "timing"), [([7.0], (7.0, 7.0, 7.0, 1)), ([1.0, 2.0], (1.5, 1.25, 1.75, 2))])
def test_few_runs_have_a_spread_as_well(values: list[float], timing: tuple[float, float, float, int]) -> None:
    assert Timing.of(values) == Timing(*timing)
