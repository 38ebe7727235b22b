"""What a run knows of the execution that moves its workflow: a fold of the calls that Step Functions makes and how they were answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from remit.core import event as ev
from remit.core.codec import digest_of
from remit.core.payload import load


class Called(Struct):
    """A call of a Task. `settled` is the answer of somebody outside: output, error and cause."""

    call: str
    step: str
    state: str
    entered_ts: int
    retry: int
    token: str
    input: Any
    input_digest: str
    replied: bool = False
    error: str = ""
    settled: tuple[Any, str, str] | None = None
    beat_ts: int = 0


class Remote:
    """The execution, how far its history was read, and its calls in the order in which they came."""

    def __init__(self) -> None:
        self.execution = ""
        self.last = 0
        self.reading: Any = None
        self.calls: dict[str, Called] = {}
        self.steps = 0
        self.heard_ts = 0

    def apply(self, data: Any, ts: int, contents: Mapping[str, bytes]) -> None:
        """Take in the next event."""
        self.heard_ts = ts
        REMOTE[type(data)](self, data, contents)

    def call_of(self, state: str, entered_ts: int) -> Called | None:
        """The last call of a state that was entered then."""
        found = (c for c in reversed(self.calls.values()) if (c.state, c.entered_ts) == (state, entered_ts))
        return next(found, None)

    def open(self) -> list[Called]:
        """Calls whose answer Step Functions has not been told."""
        return [call for call in self.calls.values() if not call.replied]

    def settle(self, step: str, answer: tuple[Any, str, str]) -> None:
        """Somebody outside has answered the call that is this step."""
        for call in self.calls.values():
            if call.step == step and call.settled is None:
                call.settled = answer

    def beat(self, step: str, ts: int) -> None:
        """Somebody outside still works on the call that is this step."""
        for call in self.calls.values():
            if call.step == step:
                call.beat_ts = ts

    def step_for(self, state: str, entered_ts: int, retry: int, input: Any) -> str:
        """The step that a call is: a new one, or that of an earlier call which is made once more.

        Step Functions repeats a call whose function was killed, under another token. The calls of one entering of a state
        with the same input are told apart by their retries alone: items of a Map may be entered in the same millisecond, and
        then it does not matter which is which, as long as each repeats one. A call that was answered with an error is not
        meant: what follows that is a Retry of the author's, and a new step.
        """
        digest = digest_of(input)
        same = [
            c
            for c in self.calls.values()
            if (c.state, c.entered_ts, c.input_digest) == (state, entered_ts, digest)
        ]
        latest = {call.step: call for call in same}
        for step, call in latest.items():
            if call.retry < retry and not call.error:
                return step
        return f"c{self.steps}"


def _started(remote: Remote, e: ev.ExecutionStarted, contents: Mapping[str, bytes]) -> None:
    remote.execution = e.execution


def _read(remote: Remote, e: ev.HistoryRead, contents: Mapping[str, bytes]) -> None:
    remote.last, remote.reading = e.last, load(e.reading, contents)


def _called(remote: Remote, e: ev.TaskCalled, contents: Mapping[str, bytes]) -> None:
    given = load(e.input, contents)
    if all(call.step != e.step for call in remote.calls.values()):
        remote.steps += 1
    remote.calls[e.call] = Called(
        e.call, e.step, e.state, e.entered_ts, e.retry, e.token, given, digest_of(given)
    )


def _replied(remote: Remote, e: ev.TaskReplied, contents: Mapping[str, bytes]) -> None:
    call = remote.calls[e.call]
    call.replied, call.error = True, e.error


REMOTE: Mapping[type, Callable[[Remote, Any, Mapping[str, bytes]], None]] = {
    ev.ExecutionStarted: _started,
    ev.HistoryRead: _read,
    ev.TaskCalled: _called,
    ev.TaskReplied: _replied,
}
