"""A lookup that says "did not happen" is believed only when the first call can no longer be on its way."""

from __future__ import annotations

from typing import Any

from remit import agent, tool
from remit.sdk import Found, ToolContext
from remit.testing import FakeClock, app_for_tests, task

LIMIT_S = 5.0


class Slow:
    """A bank whose answer is lost, and where the request arrives late or never."""

    def __init__(self, clock: FakeClock, arrives_s: float | None) -> None:
        self._clock = clock
        self._arrives_s = arrives_s
        self.sent: list[float] = []
        self.asked: list[float] = []

    def tool(self) -> Any:
        @tool(risk="L1", timeout_s=LIMIT_S)
        async def pay(context: ToolContext) -> str:
            """Pay; the first answer is lost on its way."""
            self.sent.append(self._clock.monotonic())
            if len(self.sent) == 1:
                raise ConnectionResetError("connection reset")
            return "paid again"

        @pay.reconciler
        async def find(key: str) -> Found:
            now = self._clock.monotonic()
            self.asked.append(now)
            arrived = self._arrives_s is not None and now >= self.sent[0] + self._arrives_s
            return Found(arrived, "paid" if arrived else None)

        return pay


async def outcome_of(bank: Slow, clock: FakeClock) -> Any:
    pay = bank.tool()

    @agent(tools=[pay])
    async def payer(input: Any, memory: Any, context: Any) -> Any:
        return await context.call("pay")

    async with app_for_tests(payer, clock=clock) as app:
        return (await app.run(task(payer))).result_payload


async def test_a_request_that_arrives_late_is_found_and_not_repeated() -> None:
    """The bank says no at first, since the request is still under way; asked after the time limit it says yes."""
    clock = FakeClock()
    bank = Slow(clock, arrives_s=LIMIT_S / 2)
    assert await outcome_of(bank, clock) == "paid"
    assert len(bank.sent) == 1
    assert bank.asked[-1] - bank.sent[0] >= LIMIT_S


async def test_a_request_that_never_arrived_is_done_once_after_the_time_limit() -> None:
    """Nothing is lost either: after the limit the second no is believed, and the call is made."""
    clock = FakeClock()
    bank = Slow(clock, arrives_s=None)
    assert await outcome_of(bank, clock) == "paid again"
    first, second = bank.sent
    assert second - first >= LIMIT_S


async def test_a_yes_is_believed_at_once() -> None:
    """Nobody waits when the bank has it already."""
    clock = FakeClock()
    bank = Slow(clock, arrives_s=0.0)
    assert await outcome_of(bank, clock) == "paid"
    assert len(bank.asked) == 1
    assert bank.asked[0] - bank.sent[0] < LIMIT_S
