"""How good a choice really is: trained again on new splits with new seeds, and evaluated on the holdout part.

All contenders have the same splits. A training that diverges counts with a loss that is bad and finite, and with an
error of 1: as bad as saying always the same. No other counts with more.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sweep.bench.answer.sets import Problem
from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.network.metrics import ERROR, LOSS
from sweep.learning.seeds import integer_seed
from sweep.learning.training.loop import train
from sweep.learning.training.tester import Tester
from sweep.search.running.race import DIVERGED
from sweep.search.study_file.spec import Spec

FIRST = 1_000_000  # of the fresh seeds that judge: far beyond those of any race and of any finalists
SMALLEST = 1e-15  # probability that scikit-learn's networks are taken to give to anything


@dataclass(frozen=True, slots=True)
class Truth:
    """Means over the new seeds.

    Attributes
    ----------
    loss, error : float
        On the holdout part; the error is the share of wrong classes, or 1 - R2.
    diverged : float
        The share of the trainings.
    """

    loss: float
    error: float
    diverged: float

    @classmethod
    def of(cls, rows: Sequence[tuple[float, float, bool]]) -> Truth:
        """Average loss, error and whether it diverged over the seeds."""
        return cls(*(float(mean) for mean in np.mean(rows, axis=0)))


def seed_of(problem: Problem, number: int) -> int:
    """The seed of one of the splits that judge."""
    return integer_seed(problem.seed, "finalists", FIRST + number)


def ceiling(problem: Problem) -> float:
    """The highest loss that counts: a multiple of that of always saying the same, which is 1 for standard targets."""
    classes = len(np.unique(problem.inside.target)) if problem.inside.task == "classification" else 1
    return DIVERGED * max(1.0, math.log(classes))


def of_configurations(problem: Problem, spec: Spec, configurations: Sequence[Configuration], seeds: int) -> list[Truth]:
    """The truth about configurations of a study, trained together."""
    settings, most = replace(spec.settings(), replicates=1, splits=1), ceiling(problem)
    rows: list[list[tuple[float, float, bool]]] = [[] for _ in configurations]
    for number in range(seeds):
        seed = seed_of(problem, number)
        data = problem.split(seed)
        tester = Tester(data, settings, len(configurations), "last")
        training = train(configurations, data, settings, seed, watch=tester.watch)
        tested = tester.tested(training, "validation_loss")
        for place, found in enumerate(rows):
            if training.diverged_at[place] > 0:
                found.append((most, 1.0, True))
            else:
                loss, error = (float(tested.metrics[name][place, 0]) for name in (LOSS, ERROR))
                found.append((min(loss, most), min(error, 1.0), False))
    return [Truth.of(found) for found in rows]


def of_model(problem: Problem, epochs: int, constants: Mapping[str, Any], seeds: int) -> Truth:
    """The truth about scikit-learn's MLP with some constants."""
    rows = []
    for number in range(seeds):
        seed = seed_of(problem, number)
        data = problem.split(seed)
        rows.append(fitted(problem, data, data.test, epochs, constants, seed))
    return Truth.of(rows)


def fitted(
    problem: Problem, data: Data, part: Part, epochs: int, constants: Mapping[str, Any], seed: int
) -> tuple[float, float, bool]:
    """Train scikit-learn's MLP as our networks are shaped and trained; its loss, its error, and whether it diverged."""
    most, classes = ceiling(problem), data.task == "classification"
    targets = data.train.targets.argmax(axis=1) if classes else data.train.targets[:, 0]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # that it has not converged is nothing new
        try:
            model = _model(problem, epochs, constants, seed, classes=classes).fit(data.train.inputs, targets)
            loss, error = _evaluated(model, part, classes=classes)
        except (ValueError, FloatingPointError):  # its weights, or what it says, have become infinite
            return most, 1.0, True
    return (min(loss, most), min(error, 1.0), False) if math.isfinite(loss) else (most, 1.0, True)


def _model(problem: Problem, epochs: int, constants: Mapping[str, Any], seed: int, *, classes: bool) -> Any:
    """One that trains to its last epoch."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    adaptive = constants.get("learning_rate") == "adaptive"
    lasting = {} if adaptive else {"tol": 0.0, "n_iter_no_change": epochs + 1}
    kind, network = MLPClassifier if classes else MLPRegressor, problem.set
    return kind(
        hidden_layer_sizes=network.hidden, batch_size=network.batch, max_iter=epochs, random_state=seed,
        **lasting, **constants,
    )  # fmt: skip


def _evaluated(model: Any, part: Part, *, classes: bool) -> tuple[float, float]:
    """Loss and error, defined as those of our networks."""
    if not classes:
        squares = float(np.mean((model.predict(part.inputs) - part.targets[:, 0]) ** 2))
        return squares, squares / float(part.targets.var())
    probabilities, wanted = model.predict_proba(part.inputs), part.targets.argmax(axis=1)
    right = np.maximum(probabilities[np.arange(len(wanted)), wanted], SMALLEST)
    return float(-np.log(right).mean()), float((probabilities.argmax(axis=1) != wanted).mean())
