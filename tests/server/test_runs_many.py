"""Many runs over HTTP: filters together, strips, cancelled or done again at once."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

TASK = {"agent": "echo", "objective": "hello", "input": {"n": 1}}


def submit(client: httpx.Client, task_id: str, **more: Any) -> str:
    """Submit a task; its run's id."""
    answer = client.post("/api/v1/runs", json={**TASK, "task_id": task_id, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def listed(client: httpx.Client, **params: Any) -> set[str]:
    """The ids of a page."""
    answer = client.get("/api/v1/runs", params=params)
    assert answer.status_code == 200, answer.text
    return {item["run_id"] for item in answer.json()["items"]}


def test_filters_are_given_together(site: Any, until: Any) -> None:
    """Status, agent, session, times, and whether another run began it."""
    with site.client("ana") as ana:
        fine = submit(ana, "f1", session_id="s")
        bad = submit(ana, "f2", agent="broken")
        chief = submit(ana, "f3", agent="chief")
        until(lambda: len(listed(ana)) == 4 and listed(ana, status="waiting", agent="payer"))
        until(lambda: ana.get(f"/api/v1/runs/{bad}").json()["ended_ts"])
        (child,) = listed(ana, agent="payer")
        assert listed(ana, top=True) == {fine, bad, chief}
        assert listed(ana, status="waiting", agent="payer", top=True) == set()
        assert listed(ana, status="failure", agent="broken") == {bad}
        assert listed(ana, session_id="s", workflow="echo", since=1) == {fine}
        assert listed(ana, until=1) == set()
        assert child not in {fine, bad, chief}
        strips = ana.get("/api/v1/runs/strips", params={"names": "broken,nobody"}).json()["items"]
        assert [(s["name"], [r["status"] for r in s["runs"]]) for s in strips] == [
            ("broken", ["failure"]),
            ("nobody", []),
        ]


def test_many_are_cancelled_and_done_again(site: Any, until: Any) -> None:
    """An outcome for each; none for what is another tenant's."""
    with site.client("ana") as ana, site.client("zoe") as zoe:
        waits = submit(ana, "m1", agent="payer")
        fails = submit(ana, "m2", agent="broken")
        theirs = submit(zoe, "m3", agent="payer")
        until(lambda: listed(ana, status="waiting") and listed(ana, status="failure"))
        body = {"run_ids": [waits, fails, theirs], "reason": "tidying up"}
        outcomes = ana.post("/api/v1/runs/cancel", json=body).json()["items"]
        assert [o["outcome"] for o in outcomes] == ["done", "nothing", "refused"]
        assert outcomes[2]["problem"]["code"] == "E104"
        until(lambda: listed(ana, status="failure") == {waits, fails})
        again = {"run_ids": [fails, waits], "retry_id": "r1"}
        made = [ana.post("/api/v1/runs/retry", json=again).json()["items"] for _ in range(2)]
        assert made[0] == made[1]
        assert [o["outcome"] for o in made[0]] == ["done", "done"]
        assert {o["made"] for o in made[0]} <= listed(ana)


@pytest.mark.parametrize("act", ["cancel", "retry"])
def test_who_may_not_run_may_not_steer_many(shared: Any, act: str) -> None:
    """And what is no list of runs is refused before anything is asked of any."""
    with shared.client("vera") as vera, shared.client("ana") as ana:
        url = f"/api/v1/runs/{act}"
        assert vera.post(url, json={"run_ids": ["r"]}).status_code == 403
        for body in ({}, {"run_ids": []}, {"run_ids": ["r"] * 201}, {"run_ids": "r"}):
            assert ana.post(url, json=body).status_code == 422


def test_saved_views_follow_the_person(shared: Any) -> None:
    """Kept on the server, each person's own."""
    with shared.client("vera") as vera, shared.client("ana") as ana:
        body = {"page": "runs", "query": {"status": "failure"}}
        saved = vera.put("/api/v1/views/My%20failures", json=body)
        assert (saved.status_code, saved.json()["name"]) == (200, "My failures")
        assert [v["name"] for v in vera.get("/api/v1/views").json()["items"]] == ["My failures"]
        assert vera.get("/api/v1/views/My%20failures").json() == saved.json()
        assert ana.get("/api/v1/views").json()["items"] == []
        assert ana.get("/api/v1/views/My%20failures").status_code == 404
        assert ana.delete("/api/v1/views/My%20failures").status_code == 204
        assert vera.get("/api/v1/views/My%20failures").status_code == 200
        assert vera.delete("/api/v1/views/My%20failures").status_code == 204
        assert vera.get("/api/v1/views/My%20failures").status_code == 404
