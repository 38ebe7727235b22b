"""A turn of a chat (B3), whatever carries it: what was asked in, a status and a JSON body out. Knows no web framework.

`chat` never raises. What a caller is told of a failure is what the caller can mend; anything else is an id, under which the
operator finds the reason in the log.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from remit.bootstrap import App
from remit.core.codec import decode, plain
from remit.core.errors import (
    BudgetError,
    ConfigError,
    ConflictError,
    DeniedError,
    InputError,
    NotFoundError,
    RemitError,
    StoreError,
)
from remit.core.message import Message
from remit.core.task import Actor, Result, Task
from remit.engine.remembering import as_text
from remit.engine.runs import root_run_id
from remit.ports.driving import Hint
from remit.server.details import problem

log = logging.getLogger("remit.chat")

WAIT_S = 25.0
"""Seconds that a turn is waited for: API Gateway gives up after 29."""

LOOK_S = 1.0
"""Seconds between two looks at a run that waits for others to end."""

VIA = "chat"

Drive = Callable[[str], Awaitable[None]]
"""Advances a run as far as it goes, where nobody else does."""

UserId = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
ConversationId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:~-]{0,127}$")]
Query = Annotated[str, Meta(min_length=1, max_length=32_768, pattern=r"\S")]


class Ask(Struct, frozen=True, forbid_unknown_fields=True):
    """What a user asks. Without a `conversation_id` a conversation begins; with one it goes on."""

    user_id: UserId
    query: Query
    conversation_id: ConversationId | None = None


class Reply(Struct, frozen=True, omit_defaults=True):
    """The answer. `status` and `run_id` are there when the turn waits for a person: `needs_approval` or `needs_info`."""

    response: str
    conversation_id: str
    user_id: str
    status: str = ""
    run_id: str = ""


class Pending(Struct, frozen=True):
    """The turn takes longer; ask for it by its `task_id`."""

    conversation_id: str
    user_id: str
    task_id: str


class Line(Struct, frozen=True):
    """One message as its user sees it. Times are Unix milliseconds."""

    role: str
    text: str
    ts: int


class Transcript(Struct, frozen=True):
    """What was said in a conversation, oldest first; `cursor` of the next page, or null at the end."""

    conversation_id: str
    items: list[Line]
    cursor: str | None = None


class Answer(NamedTuple):
    """What is answered."""

    status: int
    body: dict[str, Any]


class Turn(NamedTuple):
    """A turn that was taken on."""

    run_id: str
    task_id: str
    conversation_id: str
    user_id: str


async def chat(
    app: App,
    tenant_id: str,
    actor: Actor,
    body: bytes,
    *,
    key: str = "",
    wait_s: float = WAIT_S,
    drive: Drive | None = None,
) -> Answer:
    """Take a turn of a conversation: 200 with the answer, 202 when it takes longer than `wait_s`, or a problem.

    `actor` is whoever's credential was shown; it vouches for the `user_id` of the body. Two requests with the same
    idempotency `key` are one turn. `drive` is given where no worker would advance the run.
    """

    async def take() -> Answer:
        turn = await _begin(app, tenant_id, actor, _read(body), key)
        if drive is not None:
            await drive(turn.run_id)
        return await _answer(app, tenant_id, turn, wait_s)

    return await _told(app, take())


async def look(
    app: App, tenant_id: str, actor: Actor, task_id: str, user_id: str, *, wait_s: float = 0.0
) -> Answer:
    """How a turn stands that took longer: as `chat` answers."""

    async def find() -> Answer:
        turn = await _find(app, tenant_id, actor, task_id, user_id)
        return await _answer(app, tenant_id, turn, wait_s)

    return await _told(app, find())


async def transcript(
    app: App, tenant_id: str, actor: Actor, conversation_id: str, user_id: str, cursor: str | None = None
) -> Answer:
    """What was said in a conversation of the user."""

    async def find() -> Answer:
        page = await app.conversations.messages(
            tenant_id, conversation_id, reader=_speaker(actor, user_id), cursor=cursor
        )
        lines = [Line(s.message.role, s.message.text, s.ts) for s in page.items if _is_shown(s.message)]
        return Answer(200, plain(Transcript(conversation_id, lines, page.cursor)))

    return await _told(app, find())


def _is_shown(message: Message) -> bool:
    """What the user and the assistant said to each other, without what passed between the assistant and its tools."""
    return bool(message.text) and not message.tool_uses


def _read(body: bytes) -> Ask:
    """Raises InputError E102."""
    try:
        return decode(body, Ask)
    except InputError as error:
        why = error.message.partition(": ")[2]
        raise InputError(f"the body does not fit: {why}", code="E102", help=EXPECTED) from error


EXPECTED = (
    'send {"user_id": "...", "query": "..."} as JSON, and "conversation_id" to go on with a conversation'
)


def _speaker(actor: Actor, user_id: str) -> Actor:
    return Actor(actor.actor_id, actor.roles, VIA, user_id)


async def _begin(app: App, tenant_id: str, actor: Actor, asked: Ask, key: str) -> Turn:
    mark = hashlib.sha256(f"{actor.actor_id}\0{asked.user_id}\0{key}".encode()).hexdigest()[:26]
    task_id = f"chat_{mark}" if key else app.clock.new_id("chat")
    conversation = asked.conversation_id or (f"conv_{mark}" if key else app.clock.new_id("conv"))
    agent = app.settings.chat_agent
    task = Task(
        task_id,
        agent,
        objective=asked.query,
        tenant_id=tenant_id,
        actor_context=_speaker(actor, asked.user_id),
        session_id=conversation,
    )
    try:
        run_id = await app.runs.submit(task)
    except NotFoundError as error:
        raise ConfigError(error.message, code="E842", help="set `REMIT_CHAT_AGENT`") from error
    known = await app.store.get("agent_run", (run_id,)) if key else None
    if known is not None and known["session_id"] != conversation:
        raise ConflictError(
            "the idempotency key was used before in another conversation",
            code="E844",
            help="use a fresh `Idempotency-Key` for each turn",
        )
    await app.driver.hint([Hint(run_id, agent.partition("@")[0], tenant_id=tenant_id)])
    return Turn(run_id, task_id, conversation, asked.user_id)


async def _find(app: App, tenant_id: str, actor: Actor, task_id: str, user_id: str) -> Turn:
    unknown = NotFoundError(f"there is no turn `{task_id[:100]}`", help="take one: `POST /chat`")
    run_id = root_run_id(tenant_id, task_id)
    try:
        task = (await app.runs.summaries.show(run_id, tenant_id)).task
    except NotFoundError:
        raise unknown from None
    who = task.actor_context
    if (who.via, who.actor_id, who.behind) != (VIA, actor.actor_id, user_id):
        raise unknown
    return Turn(run_id, task_id, task.session_id, user_id)


async def _answer(app: App, tenant_id: str, turn: Turn, wait_s: float) -> Answer:
    result = await _result(app, tenant_id, turn.run_id, wait_s)
    if result is None:
        return Answer(202, plain(Pending(turn.conversation_id, turn.user_id, turn.task_id)))
    if result.status == "failure":
        return _failed(result)
    reply = Reply(as_text(result.result_payload), turn.conversation_id, turn.user_id)
    if result.status != "success":
        reply = Reply(
            _WAITING[result.status], turn.conversation_id, turn.user_id, result.status, result.run_id
        )
    return Answer(200, plain(reply))


_WAITING = {
    "needs_approval": "A person must approve this before it goes on.",
    "needs_info": "A person who is to approve this has a question about it.",
}


async def _result(app: App, tenant_id: str, run_id: str, wait_s: float) -> Result | None:
    """The result as soon as there is one, None after `wait_s` seconds. Costs one small read a look."""
    until = app.clock.monotonic() + wait_s
    while True:
        head = await app.store.head(run_id)
        if head is not None and head.status != "ready":
            result = await app.runs.result(run_id, tenant_id)
            if result is not None:
                return result
        left = until - app.clock.monotonic()
        if left <= 0:
            return None
        await app.store.changed(run_id, after=head.seq if head else -1, timeout_s=min(left, LOOK_S))


def _failed(result: Result) -> Answer:
    code = result.problem.code if result.problem else "E900"
    log.error("run %s of a chat failed: %s", result.run_id, code, extra={"run_id": result.run_id})
    said = problem(
        500,
        "The turn failed",
        code,
        "the assistant could not answer",
        f"the operator finds the reason with `remit runs show {result.run_id}`",
    )
    return Answer(500, {**plain(said), "run_id": result.run_id})


async def _told(app: App, work: Coroutine[Any, Any, Answer]) -> Answer:
    """The answer, or the problem that came instead."""
    try:
        return await work
    except Exception as error:
        return told(app, error)


def told(app: App, error: Exception) -> Answer:
    """What a caller is told of a failure."""
    if isinstance(error, RemitError) and error.code == "E310":
        return _problem(error, 401, "Not authenticated")
    if isinstance(error, NotFoundError):
        return _problem(error, 404, "Not found")
    if isinstance(error, DeniedError):
        # What policy says names agents and rules; whose conversation it is may be said.
        return _problem(error, 403, "Refused", "" if error.code == "E840" else "this is not allowed")
    if isinstance(error, InputError):
        return _problem(error, 400, "Bad request")
    if isinstance(error, ConflictError):
        return _problem(error, 409, "Conflict")
    if isinstance(error, BudgetError):
        return _problem(error, 429, "Budget exceeded", "the budget is used up; try again later")
    if isinstance(error, StoreError):
        return _problem(error, 503, "Unavailable", "the store does not answer; try again with the same key")
    return _unforeseen(app, error)


def _problem(error: RemitError, status: int, title: str, instead: str = "") -> Answer:
    """The error as a problem; `instead` of its own words if they are for the operator, who finds them in the log."""
    if instead:
        log.warning("a turn was refused: %s", error, extra={"code": error.code})
    said = problem(status, title, error.code, instead or error.message, "" if instead else error.help)
    return Answer(status, plain(said))


def _unforeseen(app: App, error: Exception) -> Answer:
    """Nothing about the inside, such as a setting that is wrong."""
    error_id = app.clock.new_id("err")
    log.error("a turn failed as %s", error_id, exc_info=error, extra={"code": "E900"})
    said = problem(
        500,
        "Internal error",
        "E900",
        "the server failed",
        f"the operator finds the reason in the log as `{error_id}`",
    )
    return Answer(500, {**plain(said), "error_id": error_id})
