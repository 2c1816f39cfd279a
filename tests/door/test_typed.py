"""Outside, `sweep` is typed: what is installed tells a user's ``mypy --strict`` what each public name is."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import sweep

ROOT = Path(__file__).parent.parent.parent

# Expression and what mypy reveals of it. pandas has no types of its own: see `test_a_table_is_a_data_frame_...`.
REVEALED = {
    'sweep.load("runs/quickstart")': "sweep.door.result.Result",
    'sweep.run("quickstart", trials=3, workers=1)': "sweep.door.result.Result",
    'sweep.run(data=[[1.0]], target="y", trials=3, learning_rate=(1e-4, 1.0), hidden=[8])': "sweep.door.result.Result",
    "result.spec.study.trials": "int",
    "result.verdict": "sweep.results.statistics.verdicts.Verdict | None",
    "result.recommendation": "sweep.results.recommendation.Recommendation | None",
    "result.configuration": "sweep.learning.configuration.Configuration",
    "result.configuration.learning_rate": "float",
    "result.best": "dict[str, Any]",
    "result.findings": "list[sweep.results.statistics.summaries.Finding]",
    "result.study": "optuna.study.study.Study",
    "result.answer": "sweep.results.answer.Answer",
    "result.trials": "Any",
    "sweep.train([configuration], 'iris', epochs=3)": "Any",
    "sweep.optimizers.Momentum(momentum=0.9)": "sweep.learning.optimizers.rules.Momentum",
    "sweep.schedules.Step(every=10.0, divisor=2.0)": "sweep.learning.schedules.formulas.Step",
    "sweep.Configuration(0.1, sweep.optimizers.Sgd()).arm": "str",
    'sweep.convention("torch").optimizer("adam")': "sweep.learning.optimizers.base.Optimizer",
    "sweep.NetworkClassifier(epochs=20).fit([[1.0]], [1])": "sweep.learning.estimators.NetworkClassifier",
    "sweep.NetworkRegressor(hidden=(8, 4))": "sweep.learning.estimators.NetworkRegressor",
    "sweep.SweepError.exit_code": "int",
    "sweep.__version__": "str",
}

# What a user gets wrong, and the kind of mypy's complaint.
WRONG = {
    'sweep.run(trials="three")': "arg-type",
    'sweep.run(epochs="three")': "arg-type",
    "sweep.run(epoch=3)": "call-arg",
    "sweep.load()": "call-arg",
    "sweep.lod": "attr-defined",
    "result.trails": "attr-defined",
    'sweep.NetworkClassifier(epochs="many")': "arg-type",
    'sweep.optimizers.Momentum(momentum="much")': "arg-type",
    'sweep.Configuration(0.1, "sgd")': "arg-type",
}

START = """
import sweep

result = sweep.load("runs/quickstart")
configuration = sweep.Configuration(0.1, sweep.optimizers.Momentum(momentum=0.9), sweep.schedules.Step(every=10.0))
"""


class Elsewhere:
    """A user's environment: `sweep` is installed there, and it sees the libraries that are here."""

    def __init__(self, place: Path, cache: Path) -> None:
        self.place, self.cache = place, cache
        builder = venv.EnvBuilder(with_pip=False)
        builder.create(place / "env")
        self.python = builder.ensure_directories(place / "env").env_exe
        base = {"base": str(place / "env"), "platbase": str(place / "env")}
        self.site = Path(sysconfig.get_path("purelib", "venv", base))
        (self.site / "beside.pth").write_text(sysconfig.get_path("purelib") + "\n")
        shutil.copytree(ROOT / "sweep", self.site / "sweep", ignore=shutil.ignore_patterns("__pycache__"))

    def check(self, lines: list[str]) -> list[str]:
        """What ``mypy --strict`` says of some lines of a user's, a string for each of them."""
        (self.place / "user.py").write_text("\n".join([START, *lines]) + "\n")
        strict = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={self.cache}"]
        command = [*strict, f"--python-executable={self.python}", "user.py"]
        found = subprocess.run(command, cwd=self.place, capture_output=True, text=True, check=False)
        assert found.returncode in (0, 1), found.stdout + found.stderr
        said: dict[int, str] = {}
        for number, text in re.findall(r"^user\.py:(\d+): (.*)$", found.stdout, re.M):
            said[int(number)] = said.get(int(number), "") + text
        first = START.count("\n") + 2
        assert not {n: text for n, text in said.items() if n < first}
        return [said.get(first + place, "") for place in range(len(lines))]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Elsewhere:
    pytest.importorskip("mypy", reason="mypy is not installed")
    # What mypy has found of the libraries is kept for the next time: without it they take half a minute.
    cache = getattr(request.config, "cache", None)
    kept = cache.mkdir("typed") if cache else tmp_path_factory.mktemp("typed")
    return Elsewhere(tmp_path_factory.mktemp("elsewhere"), kept)


@pytest.mark.long
def test_a_users_strict_mypy_knows_what_each_public_name_gives_and_what_is_wrong(elsewhere: Elsewhere) -> None:
    said = elsewhere.check([*(f"reveal_type({line})" for line in REVEALED), *WRONG])
    revealed = [re.sub(r'note: Revealed type is "(.*)"', r"\1", text) for text in said[: len(REVEALED)]]
    assert dict(zip(REVEALED, revealed, strict=True)) == REVEALED
    for (line, kind), text in zip(WRONG.items(), said[len(REVEALED) :], strict=True):
        assert f"[{kind}]" in text, f"{line}: {text or 'nothing'}"


def test_every_public_name_is_among_them() -> None:
    shown = " ".join([*REVEALED, *REVEALED.values()])
    assert not [name for name in sweep.__all__ if not re.search(rf"\b{name}\b", shown)]


def test_every_public_name_is_documented_with_an_example() -> None:
    assert not [name for name in sweep.__all__ if ">>> " not in (getattr(sweep, name).__doc__ or "")]


@pytest.mark.long
def test_a_table_is_a_data_frame_where_pandas_has_types(elsewhere: Elsewhere) -> None:
    """pandas has none of its own, `pandas-stubs` has; a few lines stand in for these."""
    stubs = elsewhere.site / "pandas-stubs"
    stubs.mkdir()
    try:
        (stubs / "__init__.pyi").write_text("class DataFrame: ...\nclass Series: ...\n")
        tables = [
            "result.trials",
            "result.curves",
            "result.arms",
            'result.table("race")',
            "sweep.train([configuration])",
        ]
        for text in elsewhere.check([f"reveal_type({table})" for table in tables]):
            assert text == 'note: Revealed type is "pandas.DataFrame"'
    finally:
        shutil.rmtree(stubs)


def test_the_names_for_type_checkers_are_those_that_are_found() -> None:
    tree = ast.parse((ROOT / "sweep" / "__init__.py").read_text())
    typed = {
        alias.asname or alias.name: (str(node.module), alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("sweep.")
        for alias in node.names
    }
    assert sorted(typed) == sorted(sweep.__all__)
    for name, (home, own) in typed.items():
        assert getattr(sweep, name) is getattr(importlib.import_module(home), own)


@pytest.mark.long
def test_the_wheel_says_that_it_is_typed(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "sweep/py.typed" in names
    assert "sweep/studies/quickstart.toml" in names
    assert not [name for name in names if name.split("/")[0] not in ("sweep", f"sweep-{sweep.__version__}.dist-info")]
