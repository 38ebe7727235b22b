"""`remit deploy`: this project on AWS, or on the emulator first."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import deploy_emulator
from remit.cli import deploy_shown as shown
from remit.cli import options as o
from remit.cli.console import document, is_interactive, paint, say, show
from remit.core.errors import ConfigError, InputError
from remit.core.extras import how_to_install

if TYPE_CHECKING:
    from remit_deploy.deployment import Deployment, Planned
    from remit_deploy.environments import Source
    from remit_deploy.logs import LogLine

app = typer.Typer(
    help="This project on AWS: plan, apply, look, promote, destroy. `--target emulator` does it on this machine.",
    rich_markup_mode=None,
)
app.add_typer(deploy_emulator.app, name="emulator")

Env = Annotated[str, typer.Option("--env", metavar="NAME", help="dev, stage or prod.")]
Target = Annotated[str, typer.Option("--target", metavar="WHERE", help="`aws` or `emulator`.")]
Template = Annotated[
    str,
    typer.Option("--template", metavar="NAME", help="`single-agent`.", show_default="that of [deploy]"),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

AWS, EMULATOR = "aws", "emulator"
NEEDED = ("boto3", "aws_cdk", "jsii")


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    template: Template = "",
    env: Env = "dev",
    target: Target = AWS,
    app_file: o.AppFile = "",
    yes: Yes = False,
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Without a command: plan, ask, apply."""
    if context.invoked_subcommand is None:
        _apply(env, target, template, app_file, yes, as_json, home)


@app.command("plan")
def plan(
    template: Template = "",
    env: Env = "dev",
    target: Target = AWS,
    app_file: o.AppFile = "",
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no account: the plan for one that has nothing yet.")
    ] = False,
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Say what applying would change, whom it would allow what, and what a month costs. Nothing is changed."""
    source = _source(app_file, template)
    deployment = _deployment(source, env, target, home, start=False)
    offline = offline or (target == EMULATOR and deploy_emulator.running(home) is None)
    planned = _planned(deployment, source, offline=offline)
    deployment.settle(planned)
    if as_json:
        document(shown.plan_document(deployment, planned))
    else:
        shown.plan(deployment, planned)


@app.command("apply")
def apply(
    template: Template = "",
    env: Env = "dev",
    target: Target = AWS,
    app_file: o.AppFile = "",
    yes: Yes = False,
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Plan, ask, and deploy. The emulator is started when it is the target and does not run."""
    _apply(env, target, template, app_file, yes, as_json, home)


@app.command("promote")
def promote(
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="Where to: stage or prod.")],
    source_env: Annotated[
        str, typer.Option("--from", metavar="NAME", help="Where from: the release that runs there.")
    ] = "dev",
    target: Target = AWS,
    yes: Yes = False,
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Deploy what runs in one environment to the next: the same code, byte for byte, and the same definitions."""
    if to == source_env:
        raise InputError(f"`{to}` cannot be promoted to itself", code="E868", help="`--from dev --to stage`")
    source = _source("", "")
    other = _deployment(source, source_env, target, home, start=False)
    deployment = _deployment(source, to, target, home, start=False)
    deployment.authenticate()
    with shown.working(f"taking over the release of {other.name}"):
        prepared = deployment.take_over(source, other)
        planned = deployment.plan(prepared, source)
    _confirmed(deployment, planned, yes, as_json)


@app.command("status")
def status(
    env: Env = "dev",
    target: Target = AWS,
    drift: Annotated[
        bool, typer.Option("--drift", help="Look for what was changed by hand, too: takes a minute.")
    ] = False,
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Say how a deployment is: stack, release, alarms that are on, queues and dead letters. Exit 1 when it needs a person."""
    deployment = _deployment(_source("", ""), env, target, home, start=False)
    from remit_deploy.status import status_of

    found = status_of(deployment, drift=drift)
    if as_json:
        document(found)
    else:
        shown.status(found)
    if not found.healthy:
        raise typer.Exit(1)


@app.command("logs")
def logs(
    env: Env = "dev",
    target: Target = AWS,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with new lines, until Ctrl-C.")
    ] = False,
    agent: Annotated[str, typer.Option("--agent", metavar="NAME", help="Of this agent's function.")] = "",
    run: Annotated[
        str, typer.Option("--run", metavar="ID", help="That speak of this run: how it went.")
    ] = "",
    words: Annotated[str, typer.Option("--grep", metavar="TEXT", help="That contain this.")] = "",
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="Of the last so many minutes.")] = 10,
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Show the logs of all functions as one, by time."""
    deployment = _deployment(_source("", ""), env, target, home, start=False)
    deployment.running()
    import time

    import msgspec

    from remit_deploy.logs import Wanted, read
    from remit_deploy.logs import follow as following

    def tell(line: LogLine) -> None:
        show(msgspec.json.encode(line).decode() if as_json else shown.log_line(line))

    wanted, since_ms = Wanted(agent, run, words), int((time.time() - minutes * 60) * 1000)
    for line in following(deployment, wanted, since_ms) if follow else read(deployment, wanted, since_ms):
        tell(line)


@app.command("outputs")
def outputs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Only this one, plain; `ApiKey` too.")] = "",
    env: Env = "dev",
    target: Target = AWS,
    env_vars: Annotated[
        bool, typer.Option("--shell", help="Variables by which every other command works on this deployment.")
    ] = False,
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Show where things are: addresses, names of tables and queues, the release."""
    deployment = _deployment(_source("", ""), env, target, home, start=False)
    from remit_deploy import access

    if env_vars:
        for line in access.exports(access.shell(deployment)):
            show(line)
        return
    if name == access.KEY:
        show(access.api_key(deployment))
        return
    found = access.outputs(deployment)
    if name and name not in found:
        raise InputError(
            f"`{deployment.name}` has no output `{name}`",
            code="E868",
            help=f"it has {', '.join(sorted([*found, access.KEY]))}",
        )
    if name:
        show(found[name])
    elif as_json:
        document(found)
    else:
        shown.pairs(found)


