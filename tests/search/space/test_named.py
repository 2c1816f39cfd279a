"""The same optimizer or schedule searched twice, under names of the study's own: ``like``."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from sweep.door import retraining
from sweep.door.result import Result, configuration_of, load
from sweep.door.warm_start import started
from sweep.errors import UsageError
from sweep.learning.hyper import Fixed, Range
from sweep.learning.optimizers.rules import RMSProp
from sweep.learning.schedules.formulas import Constant
from sweep.search.running.records import Progress
from sweep.search.study_file.spec import complete
from tests.studies import KINDS, content, laws, narrowings, run, searches, tiny

HERE = Path("study.toml")
NAMED: dict[str, Any] = {
    "learning_rate": {"low": 0.001, "high": 0.01, "log": True},
    "optimizers": ["rmsprop", "rmsprop_tuned"],
    "schedules": ["constant", "flat"],
    "optimizer": {
        "rmsprop": {"epsilon": 1e-8},
        "rmsprop_tuned": {"like": "rmsprop", "epsilon": {"low": 1e-10, "high": 1.0, "log": True}},
    },
    "schedule": {"flat": {"like": "constant", "warmup": 1.0}},
}


@st.composite
def named(draw: st.DrawFn) -> dict[str, Any]:
    """A legal section ``[search]``, some of whose optimizers and schedules have names of the study's own."""
    search = draw(searches())
    for word in ("optimizer", "schedule"):
        kinds = search[f"{word}s"]
        for kind in draw(st.lists(st.sampled_from(kinds), max_size=2, unique=True)):
            own = draw(st.sampled_from([f"{kind}_own", f"{kind}-2", f"X{kind}"]))
            search[f"{word}s"] = [*search[f"{word}s"], own]
            search[word][own] = {"like": kind, **draw(narrowings(KINDS[kind]))}
            if draw(st.booleans()):  # the kind itself is not among them
                search[f"{word}s"].remove(kind)
                del search[word][kind]
            elif draw(st.booleans()):  # it says what it is, which it need not
                search[word][kind]["like"] = kind
    return search


@laws
@given(search=named())
def test_the_resolved_form_says_like_where_it_was_said_and_is_a_fixed_point(search: dict[str, Any]) -> None:
    spec = complete(content() | {"search": search}, HERE)
    resolved = spec.resolved()
    again = complete(tomllib.loads(tomli_w.dumps(resolved)), HERE)
    assert again.resolved() == resolved
    assert again.space() == spec.space()
    for word in ("optimizer", "schedule"):
        said = {name: table["like"] for name, table in search[word].items() if "like" in table}
        assert {n: table["like"] for n, table in resolved["search"][word].items() if "like" in table} == said


@laws
@given(search=named())
def test_a_name_means_the_space_of_its_kind(search: dict[str, Any]) -> None:
    space = complete(content() | {"search": search}, HERE).space()
    for word, names, searched in (
        ("optimizer", search["optimizers"], space.optimizers), ("schedule", search["schedules"], space.schedules),
    ):  # fmt: skip
        for name in names:
            table = dict(search[word].get(name, {}))
            kind = table.pop("like", name)
            alone = {f"{word}s": [kind], word: {kind: table}}
            plain = complete(content() | {"search": alone}, HERE).space()
            assert searched[name] == (plain.optimizers if word == "optimizer" else plain.schedules)[kind]
            assert space.kind(name) == kind


def test_names_are_fixed_and_ranged_apart() -> None:
    space = tiny(search=NAMED).space()
    assert space.optimizers["rmsprop"]["epsilon"] == Fixed(1e-8)
    assert space.optimizers["rmsprop_tuned"]["epsilon"] == Range(1e-10, 1.0, log=True)
    assert "rmsprop.epsilon" not in space.distributions()
    assert "rmsprop_tuned.epsilon" in space.distributions()
    assert len(space.arms) == 4


def test_like_itself_is_no_other_space() -> None:
    tables = {"rmsprop": {"like": "rmsprop", "decay": 0.9}}
    one, other = (tiny(search={"optimizer": t}).space() for t in (tables, {"rmsprop": {"decay": 0.9}}))
    assert one == other


