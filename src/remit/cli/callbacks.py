"""`remit callbacks`: answer a workflow's task that waits for somebody outside, with its task token."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.answers import told
from remit.cli.run import parse_input
from remit.cli.session import with_app

if TYPE_CHECKING:
    from remit.bootstrap import App

app = typer.Typer(
    no_args_is_help=True,
    help="Answer tasks that wait with a task token. A token is a credential: `-` reads it from stdin.",
    rich_markup_mode=None,
)

GOES_ON = "answered: the workflow goes on where a worker drives it (`remit up`, `remit worker`)"

Token = Annotated[
    str, typer.Argument(metavar="TOKEN", help="The task's token; `-` reads the first line of stdin.")
]


@app.command("succeed")
def succeed(
    token: Token,
    output: Annotated[
        str,
        typer.Option(
            "--output", metavar="JSON|@FILE", help="What the task gives back, as JSON.", show_default="null"
        ),
    ] = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """The task is done. The first answer counts."""
    _answer(token, lambda program, t: program.callbacks.succeed(t, parse_input(output), tenant), home)
    told({"answer": "success"}, as_json, GOES_ON)


@app.command("fail")
def fail(
    token: Token,
    error: Annotated[
        str, typer.Option("--error", metavar="NAME", help="The error's name, for Retry and Catch.")
    ] = "States.TaskFailed",
    cause: Annotated[str, typer.Option("--cause", metavar="TEXT", help="Why.", show_default=False)] = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """The task failed."""
    _answer(token, lambda program, t: program.callbacks.fail(t, error, cause, tenant), home)
    told({"answer": "failure"}, as_json, GOES_ON)


@app.command("heartbeat")
def heartbeat(token: Token, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = "") -> None:
    """Somebody still works on the task. Exit code 2 when nobody waits for it any more."""
    _answer(token, lambda program, t: program.callbacks.heartbeat(t, tenant), home)
    told({"answer": "heartbeat"}, as_json, "noted: its time begins anew")


def _answer(token: str, answer: Callable[[App, str], Awaitable[None]], home: str) -> None:
    given = sys.stdin.readline().strip() if token == "-" else token

    async def work(program: App) -> None:
        await answer(program, given)

    with_app(work, home=home)
