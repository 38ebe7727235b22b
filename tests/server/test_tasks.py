"""T2: invoke, status, result, approve, and a restart in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest


def invoke(client, agents, context=None, **more):
    """Start a task; its id."""
    answer = client.post(
        "/api/v1/agents/invoke", json={"task": "do it", "agents": agents, "context": context, **more}
    )
    assert answer.status_code == 202, answer.text
    assert set(answer.json()) == {"task_id", "status"}
    assert answer.headers["location"].endswith(answer.json()["task_id"])
    return answer.json()["task_id"]


def status_of(client, task_id):
    """The status in one word."""
    return client.get(f"/api/v1/agents/status/{task_id}").json()["status"]


def test_a_task_runs_after_the_request_returned(shared, until):
    """invoke answers at once; status and result follow the run."""
    with shared.client("ana") as ana:
        task_id = invoke(ana, ["echo"], {"n": 1})
        until(lambda: status_of(ana, task_id) == "success")
        result = ana.get(f"/api/v1/agents/result/{task_id}")
        assert result.status_code == 200
        assert result.json()["result_payload"] == {"said": {"n": 1}}
        assert result.json()["task_id"] == task_id
        assert result.json()["trace_id"]


def test_a_running_task_has_no_result_yet(site, until):
    """While it runs, result is 202 and says so."""
    (site.home / "hold").touch()
    with site.client("ana") as ana:
        task_id = invoke(ana, ["sloth"])
        until((site.home / "slow-began").exists)
        answer = ana.get(f"/api/v1/agents/result/{task_id}")
        assert answer.status_code == 202
        assert answer.json() == {"task_id": task_id, "status": "running"}
        (site.home / "hold").unlink()
        until(lambda: status_of(ana, task_id) == "success")


def test_a_privileged_call_waits_for_another_person(shared, until):
    """needs_approval, then an approver's decision lets it happen, once."""
    with shared.client("ana") as ana, shared.client("bob") as bob, shared.client("adam") as adam:
        task_id = invoke(adam, ["payer"], {"amount": 41})
        until(lambda: status_of(ana, task_id) == "needs_approval")
        assert ana.get(f"/api/v1/agents/result/{task_id}").json()["status"] == "needs_approval"
        [approval] = ana.get(f"/api/v1/agents/status/{task_id}").json()["approvals"]
        assert approval["arguments"] == {"amount": 41}
        url = f"/api/v1/agents/approve/{task_id}"
        own = adam.post(url, json={"decision": "approve"})
        assert (own.status_code, own.json()["code"]) == (403, "E311")
        decision = {"decision": "approve", "rationale": "fine", "decision_id": "d1"}
        decided = bob.post(url, json=decision)
        assert decided.status_code == 200, decided.text
        assert decided.json()["approval"]["status"] == "approved"
        assert decided.json()["status"] == "running"
        until(lambda: status_of(ana, task_id) == "success")
        assert ana.get(f"/api/v1/agents/result/{task_id}").json()["result_payload"] == {"receipt": "paid 41"}
        assert (shared.home / "paid").read_text().splitlines().count("41") == 1
        again = bob.post(url, json={**decision, "approval_id": approval["approval_id"]})
        assert again.status_code == 200
        late = bob.post(url, json={"decision": "reject"})
        assert (late.status_code, late.json()["code"]) == (409, "E410")


def test_a_rejected_call_does_not_happen(shared, until):
    """After a rejection the task ends and nothing was paid."""
    with shared.client("ana") as ana, shared.client("bob") as bob:
        task_id = invoke(ana, ["payer"], {"amount": 4242})
        until(lambda: status_of(ana, task_id) == "needs_approval")
        answer = bob.post(f"/api/v1/agents/approve/{task_id}", json={"decision": "reject", "rationale": "no"})
        assert answer.json()["approval"]["status"] == "rejected"
        until(lambda: status_of(ana, task_id) == "failure")
        paid = shared.home / "paid"
        assert not paid.exists() or "4242" not in paid.read_text().splitlines()


def test_a_question_is_asked_and_answered(shared, until):
    """request_info makes it needs_info; the answer makes it needs_approval again; constrain changes the call."""
    with shared.client("ana") as ana, shared.client("bob") as bob:
        task_id = invoke(ana, ["payer"], {"amount": 900})
        until(lambda: status_of(ana, task_id) == "needs_approval")
        url = f"/api/v1/agents/approve/{task_id}"
        asked = bob.post(url, json={"decision": "request_info", "rationale": "what for?"}).json()["approval"]
        until(lambda: status_of(ana, task_id) == "needs_info")
        answer = ana.post(f"/api/v1/approvals/{asked['approval_id']}/answer", json={"text": "for lunch"})
        assert answer.status_code == 200, answer.text
        until(lambda: status_of(ana, task_id) == "needs_approval")
        bob.post(
            url, json={"decision": "constrain", "arguments": {"amount": 9}, "rationale": "less"}
        ).raise_for_status()
        until(lambda: status_of(ana, task_id) == "success")
        assert ana.get(f"/api/v1/agents/result/{task_id}").json()["result_payload"] == {"receipt": "paid 9"}


