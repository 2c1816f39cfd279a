"""Which study a user means, and which run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.door import tables
from sweep.door.run_folder import RunFolder
from sweep.errors import UsageError
from sweep.learning.data.tables import reading
from sweep.search.storage.storage import absolute
from sweep.search.study_file import catalogue
from sweep.search.study_file import spec as specs
from sweep.search.study_file.catalogue import Found
from sweep.search.study_file.spec import Spec

Study = str | Path | Mapping[str, Any] | Spec | Found  # a shipped study's name, a study file's path or its content


def resolve(study: Study, **wishes: Any) -> Spec:
    """Find a study, validate it, and put the caller's wishes over what it says.

    Parameters
    ----------
    study : str, Path, mapping or Spec
        A shipped study's name, a path to a study file, or the content of one. One that has variants is refused in a
        line that names them.
    wishes
        As in `resolve_all`.
    """
    if isinstance(study, Mapping):
        study = specs.complete(study, Path("study"))
    elif not isinstance(study, Spec):
        study = catalogue.one(str(study))
    (spec,) = resolve_all(study, **wishes)
    return spec


def resolve_all(study: Study, **wishes: Any) -> list[Spec]:
    """The same for a study that may have variants: all of them, in the order of the file.

    Parameters
    ----------
    study : str, Path, mapping or Spec
    trials, seed : int, optional
    sampler, pruner, storage : str, optional
        Stand in for what the study says.
    """
    return list(find_all(study, **wishes).studies.values())


def find_all(
    study: Study,
    *,
    trials: int | None = None,
    seed: int | None = None,
    sampler: str | None = None,
    pruner: str | None = None,
    storage: str | None = None,
) -> Found:
    """The same, with what a command line may call each."""
    address = None if storage is None else absolute(storage, Path.cwd())
    wishes = {"trials": trials, "seed": seed, "sampler": sampler, "pruner": pruner, "storage": address}
    given = {key: value for key, value in wishes.items() if value is not None}
    found = _found(study)
    return Found(found.name, {name: _wished(s, given, found) for name, s in found.studies.items()}, found.in_variants)


def of_table(study: str, targets: Sequence[str], task: str | None, runs: str | Path) -> Found | None:
    """The study of a table, if one is named; without a target that which has been run of it.

    Raises
    ------
    UsageError
        There is no target, or there are a target and a study that has its own.
    """
    if not reading.is_table(Path(study)):
        for option, value in (("--target", targets), ("--task", task)):
            if value:
                raise UsageError(f"{option}: goes with a table, such as my.csv; a study file says it under [data]")
        return None
    folder = RunFolder(Path(runs) / tables.name_of(study))
    spec = folder.spec() if not targets and folder.exists() else tables.study(study, targets, task)
    return Found(spec.study.name, {study: spec}, in_variants=False)


def _found(study: Study) -> Found:
    if isinstance(study, Found):
        return study
    if isinstance(study, Spec):
        return Found(study.study.name, {study.study.name: study}, in_variants=False)
    if not isinstance(study, Mapping):
        return catalogue.find(str(study))
    return catalogue.family("study", specs.complete_variants(study, Path("study")))


def _wished(spec: Spec, given: Mapping[str, Any], found: Found) -> Spec:
    for key, value in given.items():
        try:
            specs.check_option(spec, key, value)
        except UsageError as error:
            name = spec.study.name if found.in_variants else ""
            raise UsageError(*(problem.at(name) for problem in error.problems)) from error
    return spec.model_copy(update={"study": spec.study.model_copy(update=given)})


def folder_of(study: str | Path, runs: str | Path = "runs") -> RunFolder:
    """The run folder that a user means: a folder with a run in it, or that of a study (name or file) under `runs`."""
    if RunFolder(Path(study)).exists():
        return RunFolder(Path(study))
    if reading.is_table(Path(study)):
        return RunFolder(Path(runs) / tables.name_of(study))
    name = catalogue.one(str(study)).study.name if str(study).endswith(".toml") else str(study)
    folder = RunFolder(Path(runs) / name)
    if not folder.exists():
        catalogue.one(str(study))  # an unknown study is the likelier mistake, or one that has variants
    return folder


def folders_of(study: str | Path, runs: str | Path = "runs") -> tuple[str, dict[str, RunFolder]]:
    """The run folders of a study's variants that have been run, by what a command line may call each; and its name.

    Of a study without variants it is one folder, called as the study was named.
    """
    named = str(study)
    if RunFolder(Path(study)).exists() or (not named.endswith(".toml") and RunFolder(Path(runs) / named).exists()):
        return named, {named: folder_of(study, runs)}
    if reading.is_table(Path(named)):
        return tables.name_of(named), {named: folder_of(study, runs)}
    found = catalogue.find(named)
    if not found.in_variants:
        return found.name, {named: folder_of(study, runs)}
    folders = {name: RunFolder(Path(runs) / spec.study.name) for name, spec in found.studies.items()}
    there = {name: folder for name, folder in folders.items() if folder.exists()}
    if not there:
        raise UsageError(f"{Path(runs)}: no variant of {named} has been run here: python -m sweep run {named}")
    return found.name, there
