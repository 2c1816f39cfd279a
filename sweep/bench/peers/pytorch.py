"""PyTorch: one model after the other as most people do it, and 32 stacked by batched matrix products.

The other way to stack, ``torch.func.vmap`` over ``functional_call``, took 1.8 times as long here.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np

from sweep.bench.peers import Reading
from sweep.bench.peers.common import DECAY, EPSILON, Problem, initial, problem


@functools.cache
def _torch() -> Any:
    """The library, with one thread."""
    torch = import_module("torch")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return torch


@functools.cache
def _tensors(workload: str) -> tuple[Any, ...]:
    """Inputs and classes of the training part, and of the validation part."""
    given, torch = problem(workload), _torch()
    arrays = (given.inputs, given.classes, given.validation_inputs, given.validation_classes)
    return tuple(torch.from_numpy(array) for array in arrays)


def one_at_a_time(workload: str) -> Reading:
    """Train one model at the middle of the learning rates."""
    given = problem(workload)
    _warm(_train_one, workload)
    started = time.perf_counter()
    accuracy = _train_one(workload, given.epochs)
    return Reading(1000 * (time.perf_counter() - started), accuracy)


@functools.cache
def _warm(train: Callable[[str, int], float], workload: str) -> None:
    """Train one epoch, once a process."""
    train(workload, 1)


def _train_one(workload: str, epochs: int) -> float:
    """Train and evaluate after each epoch; give the accuracy after the last."""
    given, torch = problem(workload), _torch()
    inputs, classes, validation, validation_classes = _tensors(workload)
    layers = [layer for i, o in pairwise(given.sizes) for layer in (torch.nn.Linear(i, o), torch.nn.ReLU())][:-1]
    model, loss = torch.nn.Sequential(*layers), torch.nn.CrossEntropyLoss()
    rate = given.rates[len(given.rates) // 2]
    optimizer = torch.optim.RMSprop(model.parameters(), lr=rate, alpha=DECAY, eps=EPSILON)
    accuracy = 0.0
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs)).split(given.batch):
            optimizer.zero_grad()
            loss(model(inputs[chosen]), classes[chosen]).backward()
            optimizer.step()
        with torch.inference_mode():
            outputs = model(validation)
            loss(outputs, validation_classes).item()
            accuracy = (outputs.argmax(dim=1) == validation_classes).float().mean().item()
    return accuracy


def stacked(workload: str) -> Reading:
    """Train all models together."""
    given = problem(workload)
    _warm(_train_together, workload)
    started = time.perf_counter()
    accuracy = _train_together(workload, given.epochs)
    return Reading(1000 * (time.perf_counter() - started) / len(given.rates), accuracy)


def _forward(parameters: Sequence[Any], inputs: Any) -> Any:
    """The outputs of all models, ``(models, samples, classes)``; parameters are weights and biases in turn."""
    torch = _torch()
    values = inputs.expand(len(parameters[0]), *inputs.shape)
    for place in range(0, len(parameters), 2):
        values = torch.relu(values) if place else values
        values = torch.baddbmm(parameters[place + 1], values, parameters[place])
    return values


def _gradients(parameters: Sequence[Any], inputs: Any, classes: Any) -> Sequence[Any]:
    """Each model's own gradients: the loss is summed over models."""
    torch = _torch()
    outputs = _forward(parameters, inputs)
    models, samples, _ = outputs.shape
    loss = torch.nn.functional.cross_entropy(outputs.flatten(0, 1), classes.repeat(models), reduction="sum")
    found: Sequence[Any] = torch.autograd.grad(loss / samples, parameters)
    return found


def _start(given: Problem) -> list[Any]:
    """Weights ``(models, inputs, outputs)`` and biases ``(models, 1, outputs)`` in turn; all models start equal."""
    torch, models = _torch(), len(given.rates)
    flat = [part for weights, biases in initial(given.sizes) for part in (weights, biases[None])]
    return [torch.from_numpy(np.tile(part, (models, 1, 1))).requires_grad_() for part in flat]


def _train_together(workload: str, epochs: int) -> float:
    """Train with a hand-stacked RMSProp (torch.optim has one learning rate for all); evaluate after each epoch."""
    given, torch = problem(workload), _torch()
    inputs, classes, validation, validation_classes = _tensors(workload)
    parameters = _start(given)
    caches = [torch.zeros_like(part) for part in parameters]
    rates = [torch.tensor(given.rates)[:, None, None]] * len(parameters)
    accuracy = 0.0
    for _ in range(epochs):
        for chosen in torch.randperm(len(inputs)).split(given.batch):
            _update(parameters, caches, rates, _gradients(parameters, inputs[chosen], classes[chosen]))
        with torch.inference_mode():
            outputs = _forward(parameters, validation)
            models = len(outputs)
            torch.nn.functional.cross_entropy(
                outputs.flatten(0, 1), validation_classes.repeat(models), reduction="none"
            ).view(models, -1).mean(dim=1)
            accuracy = (outputs.argmax(dim=2) == validation_classes).float().mean().item()
    return accuracy


def _update(parameters: list[Any], caches: list[Any], rates: list[Any], found: Sequence[Any]) -> None:
    """RMSProp in place, a few calls for all layers."""
    torch = _torch()
    with torch.no_grad():
        gradients = list(found)
        torch._foreach_mul_(caches, DECAY)
        torch._foreach_addcmul_(caches, gradients, gradients, 1 - DECAY)
        divisors = torch._foreach_sqrt(caches)
        torch._foreach_add_(divisors, EPSILON)
        steps = torch._foreach_div(gradients, divisors)
        torch._foreach_mul_(steps, rates)
        torch._foreach_sub_(parameters, steps)
