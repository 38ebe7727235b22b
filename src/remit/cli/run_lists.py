"""`remit runs list`: runs by any filters together, or those that a saved view of the console shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.answers import listed
from remit.cli.console import more, show, status
from remit.cli.session import with_app
from remit.cli.text import brief, moment, money
from remit.cli.times import instant
from remit.core.errors import InputError

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.saved_views import SavedView

WHEN = "A date, a time, or how long ago: 90m, 24h, 7d."


def list_(
    status_: Annotated[
        str, typer.Option("--status", help="running, waiting, success or failure.", show_default=False)
    ] = "",
    agent: Annotated[
        str, typer.Option("--agent", help="Only this agent's or workflow's.", show_default=False)
    ] = "",
    session: Annotated[
        str, typer.Option("--session", help="Only this conversation's.", show_default=False)
    ] = "",
    since: Annotated[
        str, typer.Option("--since", metavar="WHEN", help=f"Begun then or later. {WHEN}", show_default=False)
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="WHEN", help="Begun then or earlier.", show_default=False)
    ] = "",
    top: Annotated[bool, typer.Option("--top", help="Only runs that no other run started.")] = False,
    view: Annotated[
        str,
        typer.Option(
            "--view",
            metavar="NAME",
            help="What this saved view shows; other options go before it.",
            show_default=False,
        ),
    ] = "",
    viewer: Annotated[str, typer.Option("--as", metavar="NAME", help="Whose view.")] = o.REQUESTER,
    ids: Annotated[
        bool, typer.Option("--ids", help="Only the ids, one a line: for `remit runs cancel -`.")
    ] = False,
    limit: o.Limit = 20,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List runs, newest first. All filters may be given together; then a page may be short, and still not the last."""
    from typing import get_args

    from remit.core.view import RunStatus

    o.one_of("--status", status_, get_args(RunStatus))
    given: dict[str, Any] = {
        "status": status_,
        "agent": agent,
        "session_id": session,
        "since": instant(since) if since else None,
        "until": instant(until, end_of_day=True) if until else None,
        "top": top,
    }

    async def work(program: App) -> None:
        kept = await program.views.get(tenant, viewer, view) if view else None
        wanted = {
            **(filters(kept) if kept else {}),
            **{name: value for name, value in given.items() if value},
        }
        page = await program.runs.list(tenant, **wanted, limit=limit, cursor=cursor or None)
        if ids and not as_json:
            for item in page.items:
                show(item["run_id"])
            more(page.cursor)
            return
        header = ["run", "status", "agent", "started", "cost", "objective"]
        listed(page, as_json, header, _row)

    with_app(work, home=home)


def _row(run: dict[str, Any]) -> list[str]:
    return [
        run["run_id"],
        status(run["status"]),
        run["agent_id"],
        moment(run["start_ts"]),
        money(run["cost"]),
        brief(run["objective"], 48),
    ]


def filters(view: SavedView) -> dict[str, Any]:
    """What a saved view of the console's page of runs picks. Raises InputError."""
    if view.page != "runs":
        raise InputError(
            f"view `{view.name}` shows {view.page}, not runs", code="E1081", help="`remit views list` tells"
        )
    query: Mapping[str, str] = view.query
    found: dict[str, Any] = {
        "status": query.get("status", ""),
        "agent": query.get("agent", ""),
        "session_id": query.get("session", ""),
        "top": query.get("top") == "1",
    }
    period = query.get("period", "")
    if period == "between":
        found["since"], found["until"] = _here(query.get("since", "")), _here(query.get("until", ""))
    elif period:
        found["since"] = instant(period)
    return found


def _here(text: str) -> int | None:
    """A time of a view, which is of the zone where it is looked at; None for none."""
    from datetime import datetime

    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000) if text else None
    except ValueError:
        return None
