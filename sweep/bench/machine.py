"""The machine's name: what a measured time belongs to."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("numpy", "numba", "scikit-learn", "optuna", "torch", "jax", "rustuna")


def megabytes(process: int | str, entry: str) -> float | None:
    """An entry of a process's memory as Linux tells it (``VmRSS``: now, ``VmHWM``: at most); None where nobody does."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return None
    found = (line for line in status.splitlines() if line.startswith(f"{entry}:"))
    return next((int(line.split()[1]) / 1024 for line in found), None)


@dataclass(frozen=True)
class Machine:
    """Processor, cores that may be used, operating system, Python, BLAS and the libraries' versions.

    `load` is how many processes wanted a core in the minute before (None where the system does not tell).
    """

    processor: str
    cores: int
    system: str
    python: str
    blas: str
    packages: dict[str, str]
    load: float | None


def describe(packages: Sequence[str] = PACKAGES) -> Machine:
    """Look it all up; a package that is not installed is left out."""
    from joblib import cpu_count

    found = {name: _version(name) for name in packages}
    return Machine(
        _processor(), int(cpu_count()), f"{platform.system()} {platform.machine()}", platform.python_version(), _blas(),
        {name: number for name, number in found.items() if number},
        os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )  # fmt: skip


def _processor() -> str:
    """The model's name, where the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _blas() -> str:
    """The BLAS that NumPy was built with (SciPy may bring another), and the kernels it has chosen."""
    import numpy as np
    from threadpoolctl import threadpool_info

    built: Any = np.show_config(mode="dicts")
    library = built["Build Dependencies"]["blas"]
    kernels = [pool.get("architecture", "") for pool in threadpool_info() if pool["user_api"] == "blas"]
    return " ".join(part for part in (library["name"], library["version"], *kernels[:1]) if part)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
