"""`remit tables`: which tables there are, where they live, and who owns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.answers import gone, listed
from remit.cli.console import document, paint, say, show, status
from remit.cli.definitions import By, Why
from remit.cli.session import person, with_app
from remit.cli.text import brief, moment, printable

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.validation import Table
    from remit.engine.tables import TablePage
    from remit.engine.trail import RecordChange, RecordChanges

app = typer.Typer(no_args_is_help=True, help="The tables that are looked after.", rich_markup_mode=None)

TableId = Annotated[str, typer.Argument(metavar="TABLE", help="A table's id.")]
Owner = Annotated[str, typer.Option("--owner", metavar="NAME", help="Whose it is.", show_default=False)]


@app.command("list")
def list_(
    owner: Owner = "",
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the tables, by id."""

    async def work(program: App) -> TablePage:
        return await program.tables.list(tenant, owner=owner, limit=limit, cursor=cursor or None)

    page = with_app(work, home=home)
    listed(
        page,
        as_json,
        ["table", "source", "format", "owner", "schedule", "status", "location"],
        lambda t: [
            t.table_id,
            t.source,
            t.format,
            printable(t.owner) or "-",
            t.schedule or "-",
            status("active" if t.active else "inactive"),
            brief(t.location, 60),
        ],
    )


@app.command("show")
def show_(table_id: TableId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = "") -> None:
    """Show a table and its rules."""

    async def work(program: App) -> None:
        found = await program.tables.get(tenant, table_id)
        if as_json:
            document(found)
            return
        _print(found)
        rules = await program.validations.active(tenant, table_id=table_id)
        show(f"  rules      {', '.join(r.config_id for r in rules) or 'none'}")

    with_app(work, home=home)


def _print(found: Table) -> None:
    show(f"{paint(found.table_id, 'bold')}  {status('active' if found.active else 'inactive')}")
    lines = {
        "location": found.location,
        "source": f"{found.source}, {found.format}",
        "partition": found.partition_key,
        "owner": found.owner,
        "schedule": found.schedule,
        "registered": moment(found.created_at),
    }
    for name, value in lines.items():
        if value:
            show(f"  {name.ljust(10)} {printable(value)}")


@app.command("add")
def add(
    table_id: TableId,
    location: Annotated[
        str,
        typer.Argument(
            metavar="LOCATION",
            help="A path or an address, e.g. data/orders.parquet or postgresql://shop@db/shop/orders. "
            "A password is written as ${secret:NAME}.",
        ),
    ],
    source: Annotated[
        str,
        typer.Option("--source", help="The engine, where the location does not say it.", show_default=False),
    ] = "",
    format_: Annotated[
        str, typer.Option("--format", help="parquet, csv, json or table.", show_default=False)
    ] = "",
    owner: Owner = "",
    schedule: Annotated[
        str,
        typer.Option(
            "--schedule",
            help="When its rules run that say no time, e.g. `daily at 06:30`.",
            show_default=False,
        ),
    ] = "",
    partition_key: Annotated[
        str,
        typer.Option(
            "--partition-key", metavar="COLUMN", help="What it is partitioned by.", show_default=False
        ),
    ] = "",
    inactive: Annotated[
        bool, typer.Option("--inactive", help="Look after it later: nothing is due.")
    ] = False,
    why: Why = "registered",
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Register a table, or change what is known of it. The same again changes nothing."""
    from remit.engine.tables import described

    given: dict[str, Any] = {"source": source, "format": format_}
    made = described(
        {
            **{name: value for name, value in given.items() if value},
            "table_id": table_id,
            "location": location,
            "owner": owner,
            "schedule": schedule,
            "partition_key": partition_key,
            "active": not inactive,
        }
    )

    async def work(program: App) -> tuple[bool, Table]:
        changed = await program.tables.put(tenant, made, actor=person(by, ()), reason=why)
        return changed, await program.tables.get(tenant, table_id)

    changed, found = with_app(work, home=home)
    if as_json:
        document(found)
        return
    _print(found)
    say("registered" if changed else "it is so already; nothing changed")


@app.command("history")
def history(
    table_id: TableId,
    limit: o.Limit = 20,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List who changed a table, when, why, and what; newest first."""

    async def work(program: App) -> RecordChanges:
        return await program.tables.changes(tenant, table_id, limit=limit, cursor=cursor or None)

    print_changes(with_app(work, home=home), as_json)


def print_changes(page: RecordChanges, as_json: bool) -> None:
    """Print a page of audit records, each with the fields that it changed."""
    listed(
        page,
        as_json,
        ["change", "action", "at", "by", "reason", "what"],
        lambda c: [
            str(c.revision),
            c.action,
            moment(c.changed_ts),
            brief(c.author, 30),
            brief(c.reason, 40),
            brief(", ".join(_changed(c)), 80),
        ],
    )


def _changed(change: RecordChange) -> list[str]:
    if change.before is None or change.after is None:
        return []
    return [
        f"{field}: {printable(str(change.before.get(field)))} -> {printable(str(value))}"
        for field, value in change.after.items()
        if change.before.get(field) != value
    ]


@app.command("remove")
def remove(
    table_id: TableId,
    why: Why = "no longer looked after",
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Forget a table that no active rule needs. Its run log and its history stay."""

    async def work(program: App) -> None:
        await program.validations.remove_table(tenant, table_id, actor=person(by, ()), reason=why)

    with_app(work, home=home)
    gone("table", table_id, as_json, f"table {table_id} is forgotten")
