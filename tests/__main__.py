"""``python -m tests``: the one command that checks everything: format, lint, types, then tests with doctests.

Every law is tested, in some minutes on two cores. With ``--all`` also what takes long: runs killed again and again, the
dashboard and the report in a browser, databases, the peers, and property tests and simulations at full size.
"""

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
    ("tests", "pytest", "-n", str(os.cpu_count() or 1), "--dist", "worksteal"),
)


def main(arguments: list[str]) -> int:
    """Run every check, also after one has failed; 0 if all passed. What is given goes to the tests: ``--all``."""
    failed = []
    for name, module, *options in CHECKS:
        sys.stdout.write(f"== {name}\n")
        sys.stdout.flush()
        more = arguments if name == "tests" else []
        if subprocess.call([sys.executable, "-m", module, *options, *more], cwd=ROOT):
            failed.append(name)
    if failed:
        sys.stdout.write(f"failed: {', '.join(failed)}\n")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
