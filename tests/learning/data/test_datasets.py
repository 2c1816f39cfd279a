from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError, URLError

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets

from sweep.errors import DataError, SweepError, UsageError
from sweep.learning.data.datasets import DATASETS, load_named
from sweep.learning.data.source import named
from sweep.learning.data.splits import split

SHAPES = {
    "iris": ("classification", (150, 4), (150,)),
    "wine": ("classification", (178, 13), (178,)),
    "breast_cancer": ("classification", (569, 30), (569,)),
    "digits": ("classification", (1797, 64), (1797,)),
    "diabetes": ("regression", (442, 10), (442,)),
    "linnerud": ("regression", (20, 3), (20, 3)),
    "make_moons": ("classification", (1000, 2), (1000,)),
    "make_circles": ("classification", (1000, 2), (1000,)),
    "make_classification": ("classification", (1000, 20), (1000,)),
    "make_regression": ("regression", (1000, 100), (1000,)),
    "make_friedman1": ("regression", (1000, 10), (1000,)),
    "least_squares": ("regression", (2000, 20), (2000,)),
    "separable": ("classification", (500, 2502), (500,)),
}
DOWNLOADED = ("california_housing", "covtype", "olivetti_faces", "openml")
LOCAL = [name for name in DATASETS if name not in DOWNLOADED]
GENERATED = [name for name in DATASETS if name.startswith("make_") or name in ("least_squares", "separable")]


def one_line(caught: pytest.ExceptionInfo[SweepError]) -> str:
    """The message, which is one line."""
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", LOCAL)
def test_a_data_set_that_needs_no_network_loads_and_splits(name: str) -> None:
    table = load_named(name, {})
    assert len(table.features) == len(table.target)
    assert table.task in ("classification", "regression")
    if name in SHAPES:
        assert (table.task, np.shape(table.features), table.target.shape) == SHAPES[name]
    data = split(table, named(name), seed=0)
    assert np.isfinite(data.train.inputs).all()
    assert np.isfinite(data.train.targets).all()
    assert len(data.train) + len(data.validation) + len(data.test) == len(table.target)


@pytest.mark.parametrize("name", LOCAL)
def test_a_data_set_is_the_same_each_time(name: str) -> None:
    first, again = load_named(name, {}), load_named(name, {})
    np.testing.assert_array_equal(np.asarray(first.features), np.asarray(again.features))
    np.testing.assert_array_equal(first.target, again.target)


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_data_set_takes_its_arguments(name: str) -> None:
    small = load_named(name, {"n_samples": 40})
    assert len(small.target) == 40
    other = load_named(name, {"n_samples": 40, "random_state": 1})
    assert not np.array_equal(np.asarray(small.features), np.asarray(other.features))


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_data_set_refuses_an_unknown_argument_and_names_the_nearest(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_named(name, {"n_sample": 40})
    message = one_line(caught)
    assert message.startswith("[data.arguments] n_sample: ")
    assert "did you mean 'n_samples'?" in message


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("make_moons", {"n_samples": "many"}, "'n_samples' parameter of make_moons must be an int"),
        ("make_circles", {"factor": 2.0}, "'factor' parameter of make_circles must be a float in the range"),
        ("make_classification", {"n_classes": 9}, r"n_classes\(9\)"),
        ("iris", {"n_samples": 3}, r"\[data\.arguments\] n_samples: iris takes no arguments"),
        ("openml", {}, "openml needs data_id"),
        ("openml", {"data_id": 61, "targets": "x"}, "did you mean 'target'"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        load_named(name, arguments)
    one_line(caught)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"\[data\] name: unknown data set 'irsi'; did you mean 'iris'\?") as caught:
        load_named("irsi", {})
    one_line(caught)


# ---------------------------------------------------------------------------------------------------------- downloaded


def arguments_of(name: str) -> dict[str, Any]:
    return {"data_id": 61} if name == "openml" else {}


Replace = Callable[[str, Callable[..., Any]], None]


@pytest.fixture
def replace(monkeypatch: pytest.MonkeyPatch) -> Replace:
    """Put a function in the place of scikit-learn's fetcher: no test touches the network."""
    return lambda name, function: monkeypatch.setattr(sklearn.datasets, f"fetch_{name}", function)


@pytest.mark.parametrize("name", DOWNLOADED)
@pytest.mark.parametrize(
    "error",
    [
        URLError("no route to host"),
        HTTPError("https://example.org", 503, "Service\nUnavailable", None, None),  # type: ignore[arg-type]
        OSError("the disk is full"),
        ValueError("no data set\nof that number"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failed_download_is_one_line_that_says_what_to_do(replace: Replace, name: str, error: Exception) -> None:
    def fail(**_: Any) -> Any:
        raise error

    replace(name, fail)
    with pytest.raises(DataError) as caught:
        load_named(name, arguments_of(name))
    message = one_line(caught)
    assert caught.value.exit_code == 4
    assert name in message
    assert "SCIKIT_LEARN_DATA" in message


@pytest.mark.parametrize(
    ("name", "task"),
    [("california_housing", "regression"), ("covtype", "classification"), ("olivetti_faces", "classification")],
)
def test_a_downloaded_data_set_is_that_of_the_fetcher(replace: Replace, name: str, task: str) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(40, 3))
    target = np.repeat([1, 2, 3, 4], 10) if task == "classification" else random.normal(size=40)

    def fetch(*, return_X_y: bool) -> Any:  # noqa: N803  # scikit-learn's name
        assert return_X_y
        return features, target

    replace(name, fetch)
    table = load_named(name, {})
    assert table.task == task
    np.testing.assert_array_equal(np.asarray(table.features), features)
    np.testing.assert_array_equal(table.target, target)
    assert split(table, named(name), seed=0).outputs == (4 if task == "classification" else 1)


@pytest.mark.parametrize("target", [None, "width"])
def test_openml_takes_the_declared_target_unless_another_is_given(replace: Replace, target: str | None) -> None:
    frame = pd.DataFrame({"colour": ["red", "green"] * 10, "width": np.linspace(0, 1, 20), "kind": ["a", "b"] * 10})
    replace("openml", lambda **_: SimpleNamespace(frame=frame, target_names=["kind"]))
    table = load_named("openml", {"data_id": 61} | ({"target": target} if target else {}))
    assert table.task == ("regression" if target else "classification")
    assert list(pd.DataFrame(table.features).columns) == (["colour", "kind"] if target else ["colour", "width"])


def test_openml_without_a_declared_target_asks_for_one(replace: Replace) -> None:
    replace("openml", lambda **_: SimpleNamespace(frame=pd.DataFrame({"x": [1.0]}), target_names=[]))
    with pytest.raises(DataError, match="openml 61: declares no target: give one as target"):
        load_named("openml", {"data_id": 61})
