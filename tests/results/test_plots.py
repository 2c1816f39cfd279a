from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from sweep.results import plots
from sweep.results.answer import Answer
from sweep.results.plots import PLOTS, look
from tests.results.made import made

Made = Callable[..., Answer]
# What is there is known of these; a newcomer is to be drawn for one answer or the other.
OURS = (
    "scores", "tuning-curves", "probability-best", "learning-curves", "learning-rates", "importance", "sensitivity",
    "schedules", "effective-rates", "history",
)  # fmt: skip
MANY = {"optimizers": ["sgd", "momentum", "rmsprop", "adam"], "schedules": ["constant", "step", "cosine"]}


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """A comparison of twelve arms, with everything recorded."""
    return made(tmp_path_factory.mktemp("runs") / "full", each=20, effective=True, search=MANY)


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """A search."""
    return made(tmp_path_factory.mktemp("runs") / "search", each=20, study={"mode": "optimize"})


def drawn(name: str, answer: Answer) -> Any:
    """A figure that is there."""
    figure = PLOTS[name](answer)
    assert figure is not None, name
    return figure


def named(figure: Any, arm: str) -> Any:
    """The trace that has an arm's entry in the legend."""
    return next(trace for trace in figure.data if trace.name == arm and trace.showlegend is not False)


def table(figure: Any) -> pd.DataFrame:
    """The numbers that go with a figure."""
    return pd.DataFrame(figure.layout.meta["table"]["rows"], columns=figure.layout.meta["table"]["columns"])


def test_everything_is_drawn_where_everything_is_known(answer: Answer, search: Answer) -> None:
    assert [name for name in OURS if PLOTS[name](answer) is None] == ["history"]
    missing = [name for name in OURS if PLOTS[name](search) is None]
    assert missing == ["tuning-curves", "probability-best", "effective-rates"]
    newcomers = [plot for name, plot in PLOTS.items() if name not in OURS]
    assert all(plot(answer) or plot(search) for plot in newcomers)
    assert answer.why_no_tuning == ""
    assert "compare" in search.why_no_tuning


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_has_a_title_a_caption_and_titles_on_its_axes(name: str, answer: Answer, search: Answer) -> None:
    title, caption = plots.words(PLOTS[name])
    assert title
    assert len(title) < 60
    assert caption.endswith(".")
    figure: Any = PLOTS[name](answer) or PLOTS[name](search)
    assert figure.layout.xaxis.title.text
    assert figure.layout.yaxis.title.text or figure.layout.yaxis.ticktext


@pytest.mark.parametrize("name", PLOTS)
def test_a_figure_becomes_plain_json_with_numbers_for_whoever_cannot_see_it(
    name: str, answer: Answer, search: Answer
) -> None:
    figure: Any = PLOTS[name](answer) or PLOTS[name](search)
    content = json.loads(figure.to_json())
    assert content["data"]
    assert len(table(figure))


def test_an_arm_has_the_same_colour_in_all_figures(answer: Answer) -> None:
    arms = set(answer.arms["arm"])
    colours: dict[str, set[str]] = {}
    for plot in PLOTS.values():
        for trace in getattr(plot(answer), "data", ()):
            if trace.name in arms:
                colour = trace.line.color if "lines" in trace.mode else trace.marker.color
                colours.setdefault(trace.name, set()).add(colour)
    assert colours.keys() == arms
    assert all(len(found) == 1 for found in colours.values())


def test_lines_of_one_colour_differ_in_their_dashes() -> None:
    lines = [(look.line(place)["color"], look.line(place)["dash"]) for place in range(48)]
    assert len(set(lines)) == 48


@pytest.mark.parametrize("name", ["tuning-curves", "probability-best", "learning-curves", "learning-rates"])
def test_few_arms_are_shown_at_first_and_the_others_wait_in_the_legend(name: str, answer: Answer) -> None:
    figure = drawn(name, answer)
    shown = {trace.legendgroup for trace in figure.data if trace.visible is True}
    waiting = {trace.legendgroup for trace in figure.data if trace.visible == "legendonly"}
    assert 0 < len(shown) <= look.SHOWN
    assert waiting
    assert not shown & waiting


