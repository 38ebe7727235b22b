"""What a rule does with an event: it starts one run, however often it is asked."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Protocol

from remit.core.codec import convert
from remit.core.errors import ConflictError, ToolError
from remit.core.provenance import Labels
from remit.core.rule import MOST_HOPS, InputSpec, given, via
from remit.core.task import Actor, Task
from remit.engine.bus.records import ACTOR, Subscribed, labels_of
from remit.engine.bus.subscriptions import Subscriptions
from remit.engine.runs import root_run_id
from remit.ports.agents import Agent
from remit.ports.bus import EVERYBODY, Delivery, Later, UndeliverableError
from remit.ports.store import Records


class Submit(Protocol):
    """Starts a run."""

    async def __call__(self, task: Task, *, labels: Labels) -> str:
        """Accept a task made from what has these labels, and return its run's id."""


FIRST_LOOK_S, LAST_LOOK_S = 0.05, 2.0
"""How soon a run that is waited for is looked at again: the pauses double."""

EVENTS = "events"
"""Who starts a run that nobody is known to have asked for."""

OTHER_CONTENT = "E404"
_TRACE = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")


class Starter:
    """Handles the deliveries of rules, and of agents that subscribe.

    The run's task id is made of the subscription and the delivery, so that starting it twice is starting it once. It acts
    for whoever wrote the rule, without roles: nobody approves what their own rule has asked for, nor what an event that they
    published has set off, and a rule can do what policy allows to anybody in the tenant, never more.
    """

    def __init__(
        self, store: Records, subscriptions: Subscriptions, agents: Mapping[str, Agent], submit: Submit
    ) -> None:
        self._store = store
        self._subscriptions = subscriptions
        self._agents = agents
        self._submit = submit

    def handles(self, subscribed: Subscribed) -> bool:
        """Whether this process can: an agent that is code somewhere else is left to who has it."""
        coded = subscribed.kind == "agent" and subscribed.tenant_id == EVERYBODY
        return not coded or subscribed.target in self._agents

    async def __call__(self, delivery: Delivery) -> Later | None:
        """Start the run, or see what became of it. Raises RemitError when it could not be started, or failed."""
        subscribed = await self._subscriptions.find(delivery.tenant_id, delivery.subscription)
        if subscribed is None:
            raise UndeliverableError(f"subscription `{delivery.subscription}` is gone", code="E668")
        run_id, _, looks = delivery.memo.partition(" ")
        if not run_id:
            run_id = await self._start(subscribed, delivery)
            waits = subscribed.spec.get("ordered") or subscribed.subscription.retry.on_failure
            return Later(FIRST_LOOK_S, f"{run_id} 1") if waits else None
        return await self._look(subscribed, run_id, int(looks))

    async def _start(self, subscribed: Subscribed, delivery: Delivery) -> str:
        if delivery.event.hops >= MOST_HOPS:
            raise UndeliverableError(
                f"{delivery.event.hops} events led to this one, and no more may: a rule may be setting itself off",
                code="E666",
                help="let its pattern leave out what its own runs publish",
            )
        task = task_of(subscribed, delivery)
        try:
            return await self._submit(task, labels=labels_of(delivery.event))
        except ConflictError as error:
            if error.code != OTHER_CONTENT:
                raise
            # It was started before the rule's input was changed.
            return root_run_id(task.tenant_id, task.task_id)

    async def _look(self, subscribed: Subscribed, run_id: str, looks: int) -> Later | None:
        row = await self._store.get("agent_run", (run_id,))
        status = row["status"] if row is not None else "running"
        if status == "failure" and subscribed.subscription.retry.on_failure:
            raise ToolError(
                f"run `{run_id}` failed", code="E669", help=f"see why: `remit runs show {run_id}`"
            )
        if status in ("success", "failure"):
            return None
        return Later(min(FIRST_LOOK_S * 2**looks, LAST_LOOK_S), f"{run_id} {min(looks + 1, 10)}")


def task_of(subscribed: Subscribed, delivery: Delivery) -> Task:
    """The task that an event is for a rule or an agent."""
    event, spec = delivery.event, subscribed.spec
    kind, _, name = subscribed.name.partition(":")
    digest = hashlib.sha256("\x00".join((event.source, event.id, delivery.delivery_id)).encode()).hexdigest()
    again = (
        f":{delivery.attempt}" if subscribed.subscription.retry.on_failure and delivery.attempt > 1 else ""
    )
    published_by = event.extensions.get(ACTOR)
    behind = published_by if isinstance(published_by, str) else ""
    actor = spec.get("author") or behind or EVENTS
    traced = _TRACE.match(event.traceparent)
    return Task(
        task_id=f"event:{subscribed.name}:{digest[:26]}{again}",
        agent=subscribed.target,
        objective=spec.get("objective") or f"handle the event `{event.type}`",
        input=given(convert(spec.get("input", {}), InputSpec), name, event),
        tenant_id=delivery.tenant_id,
        actor_context=Actor(
            actor, (), via(kind, name, event.hops + 1), behind=behind if behind != actor else ""
        ),
        policy_profile=spec.get("policy_profile", "default"),
        trace_id=traced[1] if traced else "",
    )
