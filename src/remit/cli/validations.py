"""`remit validations`: rules about tables, every version of them, and what came of each run."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import definitions
from remit.cli import options as o
from remit.cli.answers import listed
from remit.cli.console import document, paint, show, status
from remit.cli.definitions import By, Expect, Version, Why
from remit.cli.session import person, with_app
from remit.cli.text import brief, clean, duration, lines, moment, printable
from remit.core.errors import InputError

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.definition import Change
    from remit.core.validation import TableValidation, ValidationRun
    from remit.engine.validations import Rule

app = typer.Typer(no_args_is_help=True, help="Rules about tables.", rich_markup_mode=None)

KIND = "table_validation"

ConfigId = Annotated[str, typer.Argument(metavar="RULE", help="A rule's id.")]
TableFilter = Annotated[
    str, typer.Option("--table", metavar="TABLE", help="Only this table's.", show_default=False)
]
TableOption = Annotated[str, typer.Option("--table", metavar="TABLE", help="The table that it is about.")]
TypeOption = Annotated[
    str, typer.Option("--type", metavar="TYPE", help="What it checks; see `remit types list`.")
]
Parameters = Annotated[
    list[str],
    typer.Option(
        "--param",
        "-p",
        metavar="NAME=VALUE",
        help="A parameter, its value as JSON or text; may be repeated.",
        show_default=False,
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        help="When it runs, e.g. `hourly`; without one, when its table does.",
        show_default=False,
    ),
]
Comment = Annotated[str, typer.Option("--comment", help="What to know about this version.")]

Changed = Callable[["App"], Coroutine[Any, Any, "TableValidation"]]


@app.command("list")
def list_(
    table_id: TableFilter = "",
    status_: Annotated[str, typer.Option("--status", help="active, archived or draft.")] = "active",
    due: Annotated[
        str,
        typer.Option(
            "--due", metavar="SCHEDULE", help="Everything that runs on this schedule.", show_default=False
        ),
    ] = "",
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the rules and how their last runs ended."""
    if status_ not in ("active", "archived", "draft"):
        raise InputError(f"`{status_}` is no status of a rule", code="E546", help="active, archived or draft")

    async def work(program: App) -> None:
        if due:
            page = await program.validations.due(tenant, due, limit=limit, cursor=cursor or None)
        else:
            page = await program.validations.list(
                tenant, table_id=table_id, status=status_, limit=limit, cursor=cursor or None
            )
        if table_id and not page.items:  # a table that is gone may still have archived rules
            await program.tables.get(tenant, table_id)
        runs = () if as_json else page.items
        last = {r.config_id: await program.validation_runs.last(tenant, r.config_id) for r in runs}
        header = ["rule", "version", "table", "type", "schedule", "state", "last run", "at"]
        listed(page, as_json, header, lambda r: _row(r, last[r.config_id]))

    with_app(work, home=home)


def _row(rule: TableValidation, last: ValidationRun | None) -> list[str]:
    return [
        rule.config_id,
        str(rule.version),
        rule.table_id,
        rule.validation_type,
        rule.schedule or "-",
        status(_state(rule)),
        status(last.status) if last else "-",
        moment(last.timestamp if last else None),
    ]


def _state(rule: TableValidation) -> str:
    return "disabled" if rule.status == "active" and not rule.enabled else rule.status


