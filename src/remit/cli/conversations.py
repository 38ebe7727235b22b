"""`remit conversations`: what users and agents said to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from remit.cli import options as o
from remit.cli.answers import gone, listed, told
from remit.cli.console import document, more, paint, show
from remit.cli.session import with_app
from remit.cli.text import brief, clean, moment, plural
from remit.core.errors import InputError

if TYPE_CHECKING:
    from remit.bootstrap import App
    from remit.core.conversation import Conversation
    from remit.core.message import Message

app = typer.Typer(
    no_args_is_help=True, help="What users and agents said to each other.", rich_markup_mode=None
)

LONGEST_TITLE = 120

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
        listed(
            page,
            as_json,
            ["conversation", "user", "agent", "turns", "last used", "began with"],
            lambda c: [
                c.session_id,
                brief(c.user_id, 32),
                c.agent_id,
                str(c.turns),
                moment(c.updated_ts),
                brief(c.title, 40),
            ],
        )

    with_app(work, home=home)


@app.command("search")
def search(
    words: Annotated[
        str, typer.Argument(metavar="WORDS", help="What the title or one message has, all of it.")
    ],
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Whose conversations.")] = o.REQUESTER,
    limit: o.Limit = 20,
    cursor: o.Cursor = "",
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Search a user's conversations: titles, then all that was said, newest first. A page may be short, and not the last."""

    async def work(program: App) -> None:
        from remit.engine.conversation_search import ConversationSearch

        searching = ConversationSearch(program.store, tenant, None, user_id=user)
        found = await searching.find(words, limit=limit, cursor=cursor or None)
        listed(
            found,
            as_json,
            ["conversation", "agent", "last used", "found in"],
            lambda m: [
                m.conversation.session_id,
                m.conversation.agent_id,
                moment(m.conversation.updated_ts),
                brief(m.excerpt or m.conversation.title, 80),
            ],
            "" if found.searched_to is None else f"searched back to {moment(found.searched_to)}",
        )

    with_app(work, home=home)


@app.command("rename")
def rename(
    conversation: Id,
    title: Annotated[str, typer.Argument(metavar="TITLE", help="What it is called from now on.")],
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Give a conversation another title."""
    wanted = " ".join(title.split())
    if not 0 < len(wanted) <= LONGEST_TITLE:
        raise InputError(
            f"a title has 1 to {LONGEST_TITLE} characters",
            code="E1083",
            help="say in a few words what it is about",
        )

    async def work(program: App) -> Conversation:
        title = program.kit.redactor("default").text(wanted)
        return await program.conversations.rename(tenant, conversation, title)

    named = with_app(work, home=home)
    told(named, as_json, f"{conversation} is called “{brief(named.title, 120)}”")


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
def forget(conversation: Id, as_json: o.Json = False, tenant: o.Tenant = o.TENANT, home: o.Home = "") -> None:
    """Delete a conversation. The journals of its runs, which are the audit trail, stay."""

    async def work(program: App) -> int:
        return await program.conversations.forget(tenant, conversation)

    count = with_app(work, home=home)
    words = f"{conversation} is forgotten, {plural(count, 'message')}"
    gone("conversation", conversation, as_json, words, messages=count)


@app.command("prune")
def prune(
    conversation: Id,
    keep: Annotated[int, typer.Option("--keep", min=0, metavar="N", help="The newest messages to keep.")],
    as_json: o.Json = False,
    tenant: o.Tenant = o.TENANT,
    home: o.Home = "",
) -> None:
    """Delete all but the newest messages of a conversation."""

    async def work(program: App) -> int:
        return await program.conversations.prune(tenant, conversation, keep=keep)

    count = with_app(work, home=home)
    words = f"{plural(count, 'message')} of {conversation} deleted"
    told({"session_id": conversation, "deleted": count}, as_json, words)


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
