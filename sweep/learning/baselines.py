"""What a network has to beat: a linear model, and always saying the same; scikit-learn's own, on the same parts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from sweep.learning.data import keeping
from sweep.learning.data.parts import Data, Facts, Part
from sweep.learning.hyper import Array
from sweep.learning.network.functions import LOSSES
from sweep.learning.network.metrics import ALWAYS, Measuring, Outcome

MOST_STEPS, FEWEST_STEPS = 1000, 10  # of the solver of logistic regression
WORK = 3 * 10**10  # multiplications in all of its steps; about a minute on one core, as measured
SEEDS, SEEDS_OF_LARGE = 5, 3  # a linear model hardly depends on the seed, and the less the more samples there are


def steps(facts: Facts) -> int:
    """How many steps the solver of logistic regression may take: fewer where each is long, so that it comes to an end.

    >>> steps(Facts("classification", 1, (1078, 359, 360), 64, 10, ""))
    1000
    >>> steps(Facts("classification", 1, (12000, 4000, 4000), 50, 1000, ""))
    49
    """
    if facts.task == "regression":
        return MOST_STEPS  # it is solved without any
    work = facts.samples[0] * (facts.inputs + 1) * facts.outputs
    return max(FEWEST_STEPS, min(MOST_STEPS, WORK // work))


def seeds(facts: Facts) -> int:
    """With how many seeds the models are trained."""
    return SEEDS_OF_LARGE if facts.bytes > keeping.LARGE else SEEDS


def baselines(data: Data, metrics: Sequence[str] = ALWAYS, loss: str | None = None) -> dict[str, dict[str, float]]:
    """Train the models of `NAMES` on the training part; measure them on the test part, else on the validation part.

    Their loss is the network's: the one that follows from the task, unless another is given.

    Returns
    -------
    dict
        For each model its metrics by their names: those of a network with its outputs.
    """
    part = data.test if len(data.test) else data.validation
    outputs = _logits if data.task == "classification" else _numbers
    return {name: _measured(outputs(name, data, part), data, part, metrics, loss or data.loss) for name in NAMES}


def _measured(outputs: Array, data: Data, part: Part, metrics: Sequence[str], loss: str) -> dict[str, float]:
    """What is measured of outputs of shape ``(samples, outputs)``, weighted as a network's are."""
    rows = np.array(outputs.T[None], dtype=float)
    weights = part.metric_weights, part.loss_weights
    of = Outcome(rows, part.targets.T[:, None], part.variance.T[..., None], LOSSES[loss](False), *weights)
    found = Measuring(data.task, tuple(metrics)).of([of])
    return {name: float(each[0]) for name, each in found.items()}


LINEAR, SAME = "linear", "same"
NAMES = (LINEAR, SAME)


def _logits(name: str, data: Data, part: Part) -> Array:
    """Logistic regression, or the shares of the classes in the training part: the logarithms of the probabilities."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=steps(data.facts)) if name == LINEAR else DummyClassifier(strategy="prior")
    classes = data.train.targets.argmax(axis=1)
    probabilities = np.asarray(_fitted(model, data.train, classes).predict_proba(part.inputs))
    return np.asarray(np.log(np.maximum(probabilities, np.finfo(float).tiny)))


def _numbers(name: str, data: Data, part: Part) -> Array:
    """Ridge regression, or the mean of the training part."""
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import Ridge

    model = Ridge() if name == LINEAR else DummyRegressor()
    predicted = np.asarray(_fitted(model, data.train, data.train.targets).predict(part.inputs))
    return predicted.reshape(part.targets.shape)


def _fitted(model: Any, train: Part, targets: Array) -> Any:
    """The model, fitted with the weights that a network is trained with."""
    weights = None if train.loss_weights is None else train.loss_weights[0]
    with warnings.catch_warnings():  # a solver that has not quite converged is a baseline all the same
        warnings.simplefilter("ignore")
        return model.fit(train.inputs, targets, sample_weight=weights)
