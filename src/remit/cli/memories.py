"""`remit memories`: what agents remember beyond a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.answers import listed, told
from remit.cli.console import document, paint, show, status
from remit.cli.session import person, with_app
from remit.cli.text import brief, clean, moment, plural

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.engine.memories import FactPage
    from remit.ports.memories import Fact

app = typer.Typer(
    no_args_is_help=True, help="What agents remember beyond a conversation.", rich_markup_mode=None
)

SCOPE = "`agent:NAME`, `user:ID`, `team:NAME` or `tenant`."
OneScope = Annotated[str, typer.Option("--scope", metavar="SCOPE", help=SCOPE, show_default=False)]
Person = Annotated[str, typer.Option("--as", metavar="NAME", help="The person who says so.")]
Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="What it is about, e.g. customer:42.")]


@app.command("list")
def list_(
    scope: OneScope = "",
    subject: Annotated[
        str, typer.Option("--subject", metavar="TEXT", help="Only facts about this.", show_default=False)
    ] = "",
    limit: o.Limit = 50,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List facts, newest first: of the tenant, of a scope, or about a subject."""
    from remit.core.memory import check_scope

    if scope:
        check_scope(scope)

    async def work(program: App) -> FactPage:
        return await program.memories.list(
            tenant, scope=scope, subject=subject, limit=limit, cursor=cursor or None
        )

    page = with_app(work, home=home)
    listed(
        page,
        as_json,
        ["fact", "scope", "subject", "tag", "trust", "status", "written", "text"],
        lambda fact: [
            fact.fact_id,
            brief(fact.scope, 24),
            brief(fact.subject, 24),
            fact.tag,
            _trust(fact),
            status(fact.status),
            moment(fact.created_ts),
            brief(fact.text, 60) or "-",
        ],
    )


@app.command("show")
def show_(
    fact_id: Annotated[str, typer.Argument(metavar="FACT", help="A fact's id.")],
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Show a fact: what it says, where it is from, and what became of it."""

    async def work(program: App) -> Fact:
        return await program.memories.get(tenant, fact_id)

    fact = with_app(work, home=home)
    if as_json:
        document(fact)
        return
    where = fact.provenance
    said_by = f"agent {where.agent} for {where.actor}" if where.agent else where.actor
    lines = {
        "status": status(fact.status),
        "scope": fact.scope,
        "subject": fact.subject,
        "tag": fact.tag,
        "trust": _trust(fact),
        "sensitivity": where.sensitivity,
        "said by": said_by,
        "run": f"{where.run_id} {where.step}".strip(),
        "sources": ", ".join(where.sources),
        "approved by": ", ".join(where.approved_by),
        "written": moment(fact.created_ts),
        "expires": "" if fact.expires_ts is None else moment(fact.expires_ts),
        "supersedes": fact.supersedes,
        "superseded by": fact.superseded_by,
        "digest": fact.digest,
    }
    show(clean(fact.text) if fact.text else paint("its text was erased", "dim"))
    for name, value in lines.items():
        if value:
            show(f"{paint(f'{name:<14}', 'dim')} {value if name in _PAINTED else brief(value, 200)}")


@app.command("add")
def add(
    subject: Subject,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="One fact, in plain words.")],
    scope: Annotated[str, typer.Option("--scope", metavar="SCOPE", help=SCOPE)] = "tenant",
    tag: Annotated[str, typer.Option("--tag", metavar="TAG", help="The policy tag.")] = "fact",
    supersedes: Annotated[
        str,
        typer.Option("--supersedes", metavar="FACT", help="The fact that it replaces.", show_default=False),
    ] = "",
    days: Annotated[
        float,
        typer.Option("--days", min=0, help="How long it holds; for good if left out.", show_default=False),
    ] = 0,
    by: Person = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Remember a fact. It is trusted: a person says it."""

    async def work(program: App) -> Fact:
        return await program.curator.add(
            tenant,
            person(by, ()),
            scope=scope,
            subject=subject,
            text=text,
            tag=tag,
            supersedes=supersedes,
            ttl_s=days * 86_400 or None,
        )

    fact = with_app(work, home=home)
    if as_json:
        document(fact)
    else:
        show(fact.fact_id)


@app.command("forget")
def forget(
    subject: Subject,
    scope: OneScope = "",
    by: Person = o.REQUESTER,
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Erase everything about a subject, in all scopes or in one. The journals of runs, which are the audit trail, stay."""

    async def work(program: App) -> int:
        return await program.curator.forget(tenant, person(by, ()), subject, scope=scope)

    count = with_app(work, home=home)
    told({"forgotten": count}, as_json, f"{plural(count, 'fact')} forgotten")


_PAINTED = ("status", "trust")


def _trust(fact: Fact) -> str:
    trust = fact.provenance.trust
    return paint(trust, "warn") if trust == "untrusted" else trust
