"""A library to be recorded: the knobs and schedules in plain NumPy, one network, one step at a time.

It shares no code with `sweep`. With it the tests make other recordings than the ones that travel with the package:
other seeds, shapes, constants and combinations of knobs, in the same format.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[Any]
NEUTRAL: dict[str, Any] = {
    "rho": 0.9, "cache_init": 0.0, "eps": 0.0, "eps_inside_sqrt": False, "centered": False, "bias_correction": False,
    "momentum": 0.0, "nesterov": False, "lr_in_velocity": True, "dampening": 0.0, "lr_decay": 0.0, "weight_decay": 0.0,
    "weight_decay_mode": "l2", "weight_decay_biases": True, "weight_decay_over_batch": False,
}  # fmt: skip


def problem(seed: int, sizes: Sequence[int], samples: int, batch: int, steps: int, activation: str) -> dict[str, Any]:
    """A random classification problem and a network, in the recordings' format."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, sizes[0]))
    params: list[Any] = []
    for inputs, outputs in pairwise(sizes):
        params += [random.normal(size=(inputs, outputs)).tolist(), random.normal(size=outputs).tolist()]
    return {
        "activation": activation,
        "x": x.tolist(),
        "y": random.integers(0, sizes[-1], samples).tolist(),
        "order": random.integers(0, samples, (steps, batch)).tolist(),
        "params": params,
    }


def loss_and_gradients(params: list[Vector], x: Vector, y: Vector, activation: str) -> tuple[float, list[Vector]]:
    """Mean cross-entropy of a minibatch, and its gradients, by the chain rule."""
    layers, values = len(params) // 2, [x]
    for i in range(layers):
        z = values[-1] @ params[2 * i] + params[2 * i + 1]
        if i < layers - 1:
            z = np.tanh(z) if activation == "tanh" else np.maximum(z, 0)
        values.append(z)
    shifted = values[-1] - values[-1].max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(y))
    delta = np.exp(logs)
    delta[rows, y] -= 1
    delta /= len(y)
    gradients: list[Vector] = []
    for i in reversed(range(layers)):
        gradients = [values[i].T @ delta, delta.sum(axis=0), *gradients]
        if i:
            slope = 1 - values[i] ** 2 if activation == "tanh" else (values[i] > 0).astype(float)
            delta = (delta @ params[2 * i].T) * slope
    return float(-logs[rows, y].mean()), gradients


@dataclass
class Stepper:
    """One parameter array under the knobs: the rule of the recordings' README, line by line."""

    knobs: Mapping[str, Any]
    bias: bool
    batch: int
    cache: Vector | None = None
    mean: Any = 0.0
    velocity: Any = 0.0
    t: int = field(default=0)

    def step(self, w: Vector, g: Vector, lr: float) -> Vector:
        k = self.knobs
        lr = lr / (1 + k["lr_decay"] * self.t)
        g, w = self._decay(w, g, lr)
        u = self._scaled(g)
        if k["momentum"]:
            s, rest = (lr, 1.0) if k["lr_in_velocity"] else (1.0, lr)
            share = 1.0 if self.t == 0 else 1 - k["dampening"]
            self.velocity = k["momentum"] * self.velocity + s * share * u
            w = w - rest * (k["momentum"] * self.velocity + s * u if k["nesterov"] else self.velocity)
        else:
            w = w - lr * u
        self.t += 1
        return w

    def _decay(self, w: Vector, g: Vector, lr: float) -> tuple[Vector, Vector]:
        k = self.knobs
        if self.bias and not k["weight_decay_biases"]:
            return g, w
        strength = k["weight_decay"] / (self.batch if k["weight_decay_over_batch"] else 1)
        return (g + strength * w, w) if k["weight_decay_mode"] == "l2" else (g, w - lr * strength * w)

    def _scaled(self, g: Vector) -> Vector:
        k = self.knobs
        if k["rule"] == "sgd":
            return g
        cache = np.full_like(g, k["cache_init"]) if self.cache is None else self.cache
        self.cache = cache + g**2 if k["rule"] == "adagrad" else k["rho"] * cache + (1 - k["rho"]) * g**2
        d = self.cache / (1 - k["rho"] ** (self.t + 1)) if k["bias_correction"] else self.cache
        if k["centered"]:
            self.mean = k["rho"] * self.mean + (1 - k["rho"]) * g
            d = d - self.mean**2
        return np.asarray(g / np.sqrt(d + k["eps"]) if k["eps_inside_sqrt"] else g / (np.sqrt(d) + k["eps"]))


