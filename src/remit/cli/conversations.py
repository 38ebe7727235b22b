"""`remit conversations`: what users and agents said to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.console import document, more, paint, say, show, table
from remit.cli.session import with_app
from remit.cli.text import brief, clean, moment, plural

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.message import Message

app = typer.Typer(
    no_args_is_help=True, help="What users and agents said to each other.", rich_markup_mode=None
)

Id = Annotated[str, typer.Argument(metavar="ID", help="A conversation's id: its session.")]


@app.command("list")
def list_(
    user: Annotated[
        str, typer.Option("--user", metavar="ID", help="Only this user's.", show_default=False)
    ] = "",
    limit: o.Limit = 20,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """List conversations, the last used first."""

    async def work(program: App) -> None:
        page = await program.conversations.list(tenant, user_id=user, limit=limit, cursor=cursor or None)
        if as_json:
            document(page)
            return
        rows = [
            [
                c.session_id,
                brief(c.user_id, 32),
                c.agent_id,
                str(c.turns),
                moment(c.updated_ts),
                brief(c.title, 40),
            ]
            for c in page.items
        ]
        table(["conversation", "user", "agent", "turns", "last used", "began with"], rows)
        more(page.cursor)

    with_app(work, home=home)


@app.command("show")
def show_(
    conversation: Id,
    limit: o.Limit = 200,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Show all that was said in a conversation, oldest first."""

    async def work(program: App) -> None:
        page = await program.conversations.messages(tenant, conversation, limit=limit, cursor=cursor or None)
        if as_json:
            document(page)
            return
        for said in page.items:
            for line in _lines(said.message):
                show(f"{paint(moment(said.ts), 'dim')}  {line}")
        more(page.cursor)

    with_app(work, home=home)


@app.command("forget")
def forget(conversation: Id, tenant: o.Tenant = o.TENANT, home: o.Home = "") -> None:
    """Delete a conversation. The journals of its runs, which are the audit trail, stay."""

    async def work(program: App) -> int:
        return await program.conversations.forget(tenant, conversation)

    say(f"{conversation} is forgotten, {plural(with_app(work, home=home), 'message')}")


@app.command("prune")
def prune(
    conversation: Id,
    keep: Annotated[int, typer.Option("--keep", min=0, metavar="N", help="The newest messages to keep.")],
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Delete all but the newest messages of a conversation."""

    async def work(program: App) -> int:
        return await program.conversations.prune(tenant, conversation, keep=keep)

    say(f"{plural(with_app(work, home=home), 'message')} of {conversation} deleted")


def _lines(message: Message) -> list[str]:
    """A message for reading: what was said, and which tools were asked and answered."""
    from remit.core.message import ToolResult, ToolUse

    who = paint(f"{message.role:<9}", "name")
    lines = [f"{who} {clean(message.text)}"] if message.text else []
    for block in message.blocks:
        if isinstance(block, ToolUse):
            lines.append(f"{who} {paint(f'calls {block.name} {brief(block.input, 80)}', 'dim')}")
        elif isinstance(block, ToolResult):
            lines.append(f"{paint('tool     ', 'name')} {paint(brief(block.content, 100), 'dim')}")
    return lines
