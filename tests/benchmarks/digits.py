"""Is the best trial of `quickstart` as good as scikit-learn's network? ``python -m tests.benchmarks.digits``.

The same split, scaling, shape, number of epochs and minibatch size; scikit-learn with its own
defaults (Adam, rate 0.001, L2 of 1e-4) and with the SGD that its documentation recommends. Ten seeds each for
scikit-learn; for `sweep` the best configuration, trained again with ten other seeds of weights and order, because the
best score of a search is optimistic. Validation accuracy; nothing here looks at the test part.
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from dataclasses import replace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import sweep
from sweep.learning.data.parts import Data
from sweep.learning.data.splits import prepare
from sweep.learning.training.loop import train

SEEDS = 10


def scikit_learn(data: Data, epochs: int, batch: int, hidden: tuple[int, ...], solver: str, rate: float) -> list[float]:
    """Validation accuracy of `MLPClassifier`, a number a seed."""
    found = []
    for seed in range(SEEDS):
        network = MLPClassifier(
            hidden, solver=solver, learning_rate_init=rate, batch_size=batch, max_iter=epochs, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the epochs are given
            network.fit(data.train.inputs, data.train.targets.argmax(axis=1))
        found.append(float(network.score(data.validation.inputs, data.validation.targets.argmax(axis=1))))
    return found


def main() -> None:
    """Run both and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        result = sweep.run("quickstart", runs=folder)
        seconds = time.perf_counter() - started
        spec, best, configuration = result.spec, result.best, result.configuration
    settings, data = spec.settings(), prepare(spec.source(), spec.study.seed)
    rows: list[tuple[str, list[float]]] = []
    again = train([configuration], data, replace(settings, replicates=SEEDS + 1), spec.study.seed)
    rows.append(("sweep: best configuration, other seeds", list(1 - again.validation_error[0, 1:, -1])))
    for name, solver, rate in (("scikit-learn, adam 0.001", "adam", 0.001), ("scikit-learn, sgd 0.1", "sgd", 0.1)):
        accuracies = scikit_learn(data, settings.epochs, settings.batch_size, settings.hidden, solver, rate)
        rows.append((name, accuracies))
    out = sys.stdout
    out.write(f"quickstart: {spec.study.trials} trials in {seconds:.1f} s; ")
    accuracy = 1 - best["validation_error"]
    out.write(f"best trial {best['number']} ({configuration.arm}), validation accuracy {accuracy:.4f}\n")
    for name, values in rows:
        out.write(f"{name:42} mean {np.mean(values):.4f}  min {min(values):.4f}  max {max(values):.4f}\n")


if __name__ == "__main__":
    main()
