"""`remit schedules`: what is started when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.answers import gone, listed, told
from remit.cli.console import document, paint, show, status
from remit.cli.run import submitted
from remit.cli.session import person, with_app
from remit.cli.text import brief, moment, printable

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.schedules import ScheduleEntry, SchedulePage

app = typer.Typer(no_args_is_help=True, help="What is started when.", rich_markup_mode=None)

ScheduleId = Annotated[str, typer.Argument(metavar="SCHEDULE", help="A schedule's id.")]


@app.command("list")
def list_(
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the schedules, by id: those of rules and those added here."""

    async def work(program: App) -> SchedulePage:
        return await program.schedules.list(tenant, limit=limit, cursor=cursor or None)

    page = with_app(work, home=home)
    listed(
        page,
        as_json,
        ["schedule", "when", "agent", "state", "next", "last", "problem"],
        lambda s: [
            printable(s.schedule_id),
            s.expression,
            s.agent,
            status(s.state),
            moment(s.next_ts) if s.state == "enabled" else "-",
            moment(s.last_slot),
            brief(s.last_error, 60) or "-",
        ],
    )


@app.command("show")
def show_(
    schedule_id: ScheduleId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Show a schedule: when it is due next, and what came of the last time."""

    async def work(program: App) -> ScheduleEntry:
        return await program.schedules.get(tenant, schedule_id)

    _print(with_app(work, home=home), as_json)


def _print(entry: ScheduleEntry, as_json: bool) -> None:
    if as_json:
        document(entry)
        return
    show(f"{paint(printable(entry.schedule_id), 'bold')}  {status(entry.state)}")
    skipped = f"{entry.skipped:,}, the last at {moment(entry.skipped_until)}" if entry.skipped else ""
    lines = {
        "when": entry.expression,
        "next": moment(entry.next_ts) if entry.state == "enabled" else "",
        "agent": entry.agent,
        "input": "" if entry.input is None else brief(entry.input, 100),
        "profile": entry.policy_profile,
        "catch up": entry.catch_up,
        "last": moment(entry.last_slot) if entry.last_slot else "",
        "last run": entry.last_run,
        "problem": entry.last_error,
        "skipped": skipped,
        "added by": entry.author or f"the rules of {entry.table_id}",
    }
    for name, value in lines.items():
        if value:
            show(f"  {name.ljust(9)} {printable(value)}")


@app.command("add")
def add(
    schedule_id: ScheduleId,
    expression: Annotated[
        str,
        typer.Argument(
            metavar="WHEN", help="e.g. `daily at 06:30 Europe/Berlin`, `every 15 minutes`, `30 6 * * 1-5`."
        ),
    ],
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent to start.")],
    input_: Annotated[
        str, typer.Option("--input", metavar="JSON", help="What the agent is given.", show_default=False)
    ] = "",
    objective: Annotated[
        str, typer.Option("--objective", metavar="TEXT", help="What the agent is to do.", show_default=False)
    ] = "",
    profile: Annotated[
        str, typer.Option("--policy", metavar="PROFILE", help="The policy profile.")
    ] = "default",
    catch_up: Annotated[
        str,
        typer.Option("--catch-up", help="Of times that passed while nobody worked: latest, all or none."),
    ] = "latest",
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Add a schedule of an agent or workflow that is known here, or change it."""
    from remit.core.codec import convert
    from remit.engine.resolving import must_exist
    from remit.engine.schedules import ScheduleSpec

    spec = convert(
        {
            "expression": expression,
            "agent": agent,
            "input": _json(input_),
            "objective": objective,
            "policy_profile": profile,
            "catch_up": catch_up,
        },
        ScheduleSpec,
    )

    async def work(program: App) -> ScheduleEntry:
        await must_exist(program.registry, program.catalogue, tenant, agent)
        return await program.schedules.put(tenant, schedule_id, spec, actor=person(o.REQUESTER, ()))

    _print(with_app(work, home=home, app=app, packs=pack), as_json)


def _json(text: str) -> Any:
    if not text:
        return None
    from remit.core.errors import InputError

    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(
            f"`--input` is no JSON: {error}", code="E623", help="e.g. --input '{\"n\": 1}'"
        ) from error


@app.command("remove")
def remove(
    schedule_id: ScheduleId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Forget a schedule. One that rules made is paused instead: it goes when no rule has it."""

    async def work(program: App) -> None:
        await program.schedules.remove(tenant, schedule_id)

    with_app(work, home=home)
    gone("schedule", schedule_id, as_json, f"schedule {printable(schedule_id)} is forgotten")


@app.command("pause")
def pause(
    schedule_id: ScheduleId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Start nothing until it is resumed."""

    async def work(program: App) -> ScheduleEntry:
        return await program.schedules.pause(tenant, schedule_id)

    told(with_app(work, home=home), as_json, f"schedule {printable(schedule_id)} is paused")


@app.command("resume")
def resume(
    schedule_id: ScheduleId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Go on with the next time from now."""

    async def work(program: App) -> ScheduleEntry:
        return await program.schedules.resume(tenant, schedule_id)

    entry = with_app(work, home=home)
    told(entry, as_json, f"schedule {printable(schedule_id)} goes on at {moment(entry.next_ts)}")


@app.command("fire")
def fire(
    schedule_id: ScheduleId,
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Start it now, beside its times. A worker (`remit up` or `remit worker`) takes the run up."""

    async def work(program: App) -> str:
        return await program.scheduler.fire(tenant, schedule_id, person(o.REQUESTER, ()))

    run_id = with_app(work, home=home, app=app, packs=pack)
    submitted(run_id, as_json)
