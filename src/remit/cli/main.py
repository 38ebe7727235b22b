"""`remit`: the command line, and how its errors become exit codes.

Exit codes: 0 success, 1 failed, 2 usage, 3 configuration, 4 denied by policy, 5 waiting for approval, 130 interrupted.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from remit import __version__
from remit.cli.commands import Root
from remit.cli.console import problem, show
from remit.core.errors import ConfigError, DeniedError, InputError, RemitError

DEBUG = "run it again with REMIT_LOG=debug to see where, and report it with that output"
FAILED, USAGE, CONFIG, DENIED, WAITING, INTERRUPTED = 1, 2, 3, 4, 5, 130


class Guarded(Root):
    """The commands, whose errors end in a sentence and an exit code, never in a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RemitError as error:
            _trace(error)
            explain(error)
            raise typer.Exit(exit_code(error)) from error
        except (BrokenPipeError, typer.Abort, typer.Exit, typer.TyperException):
            raise
        except Exception as error:
            _trace(error)
            unexpected(error)
            raise typer.Exit(FAILED) from error


app = typer.Typer(
    name="remit",
    cls=Guarded,
    help="Governed, durable agents: no effect happens twice, and none is lost without being told.",
    epilog="Exit codes: 0 success, 1 failed, 2 usage, 3 configuration, 4 denied by policy, 5 waiting for approval.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        show(f"remit {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    no_color: Annotated[str, typer.Option(envvar="NO_COLOR", hidden=True)] = "",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Governed, durable agents: no effect happens twice, and none is lost without being told."""
    if no_color:
        context.color = False


@functools.cache
def command() -> Any:
    """The root of the commands, built once."""
    return typer.main.get_command(app)


def exit_code(error: RemitError) -> int:
    """The exit code of an error."""
    if isinstance(error, InputError):
        return USAGE
    if isinstance(error, ConfigError):
        return CONFIG
    return DENIED if isinstance(error, DeniedError) else FAILED


def execute(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        command()(list(arguments), prog_name="remit")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def explain(error: RemitError) -> None:
    """One sentence with the code, and what to do next."""
    problem(error.code, error.message, error.help)


def unexpected(error: Exception) -> None:
    """An error that Remit did not raise on purpose."""
    problem("E000", f"something unexpected happened: `{type(error).__name__}: {error}`", DEBUG)


def _trace(error: Exception) -> None:
    """Print the traceback, when asked for by REMIT_LOG=debug."""
    from remit.settings import load

    try:
        wanted = load().log_level == "debug"
    except ConfigError:
        wanted = False
    if wanted:
        import traceback

        traceback.print_exception(error, file=sys.stderr)


def main() -> None:
    """The entry point of the `remit` command."""
    sys.exit(execute(sys.argv[1:]))