def test_scores_are_the_verdicts_means_with_their_intervals_the_leader_on_top(answer: Answer) -> None:
    figure, verdict = drawn("scores", answer), answer.verdict
    assert verdict is not None
    found = {}
    for trace in figure.data:
        for place, arm in enumerate(trace.text if trace.text is not None else ()):
            reach = trace.error_x
            mean = trace.x[place]
            found[arm] = (trace.y[place], mean, mean - reach.arrayminus[place], mean + reach.array[place])
    expected = {
        str(arm): (-row, each.mean, each.low, each.high) for row, (arm, each) in enumerate(verdict.scores.items())
    }
    assert found.keys() == expected.keys()
    for arm, numbers in expected.items():
        np.testing.assert_allclose(found[arm], numbers)
    assert figure.layout.yaxis.ticktext[0] == str(verdict.leader)
    words = {trace.name for trace in figure.data if trace.name}
    assert words <= {"the leader", "the leader is better", "equivalent", "undecided"}
    single = np.concatenate([trace.x for trace in figure.data if trace.text is None])
    np.testing.assert_allclose(np.sort(single), np.sort(np.concatenate(list(answer.scores.values()))), rtol=1e-6)


def test_a_tuning_curve_is_the_median_with_both_bands(answer: Answer) -> None:
    figure = drawn("tuning-curves", answer)
    for arm, curve in answer.tuning.items():
        line = named(figure, str(arm))
        at = np.asarray(line.x, dtype=int) - 1
        assert at[0] == 0
        assert at[-1] == len(curve.k) - 1
        np.testing.assert_allclose(line.y, curve.median[at], rtol=1e-6)
        bands = [t for t in figure.data if t.legendgroup == str(arm) and t.fill == "toself"]
        assert len(bands) == len(curve.bands)
        for band, level in zip(bands, (0.95, 0.8), strict=True):  # the wide one lies below
            low, high = (each[at] for each in curve.bands[level])
            inside = (low > 0) & np.isfinite(high)
            np.testing.assert_allclose(np.asarray(band.y)[: len(at)][inside], low[inside], rtol=1e-6)
            np.testing.assert_allclose(np.asarray(band.y)[::-1][: len(at)][inside], high[inside], rtol=1e-6)
            assert np.isfinite(np.asarray(band.y)).all()


def test_the_probability_of_being_the_best_ends_at_half_of_the_trials(answer: Answer) -> None:
    figure = drawn("probability-best", answer)
    for arm, rows in answer.probability.groupby("arm"):
        line = named(figure, str(arm))
        rows = rows[rows["k"].isin(line.x)]
        np.testing.assert_allclose(line.y, rows["probability"], atol=1e-6)
        assert max(line.x) <= 10


def test_learning_curves_are_means_over_the_fresh_seeds(answer: Answer) -> None:
    figure = drawn("learning-curves", answer)
    curves = answer.judged_curves[answer.judged_curves["kind"] == "tuned"]
    for arm in answer.leading:
        own = curves[(curves["optimizer"] == arm.optimizer) & (curves["schedule"] == arm.schedule)]
        for axis, column in (("y", "validation_loss"), ("y2", "learning_rate")):
            line = next(t for t in figure.data if t.name == str(arm) and t.yaxis == axis and not t.fill)
            np.testing.assert_allclose(line.y, own.groupby("epoch")[column].mean(), rtol=1e-5)
    assert figure.layout.yaxis.type == figure.layout.yaxis2.type == "log"


def test_without_finalists_the_curves_are_those_of_the_search(tmp_path: Path) -> None:
    answer = made(tmp_path / "run", judging=False)
    assert answer.verdict is None
    assert PLOTS["scores"](answer) is None
    figure = drawn("learning-curves", answer)
    for arm, number in answer.leading.items():
        own = answer.curves[answer.curves["number"] == number]
        np.testing.assert_allclose(named(figure, str(arm)).y, own["validation_loss"], rtol=1e-6)


