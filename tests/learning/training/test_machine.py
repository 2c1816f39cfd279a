from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from sweep.learning.hyper import Array
from sweep.learning.training import machine
from sweep.learning.training.machine import steady, subnormals_flushed

on_this_processor = pytest.mark.skipif(
    machine._libm() is None, reason="subnormals can be flushed on x86-64 with glibc only"
)

TINY = {"float32": 1e-37, "float64": 1e-307}  # normal numbers, but a hundredth of them is subnormal


def hundredth_of_a_tiny_number(dtype: str) -> bytes:
    """Computed anew each time; as bytes, for a comparison inside would take a subnormal for nothing."""
    product: Array = np.full(64, TINY[dtype], dtype) * np.array(0.01, dtype)
    return product.tobytes()


def subnormals_are_kept() -> bool:
    return all(any(hundredth_of_a_tiny_number(dtype)) for dtype in TINY)


def subnormals_are_lost() -> bool:
    return not any(any(hundredth_of_a_tiny_number(dtype)) for dtype in TINY)


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def known_libraries() -> None:
    """A library that an earlier test has loaded counts here as well, though NumPy does not use it."""
    machine._threadpools.cache_clear()


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two BLAS threads, whatever the machine and its settings."""
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("the BLAS library here has one thread only")
        yield


@on_this_processor
def test_subnormals_are_flushed_inside_and_kept_outside() -> None:
    assert subnormals_are_kept()
    with steady():
        assert subnormals_are_lost()
    assert subnormals_are_kept()


@on_this_processor
def test_a_subnormal_that_comes_from_outside_counts_as_nothing() -> None:
    subnormal = np.full(4, 1e-40, np.float32)
    with subnormals_flushed():
        assert not (subnormal * np.float32(1e10)).any()
    assert (subnormal * np.float32(1e10)).all()


@on_this_processor
def test_subnormals_are_kept_again_after_an_error() -> None:
    with contextlib.suppress(ZeroDivisionError), steady():
        raise ZeroDivisionError
    assert subnormals_are_kept()


@on_this_processor
def test_inside_itself_it_changes_nothing_and_gives_nothing_back_early() -> None:
    with steady():
        with steady():
            assert subnormals_are_lost()
        assert subnormals_are_lost()
        assert blas_threads() <= {1}
    assert subnormals_are_kept()


def test_where_subnormals_cannot_be_flushed_all_else_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_libm", lambda: None)
    with steady():
        assert subnormals_are_kept()
        assert blas_threads() <= {1}


@pytest.mark.usefixtures("two_threads")
def test_blas_has_one_thread_inside_and_its_own_number_outside() -> None:
    with steady():
        assert blas_threads() == {1}
        with steady():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_floating_point_warnings_are_silent_inside_and_heard_outside() -> None:
    zero, huge = np.zeros(1), np.full(1, 1e300)
    with steady():
        assert np.isnan(zero / zero).all()
        assert np.isinf(huge * huge).all()
    with pytest.raises(RuntimeWarning, match="overflow"):
        huge * huge
