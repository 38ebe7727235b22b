"""`remit chat`: a conversation with an agent, kept as a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.console import is_interactive, paint, problem, say
from remit.cli.session import with_app

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.cli.deciding import Decider

BYE = ("/quit", "/exit")


def chat(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.")],
    session: Annotated[
        str, typer.Option("--session", metavar="ID", help="Continue this conversation.", show_default=False)
    ] = "",
    steps: Annotated[bool, typer.Option("--steps/--no-steps", help="Show each step.")] = True,
    approver: o.As = o.APPROVER,
    role: o.Roles = [o.APPROVER_ROLE],  # noqa: B006 - typer copies it
    app: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Talk with an agent. Ctrl-D or /quit ends; the conversation is kept."""
    from remit.cli.run import choose_decider

    decider = choose_decider(approve=False, no_wait=False, approver=approver, roles=role)

    async def work(program: App) -> int:
        from remit.bootstrap.doctor import check_model
        from remit.engine.resolving import resolve

        await resolve(program.registry, program.catalogue, tenant, agent, "")
        await check_model(program, tenant, agent)
        kept = session or program.clock.new_id("session")
        say(paint(f"{agent}: Ctrl-D or /quit ends; go on later with --session {kept}", "dim"))
        code = 0
        while (text := _next()) is not None:
            code = await _turn(program, agent, text, kept, tenant, decider, steps) if text else code
        return code

    raise typer.Exit(with_app(work, home=home, app=app))


async def _turn(
    app: App, agent: str, text: str, session: str, tenant: str, decider: Decider, steps: bool
) -> int:
    from remit.cli.driving import drive
    from remit.cli.live import screen
    from remit.cli.run import answer, exit_code, new_task

    task = new_task(app, agent, text, None, tenant, session=session)
    result, _ = await drive(app, await app.runs.submit(task), tenant, decider, screen(quiet=not steps))
    if result.status == "success":
        answer(result.result_payload)
    elif result.problem is not None:
        problem(result.problem.code, result.problem.message, result.problem.help)
    else:
        say(paint(f"it waits for a person: remit approvals list (run {result.run_id})", "warn"))
    return exit_code(result)


def _next() -> str | None:
    """The next line, or None at the end."""
    if is_interactive():
        say()
        typer.echo(paint("you > ", "name"), err=True, nl=False)
    try:
        text = input().strip()
    except EOFError:
        return None
    return None if text in BYE else text
