"""Ways out by topics: every event on one topic, and tasks for agents elsewhere, each on the topic of its agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from remit.core.cloudevent import CloudEvent
from remit.core.errors import InputError
from remit.engine.bus.binding import headers_of, value_of
from remit.engine.bus.records import AGENTS
from remit.engine.bus.requests import AGENT_TOPIC, CORRELATION, REPLY_TO, TASK, TENANT
from remit.ports.bus import DEPLOYMENT, Delivery, UndeliverableError
from remit.ports.topics import Produce, ToTopic

EVENTS = "remit.events"
TOKEN = "task_token"
"""Of a task for an agent elsewhere: the token of the workflow's Task that waits for the answer."""

Patterns = tuple[dict[str, Any], ...]


class EventsOutlet:
    """Produces every event on the topic `PREFIXremit.events`, those of one tenant and key in order."""

    def __init__(self, produce: Produce, prefix: str, deployment: str) -> None:
        self._produce = produce
        self._topic = prefix + EVENTS
        self._deployment = deployment

    async def __call__(self, delivery: Delivery) -> None:
        """Produce one event. Raises UndeliverableError for one that is too large, else RemitError."""
        event = _without_token(delivery.event)
        headers = {**headers_of(event), f"ce_{DEPLOYMENT}": self._deployment, TENANT: event.tenantid}
        await _produced(self._produce, ToTopic(self._topic, value_of(event), _key(event), headers))


class TasksOutlet:
    """Produces the events `agent.NAME` that runs publish as tasks on the topics of these agents.

    The data is a task without its id, which is the event's. With a `task_token` the answer comes back for it, on the topic
    `answers`; without, the result goes to the agent's own topic of replies.
    """

    def __init__(self, produce: Produce, topics: Mapping[str, str], answers: str) -> None:
        """`topics` are those of the agents, by name."""
        self._produce = produce
        self._topics = topics
        self._answers = answers

    async def __call__(self, delivery: Delivery) -> None:
        """Produce one task. Raises UndeliverableError for one that is no task or too large, else RemitError."""
        event = delivery.event
        if not isinstance(event.data, dict):
            raise UndeliverableError(
                f"the data of `{event.type}` is no task",
                code="E995",
                help='publish an object with `objective` and `input`, e.g. {"objective": "..."}',
            )
        task = dict(event.data)
        token = task.pop(TOKEN, "")
        sent = replace(event, type=TASK, data=task)
        headers = {**headers_of(sent), TENANT: event.tenantid}
        if token:
            headers |= {REPLY_TO: self._answers, CORRELATION: str(token)}
        key = _key(event) or f"{event.tenantid}/{task.get('session_id') or event.id}"
        topic = self._topics[event.type.removeprefix(AGENT_TOPIC)]
        await _produced(self._produce, ToTopic(topic, value_of(sent), key, headers))


def tasks_for(agents: Iterable[str]) -> Patterns:
    """The events that are tasks for these agents. Only what runs publish here is one."""
    return ({"type": [AGENT_TOPIC + name for name in agents], "source": [{"prefix": AGENTS}]},)


async def _produced(produce: Produce, message: ToTopic) -> None:
    try:
        await produce(message)
    except InputError as error:
        raise UndeliverableError(error.message, code=error.code, help=error.help) from error


def _without_token(event: CloudEvent) -> CloudEvent:
    """The event for everybody: who reads it must not be able to answer for the agent it is for."""
    if event.type.startswith(AGENT_TOPIC) and isinstance(event.data, dict) and TOKEN in event.data:
        return replace(event, data={name: value for name, value in event.data.items() if name != TOKEN})
    return event


def _key(event: CloudEvent) -> str:
    return f"{event.tenantid}/{event.partitionkey}" if event.partitionkey else ""
