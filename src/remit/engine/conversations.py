"""Conversations as a service: what a turn begins with, who may see or continue one, and how one is cut short or forgotten.

There is one history. A run writes each message in the transaction of the event that it came with (`remembering`), and the
next turn of the session reads its prompt from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import groupby
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from remit.core.codec import convert, plain
from remit.core.conversation import Conversation, Said, WorkflowStep, conversation_key, speaks_for
from remit.core.errors import ConditionError, ConflictError, DeniedError, InputError, NotFoundError
from remit.core.event import Older
from remit.core.message import Message
from remit.core.payload import Payload, unpack
from remit.core.provenance import Labels, merge
from remit.core.run import summary
from remit.core.task import Actor, Task
from remit.engine.remembering import MESSAGE, SESSION, SUMMARY, WORKFLOW_STEP
from remit.ports.clock import Clock
from remit.ports.store import ABSENT, Delete, Put, Store

HISTORY_MESSAGES = 40
"""Messages of a conversation, the newest, that its next turn is given."""

MOST_SUMMED = 400
"""Messages that are read to be summed up at once, the newest; what was said before them is left out."""

KEPT_MESSAGES = 2_000
"""Messages of a conversation that are kept; older ones are pruned now and then."""

PRUNE_TURNS = 50
"""Turns between two looks at whether a conversation has become too long."""

LONGEST_ID = 256
TITLE_CHARS = 80
_BATCH = 25
_LOOKS = 10
"""Reads for one page of a person's own conversations."""
_TRIES = 5

Rows = list[dict[str, Any]]
Lines = list[Said]


class Turn(Struct, frozen=True):
    """What a run of a session begins with: the conversation so far, its labels, and what to write with its first event.

    `at` is when it begins, Unix milliseconds: after every earlier turn, whatever the clocks of several machines say. `older` is
    the part of the history that is to be summed up first.
    """

    at: int | None = None
    history: tuple[Message, ...] = ()
    labels: Labels = Labels()
    writes: tuple[Put, ...] = ()
    older: Older | None = None


class History(Struct, frozen=True):
    """What was said before a turn, with its labels; `older`: how much of it is to be summed up."""

    messages: tuple[Message, ...] = ()
    labels: Labels = Labels()
    older: Older | None = None


class ConversationPage(Struct, frozen=True):
    """A page of conversations, the last used first; `cursor` of the next page, or null at the end."""

    items: list[Conversation]
    cursor: str | None = None


class MessagePage(Struct, frozen=True):
    """A page of messages in order; `cursor` of the next page, or null at the end."""

    items: list[Said]
    cursor: str | None = None


class StepPage(Struct, frozen=True):
    """A page of a workflow's steps in order; `cursor` of the next page, or null at the end."""

    items: list[WorkflowStep]
    cursor: str | None = None


