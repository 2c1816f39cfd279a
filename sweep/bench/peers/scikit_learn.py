"""scikit-learn's ``MLPClassifier``, one model at a time."""

from __future__ import annotations

import time
import warnings

from sweep.bench.peers import Reading
from sweep.bench.peers.common import problem


def one_at_a_time(workload: str) -> Reading:
    """Train one model with Adam, at the middle of the learning rates, for all epochs: early stopping is off."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    given = problem(workload)
    network = MLPClassifier(
        given.sizes[1:-1], solver="adam", learning_rate_init=given.rates[len(given.rates) // 2], alpha=0.0,
        batch_size=given.batch, max_iter=given.epochs, n_iter_no_change=given.epochs + 1, random_state=0,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are given
        started = time.perf_counter()
        network.fit(given.inputs, given.classes)
        seconds = time.perf_counter() - started
    return Reading(1000 * seconds, float(network.score(given.validation_inputs, given.validation_classes)))
