"""A library's defaults and placements: in a study file, in Python, and beside what the library recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import sweep
from sweep.errors import UsageError
from sweep.learning.hyper import Choices, Fixed, Range, hyperparameters
from sweep.learning.optimizers.rules import OPTIMIZERS
from sweep.learning.schedules.formulas import SCHEDULES
from sweep.parity import recordings, words
from sweep.parity.conventions import CONVENTIONS, WITH_MOMENTUM, Convention
from sweep.search.study_file.spec import Spec, complete
from tests.terminal import TINY
from tests.terminal import sweep as command

every_convention = pytest.mark.parametrize("found", CONVENTIONS.values(), ids=list(CONVENTIONS))


def study(search: dict[str, Any]) -> Spec:
    return complete({"data": {"name": "iris"}, "search": search}, Path("s.toml"))


def constants(convention: str, name: str, **narrowed: Any) -> Any:
    search = {"convention": convention, "optimizers": [name], "optimizer": {name: narrowed} if narrowed else {}}
    return study(search).space().optimizers[name]


# What a user of the library gets who says nothing: from the tables of the reference documentation.
DEFAULTS = [
    ("tensorflow1", "adagrad", {"initial_cache": 0.1, "epsilon": 0.0}),
    ("tensorflow1", "rmsprop", {"decay": 0.9, "initial_cache": 1.0, "epsilon": 1e-10, "epsilon_inside": True}),
    ("tensorflow1", "momentum", {"rate_in_velocity": False}),
    ("keras1", "adagrad", {"initial_cache": 0.0, "epsilon": 1e-7, "epsilon_inside": False}),
    ("keras1", "rmsprop", {"decay": 0.9, "initial_cache": 0.0, "epsilon": 1e-7, "epsilon_inside": False}),
    ("keras1", "momentum", {"rate_in_velocity": True}),
    ("tf_keras", "adagrad", {"initial_cache": 0.1, "epsilon": 1e-7, "epsilon_inside": False}),
    ("tf_keras", "rmsprop", {"decay": 0.9, "initial_cache": 0.0, "epsilon": 1e-7, "epsilon_inside": False}),
    ("keras3", "adagrad", {"initial_cache": 0.1, "epsilon": 1e-7, "epsilon_inside": True}),
    ("keras3", "rmsprop", {"decay": 0.9, "initial_cache": 0.0, "epsilon": 1e-7, "epsilon_inside": True}),
    ("keras3", "sgd", {"weight_decay_decoupled": True}),
    ("torch", "adagrad", {"initial_cache": 0.0, "epsilon": 1e-10, "epsilon_inside": False}),
    ("torch", "rmsprop", {"decay": 0.99, "initial_cache": 0.0, "epsilon": 1e-8, "rate_in_velocity": False}),
    ("torch", "nesterov", {"rate_in_velocity": False, "nesterov": True}),
    ("optax", "adagrad", {"initial_cache": 0.1, "epsilon": 1e-7, "epsilon_inside": True}),
    ("optax", "rmsprop", {"decay": 0.9, "initial_cache": 0.0, "epsilon": 1e-8, "epsilon_inside": True}),
    ("optax", "momentum", {"rate_in_velocity": False}),
    ("optax", "rmsprop", {"rate_in_velocity": True}),
    ("sklearn", "nesterov", {"momentum": 0.9, "rate_in_velocity": True, "weight_decay": 1e-4}),
    ("sklearn", "sgd", {"weight_decay_biases": False, "weight_decay_over_batch": True}),
    ("sklearn", "adam", {"epsilon": 1e-8, "epsilon_before_correction": True}),
]


@pytest.mark.parametrize(("convention", "name", "expected"), DEFAULTS)
def test_a_convention_sets_the_librarys_defaults_in_a_study_and_in_python(
    convention: str, name: str, expected: dict[str, Any]
) -> None:
    space = constants(convention, name)
    made = sweep.convention(convention).optimizer(name)
    for field, value in expected.items():
        assert space[field] == Fixed(value)
        assert getattr(made, field) == value


@every_convention
def test_everything_a_convention_sets_is_a_legal_field(found: Convention) -> None:
    for table, known in ((found.optimizers, OPTIMIZERS), (found.schedules, SCHEDULES)):
        for name, values in table.items():
            declared = {p.name: p for p in hyperparameters(known[name])}
            for field, value in values.items():
                if value != WITH_MOMENTUM:
                    declared[field].check(name, value)
    assert set(found.only) <= set(SCHEDULES)
    assert found.schedules.keys() <= set(found.has("schedule"))


@every_convention
def test_a_study_under_a_convention_is_complete_and_means_the_same_when_read_again(found: Convention) -> None:
    spec = study({"convention": found.name})
    assert spec.search.optimizers == found.has("optimizer")
    assert spec.search.schedules == found.has("schedule")
    again = complete(spec.resolved(), Path("s.toml"))
    assert again.resolved() == spec.resolved()
    assert again.space() == spec.space()


def test_what_the_study_says_goes_over_the_convention() -> None:
    space = constants("torch", "rmsprop", epsilon=[1e-8, 1e-4], decay={"low": 0.5, "high": 0.9}, initial_cache=1.0)
    assert space["epsilon"] == Choices((1e-8, 1e-4))
    assert space["decay"] == Range(0.5, 0.9)
    assert space["initial_cache"] == Fixed(1.0)
    assert space["rate_in_velocity"] == Fixed(False)


def test_what_has_no_default_in_the_library_is_searched_as_usual() -> None:
    without = study({"optimizers": ["momentum"]}).space().optimizers["momentum"]["momentum"]
    assert constants("tensorflow1", "momentum")["momentum"] == without


@pytest.mark.parametrize(
    ("momentum", "inside"), [(0.0, False), (0.9, True), ([0.5, 0.9], True), ({"low": 0.1, "high": 0.9}, True)]
)
def test_tf_keras_moves_epsilon_into_the_root_with_momentum(momentum: Any, inside: bool) -> None:
    assert constants("tf_keras", "rmsprop", momentum=momentum)["epsilon_inside"] == Fixed(inside)
    if isinstance(momentum, float):
        made = sweep.convention("tf_keras").optimizer("rmsprop", momentum=momentum)
        assert made.epsilon_inside is inside  # type: ignore[attr-defined]


@pytest.mark.parametrize("momentum", [[0.0, 0.9], {"low": 0.0, "high": 0.9}])
def test_tf_keras_cannot_search_momentum_from_0_unless_epsilons_place_is_given(momentum: Any) -> None:
    with pytest.raises(UsageError, match=r"search\.convention = 'tf_keras'.*rmsprop.*give epsilon_inside"):
        constants("tf_keras", "rmsprop", momentum=momentum)
    given = constants("tf_keras", "rmsprop", momentum=momentum, epsilon_inside=[False, True])
    assert given["epsilon_inside"] == Choices((False, True))


MISTAKES = [
    ('convention = "pytorch"', "search.convention: unknown convention 'pytorch'; did you mean 'torch'?"),
    ("convention = 3", "search.convention = 3"),
    ('convention = "sklearn"\noptimizers = ["rmsprop"]', "scikit-learn's MLPClassifier has no optimizer 'rmsprop'"),
    ('convention = "sklearn"\nschedules = ["cosine"]', "has no schedule 'cosine'. It has: constant"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_a_convention_that_cannot_be_is_one_line_with_exit_code_2(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(f"{TINY}\n[search]\n{text}\n")
    outcome = command("run", "s.toml", "--dry-run", cwd=tmp_path)
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1
    assert said in outcome.err


def test_python_names_what_it_does_not_know() -> None:
    with pytest.raises(UsageError, match="unknown convention 'keras'"):
        sweep.convention("keras")
    with pytest.raises(UsageError, match="unknown optimizer 'rmsprob'; did you mean 'rmsprop'"):
        sweep.convention("torch").optimizer("rmsprob")
    with pytest.raises(UsageError, match="rmsprop: unknown constant 'alpha'"):
        sweep.convention("torch").optimizer("rmsprop", alpha=0.9)
    with pytest.raises(UsageError, match=r"rmsprop\.momentum = 1\.5"):
        sweep.convention("torch").optimizer("rmsprop", momentum=1.5)


LIBRARIES = {
    "tf1": "tensorflow1", "keras1": "keras1", "tfkeras": "tf_keras", "keras3": "keras3", "torch": "torch",
    "optax": "optax", "sklearn": "sklearn",
}  # fmt: skip
# Recorded with another setting than the library's default, by the recording's name.
OTHERWISE = {
    "eps", "init", "cache", "bias_correction", "l2", "rmsprop_as_tf1", "decoupled", "pyfloat", "outside", "mom",
    "centered", "multistep", "damped", "nesterov_warmcos",
}  # fmt: skip


DEFAULT_RUNS = [
    run
    for run in recordings.load().runs
    if run.library in LIBRARIES and not any(word in run.id.split("/")[1] for word in OTHERWISE)
]


@pytest.mark.parametrize("run", DEFAULT_RUNS, ids=lambda run: run.id)
def test_a_recorded_training_with_the_librarys_defaults_has_those_of_its_convention(run: recordings.Run) -> None:
    recorded = words.optimizer(run.knobs)
    name = "nesterov" if run.knobs.nesterov and recorded.name == "momentum" else recorded.name
    made = CONVENTIONS[LIBRARIES[run.library]].optimizer(name)
    fields = {"epsilon", "epsilon_inside", "initial_cache"} | ({"rate_in_velocity"} if run.knobs.momentum else set())
    for field in fields & {p.name for p in hyperparameters(recorded)}:
        assert getattr(made, field) == getattr(recorded, field), field


def test_schedules_take_the_librarys_placements() -> None:
    assert sweep.convention("keras3").schedule("piecewise").after is True  # type: ignore[attr-defined]
    assert sweep.convention("torch").schedule("piecewise").after is False  # type: ignore[attr-defined]
    assert sweep.convention("torch").schedule("cosine", duration=5.0).bounce is True  # type: ignore[attr-defined]
    assert study({"convention": "torch", "schedules": ["plateau"]}).space().schedules["plateau"]["drop"] == Fixed(0.1)
