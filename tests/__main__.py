"""``python -m tests``: the one command that checks everything: format, lint, types, then tests with doctests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHECKS = (
    ("format", "ruff", "format", "--check", "."),
    ("lint", "ruff", "check", "."),
    ("types", "mypy"),
    ("tests", "pytest", "-n", str(os.cpu_count() or 1)),
)


def main() -> int:
    """Run every check, also after one has failed; 0 if all passed."""
    failed = []
    for name, module, *arguments in CHECKS:
        sys.stdout.write(f"== {name}\n")
        sys.stdout.flush()
        if subprocess.call([sys.executable, "-m", module, *arguments], cwd=ROOT):
            failed.append(name)
    if failed:
        sys.stdout.write(f"failed: {', '.join(failed)}\n")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
