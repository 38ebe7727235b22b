"""`remit activities`: work on what workflows hand to activities, by hand or with any program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.console import document, paint, say, show
from remit.cli.session import with_app
from remit.cli.text import brief, lines, plural

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.workflows.callbacks import ActivityTask

app = typer.Typer(
    no_args_is_help=True,
    help="Work on what workflows hand to activities (`remit:activity:NAME`).",
    rich_markup_mode=None,
)

NOTHING = 1

Name = Annotated[str, typer.Argument(metavar="NAME", help="The activity's name.")]
Worker = Annotated[
    str, typer.Option("--worker", metavar="NAME", help="Who takes tasks, for the record.", show_default=False)
]


@app.command("take")
def take(
    name: Name,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long for a task.")
    ] = 60.0,
    worker: Worker = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Take the oldest task of an activity: its token and its input. Exit code 1 when none comes.

    Answer with `remit callbacks succeed TOKEN --output JSON` or `remit callbacks fail TOKEN`.
    """

    async def work(program: App) -> ActivityTask | None:
        return await program.callbacks.take(name, tenant, worker, wait_s=wait)

    found = with_app(work, home=home)
    if found is None:
        say(f"no task of activity `{brief(name, 100)}` came within {wait:g} s")
        raise typer.Exit(NOTHING)
    if as_json:
        document(found)
        return
    show(found.token)
    for line in lines(found.input):
        show(line)
    say(paint(f"state {brief(found.state, 80)} of run {found.run_id}", "dim"))


@app.command("work")
def work(
    name: Name,
    command: Annotated[
        str,
        typer.Option(
            "--command", metavar="CMD", help="A shell command: input on stdin, output on stdout, both JSON."
        ),
    ],
    heartbeat: Annotated[
        float,
        typer.Option(
            "--heartbeat", metavar="SECONDS", min=0.1, help="How often to say that it is being worked on."
        ),
    ] = 10.0,
    error: Annotated[
        str, typer.Option("--error", metavar="NAME", help="The error's name when the command fails.")
    ] = "States.TaskFailed",
    until_idle: Annotated[bool, typer.Option("--until-idle", help="End when there is no task.")] = False,
    worker: Worker = o.REQUESTER,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Work on the tasks of an activity with a command, one after another, until Ctrl-C.

    An exit code other than 0 fails the task; its cause is the last line on stderr. Output that is no JSON is text.
    """
    from remit.cli.working import Worker as ActivityWorker

    async def go(program: App) -> int:
        made = ActivityWorker(program, tenant, name, command, worker, heartbeat_s=heartbeat, error=error)
        return await made.serve(until_idle=until_idle)

    try:
        count = with_app(go, home=home)
    except KeyboardInterrupt:
        say("stopped")
        return
    say(f"worked on {plural(count, 'task')}")
