"""`python -m sweep verify`: what it prints, its exit codes, other recordings, and recordings that are not good."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.parity import recorder
from tests.terminal import sweep

PROBLEMS = {
    "small": recorder.problem(1, (3, 5, 2), samples=40, batch=7, steps=60, activation="tanh"),
    "deep": recorder.problem(2, (6, 4, 4, 5), samples=33, batch=11, steps=45, activation="relu"),
    "line": recorder.problem(3, (2, 3), samples=20, batch=1, steps=80, activation="relu"),
}
CONSTANT = {"kind": "constant", "lr": 0.03}
OPEN_LOOP: list[dict[str, Any]] = [
    CONSTANT,
    {"kind": "exponential", "lr": 0.03, "rate": 0.8, "every": 9, "staircase": False, "begin": 4, "floor": 0.01},
    {"kind": "exponential", "lr": 0.03, "rate": 0.3, "every": 7, "staircase": True, "begin": 3, "floor": None},
    {"kind": "inverse_time", "lr": 0.05, "k": 0.9, "every": 11, "staircase": False},
    {"kind": "inverse_time", "lr": 0.05, "k": 0.9, "every": 11, "staircase": True},
    {"kind": "natural_exp", "lr": 0.05, "k": 0.2, "every": 13, "staircase": False},
    {"kind": "natural_exp", "lr": 0.05, "k": 0.2, "every": 13, "staircase": True},
    {"kind": "piecewise", "lr": 0.05, "boundaries": [10, 31], "values": [0.02, 0.05, 0.001], "switch": "at"},
    {"kind": "piecewise", "lr": 0.05, "boundaries": [10, 31], "values": [0.05, 0.02, 0.001], "switch": "after"},
    {"kind": "polynomial", "lr": 0.05, "end": 0.001, "power": 0.5, "steps": 17, "cycle": False, "begin": 2},
    {"kind": "polynomial", "lr": 0.05, "end": 0.001, "power": 1.5, "steps": 17, "cycle": True, "begin": 0},
    {"kind": "polynomial", "lr": 0.0, "end": 0.05, "power": 1.0, "steps": 17, "cycle": False, "begin": 0},
    {"kind": "polynomial", "lr": 0.01, "end": 0.05, "power": 2.0, "steps": 17, "cycle": False, "begin": 5},
    {"kind": "cosine", "lr": 0.05, "alpha": 0.1, "steps": 21, "exponent": 1.7, "clamp": True},
    {"kind": "cosine", "lr": 0.05, "alpha": 0.1, "steps": 21, "exponent": 1.0, "clamp": False},
    {"kind": "cosine_restarts", "lr": 0.05, "first": 5, "t_mul": 1.5, "m_mul": 0.7, "alpha": 0.2},
    {"kind": "cosine_restarts", "lr": 0.05, "first": 7, "t_mul": 1.0, "m_mul": 1.0, "alpha": 0.0},
    {"kind": "interp", "shape": "cos", "points": [[0, 0.002], [20, 0.05], [41, 1e-5]]},
    {"kind": "interp", "shape": "linear", "points": [[0, 0.02], [20, 0.05], [30, 0.02], [41, 1e-5]]},
    {"kind": "interp", "shape": "linear", "points": [[6, 0.02], [20, 0.05], [41, 1e-5]]},
    {"kind": "invscaling", "lr": 0.05, "power": 0.3, "samples": 12},
    {"kind": "table", "values": np.random.default_rng(4).uniform(0.001, 0.05, 100).tolist()},
]
WARM_UP = {"kind": "polynomial", "lr": 0.004, "end": 0.05, "power": 1.0, "steps": 9, "cycle": False, "begin": 0}
LATER = [words for words in OPEN_LOOP if words.get("lr") == 0.05]
JOINED = [{"kind": "join", "boundaries": [9], "parts": [WARM_UP, words]} for words in LATER]
NESTED = {"kind": "join", "boundaries": [12, 30], "parts": [JOINED[0], CONSTANT, JOINED[3]]}
SCHEDULES = [*OPEN_LOOP, *JOINED, NESTED]


def knobs(random: np.random.Generator) -> dict[str, Any]:
    """Any combination of knobs, well-conditioned: epsilon not tiny, as centered divisors may vanish."""
    rule = str(random.choice(["sgd", "adagrad", "rmsprop"]))
    flags = ["nesterov", "lr_in_velocity", "weight_decay_biases", "weight_decay_over_batch"]
    found: dict[str, Any] = {"rule": rule} | {flag: bool(random.integers(2)) for flag in flags}
    found |= {"momentum": float(random.choice([0.0, 0.6, 0.9])), "dampening": float(random.choice([0.0, 0.4]))}
    found |= {"lr_decay": float(random.choice([0.0, 0.03])), "weight_decay": float(random.choice([0.0, 0.02]))}
    found["weight_decay_mode"] = str(random.choice(["l2", "decoupled"]))
    if rule != "sgd":
        found |= {"cache_init": float(random.choice([0.0, 0.3, 1.0])), "eps": float(random.choice([1e-3, 0.02]))}
        found["eps_inside_sqrt"] = bool(random.integers(2))
    if rule == "rmsprop":
        found |= {"rho": float(random.choice([0.7, 0.95]))}
        found["bias_correction"] = bool(random.integers(2))
        found["centered"] = bool(random.integers(2)) and found["eps_inside_sqrt"]
    return found


def others() -> list[dict[str, Any]]:
    """A hundred trainings of any knobs, schedule and problem."""
    random = np.random.default_rng(5)
    found = []
    for i in range(100):
        which = str(random.choice(sorted(PROBLEMS)))
        found.append(recorder.record(f"run{i}", PROBLEMS, which, knobs(random), SCHEDULES[i % len(SCHEDULES)]))
    return found


def rates() -> list[dict[str, Any]]:
    return [
        {"id": f"plain/s{i}/f8", "library": "plain", "dtype": "float64", "native": {}, "schedule": words,
         "lr": [recorder.rate(words, t) for t in range(100)]}
        for i, words in enumerate(SCHEDULES)
    ]  # fmt: skip


def test_other_recordings_of_any_knobs_shapes_and_constants_are_reproduced(tmp_path: Path) -> None:
    recorder.write(tmp_path / "other", PROBLEMS, others(), rates())
    outcome = sweep("verify", "--golden", "other", "--recorded", "--json", cwd=tmp_path)
    found = json.loads(outcome.out)
    assert [c for c in found["runs"] + found["rates"] if not c["passed"]] == []
    assert (outcome.code, found["passed"], len(found["runs"]), len(found["rates"])) == (0, True, 100, len(SCHEDULES))
    # two ways to write the same mathematics
    assert max(c["loss"] for c in found["runs"]) < 1e-11


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> str:
    outcome = sweep("verify", "--recorded", cwd=tmp_path_factory.mktemp("verify"))
    assert outcome.code == 0, outcome.err
    return outcome.out


@pytest.mark.parametrize("library", ["torch", "optax", "sklearn", "tf1", "tfkeras", "keras1", "keras3"])
def test_every_library_has_its_lines(printed: str, library: str) -> None:
    lines = [line for line in printed.splitlines() if line.split()[:1] == [library]]
    assert len(lines) >= 7
    assert all(re.search(r"\d?e[+-]\d+ +pass$", line.rstrip()) for line in lines)


def test_it_ends_with_the_lesson_and_the_verdict(printed: str) -> None:
    assert "cache from 0" in printed
    assert "cache from 1" in printed
    assert "159 of 159 pass" in printed.splitlines()[-1]


def test_a_wrong_recording_fails_by_name_with_exit_code_5(tmp_path: Path) -> None:
    runs = others()[:3]
    runs[1]["loss"][-1] *= 1 + 1e-8
    runs[2]["final"][0] = float("nan")
    recorder.write(tmp_path, PROBLEMS, runs)
    outcome = sweep("verify", "--golden", ".", "--recorded", cwd=tmp_path)
    assert outcome.code == 5
    assert outcome.err.strip() == "sweep: verify: 2 of 3 comparisons failed"
    marked = [line for line in outcome.out.splitlines() if "FAIL (limit 1e-09)" in line]
    assert ["run1" in marked[0], "run2" in marked[1], len(marked)] == [True, True, 2]
    found = json.loads(sweep("verify", "--golden", ".", "--recorded", "--json", cwd=tmp_path).out)
    assert [run["passed"] for run in found["runs"]] == [True, False, False]


def test_quiet_is_quiet_unless_something_fails(tmp_path: Path) -> None:
    runs = others()[:2]
    recorder.write(tmp_path, PROBLEMS, runs)
    outcome = sweep("verify", "--golden", ".", "--recorded", "-q", cwd=tmp_path)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    runs[0]["loss"][3] = 1.0
    recorder.write(tmp_path, PROBLEMS, runs)
    outcome = sweep("verify", "--golden", ".", "--recorded", "-q", cwd=tmp_path)
    assert (outcome.code, outcome.out) == (5, "")


def test_a_plot_is_one_page_with_every_training(tmp_path: Path) -> None:
    recorder.write(tmp_path, PROBLEMS, others()[:4])
    outcome = sweep("verify", "--golden", ".", "--recorded", "--plot", "losses.html", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    page = (tmp_path / "losses.html").read_text()
    assert all(f"plain run{i}" in page for i in range(4))
    assert 'src="http' not in page


Change = Callable[[dict[str, Any], list[Any]], Any]
BROKEN: dict[str, tuple[Change, str]] = {
    "an unknown knob": (lambda p, r: r[0]["knobs"].update(rhoo=1), "runs.0.knobs.rhoo"),
    "an unknown rule": (lambda p, r: r[0]["knobs"].update(rule="adamax"), "runs.0.knobs.rule"),
    "an unknown schedule": (lambda p, r: r[0]["schedule"].update(kind="cosin"), "did you mean 'cosine'"),
    "a schedule without its constants": (lambda p, r: r[0]["schedule"].update(kind="cosine"), "needs 'alpha'"),
    "an illegal constant": (lambda p, r: r[0]["knobs"].update(momentum=1.5), "momentum = 1.5"),
    "an unknown problem": (lambda p, r: r[0].update(problem="big"), "'big'"),
    "too few losses": (lambda p, r: r[0].update(loss=[1.0]), "losses"),
    "too few parameters": (lambda p, r: r[0].update(final=[1.0]), "parameters"),
    "a class beyond the outputs": (lambda p, r: p["small"].update(y=[9] * 40), "class numbers"),
    "a ragged table": (lambda p, r: p["small"].update(x=[[1.0], [1.0, 2.0]]), "problems.small.x"),
    "an order beyond the samples": (lambda p, r: p["small"].update(order=[[40]]), "order"),
    "layers that do not fit": (lambda p, r: p["small"].update(params=p["deep"]["params"]), "params"),
}


@pytest.mark.parametrize("mistake", BROKEN)
def test_recordings_that_are_not_in_the_format_are_one_line_with_exit_code_4(mistake: str, tmp_path: Path) -> None:
    change, said = BROKEN[mistake]
    problems = json.loads(json.dumps(PROBLEMS))
    runs = [recorder.record("run", problems, "small", {"rule": "sgd"}, CONSTANT)]
    change(problems, runs)
    recorder.write(tmp_path, problems, runs)
    outcome = sweep("verify", "--golden", ".", "--recorded", cwd=tmp_path)
    assert (outcome.code, outcome.out) == (4, "")
    assert len(outcome.err.splitlines()) == 1
    assert said in outcome.err


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "holds none of problems.json"), ("{", "runs.json: cannot be read"), ("[]", "must be one JSON object")],
)
def test_a_folder_without_recordings_is_one_line_with_exit_code_4(
    content: str | None, said: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "runs.json").write_text(content)
    outcome = sweep("verify", "--golden", ".", cwd=tmp_path)
    assert outcome.code == 4
    assert said in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("plot", ["losses.txt", "nowhere/losses.html"])
def test_a_plot_that_cannot_be_written_is_one_line_with_exit_code_2(plot: str, tmp_path: Path) -> None:
    recorder.write(tmp_path, PROBLEMS, others()[:1])
    outcome = sweep("verify", "--golden", ".", "--recorded", "--plot", plot, cwd=tmp_path)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert plot in outcome.err
