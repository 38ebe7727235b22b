"""Costs and budgets over HTTP."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from remit.engine.envelopes import set_limit


def test_runs_that_ended_are_in_the_report(site, until):
    """By each dimension, for the tenant alone."""
    with site.client("ana") as ana:
        task = {"task_id": "c1", "agent": "echo", "objective": "hello"}
        run_id = ana.post("/api/v1/runs", json=task).json()["run_id"]
        until(lambda: ana.get(f"/api/v1/runs/{run_id}").json()["ended_ts"])
        for by in ("agent", "model", "workflow", "day"):
            report = ana.get("/api/v1/costs", params={"by": by, "zone": "Europe/Berlin"}).json()
            assert (report["by"], report["total"]["runs"], report["zone"]) == (by, 1, "Europe/Berlin")
        (line,) = ana.get("/api/v1/costs").json()["lines"]
        assert (line["name"], line["runs"], line["failed"]) == ("echo", 1, 0)
        assert ana.get("/api/v1/costs", params={"by": "colour"}).status_code == 422
        assert ana.get("/api/v1/costs", params={"since": "x"}).json()["code"] == "E1020"
    with site.client("zoe") as zoe:
        assert zoe.get("/api/v1/costs").json()["lines"] == []


def test_other_tenants_are_for_who_runs_the_deployment(site):
    """Nobody, unless the deployment names that tenant; then its admins alone."""
    asked = {"by": "tenant"}
    with site.client("adam") as adam, site.client("vera") as vera, site.client("zoe") as zoe:
        assert adam.get("/api/v1/costs", params=asked).json()["code"] == "E1025"
        site.app.settings = replace(site.app.settings, operator_tenant="acme")
        assert adam.get("/api/v1/costs", params=asked).status_code == 200
        assert vera.get("/api/v1/costs", params=asked).status_code == 403
        assert zoe.get("/api/v1/costs", params=asked).status_code == 403


def test_a_budget_says_what_is_reserved_used_and_left(site, until):
    """While a run waits its whole budget is reserved; when it ended, only what it used is gone."""
    with site.client("ana") as ana, site.client("bob") as bob, site.client("adam") as adam:
        assert ana.get("/api/v1/budgets").json() == {"items": [], "cursor": None}
        site.run(set_limit(site.app.kit, "acme", max_cost_usd=Decimal("1.2")))
        site.run(set_limit(site.app.kit, "zeta", max_cost_usd=None, max_tokens=10))
        task = {"task_id": "b1", "agent": "payer", "objective": "pay", "input": {"amount": 3}}
        assert ana.post("/api/v1/runs", json=task).status_code == 202
        (waiting,) = until(lambda: bob.get("/api/v1/approvals").json()["items"])
        (budget,) = ana.get("/api/v1/budgets").json()["items"]
        assert [Decimal(budget[f]) for f in ("limit_usd", "reserved_usd", "used_usd", "left_usd")] == [
            Decimal(x) for x in ("1.2", "1", "0", "0.2")
        ]
        assert (budget["tenant_id"], budget["near_limit"], budget["limit_tokens"]) == ("acme", True, None)
        bob.post(f"/api/v1/approvals/{waiting['approval_id']}/decide", json={"kind": "reject"})
        run = f"/api/v1/runs/{waiting['run_id']}"
        until(lambda: ana.get(run).json()["ended_ts"])
        (budget,) = ana.get("/api/v1/budgets").json()["items"]
        assert (Decimal(budget["reserved_usd"]), Decimal(budget["left_usd"])) == (Decimal(0), Decimal("1.2"))
        assert budget["near_limit"] is False
        site.app.settings = replace(site.app.settings, operator_tenant="acme")
        every = adam.get("/api/v1/budgets").json()["items"]
        assert [(b["tenant_id"], b["limit_tokens"]) for b in every] == [("acme", None), ("zeta", 10)]
        assert len(ana.get("/api/v1/budgets").json()["items"]) == 1
