"""Replies: the result of a task that came by a topic goes to the topic where it is waited for.

Where a run's reply goes is written before its message is done with, and forgotten when the reply is produced: at least once,
and each time as the same event. It is parked under the run's id in a partition that no index leads to. The event by which a run
says that it ended (see `announcing`) is what sends it; whoever wrote it looks too, for the run may have ended before.
"""

from __future__ import annotations

from typing import Any, Protocol

from remit.core.cloudevent import CloudEvent
from remit.core.codec import convert, digest_of, encode, plain
from remit.core.rule import hops_of
from remit.core.task import Result
from remit.core.times import rfc3339
from remit.core.view import RunView
from remit.engine.bus.announcing import FAILED, SUCCEEDED, traceparent
from remit.engine.bus.binding import headers_of, value_of
from remit.engine.bus.records import AGENTS, PARKED, lane_of, partition_of, said_of
from remit.engine.bus.requests import CORRELATION, TENANT, Address
from remit.engine.faults import Crashpoint
from remit.ports.bus import Delivery
from remit.ports.store import Delete, Put, Records
from remit.ports.topics import Produce, ToTopic

PARKING = "@replies"
PAGE = 100
MOST_RESULT = 500_000
"""Bytes of a result that a reply carries, at most; of a larger one it says where it is."""

Patterns = tuple[dict[str, Any], ...]
ENDED: Patterns = ({"type": [SUCCEEDED, FAILED]},)
"""The events that send replies."""


class View(Protocol):
    """Shows a run."""

    async def __call__(self, run_id: str, tenant_id: str) -> RunView:
        """Everything about a run. Raises NotFoundError."""


class Replies:
    """Where replies go, and sending them."""

    def __init__(
        self,
        store: Records,
        produce: Produce,
        view: View,
        crash: Crashpoint | None = None,
        most_bytes: int = MOST_RESULT,
    ) -> None:
        """A result of more than `most_bytes` is left out of its reply."""
        self._most_bytes = most_bytes
        self._store = store
        self._produce = produce
        self._view = view
        self._crash = crash

    async def note(self, run_id: str, tenant_id: str, address: Address) -> None:
        """Remember where a run's reply goes; each of those who ask for the same run gets one. Raises StoreError."""
        place = f"{run_id}/{digest_of(address)}"
        item = {"partition": _partition(run_id, tenant_id), "place": place, "address": plain(address)}
        await self._store.transact([Put(PARKED, item)])

    async def send(self, run_id: str, tenant_id: str) -> None:
        """Send the replies of a run, if it has ended. Raises ConfigError E992, E993, InputError E994, StoreError."""
        partition = _partition(run_id, tenant_id)
        noted = await self._store.query(
            PARKED, "", (partition,), lower=f"{run_id}/", upper=f"{run_id}/~", limit=PAGE
        )
        if not noted.items:
            return
        view = await self._view(run_id, tenant_id)
        if view.status not in ("success", "failure"):
            return
        for item in noted.items:
            self._at("before:reply")
            await self._produce(message_of(view, convert(item["address"], Address), self._most_bytes))
            self._at("after:reply")
            await self._store.transact([Delete(PARKED, (partition, item["place"]))])
        if noted.cursor is not None:
            await self.send(run_id, tenant_id)

    async def __call__(self, delivery: Delivery) -> None:
        """Send the replies of the run that an event says has ended."""
        await self.send(str(delivery.event.data["run_id"]), delivery.tenant_id)

    def _at(self, point: str) -> None:
        if self._crash is not None:
            self._crash(point)


def message_of(view: RunView, address: Address, most_bytes: int = MOST_RESULT) -> ToTopic:
    """The result of a run that has ended, as a CloudEvent that is the same whenever it is sent."""
    task, result = view.task, view.result
    event = CloudEvent(
        id=f"{view.run_id}/ended",
        source=AGENTS + view.agent,
        type=SUCCEEDED if view.status == "success" else FAILED,
        data=_small(result, most_bytes),
        subject=view.run_id,
        time=rfc3339(view.ended_ts or 0),
        tenantid=task.tenant_id,
        partitionkey=address.key,
        traceparent=traceparent(task.trace_id, view.run_id),
        hops=hops_of(task.actor_context.via),
        extensions=said_of(view.run_id, "", view.labels),
    )
    headers = {**headers_of(event), TENANT: task.tenant_id}
    if address.correlation:
        headers[CORRELATION] = address.correlation
    return ToTopic(address.topic, value_of(event), address.key, headers)


def _small(result: Result, most_bytes: int) -> dict[str, Any]:
    """A result as JSON. What is too large for a message is left out, and `result_ref` says where it is."""
    made: dict[str, Any] = {**plain(result), "result_ref": ""}
    for field in ("result_payload", "decision_log", "artifacts"):
        if len(encode(made)) <= most_bytes:
            break
        made |= {field: None if field == "result_payload" else [], "result_ref": f"run:{result.run_id}"}
    return made


def _partition(run_id: str, tenant_id: str) -> str:
    return partition_of(tenant_id, PARKING, lane_of(run_id))
