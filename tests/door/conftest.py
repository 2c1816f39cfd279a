"""A run that nobody has disturbed, for all who compare others with it."""

from __future__ import annotations

import pytest

from sweep.door.result import Result
from tests.door.finalists import study
from tests.studies import run


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return run(study(), tmp_path_factory.mktemp("undisturbed"))