def test_under_a_convention_a_name_has_the_defaults_of_its_kind() -> None:
    search = {"convention": "torch", "optimizers": ["mine"], "optimizer": {"mine": {"like": "rmsprop", "epsilon": 0.1}}}
    constants = tiny(search=search).space().optimizers["mine"]
    assert (constants["decay"], constants["epsilon"]) == (Fixed(0.99), Fixed(0.1))


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "grid", "optuna:TPESampler"])
def test_tables_and_storage_have_the_names_and_trials_the_classes(tmp_path: Path, sampler: str) -> None:
    result = run(content(study={"trials": 20, "sampler": sampler}, search=NAMED), tmp_path)
    assert set(result.trials["optimizer"]) == {"rmsprop", "rmsprop_tuned"}
    assert set(result.trials["schedule"]) == {"constant", "flat"}
    assert set(result.arms["optimizer"]) == {"rmsprop", "rmsprop_tuned"}
    tuned = result.trials["optimizer"] == "rmsprop_tuned"
    assert set(result.trials.loc[~tuned, "optimizer.epsilon"]) == {1e-8}
    assert result.trials.loc[tuned, "optimizer.epsilon"].nunique() > 1
    for row, trial in zip(result.trials.to_dict("records"), result.study.trials, strict=True):
        own = row["optimizer"]
        assert (trial.params["optimizer"], trial.params["schedule"]) == (own, row["schedule"])
        assert {n.partition(".")[0] for n in trial.params if "." in n} <= {own, row["schedule"]}
        configuration = configuration_of(row, result.spec)
        assert configuration == result.spec.space().configuration(trial.params)
        assert isinstance(configuration.optimizer, RMSProp)
        assert configuration.schedule == Constant(warmup=row["schedule.warmup"])
        assert (row["schedule.warmup"] == 1.0) or row["schedule"] == "constant"


def test_a_trial_reproduces_and_is_read_back_from_its_folder(tmp_path: Path) -> None:
    seen: list[Progress] = []
    result = run(content(study={"trials": 12}, search=NAMED), tmp_path, notify=seen.append)
    best = result.best
    assert seen[-1].best_arm == f"{best['optimizer']} x {best['schedule']}"
    loaded = load(result.folder)
    assert loaded.spec.resolved() == result.spec.resolved()
    assert loaded.configuration == result.configuration
    for number in (0, int(best["number"])):
        assert retraining.rerun(loaded, number).reproduced


def test_every_name_gets_its_share_when_arms_are_compared(tmp_path: Path) -> None:
    result = run(content(study={"mode": "compare", "trials": 16}, search=NAMED), tmp_path)
    counted = Counter(zip(result.trials["optimizer"], result.trials["schedule"], strict=True))
    assert counted == {(o, s): 4 for o in NAMED["optimizers"] for s in NAMED["schedules"]}


def test_a_stopped_run_goes_on_under_its_names(tmp_path: Path) -> None:
    study = content(study={"trials": 16, "sampler": "tpe"}, search=NAMED)
    whole: Result = run(study, tmp_path / "whole")
    run(study, tmp_path / "parts", trials=8)
    parts = run(study, tmp_path / "parts")
    assert parts.trials[["optimizer", "schedule", "objective"]].equals(
        whole.trials[["optimizer", "schedule", "objective"]]
    )


def test_a_warm_start_goes_by_name(tmp_path: Path) -> None:
    other = run(content(study={"name": "other", "trials": 20}, search=NAMED), tmp_path)
    warm, misfits = started(tiny(search=NAMED), other.trials, "other")
    assert len(warm.study.start) == 10
    assert misfits == []
    result = run(content(search=NAMED), tmp_path, start_from=other.folder)
    best = other.trials[other.trials["state"] == "complete"].sort_values("objective").head(10)
    first = result.trials.head(10)
    assert first["optimizer"].tolist() == best["optimizer"].tolist()
    assert first["objective"].tolist() == best["objective"].tolist()
    elsewhere = {**NAMED, "optimizers": ["rmsprop", "mine"]}
    elsewhere["optimizer"] = {"rmsprop": {"epsilon": 1e-8}, "mine": NAMED["optimizer"]["rmsprop_tuned"]}
    warm, misfits = started(tiny(search=elsewhere), other.trials, "other")
    assert all("optimizer 'rmsprop_tuned' is not searched here" in line for line in misfits)
    assert len(misfits) == (best["optimizer"] == "rmsprop_tuned").sum()


