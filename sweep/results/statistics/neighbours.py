"""How often a candidate's neighbours diverged in the search: what its own trainings are too few to tell.

A configuration at the edge of stability diverges now and then: in none of 25 trainings, perhaps, and in one of the next
16, which costs more than all that it is better by. But its neighbours, with a rate a little higher, have diverged.
Measured on 4,465 candidates that did not diverge in 24 trainings (40 studies, ten data sets): in 16 further ones
0.03 % diverged of those no neighbour of which had, 0.7 % of those with a tenth to three tenths, 2 % of those with more.
That is what this share is worth as one more training: see `sweep.search.running.race.risks`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sweep.learning.configuration import Configuration
from sweep.learning.hyper import Array, Choices, Range, Search
from sweep.results.statistics import summaries
from sweep.search.running.finalists import Finalist
from sweep.search.space.space import Space

RATE_WIDTH = 0.5  # of the logarithm of the learning rate: a trial with a rate 1.6 times as high weighs 0.6
WIDTH = 1 / 3  # of the place of another constant in its range


def shares(trials: pd.DataFrame, space: Space, candidates: Sequence[Finalist]) -> Array:
    """The share of each candidate's neighbours that diverged, shape ``(candidates,)``.

    Neighbours are the trials of the same optimizer, with any schedule, the nearer the more they weigh.
    """
    done = summaries.finished(trials)
    of_optimizer = dict(list(done.groupby("optimizer")))
    scales = {name: _scales(space, name) for name in of_optimizer}
    found = np.zeros(len(candidates))
    for place, candidate in enumerate(candidates):
        name = candidate.arm.optimizer
        if name in of_optimizer:
            weights = _weights(of_optimizer[name], scales[name], candidate.configuration)
            diverged = (of_optimizer[name]["state"] == "diverged").to_numpy()
            found[place] = float((weights * diverged).sum() / max(weights.sum(), 1.0))
    return found


def _scales(space: Space, optimizer: str) -> dict[str, Search]:
    """The searched constants of an optimizer by the names of their columns."""
    return {
        f"optimizer.{name}": search
        for name, search in space.optimizers[optimizer].items()
        if isinstance(search, Range | Choices)
    }


def _weights(trials: pd.DataFrame, scales: dict[str, Search], configuration: Configuration) -> Array:
    """How much each trial weighs: Gaussian in the rate's logarithm and in the places of the other constants."""
    own = configuration.record()
    rates = np.log(trials["learning_rate"].to_numpy(float) / configuration.learning_rate)
    distance = (rates / RATE_WIDTH) ** 2
    for column, search in scales.items():
        values = trials[column].to_numpy(float)
        places = _places(np.append(values, float(own[column])), search)
        distance += ((places[:-1] - places[-1]) / WIDTH) ** 2
    return np.asarray(np.exp(-distance / 2))


def _places(values: Array, search: Search) -> Array:
    """Where values lie in what is searched, from 0 to 1."""
    match search:
        case Choices(choices):
            order = sorted(choices)
            return np.array([order.index(value) if value in order else 0 for value in values]) / max(1, len(order) - 1)
        case Range(low, high, True):
            return np.asarray(np.log(values / low) / math.log(high / low))
        case Range(low, high):
            return np.asarray((values - low) / (high - low))
    return np.zeros(len(values))
