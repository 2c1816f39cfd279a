"""Several studies in one file: ``[variants.NAME]``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from sweep.errors import UsageError
from sweep.search.study_file import catalogue
from sweep.search.study_file.spec import complete, complete_variants, read, read_variants
from sweep.search.study_file.variants import content_of, merged
from tests.studies import content, laws

HERE = Path("mine.toml")

keys = st.sampled_from("abc")
leaves = st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2)
tables = st.recursive(
    st.dictionaries(keys, leaves, max_size=3), lambda inner: st.dictionaries(keys, leaves | inner, max_size=3)
)


def found_at(table: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        table = table[key]
    return table


def leaves_of(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Every value that is no table, with its path."""
    inner = [(leaves_of(v, (*path, k)) if isinstance(v, Mapping) else [((*path, k), v)]) for k, v in table.items()]
    return [leaf for each in inner for leaf in each]


@given(base=tables, over=tables)
def test_what_is_merged_over_is_there_and_of_the_rest_what_it_does_not_touch(
    base: dict[str, Any], over: dict[str, Any]
) -> None:
    both = merged(base, over)
    assert merged(base, {}) == merged({}, base) == merged(base, base) == base
    assert merged(both, over) == both
    for path, value in leaves_of(over):
        assert found_at(both, path) == value
    for path, value in leaves_of(both):
        try:
            expected = found_at(over, path)
        except (KeyError, TypeError):  # `over` says nothing of it
            expected = found_at(base, path)
        assert value == expected


FILE: dict[str, Any] = {
    **content(study={"name": "", "question": "what?"}),
    "variants": {
        "iris": {},
        "wine": {"data": {"name": "wine"}, "network": {"epochs": 5}, "study": {"question": "and here?"}},
        "table": {"data": {"file": "mine.csv", "target": "y"}, "search": {"optimizers": ["sgd"]}},
    },
}


def write(folder: Path, study: Mapping[str, Any], name: str = "mine") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(tomli_w.dumps(study))
    return path


def test_a_file_with_variants_is_several_studies_each_with_its_own_name(tmp_path: Path) -> None:
    iris, wine, table = read_variants(write(tmp_path, FILE)).values()
    assert [spec.study.name for spec in (iris, wine, table)] == ["mine-iris", "mine-wine", "mine-table"]
    assert (iris.data.name, iris.network.epochs, iris.study.question) == ("iris", 3, "what?")
    assert (wine.data.name, wine.network.epochs, wine.study.question) == ("wine", 5, "and here?")
    assert wine.network.hidden == iris.network.hidden == [4]
    assert table.source().file == str(tmp_path / "mine.csv")
    assert (table.data.name, table.search.optimizers) == ("", ["sgd"])


def test_the_name_of_the_study_stands_before_that_of_the_variant(tmp_path: Path) -> None:
    study = {**content(), "variants": {"wine": {"data": {"name": "wine"}}}}
    (spec,) = read_variants(write(tmp_path, study)).values()
    assert spec.study.name == "tiny-wine"


def test_a_file_without_variants_is_one_study(tmp_path: Path) -> None:
    path = write(tmp_path, content())
    assert read_variants(path) == {"": read(path)}


@laws
@given(
    change=st.fixed_dictionaries(
        {},
        optional={
            "study": st.fixed_dictionaries({}, optional={"trials": st.integers(1, 99), "seed": st.integers(0, 9)}),
            "data": st.sampled_from([{}, {"rows": 60}, {"name": "wine"}, {"file": "my.csv", "target": "y"}]),
            "network": st.fixed_dictionaries({}, optional={"hidden": st.sampled_from([[], [8]])}),
            "search": st.sampled_from([{}, {"learning_rate": 0.1}, {"optimizer": {"rmsprop": {"decay": 0.5}}}]),
        },
    )
)
def test_a_variant_is_the_study_that_a_file_of_its_own_would_be(change: dict[str, Any]) -> None:
    file = {**content(study={"name": "x-wine"}), "variants": {"wine": change}}
    (spec,) = complete_variants({**file, "study": {**file["study"], "name": "x"}}, HERE).values()
    assert spec == complete(content_of(file, change), HERE)
    assert complete(spec.resolved(), HERE).resolved() == spec.resolved()
    assert "variants" not in spec.resolved()


