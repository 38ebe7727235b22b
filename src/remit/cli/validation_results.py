"""`remit validations series`, `rows` and `proposals`: what rules measured, the rows that failed them, and rules to accept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.answers import listed
from remit.cli.console import document, more, say, status, table
from remit.cli.session import with_app
from remit.cli.text import brief, moment, plural

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.proposals import Proposal


def register(validations: typer.Typer) -> None:
    """Add the commands to `remit validations`."""
    validations.command("series")(series)
    validations.command("rows")(rows)
    validations.command("proposals")(proposals)


def series(
    config_id: Annotated[str, typer.Argument(metavar="RULE", help="A rule's id.")],
    limit: o.Limit = 10,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List what the runs of a rule measured, newest first: every number of their details by its path."""

    async def work(program: App) -> None:
        from remit.engine.validation_series import series as series_of

        await program.validations.history(tenant, config_id, limit=1)
        page = await series_of(program.validation_runs, tenant, config_id, limit=limit, cursor=cursor or None)
        listed(
            page,
            as_json,
            ["at", "status", "version", "measured"],
            lambda point: [
                moment(point.timestamp),
                status(point.status),
                str(point.version),
                brief(" ".join(f"{name}={value:g}" for name, value in point.values.items()), 120),
            ],
        )

    with_app(work, home=home)


def rows(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A line of the run log.")],
    limit: o.Limit = 20,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the rows because of which a rule failed, as far as its run kept them."""

    async def work(program: App) -> None:
        from remit.engine.validation_rows import failing_rows

        run = await program.validation_runs.get(tenant, run_id)
        page = await failing_rows(program.blobs, run, limit=limit, cursor=cursor or None)
        if as_json:
            document(page)
            return
        names = list(dict.fromkeys(name for row in page.items for name in row))
        if names:
            cells = [[brief(row.get(name, ""), 40) for name in names] for row in page.items]
            table([brief(name, 40) for name in names], cells)
        say(
            f"{plural(page.total, 'row')} kept" + (f", {plural(page.gone, 'file')} gone" if page.gone else "")
        )
        more(page.cursor)

    with_app(work, home=home)


def proposals(
    table_id: Annotated[
        str, typer.Option("--table", metavar="TABLE", help="Only about this table.", show_default=False)
    ] = "",
    limit: o.Limit = 20,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List drafts of rules, which somebody has to accept (`promote`) or to turn down (`refuse`)."""

    async def work(program: App) -> None:
        from remit.engine.proposals import proposals as proposals_of

        page = await proposals_of(
            program.validations,
            program.registry,
            tenant,
            table_id=table_id,
            limit=limit,
            cursor=cursor or None,
        )
        if table_id and not page.items:
            await program.tables.get(tenant, table_id)
        listed(page, as_json, ["rule", "version", "table", "type", "changes", "reason"], _cells)

    with_app(work, home=home)


def _cells(proposal: Proposal) -> list[str]:
    rule = proposal.rule
    changes = ", ".join(d.path for d in proposal.differences) if proposal.active_version else "new"
    return [
        rule.config_id,
        str(rule.version),
        rule.table_id,
        rule.validation_type,
        brief(changes, 40),
        brief(rule.change_reason, 60),
    ]
