"""Every example in the README, the guides and the studies' README runs, in the order in which it stands there."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from sweep.door import guides
from sweep.search.study_file import catalogue
from tests.benchmarks.studies import sections
from tests.terminal import ROOT, python, sweep

README = (ROOT / "README.md").read_text()
STUDIES = (ROOT / "studies" / "README.md").read_text()
PAGES = {"README": README, **{topic: guides.guide(topic) for topic in guides.topics()}}
FILES = [ROOT / "README.md", ROOT / "studies" / "README.md", *sorted((ROOT / "sweep" / "guides").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FEW = 16  # trials of a study that a page shows and has no command for

# What the pages call my.csv: the reader's own.
TABLE = "id,size,kind,price\n" + "".join(f"{i},{i % 17},{'abc'[i % 3]},{3.5 * (i % 17) + i % 3}\n" for i in range(80))

# And visits.csv: four visits of each patient.
VISITS = "patient,age,sign,stage\n" + "".join(
    f"p{i // 4},{30 + i // 4},{i * 7 % 11},{'ab'[i % 3 > 1]}\n" for i in range(96)
)


def blocks(text: str) -> Iterator[tuple[str, str, str]]:
    """The examples of a page: language, content, and the paragraph before."""
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        yield found[1], found[2], text[: found.start()].strip().rpartition("\n\n")[2]


def commands(content: str) -> list[list[str]]:
    """The commands of a terminal example, without ``python -m sweep`` and comments."""
    return [shlex.split(line, comments=True)[3:] for line in content.splitlines() if line]


def run_study(name: str, content: str, place: Path) -> None:
    """Run what a page shows and has no command for: a few trials, and no race if it does not speak of a verdict."""
    trials = min(FEW, tomllib.loads(content).get("study", {}).get("trials", FEW))
    (place / name).write_text(content if "[verdict]" in content else f"{content}\n[verdict]\nseeds = 0\n")
    outcome = sweep("run", name, "--backend", "serial", "--trials", str(trials), cwd=place)
    assert outcome.code == 0, outcome.err
    assert f"{trials} of {trials} trials" in outcome.out


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder: what one page has run another need not run again."""
    return tmp_path_factory.mktemp("reader")


# Those of the README are every reader's first.
@pytest.mark.parametrize(
    "page", [page if page == "README" else pytest.param(page, marks=pytest.mark.long) for page in sorted(PAGES)]
)
def test_every_example_of_a_page_runs(page: str, place: Path) -> None:
    (place / "my.csv").write_text(TABLE)
    (place / "visits.csv").write_text(VISITS)
    called = {word for kind, content, _ in blocks(PAGES[page]) if kind == "bash" for word in content.split()}
    for number, (kind, content, before) in enumerate(blocks(PAGES[page])):
        if kind == "toml":
            named = re.findall(r"`([\w-]+\.toml)`", before)
            if named and named[-1] in called:
                (place / named[-1]).write_text(content)
            else:
                run_study(f"{page}-{number}.toml", content, place)
        elif kind == "bash":
            for arguments in commands(content):
                outcome = sweep(*arguments, cwd=place)
                assert outcome.code == 0, (arguments, outcome.err)
                assert outcome.out
        else:
            assert kind == "python"
            outcome = python(content, place)
            assert outcome.code == 0, outcome.err


def test_the_pages_have_examples_of_every_kind() -> None:
    kinds = [kind for page in PAGES.values() for kind, _, _ in blocks(page)]
    assert {kind: kinds.count(kind) >= 5 for kind in ("bash", "python", "toml")} == dict.fromkeys(kinds, True)


def test_the_commands_and_topics_in_running_text_exist(tmp_path: Path) -> None:
    text = "\n".join([*PAGES.values(), STUDIES])
    inline = set(re.findall(r"`python -m sweep ([a-z-]+)", text))
    assert {"dashboard", "manual", "run", "bench", "help"} <= inline
    for name in sorted(inline):
        assert sweep(name, "--help", cwd=tmp_path).code == 0
    assert {"study-file", "verdict"} <= set(re.findall(r"`python -m sweep help ([a-z-]+)", text)) <= {*guides.topics()}


def test_the_readme_has_at_most_150_lines_and_names_every_command_and_guide(tmp_path: Path) -> None:
    assert len(README.splitlines()) <= 150
    listed = sweep("--help", cwd=tmp_path).out.partition("Commands:\n")[2].partition("\n\n")[0]
    for command in (line.split()[0] for line in listed.splitlines() if line[2] != " "):
        assert f"| `{command}" in README, command
    for topic in guides.topics():
        assert f"| `{topic}` | [" in README
        assert f"(sweep/guides/{topic}.md)" in README


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(file: Path) -> None:
    for target in LINK.findall(file.read_text()):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        other = file.parent / path if path else file
        assert other.is_file(), target
        headings = re.findall(r"^#+ (.*)$", other.read_text(), flags=re.MULTILINE) if anchor else []
        known = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in known, target


def test_the_set_up_commands_are_two_and_each_makes_its_own_environment() -> None:
    setup = re.findall(r"^    (python3 -m venv (\S+) .*)$", README, flags=re.MULTILINE)
    assert len(setup) == 2
    assert setup[0][0].endswith("-m sweep")
    assert setup[1][0].endswith("-m tests")
    assert setup[0][1] != setup[1][1]
    for line, folder in setup:
        assert line.count(f"{folder}/bin/") == 2


@pytest.mark.parametrize("name", sorted(catalogue.shipped()))
def test_every_shipped_study_is_valid_asks_a_question_and_is_described(name: str) -> None:
    found = catalogue.find(name)
    assert all(spec.study.question.endswith("?") for spec in found.studies.values())
    assert f"## {name}" in STUDIES
    assert f"python -m sweep run {name}" in STUDIES


ANSWERED = {name: code for name, code in sections().items() if code}


def shortened(name: str) -> dict[str, Any]:
    """A shipped study with the fewest trials that its questions can be asked of, a short race and few fresh seeds."""
    content = tomllib.loads(catalogue.shipped()[name].read_text())
    arms = len(next(iter(catalogue.find(name).studies.values())).space().arms)
    content["study"] |= {"trials": 5 * arms, "replicates": 2}
    content["race"] = {"candidates": 1, "rounds": [1]}
    content["verdict"] = {"arms": arms, "seeds": 3}
    if "arguments" in content.get("data", {}):
        content["data"]["arguments"]["n_samples"] = 1000
    return content


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(ANSWERED))
def test_the_lines_that_give_a_studys_answer_run_on_a_short_run(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.toml").write_text(tomli_w.dumps(shortened(name)))
    assert sweep("run", f"{name}.toml", "-q", cwd=tmp_path).code == 0
    for code in ANSWERED[name]:
        done = python(code, tmp_path)
        assert done.code == 0, done.err
        assert done.out
