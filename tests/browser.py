"""A browser for tests: where there is none, they are skipped, and say why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW = "set CHROMIUM to its path, or run: playwright install chromium"


def executable(chromium: BrowserType) -> str | None:
    """Where Chromium is: as the variable CHROMIUM says, playwright's own, or one on the path."""
    if given := os.environ.get("CHROMIUM"):
        return given
    own = chromium.executable_path
    return own if Path(own).is_file() else next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium inside the block."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("playwright is not installed: pip install playwright")
    with sync_playwright() as playwright:
        path = executable(playwright.chromium)
        if path is None:
            pytest.skip(f"there is no Chromium: {HOW}")
        # A sandbox needs rights that containers seldom give; what is opened here is our own page.
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()
