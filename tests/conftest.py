"""What all tests share: how property tests run (the same examples each time, and no clock), and the database server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import servers

# Derandomised: a red test is red on every machine. To look for new counter-examples, with thousands of examples a test:
# pytest --hypothesis-profile=explore, or HYPOTHESIS_PROFILE=explore.
settings.register_profile("steady", deadline=None, derandomize=True, database=None, max_examples=40)
settings.register_profile("explore", deadline=None, database=None, max_examples=2000)
# A glance at many tests: a few examples each.
settings.register_profile("glance", parent=settings.get_profile("steady"), max_examples=4)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[servers.PostgreSQL]:
    """A PostgreSQL server for all tests of this process."""
    with servers.postgresql() as server:
        yield server
