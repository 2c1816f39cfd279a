"""The door: ``python -m sweep``. Commands are thin and import what they need inside, so that ``--help`` is quick."""

from __future__ import annotations

import json
import sys
import traceback
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from sweep.errors import CheckFailed, Interrupted, SweepError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="sweep",
    help="Which optimizer, which schedule, which constants? Without a command: run the study 'quickstart'.",
    epilog="Example: python -m sweep run schedules --workers 2",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Study = Annotated[str, typer.Argument(help="a study's name (see 'list') or the path of a TOML file")]
Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="where run folders are")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on stdout, nothing else there")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="no progress, no summary: errors only")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="say more; the traceback of an internal error")]
HERE = Path("runs")


def _out(least: int = 0) -> Console:
    """Stdout; a table that needs `least` columns gets them, and a narrower terminal breaks its lines."""
    from rich.console import Console

    console = Console(highlight=False)
    console.width = max(console.width, least)
    return console


def _err() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _say_json(data: Any) -> None:
    typer.echo(json.dumps(data, allow_nan=False))


@app.callback(invoke_without_command=True)
def door(context: typer.Context) -> None:
    """Run the study 'quickstart' when no command is given."""
    if context.invoked_subcommand is None:
        run("quickstart")


@app.command(epilog="Example: python -m sweep run schedules --trials 400 --workers 2")
def run(
    study: Study,
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
    if dry_run:
        from sweep.door import api

        spec = api.resolve(study, trials=trials, seed=seed, sampler=sampler, pruner=pruner, storage=storage)
        if start_from:
            spec = api.warmed(
                spec, start_from, runs, lambda text: _err().print(f"sweep: warning: {text}", soft_wrap=True)
            )
        _dry_run(spec, workers, as_json)
        return
    options = {
        "trials": trials, "workers": workers, "seed": seed, "backend": backend, "scheduler": scheduler,
        "storage": storage, "sampler": sampler, "pruner": pruner, "start_from": start_from, "timeout": timeout,
        "fresh": fresh, "runs": runs,
    }  # fmt: skip
    result = _run_watched(study, options, quiet=quiet or as_json, verbose=verbose)
    _show(result, study, as_json=as_json, quiet=quiet)


def _run_watched(study: str, options: dict[str, Any], *, quiet: bool, verbose: bool) -> Any:
    """Run with progress on stderr (unless quiet), and with signals turned into a clean stop."""
    from sweep.door.signals import Stopper

    console = _err()

    def say(text: str) -> None:
        console.print(f"sweep: {text}", soft_wrap=True)

    options["warn"] = lambda text: say(f"warning: {text}")
    if verbose:
        say(f"study {study}, run folders in {options['runs']}, backend {options['backend']}")
    hint = f"everything finished is saved; go on with: python -m sweep run {study}"
    with Stopper(say) as stopper:
        try:
            result = _run_shown(study, options | {"stopping": stopper.stopping}, console, quiet=quiet)
        except KeyboardInterrupt as error:
            raise Interrupted(f"stopped; {hint}", stopper.received or 2) from error
        if stopper.received is not None:
            raise Interrupted(f"stopped after the running jobs; {hint}", stopper.received)
    return result


def _run_shown(study: str, options: dict[str, Any], console: Console, *, quiet: bool) -> Any:
    """Run with progress on stderr, unless quiet. What takes time to import is imported here: signals are watched."""
    from sweep.door import api
    from sweep.door.terminal import LiveLine
    from sweep.learning import executors

    if quiet:
        return api.run(study, **options)
    if executors.warning:
        options["warn"](executors.warning)
    line = LiveLine(console)
    with line.shown():
        return api.run(study, **options, notify=line.notify)


def _dry_run(spec: Any, workers: int | None, as_json: bool) -> None:
    from sweep.door import terminal
    from sweep.search import planning
    from sweep.search.workers import workers_to_start

    plan = planning.make(spec, workers_to_start(workers))
    if as_json:
        _say_json(asdict(plan))
    else:
        _out().print(terminal.plan(plan))


def _show(result: Any, study: str, *, as_json: bool, quiet: bool, elsewhere: bool = False) -> None:
    from sweep.door import terminal

    if as_json:
        _say_json(terminal.summary_data(result))
    elif not quiet:
        _out().print(terminal.summary(result, study, elsewhere=elsewhere), crop=False)


@app.command("list", epilog="Example: python -m sweep list")
def list_studies(as_json: AsJson = False) -> None:
    """List the studies that can be run, a line each."""
    from sweep.search import catalogue
    from sweep.search import spec as specs

    found = {name: specs.read(path).study for name, path in catalogue.shipped().items()}
    if as_json:
        _say_json({"studies": [{"name": n, "trials": s.trials, "question": s.question} for n, s in found.items()]})
        return
    width = max(map(len, found), default=0)
    for name, study in found.items():
        typer.echo(f"{name:{width}}  {study.trials:5d} trials  {study.question}")


@app.command(epilog="Example: python -m sweep show quickstart --json")
def show(study: Study, runs: Runs = HERE, as_json: AsJson = False) -> None:
    """Show the summary of a finished or running study again."""
    from sweep.door import api

    folder = api.folder_of(study, runs)
    _show(api.load(folder.path), study, as_json=as_json, quiet=False, elsewhere=True)


@app.command(epilog="Example: python -m sweep export quickstart trials.csv")
def export(
    study: Study,
    file: Annotated[Path, typer.Argument(help="ends in .csv, .parquet, .feather, .json or .xlsx")],
    table: Annotated[str, typer.Option(help="trials or curves")] = "trials",
    runs: Runs = HERE,
    as_json: AsJson = False,
) -> None:
    """Write a table of a study to one file, in the format of its ending."""
    from sweep.door import api
    from sweep.errors import unknown
    from sweep.results import tables

    if table not in ("trials", "curves"):
        raise UsageError(f"--table: {unknown('table', table, ('trials', 'curves'))}")
    result = api.load(api.folder_of(study, runs).path)
    frame = result.trials if table == "trials" else result.curves
    tables.export(frame, file)
    if as_json:
        _say_json({"file": str(file), "table": table, "rows": len(frame)})
    else:
        typer.echo(f"{file}: {len(frame)} rows of {table}")


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
    from sweep.door import again, api

    outcome = again.rerun(api.load(api.folder_of(study, runs).path), number)
    if as_json:
        _say_json(asdict(outcome))
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
    from sweep.door import again, api

    saved = again.fit(api.load(api.folder_of(study, runs).path), output, number)
    if as_json:
        _say_json(asdict(saved))
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
    from sweep.learning.optimizers import OPTIMIZERS

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
    from sweep.door import verify as shown
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
        _say_json(shown.data(found))
    elif not quiet:
        _out(shown.WIDTH).print(shown.shown(found))
    if found.failed:
        raise CheckFailed(f"verify: {len(found.failed)} of {len(found.all)} comparisons failed")


@app.command(epilog="Example: python -m sweep bench --quick --only kernel --only peers")
def bench(
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="PART", help="kernel, curve, peers, asks, parent, whole, long or quality; may be repeated"
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="few rounds and short studies: rough numbers, soon")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure the speed, beside matrix products alone and beside other libraries; minutes on a quiet machine."""
    from sweep.bench.measuring import measure
    from sweep.door import bench as shown

    console = _err()

    def say(text: str) -> None:
        if not quiet:
            console.print(f"sweep: {text}", soft_wrap=True)

    found = measure(only or (), quick=quick, say=say)
    if as_json:
        _say_json(shown.data(found))
    elif not quiet:
        _out(shown.WIDTH).print(shown.shown(found))


def _ask(prompt: str) -> str:
    """Ask on stderr: stdout carries the result."""
    typer.echo(prompt, nl=False, err=True)
    return input()


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; turn every error into one line on stderr and the right exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(given, standalone_mode=False)
    except SweepError as error:
        code = _complain(str(error), error.exit_code)
    except TyperException as error:  # an option or an argument that typer refuses
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        code = _complain(" ".join(said.split()), UsageError.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        code = _complain("stopped", 130)
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; Python would complain about the rest at exit
        code = 0
    except Exception as error:  # the last resort: a bug of ours, said in one line
        if {"-v", "--verbose"} & set(given):
            traceback.print_exc()
        code = _complain(f"internal error: {type(error).__name__}: {error} (please report it; -v shows where)", 3)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str, code: int) -> int:
    for line in message.splitlines():
        typer.echo(f"sweep: {line}", err=True)
    return code
