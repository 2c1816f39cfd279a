"""What all tests share: which run, how property tests draw (always the same examples, no clock), a database server.

There are two tiers. Without ``--all`` tests that are marked *long* are left out, and property tests draw a quarter of
their examples; no law is left out. A test that is named on the command line runs whatever its mark.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import servers

# Derandomised: a red test is red on every machine. To look for new counter-examples, with thousands of examples a test:
# pytest --hypothesis-profile=explore, or HYPOTHESIS_PROFILE=explore.
settings.register_profile("steady", deadline=None, derandomize=True, database=None, max_examples=40)
settings.register_profile("explore", deadline=None, database=None, max_examples=2000)
settings.register_profile("quick", parent=settings.get_profile("steady"), max_examples=10)
# A glance at many tests: a few examples each.
settings.register_profile("glance", parent=settings.get_profile("steady"), max_examples=4)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the long tier."""
    parser.addoption("--all", action="store_true", help="long tests too, and property tests at full size")


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples are drawn, before any test is imported."""
    config.addinivalue_line("markers", "long: left out unless --all is given, or the test is named")
    tier = "steady" if config.getoption("--all") else "quick"
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", tier))
    # A shell that starts the tests in the background has them ignore Ctrl-C, and all that they start would, too.
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long tests out of the short tier."""
    if config.getoption("--all"):
        return
    named = {argument.partition("[")[0] for argument in config.args}
    long = {item for item in items if item.get_closest_marker("long") and item.nodeid.partition("[")[0] not in named}
    config.hook.pytest_deselected(items=[item for item in items if item in long])
    items[:] = [item for item in items if item not in long]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.PostgreSQL]:
    """A PostgreSQL server for all tests of this process."""
    with servers.postgresql() as server:
        yield server
