"""The door: ``python -m sweep``. Commands are thin and import what they need inside, so that ``--help`` is quick."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sweep import __version__
from sweep.door.terminal import streams
from sweep.door.terminal.ending import PROGRAM, exit_code
from sweep.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    pass

app = typer.Typer(
    name=PROGRAM,
    help="Which optimizer, which schedule, which constants? Without a command: run the study 'quickstart'.",
    epilog="Example: python -m sweep run schedules --workers 2",
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Study = Annotated[str, typer.Argument(help="a study's name (see 'list'), the path of a TOML file, or a table")]
Target = Annotated[
    list[str] | None, typer.Option("--target", metavar="COLUMN", help="what to predict of a table; repeatable")
]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="where run folders are")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on stdout, nothing else there")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="no progress, no summary: errors only")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="say more; the traceback of an internal error")]
HERE = Path("runs")


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sweep {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def door(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="say which version this is")
    ] = False,
) -> None:
    """Run the study 'quickstart' when no command is given."""
    if context.invoked_subcommand is None:
        run("quickstart")


@app.command(epilog="Example: python -m sweep run schedules --trials 400 --workers 2")
def run(
    study: Study,
    target: Target = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="of a table: classification or regression, if not as guessed")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="the total of trials, not more of them")] = None,
    workers: Annotated[int | None, typer.Option(help="worker processes (default: one a core)")] = None,
    seed: Annotated[int | None, typer.Option(help="the study's seed")] = None,
    backend: Annotated[str, typer.Option(help="who trains: serial, loky or dask")] = "loky",
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="a Dask scheduler")] = None,
    storage: Annotated[str | None, typer.Option(metavar="PATH_OR_URL", help="a journal file or a database")] = None,
    sampler: Annotated[
        str | None, typer.Option(metavar="NAME", help="who proposes: tpe, random, optuna:...; a wrong name lists all")
    ] = None,
    pruner: Annotated[
        str | None, typer.Option(metavar="NAME", help="who stops hopeless trials early: none, halving or median")
    ] = None,
    start_from: Annotated[
        str | None, typer.Option("--from", metavar="RUN", help="begin with the best configurations of another run")
    ] = None,
    timeout: Annotated[float | None, typer.Option(metavar="SECONDS", help="ask no more trials after this")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show arms, trials, memory and time; run nothing")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="start anew; keep an old run under another name")] = False,
    runs: Runs = HERE,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Run a study, or go on with it: what an earlier run has finished counts."""
    from sweep.door import foreground

    options = foreground.Options(
        trials=trials, workers=workers, seed=seed, backend=backend, scheduler=scheduler, storage=storage,
        sampler=sampler, pruner=pruner, start_from=start_from, timeout=timeout, fresh=fresh, runs=runs,
        target=tuple(target or ()), task=task,
    )  # fmt: skip
    if dry_run:
        streams.dry_run(foreground.planned(study, options, streams.err()), workers, as_json)
        return
    streams.show(
        foreground.run(study, options, streams.err(), quiet=quiet or as_json, verbose=verbose),
        as_json=as_json,
        quiet=quiet,
    )


