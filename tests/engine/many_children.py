"""One worker process of test_many_children: submits its share of runs, and drives whatever is due of anybody's.

python many_children.py STORE_URL HOME FIRST COUNT
"""

from __future__ import annotations

import asyncio
import sys
from decimal import Decimal
from pathlib import Path

from remit.adapters.clock.system import SystemClock
from remit.bootstrap import App
from remit.core.budget import Budget, Usage
from remit.core.errors import BudgetError, StoreError
from remit.core.message import Message
from remit.core.pricing import Price
from remit.core.task import Constraints
from remit.ports.model import ModelReply, ModelRequest, OnDelta
from remit.sdk import Agent, tool
from remit.testing import app_for_tests, call, calls, task

CHILDREN = 20
EACH = "0.03"
PARENT_USD = Decimal("0.80")
PROFILE = """
name = "house"
extends = "default"
[budget]
max_model_calls = 100_000_000
max_tool_calls = 100_000_000
"""


@tool
def look() -> str:
    """Look."""
    return "seen"


greedy = Agent("greedy", instructions="Spend.", tools=[look], max_tokens=10, max_iterations=50)
parent = Agent("parent", instructions="Lead.", delegates=[greedy], max_tokens=10)


class Costly:
    """Children never stop by themselves; every answer costs nearly what was held for it."""

    provider = "scripted"

    async def ask(self, request: ModelRequest, on_delta: OnDelta | None = None) -> ModelReply:
        message: Message = call("look")
        if request.system == "Lead.":
            spend = ("delegate_to_greedy", {"objective": "spend", "max_cost_usd": EACH})
            message = calls(*[spend] * CHILDREN) if len(request.messages) == 1 else Message("assistant", ())
        stop = "tool_use" if message.tool_uses else "end_turn"
        return ModelReply(message, stop, Usage(output_tokens=60), "scripted")  # type: ignore[arg-type]

    async def close(self) -> None: ...


def app_of(url: str, home: Path) -> App:
    """The app that all processes build alike. Only money is scarce: each child halves what is left of the other limits."""
    house = home / "house"
    if not house.exists():  # the first app is built before the processes start
        house.mkdir(parents=True)
        (house / "profile.toml").write_text(PROFILE)
        (house / "policy.cedar").write_text("")
    return app_for_tests(
        parent,
        greedy,
        model=Costly(),
        store=url,
        home=home,
        clock=SystemClock(),
        policies=(str(house),),
        price=Price(Decimal(100), Decimal(100)),
    )


async def submitted(app: App, number: int) -> str:
    """A run's id, as soon as the tenant's envelope has room for it."""
    limits = Constraints(Budget(max_cost_usd=PARENT_USD))
    while True:
        try:
            return await app.runs.submit(
                task(parent, f"p{number}", constraints=limits, policy_profile="house")
            )
        except BudgetError:
            await app.worker.run_until_idle()
        except StoreError:
            await asyncio.sleep(0.05)


async def main(url: str, home: Path, first: int, count: int) -> None:
    """Submit, and work until all of one's own have ended."""
    async with app_of(url, home) as app:
        own = [await submitted(app, n) for n in range(first, first + count)]
        while own:
            await app.worker.run_until_idle()
            heads = [await app.store.head(run_id) for run_id in own]
            own = [h.run_id for h in heads if h is not None and h.status != "ended"]
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
