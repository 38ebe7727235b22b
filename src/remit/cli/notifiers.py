"""`remit notifiers`: who is told about failing and recovering rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.answers import gone, listed, told
from remit.cli.console import document, paint, show, status
from remit.cli.session import with_app
from remit.cli.text import brief, moment, printable

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.notification import NotifierConfig
    from remit.engine.notifications import NotificationPage
    from remit.engine.notifiers import NotifierPage

app = typer.Typer(
    no_args_is_help=True, help="Who is told about failing and recovering rules.", rich_markup_mode=None
)

NotifierId = Annotated[str, typer.Argument(metavar="NOTIFIER", help="A notifier's id.")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@app.command("list")
def list_(
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the notifiers, by id."""

    async def work(program: App) -> tuple[NotifierPage, int]:
        page = await program.notifiers.list(tenant, limit=limit, cursor=cursor or None)
        return page, program.clock.now()

    page, now = with_app(work, home=home)
    listed(
        page,
        as_json,
        ["notifier", "channel", "target", "about", "on", "state"],
        lambda n: [
            n.notifier_id,
            n.channel,
            brief(n.target, 50),
            _about(n),
            ", ".join(n.on),
            status(_state(n, now)),
        ],
    )


def _about(config: NotifierConfig) -> str:
    return brief(", ".join((*config.tables, *config.configs)), 50) or "everything"


def _state(config: NotifierConfig, now: int) -> str:
    if not config.enabled:
        return "disabled"
    return "muted" if config.muted_until > now else "active"


@app.command("show")
def show_(
    notifier_id: NotifierId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Show a notifier."""

    async def work(program: App) -> tuple[NotifierConfig, int]:
        return await program.notifiers.get(tenant, notifier_id), program.clock.now()

    found, now = with_app(work, home=home)
    _print(found, now, as_json)


def _print(config: NotifierConfig, now: int, as_json: bool) -> None:
    if as_json:
        document(config)
        return
    state = _state(config, now)
    show(f"{paint(config.notifier_id, 'bold')}  {status(state)}")
    lines = {
        "channel": config.channel,
        "target": config.target,
        "about": _about(config),
        "on": ", ".join(config.on),
        "again": f"after {config.mute_for_s:,} s while a rule goes on failing",
        "muted": f"until {moment(config.muted_until)}" if state == "muted" else "",
        "signed": config.signing_key,
    }
    for name, value in lines.items():
        if value:
            show(f"  {name.ljust(8)} {printable(value)}")


@app.command("add")
def add(
    notifier_id: NotifierId,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="email, slack, webhook or sns.")],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="Addresses separated by commas, or a URL. A secret is written as ${secret:NAME}, as Slack's URL always is.",
        ),
    ],
    tables: Annotated[
        list[str],
        typer.Option(
            "--table", metavar="TABLE", help="Only this table; may be repeated.", show_default=False
        ),
    ] = [],  # noqa: B006 - typer copies it
    configs: Annotated[
        list[str],
        typer.Option("--config", metavar="RULE", help="Only this rule; may be repeated.", show_default=False),
    ] = [],  # noqa: B006 - typer copies it
    on: Annotated[
        list[str],
        typer.Option(
            "--on",
            metavar="OCCASION",
            help="failure, error, recovery or budget; may be repeated.",
            show_default="failure, error and recovery",
        ),
    ] = [],  # noqa: B006 - typer copies it
    again_after: Annotated[
        str,
        typer.Option(
            "--again-after", metavar="TIME", help="Told again while it fails, e.g. 12h; 0: at every run."
        ),
    ] = "1d",
    signing_key: Annotated[
        str,
        typer.Option(
            "--signing-key", metavar="SECRET", help="A webhook's key, as ${secret:NAME}.", show_default=False
        ),
    ] = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Add a notifier, or change it."""
    from remit.core.codec import convert
    from remit.core.notification import NotifierConfig

    given: dict[str, Any] = {
        "notifier_id": notifier_id,
        "channel": channel,
        "target": target,
        "tables": tables,
        "configs": configs,
        "mute_for_s": seconds(again_after),
        "signing_key": signing_key,
        **({"on": on} if on else {}),
    }
    config = convert(given, NotifierConfig)

    async def work(program: App) -> tuple[NotifierConfig, int]:
        return await program.notifiers.put(tenant, config), program.clock.now()

    made, now = with_app(work, home=home)
    _print(made, now, as_json)


@app.command("remove")
def remove(
    notifier_id: NotifierId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Forget a notifier. What it was told stays on record."""

    async def work(program: App) -> None:
        await program.notifiers.remove(tenant, notifier_id)

    with_app(work, home=home)
    gone("notifier", notifier_id, as_json, f"notifier {notifier_id} is forgotten")


@app.command("mute")
def mute(
    notifier_id: NotifierId,
    for_: Annotated[
        str, typer.Option("--for", metavar="TIME", help="For how long, e.g. 30m, 2h or 3d.")
    ] = "1h",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Send nothing for a while. What still fails then is told by the next run."""
    length = seconds(for_)

    async def work(program: App) -> NotifierConfig:
        until = program.clock.now() + length * 1000
        return await program.notifiers.mute(tenant, notifier_id, until)

    muted = with_app(work, home=home)
    told(muted, as_json, f"notifier {notifier_id} is muted until {moment(muted.muted_until)}")


@app.command("unmute")
def unmute(
    notifier_id: NotifierId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Send again."""

    async def work(program: App) -> NotifierConfig:
        return await program.notifiers.mute(tenant, notifier_id, 0)

    told(with_app(work, home=home), as_json, f"notifier {notifier_id} is told again")


@app.command("test")
def try_out(
    notifier_id: NotifierId, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = ""
) -> None:
    """Send a notifier a message that says it is a test."""

    async def work(program: App) -> dict[str, Any]:
        return await program.notifications.test(tenant, notifier_id)

    sent = with_app(work, home=home)
    told(sent, as_json, f"sent: {printable(sent['receipt'])}")


@app.command("sent")
def sent(
    state: Annotated[
        str,
        typer.Option("--status", help="pending, sending, sent, failed or unknown.", show_default=False),
    ] = "",
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List what was told, newest first, and how the sending went."""
    from typing import get_args

    from remit.core.notification import Delivery

    o.one_of("--status", state, get_args(Delivery))

    async def work(program: App) -> NotificationPage:
        return await program.notifications.list(tenant, status=state, limit=limit, cursor=cursor or None)

    page = with_app(work, home=home)
    listed(
        page,
        as_json,
        ["planned", "notifier", "channel", "state", "subject", "problem"],
        lambda n: [
            moment(n.planned_ts),
            n.notifier_id,
            n.channel,
            status(n.status),
            brief(n.subject, 70),
            brief(n.problem, 60),
        ],
    )


def seconds(text: str) -> int:
    """`90`, `30m`, `2h` or `3d` in seconds. Raises InputError."""
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    if not (number.isdigit() and number.isascii() and len(number) < 10):
        from remit.core.errors import InputError

        raise InputError(f"`{text[:40]}` is no length of time", code="E623", help="e.g. 30m, 2h or 3d")
    return int(number) * _UNITS[unit]
