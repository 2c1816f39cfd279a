"""Whether the data of a run are still what they were when it was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.errors import reason
from sweep.learning.data.identity import identity
from sweep.results.statistics.summaries import Finding


@dataclass(frozen=True, slots=True)
class Changed:
    """A file of data that is not what it was, in words: what it was, and what it is now."""

    file: str
    was: str
    now: str
    gone: bool = False

    @property
    def evidence(self) -> str:
        """What has changed."""
        if self.gone:
            return f"{self.file}: cannot be read any more ({self.now}); this run had {self.was}"
        return f"{self.file}: the data have changed since this run: they had {self.was}, now {self.now}"

    @property
    def advice(self) -> str:
        """What to do."""
        return "bring the old file back" + ("" if self.gone else ", or run the study again with --fresh")

    @property
    def finding(self) -> Finding:
        """The same as a finding."""
        return Finding("data gone" if self.gone else "data changed", self.evidence, self.advice)


def changed(recipe: Mapping[str, Any], file: str) -> Changed | None:
    """Compare a file with what a run's recipe says of it; None: it is the same, or the recipe says nothing."""
    was = recipe.get("data", {}).get("file")
    if not file or not was:
        return None
    try:
        now = identity(Path(file))
    except OSError as error:
        return Changed(file, _words(was), reason(error), gone=True)
    return None if now == was else Changed(file, _words(was), _words(now))


def _words(known: Mapping[str, Any]) -> str:
    return f"{known['bytes']:,} bytes (SHA-256 {str(known['sha256'])[:12]}...)"