@app.command(epilog="Example: python -m sweep init my.csv --target price")
def init(
    table: Annotated[Path, typer.Argument(help="a table: .csv, .parquet, .xlsx, ... ")],
    target: Target = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="the study file (default: TABLE.toml, here)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at a table: its columns by kind, what is odd about it; write a study file to start from."""
    from sweep.door import tables
    from sweep.door.terminal import table as shown

    look = tables.look(table, tuple(target or ()), output)
    if as_json:
        streams.say_json({"schema": 1} | asdict(look))
    else:
        streams.out().print(shown.shown(look), crop=False)


@app.command("list", epilog="Example: python -m sweep list")
def list_studies(as_json: AsJson = False) -> None:
    """List the studies that can be run, a line each."""
    from sweep.search.study_file import catalogue

    found = [catalogue.find(name) for name in catalogue.shipped()]
    totals = [sum(spec.study.trials for spec in each.studies.values()) for each in found]
    if as_json:
        listed = [
            {"name": each.name, "trials": total, "question": each.question}
            | ({"variants": list(each.studies)} if each.in_variants else {})
            for each, total in zip(found, totals, strict=True)
        ]
        streams.say_json({"studies": listed})
        return
    width = max((len(each.name) for each in found), default=0)
    for each, total in zip(found, totals, strict=True):
        count = f"{len(each.studies)} variants: " if each.in_variants else ""
        typer.echo(f"{each.name:{width}}  {total:5d} trials  {count}{each.question}")


@app.command(epilog="Example: python -m sweep show quickstart --json")
def show(study: Study, runs: Runs = HERE, as_json: AsJson = False) -> None:
    """Show the summary of a finished or running study again."""
    from sweep.door import foreground

    streams.show(foreground.shown(study, runs), as_json=as_json, quiet=False, elsewhere=True)


@app.command(epilog="Example: python -m sweep export quickstart trials.csv")
def export(
    study: Study,
    file: Annotated[Path, typer.Argument(help="ends in .csv, .parquet, .feather, .json or .xlsx")],
    table: Annotated[str, typer.Option(help="trials, curves, race, finalists or finalist_curves")] = "trials",
    runs: Runs = HERE,
    as_json: AsJson = False,
) -> None:
    """Write a table of a study to one file, in the format of its ending."""
    from sweep.door import api
    from sweep.results.tables import tables

    frame = api.load(api.folder_of(study, runs).path).table(table)
    tables.export(frame, file)
    if as_json:
        streams.say_json({"file": str(file), "table": table, "rows": len(frame)})
    else:
        typer.echo(f"{file}: {len(frame)} rows of {table}")


@app.command(epilog="Example: python -m sweep report quickstart --open")
def report(
    study: Study,
    open_it: Annotated[bool, typer.Option("--open", help="show it in the browser")] = False,
    runs: Runs = HERE,
    as_json: AsJson = False,
) -> None:
    """Write report.html, one self-contained page with the verdict and the figures, and report.md."""
    from sweep.door import api
    from sweep.results.telling import report as reports

    file = reports.write(api.load(api.folder_of(study, runs).path).answer)
    if as_json:
        streams.say_json({"file": str(file), "markdown": str(file.with_suffix(".md"))})
    else:
        typer.echo(f"{file} (and {file.with_suffix('.md').name})")
    if open_it:
        typer.launch(file.absolute().as_uri())


@app.command(epilog="Example: python -m sweep dashboard quickstart --port 8081")
def dashboard(
    study: Study,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 8080,
    runs: Runs = HERE,
) -> None:
    """Open optuna-dashboard on a study, on 127.0.0.1 only; it may still be running."""
    from sweep.door import api
    from sweep.door.dashboard import serve

    folder = api.folder_of(study, runs)
    serve(folder.address(folder.spec()), port, lambda url: typer.echo(f"{url}  (Ctrl-C ends it)"))


@app.command(epilog="Example: python -m sweep rerun quickstart 12")
def rerun(
    study: Study,
    number: Annotated[int, typer.Argument(min=0, help="the trial's number")],
    runs: Runs = HERE,
    as_json: AsJson = False,
) -> None:
    """Train one trial again, alone, and say whether its curves are the recorded ones."""
    from sweep.door import api, retraining

    outcome = retraining.rerun(api.load(api.folder_of(study, runs).path), number)
    if as_json:
        streams.say_json(asdict(outcome))
    else:
        typer.echo(outcome.sentence())
    if not outcome.reproduced:
        raise typer.Exit(5)


@app.command(epilog="Example: python -m sweep fit quickstart -o model.joblib")
def fit(
    study: Study,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="where the estimator is saved")],
    number: Annotated[int | None, typer.Option("--trial", min=0, help="this trial instead of the best")] = None,
    runs: Runs = HERE,
    as_json: AsJson = False,
) -> None:
    """Train the best configuration on all data but the test part; save it as a scikit-learn estimator (joblib)."""
    from sweep.door import api, retraining

    saved = retraining.fit(api.load(api.folder_of(study, runs).path), output, number)
    if as_json:
        streams.say_json(asdict(saved))
    else:
        typer.echo(saved.sentence())


