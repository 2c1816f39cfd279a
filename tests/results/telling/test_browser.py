"""The report as a browser shows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sweep.results.plots import PLOTS
from sweep.results.telling import report
from tests.browser import browser
from tests.results.made import made

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SEARCH = {"optimizers": ["sgd", "momentum", "rmsprop", "adam"], "schedules": ["constant", "step", "cosine", "plateau"]}
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A comparison with everything in it, and a search: between them every figure there is."""
    runs = tmp_path_factory.mktemp("runs")
    compared = made(runs / "compare", each=20, effective=True, search=SEARCH, question="Which <b>one</b>?")
    searched = made(runs / "search", each=12, search=SEARCH, study={"mode": "optimize"})
    return {answer.spec.study.mode: report.write(answer) for answer in (compared, searched)}


@contextmanager
def opened(chromium: Browser, path: Path, **context: Any) -> Iterator[Page]:
    """A page with all its figures; at the end, nothing may have been asked of a network or complained of."""
    asked: list[str] = []
    said: list[str] = []
    with chromium.new_context(**{"viewport": DESK, **context}) as made_for:
        page = made_for.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        if context.get("java_script_enabled", True):
            page.wait_for_function(
                "() => [...document.querySelectorAll('.plot')].every((plot) => plot.querySelector('.main-svg'))"
            )
        yield page
        assert said == []
        assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [path.as_uri()]