NAMED = {"name": "make_moons", "arguments": {"noise": 0.1}, "validation": 0.3}
IN_A_FILE = {"file": "my.csv", "target": "y", "ignore": ["id"], "task": "regression", "validation": 0.3}


@pytest.mark.parametrize(
    ("base", "own", "expected"),
    [
        (NAMED, {"file": "a.csv", "target": "b"}, {"file": "a.csv", "target": "b", "validation": 0.3}),
        (IN_A_FILE, {"name": "iris"}, {"name": "iris", "validation": 0.3}),
        (IN_A_FILE, {"file": "other.csv"}, {**IN_A_FILE, "file": "other.csv"}),
        (NAMED, {"name": "make_circles"}, {**NAMED, "name": "make_circles"}),
        (NAMED, {"arguments": {"n_samples": 9}}, {**NAMED, "arguments": {"noise": 0.1, "n_samples": 9}}),
        (NAMED, {"rows": 5}, {**NAMED, "rows": 5}),
    ],
)
def test_data_come_from_one_place(base: dict[str, Any], own: dict[str, Any], expected: dict[str, Any]) -> None:
    assert content_of({"data": base}, {"data": own}) == {"data": expected}


def errors_of(variants: Any, **sections: Any) -> list[str]:
    with pytest.raises(UsageError) as caught:
        complete_variants({**content(**sections), "variants": variants}, HERE)
    return str(caught.value).splitlines()


MISTAKES: list[tuple[Any, str]] = [
    ({"wine": {"network": {"epochs": 0}}}, "variants.wine.network.epochs = 0: must be greater"),
    ({"wine": {"network": {"epoch": 1}}}, "variants.wine.network.epoch: unknown key 'epoch'; did you mean 'epochs'"),
    ({"wine": {"netwrok": {"epochs": 1}}}, "variants.wine.netwrok: unknown key 'netwrok'; did you mean 'network'"),
    ({"wine": {"data": {"name": "wien"}}}, "variants.wine.data.name: unknown data set 'wien'; did you mean 'wine'"),
    ({"wine": {"network": 5}}, "variants.wine.network = 5: must be a table"),
    ({"wine": {"search": {"optimizers": ["sgd"], "optimizer": {"adam": {}}}}}, "variants.wine.search.optimizer.adam"),
    ({"wine": {"data": {"file": "a.csv"}}}, "variants.wine.data.file = 'a.csv': needs target"),
    ({"wine": {"study": {"mode": "compare", "trials": 6}}}, 'variants.wine.study.trials = 6: mode = "compare"'),
    ({"wine": {"variants": {}}}, "variants.wine.variants: unknown key"),
    ({"wine": {"study": {"name": "x"}}}, "variants.wine.study.name = 'x': a variant is called STUDY-wine"),
    ({"wine": 5}, "variants.wine = 5: must be a table: [variants.wine]"),
    ({"a b": {}}, "variants.a b: must be a word"),
    ({"x" * 51: {}}, "at most 50"),
    ({"../x": {}}, "variants.../x: must be a word"),
    ({}, "variants = {}: must hold tables: [variants.NAME]"),
    (5, "variants = 5: must hold tables"),
]


@pytest.mark.parametrize(("variants", "said"), MISTAKES, ids=[said.partition(":")[0] for _, said in MISTAKES])
def test_a_mistake_is_one_line_that_names_the_variant(variants: Any, said: str) -> None:
    (line,) = errors_of(variants)
    assert line.startswith("mine.toml: variants")
    assert said in line


