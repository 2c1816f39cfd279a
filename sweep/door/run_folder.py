"""A run folder, ``runs/STUDY/``: what is in it, whose it is, and who may write it.

========================  ================================================================
``study.toml``            the study, resolved and complete
``data.parquet``          the table, if a program has given one
``journal.log``           the Optuna journal, unless the study has another storage
``trials.parquet``        one row a trial
``curves.parquet``        one row a trial, replicate and epoch
``race.parquet``          one row a candidate and fresh split
``finalists.parquet``     one row a finalist and fresh seed; and ``finalist_curves.parquet``
``baselines.parquet``     one row a model of scikit-learn and fresh seed
``recipe.json``           versions, machine, seeds, the data's fingerprint
``report.html``           when it was asked for, with ``report.md``
``.lock``                 held by the process that runs the study; free again when it dies
========================  ================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import tomli_w
from filelock import FileLock, Timeout

from sweep.errors import UsageError, reason
from sweep.results.tables.files import replacing
from sweep.search.study_file import spec as specs
from sweep.search.study_file.spec import Spec

FREE = ("study.trials", "study.question", "race", "verdict")  # what a study may change without becoming another one


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run folder; it need not exist yet."""

    TABLE: ClassVar = "data.parquet"

    path: Path

    @property
    def table(self) -> Path:
        """Where the table is kept that a program has given."""
        return self.path.absolute() / self.TABLE

    @property
    def study_file(self) -> Path:
        """The resolved study."""
        return self.path / "study.toml"

    def address(self, spec: Spec) -> str:
        """Where the Optuna study is kept."""
        return spec.study.storage or str(self.path / "journal.log")

    def exists(self) -> bool:
        """Whether a study has been run here."""
        return self.study_file.is_file()

    def spec(self) -> Spec:
        """The study that was run here."""
        if not self.exists():
            raise UsageError(f"{self.path}: no run here: start one with: python -m sweep run {self.path.name}")
        return specs.read(self.study_file)

    def check(self, spec: Spec) -> Spec:
        """Check that the folder is new or belongs to this study.

        Another total of trials, another wording of the question or another `[verdict]` is no difference; the storage is
        that of the earlier run unless the new one names its own, and so are the configurations to start with and the
        size of a generation.

        Returns
        -------
        Spec
            With the storage filled in.
        """
        if not self.exists():
            return spec
        before = self.spec()
        kept = {key: getattr(before.study, key) for key in ("storage", "start") if not getattr(spec.study, key)}
        if spec.study.generation == specs.generation_size(
            spec.study.trials, spec.study.sampler
        ):  # it only follows from the total
            kept["generation"] = before.study.generation
        spec = spec.model_copy(update={"study": spec.study.model_copy(update=kept)})
        changed = differences(before.resolved(), spec.resolved())
        changed = {key: both for key, both in changed.items() if not key.startswith(FREE)}
        if changed:
            listed = "; ".join(f"{key}: {was!r} there, {now!r} now" for key, (was, now) in changed.items())
            raise UsageError(
                f"{self.path}: belongs to a different study ({listed}): use --fresh to start anew (the old folder "
                "is kept under another name) or another --runs folder"
            )
        return spec

    def write(self, spec: Spec) -> None:
        """Write the resolved study into the folder; a table that is kept there is named as beside it."""
        content = spec.resolved()
        if content["data"].get("file") == str(self.table):
            content["data"]["file"] = self.TABLE
        self._write(self.study_file, tomli_w.dumps(content).encode())

    def keep(self, table: bytes) -> None:
        """Write the table that a program has given."""
        self._write(self.table, table)

    def _write(self, file: Path, content: bytes) -> None:
        try:
            with replacing(file) as beside:
                beside.write_bytes(content)
        except OSError as error:
            raise _unwritable(file, error) from error

    def set_aside(self) -> Path | None:
        """Rename the folder, if there is one, to the first free ``STUDY.1``, ``STUDY.2``, ..."""
        if not self.path.exists():
            return None
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.{number}")).exists():
            number += 1
        try:
            self.path.rename(aside)
        except OSError as error:
            raise _unwritable(aside, error) from error
        return aside

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that writes the folder, which is made if it is not there."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / ".lock", timeout=0)
            lock.acquire()
        except Timeout as error:
            raise UsageError(
                f"{self.path}: another process is running this study: wait for it, or use another --runs folder"
            ) from error
        except OSError as error:
            raise _unwritable(self.path, error) from error
        try:
            yield
        finally:
            lock.release()


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path}: cannot be written: {reason(error)}: mend that or choose another --runs folder")


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """The dotted keys whose values differ, with both values (None: not there)."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in [*before, *(k for k in now if k not in before)]:
        was, is_now = before.get(key), now.get(key)
        if isinstance(was, Mapping) and isinstance(is_now, Mapping):
            found |= differences(was, is_now, f"{prefix}{key}.")
        elif was != is_now:
            found[f"{prefix}{key}"] = (was, is_now)
    return found
