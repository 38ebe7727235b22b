"""`remit mcp`: tools of MCP servers for agents, and agents as tools for MCP clients."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.answers import Items, listed
from remit.cli.console import document, paint, say, show, status
from remit.cli.session import opened, person, run_async, with_app
from remit.cli.text import brief, plural
from remit.core.errors import InputError

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.definition import Definition
    from remit.engine.mcp.approving import Approving, Offered

app = typer.Typer(
    no_args_is_help=True,
    help="Tools of MCP servers for agents, and agents as tools for MCP clients.",
    rich_markup_mode=None,
)

Server = Annotated[str, typer.Argument(metavar="SERVER", help="A server of remit.toml.")]
By = Annotated[str, typer.Option("--as", metavar="NAME", help="The person who does it.")]


@app.command("list")
def list_(
    as_json: o.Json = False, app_file: o.AppFile = "", tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """List the servers of remit.toml, and which of their tools are approved. Starts none of them."""

    async def work(program: App) -> list[dict[str, Any]]:
        mcp, found = _of(program), []
        for name, server in program.settings.mcp.items():
            known = await mcp.known(tenant, name)
            where = server.url or " ".join(server.command)
            found.append({"server": name, "where": where, "risk": server.risk, "approved": sorted(known)})
        return found

    listed(
        Items(with_app(work, home=home, app=app_file)),
        as_json,
        ["server", "where", "risk", "approved"],
        lambda f: [f["server"], brief(f["where"], 60), f["risk"], ", ".join(f["approved"]) or "-"],
    )


@app.command("inspect")
def inspect(
    server: Server,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Start a server and show what it offers: what is new, what is approved, and what changed since.

    What is new or changed is kept as a draft; nobody can call it before it is approved.
    """

    async def work(program: App) -> list[Offered]:
        mcp = _of(program)
        await mcp.propose(tenant, server, actor=person(by, ()), reason=f"server {server} offers it")
        return await mcp.look(tenant, server)

    found = with_app(work, home=home, app=app_file)
    if as_json:
        document({"items": found})
        return
    for one in found:
        _print(one)
    say(_summary(found))


@app.command("approve")
def approve(
    server: Server,
    tool: Annotated[
        str, typer.Argument(metavar="[TOOL]", help="One tool; without it, all that are new or changed.")
    ] = "",
    risk: Annotated[str, typer.Option("--risk", metavar="L0..L3", help="How much harm it can do.")] = "",
    effect: Annotated[
        str,
        typer.Option(
            "--effect",
            metavar="read|keyed|plain",
            help="What may be done when an answer is lost: ask again, send again with the same key, or ask a person.",
        ),
    ] = "",
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the record.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Approve what is shown without asking.")] = False,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Let agents call tools of a server, as they are now. A tool that the server changes later is refused again.

    Without --risk and --effect a tool has those that it was approved with before, else the risk of remit.toml and `plain`.
    """
    _check_terms(risk, effect)
    if as_json and not yes:
        raise InputError(
            "with `--json` nobody sees what is approved",
            code="E1140",
            help=f"look at it first: `remit mcp inspect {server}`; then give `--yes` as well",
        )

    async def work(program: App) -> list[Definition]:
        mcp = _of(program)
        offered = await mcp.look(tenant, server)
        wanted = [one for one in offered if _wanted(one, tool)]
        if not wanted:
            _refuse(server, tool, offered)
        made = []
        for one in wanted:
            if not as_json:
                _print(one)
            if yes or typer.confirm(f"approve {one.name}?", err=True):
                made.append(await _approve_one(mcp, one, tenant, server, risk, effect, by, why))
                if not as_json:
                    _print_approved(made[-1])
        return made

    made = with_app(work, home=home, app=app_file)
    if as_json:
        document({"items": made})


async def _approve_one(
    mcp: Approving, one: Offered, tenant: str, server: str, risk: Any, effect: Any, by: str, why: str
) -> Definition:
    from remit.core.mcp import pin

    assert one.contract is not None
    return await mcp.approve(
        tenant,
        server,
        one.tool,
        expect=pin(one.contract),
        actor=person(by, ()),
        reason=why or f"approved as server {server} offers it",
        risk=risk or None,
        effect=effect or None,
    )


def _print_approved(made: Definition) -> None:
    body = made.body
    terms = f"{body.get('risk', 'L2')}, {body.get('effect', 'plain')}"
    say(f"{paint('approved', 'good')} {made.name} version {made.version} ({terms})")


@app.command("serve")
def serve(
    by: Annotated[str, typer.Option("--as", metavar="NAME", help="Whose requests they are.")] = o.REQUESTER,
    app_file: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Be an MCP server on stdin and stdout, for a client that starts this command. `remit up` serves HTTP at /mcp."""

    async def work() -> None:
        from remit.server.mcp_stdio import serve_stdio

        async with opened(home=home, app=app_file, packs=pack) as program:
            await serve_stdio(program, tenant, person(by, ("operator",)))

    with contextlib.suppress(KeyboardInterrupt):
        run_async(work())


def _of(program: App) -> Approving:
    from remit.core.errors import ConfigError

    if program.mcp is None:
        raise ConfigError(
            "remit.toml has no MCP server", code="E957", help='add one: `[mcp.NAME]` with `command = ["..."]`'
        )
    return program.mcp


def _check_terms(risk: str, effect: str) -> None:

    if risk not in ("", "L0", "L1", "L2", "L3"):
        raise InputError(f"`{brief(risk, 50)}` is no risk", code="E959", help="L0, L1, L2 or L3")
    if effect not in ("", "read", "keyed", "plain"):
        raise InputError(f"`{brief(effect, 50)}` is no effect", code="E959", help="read, keyed or plain")


def _wanted(one: Offered, tool: str) -> bool:
    if tool:
        return tool in (one.tool, one.name) and one.contract is not None
    return one.state in ("proposed", "changed")


def _refuse(server: str, tool: str, offered: list[Offered]) -> None:

    if not tool:
        say(f"nothing of {server} waits for approval: {_summary(offered)}")
        return
    raise InputError(
        f"server `{server}` has no tool `{brief(tool, 100)}`",
        code="E959",
        help=f"`remit mcp inspect {server}` lists what it has",
    )


def _print(one: Offered) -> None:
    """A tool in full: whoever approves it must have seen all of it."""
    from remit.cli.definition_files import diff_text, text_of
    from remit.core.codec import plain
    from remit.core.mcp import shown

    show(f"{paint(one.name or brief(shown(one.tool), 100), 'bold')}  {status(one.state)}{_terms(one)}")
    if one.reason:
        show(f"  {shown(one.reason)}")
    if one.state == "changed" and one.approved is not None:
        for line in diff_text(plain(one.approved.contract), plain(one.contract), "approved", "offered"):
            style = {"+": "good", "-": "bad", "@": "name"}.get(line[:1], "")
            show("  " + paint(shown(line), style))
    elif one.contract is not None:
        for line in shown(text_of(plain(one.contract))).splitlines():
            show(paint(f"  {line}", "dim"))


def _terms(one: Offered) -> str:
    return f"  {one.approved.risk}, {one.approved.effect}" if one.approved is not None else ""


def _summary(found: list[Offered]) -> str:
    states = ("approved", "proposed", "changed", "disabled", "gone", "refused")
    counts = [(sum(one.state == state for one in found), state) for state in states]
    return f"{plural(len(found), 'tool')}: " + ", ".join(f"{n} {state}" for n, state in counts if n)
