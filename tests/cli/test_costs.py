"""Costs and budgets from a terminal."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path


def test_what_runs_cost_and_what_they_may_spend(project: Path, remit) -> None:
    """A run that ended is in the table and in the document; a budget is set, listed and refused."""
    assert remit("run", "broken", "--app", "more.py").code == 1
    shown = remit("costs", "--by", "agent")
    assert (shown.code, "broken" in shown.out, "total" in shown.out) == (0, True, True)
    report = json.loads(remit("costs", "--by", "day", "--zone", "Asia/Tokyo", "--recount", "--json").out)
    assert (report["total"]["runs"], report["total"]["failed"], len(report["lines"])) == (1, 1, 30)
    assert "no tenant has a budget" in remit("budgets", "list").err
    assert remit("budgets", "set", "--usd", "2.5", "--tenant", "acme").code == 0
    (budget,) = json.loads(remit("budgets", "list", "--json").out)["items"]
    assert (budget["tenant_id"], Decimal(budget["left_usd"]), budget["near_limit"]) == (
        "acme",
        Decimal("2.5"),
        False,
    )
    assert "acme" in remit("budgets", "list").out
    for wrong in (
        ("costs", "--by", "colour"),
        ("budgets", "set"),
        ("budgets", "set", "--usd", "much"),
        ("costs", "--since", "x"),
    ):
        assert remit(*wrong).code == 2


def test_what_policy_makes_of_tools_and_has_decided(project: Path, remit) -> None:
    """A tool that always asks, and the call of it that waits."""
    (project / "remit.toml").write_text('app = "more.py"\n')
    tools = json.loads(remit("policy", "tools", "--json").out)["items"]
    wipe = next(tool for tool in tools if tool["tool"] == "wipe")
    assert {verdict["verdict"] for verdict in wipe["verdicts"]} == {"needs_approval", "deny"}
    assert "asks" in remit("policy", "tools").out
    assert remit("run", "wiper").code == 5
    (held,) = json.loads(remit("policy", "decisions", "--json").out)["items"]
    assert (held["resource"], held["verdict"]) == ("wipe", "needs_approval")
    assert "wipe" in remit("policy", "decisions", "--verdict", "needs_approval").out
    assert json.loads(remit("policy", "decisions", "--tool", "look", "--json").out)["items"] == []
