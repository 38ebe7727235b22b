"""What a message on an agent's topic asks for: a task as JSON, or a CloudEvent; and whose it may be.

Who may produce is for the cluster's ACLs. A message is of the deployment's tenant unless its header `tenant` (or the
CloudEvent's `tenantid`) names one of those that the deployment lets messages name; its actor and roles are the deployment's,
never the message's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from remit.core.cloudevent import CloudEvent, from_json, to_json
from remit.core.codec import convert
from remit.core.errors import DeniedError, InputError
from remit.core.provenance import Labels
from remit.core.rule import MOST_HOPS, via
from remit.core.task import Actor, Constraints, Task
from remit.engine.bus.binding import event_of, is_event, json_of
from remit.engine.bus.records import ACTOR, labels_of
from remit.ports.bus import INGRESS, Arrived
from remit.ports.topics import FromTopic

TASK = "remit.task"
"""The type of an event whose data is a task; of any other event, the whole event is the task's input."""

AGENT_TOPIC, REPLIES, ANSWERS = "agent.", ".replies", "remit.answers"
"""`agent.NAME` takes tasks, and `agent.NAME.replies` has the results. Answers to what runs here asked come to `remit.answers`."""

TENANT, REPLY_TO, CORRELATION = "tenant", "reply_to", "correlation_id"
"""Headers: whose a task is, where its result goes, and what is sent back with it."""

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}\Z")
_TRACE = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")


class Admission(Struct, frozen=True):
    """What is believed of messages.

    They are of `tenant_id`, or of the one of `tenants` that they name. `actor_id` with `roles` asks. Without `trusted` their
    content taints the run. Replies go to topics of agents that begin with `prefix`, and to those in `replies` (`NAME*` are all
    that begin so).
    """

    prefix: str = ""
    tenant_id: str = "local"
    tenants: tuple[str, ...] = ()
    actor_id: str = "kafka"
    roles: tuple[str, ...] = ()
    trusted: bool = False
    replies: tuple[str, ...] = ()

    def tenant_of(self, *named: str) -> str:
        """The tenant of a message that names these. Raises DeniedError E996."""
        names = {name for name in named if name}
        for name in names:
            if name != self.tenant_id and name not in self.tenants:
                raise DeniedError(
                    f"the message is of tenant `{name[:100]}`, which messages here may not name",
                    code="E996",
                    help="name it in `kafka.tenants`, if everybody who may produce may speak for it",
                )
        if len(names) > 1:
            raise DeniedError("the message names two tenants", code="E996", help="name one, in one place")
        return names.pop() if names else self.tenant_id

    def reply_topic(self, agent: str, named: str) -> str:
        """Where the reply goes to a message that names this topic, or none. Raises DeniedError E996."""
        own = f"{self.prefix}{AGENT_TOPIC}{agent}{REPLIES}"
        if not named or named == own:
            return own
        of_agents = named.startswith(self.prefix + AGENT_TOPIC) and named.endswith(REPLIES)
        listed = any(
            named.startswith(one[:-1]) if one.endswith("*") else named == one for one in self.replies
        )
        if _TOPIC.match(named) and (of_agents or listed or named == self.prefix + ANSWERS):
            return named
        raise DeniedError(
            f"the reply is asked for on topic `{named[:100]}`, which is not one for replies",
            code="E996",
            help="name it in `kafka.replies`",
        )


class Address(Struct, frozen=True):
    """Where a reply goes: the topic, the key of its message, and what it sends back."""

    topic: str
    key: str = ""
    correlation: str = ""


class Request(Struct, frozen=True):
    """A message as a task. `same_by_name`: it is known by its name alone, whatever else another message of that name says."""

    task: Task
    labels: Labels
    address: Address
    same_by_name: bool = False


class TaskMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """A task as it is sent. `agent` and `tenant_id` may be left out, for the topic and the header say them."""

    task_id: str = ""
    agent: str = ""
    objective: Annotated[str, Meta(max_length=100_000)] = ""
    input: Any = None
    tenant_id: str = ""
    constraints: Constraints = Constraints()
    policy_profile: Annotated[str, Meta(min_length=1)] = "default"
    session_id: str = ""
    trace_id: str = ""
    output_schema: dict[str, Any] | None = None


def request_of(message: FromTopic, agent: str, admission: Admission) -> Request:
    """The task that a message on the topic of an agent asks for.

    Raises InputError E102, E660, E661, E666, E995 and DeniedError E996 for one that will never be a task.
    """
    headers = message.headers
    address = Address(
        admission.reply_topic(agent, headers.get(REPLY_TO, "")), message.key, headers.get(CORRELATION, "")
    )
    event = event_of(message) if is_event(message) else None
    if event is not None and event.type != TASK:
        asked = TaskMessage(objective=f"handle the event `{event.type}`", input=_shown(event))
    else:
        asked = convert(json_of(message) if event is None else event.data, TaskMessage)
    if asked.agent not in ("", agent):
        raise InputError(
            f"the task is for agent `{asked.agent[:100]}`, and this is the topic of `{agent}`", code="E995"
        )
    tenant_id = admission.tenant_of(
        headers.get(TENANT, ""), asked.tenant_id, event.tenantid if event is not None else ""
    )
    hops = event.hops if event is not None else 0
    if hops >= MOST_HOPS:
        raise InputError(f"{hops} events led to this one, and no more may", code="E666")
    labels = Labels(not admission.trusted, "internal")
    if event is not None:
        said = labels_of(event)
        labels = replace(said, untrusted=said.untrusted or not admission.trusted)
    task = Task(
        task_id=asked.task_id or _named_by(event, agent),
        agent=agent,
        objective=asked.objective,
        input=asked.input,
        tenant_id=tenant_id,
        actor_context=Actor(admission.actor_id, admission.roles, via("agent", agent, hops + 1)),
        constraints=asked.constraints,
        policy_profile=asked.policy_profile,
        session_id=asked.session_id,
        trace_id=asked.trace_id or _trace(headers, event),
        output_schema=asked.output_schema,
    )
    return Request(task, labels, address, same_by_name=not asked.task_id)


def arrival_by(admission: Admission) -> Callable[[str], Arrived]:
    """Reads events of other systems: CloudEvents as JSON, of the tenant that they may name."""

    def read(body: str) -> Arrived:
        try:
            event = from_json(json.loads(body))
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"the message is no CloudEvent: {error}", code="E672", help="send CloudEvents"
            ) from error
        tenant_id = admission.tenant_of(event.tenantid)
        extensions = {**event.extensions, INGRESS: "kafka"}
        return Arrived(tenant_id, replace(event, extensions=extensions), admission.trusted)

    return read


def _named_by(event: CloudEvent | None, agent: str) -> str:
    """The task id of an event: the same for the same source and id."""
    if event is None:
        raise InputError("the task has no `task_id`", code="E995", help="any text that is new for each task")
    digest = hashlib.sha256("\x00".join((event.source, event.id)).encode()).hexdigest()
    return f"topic:{agent}:{digest[:26]}"


def _shown(event: CloudEvent) -> dict[str, Any]:
    """The event as its agent is given it: without what only Remit itself says."""
    return {name: value for name, value in to_json(event).items() if name != ACTOR}


def _trace(headers: dict[str, str], event: CloudEvent | None) -> str:
    given = headers.get("traceparent", "") or (event.traceparent if event is not None else "")
    found = _TRACE.match(given)
    return found[1] if found else ""
