"""A configuration handed to the slow trainer of `tests.reference`, which knows none of `sweep`'s classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sweep.learning.configuration import Configuration
from sweep.learning.data.parts import Data, Part
from sweep.learning.hyper import Array, hyperparameters
from sweep.learning.optimizers.base import Optimizer
from sweep.learning.schedules.base import Schedule
from sweep.learning.training.settings import Settings
from tests import reference
from tests.learning.textbook import need


def by_the_reference(
    configuration: Configuration, data: Data, settings: Settings, initial: Array, orders: Sequence[Any]
) -> reference.Outcome:
    """Train from these initial parameters through these orders, one for each epoch."""
    optimizer, schedule, made_of = configuration.optimizer, configuration.schedule, settings.architecture(data)
    need(optimizer.name, reference.OPTIMIZERS, "OPTIMIZERS")
    need(schedule.name, reference.SCHEDULES, "SCHEDULES")
    recipe = reference.Recipe(
        settings.activation, made_of.loss, optimizer.name, constants_of(optimizer), schedule.name,
        constants_of(schedule), configuration.learning_rate, settings.batch_size,
    )  # fmt: skip
    training, validation = ((part.inputs, part.targets) for part in (data.train, data.validation))
    weights = _weights(data.train), _weights(data.validation)
    return reference.train(initial, made_of.sizes, training, validation, orders, recipe, weights)


def _weights(part: Part) -> list[float]:
    """What each sample counts in the loss, of whatever scale."""
    every = [[1.0] * len(part) if each is None else each.tolist() for each in (part.weights, part.class_weights)]
    return [own * of_class for own, of_class in zip(*every, strict=True)]


def constants_of(rule: Optimizer | Schedule) -> dict[str, Any]:
    """The hyperparameters by their names."""
    return {parameter.name: getattr(rule, parameter.name) for parameter in hyperparameters(rule)}