def ink(page: Page) -> str:
    """The colour of the text in the first figure."""
    found: str = page.evaluate("getComputedStyle(document.querySelector('.plot .xtick text')).fill")
    return found


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
@pytest.mark.parametrize("viewport", [pytest.param(DESK, marks=pytest.mark.long), PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("mode", ["compare", "optimize"])
def test_every_figure_is_drawn_and_the_page_never_scrolls_sideways(
    chromium: Browser, reports: dict[str, Path], tmp_path: Path, mode: str, viewport: Any, scheme: Any
) -> None:
    with opened(chromium, reports[mode], viewport=viewport, color_scheme=scheme) as page:
        figures = page.evaluate("""() => [...document.querySelectorAll('figure')].map((figure) => {
            const plot = figure.querySelector('.plot');
            const drawn = plot.querySelectorAll('.scatterlayer .trace').length;
            return [figure.dataset.figure, plot.data.length, drawn, plot.getBoundingClientRect().width];
        })""")
        assert {name for name, *_ in figures} <= PLOTS.keys()
        assert len(figures) >= 7
        for name, traces, drawn, width in figures:
            assert traces > 0, name
            assert drawn > 0, name
            assert 0 < width <= viewport["width"]
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= viewport["width"]
        picture = tmp_path / "page.png"
        page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 50_000


@pytest.mark.long
def test_figures_are_told_to_whoever_cannot_see_them(chromium: Browser, reports: dict[str, Path]) -> None:
    with opened(chromium, reports["compare"]) as page:
        for figure in page.locator("figure").all():
            plot = figure.locator("[role=img]")
            name = figure.locator("h3").inner_text()
            assert plot.count() == 1
            assert plot.get_attribute("aria-label") == name
            assert figure.locator("figcaption").inner_text()
        levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((h) => Number(h.tagName[1]))")
        assert levels.count(1) == 1
        assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.long
def test_the_keyboard_reaches_the_skip_link_first_and_then_everything(
    chromium: Browser, reports: dict[str, Path]
) -> None:
    with opened(chromium, reports["compare"]) as page:
        page.keyboard.press("Tab")
        skip = page.locator(":focus")
        assert skip.inner_text() == "Skip to the verdict"
        assert skip.bounding_box()["x"] >= 0  # type: ignore[index]
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "verdict"
        reached = set()
        for _ in range(300):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.tagName + ' ' + document.activeElement.className"))
            if page.evaluate("document.activeElement === document.body"):
                break
        assert {"INPUT ", "DIV scroll", "BUTTON ", "SUMMARY ", "PRE scroll"} <= reached


@pytest.mark.long
def test_a_button_of_the_legend_shows_and_hides_an_arm(chromium: Browser, reports: dict[str, Path]) -> None:
    with opened(chromium, reports["compare"]) as page:
        figure = page.locator("figure[data-figure=tuning-curves]")
        button = figure.locator(".legend button").first
        arm = button.inner_text().strip()
        state = f"""(figure) => figure.querySelector('.plot').data
            .filter((t) => t.legendgroup === {arm!r}).map((t) => t.visible)"""
        for pressed, visible in (("false", "legendonly"), ("true", True)):
            button.focus()
            page.keyboard.press("Enter")
            assert button.get_attribute("aria-pressed") == pressed
            assert set(figure.evaluate(state)) == {visible}


@pytest.mark.long
def test_figures_follow_the_colour_scheme_and_the_width_and_keep_what_was_switched(
    chromium: Browser, reports: dict[str, Path]
) -> None:
    with opened(chromium, reports["compare"], color_scheme="light") as page:
        light = ink(page)
        button = page.locator("figure[data-figure=tuning-curves] .legend button").first
        button.click()
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(
            f"() => getComputedStyle(document.querySelector('.plot .xtick text')).fill !== {light!r}"
        )
        assert button.get_attribute("aria-pressed") == "false"
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        page.wait_for_function("() => document.documentElement.scrollWidth <= 390")
        widths = page.evaluate("[...document.querySelectorAll('.main-svg')].map((svg) => svg.clientWidth)")
        assert max(widths) <= 390
        page.emulate_media(color_scheme="light")
        page.wait_for_function(
            f"() => getComputedStyle(document.querySelector('.plot .xtick text')).fill === {light!r}"
        )


@pytest.mark.long
def test_print_is_light_and_has_all_figures_and_the_whole_study(
    chromium: Browser, reports: dict[str, Path], tmp_path: Path
) -> None:
    with opened(chromium, reports["compare"], color_scheme="dark") as page:
        dark = ink(page)
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        assert ink(page) != dark
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("Math.max(...[...document.querySelectorAll('.main-svg')].map((s) => s.clientWidth))") < 700
        assert page.evaluate("[...document.querySelectorAll('tbody tr.rest')].every((r) => r.offsetHeight > 0)")
        page.emulate_media(media="screen")
        page.evaluate("window.dispatchEvent(new Event('afterprint'))")
        assert ink(page) == dark
        page.pdf(path=tmp_path / "report.pdf")


@pytest.mark.long
def test_the_arms_are_sorted_by_the_column_that_is_asked_for(chromium: Browser, reports: dict[str, Path]) -> None:
    with opened(chromium, reports["compare"]) as page:
        table = page.locator("table.sortable")
        heads = table.locator("thead th")
        column = heads.all_inner_texts().index("trials")
        objective = next(n for n, text in enumerate(heads.all_inner_texts()) if text.endswith("in the search"))
        assert table.locator("tbody tr:visible").count() == report.SHOWN_ARMS
        for direction in ("ascending", "descending"):
            heads.nth(objective).get_by_role("button").click()
            assert heads.nth(objective).get_attribute("aria-sort") == direction
            texts = table.locator(f"tbody tr td:nth-child({objective + 1})").all_inner_texts()
            values = [float(text) for text in texts]
            assert values == sorted(values, reverse=direction == "descending")
        assert table.locator("tbody tr:visible").count() == 16
        heads.nth(column).get_by_role("button").click()
        assert heads.nth(objective).get_attribute("aria-sort") is None


def test_without_javascript_the_words_and_the_numbers_are_there(chromium: Browser, reports: dict[str, Path]) -> None:
    with opened(chromium, reports["compare"], java_script_enabled=False) as page:
        assert page.locator("noscript").count() == 1
        assert page.locator(".headline").first.is_visible()
        assert not page.locator(".plot").first.is_visible()
        assert page.locator("table.sortable tbody tr:visible").count() == report.SHOWN_ARMS
        page.get_by_label("Show all 16 arms").check()
        assert page.locator("table.sortable tbody tr:visible").count() == 16
        details = page.locator("figure[data-figure=scores] details")
        details.locator("summary").click()
        assert details.locator("td").first.is_visible()
