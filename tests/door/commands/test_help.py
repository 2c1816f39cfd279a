"""Guides, the version, short help and completion, as the command line gives them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from unittest import mock

import pytest
import shellingham

import sweep as package
from sweep.door import guides
from tests.terminal import command, process, sweep

TOPICS = sorted(guides.topics())
COMMANDS = [
    "run", "init", "list", "show", "export", "report", "dashboard", "rerun", "fit", "manual", "verify", "bench", "help",
]  # fmt: skip


def test_help_lists_every_topic_a_line_each(tmp_path: Path) -> None:
    outcome = sweep("help", cwd=tmp_path)
    lines = outcome.out.partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in lines] == TOPICS
    assert {"study-file", "data", "verdict", "speed", "machines", "adding", "python", "changelog"} <= set(TOPICS)
    assert max(map(len, lines)) <= 100
    listed = json.loads(sweep("help", "--json", cwd=tmp_path).out)["topics"]
    assert [f"{each['topic']}  {each['about']}" for each in listed] == [re.sub("  +", "  ", line) for line in lines]


@pytest.mark.parametrize("topic", TOPICS)
def test_a_guide_is_plain_markdown_without_a_terminal(topic: str, tmp_path: Path) -> None:
    outcome = sweep("help", topic, cwd=tmp_path)
    assert outcome.code == 0
    assert outcome.err == ""
    assert outcome.out == guides.guide(topic)
    assert outcome.out.startswith("# ")
    assert "\x1b" not in outcome.out
    assert "<!--" not in outcome.out  # every part that is made has been


@pytest.mark.parametrize("topic", TOPICS)
def test_a_guide_in_a_terminal_of_80_columns_is_rendered(
    topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # what makes rich take a stream for a terminal
    monkeypatch.delenv("NO_COLOR", raising=False)
    outcome = sweep("help", topic, cwd=tmp_path, columns=80)
    assert outcome.code == 0, outcome.err
    assert "\x1b[" in outcome.out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", outcome.out)
    assert max(map(len, plain.splitlines())) <= 80
    assert plain.count("…") == guides.guide(topic).count("…")  # what is cut off in a table's cell
    title = guides.topics()[topic]
    assert title.split()[0] in plain
    assert not re.search(r"^## |^```|\*\*\w+\*\* ", plain, flags=re.MULTILINE)


def test_a_guide_in_a_wide_terminal_keeps_lines_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    outcome = sweep("help", "verdict", cwd=tmp_path, columns=300)
    assert 80 < max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in outcome.out.splitlines()) <= guides.WIDEST


def test_a_guide_as_json_is_one_object(tmp_path: Path) -> None:
    found = json.loads(sweep("help", "verdict", "--json", cwd=tmp_path).out)
    assert found["topic"] == "verdict"
    assert found["markdown"] == guides.guide("verdict")


def test_an_unknown_topic_is_one_line_with_the_nearest(tmp_path: Path) -> None:
    for more in ([], ["--json"], ["--html"]):
        outcome = sweep("help", "verdikt", *more, cwd=tmp_path)
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.startswith("sweep: unknown topic 'verdikt'; did you mean 'verdict'? Known: adding, ")
        assert outcome.err.count("\n") == 1


def test_a_commands_name_as_a_topic_leads_to_its_help(tmp_path: Path) -> None:
    outcome = sweep("help", "export", cwd=tmp_path)
    assert outcome.code == 2
    assert outcome.err == "sweep: unknown topic 'export': it is a command: python -m sweep export --help\n"


def test_a_page_of_one_guide_and_one_of_all(tmp_path: Path) -> None:
    one = sweep("help", "speed", "--html", cwd=tmp_path).out
    assert one.startswith("<!doctype html>")
    assert "<h2>A long run</h2>" in one
    assert "<table>" in one
    assert "<nav" not in one
    every = sweep("help", "--html", cwd=tmp_path).out
    for topic, about in guides.topics().items():
        assert f'<a href="#{topic}">{about}</a>' in every
        assert every.count(f'<article id="{topic}">') == 1
    assert not re.search(r'(?:src|href)="(?!#|data:,)', every)  # it needs nothing else


def test_a_page_and_an_object_at_once_are_refused(tmp_path: Path) -> None:
    outcome = sweep("help", "speed", "--html", "--json", cwd=tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "sweep: --html goes without --json: choose one\n"


def test_version_says_which_one_it_is_and_runs_nothing(tmp_path: Path) -> None:
    outcome = sweep("--version", cwd=tmp_path)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"sweep {package.__version__}\n", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_short_help_is_the_long_one(name: str, tmp_path: Path) -> None:
    words = [name] if name else []
    short, long = (sweep(*words, option, cwd=tmp_path) for option in ("-h", "--help"))
    assert short.code == 0
    assert short.out == long.out
    assert "-h, --help" in short.out
    assert "Example: python -m sweep " in short.out


def test_every_command_is_among_those_whose_help_is_tested(tmp_path: Path) -> None:
    listed = sweep("-h", cwd=tmp_path).out.partition("Commands:\n")[2].partition("\n\n")[0]
    assert sorted(line.split()[0] for line in listed.splitlines() if line[2] != " ") == sorted(COMMANDS)


def test_completion_is_for_the_command_that_pip_makes(tmp_path: Path) -> None:
    outcome = process("bash", "-c", f"{shlex.join(command('--show-completion'))}; exit $?", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1] == "complete -o default -F _sweep_completion sweep"
    assert "_SWEEP_COMPLETE=complete_bash" in outcome.out


def test_an_unknown_shell_is_told_so_in_one_line(tmp_path: Path) -> None:
    with mock.patch("shellingham.detect_shell", side_effect=shellingham.ShellDetectionFailure):
        outcome = sweep("--show-completion", cwd=tmp_path)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.endswith("not supported.\n")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [("sweep re", ["report", "rerun"]), ("sweep help ver", ["verdict"]), ("sweep run --tri", ["--trials"])],
)
def test_the_shell_is_told_what_may_follow(
    words: str, expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_SWEEP_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    outcome = process(*command(), cwd=tmp_path)
    assert (outcome.code, outcome.out.split()) == (0, expected), outcome.err
