"""`remit queues`: the queues of runs of a deployment on AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.answers import Items, listed, told
from remit.cli.session import run_async, settings_for
from remit.cli.text import plural

if TYPE_CHECKING:
    from remit.adapters.driving.queues import RunQueues

app = typer.Typer(no_args_is_help=True, help="The queues of runs on AWS.", rich_markup_mode=None)

Deployment = Annotated[
    str,
    typer.Option(
        "--deployment", metavar="NAME", help="E.g. remit-dev (REMIT_DEPLOYMENT).", show_default=False
    ),
]


@app.command("list")
def list_(deployment: Deployment = "", as_json: o.Json = False) -> None:
    """List the queues: what waits, what is delayed or in hand, and what was given up."""
    listed(
        Items(run_async(_queues(deployment).list())),
        as_json,
        ["agent", "waiting", "delayed", "in hand", "given up"],
        lambda q: [q.agent, str(q.waiting), str(q.delayed), str(q.in_flight), str(q.dead)],
    )


@app.command("redrive")
def redrive(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="Whose queue.")],
    deployment: Deployment = "",
    as_json: o.Json = False,
) -> None:
    """Send once more what was received too often. A run that was set aside is tried again by it."""
    sent = run_async(_queues(deployment).redrive(agent))
    words = f"{plural(sent, 'message')} sent once more to the queue of {agent}"
    told({"agent": agent, "messages": sent}, as_json, words)


def _queues(deployment: str) -> RunQueues:
    from remit.adapters.driving.queues import RunQueues
    from remit.bootstrap.adapters import open_session
    from remit.core.errors import ConfigError

    settings = settings_for()
    name = deployment or settings.deployment
    if not name:
        raise ConfigError(
            "no deployment is named", code="E265", help="give --deployment NAME, or set REMIT_DEPLOYMENT"
        )
    return RunQueues(open_session(settings), name)