def rate(words: Mapping[str, Any], t: float) -> float:
    """An open-loop schedule's rate at step t, by the table of the recordings' README."""
    kind = words["kind"]
    if kind == "exponential":
        p = max(t - words["begin"], 0) / words["every"]
        falling = float(words["lr"] * words["rate"] ** (math.floor(p) if words["staircase"] else p))
        return max(falling, words["floor"] or 0.0)
    if kind == "inverse_time":
        p = t / words["every"]
        return float(words["lr"] / (1 + words["k"] * (math.floor(p) if words["staircase"] else p)))
    if kind == "natural_exp":
        p = t / words["every"]
        return float(words["lr"] * math.exp(-words["k"] * (math.floor(p) if words["staircase"] else p)))
    if kind == "piecewise":
        passed = [b for b in words["boundaries"] if (t >= b if words["switch"] == "at" else t > b)]
        return float(words["values"][len(passed)])
    if kind == "polynomial":
        since = max(t - words["begin"], 0)
        whole = words["steps"] * (max(math.ceil(since / words["steps"]), 1) if words["cycle"] else 1)
        left = 1 - min(since, whole) / whole
        return float((words["lr"] - words["end"]) * left ** words["power"] + words["end"])
    if kind == "cosine":
        f = t / words["steps"]
        f = min(f, 1.0) if words["clamp"] else f
        shape = (0.5 * (1 + math.cos(math.pi * f))) ** words["exponent"]
        return float(words["lr"] * ((1 - words["alpha"]) * shape + words["alpha"]))
    return _composed(words, t)


def _composed(words: Mapping[str, Any], t: float) -> float:
    kind = words["kind"]
    if kind == "cosine_restarts":
        length, peak, begin = float(words["first"]), 1.0, 0.0
        while t >= begin + length:
            begin, length, peak = begin + length, length * words["t_mul"], peak * words["m_mul"]
        shape = 0.5 * (1 + math.cos(math.pi * (t - begin) / length))
        return float(words["lr"] * ((1 - words["alpha"]) * peak * shape + words["alpha"]))
    if kind == "join":
        i = sum(t >= b for b in words["boundaries"])
        return rate(words["parts"][i], t - (words["boundaries"][i - 1] if i else 0))
    if kind == "interp":
        points = words["points"]
        for (t0, a), (t1, b) in pairwise(points):
            if t <= t1:
                f = max(t - t0, 0) / (t1 - t0)
                return float(a + (b - a) * (f if words["shape"] == "linear" else 0.5 * (1 - math.cos(math.pi * f))))
        return float(points[-1][1])
    if kind == "invscaling":
        return float(words["lr"] if t == 0 else words["lr"] / (words["samples"] * t + 1) ** words["power"])
    if kind == "table":
        return float(words["values"][int(t)])
    assert kind == "constant", kind
    return float(words["lr"])


def record(
    name: str, problems: Mapping[str, Any], which: str, knobs: Mapping[str, Any], schedule: Mapping[str, Any]
) -> dict[str, Any]:
    """Train, and write the run down."""
    given = problems[which]
    x, y, order = (np.asarray(given[key]) for key in ("x", "y", "order"))
    params = [np.asarray(p, dtype=float) for p in given["params"]]
    full = NEUTRAL | dict(knobs)
    steppers = [Stepper(full, p.ndim == 1, order.shape[1]) for p in params]
    losses, rates = [], []
    for t, rows in enumerate(order):
        loss, gradients = loss_and_gradients(params, x[rows], y[rows], given["activation"])
        rates.append(rate(schedule, t))
        losses.append(loss)
        params = [s.step(p, g, rates[-1]) for s, p, g in zip(steppers, params, gradients, strict=True)]
    return {
        "id": f"plain/{name}/f8", "library": "plain", "problem": which, "dtype": "float64", "native": {},
        "knobs": dict(knobs), "schedule": dict(schedule), "loss": losses,
        "final": np.concatenate([p.ravel() for p in params]).tolist(),
        "lr": None if full["lr_decay"] else rates,
    }  # fmt: skip


def write(folder: Path, problems: Mapping[str, Any], runs: Sequence[Any], schedules: Sequence[Any] = ()) -> Path:
    """Write a folder of recordings."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "problems.json").write_text(json.dumps(problems))
    (folder / "runs.json").write_text(json.dumps({"set": "other", "seed": 0, "runs": runs}))
    rates = {"set": "other", "metrics": [], "schedules": schedules}
    (folder / "schedules.json").write_text(json.dumps(rates))
    return folder
