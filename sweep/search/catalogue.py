"""The studies that come with the project: ``studies/`` of the checkout, or the copy inside an installed package."""

from __future__ import annotations

from pathlib import Path

from sweep.errors import UsageError, unknown

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped() -> dict[str, Path]:
    """Name to study file, by name."""
    installed, checkout = _PACKAGE / "studies", _PACKAGE.parent / "studies"
    folder = installed if installed.is_dir() else checkout
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find(study: str) -> Path:
    """The study file that a user means: a path to a TOML file, or the name of a shipped study.

    Raises
    ------
    UsageError
        Neither; the nearest name is given.
    """
    if study.endswith(".toml"):
        return Path(study)
    if study not in shipped():
        raise UsageError(f"{unknown('study', study, shipped())}; or give the path of a .toml file")
    return shipped()[study]
