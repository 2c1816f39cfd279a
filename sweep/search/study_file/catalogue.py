"""The studies that a user may name: those that come with the project, and files; and the variants that one file holds.

The project's are in ``studies/`` of the checkout, or in the copy inside an installed package.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.errors import UsageError, unknown
from sweep.search.study_file import spec as specs
from sweep.search.study_file.spec import Spec
from sweep.search.study_file.variants import KEY

_PACKAGE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Found:
    """What a user means by the name of a study: a study, or several, the variants of one file.

    Attributes
    ----------
    name : str
        Of the study as a whole.
    studies : mapping
        By what a command line may call each: ``schedules-digits``, or ``mine-wine.toml``.
    in_variants : bool
        Whether they are the variants of what was named; also if there is but one.
    """

    name: str
    studies: Mapping[str, Spec]
    in_variants: bool

    @property
    def question(self) -> str:
        """The question, or that of the first variant."""
        return next(iter(self.studies.values())).study.question


def shipped() -> dict[str, Path]:
    """Name to study file, by name."""
    installed, checkout = _PACKAGE / "studies", _PACKAGE.parent / "studies"
    folder = installed if installed.is_dir() else checkout
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find(study: str) -> Found:
    """The study that a user means, or its variants: the path of a TOML file or the name of a shipped study.

    ``schedules-digits`` is the variant ``digits`` of ``schedules``, ``mine-wine.toml`` the variant ``wine`` of
    ``mine.toml``, unless there is a study of that very name.

    Raises
    ------
    UsageError
        Neither; the nearest name is given.
    """
    file = _file(study)
    if file is None:
        return _variant(study)
    return family(study, specs.read_variants(file))


def family(study: str, variants: Mapping[str, Spec]) -> Found:
    """What a study has that a user calls so, from its variants by their names (one that has none is called nothing)."""
    (variant, spec), *_ = variants.items()
    if not variant:
        return Found(spec.study.name, {study: spec}, in_variants=False)
    stem, ending = _cut(study)
    name = spec.study.name.removesuffix(f"-{variant}")
    return Found(name, {f"{stem}-{variant}{ending}": spec for variant, spec in variants.items()}, in_variants=True)


def one(study: str) -> Spec:
    """The one study that a user means.

    Raises
    ------
    UsageError
        There is none, or it has variants, which are named.
    """
    found = find(study)
    if found.in_variants:
        raise UsageError(f"{study}: has variants, each a study by itself: name one of {', '.join(found.studies)}")
    return next(iter(found.studies.values()))


def content(study: str) -> tuple[dict[str, Any], Path]:
    """What the one study says that a user means, before it is completed, and where it stands.

    Raises
    ------
    UsageError
        As `one`.
    """
    file = _file(study)
    if file is not None and KEY not in (found := specs.content(file)):
        return found, file
    spec = one(study)
    return spec.model_dump(exclude_none=True), Path(spec.study.name)


def _cut(study: str) -> tuple[str, str]:
    """The name and the ending, if it is a file's."""
    ending = ".toml" if study.endswith(".toml") else ""
    return study.removesuffix(ending), ending


def _file(study: str) -> Path | None:
    """The study file of this name, if there is one."""
    if study.endswith(".toml"):
        return Path(study) if _is_there(Path(study)) else None
    return shipped().get(study)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # such as a name that no file can have: whoever reads it will say so
        return True


def _variant(study: str) -> Found:
    """The variant that is meant by STUDY-VARIANT."""
    stem, ending = _cut(study)
    for place in range(stem.rfind("/") + 1, len(stem)):
        file = _file(stem[:place] + ending) if stem[place] == "-" else None
        if file is None:
            continue
        found, variant = specs.read_variants(file), stem[place + 1 :]
        if variant in found:
            return Found(found[variant].study.name, {study: found[variant]}, in_variants=False)
        if "" not in found:
            raise UsageError(f"{study}: {unknown('variant', variant, found)} (of {file})")
    if ending:
        specs.read(Path(study))  # says that it is not there
    raise UsageError(f"{unknown('study', study, shipped())}; or give the path of a .toml file")
