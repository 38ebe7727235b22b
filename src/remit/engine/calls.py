"""A call on its way through the gateway: what is asked, what is planned for it, and what stops whoever asked."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from remit.core import event as ev
from remit.ports.store import Write


class Parked(BaseException):
    """The run must wait: no thread is held, and its agent is called again when there is an answer.

    Not an `Exception`, so that an author's `except Exception` cannot swallow it.
    """

    def __init__(self, waiting_on: tuple[str, ...], wake_ts: int | None = None) -> None:
        super().__init__(", ".join(waiting_on))
        self.waiting_on = waiting_on
        self.wake_ts = wake_ts


class Interrupted(BaseException):
    """Signals wait: take them in first, then call the agent again."""


class Ask(Struct, frozen=True):
    """A request for one call: `step` is its place in the run; `malformed` is raw text that was no JSON object.

    `gate` says that `name` is no tool but a question to a person; `timeout_s` bounds an attempt besides the tool's own limit.
    """

    step: str
    call_id: str
    name: str
    arguments: dict[str, Any]
    malformed: str | None = None
    from_model: bool = True
    gate: bool = False
    timeout_s: float | None = None


class Plan(Struct):
    """What one decided call needs: events to append first, and whether it then runs."""

    events: list[ev.Data] = []
    writes: list[Write] = []
    runs: bool = False
    lost: bool = False
