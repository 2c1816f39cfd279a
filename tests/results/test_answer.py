"""The answer is worked out from the rows that count now, paired by their seeds, whatever else lies in the folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.learning.hyper import Array
from sweep.results.answer import LEADER, RECIPE, Answer
from sweep.results.statistics.verdicts import Interval, interval, judge
from sweep.results.tables.after_search import add
from sweep.search.running.finalists import DEFAULT
from sweep.search.space.space import Arm
from tests.results.made import leading, made
from tests.results.statistics.test_summaries import row, trials_of
from tests.results.tables.test_after_search import finalist, score
from tests.studies import laws

Cells = Mapping[
    tuple[Arm, int], Sequence[float | None] | Array
]  # an arm and a trial's number: its score in each replicate


def searched(folder: Path, **options: Any) -> Answer:
    """A study whose trials are done; nobody has been judged."""
    return made(folder, judging=False, **options)


def judged(answer: Answer, cells: Cells, order: int = 0) -> Answer:
    """The same study, read again when these scores were added, a few at a time, in an order that a number decides."""
    scores = [
        score(finalist(arm, number), replicate, score=value, objective=value)
        for (arm, number), values in cells.items()
        for replicate, value in enumerate(values)
        if value is not None
    ]
    places = np.random.default_rng(order).permutation(len(scores))
    for some in np.array_split(places, 5):  # each time the whole tables are written
        add(answer.folder, [scores[place] for place in some])
    return Answer(answer.folder, answer.spec)


def all_judged(answer: Answer, seeds: int = 6) -> dict[tuple[Arm, int], Array]:
    """Scores of all whom `answer` would judge: the arms a tenth apart, each default one worse than its arm."""
    random = np.random.default_rng(0)
    cells = {}
    for place, (arm, number) in enumerate(answer.leading.items()):
        cells[arm, number] = 1 + 0.1 * place + 0.01 * random.normal(size=seeds)
        cells[arm, DEFAULT] = cells[arm, number] + 1 + 0.01 * random.normal(size=seeds)
    return cells


# -------------------------------------------------------------------------------------------------------- who is judged


states = st.sampled_from(["complete", "complete", "diverged", "pruned", "running", "failed"])
outcomes = st.lists(
    st.tuples(
        st.sampled_from(["sgd", "adam", "rmsprop"]), st.sampled_from(["constant", "step"]), st.integers(0, 6), states
    ),
    max_size=20,
)


@laws
@given(outcomes, st.integers(1, 7))
def test_the_arms_with_the_best_complete_trials_lead_each_by_its_best(
    drawn: list[tuple[str, str, int, str]], most: int
) -> None:
    rows = [row(n, value / 2, state, optimizer=o, schedule=s) for n, (o, s, value, state) in enumerate(drawn)]
    found = leading(trials_of(*rows, row(99, state="running")), most)
    best: dict[tuple[str, str], tuple[float, int]] = {}
    for number, (optimizer, schedule, value, state) in enumerate(drawn):
        if state == "complete":
            own = value / 2, number
            best[optimizer, schedule] = min(own, best.get((optimizer, schedule), own))
    order = sorted(best, key=lambda pair: (best[pair][0], pair))
    assert list(found.items()) == [(Arm(*pair), best[pair][1]) for pair in order[:most]]


def test_the_study_says_how_many_arms_are_judged(tmp_path: Path) -> None:
    answer = searched(tmp_path / "run", verdict={"arms": 3})
    assert len(answer.leading) == 3
    values = [answer.trials.set_index("number").loc[number, "objective"] for number in answer.leading.values()]
    assert values == sorted(values)


# ----------------------------------------------------------------------------------------------------- which rows count


@pytest.mark.parametrize("order", range(3))
def test_scores_are_paired_by_replicate_in_whatever_order_they_came(tmp_path: Path, order: int) -> None:
    answer = searched(tmp_path / "run")
    cells = all_judged(answer)
    found = judged(answer, cells, order)
    assert list(found.scores) == list(found.leading)
    for arm, number in found.leading.items():
        np.testing.assert_array_equal(found.scores[arm], cells[arm, number])
    assert found.verdict == judge(found.scores, answer.spec.verdict.delta)
    assert found.why_no_verdict == ""


def test_only_the_best_trial_of_each_leading_arm_and_its_default_count(tmp_path: Path) -> None:
    answer = searched(tmp_path / "run", verdict={"arms": 2})
    cells: dict[Any, Any] = dict(all_judged(answer))
    one, other = answer.leading
    outside = next(arm for arm in answer.spec.space().arms if arm not in answer.leading)
    former = next(n for n in answer.trials["number"] if n not in answer.leading.values())
    alone = judged(answer, cells)
    assert alone.opened == 4
    before = alone.verdict, alone.gains, alone.arms, len(alone.judged)
    more = {
        (one, former): [0.0] * 6,
        (other, former): [0.0] * 9,
        (outside, former): [0.0] * 6,
        (outside, DEFAULT): [0.0] * 6,
    }
    crowded = judged(answer, more)
    assert (crowded.verdict, crowded.gains) == before[:2]
    pd.testing.assert_frame_equal(crowded.arms, before[2])
    assert len(crowded.judged) == before[3] == 2 * 2 * 6
    assert len(crowded.judged_curves) == 3 * len(crowded.judged)
    assert crowded.opened == 8, "whoever was tested once was tested"


def test_replicates_in_which_somebody_is_missing_do_not_count(tmp_path: Path) -> None:
    answer = searched(tmp_path / "run", verdict={"arms": 2})
    cells: dict[Any, Any] = {key: list(values) for key, values in all_judged(answer).items()}
    (one, number), (other, another) = answer.leading.items()
    cells[one, number][0] = cells[other, another][3] = cells[one, DEFAULT][4] = None
    found = judged(answer, cells)
    assert found.verdict is not None
    assert found.verdict.seeds == 3
    kept = [1, 2, 5]
    np.testing.assert_array_equal(found.scores[one], [cells[one, number][r] for r in kept])
    np.testing.assert_array_equal(found.scores[other], [cells[other, another][r] for r in kept])
    gained = [cells[one, DEFAULT][r] - cells[one, number][r] for r in kept]
    assert found.gains[one] == interval(np.array(gained))


def test_gains_are_known_also_while_a_new_best_trial_has_fewer_seeds_than_its_arms_default(tmp_path: Path) -> None:
    """Interrupted while an arm's new best trial was judged: the defaults have all of their seeds since long."""
    answer = searched(tmp_path / "run", verdict={"arms": 2})
    cells: dict[Any, Any] = dict(all_judged(answer))
    one, number = next(iter(answer.leading.items()))
    cells[one, number] = cells[one, number][:3]
    found = judged(answer, cells)
    assert found.verdict is not None
    assert found.verdict.seeds == 3
    for arm, best in answer.leading.items():
        assert found.gains[arm] == interval(cells[arm, DEFAULT][:3] - cells[arm, best][:3])