def test_a_schedule_begins_with_its_base_rate_and_a_constant_one_keeps_it(tmp_path: Path) -> None:
    answer = made(tmp_path / "run", judging=False)
    figure = drawn("schedules", answer)
    for arm in answer.leading:
        line = named(figure, str(arm))
        end = 1.0 if arm.schedule == "constant" else 0.1
        np.testing.assert_allclose([line.y[0], line.y[-1]], [1.0, end], rtol=1e-6)


def test_a_staircase_is_drawn_as_one(tmp_path: Path) -> None:
    answer = made(tmp_path / "run", judging=False)
    figure = drawn("schedules", answer)
    shapes = {arm.schedule: named(figure, str(arm)).line.shape for arm in answer.leading}
    assert shapes == {"constant": "vh", "exponential": "linear"}


def test_effective_rates_are_the_median_over_the_parameters(answer: Answer) -> None:
    figure = drawn("effective-rates", answer)
    curves = answer.judged_curves[answer.judged_curves["kind"] == "tuned"]
    for arm in answer.leading:
        own = curves[(curves["optimizer"] == arm.optimizer) & (curves["schedule"] == arm.schedule)]
        np.testing.assert_allclose(
            named(figure, str(arm)).y, own.groupby("epoch")["effective_rate_50"].median(), rtol=1e-5
        )


def test_every_trial_is_drawn_or_counted_and_the_best_of_each_arm_is_drawn(answer: Answer) -> None:
    figure = drawn("learning-rates", answer)
    numbers = [number for trace in figure.data for number in trace.customdata]
    left = len(answer.trials) - len(numbers)
    assert len(set(numbers)) == len(numbers)
    assert (
        (f"{left} of {len(answer.trials)}" in figure.layout.meta["note"])
        if left
        else ("note" not in figure.layout.meta)
    )
    assert set(answer.arms["number"].dropna()) <= set(numbers)
    by_number = answer.trials.set_index("number")
    for trace in figure.data:
        rows = by_number.loc[trace.customdata]
        np.testing.assert_allclose(trace.x, rows["learning_rate"], rtol=1e-6)
        np.testing.assert_allclose(trace.y, rows["objective"], rtol=1e-6)
        assert rows["state"].nunique() == 1
        assert (rows["state"].iloc[0] == "diverged") == trace.marker.symbol.startswith("x")


def test_importance_and_sensitivity_are_the_tables_with_their_intervals(answer: Answer) -> None:
    shown = answer.importance.head(16)
    (trace,) = drawn("importance", answer).data
    np.testing.assert_allclose(trace.x, shown["importance"])
    np.testing.assert_allclose(trace.x + trace.error_x.array, shown["high"])
    arms = answer.arms.head(16)
    (trace,) = drawn("sensitivity", answer).data
    np.testing.assert_allclose(trace.x, arms["sensitivity"])
    np.testing.assert_allclose(trace.x - trace.error_x.arrayminus, arms["sensitivity_low"])


def test_the_history_falls_to_the_best_objective(search: Answer) -> None:
    figure = drawn("history", search)
    line = next(trace for trace in figure.data if trace.name == "lowest so far")
    complete = search.trials[search.trials["state"] == "complete"]
    lowest = complete.set_index("number")["objective"].cummin()
    for number, objective in zip(line.x[:-1], line.y[:-1], strict=True):
        np.testing.assert_allclose(objective, lowest[int(number)], rtol=1e-6)
    assert (np.diff(line.y) <= 0).all()
    np.testing.assert_allclose(line.y[-1], lowest.iloc[-1], rtol=1e-6)


CASES: dict[str, dict[str, Any]] = {
    "one arm": {"search": {"optimizers": ["sgd"], "schedules": ["constant"]}},
    "one trial": {"each": 1, "search": {"optimizers": ["sgd"], "schedules": ["constant"]}, "diverging": 0.0},
    "all diverged": {"diverging": 1.0},
    "all diverged in a search": {"diverging": 1.0, "study": {"mode": "optimize"}},
    "regression": {"data": {"name": "diabetes"}},
    "errors": {"study": {"objective": "validation_error"}},
    "no test part": {"data": {"test": 0.0}},
    "no verdict asked for": {"verdict": {"seeds": 0}, "judging": False},
    "a search without finalists": {"study": {"mode": "optimize"}, "judging": False},
}


