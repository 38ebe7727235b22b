"""Slack by its Web API: channels, history, threads, search; messages and replies.

A message carries the key of the call in its metadata, which people do not see and `conversations.history` gives back: by it the message
is found again after a crash. Nobody is notified as `everyone`, and no link is unfurled: Slack would fetch it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta

from remit.sdk import ArgumentsError, Found, PlatformReply, ToolContext, ToolError
from remit_packs.platforms.envelope import (
    EARLIER_S,
    MOST_PAGES,
    RECIPIENT,
    Api,
    Change,
    DryRun,
    Limit,
    PlatformAnswer,
    connected,
    field,
    listed,
    picked,
    privileged,
    reading,
    refusal,
    writing,
)

PLATFORM = "slack"
EVENT = "remit_message"
"""The type of the metadata of a message."""

Channel = Annotated[
    str,
    Meta(
        pattern="^[CGD][A-Z0-9]{2,20}$",
        description="A channel's id, e.g. C0123ABCD.",
        extra_json_schema=RECIPIENT,
    ),
]
Ts = Annotated[
    str, Meta(pattern=r"^\d{10}\.\d{6}$", description="The `ts` of the first message of a thread.")
]
Text = Annotated[str, Meta(min_length=1, max_length=4000, description="Slack's mrkdwn.")]
Cursor = Annotated[str, Meta(max_length=500, description="`next` of the page before.")]
Users = Annotated[
    list[Annotated[str, Meta(pattern="^[UW][A-Z0-9]{2,20}$")]],
    Meta(min_length=1, max_length=100, description="Ids of users.", extra_json_schema=RECIPIENT),
]

_HISTORY = ("channels:history",)


@reading(PLATFORM)
async def slack_channels(context: ToolContext, limit: Limit = 100, cursor: Cursor = "") -> PlatformAnswer:
    """List the channels of the workspace."""
    query: dict[str, str | int] = {"limit": limit, "exclude_archived": "true", **_from(cursor)}
    with connected(context, PLATFORM) as api:
        reply = await _get(api, "conversations.list", query, ("channels:read",))
        names = ("id", "name", "is_private", "num_members")
        found = [
            {**picked(c, *names), "topic": field(c, "topic", "value")} for c in listed(reply.data, "channels")
        ]
        return api.answer("channels", reply, found, next=_next(reply))


@reading(PLATFORM)
async def slack_history(
    context: ToolContext, channel: Channel, limit: Limit = 50, cursor: Cursor = ""
) -> PlatformAnswer:
    """Read the latest messages of a channel, newest first."""
    with connected(context, PLATFORM) as api:
        query: dict[str, str | int] = {"channel": channel, "limit": limit, **_from(cursor)}
        reply = await _get(api, "conversations.history", query, _HISTORY)
        return api.answer("history", reply, _messages(reply), id=channel, next=_next(reply))


@reading(PLATFORM)
async def slack_thread(
    context: ToolContext, channel: Channel, thread_ts: Ts, limit: Limit = 50, cursor: Cursor = ""
) -> PlatformAnswer:
    """Read a thread, oldest first."""
    with connected(context, PLATFORM) as api:
        query: dict[str, str | int] = {"channel": channel, "ts": thread_ts, "limit": limit, **_from(cursor)}
        reply = await _get(api, "conversations.replies", query, _HISTORY)
        return api.answer("thread", reply, _messages(reply), id=thread_ts, next=_next(reply))


@reading(PLATFORM, outward=True)
async def slack_search(
    context: ToolContext,
    query: Annotated[str, Meta(min_length=1, max_length=300)],
    limit: Limit = 20,
    page: Annotated[int, Meta(ge=1, le=100)] = 1,
) -> PlatformAnswer:
    """Search messages. Slack lets tokens of users do this, not those of bots."""
    with connected(context, PLATFORM) as api:
        asked: dict[str, str | int] = {"query": query, "count": limit, "page": page}
        reply = await _get(api, "search.messages", asked, ("search:read",))
        found = [
            {"channel": field(m, "channel", "id"), **picked(m, "ts", "user", "username", "text", "permalink")}
            for m in listed(field(reply.data, "messages"), "matches")
        ]
        pages = int(field(reply.data, "messages", "paging", "pages") or 0)
        return api.answer("search", reply, found, next=str(page + 1) if page < pages else "")


@writing(PLATFORM, risk="L2")
async def slack_post_message(
    context: ToolContext, channel: Channel, text: Text, dry_run: DryRun = False
) -> PlatformAnswer:
    """Post a message to a channel."""
    return await _post(context, "post_message", {"channel": channel, "text": text}, dry_run)


@slack_post_message.reconciler
async def _posted(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    return await _found(
        key, context, "post_message", "conversations.history", {"channel": arguments["channel"]}
    )


@writing(PLATFORM, risk="L2")
async def slack_reply(
    context: ToolContext, channel: Channel, thread_ts: Ts, text: Text, dry_run: DryRun = False
) -> PlatformAnswer:
    """Answer in a thread."""
    return await _post(context, "reply", {"channel": channel, "thread_ts": thread_ts, "text": text}, dry_run)


@slack_reply.reconciler
async def _replied(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    where = {"channel": arguments["channel"], "ts": arguments["thread_ts"]}
    return await _found(key, context, "reply", "conversations.replies", where)


@privileged(PLATFORM)
async def slack_invite(
    context: ToolContext, channel: Channel, users: Users, dry_run: DryRun = False
) -> PlatformAnswer:
    """Invite people to a channel."""
    given = {"channel": channel, "users": ",".join(users)}
    change = _change("conversations.invite", given, ("channels:write.invites",))
    return await _changed(context, "invite", change, channel, dry_run, already="already_in_channel")


@slack_invite.reconciler
async def _invited(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    channel, wanted, cursor = arguments["channel"], set(arguments["users"]), ""
    with connected(context, PLATFORM) as api:
        for _ in range(MOST_PAGES):
            query = {"channel": channel, "limit": 1000, **_from(cursor)}
            reply = await _get(api, "conversations.members", query, ("channels:read",))
            wanted -= set(listed(reply.data, "members"))
            cursor = _next(reply)
            if not wanted:
                return Found(True, api.answer("invite", reply, {"channel": channel}, id=channel))
            if not cursor:
                return Found(False)
    raise LookupError(f"channel `{channel}` has too many members to look through")


@privileged(PLATFORM)
async def slack_archive_channel(
    context: ToolContext, channel: Channel, dry_run: DryRun = False
) -> PlatformAnswer:
    """Archive a channel: nobody can write there any more."""
    change = _change("conversations.archive", {"channel": channel}, ("channels:manage",))
    return await _changed(context, "archive_channel", change, channel, dry_run, already="already_archived")


@slack_archive_channel.reconciler
async def _archived(key: str, context: ToolContext, arguments: dict[str, Any]) -> Found:
    channel = arguments["channel"]
    with connected(context, PLATFORM) as api:
        reply = await _get(api, "conversations.info", {"channel": channel}, ("channels:read",))
        answer = api.answer("archive_channel", reply, {"channel": channel}, id=channel)
        return Found(field(reply.data, "channel", "is_archived") is True, answer)


SLACK = (
    slack_channels,
    slack_history,
    slack_thread,
    slack_search,
    slack_post_message,
    slack_reply,
    slack_invite,
    slack_archive_channel,
)


async def _post(context: ToolContext, operation: str, given: dict[str, Any], dry_run: bool) -> PlatformAnswer:
    metadata = {"event_type": EVENT, "event_payload": {"call": context.idempotency_key}}
    quiet = {"unfurl_links": False, "unfurl_media": False, "link_names": False}
    message = {**given, "text": _without_broadcasts(given["text"]), **quiet, "metadata": metadata}
    change = _change("chat.postMessage", message, ("chat:write",))
    with connected(context, PLATFORM) as api:
        if api.is_dry(dry_run):
            return api.would_send(operation, change)
        reply = _checked(await api.send(change))
        return _sent(api, operation, reply, given["channel"], reply.data)


async def _changed(
    context: ToolContext, operation: str, change: Change, channel: str, dry_run: bool, *, already: str
) -> PlatformAnswer:
    """A change that is done as well when it was done before."""
    with connected(context, PLATFORM) as api:
        if api.is_dry(dry_run):
            return api.would_send(operation, change)
        reply = await api.send(change)
        if field(reply.data, "error") != already:
            _checked(reply)
        return api.answer(operation, reply, {"channel": channel}, id=channel)


async def _found(key: str, context: ToolContext, operation: str, method: str, where: dict[str, Any]) -> Found:
    """Whether a message with the key of a call in its metadata was posted since the call began."""
    oldest = f"{context.started_ts / 1000 - EARLIER_S:.6f}"
    cursor = ""
    with connected(context, PLATFORM) as api:
        for _ in range(MOST_PAGES):
            query = {**where, "oldest": oldest, "limit": 200, "include_all_metadata": "true", **_from(cursor)}
            reply = await _get(api, method, query, _HISTORY)
            for message in listed(reply.data, "messages"):
                if field(message, "metadata", "event_payload", "call") == key:
                    return Found(True, _sent(api, operation, reply, where["channel"], message))
            cursor = _next(reply)
            if not cursor:
                return Found(False)
    raise LookupError(f"channel `{where['channel']}` has too many new messages to look through")


def _sent(api: Api, operation: str, reply: PlatformReply, channel: str, message: Any) -> PlatformAnswer:
    ts = field(message, "ts")
    return api.answer(operation, reply, {"channel": channel, "ts": ts}, id=ts)


async def _get(api: Api, method: str, query: dict[str, str | int], scopes: tuple[str, ...]) -> PlatformReply:
    return _checked(await api.get(f"/{method}", query, scopes=scopes), is_change=False)


def _change(method: str, given: dict[str, Any], scopes: tuple[str, ...]) -> Change:
    return Change(method="POST", path=f"/{method}", json=given, scopes=scopes)


def _checked(reply: PlatformReply, *, is_change: bool = True) -> PlatformReply:
    """Slack says in the body whether it did what was asked, with status 200 in any case."""
    if field(reply.data, "ok") is True:
        return reply
    said = str(field(reply.data, "error"))
    code = said if re.fullmatch(r"[a-z0-9_]{1,60}", said) else ""
    if code and code not in _BROKEN:
        raise _refusal(code)
    if is_change:
        raise RuntimeError(f"slack failed ({code or 'an answer without `ok`'})")
    raise ToolError(
        f"slack failed ({code or 'no answer'})", code="E981", help="try again later", retryable=True
    )


def _refusal(code: str) -> ArgumentsError:
    return refusal(
        f"slack refuses: `{code}`", _HELP.get(code, "see the errors of this method in Slack's reference")
    )


_BROKEN = frozenset(
    {"fatal_error", "internal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)
"""Of these Slack says that some of the operation may have succeeded."""

_HELP = {
    "channel_not_found": "use a channel's id, of one that this connection sees",
    "not_in_channel": "have the app invited to the channel",
    "is_archived": "use another channel",
    "missing_scope": "have the app installed with the scope that is missing",
    "not_allowed_token_type": "this needs another kind of token: search needs that of a user",
    "thread_not_found": "use the `ts` of the first message of a thread",
}


def _messages(reply: PlatformReply) -> list[dict[str, Any]]:
    names = ("ts", "thread_ts", "user", "bot_id", "text", "reply_count")
    return [picked(message, *names) for message in listed(reply.data, "messages")]


def _without_broadcasts(text: str) -> str:
    """A text that notifies nobody as `<!channel>`, `<!here>`, `<!everyone>` or a group."""
    return text.replace("<!", "&lt;!")


def _from(cursor: str) -> dict[str, str | int]:
    return {"cursor": cursor} if cursor else {}


def _next(reply: PlatformReply) -> str:
    return str(field(reply.data, "response_metadata", "next_cursor"))