def test_what_tuning_has_gained_is_how_far_the_default_is_behind(tmp_path: Path) -> None:
    found = judged(searched(tmp_path / "run"), all_judged(searched(tmp_path / "again")))
    assert list(found.gains) == list(found.leading)
    for gain in found.gains.values():
        assert gain.mean == pytest.approx(1.0, abs=0.02)
        assert 0.95 < gain.low < gain.mean < gain.high < 1.05


def test_optimism_is_how_far_the_leaders_score_is_above_what_the_search_saw(tmp_path: Path) -> None:
    answer = searched(tmp_path / "run")
    last = list(answer.leading)[-1]  # the search sees this arm behind the others; the test part does not
    cells = all_judged(answer) | {(last, answer.leading[last]): np.linspace(0.5, 0.6, 6)}
    found = judged(answer, cells)
    assert found.verdict is not None
    assert found.verdict.leader == last
    seen = float(answer.trials.set_index("number").loc[answer.leading[last], "objective"])
    assert found.optimism is not None
    assert found.optimism.mean == pytest.approx(0.55 - seen)
    assert found.optimism == found.verdict.scores[last] - seen


# ----------------------------------------------------------------------------------------------------------- no verdict


def test_a_study_that_asks_for_no_seeds_has_no_verdict(tmp_path: Path) -> None:
    for seeds in (0, 1):
        answer = searched(tmp_path / str(seeds), verdict={"seeds": seeds})
        assert answer.verdict is None
        assert "set seeds to 2 or more under [verdict]" in answer.why_no_verdict


def test_a_study_of_which_no_trial_is_complete_has_no_verdict_and_everything_else_is_empty(tmp_path: Path) -> None:
    answer = searched(tmp_path / "run", diverging=1.0)
    assert answer.why_no_verdict == "no trial is complete"
    assert (answer.verdict, answer.optimism, answer.gains, answer.scores, answer.leading) == (None, None, {}, {}, {})
    assert answer.judged.empty
    assert answer.judged_curves.empty
    assert answer.opened == 0
    assert len(answer.arms) == 4
    assert answer.arms["verdict"].isna().all()


@pytest.mark.parametrize("missing", ["everybody", "an arm", "all but one replicate"])
def test_there_is_no_verdict_before_everybody_has_two_seeds(tmp_path: Path, missing: str) -> None:
    answer = searched(tmp_path / "run")
    cells: dict[Any, Any] = dict(all_judged(answer))
    first = next(iter(answer.leading.items()))
    if missing == "everybody":
        cells = {}
    elif missing == "an arm":
        del cells[first]
    else:
        cells[first] = cells[first][:1]
    found = judged(answer, cells)
    assert found.verdict is None
    assert found.why_no_verdict == "the finalists are trained when all trials are done"
    assert found.gains == {} or missing != "everybody"
    assert found.arms["score"].isna().all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_where_the_test_part_gives_no_finite_number_that_is_said(tmp_path: Path, bad: float) -> None:
    answer = searched(tmp_path / "run")
    found = judged(answer, dict.fromkeys(all_judged(answer), [bad] * 6))
    assert found.verdict is None
    assert found.gains == {}
    assert "not a finite number" in found.why_no_verdict


# ------------------------------------------------------------------------------------------------------------- the arms


