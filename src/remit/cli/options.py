"""Options that several commands share, so that they are spelt and explained alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

Tenant = Annotated[str, typer.Option("--tenant", metavar="ID", help="The tenant to act in.")]
Home = Annotated[
    str,
    typer.Option(
        "--home", metavar="DIR", help="Where data is kept (REMIT_HOME; default .remit).", show_default=False
    ),
]
AppFile = Annotated[
    str,
    typer.Option("--app", metavar="FILE", help="A Python file with agents and tools.", show_default=False),
]
Packs = Annotated[
    list[str],
    typer.Option("--pack", metavar="NAME", help="A pack to load; may be repeated.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
As = Annotated[str, typer.Option("--as", metavar="NAME", help="The person who decides; never the requester.")]
Roles = Annotated[
    list[str], typer.Option("--role", metavar="ROLE", help="A role of that person; may be repeated.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]
Cursor = Annotated[str, typer.Option("--cursor", help="Where the next page starts.", show_default=False)]
TaskId = Annotated[
    str,
    typer.Option("--task-id", metavar="ID", help="Makes sending it twice harmless.", show_default=False),
]
Profile = Annotated[str, typer.Option("--profile", metavar="NAME", help="The policy profile.")]
Detach = Annotated[bool, typer.Option("--detach", help="Only submit; a worker elsewhere drives it.")]
Approve = Annotated[bool, typer.Option("--approve", help="Approve whatever is asked (scripts, demos).")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not ask; exit 5 when a person is needed.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id.")]


def one_of(option: str, given: str, known: Iterable[str]) -> None:
    """Raise InputError E1114 that says what there is unless an option, where it is given, is one of these."""
    names = tuple(known)
    if given and given not in names:
        from remit.core.errors import InputError
        from remit.core.words import closest

        raise InputError(
            f"`{given[:60]}` is no value of `{option}`",
            code="E1114",
            help=f"one of {closest(given, names, 40)}",
        )


TENANT = "local"
REQUESTER = "local"
APPROVER = "approver@local"
APPROVER_ROLE = "approver"
