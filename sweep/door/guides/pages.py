"""Guides as a page of HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markupsafe import Markup

import sweep


@dataclass(frozen=True, slots=True)
class _Guide:
    """One as the page has it."""

    topic: str
    title: str
    body: Markup


def page(guides: Mapping[str, str]) -> str:
    """One page of all these guides, Markdown by topic; if there are several, their list comes first."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    shown = [
        _Guide(topic, text.partition("\n")[0].removeprefix("# "), Markup(markdown.render(text)))
        for topic, text in guides.items()
    ]
    environment = Environment(
        loader=PackageLoader("sweep.door", "guides"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    title = shown[0].title if len(shown) == 1 else "the guides"
    return environment.get_template("page.html").render(guides=shown, title=title, version=sweep.__version__)