def test_what_is_wrong_with_the_rest_of_the_file_is_said_once() -> None:
    both = {"iris": {}, "wine": {"data": {"name": "wine"}, "network": {"batch_size": 0}}}
    lines = errors_of(both, network={"epochs": 0})
    assert [line.partition(" = ")[0] for line in lines] == [
        "mine.toml: network.epochs", "mine.toml: variants.wine.network.batch_size",
    ]  # fmt: skip
    (line,) = errors_of({"wine": {}}, network={"epochs": 0})
    assert line.startswith("mine.toml: variants.wine: network.epochs = 0")


def test_a_name_that_no_folder_can_have_is_one_line() -> None:
    (line,) = errors_of({"wine": {}}, study={"name": "x" * 198})
    assert "at most 200 bytes" in line


def test_a_file_with_variants_is_no_single_study(tmp_path: Path) -> None:
    path = write(tmp_path, FILE)
    with pytest.raises(UsageError, match="mine-iris, mine-wine, mine-table") as caught:
        read(path)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{path}: has variants")


# ---------------------------------------------------------------------------------------------------- by which name


@pytest.fixture
def shelf(tmp_path: Path) -> Any:
    """Shipped studies: one with variants, one without, and one called like a variant of the first."""
    write(tmp_path, FILE, "mine")
    write(tmp_path, content(study={"name": ""}), "plain")
    write(tmp_path, {**content(), "study": {"trials": 5}}, "mine-wine")
    known = {name: tmp_path / f"{name}.toml" for name in ("mine", "plain", "mine-wine")}
    with mock.patch.object(catalogue, "shipped", return_value=known):
        yield tmp_path


def test_a_shipped_study_is_found_with_its_variants(shelf: Path) -> None:
    found = catalogue.find("mine")
    assert (found.name, found.in_variants, found.question) == ("mine", True, "what?")
    assert {name: spec.study.name for name, spec in found.studies.items()} == {
        name: name for name in ("mine-iris", "mine-wine", "mine-table")
    }
    plain = catalogue.find("plain")
    assert (plain.name, list(plain.studies), plain.in_variants) == ("plain", ["plain"], False)


def test_a_variant_is_found_by_the_names_of_study_and_variant(shelf: Path) -> None:
    assert catalogue.one("mine-iris").study.name == "mine-iris"
    assert not catalogue.find("mine-iris").in_variants
    assert catalogue.one("mine-wine").study.trials == 5, "a study of that very name goes first"


def test_a_variant_of_a_file_is_found_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a-b").mkdir()
    path = str(write(tmp_path / "a-b", FILE))
    found = catalogue.find(path)
    assert list(found.studies) == [path.replace(".toml", f"-{name}.toml") for name in ("iris", "wine", "table")]
    for name, spec in found.studies.items():
        assert catalogue.one(name) == spec


def test_who_names_the_study_where_one_is_needed_hears_of_the_variants(shelf: Path) -> None:
    with pytest.raises(UsageError, match=r"mine: has variants, .*: name one of mine-iris, mine-wine, mine-table"):
        catalogue.one("mine")
    path = shelf / "mine.toml"
    with pytest.raises(UsageError, match=rf"name one of {path.with_name('mine-iris.toml')}, "):
        catalogue.one(str(path))


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ("mine-wien", "mine-wien: unknown variant 'wien'; did you mean 'wine'"),
        ("plain-wine", "unknown study 'plain-wine'"),
        ("mien", "unknown study 'mien'; did you mean 'mine'"),
        ("there-wine.toml", "there-wine.toml: no such study file"),
        ("-", "unknown study '-'"),
        ("", "unknown study ''"),
        (".toml", ".toml: no such study file"),
        (f"{'x' * 300}.toml", f"{'x' * 300}.toml: cannot be read: File name too long"),
    ],
)
def test_what_nobody_knows_is_one_line(shelf: Path, study: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        catalogue.find(study)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(said)