@app.command("destroy")
def destroy(
    env: Env = "dev",
    target: Target = AWS,
    delete_data: Annotated[
        bool,
        typer.Option("--delete-data", help="Empty the buckets too. What a lock keeps stays in any case."),
    ] = False,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Confirms it: the deployment's name.")
    ] = "",
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Delete a deployment. It asks for its name, and says what data is lost and what is kept."""
    deployment = _deployment(_source("", ""), env, target, home, start=False)
    deployment.authenticate()
    deployment.running()
    from remit_deploy import destroying

    doomed = destroying.look(deployment)
    if not as_json:
        shown.doomed(deployment, doomed, delete_data=delete_data)
    _named(deployment.name, name)
    with shown.progress(doomed.resources) as seen:
        done = destroying.destroy(deployment, delete_data=delete_data, seen=seen)
    if as_json:
        document(done)
    else:
        shown.destroyed(deployment.name, done)


# what they share


def _apply(env: str, target: str, template: str, app_file: str, yes: bool, as_json: bool, home: str) -> None:
    source = _source(app_file, template)
    deployment = _deployment(source, env, target, home, start=True)
    _confirmed(deployment, _planned(deployment, source), yes, as_json)


def _confirmed(deployment: Deployment, planned: Planned, yes: bool, as_json: bool) -> None:
    from remit_deploy import access

    if not as_json:
        shown.plan(deployment, planned)
    if planned.nothing:
        say("nothing to do: this is what is deployed")
        if as_json:
            document(access.outputs(deployment))
        return
    if not yes and not _agreed(deployment, planned):
        deployment.settle(planned)
        say("nothing was changed")
        raise typer.Exit(1)
    with shown.progress(len(planned.plan.changes)) as seen:
        deployment.apply(planned, seen)
    found = access.outputs(deployment)
    if as_json:
        document(found)
    else:
        shown.applied(deployment, found, planned.prepared.config.chat_agent)


def _agreed(deployment: Deployment, planned: Planned) -> bool:
    if not is_interactive():
        deployment.settle(planned)
        raise ConfigError(
            "nobody is here to be asked", code="E877", help="look at `remit deploy plan`, then give `--yes`"
        )
    losses = len(planned.plan.losses)
    question = f"apply, and lose data in {losses} places?" if losses else "apply?"
    return typer.confirm(paint(question, "bad" if losses else "bold"), err=True)


def _named(name: str, given: str) -> None:
    if not given and is_interactive():
        given = str(typer.prompt(f"type `{name}` to destroy it", err=True, default="", show_default=False))
    if given != name:
        raise InputError(
            f"`{given}` is not the deployment's name, and nothing was changed",
            code="E872",
            help=f"`--name {name}` confirms it",
        )


def _planned(deployment: Deployment, source: Source, *, offline: bool = False) -> Planned:
    if not offline:
        with shown.working("checking the credentials"):
            deployment.authenticate()
    with shown.working("building the bundle and the template"):
        prepared = deployment.build(source)
    with shown.working(f"comparing with {deployment.place}"):
        return deployment.plan(prepared, source, offline=offline)


def _source(app_file: str, template: str) -> Source:
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise ConfigError(
            f"deploying needs the extra `deploy` (`{missing[0]}` is not installed)",
            code="E860",
            help=how_to_install("deploy"),
        )
    from remit_deploy import environments

    return environments.read(Path.cwd(), app_file, template)


def _deployment(source: Source, env: str, target: str, home: str, *, start: bool) -> Deployment:
    """An environment at its place. `start` the emulator if that is where it is and none runs."""
    from remit_deploy import environments
    from remit_deploy.deployment import Deployment

    if target not in (AWS, EMULATOR):
        raise InputError(f"`{target}` is no target", code="E868", help="`aws` or `emulator`")
    config = source.config(env)
    endpoint = ""
    if target == EMULATOR:
        config = environments.for_emulator(config)
        endpoint = deploy_emulator.endpoint(home, start=start)
    work = shown.home(home) / "deploy" / target
    return Deployment(config, environments.place_of(config, endpoint), work)
