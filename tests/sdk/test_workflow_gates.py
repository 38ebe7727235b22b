"""A workflow built in Python that asks a person, run to its end (P7-D)."""

from __future__ import annotations

from typing import Any

import pytest

from remit import Pack, Workflow, agent, field, variable
from remit.bootstrap import App
from remit.core.task import Result, Task
from remit.testing import BOSS, app_for_tests


@agent(name="payer")
def payer(input: Any) -> Any:
    """Pays."""
    return {"paid": input["amount"]}


def refund() -> Workflow:
    """A proposal, a person, and then the payment of what was agreed to."""
    flow = Workflow("refund")
    gate = flow.gate(
        "ask",
        message="Refund?",
        payload={"amount": field("amount")},
        schema={"type": "object", "properties": {"amount": {"type": "number", "maximum": 100}}},
        expires_s=60,
        branches={"reject": "explain"},
    )
    flow.transform("propose") >> gate >> flow.node("pay", payer, input=variable("gate_ask")["payload"])
    flow.transform("explain", output={"why": variable("gate_ask")["rationale"]})
    return flow


async def finished(app: App, kind: Any, **more: Any) -> Result:
    """The refund after a person's decision."""
    given = Task("t1", "refund", input={"amount": 80})
    await app.run(given)
    (item,) = (await app.approvals.list("local")).items
    await app.approvals.decide(item["approval_id"], "local", BOSS, kind, **more)
    await app.worker.run_until_idle()
    return await app.run(given)


@pytest.mark.parametrize(
    ("kind", "more", "payload"),
    [
        ("approve", {}, {"paid": 80}),
        ("constrain", {"arguments": {"amount": 20}, "rationale": "less"}, {"paid": 20}),
        ("reject", {"rationale": "too late"}, {"why": "too late"}),
    ],
)
async def test_a_decision_leads_where_the_gate_says(kind: str, more: dict[str, Any], payload: Any) -> None:
    """Approved: as proposed. Constrained: as the person made it. Rejected: along its branch, with the reason."""
    async with app_for_tests(packs=[Pack("p", workflows=[refund()])]) as app:
        result = await finished(app, kind, **more)
    assert (result.status, result.result_payload) == ("success", payload)
