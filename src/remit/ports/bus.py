"""The bus: events go out once to everybody who subscribed, at least once each, in order per key.

What every adapter keeps (`remit.testing.contracts.bus` says it as tests):
- `publish` returns when the events are durable. An event is known by tenant, `source` and `id`: published again it is
  not delivered again.
- Every subscription of the tenant whose pattern matches gets the event at least once; two subscriptions never wait for
  each other. A handler that returned is called again for that event only if its process dies, or loses
  its claim, in the seconds before that is written down.
- Of one subscription, events with the same `partitionkey` are handled one after the other, in the order in which they
  were published; one that fails holds back those behind it until it succeeds or is given up.
- A handler that raises is called again after a growing pause; after `attempts` the event becomes a dead letter, where a
  person sees why, and sends it again or discards it.
- Tenants are apart: an event is seen by subscriptions of its own tenant, and by those for every tenant.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from remit.core.cloudevent import CloudEvent
from remit.core.errors import InputError
from remit.core.rule import Redelivery

EVERYBODY = "*"
"""The tenant of a subscription that gets the events of every tenant."""


class Subscription(Struct, frozen=True):
    """Who gets which events: those that match one of `patterns`. `name` is unique in its tenant.

    `timeout_s` bounds one call of a handler, in seconds. Without `dead_letter` an event is dropped when it is given up.
    """

    name: str
    patterns: tuple[dict[str, Any], ...]
    tenant_id: str = EVERYBODY
    retry: Redelivery = Redelivery()
    dead_letter: bool = True
    timeout_s: float = 30.0


class Delivery(Struct, frozen=True):
    """One event on its way to one subscription. `attempt` counts from 1; `memo` is what `Later` said the last time.

    `delivery_id` is the same for every attempt, and another when a dead letter is sent again.
    """

    subscription: str
    tenant_id: str
    event: CloudEvent
    attempt: int = 1
    memo: str = ""
    delivery_id: str = ""


class Later(Struct, frozen=True):
    """A handler's answer that is neither done nor failed: ask again after `after_s` seconds, with this memo."""

    after_s: float
    memo: str = ""


class UndeliverableError(InputError):
    """Raised by a handler for an event that it will never take: it becomes a dead letter at once."""

    default_code = "E664"


Handler = Callable[[Delivery], Awaitable[Later | None]]
"""Takes a delivery. Returns None when it is done, `Later` to be asked again; raises when it failed."""


class Published(Struct, frozen=True):
    """An event as it was accepted; `fresh` is False for one that was there already, and then nothing was done."""

    event: CloudEvent
    fresh: bool = True


DEPLOYMENT = "deployment"
"""The extension of events that were sent out: which deployment they are from."""

INGRESS = "ingress"
"""The extension of events that came in from outside: by which way. They are not sent out again."""


class Arrived(Struct, frozen=True):
    """An event that came in from outside. The tenant, and whether it is `trusted`, was said by who let it in, not by itself."""

    tenant_id: str
    event: CloudEvent
    trusted: bool = False


class DeadLetter(Struct, frozen=True):
    """An event that a subscription was given and could not handle: how often it was tried, and why it failed last."""

    dead_letter_id: str
    tenant_id: str
    subscription: str
    event: CloudEvent
    attempts: int
    problem: str
    dead_ts: int


class DeadLetters(Struct, frozen=True):
    """A page of dead letters, newest first; `cursor` of the next page, or null at the end."""

    items: list[DeadLetter]
    cursor: str | None = None


class Stop(Protocol):
    """When to stop: an `asyncio.Event` is one."""

    def is_set(self) -> bool:
        """Whether it is time."""

    async def wait(self) -> Literal[True]:
        """Until it is time."""


class Bus(Protocol):
    """Publishing, subscribing, and what could not be delivered."""

    async def publish(self, tenant_id: str, events: Sequence[CloudEvent]) -> list[Published]:
        """Accept events, in this order. Durable when it returns. Raises InputError E660, E661; StoreError."""

    async def subscribe(self, subscription: Subscription, handler: Handler) -> None:
        """Have a handler in this process called from now on, while `serve` runs here. The subscription outlives the process."""

    async def unsubscribe(self, tenant_id: str, name: str) -> None:
        """Forget a subscription: what is under way to it becomes dead letters. Harmless when there is none."""

    async def serve(self, stop: Stop) -> None:
        """Deliver until `stop` is set, beside other processes that do the same."""

    async def dead_letters(
        self, tenant_id: str, *, subscription: str = "", limit: int = 50, cursor: str | None = None
    ) -> DeadLetters:
        """What could not be delivered, newest first."""

    async def dead_letter(self, tenant_id: str, dead_letter_id: str) -> DeadLetter:
        """One dead letter. Raises NotFoundError."""

    async def redrive(self, tenant_id: str, dead_letter_id: str) -> None:
        """Deliver it once more, as if it came just now. Raises NotFoundError."""

    async def discard(self, tenant_id: str, dead_letter_id: str) -> None:
        """Forget it. Raises NotFoundError."""