class Conversations:
    """The conversations of all tenants; every question names its tenant."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        history: int = HISTORY_MESSAGES,
        kept: int = KEPT_MESSAGES,
        prune_turns: int = PRUNE_TURNS,
        summarise: bool = False,
    ) -> None:
        """`history` limits what a turn is given, `kept` what is stored, both in messages of one conversation.

        With `summarise` what is older than the newest half of `history` is summed up once there are more, else it is left out.
        """
        self._store = store
        self._clock = clock
        self._limit = history
        self._kept = kept
        self._prune_turns = prune_turns
        self._summarise = summarise

    async def turn(self, task: Task, *, sums_up: bool = True) -> Turn:
        """What a run of this task begins with; nothing without a session. Nothing is written yet.

        `sums_up`: whether the run can sum up what is too long, which a workflow cannot.

        Raises DeniedError E840 when the session is somebody else's, InputError E841 for what is no id.
        """
        if not task.session_id:
            return Turn()
        key = conversation_key(task.tenant_id, check_session(task.session_id))
        known = await self._find(key)
        now, owner = self._clock.now(), speaks_for(task.actor_context)
        if known is None:
            title = " ".join(task.objective.split())[:TITLE_CHARS]
            begun = Conversation(
                session_id=key,
                tenant_id=task.tenant_id,
                actor_id=owner["actor_id"],
                user_id=owner["user_id"],
                agent_id=task.agent,
                title=title,
                created_ts=now,
                updated_ts=now,
            )
            return Turn(now, writes=(Put(SESSION, plain(begun), ABSENT),))
        if not is_of(known, task.actor_context):
            raise DeniedError(
                f"conversation `{task.session_id}` belongs to somebody else",
                code="E840",
                help="begin one of your own, under another id",
            )
        if known.turns % self._prune_turns == 0:
            await self._prune(key, self._kept)
        at = max(now, known.updated_ts + 1)
        again = replace(known, agent_id=task.agent, updated_ts=at, turns=known.turns + 1)
        history = await (self._whole(key) if self._summarise and sums_up else self._newest(key))
        unchanged = {**owner, "updated_ts": known.updated_ts}
        writes = (Put(SESSION, plain(again), unchanged),)
        return Turn(at, history.messages, history.labels, writes, history.older)

    async def moved(self, task: Task, turn: Turn) -> bool:
        """Whether another turn of the session has begun, or it was forgotten, since `turn` was made: then it must be made anew."""
        if not turn.writes:
            return False
        known = await self._find(conversation_key(task.tenant_id, task.session_id))
        expected = turn.writes[0].expect or {}
        return (None if known is None else known.updated_ts) != expected.get("updated_ts")

    # looking

    async def get(self, tenant_id: str, session_id: str, *, reader: Actor | None = None) -> Conversation:
        """A conversation. Raises NotFoundError, also when it is not that of `reader`; None is whoever operates Remit."""
        known = await self._find(conversation_key(tenant_id, session_id))
        if known is None or known.tenant_id != tenant_id or not (reader is None or is_of(known, reader)):
            raise NotFoundError(
                f"there is no conversation `{session_id[:100]}`",
                help="`remit conversations list` shows them",
            )
        return replace(known, session_id=session_id)

    async def list(
        self, tenant_id: str, *, user_id: str = "", limit: int = 50, cursor: str | None = None
    ) -> ConversationPage:
        """Conversations of a tenant, or of one user, the last used first."""
        index, equals = ("by_user", (tenant_id, user_id)) if user_id else ("by_tenant", (tenant_id,))
        page = await self._store.query(SESSION, index, equals, descending=True, limit=limit, cursor=cursor)
        return ConversationPage([shown(tenant_id, item) for item in page.items], page.cursor)

    async def mine(
        self, tenant_id: str, reader: Actor, *, limit: int = 50, cursor: str | None = None
    ) -> ConversationPage:
        """The reader's own conversations, the last used first; those that an application keeps for users of that name are left out."""
        found: list[Conversation] = []
        for _ in range(_LOOKS):
            page = await self._store.query(
                SESSION,
                "by_user",
                (tenant_id, reader.origin),
                descending=True,
                limit=limit - len(found),
                cursor=cursor,
            )
            found += [c for item in page.items if is_of(c := shown(tenant_id, item), reader)]
            cursor = page.cursor
            if cursor is None or len(found) == limit:
                break
        return ConversationPage(found, cursor)

    async def messages(
        self,
        tenant_id: str,
        session_id: str,
        *,
        reader: Actor | None = None,
        newest_first: bool = False,
        limit: int = 50,
        cursor: str | None = None,
    ) -> MessagePage:
        """All that was said in a conversation, oldest or newest first. Raises NotFoundError as `get`."""
        await self.get(tenant_id, session_id, reader=reader)
        key = conversation_key(tenant_id, session_id)
        page = await self._store.query(
            MESSAGE, "", (key,), descending=newest_first, limit=limit, cursor=cursor
        )
        return MessagePage(await said_in(self._store, page.items), page.cursor)

    async def said_by(
        self, tenant_id: str, user_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> MessagePage:
        """What was said in all conversations of a user, newest first."""
        page = await self._store.query(
            MESSAGE, "by_user", (tenant_id, user_id), descending=True, limit=limit, cursor=cursor
        )
        return MessagePage(await said_in(self._store, page.items), page.cursor)

    async def workflow_steps(
        self, tenant_id: str, workflow_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> StepPage:
        """The Tasks of a workflow's run that ended, in order of entering. Another tenant's run has none."""
        page = await self._store.query(WORKFLOW_STEP, "", (workflow_id,), limit=limit, cursor=cursor)
        rows = [convert(item, WorkflowStep) for item in page.items]
        return StepPage([row for row in rows if row.tenant_id == tenant_id], page.cursor)

    # naming

    async def rename(
        self, tenant_id: str, session_id: str, title: str, *, reader: Actor | None = None
    ) -> Conversation:
        """Give a conversation another title, which is clean. Raises NotFoundError as `get`, ConflictError E843 when it keeps changing."""
        for _ in range(_TRIES):
            known = await self.get(tenant_id, session_id, reader=reader)
            # A turn that begins at this moment sees by the time that it has to look again.
            named = replace(known, title=title, updated_ts=known.updated_ts + 1)
            stored = replace(named, session_id=conversation_key(tenant_id, session_id))
            unchanged = {n: getattr(known, n) for n in ("actor_id", "user_id", "updated_ts")}
            try:
                await self._store.transact([Put(SESSION, plain(stored), unchanged)])
            except ConditionError:
                continue
            return named
        raise ConflictError(
            f"conversation `{session_id}` keeps changing", code="E843", help="name it once its turn has ended"
        )

    # cutting short

    async def prune(self, tenant_id: str, session_id: str, *, keep: int) -> int:
        """Delete all but the newest `keep` messages, and what they were summed up as; how many went. Raises NotFoundError."""
        await self.get(tenant_id, session_id)
        key = conversation_key(tenant_id, session_id)
        gone = await self._prune(key, max(0, keep))
        if gone:
            await self._store.transact([Delete(SUMMARY, (key,))])
        return gone

    async def forget(self, tenant_id: str, session_id: str, *, reader: Actor | None = None) -> int:
        """Delete a conversation and its messages; how many. The journals of its runs, the audit trail, stay.

        Raises NotFoundError, and ConflictError E843 while a run of it has not ended: it would go on speaking.
        """
        await self.get(tenant_id, session_id, reader=reader)
        await self._all_ended(tenant_id, session_id)
        key = conversation_key(tenant_id, session_id)
        gone = await self._prune(key, 0)
        await self._store.transact([Delete(SESSION, (key,)), Delete(SUMMARY, (key,))])
        return gone

    async def _all_ended(self, tenant_id: str, session_id: str) -> None:
        cursor: str | None = None
        while True:
            page = await self._store.query(
                "agent_run", "by_session", (tenant_id, session_id), descending=True, limit=200, cursor=cursor
            )
            for item in page.items:
                if item["status"] in ("running", "waiting"):
                    raise ConflictError(
                        f"run `{item['run_id']}` of conversation `{session_id}` has not ended",
                        code="E843",
                        help=f"let it end, or stop it: `remit runs cancel {item['run_id']}`",
                    )
            cursor = page.cursor
            if cursor is None:
                return

    async def _prune(self, key: str, keep: int) -> int:
        """Delete what is older than the newest `keep` messages, in steps that fit into one transaction each."""
        gone, kept, cursor = 0, 0, None
        while kept < keep:
            page = await self._store.query(
                MESSAGE, "", (key,), descending=True, limit=min(200, keep - kept), cursor=cursor
            )
            kept, cursor = kept + len(page.items), page.cursor
            if cursor is None:
                return 0
        while True:
            page = await self._store.query(MESSAGE, "", (key,), descending=True, limit=_BATCH, cursor=cursor)
            ids = [(key, item["message_id"]) for item in page.items]
            if ids:
                await self._store.transact([Delete(MESSAGE, each) for each in ids])
            gone, cursor = gone + len(ids), page.cursor
            if cursor is None:
                return gone

    # reading

    async def _find(self, key: str) -> Conversation | None:
        item = await self._store.get(SESSION, (key,))
        return None if item is None else convert(item, Conversation)

    async def _newest(self, key: str) -> History:
        """The newest messages, as many as a turn is given."""
        page = await self._store.query(MESSAGE, "", (key,), descending=True, limit=self._limit)
        turns = await self._answered(page.items[::-1])
        messages = [message for turn in turns for message in turn.messages]
        labels = reduce(merge, (turn.labels for turn in turns), Labels())
        return History(tuple(_from_a_question(messages)), labels)

    async def _whole(self, key: str) -> History:
        """The last summary and everything since, and how much of that is to be summed up if it is too long."""
        row = await self._store.get(SUMMARY, (key,))
        turns = await self._answered(await self._since(key, row["upto"] if row else ""))
        before = () if row is None else (summary(row["text"]),)
        labels = reduce(merge, (turn.labels for turn in turns), Labels() if row is None else _labels_of(row))
        messages = [*before, *(message for turn in turns for message in turn.messages)]
        if row is None:
            messages = _from_a_question(messages)
        sizes = [len(turn.messages) for turn in turns]
        kept = _kept(sizes, self._limit)
        old = turns[: len(turns) - kept]
        if not old:
            return History(tuple(messages), labels)
        recent = sum(sizes[len(old) :])
        return History(tuple(messages), labels, Older(len(messages) - recent, old[-1].upto))

    async def _since(self, key: str, upto: str) -> Rows:
        """The messages after the one with this id, oldest first; at most `MOST_SUMMED`."""
        rows: Rows = []
        cursor: str | None = None
        while len(rows) < MOST_SUMMED:
            page = await self._store.query(
                MESSAGE, "", (key,), lower=upto or None, descending=True, limit=200, cursor=cursor
            )
            rows += page.items
            cursor = page.cursor
            if cursor is None:
                break
        return [row for row in rows[::-1] if row["message_id"] > upto]

    async def _answered(self, rows: Rows) -> Sequence[Exchange]:
        """The turns among messages that are in order, without those that have no answer (yet)."""
        turns = []
        said = await said_in(self._store, rows)
        for _, group in groupby(zip(rows, said, strict=True), key=_run_of):
            pairs = list(group)
            last = pairs[-1][1].message
            if last.role == "assistant" and not last.tool_uses:
                labels = reduce(merge, (_labels_of(row) for row, _ in pairs), Labels())
                turns.append(Exchange([s.message for _, s in pairs], labels, pairs[-1][1].message_id))
        return turns


class Exchange(NamedTuple):
    """A turn that was answered: its messages, their labels, and the id of the last one."""

    messages: list[Message]
    labels: Labels
    upto: str


def _kept(sizes: list[int], most: int) -> int:
    """How many of the newest turns go on as they are, by the sizes of all: all if they fit, else what fits into one half.

    The newest goes on anyhow, unless it alone is too long.
    """
    if sum(sizes) <= most:
        return len(sizes)
    kept = taken = 0
    while kept < len(sizes) and taken + sizes[-1 - kept] <= most // 2:
        taken += sizes[-1 - kept]
        kept += 1
    return kept or int(sizes[-1] <= most)


def check_session(session_id: str) -> str:
    """The id of a session. Raises InputError E841 unless it is up to 256 characters that can be printed."""
    if len(session_id) <= LONGEST_ID and session_id.isprintable():
        return session_id
    raise InputError(
        f"`{session_id[:100]!r}` cannot name a conversation",
        code="E841",
        help=f"use up to {LONGEST_ID} printable characters, e.g. a UUID",
    )


async def said_in(store: Store, rows: Rows) -> Lines:
    """The messages of rows, the long ones from where their contents are kept."""
    refs = [row["ref"] for row in rows if row["ref"]]
    contents = await store.contents(refs) if refs else {}
    return [
        Said(
            row["message_id"],
            row["run_id"],
            row["user_id"],
            row["ts"],
            unpack(Payload(ref=row["ref"]), contents, Message)
            if row["ref"]
            else convert(row["message"], Message),
        )
        for row in rows
    ]


def shown(tenant_id: str, item: dict[str, Any]) -> Conversation:
    """A row of a session, under the name that its tenant has for it."""
    known = convert(item, Conversation)
    return replace(known, session_id=session_of(tenant_id, known.session_id))


def session_of(tenant_id: str, key: str) -> str:
    """The session that is stored under a key."""
    return key.removeprefix(conversation_key(tenant_id, "x/")[:-2])


def is_of(conversation: Conversation, actor: Actor) -> bool:
    owner = speaks_for(actor)
    return (conversation.actor_id, conversation.user_id) == (owner["actor_id"], owner["user_id"])


def _run_of(pair: tuple[dict[str, Any], Said]) -> str:
    return pair[1].run_id


def _labels_of(row: dict[str, Any]) -> Labels:
    return Labels(row["untrusted"], row["sensitivity"])


def _from_a_question(messages: list[Message]) -> list[Message]:
    """The messages from the first thing that the user said on: no answer of a tool stands without its question."""
    for at, message in enumerate(messages):
        if message.role == "user" and all(hasattr(block, "text") for block in message.blocks):
            return messages[at:]
    return []
