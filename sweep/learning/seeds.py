"""Random streams: every one is a child of (study seed, purpose, numbers), and of nothing else.

So what a trial draws does not depend on how many trials were drawn before it, in which process, or by how many workers.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Purpose = Literal["split", "weights", "order", "sampler", "finalists", "race"]
_KEYS: dict[Purpose, int] = {"split": 0, "weights": 1, "order": 2, "sampler": 3, "finalists": 4, "race": 5}


def stream(seed: int, purpose: Purpose, *numbers: int) -> np.random.SeedSequence:
    """Make the seed sequence of one stream.

    Parameters
    ----------
    seed : int
        The study's seed, not negative.
    purpose : str
        What the stream is for.
    numbers : int
        Which one: the replicate, or the trial.
    """
    return np.random.SeedSequence(seed, spawn_key=(_KEYS[purpose], *numbers))


def integer_seed(seed: int, purpose: Purpose, *numbers: int) -> int:
    """One 32-bit number from a stream, for libraries that are seeded with a number."""
    return int(stream(seed, purpose, *numbers).generate_state(1)[0])
