"""`remit events`: publish events, watch them, and see to those that could not be delivered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.answers import listed, told
from remit.cli.console import document, paint, say, show
from remit.cli.session import person, with_app
from remit.cli.text import brief, moment, printable

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.bus.local import StoredEvent, StoredEvents
    from remit.ports.bus import DeadLetter, DeadLetters, Published

app = typer.Typer(
    no_args_is_help=True, help="Publish events, and see what became of them.", rich_markup_mode=None
)
dead = typer.Typer(no_args_is_help=True, help="Events that could not be delivered.", rich_markup_mode=None)
app.add_typer(dead, name="dead-letters")

PAGE = 200
FOLLOW_S = 0.2

DeadLetterId = Annotated[str, typer.Argument(metavar="DEAD_LETTER", help="A dead letter's id.")]
Subscription = Annotated[
    str,
    typer.Option(
        "--rule", metavar="NAME", help="Only of this one: rule:NAME, agent:NAME.", show_default=False
    ),
]


@app.command("publish")
def publish(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The event's type, e.g. order.placed.")],
    data: Annotated[
        str, typer.Option("--data", metavar="JSON|@FILE", help="What happened.", show_default=False)
    ] = "",
    key: Annotated[
        str,
        typer.Option(
            "--key", metavar="KEY", help="Events with one key are handled in order.", show_default=False
        ),
    ] = "",
    subject: Annotated[
        str, typer.Option("--subject", metavar="TEXT", help="What it is about.", show_default=False)
    ] = "",
    source: Annotated[str, typer.Option("--source", metavar="URI", help="Where it happened.")] = "remit:cli",
    event_id: Annotated[
        str,
        typer.Option(
            "--id", metavar="ID", help="Its id; published again, it is the same event.", show_default=False
        ),
    ] = "",
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Publish an event. A worker (`remit up` or `remit worker`) delivers it."""
    from remit.core.cloudevent import CloudEvent, to_json
    from remit.engine.bus.local import attributed

    given = json_of("--data", data)

    async def work(program: App) -> Published:
        event = CloudEvent(
            id=event_id or program.clock.new_id("evt"),
            source=source,
            type=type_,
            data=given,
            subject=subject,
            partitionkey=key,
        )
        (published,) = await program.bus.publish(tenant, [attributed(event, person(o.REQUESTER, ()))])
        return published

    published = with_app(work, home=home, app=app, packs=pack)
    if as_json:
        document({"event": to_json(published.event), "fresh": published.fresh})
        return
    show(printable(published.event.id))
    say("published" if published.fresh else "it was published before, and nothing was done")


@app.command("list")
def list_(
    type_: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Only events of this type.", show_default=False)
    ] = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on showing events as they come.")
    ] = False,
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the events of the last week, newest first; with --follow oldest first, and then new ones as they come."""

    async def work(program: App) -> StoredEvents:
        page = await program.bus.events(tenant, type_=type_, limit=limit, cursor=cursor or None)
        if follow:
            await _follow(program, tenant, type_, list(reversed(page.items)), as_json)
        return page

    page = with_app(work, home=home)
    listed(page, as_json, ["time", "type", "key", "id", "data"], _row, each=_plain)


async def _follow(program: App, tenant: str, type_: str, shown: list[StoredEvent], as_json: bool) -> None:
    """Show events as they come, until interrupted."""
    last = ""
    fresh = shown
    while True:
        for event in fresh:
            last = event.ticket
            show(json.dumps(_plain(event)) if as_json else "  ".join(_row(event)))
        page = await program.bus.events(tenant, type_=type_, after=last, descending=False, limit=PAGE)
        fresh = page.items
        if not fresh:
            await program.clock.sleep(FOLLOW_S)


def _row(stored: StoredEvent) -> list[str]:
    event = stored.event
    return [
        printable(event.time),
        printable(event.type),
        printable(event.partitionkey) or "-",
        printable(event.id),
        brief(event.data, 60),
    ]


def _plain(stored: StoredEvent) -> dict[str, Any]:
    from remit.core.cloudevent import to_json

    return {"ticket": stored.ticket, "event": to_json(stored.event)}


# dead letters


@dead.command("list")
def list_dead(
    rule: Subscription = "",
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the events that were given up, newest first."""

    async def work(program: App) -> DeadLetters:
        from remit.engine.bus import trying

        found = await program.bus.dead_letters(tenant, subscription=rule, limit=limit, cursor=cursor or None)
        if rule and not found.items and not cursor:  # a rule that is gone may still have some
            await trying.rule(program.bus.subscriptions, tenant, rule)
        return found

    listed(
        with_app(work, home=home),
        as_json,
        ["dead letter", "given up", "for", "type", "problem"],
        lambda d: [
            d.dead_letter_id,
            moment(d.dead_ts),
            printable(d.subscription),
            printable(d.event.type),
            brief(d.problem, 60),
        ],
        each=_dead,
    )