@app.command(epilog="Example: python -m sweep manual quickstart --optimizer momentum --learning-rate 0.1")
def manual(
    study: Study,
    optimizer: Annotated[str, typer.Option(metavar="NAME", help="with its default constants")] = "momentum",
    learning_rate: Annotated[float, typer.Option(metavar="RATE", help="at the start")] = 0.1,
    seed: Annotated[int | None, typer.Option(help="the study's seed")] = None,
) -> None:
    """Schedule by hand: watch one training and change its learning rate between epochs."""
    from sweep.door import api
    from sweep.door.manual import epilogue, steer
    from sweep.errors import unknown
    from sweep.learning.configuration import Configuration
    from sweep.learning.optimizers.rules import OPTIMIZERS

    if optimizer not in OPTIMIZERS:
        raise UsageError(f"--optimizer: {unknown('optimizer', optimizer, OPTIMIZERS)}")
    chosen = Configuration(learning_rate, OPTIMIZERS[optimizer]())
    session = steer(api.resolve(study, seed=seed), chosen, _ask, lambda text: typer.echo(text, err=True))
    typer.echo(epilogue(session, chosen))


@app.command(epilog="Example: python -m sweep verify --plot parity.html")
def verify(
    golden: Annotated[Path | None, typer.Option(metavar="DIR", help="other recordings, in the same format")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="draw the losses: .html, .png, .svg, .pdf")] = None,
    recorded: Annotated[bool, typer.Option("--recorded", help="recordings only: run no library now")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare loss per iteration, weights and rates with the official implementations; exit 5 if one differs."""
    from sweep.door.terminal import verify as shown
    from sweep.parity import recordings
    from sweep.parity.verifying import verify as check

    given = recordings.load(golden)
    if plot:
        from sweep.results import plots

        plots.check(plot)
    found = check(given, live=not recorded)
    if plot:
        live = [replace(comparison, library=f"{comparison.library} now:") for comparison in found.live]
        plots.save(plots.losses([*found.runs, *live]), plot)
    if as_json:
        streams.say_json(shown.data(found))
    elif not quiet:
        streams.out(shown.WIDTH).print(shown.shown(found))
    if found.failed:
        raise CheckFailed(f"verify: {len(found.failed)} of {len(found.all)} comparisons failed")


@app.command(epilog="Example: python -m sweep bench --quick --only kernel --only peers")
def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="PART",
            help="answer, kernel, curve, peers, asks, parent, whole, long, quality; repeatable",
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="few rounds and short studies: rough numbers, soon")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure the speed, beside matrix products alone and beside other libraries; minutes on a quiet machine."""
    from sweep.bench.measuring import measure
    from sweep.door.terminal import bench as shown

    console = streams.err()

    def say(text: str) -> None:
        if not quiet:
            console.print(f"sweep: {text}", soft_wrap=True)

    found = measure(only or (), quick=quick, say=say)
    if as_json:
        streams.say_json(shown.data(found))
    elif not quiet:
        streams.out(shown.WIDTH).print(shown.shown(found))


def _topics(incomplete: str) -> list[str]:
    from sweep.door import guides

    return [topic for topic in guides.topics() if topic.startswith(incomplete)]


@app.command("help", epilog="Example: python -m sweep help study-file --html > study-file.html")
def guide(
    topic: Annotated[
        str | None, typer.Argument(help="left out: all of them, a line each", autocompletion=_topics)
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="a page on stdout; without a topic of all guides")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a guide, such as every key of a study file; without a topic, list them."""
    from sweep.door import guides

    if html and as_json:
        raise UsageError("--html goes without --json: choose one")
    if topic in {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}:
        raise UsageError(f"unknown topic {topic!r}: it is a command: python -m sweep {topic} --help")
    if as_json:
        streams.say_json(guides.data(topic))
    elif topic and not html and (out := streams.out()).is_terminal:
        out.print(guides.in_colours(topic), width=min(out.width, guides.WIDEST))
    else:
        typer.echo(guides.page(topic) if html else guides.text(topic))


def _ask(prompt: str) -> str:
    """Ask on stderr: stdout carries the result."""
    typer.echo(prompt, nl=False, err=True)
    return input()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; turn every error into one line on stderr and the right exit code."""
    sys.exit(exit_code(app, sys.argv[1:] if arguments is None else arguments))