@app.command("show")
def show_(
    config_id: ConfigId,
    version: Annotated[int, typer.Option("--version", min=0, help="This version.", show_default=False)] = 0,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Show a rule: the active version, or another."""

    async def work(program: App) -> None:
        found = await program.validations.get(tenant, config_id, version)
        if as_json:
            document(found)
        else:
            _print(found, await program.validation_runs.last(tenant, config_id))

    with_app(work, home=home)


def _print(rule: TableValidation, last: ValidationRun | None = None) -> None:
    show(f"{paint(rule.config_id, 'bold')}  version {rule.version}  {status(_state(rule))}")
    show(f"  table      {rule.table_id}")
    show(f"  type       {rule.validation_type}")
    for name, value in rule.parameters.items():
        show(f"    {printable(name).ljust(24)} {brief(value, 80)}")
    show(f"  schedule   {rule.schedule or 'its table’s'}")
    show(
        f"  written    {moment(rule.created_at)} by {printable(rule.change_author)}: {brief(rule.change_reason, 80)}"
    )
    if rule.comment:
        show(f"  comment    {brief(rule.comment, 100)}")
    if last:
        show(f"  last run   {status(last.status)} at {moment(last.timestamp)}  {paint(last.run_id, 'dim')}")


@app.command("create")
def create(
    config_id: ConfigId,
    table_id: TableOption,
    type_: TypeOption,
    parameters: Parameters = [],  # noqa: B006 - typer copies it
    schedule: Schedule = None,
    comment: Comment = "",
    why: Why = "new",
    by: By = o.REQUESTER,
    disabled: Annotated[bool, typer.Option("--disabled", help="Do not run it yet.")] = False,
    draft: Annotated[
        bool, typer.Option("--draft", help="Do not make it active until it is promoted.")
    ] = False,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Write a new rule: version 1, active."""

    async def work(program: App) -> TableValidation:
        rule = _rule(table_id, type_, _parsed(parameters), schedule or "")
        actor = person(by, ())
        if draft:
            return await program.validations.draft(
                tenant, config_id, rule, actor=actor, reason=why, comment=comment
            )
        return await program.validations.create(
            tenant, config_id, rule, actor=actor, reason=why, comment=comment, enabled=not disabled
        )

    _change(work, tenant, as_json, home, app_file)


@app.command("edit")
def edit(
    config_id: ConfigId,
    why: Why,
    parameters: Parameters = [],  # noqa: B006 - typer copies it
    unset: Annotated[
        list[str],
        typer.Option(
            "--unset", metavar="NAME", help="Leave a parameter out; may be repeated.", show_default=False
        ),
    ] = [],  # noqa: B006 - typer copies it
    schedule: Schedule = None,
    table_id: Annotated[str, typer.Option("--table", help="Another table.", show_default=False)] = "",
    type_: Annotated[str, typer.Option("--type", help="Another type.", show_default=False)] = "",
    comment: Comment = "",
    by: By = o.REQUESTER,
    expect: Expect = None,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Change a rule: the next version is active, the one before is archived. What is not named stays as it is."""

    async def work(program: App) -> TableValidation:
        now = await program.validations.get(tenant, config_id)
        merged = {**now.parameters, **_parsed(parameters)}
        rule = _rule(
            table_id or now.table_id,
            type_ or now.validation_type,
            {name: value for name, value in merged.items() if name not in unset},
            now.schedule if schedule is None else schedule,
        )
        return await program.validations.edit(
            tenant,
            config_id,
            rule,
            actor=person(by, ()),
            reason=why,
            comment=comment,
            expect_version=now.version if expect is None else expect,
        )

    _change(work, tenant, as_json, home, app_file)


@app.command("delete")
def delete(
    config_id: ConfigId,
    why: Why,
    by: By = o.REQUESTER,
    expect: Expect = None,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Archive a rule: it runs no more, every version is kept, and a rollback brings one back."""

    async def work(program: App) -> TableValidation:
        return await program.validations.delete(
            tenant, config_id, actor=person(by, ()), reason=why, expect_version=expect
        )

    _change(work, tenant, as_json, home)


@app.command("rollback")
def rollback(
    config_id: ConfigId,
    version: Version,
    why: Why,
    by: By = o.REQUESTER,
    expect: Expect = None,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Make an older version active again."""

    async def work(program: App) -> TableValidation:
        return await program.validations.rollback(
            tenant, config_id, version, actor=person(by, ()), reason=why, expect_version=expect
        )

    _change(work, tenant, as_json, home, app_file)


@app.command("promote")
def promote(
    config_id: ConfigId,
    version: Version,
    why: Why,
    by: By = o.REQUESTER,
    expect: Expect = None,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Make a draft the active version."""

    async def work(program: App) -> TableValidation:
        return await program.validations.promote(
            tenant, config_id, version, actor=person(by, ()), reason=why, expect_version=expect
        )

    _change(work, tenant, as_json, home, app_file)


@app.command("refuse")
def refuse(
    config_id: ConfigId,
    version: Version,
    why: Why,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Turn down a draft: it is archived, with the reason."""

    async def work(program: App) -> TableValidation:
        return await program.validations.refuse(tenant, config_id, version, actor=person(by, ()), reason=why)

    _change(work, tenant, as_json, home, app_file)


@app.command("enable")
def enable(
    config_id: ConfigId,
    why: Why,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Switch a rule on."""

    async def work(program: App) -> TableValidation:
        return await program.validations.enable(tenant, config_id, actor=person(by, ()), reason=why)

    _change(work, tenant, as_json, home)


@app.command("disable")
def disable(
    config_id: ConfigId,
    why: Why,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Switch a rule off; its active version stays what it is."""

    async def work(program: App) -> TableValidation:
        return await program.validations.disable(tenant, config_id, actor=person(by, ()), reason=why)

    _change(work, tenant, as_json, home)


@app.command("history")
def history(
    config_id: ConfigId,
    changes: Annotated[
        bool, typer.Option("--changes", help="Every change instead of every version: the audit trail.")
    ] = False,
    limit: o.Limit = 20,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the versions of a rule, newest first."""
    if changes:
        definitions.history(f"{KIND}/{config_id}", True, limit, cursor, as_json, tenant, home)
        return

    async def work(program: App) -> None:
        page = await program.validations.history(tenant, config_id, limit=limit, cursor=cursor or None)
        listed(
            page,
            as_json,
            ["version", "state", "made", "by", "reason", "parameters"],
            lambda r: [
                str(r.version),
                status(_state(r)),
                moment(r.created_at),
                brief(r.change_author, 30),
                brief(r.change_reason, 40),
                brief(r.parameters, 60),
            ],
        )

    with_app(work, home=home)


@app.command("diff")
def diff(
    config_id: ConfigId,
    a: Annotated[int, typer.Argument(metavar="A", min=1, help="The old version.")],
    b: Annotated[int, typer.Argument(metavar="B", min=1, help="The new version.")],
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Show what differs between two versions of a rule."""
    definitions.diff(f"{KIND}/{config_id}", a, b, as_json, tenant, home)


@app.command("runs")
def runs(
    run_id: Annotated[
        str, typer.Argument(metavar="[RUN]", help="Show this one in full.", show_default=False)
    ] = "",
    table_id: TableFilter = "",
    config_id: Annotated[
        str, typer.Option("--rule", metavar="RULE", help="Only this rule's.", show_default=False)
    ] = "",
    limit: o.Limit = 10,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the run log, newest first, or show one run of it."""

    async def page_of(program: App) -> None:
        page = await program.validation_runs.list(
            tenant, table_id=table_id, config_id=config_id, limit=limit, cursor=cursor or None
        )
        if not page.items:  # what is gone may still have a run log
            if table_id:
                await program.tables.get(tenant, table_id)
            if config_id:
                await program.validations.history(tenant, config_id, limit=1)
        listed(
            page,
            as_json,
            ["run", "status", "table", "rule", "version", "by", "at", "took"],
            lambda r: [
                r.run_id,
                status(r.status),
                r.table_id,
                r.config_id,
                str(r.version),
                r.triggered_by,
                moment(r.timestamp),
                duration(r.duration_ms),
            ],
        )

    async def shown(program: App) -> None:
        found = await program.validation_runs.get(tenant, run_id)
        if as_json:
            document(found)
        else:
            _print_run(found)

    with_app(shown if run_id else page_of, home=home)


def _print_run(run: ValidationRun) -> None:
    show(f"{paint(run.config_id, 'bold')}  {status(run.status)}  {run.run_id}")
    show(f"  table      {run.table_id}")
    show(f"  type       {run.validation_type}, version {run.version} of the rule")
    show(f"  ran        {moment(run.timestamp)} by {run.triggered_by}, took {duration(run.duration_ms)}")
    if run.agent_run:
        show(f"  journal    remit runs show {run.agent_run}")
    for artifact in run.artifacts:
        show(f"  artifact   {printable(artifact)}")
    show()
    for name, value in run.details.items():
        if isinstance(value, dict | list) and value:
            show(f"  {printable(name)}")
            for line in lines(value):
                show(f"    {clean(line)}")
        else:
            show(f"  {printable(name).ljust(26)} {brief(value, 200)}")


def _change(work: Changed, tenant: str, as_json: bool, home: str, app_file: str = "") -> None:
    """Make a change, and show the rule as it is now and what was just done to it."""

    async def go(program: App) -> tuple[TableValidation, Change | None]:
        made = await work(program)
        page = await program.registry.changes(tenant, KIND, made.config_id, limit=1)
        return made, page.items[0] if page.items else None

    made, change = with_app(go, home=home, app=app_file)
    if as_json:
        document(made)
        return
    _print(made)
    if change and change.action not in ("create", "edit", "draft"):  # those wrote the version that is shown
        who = f"{moment(change.changed_ts)} by {printable(change.author)}: {brief(change.reason, 80)}"
        show(f"  {change.action.ljust(10)} {who}")


def _rule(table_id: str, type_: str, parameters: dict[str, Any], schedule: str) -> Rule:
    from remit.engine.validations import Rule

    return Rule(table_id, type_, parameters, schedule)


def _parsed(given: list[str]) -> dict[str, Any]:
    """`NAME=VALUE`, the value as JSON where it is JSON, else as text. Raises InputError."""
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise InputError(
                f"`{text[:100]}` is no parameter", code="E546", help="e.g. `--param threshold_percent=0.5`"
            )
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
