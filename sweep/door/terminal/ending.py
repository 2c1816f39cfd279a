"""How a command ends: its exit code, and what went wrong in one line on stderr."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from sweep.errors import SweepError, UsageError

PROGRAM = "sweep"  # what pip puts beside Python: shells complete its name, as they cannot complete `python -m sweep`
_COMPLETION = ("--show-completion", "--install-completion")


def exit_code(app: typer.Typer, given: Sequence[str]) -> int:
    """Run a command line; turn every error into one line and the right exit code."""
    completing = f"_{PROGRAM.upper()}_COMPLETE" in os.environ or any(word in given for word in _COMPLETION)
    try:
        code = app(list(given), standalone_mode=False, prog_name=PROGRAM if completing else None)
        if completing and code == 1:  # typer has said that it does not know the shell
            code = UsageError.exit_code
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
    return code if isinstance(code, int) else 0


def _complain(message: str, code: int) -> int:
    for line in message.splitlines():
        typer.echo(f"sweep: {line}", err=True)
    return code