@pytest.mark.parametrize("case", CASES)
def test_a_plot_is_a_figure_or_nothing_whatever_the_study(case: str, tmp_path: Path) -> None:
    answer = made(tmp_path / "run", **CASES[case])
    for name, plot in PLOTS.items():
        figure = plot(answer)
        assert figure is None or isinstance(figure, go.Figure), name
        if figure is not None:
            assert len(json.loads(figure.to_json())["data"]) > 0
    if case.startswith("all diverged"):
        assert PLOTS["learning-rates"](answer) is not None
        assert PLOTS["learning-curves"](answer) is None


def test_a_study_that_has_just_begun_has_no_figure(tmp_path: Path) -> None:
    answer = made(tmp_path / "run", judging=False)
    answer.__dict__["trials"] = answer.trials.assign(state="running", objective=np.nan)
    assert [name for name, plot in PLOTS.items() if plot(answer) is not None] == []


def test_a_logarithmic_axis_has_few_ticks_and_all_where_the_data_are() -> None:
    for values, expected in (
        ([1, 64], [1, 2, 5, 10, 20, 50, 100]),
        ([1e-5, 1.0], [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0]),
    ):
        figure = look.figure("x", "y")
        look.log(figure, "xaxis", [*values, 0.0, np.nan, np.inf])
        axis: Any = figure.layout.xaxis
        assert axis.type == "log"
        np.testing.assert_allclose([tick for tick in axis.tickvals if tick <= max(expected)], expected)


# ------------------------------------------------------------------------------------------------------------- colours

PAGES = {"light": (255, 255, 255), "dark": (20, 23, 27)}
TONES = {"light": look.LIGHT, "dark": look.DARK}
GREYS = {"light": look.GREY_LIGHT, "dark": look.GREY_DARK}
# Machado, Oliveira and Fernandes 2009, table 1, severity 1; row by row.
BLIND = {
    "nobody": (1, 0, 0, 0, 1, 0, 0, 0, 1),
    "protanopia": (0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998),
    "deuteranopia": (0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881),
    "tritanopia": (1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900),
}
# Ottosson 2020: from linear light to cones, and from their cube roots to OKLab.
CONES = (0.4122214708, 0.5363325363, 0.0514459929, 0.2119034982, 0.6806995451, 0.1073969566, 0.0883024619, 0.2817188376,
         0.6299787005)  # fmt: skip
LAB = (0.2104542553, 0.7936177850, -0.0040720468, 1.9779984951, -2.4285922050, 0.4505937099, 0.0259040371, 0.7827717662,
       -0.8086757660)  # fmt: skip


def linear(rgb: Any) -> Any:
    """From sRGB, 0 to 255, to linear light."""
    share = np.asarray(rgb) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def contrast(one: Any, other: Any) -> float:
    """The contrast of two colours (WCAG 2.2)."""
    light = sorted(float(linear(each) @ [0.2126, 0.7152, 0.0722]) for each in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


def turned(colours: Any, matrix: tuple[float, ...]) -> Any:
    """Each colour, a row, times a matrix."""
    return np.asarray(colours) @ np.reshape(matrix, (3, 3)).T


@pytest.mark.parametrize("theme", PAGES)
def test_colours_stand_out_from_the_page(theme: str) -> None:
    assert all(contrast(each, PAGES[theme]) >= 3 for each in (*TONES[theme], GREYS[theme]))


@pytest.mark.parametrize("theme", PAGES)
@pytest.mark.parametrize("eyes", BLIND)
def test_colours_are_told_apart_by_everybody(theme: str, eyes: str) -> None:
    light = np.clip(turned(linear(TONES[theme]), BLIND[eyes]), 0, 1)
    seen = turned(np.cbrt(turned(light, CONES)), LAB)
    nearest = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))
    assert nearest >= 0.088
