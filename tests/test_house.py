"""The house: rooms and a door, imports downwards only, no cycle, small files and functions, nothing else at the top."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "sweep"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# From the bottom up: the errors, which everybody may use; the rooms; the door; and `__main__`.
FLOORS = {"errors": 0, "learning": 1, "parity": 2, "search": 3, "results": 4, "bench": 5, "door": 6}
TOP = 7


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {module_name(path) for path in SOURCES}


def imports(path: Path) -> Iterator[str]:
    """The modules of `sweep` that a file imports anywhere but under TYPE_CHECKING, lazily or not."""
    tree = ast.parse(path.read_text())
    hidden = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in NAMES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def floor(module: str) -> int:
    parts = module.split(".")
    return FLOORS.get(parts[1], TOP) if len(parts) > 1 else -1


@cache
def graph() -> dict[str, set[str]]:
    """Who imports whom; worked out by the first test, not by everybody who collects the tests."""
    return {
        module_name(path): {name for name in imports(path) if name.split(".")[0] == "sweep" and name != "sweep"}
        for path in SOURCES
    }


def test_arrows_run_downwards_only() -> None:
    upward = [f"{m} -> {t}" for m, targets in graph().items() for t in targets if m != "sweep" and floor(t) > floor(m)]
    assert not upward


def test_there_is_no_import_cycle() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module in done:
            return
        for target in graph().get(module, ()):
            visit(target, (*path, module))
        done.add(module)

    for module in graph():
        visit(module, ())


def parts_of(room: str) -> dict[str, set[str]]:
    """Which parts of a room, its files and the rooms in it, import which other parts of it."""
    depth = room.count(".") + 1

    def part(module: str) -> str:
        return module.split(".")[depth] if module.startswith(room + ".") else ""

    found: dict[str, set[str]] = {}
    for module, targets in graph().items():
        if part(module):
            found.setdefault(part(module), set()).update({part(name) for name in targets} - {part(module), ""})
    return found


ROOMS = sorted({module_name(path) for path in SOURCES if path.name == "__init__.py"})


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_inside_a_room_go_round_in_no_circle(room: str) -> None:
    left = parts_of(room)
    while free := {part for part, targets in left.items() if not targets & left.keys()}:
        left = {part: targets for part, targets in left.items() if part not in free}
    assert not left


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in SOURCES + TESTS}), ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_folder_has_at_most_12_files(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= 12


@pytest.mark.parametrize("room", ["learning", "parity", "results"])
def test_only_the_search_room_and_the_door_know_optuna(room: str) -> None:
    for path in (PACKAGE / room).rglob("*.py"):
        assert not any(name.split(".")[0] == "optuna" for name in imports(path)), path


def test_pandas_is_imported_in_the_learning_room_only_where_tables_are_read() -> None:
    users = {p.parent for p in (PACKAGE / "learning").rglob("*.py") if any(n.startswith("pandas") for n in imports(p))}
    assert users == {PACKAGE / "learning" / "data" / "tables"}


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_have_at_most_400_lines_and_functions_40(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            starts_with_docstring = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
            first = body[1].lineno if starts_with_docstring and len(body) > 1 else body[0].lineno
            length = (node.end_lineno or node.lineno) - first + 1
            assert length <= 40, f"{path}: {node.name} has {length} lines below its docstring"


def test_the_top_level_holds_what_the_design_has_and_nothing_else() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= {
        "pyproject.toml",
        "README.md",
        "sweep",
        "studies",
        "tests",
    }


def test_importing_sweep_imports_nothing_heavy() -> None:
    code = (
        "import sys, sweep; print([m for m in ('numpy', 'optuna', 'pandas', 'sklearn', 'numba') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_help_imports_none_of_the_libraries_that_commands_need() -> None:
    code = (
        "import sys; sys.argv = ['sweep', '--help']\n"
        "heavy = ('numpy', 'optuna', 'pandas')\n"
        "import atexit; atexit.register(lambda: print([m for m in heavy if m in sys.modules]))\n"
        "from sweep.door.cli import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_there_is_no_bare_except() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ExceptHandler) and node.type is None), path
