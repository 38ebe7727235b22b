"""`remit runs fork` and `remit runs retry`: new runs that take over what another run had done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.console import paint, say
from remit.cli.many_runs import RunIds, ids_of, retry_many
from remit.cli.run import choose_decider, parse_input, submitted, watched
from remit.cli.session import person, with_app

if TYPE_CHECKING:
    from remit.bootstrap import App

Detach = Annotated[bool, typer.Option("--detach", help="Only make it; a worker elsewhere drives it.")]
ForkId = Annotated[
    str,
    typer.Option("--fork-id", metavar="ID", help="Makes asking for it twice harmless.", show_default=False),
]


def register(runs: typer.Typer) -> None:
    """Add the commands to `remit runs`."""
    runs.command("fork")(fork)
    runs.command("retry")(retry)


def fork(
    run_id: o.RunId,
    place: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="STATE|STEP",
            help="The state to enter or the step to do again, as `remit runs show` lists it.",
        ),
    ],
    input: Annotated[
        str,
        typer.Option(
            "--input",
            metavar="JSON|@FILE|-",
            help="With this input instead: of a state, or of a call its arguments; `-` reads stdin.",
            show_default=False,
        ),
    ] = "",
    fork_id: ForkId = "",
    detach: Detach = False,
    approver: o.As = o.APPROVER,
    role: o.Roles = [o.APPROVER_ROLE],  # noqa: B006 - typer copies it
    app_file: o.AppFile = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Make a new run that goes on from a state or step of an old one. What came before is taken over and not done again."""
    given = {"input": parse_input("@-" if input == "-" else input)} if input else {}

    async def make(program: App) -> str:
        actor = person(o.REQUESTER, ())
        if (await program.reading.summaries.show(run_id, tenant)).kind != "workflow":
            return await program.forks.fork_step(run_id, tenant, actor, place, fork_id=fork_id, **given)
        visit = await program.workflows.visit(tenant, run_id, place)
        return await program.forks.fork(run_id, tenant, actor, visit, fork_id=fork_id, **given)

    _go_on(make, tenant, home, app_file, approver, role, as_json=as_json, detach=detach)


def retry(
    run_ids: RunIds,
    fork_id: ForkId = "",
    detach: Detach = False,
    approver: o.As = o.APPROVER,
    role: o.Roles = [o.APPROVER_ROLE],  # noqa: B006 - typer copies it
    app_file: o.AppFile = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Make a new run that takes over what a failed one had done, and does again what failed.

    Of many runs, workers drive the new ones; an agent's begins its task anew. Exit 1 if one of many is refused.
    """
    ids = ids_of(run_ids)
    if len(ids) > 1:
        retry_many(ids, fork_id, as_json, tenant, home, app_file)
        return

    async def make(program: App) -> str:
        return await program.forks.retry(ids[0], tenant, person(o.REQUESTER, ()), fork_id=fork_id)

    _go_on(make, tenant, home, app_file, approver, role, as_json=as_json, detach=detach)


def _go_on(
    make: Callable[[App], Awaitable[str]],
    tenant: str,
    home: str,
    app_file: str,
    approver: str,
    roles: list[str],
    **how: Any,
) -> None:
    """Make the run, and drive it here unless it is detached."""
    decider = choose_decider(approve=False, no_wait=False, approver=approver, roles=roles)

    async def work(program: App) -> int:
        made = await make(program)
        if how["detach"]:
            submitted(made, how["as_json"])
            return 0
        say(paint(f"run {made}", "dim"))
        return await watched(program, made, tenant, decider, how["as_json"])

    raise typer.Exit(with_app(work, home=home, app=app_file))
