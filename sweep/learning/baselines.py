"""What a network has to beat: a linear model, and always saying the same; scikit-learn's own, on the same parts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sweep.learning.data.splits import Data, Part
from sweep.learning.hyper import Array
from sweep.learning.network.functions import LOSSES

MOST_STEPS = 1000  # of the solver of logistic regression


@dataclass(frozen=True, slots=True)
class Baseline:
    """A model's loss and error on a part, defined as the network's (`sweep.learning.network.functions`)."""

    name: str
    loss: float
    error: float


def baselines(data: Data, loss: str | None = None) -> list[Baseline]:
    """Train the models of `NAMES` on the training part; evaluate them on the test part, else on the validation part.

    They are told in the network's loss, which is the one that follows from the task unless another is given.
    """
    part = data.test if len(data.test) else data.validation
    found = []
    for name in NAMES:
        baseline, outputs = (_classes if data.task == "classification" else _numbers)(name, data, part)
        if loss is not None and loss != data.loss:
            baseline = replace(baseline, loss=_loss(loss, outputs, part))
        found.append(baseline)
    return found


def _loss(name: str, outputs: Array, part: Part) -> float:
    """What a network with these outputs, ``(samples, outputs)``, would lose."""
    rows = np.ascontiguousarray(outputs.T)[None]
    losses, _ = LOSSES[name](False).evaluate(rows, part.targets.T[:, None], np.ones((len(rows[0]), 1, 1)))
    return float(losses.mean())


LINEAR, SAME = "linear", "same"
NAMES = (LINEAR, SAME)


def _classes(name: str, data: Data, part: Part) -> tuple[Baseline, Array]:
    """Logistic regression, or the shares of the classes in the training part; and what a network's outputs would be."""
    from sklearn.dummy import DummyClassifier
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=MOST_STEPS) if name == LINEAR else DummyClassifier(strategy="prior")
    classes, wanted = data.train.targets.argmax(axis=1), part.targets.argmax(axis=1)
    probabilities = np.asarray(_fitted(model, data.train.inputs, classes).predict_proba(part.inputs))
    right = np.maximum(probabilities[np.arange(len(wanted)), wanted], np.finfo(float).tiny)
    wrong = float((probabilities.argmax(axis=1) != wanted).mean())
    outputs = np.log(np.maximum(probabilities, np.finfo(float).tiny))
    return Baseline(name, float(-np.log(right).mean()), wrong), outputs


def _numbers(name: str, data: Data, part: Part) -> tuple[Baseline, Array]:
    """Ridge regression, or the mean of the training part; and what it predicts."""
    from sklearn.dummy import DummyRegressor
    from sklearn.linear_model import Ridge

    model = Ridge() if name == LINEAR else DummyRegressor()
    predicted = np.asarray(_fitted(model, data.train.inputs, data.train.targets).predict(part.inputs))
    predicted = predicted.reshape(part.targets.shape)
    squares = (predicted - part.targets) ** 2
    variance = np.maximum(part.targets.var(axis=0), np.finfo(np.float32).tiny)
    return Baseline(name, float(squares.mean()), float((squares.mean(axis=0) / variance).mean())), predicted


def _fitted(model: Any, inputs: Array, targets: Array) -> Any:
    with warnings.catch_warnings():  # a solver that has not quite converged is a baseline all the same
        warnings.simplefilter("ignore")
        return model.fit(inputs, targets)