def test_the_arms_have_the_numbers_of_the_verdict_the_leader_first(tmp_path: Path) -> None:
    answer = searched(tmp_path / "run", verdict={"arms": 3})
    found = judged(answer, all_judged(answer, seeds=12))
    assert found.verdict is not None
    table = found.arms.set_index("arm")
    order = [str(found.verdict.leader), *(str(each.arm) for each in found.verdict.against)]
    assert list(table.index[:3]) == order
    assert table["score"].isna().tolist() == [False] * 3 + [True]
    assert table["verdict"].tolist()[:3] == [LEADER, *(each.word for each in found.verdict.against)]
    assert table.loc[order[0], ["p", "difference", "wins", "more_seeds"]].isna().all()
    for each in found.verdict.against:
        own = table.loc[str(each.arm)]
        assert own["p"] == each.p
        assert pd.isna(own["more_seeds"]) == (each.more_seeds is None)
        for name, expected in (("difference", each.difference), ("wins", each.wins)):
            assert Interval(own[name], own[f"{name}_low"], own[f"{name}_high"]) == expected
    for arm in answer.leading:
        own = table.loc[str(arm)]
        assert Interval(own["score"], own["score_low"], own["score_high"]) == found.verdict.scores[arm]
        assert Interval(own["gain"], own["gain_low"], own["gain_high"]) == found.gains[arm]
        assert own["number"] == answer.leading[arm]


@pytest.mark.parametrize("judging", [True, False])
@pytest.mark.parametrize("diverging", [0.1, 1.0])
def test_the_arms_have_the_same_columns_whatever_is_known(tmp_path: Path, judging: bool, diverging: float) -> None:
    table = made(tmp_path / "run", judging=judging, diverging=diverging).arms
    ends = ("", "_low", "_high")
    intervals = ("score", "difference", "wins", "gain", "sensitivity", "share", "share_own")
    columns = {
        "arm", "optimizer", "schedule", "trials", "diverged", "objective", "validation_error", "learning_rate",
        "number", "verdict", "more_seeds", "p", *(name + end for name in intervals for end in ends),
    }  # fmt: skip
    assert columns <= set(table)
    assert len(table) == 4
    assert table["arm"].is_unique


# ------------------------------------------------------------------------------------------------------------- the rest


@pytest.mark.parametrize(
    ("objective", "test", "name"),
    [
        ("validation_loss", 0.2, "test_loss"),
        ("validation_error", 0.2, "test_error"),
        ("validation_loss", 0.0, "validation_loss"),
        ("validation_error", 0.0, "validation_error"),
    ],
)
def test_what_is_judged_has_the_name_of_the_part(tmp_path: Path, objective: str, test: float, name: str) -> None:
    answer = searched(tmp_path / "run", study={"objective": objective}, data={"test": test})
    assert answer.score == name


def test_tuning_curves_are_drawn_where_configurations_are_independent(tmp_path: Path) -> None:
    compared = searched(tmp_path / "compared", each=12)
    assert compared.why_no_tuning == ""
    assert set(compared.tuning) == set(compared.spec.space().arms)
    assert compared.probability["k"].drop_duplicates().tolist() == [1, 2, 4, 6], "at most half of an arm's trials"
    # But for rounding: at each k somebody is the best.
    sums = compared.probability.groupby("k")["probability"].sum()
    np.testing.assert_allclose(sums, 1.0, atol=1e-9)
    optimized = Answer(compared.folder, _optimizing(compared))
    assert optimized.tuning == {}
    assert 'mode = "compare"' in optimized.why_no_tuning
    assert list(optimized.probability) == list(compared.probability)
    assert optimized.probability.empty


def _optimizing(answer: Answer) -> Any:
    return answer.spec.model_copy(update={"study": answer.spec.study.model_copy(update={"mode": "optimize"})})


def test_the_start_is_the_objective_before_training(tmp_path: Path) -> None:
    answer = searched(tmp_path / "run")
    assert answer.start == pytest.approx(2.3)


def test_a_finding_says_from_whom_the_leader_is_not_told_apart(tmp_path: Path) -> None:
    answer = searched(tmp_path / "run")
    assert "not told apart" not in [finding.kind for finding in answer.findings]
    random = np.random.default_rng(7)
    tuned = {(arm, n): 1 + 0.1 * random.normal(size=6) for arm, n in answer.leading.items()}
    found = judged(answer, {**tuned, **{(arm, DEFAULT): 9 + 0.1 * random.normal(size=6) for arm in answer.leading}})
    (finding,) = [finding for finding in found.findings if finding.kind == "not told apart"]
    assert found.verdict is not None
    assert len(found.verdict.those("undecided")) == 3
    assert str(found.verdict.leader) in finding.evidence
    assert "6 seeds" in finding.evidence


def test_the_recipe_is_read_if_the_run_kept_one(tmp_path: Path) -> None:
    answer = searched(tmp_path / "run")
    (answer.folder / RECIPE).write_text(json.dumps({"seed": 5}))
    assert answer.recipe == {"seed": 5}
    (answer.folder / RECIPE).unlink()
    assert Answer(answer.folder, answer.spec).recipe == {}
