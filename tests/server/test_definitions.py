"""Definitions over HTTP: two editors, their conflict, a rollback, and what is shown of it."""

from __future__ import annotations

from typing import Any

import pytest

BASE = "/api/v1/definitions"


@pytest.fixture
def adam(shared: Any) -> Any:
    """acme's administrator."""
    with shared.client("adam") as client:
        yield client


def put(client: Any, name: str, text: str, kind: str = "prompt", **more: Any) -> Any:
    spec = {"text": text} if kind == "prompt" else {"instructions": text}
    return client.put(f"{BASE}/{kind}/{name}", json={"spec": spec, "reason": "because", **more})


def test_two_editors_cannot_both_win(adam: Any) -> None:
    """Both edited version 1; the second is told who was first, and nothing of its is kept."""
    made = put(adam, "race", "one")
    assert (made.status_code, made.json()["version"]) == (201, 1)
    assert made.headers["location"] == f"{BASE}/prompt/race"
    assert put(adam, "race", "two", expect_version=1).json()["version"] == 2
    lost = put(adam, "race", "three", expect_version=1)
    assert lost.status_code == 409
    assert lost.json()["code"] == "E516"
    assert "`adam`: edit of version 2" in lost.json()["detail"]
    assert put(adam, "race", "four", expect_version=0).status_code == 409
    assert adam.get(f"{BASE}/prompt/race").json()["body"] == {"text": "two"}


def test_the_actor_is_the_keys_owner(adam: Any) -> None:
    """Author and reason stand in the version and in the audit trail."""
    put(adam, "whose", "one", comment="first")
    found = adam.get(f"{BASE}/prompt/whose").json()
    assert (found["change_author"], found["change_reason"], found["comment"]) == ("adam", "because", "first")
    trail = adam.get(f"{BASE}/prompt/whose/changes").json()["items"]
    assert [(c["action"], c["author"], c["tenant_id"]) for c in trail] == [("create", "adam", "acme")]
    assert trail[0]["snapshot"].startswith("sha256:")


def test_versions_aliases_times_and_differences(adam: Any) -> None:
    """Each way of choosing a version finds it; two ways at once are refused."""
    put(adam, "look", "one")
    between = adam.get(f"{BASE}/prompt/look").json()["updated_at"]
    put(adam, "look", "two")
    adam.put(f"{BASE}/prompt/look/aliases/old", json={"version": 1, "reason": "keep"}).raise_for_status()
    at = f"{BASE}/prompt/look"
    assert adam.get(at, params={"version": 1}).json()["body"] == {"text": "one"}
    assert adam.get(at, params={"alias": "old"}).json()["version"] == 1
    then = adam.get(at, params={"at": between}).json()
    assert (then["version"], then["status"]) in ((1, "active"), (2, "active"))
    assert adam.get(at, params={"at": between - 1}).status_code == 404
    assert adam.get(at, params={"version": 1, "alias": "old"}).status_code == 422
    assert [d["version"] for d in adam.get(f"{at}/versions").json()["items"]] == [2, 1]
    assert adam.get(f"{at}/diff", params={"a": 1, "b": 2}).json()["items"] == [
        {"path": "/text", "op": "changed", "old": "one", "new": "two"}
    ]
    assert adam.get(f"{at}/diff", params={"a": 1, "b": 9}).status_code == 404
    canary = {"version": 2, "canary_version": 1, "canary_percent": 10, "reason": "try"}
    assert adam.put(f"{at}/aliases/active", json=canary).json()["active"] == {
        "version": 2,
        "canary": 1,
        "canary_percent": 10,
    }
    assert adam.get(f"{at}/head").json()["last"]["action"] == "alias"


@pytest.mark.parametrize(
    ("kind", "name", "spec"),
    [
        ("prompt", "x", {}),
        ("prompt", "x", {"text": ""}),
        ("nokind", "x", {}),
        ("prompt", "-x", {"text": "a"}),
        ("prompt", "x y", {"text": "a"}),
        ("agent", "x", {"instructions": "a", "tools": ["no_such"]}),
        ("agent", "x", {"instructions": "a", "model": "no_such"}),
        ("agent", "x", {"instructions": {"prompt": "no_such"}}),
        ("agent", "x", {"instructions": "a", "output_schema": {"type": "nonsense"}}),
        ("policy_profile", "x", {"cedar": "permit nonsense;"}),
        ("policy_profile", "x", {"cedar": "", "profile": {"quorum": 0}}),
        ("tool_schema", "x", {"input_schema": {"type": 7}}),
        ("model_route", "x", {"model": "no provider"}),
    ],
)
def test_what_does_not_fit_is_refused(adam: Any, kind: str, name: str, spec: Any) -> None:
    """422 with a sentence; nothing is written."""
    answer = adam.put(f"{BASE}/{kind}/{name}", json={"spec": spec, "reason": "because"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]
    assert adam.get(f"{BASE}/{kind}/{name}").status_code == 404


def test_what_fits_is_kept_for_every_kind(adam: Any) -> None:
    """A policy profile, a model route and a tool's contract are definitions too."""
    for kind, spec in {
        "policy_profile": {
            "cedar": '@id("x") permit (principal, action, resource);',
            "profile": {"quorum": 2, "budget": {"max_cost_usd": "0.50"}},
        },
        "model_route": {"provider": "bedrock", "model": "m", "fallbacks": ["default"]},
        "tool_schema": {"input_schema": {"type": "object"}, "description": "d"},
    }.items():
        answer = adam.put(f"{BASE}/{kind}/kept", json={"spec": spec, "reason": "because"})
        assert answer.status_code == 201, answer.text
        assert adam.get(f"{BASE}/{kind}/kept").json()["body"] == spec


def test_an_agent_that_is_only_data_is_listed_and_runs_by_name(shared: Any, adam: Any) -> None:
    """Agents of the registry stand among those of the code, page by page."""
    put(adam, "clerk", "You file.", kind="agent")
    names, cursor = [], None
    while True:
        page = adam.get(
            "/api/v1/agents", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).json()
        names += [a["name"] for a in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert names == sorted({*shared.app.catalogue.agents, "clerk"})
    body = {"task": "x", "agents": ["clerk"], "context": {}, "task_id": "clerk-1"}
    started = adam.post("/api/v1/agents/invoke", json=body)
    assert started.status_code == 202, started.text
    run = adam.get("/api/v1/agents/status/clerk-1").json()["run_id"]
    view = adam.get(f"/api/v1/runs/{run}").json()
    assert [(d["kind"], d["name"], d["version"]) for d in view["definitions"]] == [("agent", "clerk", 1)]
    adam.post(f"{BASE}/agent/clerk/disable", json={"reason": "stop"}).raise_for_status()
    refused = adam.post("/api/v1/agents/invoke", json={**body, "task_id": "clerk-2"})
    assert (refused.status_code, refused.json()["code"]) == (403, "E513")
    with shared.client("zoe") as zoe:
        assert zoe.post("/api/v1/agents/invoke", json=body).status_code == 404


def test_an_editor_edits_and_does_not_run(shared: Any) -> None:
    """The role `editor` opens `edit` and `read`, nothing else."""
    made = shared.run(shared.app.keys.create("acme", "edda", ["editor"]))
    with shared.client() as edda:
        edda.headers["Authorization"] = f"Bearer {made.secret}"
        assert put(edda, "by-edda", "one").status_code == 201
        assert edda.post("/api/v1/runs", json={"task_id": "e", "agent": "echo"}).status_code == 403
