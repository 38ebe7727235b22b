"""`remit keys`: API keys for the HTTP server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.answers import Items, gone, listed
from remit.cli.console import document, say, show, status
from remit.cli.session import with_app
from remit.cli.text import moment

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.keys import KeyInfo, NewKey

app = typer.Typer(no_args_is_help=True, help="API keys for the HTTP server.", rich_markup_mode=None)


@app.command("create")
def create(
    actor: Annotated[str, typer.Option("--actor", metavar="NAME", help="Whose key it is.")],
    role: Annotated[
        list[str],
        typer.Option(
            "--role",
            help="admin, operator, editor, approver, auditor, viewer, visitor, or one that a policy profile lets approve; may be "
            "repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 - typer copies it
    custom_role: Annotated[
        list[str],
        typer.Option(
            "--custom-role",
            help="A role that only a workflow's gate or a policy's text knows; may be repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    days: Annotated[int, typer.Option("--days", min=0, help="Expires after so many days; 0: never.")] = 90,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Make a key. It is shown once and kept only as a hash."""

    async def work(program: App) -> NewKey:
        ttl_s = days * 86_400 if days else None
        return await program.keys.create(tenant, actor, role, custom_roles=custom_role, ttl_s=ttl_s)

    key = with_app(work, home=home)
    if as_json:
        document(key)
        return
    show(key.secret)
    say(f"key {key.key_id} of {actor} in tenant {tenant}; it is not shown again")


@app.command("link")
def link(as_json: o.Json = False, home: o.Home = "") -> None:
    """Print an address that signs a browser in to the console of `remit up`: once, and within five minutes."""
    from remit.server.local import ensure_local_key, sign_in_link

    async def work(program: App) -> str:
        secret = await ensure_local_key(program, program.settings.home)
        return await sign_in_link(program, secret, program.settings.host, program.settings.port)

    address = with_app(work, home=home)
    if as_json:
        document({"address": address})
    else:
        show(address)


@app.command("list")
def list_(as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = "") -> None:
    """List the keys of a tenant; never their secrets."""

    async def work(program: App) -> list[KeyInfo]:
        return await program.keys.list(tenant)

    listed(
        Items(with_app(work, home=home)),
        as_json,
        ["key", "actor", "roles", "made", "expires", "status"],
        lambda k: [
            k.key_id,
            k.actor_id,
            ", ".join(k.roles),
            moment(k.created_ts),
            moment(k.expires_ts),
            status("revoked" if k.revoked_ts else "active"),
        ],
    )


@app.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="A key's id.")],
    as_json: o.Json = False,
    home: o.Home = "",
) -> None:
    """End a key at once."""

    async def work(program: App) -> None:
        await program.keys.revoke(key_id)

    with_app(work, home=home)
    gone("key", key_id, as_json, f"key {key_id} no longer works")
