"""Conversations: who speaks with agents, and all that was said, in order (B2)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from msgspec import Struct

from remit.core.message import Message
from remit.core.naming import LOCAL
from remit.core.provenance import Sensitivity
from remit.core.task import Actor


class Conversation(Struct, frozen=True):
    """A session of one user. Times are Unix milliseconds; `turns` counts what the user said, `agent_id` answered last.

    It belongs to `user_id`, as vouched for by `actor_id`, whose credential was shown: an application that serves many
    users has one credential for all of them.
    """

    session_id: str
    tenant_id: str
    actor_id: str
    user_id: str
    agent_id: str
    title: str
    created_ts: int
    updated_ts: int
    turns: int = 1


class Said(Struct, frozen=True):
    """One message of a conversation, and the run that it belongs to, whose journal has the same."""

    message_id: str
    run_id: str
    user_id: str
    ts: int
    message: Message


class WorkflowStep(Struct, frozen=True):
    """A Task of a workflow that ended: `workflow_id` is its run, `step_number` counts the states entered, from 0.

    `status` is succeeded, caught or failed. A long output is left in the journal, under the digest `output_ref`.
    """

    workflow_id: str
    step_number: int
    tenant_id: str
    workflow: str
    state: str
    status: str
    entered_ts: int
    ended_ts: int
    attempts: int
    output: Any = None
    output_ref: str = ""
    error: str = ""
    sensitivity: Sensitivity = "public"


def conversation_key(tenant_id: str, session_id: str) -> str:
    """What a session is stored under: itself for `local`, else `tenant/session`. No two tenants share one."""
    if tenant_id == LOCAL and "/" not in session_id:
        return session_id
    return f"{quote(tenant_id, safe='')}/{session_id}"


def message_id(started_ts: int, run_id: str, position: int) -> str:
    """The id of a message: ids of a conversation sort by turn, and within a turn by place."""
    return f"{started_ts:014d}-{run_id}-{position:05d}"


def speaks_for(actor: Actor) -> dict[str, str]:
    """Whom a conversation of this actor belongs to, as fields of its record."""
    return {"actor_id": actor.actor_id, "user_id": actor.origin}
