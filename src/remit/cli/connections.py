"""`remit connections`: which platforms are connected, and whether their credentials work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.console import document, paint, say, show
from remit.cli.session import run_async, settings_for, started

if TYPE_CHECKING:
    from remit.settings import Connection, Settings

app = typer.Typer(no_args_is_help=True, help="Platforms that agents work with.", rich_markup_mode=None)

FAILED = 1
PROBES: dict[str, tuple[str, dict[str, str | int]]] = {
    "github": ("/installation/repositories", {"per_page": 1}),
    "slack": ("/auth.test", {}),
    "jira": ("/rest/api/3/myself", {}),
    "servicenow": ("/api/now/table/incident", {"sysparm_limit": 1, "sysparm_fields": "sys_id"}),
}
"""What is read to see whether a credential works: nothing that says much. Of another platform any answer will do but a refusal of it."""


@app.callback()
def root() -> None:
    """Platforms that agents work with."""


@app.command("list")
def list_connections(as_json: o.Json = False, home: o.Home = "") -> None:
    """What remit.toml connects. Nothing is asked of a platform."""
    settings = settings_for(home=home)
    rows = [_row(name, chosen) for name, chosen in sorted(settings.connections.items())]
    if as_json:
        document({"items": rows})
        return
    if not rows:
        say("nothing is connected; add e.g. [connections.github] to remit.toml")
    for row in rows:
        dry = paint("  dry run", "warn") if row["dry_run"] else ""
        show(f"{paint(row['name'], 'name')}  {row['auth']}  {row['url'] or 'its usual address'}{dry}")


@app.command("test")
def try_connection(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A platform, e.g. github.")],
    tenant: o.Tenant = o.TENANT,
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """Get a credential as a tool would, and read something small with it. Exit 1 when the platform does not answer as it should."""
    result = run_async(_try(settings_for(home=home), name, tenant))
    if as_json:
        document(result)
    else:
        mark = paint("works", "good") if result["works"] else paint("does not work", "bad")
        show(f"{name}: {mark} (status {result['status']})")
    if not result["works"]:
        raise typer.Exit(FAILED)


async def _try(settings: Settings, name: str, tenant: str) -> dict[str, Any]:
    from remit.bootstrap.connections import place_of

    path, query = PROBES.get(name, ("/", {}))
    if name == "github" and place_of(settings.connections, tenant, name).auth != "app":
        path = "/user"
    async with started(settings) as program:
        reply = await program.equipment.connections.of(tenant).request(name, "GET", path, query=query)
    said_no = isinstance(reply.data, dict) and reply.data.get("ok") is False
    works = (reply.ok and not said_no) or name not in PROBES
    return {"name": name, "tenant": tenant, "works": works, "status": reply.status}


def _row(name: str, chosen: Connection) -> dict[str, Any]:
    return {
        "name": name,
        "auth": chosen.auth,
        "url": chosen.url,
        "scopes": list(chosen.scopes),
        "dry_run": chosen.dry_run,
    }
