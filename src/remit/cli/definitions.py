"""`remit apply`, `get`, `history`, `diff`, `rollback` and what else is done to versioned definitions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.cli import options as o
from remit.cli.answers import listed, told
from remit.cli.console import document, paint, say, show, status
from remit.cli.session import person, with_app
from remit.cli.text import brief, clean, moment, plural
from remit.cli.times import instant

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.definition import Alias, Change, Definition, Head
    from remit.engine.applying import Document, Planned, Step

Reference = Annotated[str, typer.Argument(metavar="KIND/NAME", help="A definition, e.g. prompt/greeting.")]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="A version's number.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the record.")]
By = Annotated[str, typer.Option("--as", metavar="NAME", help="The person who changes it.")]
Source = Annotated[
    Path, typer.Option("--file", "-f", metavar="PATH", help="A YAML or JSON file, or a folder of them.")
]
Expect = Annotated[
    int | None,
    typer.Option(
        "--expect",
        metavar="VERSION",
        min=0,
        help="Only if this version is the active one.",
        show_default=False,
    ),
]

MARKS = {
    "create": "+",
    "edit": "~",
    "enable": "~",
    "disable": "~",
    "alias": "~",
    "archive": "-",
    "unchanged": " ",
}
COLOURS = {"create": "good", "archive": "bad", "unchanged": "dim"}


# files


def apply(
    file: Source,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would change, and change nothing.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Archive what was applied from files before and is in them no more."),
    ] = False,
    why: Why = "",
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Make definitions what files say. Everything is checked first; a second time changes nothing.

    --prune looks at the kinds that the files speak of, and only at what came from files.
    """
    from remit.cli.definition_files import read

    documents = read(file)

    async def work(program: App) -> tuple[list[Planned], dict[str, str]]:
        planned = await program.applying.plan(tenant, documents, prune=prune)
        if not dry_run:
            await program.applying.carry_out(tenant, planned, actor=person(by, ()), why=why)
        known = [k for k in program.registry.kinds if any(p.step.kind == k for p in planned)]
        return planned, {k: program.registry.kind(k).remark for k in known}

    planned, remarks = with_app(work, home=home, app=app_file)
    steps = [p.step for p in planned]
    if as_json:
        document({"dry_run": dry_run, "changes": _count(steps), "items": steps})
        return
    _print_steps(steps, dry_run)
    for kind, remark in remarks.items():
        if remark:
            say(f"{paint('note', 'name')}: {kind}: {remark}")


def _count(steps: list[Step]) -> int:
    return sum(step.verdict != "unchanged" for step in steps)


def _print_steps(steps: list[Step], dry_run: bool) -> None:
    from remit.cli.definition_files import diff_text

    for step in steps:
        if step.verdict == "unchanged":
            continue
        line = f"{MARKS[step.verdict]} {step.verdict} {step.kind}/{step.name}"
        show(paint(line, COLOURS.get(step.verdict, "warn")))
        if dry_run and step.verdict in ("create", "edit", "alias"):
            _print_diff(diff_text(step.old, step.new, f"{step.kind}/{step.name}", step.where))
    changes, same = _count(steps), len(steps) - _count(steps)
    verb = "would change" if dry_run else "changed"
    say(f"{plural(changes, 'definition')} {verb}, {same} unchanged")


def _print_diff(lines: list[str]) -> None:
    for line in lines:
        style = {"+": "good", "-": "bad", "@": "name"}.get(line[:1], "")
        show(paint(clean(line), style))


