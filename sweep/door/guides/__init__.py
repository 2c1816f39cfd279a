"""The guides by their topics, and as a reader gets them: as text, in colours, as a page, as data.

A guide is one Markdown file in ``sweep/guides``; its name is its topic, its first line, a heading, is what the list
says of it. A line ``<!-- here: WHAT -->`` is where one of the `PARTS` stands, made from the program as it is. To add a
guide: write the file. Nothing else.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import TYPE_CHECKING, Any

from sweep.door.guides.parts import PARTS
from sweep.errors import UsageError, unknown

if TYPE_CHECKING:
    from rich.markdown import Markdown

WIDEST = 100  # columns in a terminal: longer lines are hard to read
_HERE = re.compile(r"^<!-- here: (.+) -->$", flags=re.MULTILINE)


def topics() -> dict[str, str]:
    """What each guide is about, by its topic."""
    return {topic: text.partition("\n")[0].removeprefix("# ") for topic, text in _files().items()}


def guide(topic: str) -> str:
    """A guide as Markdown, with the parts that are made.

    Raises
    ------
    UsageError
        There is none; the nearest topic is given.
    """
    found = _files()
    if topic not in found:
        raise UsageError(unknown("topic", topic, found))
    return _HERE.sub(lambda place: PARTS[place[1]](), found[topic])


def text(topic: str | None) -> str:
    """A guide as Markdown; without a topic, all topics, a line each."""
    if topic is not None:
        return guide(topic).rstrip()
    known = topics()
    width = max(map(len, known))
    lines = [f"{name:{width}}  {about}" for name, about in known.items()]
    return "\n".join([*lines, "", "python -m sweep help TOPIC shows one, with --html as a page on stdout"])


def in_colours(topic: str) -> Markdown:
    """A guide for a terminal, in its own colours."""
    from rich.markdown import Markdown

    return Markdown(guide(topic), code_theme="ansi_dark", hyperlinks=False)


def page(topic: str | None) -> str:
    """A guide, or all of them, as one page of HTML."""
    from sweep.door.guides import pages

    return pages.page({name: guide(name) for name in ([topic] if topic is not None else topics())})


def data(topic: str | None) -> dict[str, Any]:
    """A guide, or the list of them, as plain data."""
    known = topics()
    if topic is not None:
        return {"schema": 1, "topic": topic, "markdown": guide(topic), "about": known[topic]}
    return {"schema": 1, "topics": [{"topic": name, "about": about} for name, about in known.items()]}


def _files() -> dict[str, str]:
    """The files as they are, by topic."""
    folder = resources.files("sweep") / "guides"
    found = sorted(file.name for file in folder.iterdir() if file.name.endswith(".md"))
    return {name.removesuffix(".md"): (folder / name).read_text(encoding="utf-8") for name in found}
