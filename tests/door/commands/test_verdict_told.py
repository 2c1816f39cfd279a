"""What a run says of its verdict: in the terminal, as JSON, in the dashboard."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import pytest
import tomli_w

import sweep
from sweep.door.result import Result
from sweep.door.running import finishing
from sweep.door.terminal.verdict import data, importance, tuning
from sweep.results import sentences
from sweep.results.tables import after_search
from sweep.results.tables.after_search import JudgedName
from tests.door.finalists import BOTH, SEEDS, study, tables
from tests.studies import run
from tests.terminal import sweep as command

# --------------------------------------------------------------------------------------------------------- what is said


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a comparison that has been run."""
    folder = tmp_path_factory.mktemp("place")
    compared = study(
        study={"mode": "compare", "trials": 32, "sampler": "", "generation": 16, "question": "Is this a study?"},
        search={"learning_rate": {"low": 1e-3, "high": 300.0, "log": True}},
    )
    (folder / "tiny.toml").write_text(tomli_w.dumps(compared), encoding="utf-8")
    return folder


def strictly(text: str) -> Any:
    """JSON as RFC 8259 has it: no NaN, no infinity."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def test_the_object_of_a_run_carries_the_verdict_the_tuning_curves_and_what_mattered(place: Path) -> None:
    outcome = command("run", "tiny.toml", "--backend", "serial", "--json", cwd=place)
    assert outcome.code == 0, outcome.err
    said = strictly(outcome.out)
    result = sweep.load(place / "runs" / "tiny")
    assert (result.trials["state"] == "diverged").any(), "or infinity could not have shown up"
    assert said == strictly(command("show", "tiny", "--json", cwd=place).out)
    verdict = result.verdict
    assert verdict is not None
    assert said["verdict"]["leader"] == str(verdict.leader)
    assert said["verdict"]["sentence"] == verdict.sentence()
    assert said["verdict"]["seeds"] == SEEDS
    assert said["verdict"]["score"] == "test_loss"
    assert said["verdict"]["configurations_tested"] == 6
    for each, own in zip(verdict.against, said["verdict"]["against"], strict=True):
        assert (own["arm"], own["word"], own["p"]) == (str(each.arm), each.word, each.p)
        assert own["difference"] == dataclasses.asdict(each.difference)
    assert set(said["verdict"]["gains"]) == set(said["verdict"]["scores"])
    assert len(said["verdict"]["scores"]) == 3
    assert said["tuning"]["reason"] == ""
    assert len(said["tuning"]["curves"]) == 4
    assert said["importance"] == result.answer.importance.to_dict("records")
    assert "learning_rate" in {each["name"] for each in said["importance"]}
    chosen = result.answer.chosen
    assert chosen is not None
    assert said["chosen"]["learning_rate"] == chosen["learning_rate"]
    assert said["recommendation"]["sentence"] == sentences.recommended(result.answer)
    assert said["recommendation"]["tuning"] in ("paid", "not paid", "undecided")
    assert [Path(file).name for file in said["tables"].values()] == [
        "trials.parquet", "curves.parquet", "race.parquet", "finalists.parquet", "finalist_curves.parquet",
    ]  # fmt: skip


def test_the_first_thing_that_a_person_reads_is_the_recommendation_and_then_the_verdict(place: Path) -> None:
    command("run", "tiny.toml", "--backend", "serial", "-q", cwd=place)
    text = command("show", "tiny", cwd=place).out
    answer = sweep.load(place / "runs" / "tiny").answer
    verdict = answer.verdict
    assert verdict is not None
    words = " ".join(text.split())
    sentence = f"Verdict: {verdict.sentence()}"
    assert sentence in words
    # Above the recommendation stand the study's name and question, and how many trials there are.
    recommended = " ".join(sentences.recommended(answer).split())
    head = words[: words.index(recommended)]
    assert head.startswith("tiny: Is this a study? 32 of 32 trials:")
    assert len(head.split()) < 28
    assert words.index(recommended) < words.index(sentences.paid(answer)) < words.index(sentence)
    assert f"{SEEDS} fresh" in words


def test_without_a_verdict_it_is_said_why(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(tomli_w.dumps(study(verdict={"seeds": 0})), encoding="utf-8")
    outcome = command("run", "tiny.toml", "--backend", "serial", cwd=tmp_path)
    assert "No verdict: the study asks for none" in " ".join(outcome.out.split())
    said = strictly(command("show", "tiny", "--json", cwd=tmp_path).out)
    assert said["verdict"]["leader"] is None
    assert "the study asks for none" in said["verdict"]["sentence"]
    assert "compare" in said["tuning"]["reason"]


@pytest.mark.parametrize("name", BOTH)
def test_the_finalists_can_be_exported(undisturbed: Result, tmp_path: Path, name: JudgedName) -> None:
    frame = undisturbed.table(name)
    pd.testing.assert_frame_equal(frame, after_search.read(undisturbed.folder, name))
    file = str(tmp_path / "out.csv")
    outcome = command("export", str(undisturbed.folder), file, "--table", name, cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert len(pd.read_csv(file)) == len(frame)


def test_what_is_told_as_data_is_strict_json_whatever_the_run(undisturbed: Result) -> None:
    for part in (data, tuning, importance):
        told: Callable[..., Any] = part
        assert strictly(json.dumps(told(undisturbed.answer), allow_nan=False)) is not None


def test_the_recipe_names_the_fresh_seeds(undisturbed: Result) -> None:
    recipe = undisturbed.answer.recipe
    assert recipe["fresh_seeds"] == tables(undisturbed)[0]["seed"].drop_duplicates().tolist()
    assert recipe["seed"] == 0
    assert recipe["data"]["samples"] == [90, 30, 30]
    assert recipe["sweep"] == sweep.__version__
    assert {"numpy", "optuna"} <= set(recipe["machine"]["packages"])


# -------------------------------------------------------------------------------------------------------- the dashboard


def notes(result: Result) -> str:
    import optuna_dashboard

    return str(optuna_dashboard.get_note(result.study))


def test_the_dashboard_is_told_the_verdict_and_what_a_person_wrote_above_it_stays(tmp_path: Path) -> None:
    import optuna_dashboard

    first = run(study(verdict={"seeds": 2, "arms": 3}), tmp_path, told=True)
    assert first.verdict is not None
    assert first.verdict.leader.optimizer in notes(first)
    theirs = "Mind the third arm.\n\n"
    optuna_dashboard.save_note(sweep.load(tmp_path / "tiny").study, theirs + notes(first))
    more = run(study(), tmp_path, told=True)
    assert notes(more).startswith(theirs)
    assert notes(more).count(finishing.HEADING) == 1
    assert notes(more) != theirs + notes(first), "six seeds say something else than two"
    assert notes(run(study(), tmp_path, told=True)) == notes(more)
