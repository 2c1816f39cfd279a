"""scikit-learn's ``MLPClassifier``, one model at a time."""

from __future__ import annotations

import time
import warnings

import numpy as np

from sweep.bench.peers import Reading
from sweep.bench.peers.common import problem


def one_at_a_time(workload: str) -> Reading:
    """Train one model with Adam, at the middle of the learning rates, for all epochs.

    Early stopping is on, for it is how this class validates after each epoch, as all others here do, but never stops.
    It takes its validation part off by itself, of the same size.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    given = problem(workload)
    inputs = np.concatenate([given.inputs, given.validation_inputs])
    classes = np.concatenate([given.classes, given.validation_classes])
    network = MLPClassifier(
        given.sizes[1:-1], solver="adam", learning_rate_init=given.rates[len(given.rates) // 2], alpha=0.0,
        batch_size=given.batch, max_iter=given.epochs, n_iter_no_change=given.epochs + 1, random_state=0,
        early_stopping=True, validation_fraction=len(given.validation_classes) / len(classes),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are given
        started = time.perf_counter()
        network.fit(inputs, classes)
        seconds = time.perf_counter() - started
    return Reading(1000 * seconds, float(network.validation_scores_[-1]))
