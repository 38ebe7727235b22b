"""`remit rules`: which events start what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.answers import gone, listed, told
from remit.cli.console import document, paint, show, status
from remit.cli.session import person, with_app
from remit.cli.text import brief, printable

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.definition import Definition
    from remit.engine.bus.trying import RulePage, RuleView, Trial

app = typer.Typer(no_args_is_help=True, help="Which events start what.", rich_markup_mode=None)

RULE = "rule"

Name = Annotated[
    str, typer.Argument(metavar="RULE", help="A rule's name, or agent:NAME for one that subscribes.")
]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="Why; it is kept with the change.")]


@app.command("list")
def list_(
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List who gets which events: rules, agents that subscribe, and code that does."""

    async def work(program: App) -> RulePage:
        from remit.engine.bus import trying

        return await trying.rules(program.bus.subscriptions, tenant, limit=limit, cursor=cursor or None)

    page = with_app(work, home=home, app=app, packs=pack)
    listed(
        page,
        as_json,
        ["rule", "starts", "state", "pattern"],
        lambda r: [
            printable(r.name),
            printable(r.target) or "-",
            _switch(r.enabled),
            brief(_one(r.patterns), 90),
        ],
    )


@app.command("show")
def show_(
    name: Name,
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Show a rule."""

    async def work(program: App) -> RuleView:
        from remit.engine.bus import trying

        return await trying.rule(program.bus.subscriptions, tenant, name)

    rule = with_app(work, home=home, app=app, packs=pack)
    if as_json:
        document(rule)
        return
    show(f"{paint(printable(rule.name), 'bold')}  {_switch(rule.enabled)}")
    retry = rule.retry
    lines = {
        "pattern": brief(_one(rule.patterns), 1000),
        "starts": rule.target,
        "attempts": f"{retry.attempts}, resting {retry.base_s:g} to {retry.max_s:g} s",
        "a failed run": "is a failed delivery" if retry.on_failure else "",
        "given up": "a dead letter" if rule.dead_letter else "dropped",
        "ordered": "one run after the other of each key" if rule.ordered else "",
        "author": rule.author,
    }
    for key, value in lines.items():
        if value:
            show(f"  {key.ljust(12)} {printable(value)}")


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="RULE", help="A rule's name.")],
    pattern: Annotated[
        str, typer.Option("--pattern", metavar="JSON", help='An event pattern: {"type": ["order.placed"]}.')
    ],
    target: Annotated[str, typer.Option("--target", metavar="NAME", help="The agent or workflow to start.")],
    input_: Annotated[
        str,
        typer.Option(
            "--input",
            metavar="JSON",
            help='{"path": "$.data"}, or `paths` and `template`.',
            show_default=False,
        ),
    ] = "",
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Let a key's next event wait until the run has ended.")
    ] = False,
    attempts: Annotated[int, typer.Option("--attempts", min=1, max=100, help="How often it is tried.")] = 8,
    on_failure: Annotated[
        bool, typer.Option("--on-failure", help="Count a run that fails as a failed delivery.")
    ] = False,
    why: Why = "added with remit rules add",
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Add a rule for an agent or workflow that is known here, or change it. `remit apply` does so from files, before there is one."""
    from remit.cli.events import json_of
    from remit.engine.resolving import must_exist

    body: dict[str, Any] = {
        "pattern": json_of("--pattern", pattern),
        "target": target,
        "ordered": ordered,
        "retry": {"attempts": attempts, "on_failure": on_failure},
    }
    if input_:
        body["input"] = json_of("--input", input_)

    async def work(program: App) -> Definition:
        program.registry.check(tenant, RULE, name, body)
        await must_exist(program.registry, program.catalogue, tenant, target)
        verb = program.registry.create
        if await program.registry.head(tenant, RULE, name) is not None:
            verb = program.registry.edit
        return await verb(tenant, RULE, name, body, actor=person(o.REQUESTER, ()), reason=why)

    made = with_app(work, home=home, app=app, packs=pack)
    words = f"rule {printable(name)} is version {made.version}; it holds for events from now on"
    told(made, as_json, words)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(metavar="RULE", help="A rule's name.")],
    why: Why = "removed with remit rules remove",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Take a rule out of use. What was under way to it becomes dead letters."""

    async def work(program: App) -> None:
        if ":" in name:
            await program.bus.unsubscribe("*" if name.startswith(("agent:", "outlet:")) else tenant, name)
            return
        await program.registry.archive(tenant, RULE, name, actor=person(o.REQUESTER, ()), reason=why)

    with_app(work, home=home)
    gone("rule", name, as_json, f"rule {printable(name)} is out of use")


@app.command("test")
def try_(
    name: Annotated[
        str, typer.Argument(metavar="[RULE]", help="One rule; all without.", show_default=False)
    ] = "",
    event: Annotated[
        str,
        typer.Option(
            "--event",
            "-e",
            metavar="JSON|FILE",
            help="A CloudEvent in JSON, or a file with one; `-` for standard input.",
        ),
    ] = "-",
    app: o.AppFile = "",
    pack: o.Packs = [],  # noqa: B006 - typer copies it
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Say which rules match an event, and what each would start with. Nothing is published."""
    from remit.core.cloudevent import from_json

    given = from_json(_read(event))

    async def work(program: App) -> list[Trial]:
        from remit.engine.bus import trying

        return await trying.tried(program.bus.subscriptions, tenant, given, name)

    found = with_app(work, home=home, app=app, packs=pack)
    if as_json:
        document({"items": found})
        return
    for trial in found:
        verdict = paint("matches", "good") if trial.matches else paint("does not match", "dim")
        show(f"{paint(printable(trial.name), 'bold')}  {verdict}")
        if trial.matches and trial.target:
            show(f"  starts {printable(trial.target)} with {brief(trial.input, 500)}")


def _read(event: str) -> Any:
    """The event of an argument: JSON itself, `-` for stdin, `FILE` or `@FILE`. Raises InputError E623, E1111."""
    import sys

    from remit.cli.events import json_of

    if event == "-":
        event = sys.stdin.read() or " "
    elif not event.lstrip().startswith(("{", "[", "@")):
        event = f"@{event}"
    given = json_of("--event", event)
    if isinstance(given, dict):  # what a person writes by hand may leave out what every event has
        given = {"specversion": "1.0", "id": "test", "source": "remit:cli", **given}
    return given


def _one(patterns: tuple[dict[str, Any], ...]) -> Any:
    return patterns[0] if len(patterns) == 1 else list(patterns)


def _switch(enabled: bool) -> str:
    return status("active" if enabled else "disabled")
