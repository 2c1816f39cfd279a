"""How the property tests of this room run: the same examples each time, and no clock."""

from __future__ import annotations

import os

from hypothesis import settings

# Derandomised: a red test is red on every machine. To look for new counter-examples: HYPOTHESIS_PROFILE=explore.
settings.register_profile("steady", deadline=None, derandomize=True, database=None, max_examples=40)
settings.register_profile("explore", deadline=None, database=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
