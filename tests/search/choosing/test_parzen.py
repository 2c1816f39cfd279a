from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kstest

from sweep.search.choosing.parzen import Parzen, log_sum

CENTRES = np.array([[0.1, 2.0], [0.15, 0.0], [0.9, 2.0]])
MIXED = Parzen.of(CENTRES, [0, 3])


def density(parzen: Parzen, points: np.ndarray, dimensions: list[int]) -> np.ndarray:
    """The mixture with the constant that `log_kernels` leaves out: 1 / sqrt(2 pi) for each number."""
    numbers = sum(not parzen.choices[d] for d in dimensions)
    kernels = len(parzen.centres) + 1
    return np.asarray(np.exp(log_sum(parzen.log_kernels(points, dimensions))) / kernels / np.sqrt(2 * np.pi) ** numbers)


@given(centres=st.lists(st.floats(0, 1), min_size=0, max_size=8))
def test_the_density_of_a_number_integrates_to_one(centres: list[float]) -> None:
    parzen = Parzen.of(np.array(centres).reshape(-1, 1), [0])
    area, _ = quad(lambda x: density(parzen, np.array([[x]]), [0]).item(), 0, 1, limit=200, points=sorted(centres)[:50])
    assert area == pytest.approx(1, abs=1e-6)


def test_the_density_of_a_choice_sums_to_one_and_prefers_what_was_chosen() -> None:
    shares = density(MIXED, np.array([[0.0], [1.0], [2.0]]), [1])
    assert shares.sum() == pytest.approx(1)
    # By hand: each kernel is (1 + 1/4) / (1 + 3/4) on its own choice, (1/4) / (1 + 3/4) elsewhere; the wide one 1/3.
    own, other = 1.25 / 1.75, 0.25 / 1.75
    assert shares[0] == pytest.approx((own + 2 * other + 1 / 3) / 4)
    assert shares[1] == pytest.approx((3 * other + 1 / 3) / 4)


def test_dimensions_of_one_kernel_belong_together() -> None:
    """Choice 0 was near 0.15, choice 2 near 0.9 or 0.1: the joint density is no product of two."""
    near, far = density(MIXED, np.array([[0.15, 0.0], [0.9, 0.0]]), [0, 1])
    assert near > 3 * far


def test_samples_have_the_density() -> None:
    random = np.random.default_rng(0)
    kernels = random.integers(4, size=20_000)
    drawn = MIXED.sample(kernels, [0, 1], random)
    edges = np.linspace(0, 1, 201)
    cumulated = [0.0]
    for left, right in itertools.pairwise(edges):
        cumulated.append(cumulated[-1] + quad(lambda x: density(MIXED, np.array([[x]]), [0]).item(), left, right)[0])
    # One test at a level of one in a thousand, with a fixed seed.
    assert kstest(drawn[:, 0], lambda x: np.interp(x, edges, cumulated)).pvalue > 1e-3
    for choice, share in enumerate(density(MIXED, np.array([[0.0], [1.0], [2.0]]), [1])):
        assert (drawn[:, 1] == choice).mean() == pytest.approx(share, abs=5 * np.sqrt(0.25 / 20_000))


def test_kernels_get_narrower_with_more_trials_but_never_vanish() -> None:
    random = np.random.default_rng(1)
    widths = [Parzen.of(random.random((n, 1)), [0]).widths.item() for n in (1, 10, 100, 10_000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] >= 0.01


def test_without_trials_the_wide_kernel_is_all_there_is() -> None:
    empty = Parzen.of(np.empty((0, 1)), [0])
    low, middle = density(empty, np.array([[0.0], [0.5]]), [0])
    assert 0.8 < low < middle < 1.1
