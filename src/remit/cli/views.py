"""`remit views`: what a person likes to look at in the console, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.answers import Items, gone, listed, told
from remit.cli.console import document, show
from remit.cli.session import with_app
from remit.cli.text import brief, moment
from remit.core.errors import InputError

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.saved_views import SavedView

app = typer.Typer(no_args_is_help=True, help="Saved views of the console.", rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A view's name.")]
Whose = Annotated[str, typer.Option("--as", metavar="NAME", help="Whose view.")]


@app.command("list")
def list_(
    whose: Whose = o.REQUESTER, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """List a person's views."""

    async def work(program: App) -> None:
        found = await program.views.list(tenant, whose)
        listed(
            Items(found.items),
            as_json,
            ["view", "page", "shows", "saved"],
            lambda v: [brief(v.name), v.page, _query(v), moment(v.saved_ts)],
        )

    with_app(work, home=home)


@app.command("show")
def show_(
    name: Name,
    whose: Whose = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Show one view."""

    async def work(program: App) -> None:
        found = await program.views.get(tenant, whose, name)
        if as_json:
            document(found)
        else:
            show(f"{brief(found.name)}  {found.page}  {_query(found)}")

    with_app(work, home=home)


@app.command("save")
def save(
    name: Name,
    page: Annotated[
        str, typer.Option("--page", help="The page of the console, as its address has it.")
    ] = "runs",
    pairs: Annotated[
        list[str],
        typer.Option(
            "--filter",
            metavar="NAME=VALUE",
            help="As in the page's address, e.g. status=failure or period=24h; may be repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 - typer copies it
    whose: Whose = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Keep a view under a name, in place of what had it."""
    query = dict(_pair(text) for text in pairs)

    async def work(program: App) -> SavedView:
        from remit.core.codec import convert
        from remit.engine.saved_views import ViewContent

        content = convert({"page": page, "query": query}, ViewContent)
        return await program.views.put(tenant, whose, name, content)

    kept = with_app(work, home=home)
    told(kept, as_json, f"view `{brief(kept.name)}` is kept")


@app.command("remove")
def remove(
    name: Name,
    whose: Whose = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Forget a view; harmless when there is none."""

    async def work(program: App) -> None:
        await program.views.remove(tenant, whose, name)

    with_app(work, home=home)
    gone("view", name, as_json, f"view `{brief(name)}` is forgotten")


def _query(view: SavedView) -> str:
    return brief(" ".join(f"{name}={value}" for name, value in sorted(view.query.items())), 80)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InputError(f"`{text[:100]}` is no filter", code="E1082", help="e.g. `--filter status=failure`")
    return name, value
