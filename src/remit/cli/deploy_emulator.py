"""`remit deploy emulator`: AWS on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import deploy_shown as shown
from remit.cli import options as o
from remit.cli.answers import told
from remit.cli.console import document, say, show
from remit.core.errors import ConfigError

if TYPE_CHECKING:
    from remit_deploy.emulator.running import Emulator, Running

app = typer.Typer(
    no_args_is_help=True,
    help="AWS on this machine, where roles are enforced and nothing costs a cent.",
    rich_markup_mode=None,
)


@app.command("start")
def start(
    port: Annotated[int, typer.Option("--port", help="Its port.")] = 4577,
    iam: Annotated[bool, typer.Option("--iam/--no-iam", help="Enforce what roles may do.")] = True,
    models: Annotated[
        str,
        typer.Option(
            "--models", metavar="URL", help="An OpenAI-compatible server behind Bedrock.", show_default=False
        ),
    ] = "",
    wait_scale: Annotated[
        float, typer.Option("--wait-scale", min=0, help="Waits of Step Functions, times this; 0: none.")
    ] = 1,
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Start it in the background, installing it the first time. What is deployed there lives as long as it runs."""
    from remit_deploy.emulator.running import Options

    with shown.working("starting the emulator"):
        running = _emulator(home).start(Options(port, iam, models, wait_scale))
    _tell(running, as_json)


@app.command("stop")
def stop(as_json: o.Json = False, home: o.Home = "") -> None:
    """Stop it, and remove all that was deployed there."""
    ran = _emulator(home).stop()
    told({"stopped": ran}, as_json, "stopped" if ran else "it does not run")


@app.command("status")
def status(as_json: o.Json = False, home: o.Home = "") -> None:
    """Say whether it runs, and how. Exit 1 when it does not."""
    found = running(home)
    if found is None:
        say("it does not run")
        raise typer.Exit(1)
    _tell(found, as_json)


@app.command("env")
def env(home: o.Home = "") -> None:
    """Print the variables by which the AWS CLI and boto3 reach it: `eval "$(remit deploy emulator env)"`."""
    from remit_deploy.access import emulator_shell

    for name, value in emulator_shell(endpoint(home, start=False)).items():
        show(f"export {name}='{value}'")


def running(home: str) -> Running | None:
    """The emulator of this project if it runs."""
    return _emulator(home).status()


def endpoint(home: str, *, start: bool) -> str:
    """Where the emulator is, started if it may be; a place that nobody asks anything when it does not run."""
    from remit_deploy.emulator.running import Options

    found = running(home)
    if found is None and start:
        with shown.working("starting the emulator"):
            found = _emulator(home).start(Options())
    if found is None:
        raise ConfigError(
            "the emulator does not run",
            code="E869",
            help="`remit deploy apply --target emulator` starts it and deploys there",
        )
    return found.endpoint


def _emulator(home: str) -> Emulator:
    from remit_deploy.emulator.running import Emulator

    return Emulator((shown.home(home) / "emulator").resolve())


def _tell(running: Running, as_json: bool) -> None:
    if as_json:
        document({"endpoint": running.endpoint, "pid": running.pid, "options": running.options})
        return
    options = running.options
    say(f"{running.endpoint}  roles are {'enforced' if options.iam else 'not enforced'}, pid {running.pid}")
    say(f"  models: {options.models or 'none behind Bedrock (`--models URL`): it answers with a mock text'}")