def export(
    out: Annotated[str, typer.Option("--out", "-o", metavar="DIR", help="Where to write (`-`: stdout).")],
    kind: Annotated[
        list[str], typer.Option("--kind", help="Only this kind; may be repeated.", show_default=False)
    ] = [],  # noqa: B006 - typer copies it
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Write what is active as files, DIR/KIND/NAME.yaml; `remit apply` of them changes nothing."""
    from remit.cli.definition_files import document_text

    found = with_app(lambda program: program.applying.export(tenant, kind), home=home, app=app_file)
    if out == "-":
        if as_json:
            document({"items": [_exported(d) for d in found]})
        else:
            show("---\n".join(document_text(d) for d in found).rstrip())
        return
    written = []
    for item in found:
        target = Path(out) / item.kind / f"{item.name}.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(document_text(item), "utf-8")
        written.append({"kind": item.kind, "name": item.name, "file": str(target)})
        if not as_json:
            show(str(target))
    told({"items": written}, as_json, f"{plural(len(found), 'file')} written")


def _exported(item: Document) -> dict[str, Any]:
    """A document as `remit apply` takes it, in JSON."""
    from remit.core.codec import plain

    found: dict[str, Any] = {name: value for name, value in plain(item).items() if value not in (None, "")}
    found.pop("where", None)
    return found


# looking


def get(
    what: Annotated[str, typer.Argument(metavar="KIND[/NAME]", help="A kind, or one definition of it.")],
    version: Annotated[int, typer.Option("--version", min=0, help="This version.", show_default=False)] = 0,
    alias: Annotated[
        str, typer.Option("--alias", help="What this alias stands for.", show_default=False)
    ] = "",
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="TIME",
            help="What was active then: 2026-07-01 (the end of that day) or 2026-07-01T12:00, UTC.",
            show_default=False,
        ),
    ] = "",
    code: Annotated[
        bool, typer.Option("--code", help="An agent as code has it: a document to start an edit from.")
    ] = False,
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the definitions of a kind, or print one as YAML: the active version, another one, or what was active then."""
    kind, _, name = what.partition("/")
    if code:
        with_app(lambda program: _show_code(program, kind, name, as_json), home=home, app=app_file)
        return

    async def page_of(program: App) -> None:
        if _unversioned(program, kind):
            await _list_unversioned(program, tenant, kind, as_json)
            return
        page = await program.registry.list(tenant, kind, limit=limit, cursor=cursor or None)
        header = ["name", "active", "state", "aliases", "last change", "at"]
        listed(page, as_json, header, _head_row)

    async def shown(program: App) -> None:
        if _unversioned(program, kind):
            await _show_unversioned(program, tenant, kind, name, as_json)
            return
        found = await _chosen(program, tenant, kind, name, version, alias, at)
        if as_json:
            document(found)
        else:
            _print_definition(found)

    with_app(shown if name else page_of, home=home, app=app_file)


async def _show_code(program: App, kind: str, name: str, as_json: bool) -> None:
    from remit.cli.definition_files import document_text
    from remit.core.errors import NotFoundError
    from remit.engine.applying import Document
    from remit.engine.kinds import AGENT, agent_body

    agent = program.catalogue.agents.get(name) if kind == AGENT else None
    if agent is None:
        known = ", ".join(f"`{AGENT}/{a}`" for a in sorted(program.catalogue.agents)) or "none"
        raise NotFoundError(f"no code has {brief(kind, 50)} `{brief(name, 150)}`", help=f"there are {known}")
    found = Document(AGENT, name, agent_body(agent.spec))
    if as_json:
        document({"kind": found.kind, "name": found.name, "spec": found.spec})
    else:
        show(document_text(found).rstrip())


def _unversioned(program: App, kind: str) -> bool:
    """Whether a kind can be applied and has no versions."""
    return kind in program.applying.kinds and kind not in program.registry.kinds


async def _list_unversioned(program: App, tenant: str, kind: str, as_json: bool) -> None:
    names = await program.applying.names(tenant, kind)
    if as_json:
        document({"items": names})
        return
    for name in names:
        show(name)


async def _show_unversioned(program: App, tenant: str, kind: str, name: str, as_json: bool) -> None:
    from remit.cli.definition_files import text_of

    found = await program.applying.current(tenant, kind, name)
    if as_json:
        document(found)
    else:
        show(clean(text_of(found.spec)).rstrip())


async def _chosen(
    program: App, tenant: str, kind: str, name: str, version: int, alias: str, at: str
) -> Definition:
    from remit.core.definition import MAIN
    from remit.core.errors import InputError

    if sum(map(bool, (version, alias, at))) > 1:
        raise InputError("a definition is chosen by one of version, alias and time at once", code="E522")
    if at:
        return await program.registry.at(tenant, kind, name, instant(at, end_of_day=True))
    return await program.registry.get(tenant, kind, name, version, alias=alias or MAIN)


def _head_row(head: Head) -> list[str]:
    return [
        head.name,
        str(head.active.version) if head.active.version else "-",
        status(_state(head)),
        _aliases(head),
        f"{head.last.action} by {head.last.author}",
        moment(head.last.ts),
    ]


def _state(head: Head) -> str:
    if not head.active.version:
        return "draft" if head.last.action == "draft" else "archived"
    return "active" if head.enabled else "disabled"


def _aliases(head: Head) -> str:
    named = [_alias(name, alias) for name, alias in head.aliases.items()]
    return ", ".join([*named, _alias("active", head.active)] if head.active.canary else named)


def _alias(name: str, alias: Alias) -> str:
    canary = f" ({alias.canary_percent} % {alias.canary})" if alias.canary else ""
    return f"{name}={alias.version}{canary}"


def _print_definition(found: Definition) -> None:
    from remit.cli.definition_files import text_of

    for line in (
        f"# {found.kind}/{found.name} version {found.version}, {found.status}"
        + ("" if found.enabled else ", disabled"),
        f"# {found.digest}",
        f"# by {found.change_author} at {moment(found.created_at)}: {brief(found.change_reason, 200)}",
        *([f"# {brief(found.comment, 200)}"] if found.comment else []),
    ):
        show(paint(clean(line), "dim"))
    show(clean(text_of(found.body)).rstrip())


def history(
    reference: Annotated[
        str, typer.Argument(metavar="KIND/NAME", help="A definition; with --changes, all without it.")
    ] = "",
    changes: Annotated[
        bool, typer.Option("--changes", help="Every change instead of every version: the audit trail.")
    ] = False,
    limit: o.Limit = 20,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List the versions of a definition, newest first; --changes lists who did what to it, or to any of all, when and why."""
    everything = changes and not reference
    of = () if everything else parsed(reference)

    async def work(program: App) -> None:
        verb = program.registry.changes if changes else program.registry.history
        page: Any = await verb(tenant, *of, limit=limit, cursor=cursor or None)
        if changes:
            listed(page, as_json, _CHANGE[not everything :], lambda c: _change_row(c)[not everything :])
        else:
            listed(page, as_json, _VERSION, _version_row)

    with_app(work, home=home)


_VERSION = ["version", "status", "digest", "made", "by", "reason", "comment"]
_CHANGE = ["definition", "change", "action", "version", "active", "at", "by", "reason"]


def _version_row(version: Definition) -> list[str]:
    return [
        str(version.version),
        status(version.status),
        version.digest.removeprefix("sha256:")[:12],
        moment(version.created_at),
        brief(version.change_author, 30),
        brief(version.change_reason, 40),
        brief(version.comment, 40),
    ]


def _change_row(change: Change) -> list[str]:
    return [
        f"{change.kind}/{change.name}",
        str(change.revision),
        change.action,
        str(change.version),
        f"{change.before.active.version if change.before else 0} -> {change.after.active.version}",
        moment(change.changed_ts),
        brief(change.author, 30),
        brief(change.reason, 50),
    ]


def diff(
    reference: Reference,
    a: Annotated[int, typer.Argument(metavar="A", min=1, help="The old version.")],
    b: Annotated[int, typer.Argument(metavar="B", min=1, help="The new version.")],
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Show what differs between two versions."""
    kind, name = parsed(reference)

    async def work(program: App) -> None:
        if as_json:
            document({"items": await program.registry.diff(tenant, kind, name, a, b)})
            return
        from remit.cli.definition_files import diff_text

        old, new = [await program.registry.get(tenant, kind, name, v) for v in (a, b)]
        _print_diff(diff_text(old.body, new.body, f"{reference} version {a}", f"{reference} version {b}"))

    with_app(work, home=home)


# changing


def draft(
    file: Source,
    why: Why,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    app_file: o.AppFile = "",
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Write what files say as drafts: versions that are not active until they are promoted."""
    from remit.cli.definition_files import read

    documents = read(file)

    async def work(program: App) -> list[Definition]:
        await program.applying.plan(tenant, documents)
        return [
            await program.registry.draft(
                tenant,
                d.kind,
                d.name,
                d.spec,
                actor=person(by, ()),
                reason=d.reason or why,
                comment=d.comment,
            )
            for d in documents
        ]

    made = with_app(work, home=home, app=app_file)
    told({"items": made}, as_json, "\n".join(_words(each, "draft") for each in made))


def promote(
    reference: Reference,
    version: Version,
    why: Why,
    expect: Expect = None,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Make a draft the active version."""
    _change("promote", reference, tenant, home, by, why, as_json, version, expect_version=expect)


def refuse(
    reference: Reference,
    version: Version,
    why: Why,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Turn down a draft: it is archived, with the reason."""
    _change("refuse", reference, tenant, home, by, why, as_json, version)


def rollback(
    reference: Reference,
    version: Version,
    why: Why,
    expect: Expect = None,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Make an older version active again."""
    _change("rollback", reference, tenant, home, by, why, as_json, version, expect_version=expect)


def archive(
    reference: Reference,
    why: Why,
    expect: Expect = None,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Take a definition out of use; its versions are kept for ever."""
    _change("archive", reference, tenant, home, by, why, as_json, expect_version=expect)


def enable(
    reference: Reference,
    why: Why,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Switch a definition on."""
    _change("enable", reference, tenant, home, by, why, as_json)


def disable(
    reference: Reference,
    why: Why,
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Switch a definition off: its agent starts no run, its rule does not fire."""
    _change("disable", reference, tenant, home, by, why, as_json)


def alias(
    reference: Reference,
    name: Annotated[str, typer.Argument(metavar="ALIAS", help="`active`, or a name of yours.")],
    version: Annotated[
        int, typer.Argument(metavar="VERSION", min=0, help="What it stands for; 0 takes it away.")
    ],
    why: Why,
    canary: Annotated[
        str,
        typer.Option(
            "--canary",
            metavar="VERSION:PERCENT",
            help="Another version for so many in a hundred.",
            show_default=False,
        ),
    ] = "",
    by: By = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Let a name stand for a version. A canary of `active` leaves its version as it is."""
    kind, own = parsed(reference)
    share = _share(canary)

    async def work(program: App) -> Head:
        return await program.registry.set_alias(
            tenant, kind, own, name, version, canary=share, actor=person(by, ()), reason=why
        )

    head = with_app(work, home=home)
    words = _alias(name, head.alias(name)) if version else f"{name} is taken away"
    told(head, as_json, f"{reference}: {words}")


def _share(text: str) -> tuple[int, int]:
    from remit.core.errors import InputError

    if not text:
        return 0, 0
    version, _, percent = text.partition(":")
    if not (version.isdigit() and percent.isdigit()):
        raise InputError(f"`{text[:50]}` is no canary", code="E508", help="write VERSION:PERCENT, e.g. 3:10")
    return int(version), int(percent)


def _change(
    verb: str,
    reference: str,
    tenant: str,
    home: str,
    by: str,
    why: str,
    as_json: bool,
    *version: int,
    **given: Any,
) -> None:
    kind, name = parsed(reference)

    async def work(program: App) -> Definition:
        call = getattr(program.registry, verb)
        made: Definition = await call(tenant, kind, name, *version, actor=person(by, ()), reason=why, **given)
        return made

    made = with_app(work, home=home)
    told(made, as_json, _words(made, verb))


def _words(made: Definition, verb: str) -> str:
    switch = "" if made.enabled else ", disabled"
    return f"{verb} {made.kind}/{made.name}: version {made.version} is {made.status}{switch}"


def parsed(reference: str) -> tuple[str, str]:
    """The kind and the name that `KIND/NAME` means. Raises InputError."""
    from remit.core.errors import InputError

    kind, slash, name = reference.partition("/")
    if not slash or not name:
        raise InputError(
            f"`{reference[:150]}` names no definition",
            code="E522",
            help="write KIND/NAME, e.g. prompt/greeting",
        )
    return kind, name