def test_a_study_may_begin_with_configurations_by_name() -> None:
    start = {"optimizer": "mine", "schedule": "constant", "learning_rate": 0.005, "mine.momentum": 0.5}
    tables = {"mine": {"like": "momentum", "momentum": [0.5, 0.9], "nesterov": False}}
    search = {**NAMED, "optimizers": ["mine"], "schedules": ["constant"], "optimizer": tables, "schedule": {}}
    spec = tiny(study={"start": [start]}, search=search)
    (given,) = spec.study.start
    assert spec.space().configuration(given).optimizer.name == "momentum"


def bad(word: str, name: str, **table: Any) -> dict[str, Any]:
    """A section with one optimizer or schedule of this name and table."""
    return {f"{word}s": [name], word: {name: table}}


MISTAKES: list[tuple[dict[str, Any], str, str]] = [
    (bad("optimizer", "mine"), "search.optimizers", "unknown optimizer 'mine'"),
    ({"optimizers": ["rmsprob"]}, "search.optimizers", "did you mean 'rmsprop'\\? .*; a name of your own needs like"),
    (bad("optimizer", "mine", like="rmsprob"), "search.optimizer.mine.like", "'rmsprob'; did you mean 'rmsprop'"),
    (bad("schedule", "mine", like="rmsprop"), "search.schedule.mine.like", "unknown schedule 'rmsprop'"),
    (bad("optimizer", "mine", like=5), "search.optimizer.mine.like", "unknown optimizer '5'"),
    (bad("optimizer", "mine", like=["sgd"]), "search.optimizer.mine.like", "unknown optimizer"),
    (bad("optimizer", "a.b", like="sgd"), "search.optimizer.a.b", "must be a word: letters, digits, _ and -"),
    (bad("optimizer", "2nd", like="sgd"), "search.optimizer.2nd", "the first a letter"),
    (bad("optimizer", "", like="sgd"), "search.optimizer.", "must be a word"),
    (bad("optimizer", "größer", like="sgd"), "search.optimizer.größer", "must be a word"),
    (bad("optimizer", "x" * 101, like="sgd"), "search.optimizer.x", "at most 100"),
    (bad("optimizer", "adam", like="sgd"), "search.optimizer.adam", "'adam' is an optimizer by itself"),
    (bad("optimizer", "step", like="sgd"), "search.optimizer.step", "'step' is a schedule by itself"),
    (bad("schedule", "sgd", like="step"), "search.schedule.sgd", "'sgd' is an optimizer by itself"),
    (
        {"optimizers": ["sgd"], "optimizer": {"mine": {"like": "sgd"}}}, "search.optimizer.mine",
        "'mine' is not among optimizers",
    ),
    (
        {
            "optimizers": ["mine"], "schedules": ["mine"], "optimizer": {"mine": {"like": "sgd"}},
            "schedule": {"mine": {"like": "step"}},
        },
        "search.schedule.mine", "'mine' is among the optimizers too",
    ),
    (bad("optimizer", "mine", like="sgd", decay=0.9), "search.optimizer.mine.decay", "unknown key 'decay'"),
    (bad("optimizer", "mine", like="rmsprop", decay=2), "search.optimizer.mine.decay", "= 2: must obey"),
    (
        {"convention": "sklearn", "schedules": ["constant"], **bad("optimizer", "mine", like="rmsprop")},
        "search.convention", "has no optimizer 'rmsprop'",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("search", "key", "said"), MISTAKES, ids=[f"{k}-{i}" for i, (_, k, _) in enumerate(MISTAKES)])
def test_a_bad_name_is_one_line_that_says_where(search: dict[str, Any], key: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        complete(content() | {"search": search}, HERE)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"study.toml: {key}")
