"""A run read over HTTP: in short, its steps, one step, its timeline, the runs below it, two runs compared; forks and cases."""

from __future__ import annotations

from typing import Any

import httpx
import pytest


@pytest.fixture(scope="module")
def chief(shared: Any, until: Any) -> str:
    """The run of a chief whose payer waits for a person."""
    with shared.client("ana") as ana:
        body = {"task_id": "steps-1", "agent": "chief", "objective": "have it paid"}
        run_id: str = ana.post("/api/v1/runs", json=body).json()["run_id"]
        until(lambda: [c["status"] for c in told(ana, f"/runs/{run_id}/family")["items"]] == ["waiting"])
        until(lambda: told(ana, f"/runs/{run_id}/summary")["status"] == "waiting")
    return run_id


@pytest.fixture(scope="module")
def echoed(shared: Any, until: Any) -> str:
    """The run of an echo that has ended."""
    with shared.client("ana") as ana:
        run_id: str = ana.post(
            "/api/v1/runs", json={"task_id": "steps-2", "agent": "echo", "input": 1}
        ).json()["run_id"]
        until(lambda: ana.get(f"/api/v1/runs/{run_id}/summary").json()["ended_ts"])
    return run_id


def told(client: httpx.Client, path: str, **query: Any) -> Any:
    """What a path says."""
    answer = client.get(f"/api/v1{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_run_in_short(shared: Any, chief: str, echoed: str) -> None:
    with shared.client("vera") as vera:
        waits = told(vera, f"/runs/{chief}/summary")
        assert (waits["agent"], waits["kind"], waits["status"], waits["ended_ts"]) == (
            "chief",
            "code",
            "waiting",
            None,
        )
        assert [name.partition(":")[0] for name in waits["waiting_on"]] == ["child"]
        ended = told(vera, f"/runs/{echoed}/summary")
        assert (ended["status"], ended["payload"]) == ("success", {"said": 1})


def test_steps_their_timeline_and_one_of_them(shared: Any, chief: str) -> None:
    with shared.client("vera") as vera:
        (row,) = told(vera, f"/runs/{chief}/steps")["items"]
        assert (row["kind"], row["lane"], row["state"]) == ("delegate", "payer", "child")
        assert told(vera, f"/runs/{chief}/steps", after=row["seq"])["items"] == []
        assert told(vera, f"/runs/{chief}/steps", kind="tool")["items"] == []
        timeline = told(vera, f"/runs/{chief}/timeline", buckets=7)
        assert (timeline["complete"], timeline["overview"]["steps"]) == (True, 1)
        assert sum(bucket["steps"] for bucket in timeline["overview"]["buckets"]) == 1
        detail = told(vera, f"/runs/{chief}/steps/{row['step']}", seq=row["seq"])
        assert detail["handoff"]["objective"] == "pay"
        assert [event["type"] for event in detail["events"]] == ["ToolDecided", "ChildStarted"]


def test_the_runs_below_and_what_they_asked(shared: Any, chief: str) -> None:
    with shared.client("vera") as vera:
        family = told(vera, f"/runs/{chief}/family")
        (child,) = family["items"]
        assert (child["agent"], child["parent_run"]) == ("payer", chief)
        assert {share["agent"] for share in family["shares"]} == {"chief", "payer"}
        assert told(vera, f"/runs/{chief}/approvals")["items"] == []
        (asked,) = told(vera, f"/runs/{child['run_id']}/approvals")["items"]
        assert (asked["tool"], asked["status"]) == ("pay", "pending")
        assert told(vera, f"/runs/{child['run_id']}/summary")["open_approvals"] == 1


def test_two_runs_are_compared(shared: Any, chief: str, echoed: str) -> None:
    with shared.client("vera") as vera:
        found = told(vera, "/compare", left=chief, right=chief)
        assert (found["same"], found["cursor"]) == (1, None)
        (pair,) = told(vera, "/compare", left=chief, right=echoed)["items"]
        assert (pair["left"]["lane"], pair["right"]) == ("payer", None)


@pytest.mark.parametrize(
    "path",
    ["/summary", "/steps", "/steps/1", "/timeline", "/family", "/approvals"],
)
def test_another_tenant_sees_nothing_of_it(shared: Any, chief: str, path: str) -> None:
    """4: nor do comparing, forking and keeping it tell that there is such a run."""
    with shared.client("zoe") as zoe:
        answer = zoe.get(f"/api/v1/runs/{chief}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "E104")
        assert zoe.get("/api/v1/compare", params={"left": chief, "right": chief}).status_code == 404
        assert zoe.post(f"/api/v1/runs/{chief}/golden", json={}).status_code == 404
        assert zoe.post(f"/api/v1/runs/{chief}/fork", json={"from_step": "m0"}).status_code == 404


def test_a_run_is_kept_as_a_golden_case_by_who_may_edit(shared: Any, echoed: str, chief: str) -> None:
    with shared.client("ana") as ana, shared.client("adam") as adam:
        assert ana.post(f"/api/v1/runs/{echoed}/golden", json={}).status_code == 403
        early = adam.post(f"/api/v1/runs/{chief}/golden")
        assert (early.status_code, early.json()["code"]) == (409, "E1012")
        made = adam.post(
            f"/api/v1/runs/{echoed}/golden", json={"name": "echo-1", "reason": "as it should be"}
        )
        assert made.status_code == 201, made.text
        assert (made.json()["status"], made.json()["body"]["expected"]["payload"]) == ("draft", {"said": 1})
        kept = adam.get("/api/v1/definitions/golden_case/echo-1/versions").json()["items"]
        assert [version["version"] for version in kept] == [1]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "E1016"),
        ({"from_state": "s0", "from_step": "s0"}, 422, "E1016"),
        ({"from_step": "1"}, 422, "E1014"),
    ],
)
def test_what_cannot_be_forked(
    shared: Any, echoed: str, body: dict[str, Any], status: int, code: str
) -> None:
    with shared.client("ana") as ana:
        answer = ana.post(f"/api/v1/runs/{echoed}/fork", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_stream_of_a_run_that_has_ended_is_over(shared: Any, echoed: str) -> None:
    """Nothing follows, so that nobody reconnects; and asking reads no journal."""
    with shared.client("vera") as vera:
        last = told(vera, f"/runs/{echoed}/summary")["seq"]
        answer = vera.get(
            f"/api/v1/runs/{echoed}/events",
            headers={"Accept": "text/event-stream", "Last-Event-ID": str(last)},
        )
        assert answer.status_code == 204
