"""All studies again, as `studies/README.md` tells them: run, answered by its lines of Python, and drawn.

``python -m tests.benchmarks.studies [NAME ...]``, about 10 minutes for all on two cores. Runs go to the folder ``runs``
of the working directory; the figures, SVG, to ``studies/``. Drawing needs a Chromium, see `tests.browser`.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

import sweep
from sweep.door.terminal.summary import summary
from sweep.results.plots import PLOTS
from tests.browser import browser

STUDIES = Path(__file__).resolve().parents[2] / "studies"
WIDTH = 88  # of the terminal in the picture
FIGURES = {
    "schedules": ("schedules-digits", "scores"),
    "initial-cache": ("initial-cache", "learning-rates"),
    "epsilon": ("epsilon", "scores"),
    "adagrad-or-rmsprop": ("adagrad-or-rmsprop-digits", "effective-rates"),
    "momentum": ("momentum-ill-conditioned", "learning-curves"),
    "step-or-inverse-time": ("step-or-inverse-time-condition-100", "tuning-curves"),
    "separable": ("separable", "scores"),
    "knobs": ("knobs", "tuning-curves"),
    "regression": ("regression", "scores"),
}
_DRAW = """async ([figure, script]) => {
    const place = document.body.appendChild(document.createElement("div"));
    const drawn = await Plotly.newPlot(place, figure.data, figure.layout);
    const image = await Plotly.toImage(drawn, {format: "svg", width: 760, height: 420});
    return decodeURIComponent(image.slice(image.indexOf(",") + 1));
}"""


def sections() -> dict[str, list[str]]:
    """The blocks of Python below each heading of the studies' README."""
    found = {}
    for part in re.split(r"^## ", (STUDIES / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        name, _, body = part.partition("\n")
        found[name.strip()] = re.findall(r"^```python\n(.*?)^```", body, flags=re.MULTILINE | re.DOTALL)
    return found


def again(name: str, blocks: list[str]) -> None:
    """Run a study as a user would, then its lines of Python."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "sweep", "run", name, "--fresh"], check=True)
    sys.stdout.write(f"\n{name}: {time.monotonic() - started:.0f} s\n")
    sys.stdout.flush()
    for block in blocks:
        subprocess.run([sys.executable, "-c", block], check=True)


def picture() -> None:
    """Write what the quickstart says in a terminal."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print("$ python -m sweep\n", style="bold")
    console.print(summary(sweep.load("runs/quickstart"), "quickstart"))
    (STUDIES / "quickstart.svg").write_text(console.export_svg(title="python -m sweep"), encoding="utf-8")


def draw(names: list[str]) -> None:
    """Write the figure of each study."""
    import plotly.offline

    with browser() as opened:
        page = opened.new_page()
        page.add_script_tag(content=plotly.offline.get_plotlyjs())
        for name in names:
            if name not in FIGURES:
                continue
            run, plot = FIGURES[name]
            figure = PLOTS[plot](sweep.load(Path("runs") / run).answer)
            if figure is not None:
                figure.update_layout(paper_bgcolor="white", plot_bgcolor="white")
                svg = page.evaluate(_DRAW, [figure.to_plotly_json(), ""])
                (STUDIES / f"{name}.svg").write_text(svg, encoding="utf-8")


def main() -> None:
    """Run those named, or all."""
    blocks = sections()
    names = sys.argv[1:] or list(blocks)
    for name in names:
        again(name, blocks[name])
    if "quickstart" in names:
        picture()
    draw(names)


if __name__ == "__main__":
    main()
