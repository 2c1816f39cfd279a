"""What a network has to beat: a linear model, and always saying the same; scikit-learn's own, on the same parts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.learning.data.splits import Data, Part
from sweep.learning.hyper import Array

MOST_STEPS = 1000  # of the solver of logistic regression


@dataclass(frozen=True, slots=True)
class Baseline:
    """A model's loss and error on a part, defined as the network's (`sweep.learning.network.functions`)."""

    name: str
    loss: float
    error: float


def baselines(data: Data) -> list[Baseline]:
    """Train the models of `NAMES` on the training part; evaluate them on the test part, else on the validation part."""
    part = data.test if len(data.test) else data.validation
    return [
        _classes(name, data, part) if data.loss == "cross_entropy" else _numbers(name, data, part) for name in NAMES
    ]


LINEAR, SAME = "linear", "same"
NAMES = (LINEAR, SAME)


def _classes(name: str, data: Data, part: Part) -> Baseline:
    """Logistic regression, or the shares of the classes in the training part."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=MOST_STEPS) if name == LINEAR else DummyClassifier(strategy="prior")
    classes, wanted = data.train.targets.argmax(axis=1), part.targets.argmax(axis=1)
    probabilities = np.asarray(_fitted(model, data.train.inputs, classes).predict_proba(part.inputs))
    right = np.maximum(probabilities[np.arange(len(wanted)), wanted], np.finfo(float).tiny)
    return Baseline(name, float(-np.log(right).mean()), float((probabilities.argmax(axis=1) != wanted).mean()))


def _numbers(name: str, data: Data, part: Part) -> Baseline:
    """Ridge regression, or the mean of the training part."""
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import Ridge

    model = Ridge() if name == LINEAR else DummyRegressor()
    predicted = np.asarray(_fitted(model, data.train.inputs, data.train.targets).predict(part.inputs))
    squares = (predicted.reshape(part.targets.shape) - part.targets) ** 2
    variance = np.maximum(part.targets.var(axis=0), np.finfo(np.float32).tiny)
    return Baseline(name, float(squares.mean()), float((squares.mean(axis=0) / variance).mean()))


def _fitted(model: Any, inputs: Array, targets: Array) -> Any:
    with warnings.catch_warnings():  # a solver that has not quite converged is a baseline all the same
        warnings.simplefilter("ignore")
        return model.fit(inputs, targets)