@dead.command("show")
def show_dead(
    dead_letter_id: DeadLetterId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Show an event that was given up, and why."""

    async def work(program: App) -> DeadLetter:
        return await program.bus.dead_letter(tenant, dead_letter_id)

    found = with_app(work, home=home)
    if as_json:
        document(_dead(found))
        return
    event = found.event
    show(paint(found.dead_letter_id, "bold"))
    lines = {
        "for": found.subscription,
        "problem": found.problem,
        "attempts": str(found.attempts),
        "given up": moment(found.dead_ts),
        "type": event.type,
        "id": event.id,
        "source": event.source,
        "key": event.partitionkey,
        "data": brief(event.data, 300),
    }
    for name, value in lines.items():
        if value:
            show(f"  {name.ljust(9)} {printable(value)}")


@dead.command("redrive")
def redrive(
    dead_letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="DEAD_LETTER", help="Ids.", show_default=False)
    ] = None,
    rule: Subscription = "",
    messages: Annotated[
        bool,
        typer.Option(
            "--messages", help="What was put aside: dead-letter queues of SQS, dead-letter topics of Kafka."
        ),
    ] = False,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Deliver events once more, as if they came just now: those named, all of a rule, or messages that were put aside."""

    async def work(program: App) -> list[str] | int:
        if messages:
            from remit.engine.bus.queued import queued

            return await queued(program.bus).redrive_messages()
        return await _each(program, tenant, dead_letter_ids or [], rule, program.bus.redrive)

    done = with_app(work, home=home)
    if isinstance(done, int):
        told({"messages": done}, as_json, f"{done:,} on their way again")
    else:
        told({"items": done}, as_json, f"{len(done):,} on their way again")


@dead.command("discard")
def discard(
    dead_letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="DEAD_LETTER", help="Ids.", show_default=False)
    ] = None,
    rule: Subscription = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Forget events that were given up: those named, or all of a rule."""

    async def work(program: App) -> list[str]:
        return await _each(program, tenant, dead_letter_ids or [], rule, program.bus.discard)

    done = with_app(work, home=home)
    told({"items": done}, as_json, f"{len(done):,} forgotten")


async def _each(program: App, tenant: str, ids: list[str], rule: str, verb: Any) -> list[str]:
    """Do it with the dead letters named, or with all that a rule has now; oldest first, so that they keep their order. Their ids."""
    from remit.core.errors import InputError

    if bool(ids) == bool(rule):
        raise InputError(
            "this takes dead letters by id, or all of a rule", code="E671", help="e.g. --rule rule:NAME"
        )
    named = list(ids)
    cursor: str | None = None
    while rule:
        page = await program.bus.dead_letters(tenant, subscription=rule, limit=PAGE, cursor=cursor)
        named += [d.dead_letter_id for d in page.items]
        cursor = page.cursor
        if cursor is None:
            named.reverse()
            break
    for dead_letter_id in named:
        await verb(tenant, dead_letter_id)
    return named


def _dead(found: DeadLetter) -> dict[str, Any]:
    from remit.core.cloudevent import to_json
    from remit.core.codec import plain

    return {**plain(found), "event": to_json(found.event)}


def json_of(option: str, text: str) -> Any:
    """The JSON of an option, or of the file `@FILE`; None when it was not given. Raises InputError E623, E1111."""
    if not text:
        return None
    from remit.core.errors import InputError

    if text.startswith("@"):
        text = _text_of(Path(text[1:]))
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(
            f"`{option}` is no JSON: {error}", code="E623", help=f"e.g. {option} '{{\"n\": 1}}'"
        ) from error


def _text_of(path: Path) -> str:
    from remit.core.errors import InputError

    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"`{path}` cannot be read: {error}", code="E1111", help="check its path") from error
