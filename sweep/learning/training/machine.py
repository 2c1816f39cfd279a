"""The state of the processor while a population trains: one BLAS thread, subnormals flushed, NumPy silent.

All three belong to the result as much as to the speed. How many threads share a matrix product may decide in which
order it is summed; and whether subnormals are kept decides a last bit here and there. So every training, in every
process, runs inside `steady`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import platform
from collections.abc import Callable, Iterator

import numpy as np
from threadpoolctl import ThreadpoolController

# MXCSR bits of x86: flush-to-zero (0x8000) and denormals-are-zero (0x0040); it is the eighth 32-bit word of glibc's
# fenv_t. With squared gradients below 1e-38 an update takes 20 to 60 times longer without them on some processors, and
# 1.1 to 1.7 times on AMD's Zen 4 (both measured).
_FLUSH = 0x8040
_MXCSR = 7


@functools.cache
def _libm() -> ctypes.CDLL | None:
    if platform.machine().lower() not in ("x86_64", "amd64") or platform.libc_ver()[0] != "glibc":
        return None
    return ctypes.CDLL("libm.so.6")


@contextlib.contextmanager
def subnormals_flushed() -> Iterator[None]:
    """Treat subnormal floats as zero in this thread, then as before. Does nothing but on x86-64 with glibc."""
    libm = _libm()
    if libm is None:
        yield
        return
    before, now = (ctypes.c_uint32 * 16)(), (ctypes.c_uint32 * 16)()
    libm.fegetenv(before)
    libm.fegetenv(now)
    now[_MXCSR] |= _FLUSH
    libm.fesetenv(now)
    try:
        yield
    finally:
        libm.fesetenv(before)


@functools.cache
def _threadpools() -> ThreadpoolController:
    """The BLAS libraries of this process, looked up once: the look-up takes milliseconds, a limit microseconds."""
    return ThreadpoolController()


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """Train in a known state of the processor: one BLAS thread, subnormals flushed, no floating-point warnings.

    A rate that is too large overflows; that is a result (a diverged trial), not a warning.
    """
    limit: Callable[..., contextlib.AbstractContextManager[object]] = _threadpools().limit
    with limit(limits=1, user_api="blas"), np.errstate(all="ignore"), subnormals_flushed():
        yield