def test_an_approval_deep_in_a_team_is_seen_from_the_task(shared, until):
    """Several agents: the one that may delegate to the others leads, and its child's approval is the task's."""
    with shared.client("ana") as ana, shared.client("bob") as bob:
        task_id = invoke(ana, ["payer", "chief"])
        until(lambda: status_of(ana, task_id) == "needs_approval")
        assert ana.get(f"/api/v1/agents/status/{task_id}").json()["agent"] == "chief"
        assert ana.get(f"/api/v1/agents/result/{task_id}").json()["status"] == "needs_approval"
        bob.post(f"/api/v1/agents/approve/{task_id}", json={"decision": "approve"}).raise_for_status()
        until(lambda: status_of(ana, task_id) == "success")


@pytest.mark.parametrize(
    ("agents", "status", "code"),
    [([], 422, "E102"), (["nobody"], 404, "E104"), (["echo", "sloth"], 422, "E115")],
)
def test_agents_that_cannot_do_it_are_refused(shared, agents, status, code):
    """No agent, an unknown one, and two that nobody leads."""
    with shared.client("ana") as ana:
        answer = ana.post("/api/v1/agents/invoke", json={"task": "x", "agents": agents})
        assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("task_id", ["", "a/b", "a b", "a\r\nSet-Cookie: x", "\U000c19f2", "x" * 129])
def test_a_task_id_fits_into_an_address(shared, task_id):
    """Nothing that a URL or a header would have to escape."""
    with shared.client("ana") as ana:
        answer = ana.post("/api/v1/agents/invoke", json={"task": "x", "agents": ["echo"], "task_id": task_id})
        assert (answer.status_code, answer.json()["code"]) == (422, "E102")


def test_the_same_task_id_is_the_same_task(shared, until):
    """Sending it twice is harmless; another content under the id is a conflict."""
    body = {"task": "x", "agents": ["echo"], "context": {"a": 1}, "task_id": "mine-1"}
    with shared.client("ana") as ana:
        for _ in range(2):
            assert ana.post("/api/v1/agents/invoke", json=body).json()["task_id"] == "mine-1"
        other = ana.post("/api/v1/agents/invoke", json={**body, "task": "y"})
        assert (other.status_code, other.json()["code"]) == (409, "E404")
        runs = ana.get("/api/v1/runs", params={"agent": "echo", "limit": 200}).json()["items"]
        assert sum(run["task_id"] == "mine-1" for run in runs) == 1


def test_work_and_approvals_survive_a_restart(site, until):
    """Stop the server while a task waits; the approval is still there, counts, and the task ends."""
    with site.client("ana") as ana:
        task_id = invoke(ana, ["payer"], {"amount": 5})
        until(lambda: status_of(ana, task_id) == "needs_approval")
    site.stop()
    site.start()
    with site.client("ana") as ana, site.client("bob") as bob:
        assert status_of(ana, task_id) == "needs_approval"
        bob.post(f"/api/v1/agents/approve/{task_id}", json={"decision": "approve"}).raise_for_status()
        until(lambda: status_of(ana, task_id) == "success")
    assert (site.home / "paid").read_text() == "5\n"


@pytest.mark.slow
def test_a_killed_server_goes_on_where_it_was(site, until):
    """SIGKILL in the middle of a step: the next process finishes the task that nobody asks for again."""
    site.stop()
    (site.home / "hold").touch()
    first = start_process(site, until)
    with site.client("ana") as ana:
        task_id = invoke(ana, ["sloth"])
        until((site.home / "slow-began").exists)
        os.kill(first.pid, signal.SIGKILL)
        first.wait(10)
        (site.home / "hold").unlink()
        second = start_process(site, until)
        try:
            until(lambda: status_of(ana, task_id) == "success", 20)
        finally:
            second.terminate()
            assert second.wait(20) in (0, -signal.SIGTERM)


def start_process(site, until) -> subprocess.Popen[bytes]:
    """The server in a process of its own; returns when it answers."""
    service = Path(__file__).with_name("service.py")
    process = subprocess.Popen([sys.executable, str(service), str(site.home), str(site.port)])
    until(lambda: process.poll() is not None or httpx.get(f"{site.url}/health").status_code == 200, 20)
    assert process.poll() is None
    return process
