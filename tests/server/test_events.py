"""Events and rules over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

API = "/api/v1"
EVENT = {"specversion": "1.0", "id": "h1", "source": "shop", "type": "order.placed", "data": {"n": 1}}
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"


@pytest.fixture
def adam(shared: Any) -> Iterator[httpx.Client]:
    """acme's administrator."""
    with shared.client("adam") as client:
        yield client


def event(id_: str, **fields: Any) -> dict[str, Any]:
    """A CloudEvent."""
    return {**EVENT, "id": id_, **fields}


def post(client: httpx.Client, body: Any, media: str = STRUCTURED) -> httpx.Response:
    """Publish what may be no event at all."""
    return client.post(f"{API}/events", content=json.dumps(body), headers={"content-type": media})


def rule(client: httpx.Client, name: str, **spec: Any) -> None:
    """Write a rule."""
    body = {"spec": {"target": "echo", **spec}, "reason": "a test"}
    client.put(f"{API}/definitions/rule/{name}", json=body).raise_for_status()


def test_events_are_published_structured_and_in_batches(adam: httpx.Client) -> None:
    """202 once they are durable; what was published before is said not to be fresh."""
    one = post(adam, event("one"))
    assert (one.status_code, one.json()) == (202, {"items": [{"id": "one", "source": "shop", "fresh": True}]})
    many = post(adam, [event("one"), event("two"), event("three")], BATCH)
    assert [e["fresh"] for e in many.json()["items"]] == [False, True, True]
    plain = adam.post(f"{API}/events", json=event("four", type="order.listed", color="red"))
    assert plain.status_code == 202
    (listed,) = adam.get(f"{API}/events", params={"type": "order.listed"}).json()["items"]
    assert (listed["event"]["id"], listed["event"]["color"], listed["event"]["tenantid"]) == (
        "four",
        "red",
        "acme",
    )
    assert listed["event"]["actorid"] == "adam"
    page = adam.get(f"{API}/events", params={"limit": 2}).json()
    rest = adam.get(f"{API}/events", params={"limit": 2, "cursor": page["cursor"]}).json()
    assert not {e["ticket"] for e in page["items"]} & {e["ticket"] for e in rest["items"]}


def test_tenant_and_publisher_come_from_the_key(shared: Any, adam: httpx.Client) -> None:
    """Whatever the body says; another tenant sees nothing of it."""
    post(adam, event("forged", type="order.forged", tenantid="zeta", actorid="zoe")).raise_for_status()
    (listed,) = adam.get(f"{API}/events", params={"type": "order.forged"}).json()["items"]
    assert (listed["event"]["tenantid"], listed["event"]["actorid"]) == ("acme", "adam")
    with shared.client("zoe") as zoe:
        assert zoe.get(f"{API}/events").json()["items"] == []


@pytest.mark.parametrize(
    ("body", "media", "status", "code"),
    [
        (event(""), STRUCTURED, 422, "E660"),
        ({"id": "x"}, STRUCTURED, 422, "E660"),
        ([event("ok"), "no"], BATCH, 422, "E660"),
        (None, STRUCTURED, 422, "E660"),
        (event("x", type="remit.run.succeeded"), STRUCTURED, 422, "E670"),
        (event("x", data="x" * 300_000), STRUCTURED, 422, "E661"),
        ([event(str(n)) for n in range(1001)], BATCH, 422, "E660"),
        (event("x"), "text/plain", 415, "E103"),
    ],
)
def test_what_is_no_event_is_refused(
    adam: httpx.Client, body: Any, media: str, status: int, code: str
) -> None:
    """With a problem that says why; nothing of the batch is published."""
    said = post(adam, body, media)
    assert said.status_code == status, said.text
    assert said.headers["content-type"] == "application/problem+json"
    if status == 422:
        assert said.json()["code"] == code
    assert all(e["event"]["id"] != "ok" for e in adam.get(f"{API}/events").json()["items"])


def test_roles_open_the_doors(shared: Any) -> None:
    """A viewer sees events and rules and publishes none; without a key nobody does anything."""
    with shared.client("vera") as vera, shared.client() as nobody:
        assert vera.get(f"{API}/events").status_code == 200
        assert vera.get(f"{API}/rules").status_code == 200
        assert post(vera, event("v")).status_code == 403
        assert vera.post(f"{API}/events/dead-letters/x/redrive").status_code == 403
        assert vera.delete(f"{API}/events/dead-letters/x").status_code == 403
        assert post(nobody, event("v")).status_code == 401
        assert nobody.get(f"{API}/events/dead-letters").status_code == 401


def test_a_rule_starts_a_run_that_the_server_works_on(adam: httpx.Client, until: Any) -> None:
    """From the event to the result without anybody's help; the rule is seen and can be tried."""
    rule(adam, "ship", pattern={"type": ["order.ship"]}, input={"path": "$.data"})
    shown = adam.get(f"{API}/rules/ship").json()
    assert (shown["name"], shown["target"], shown["author"], shown["enabled"]) == (
        "rule:ship",
        "echo",
        "adam",
        True,
    )
    assert "rule:ship" in [r["name"] for r in adam.get(f"{API}/rules").json()["items"]]
    tried = adam.post(
        f"{API}/rules/test", json={"event": event("t", type="order.ship"), "name": "ship"}
    ).json()
    assert tried["items"] == [{"name": "rule:ship", "target": "echo", "matches": True, "input": {"n": 1}}]
    post(adam, event("s1", type="order.ship", data={"n": 42})).raise_for_status()

    def ended() -> Any:
        found = adam.get(f"{API}/runs", params={"agent": "echo"}).json()["items"]
        return [r for r in found if r["status"] == "success" and r["task_id"].startswith("event:rule:ship:")]

    (run,) = until(ended)
    view = adam.get(f"{API}/runs/{run['run_id']}").json()
    assert view["result"]["result_payload"] == {"said": {"n": 42}}
    assert (view["task"]["actor_context"]["actor_id"], view["task"]["actor_context"]["roles"]) == ("adam", [])


def test_rules_are_tried_before_they_are_written(adam: httpx.Client) -> None:
    """Also those with mistakes, which are all said."""
    draft = {
        "pattern": {"data": {"n": [{"numeric": [">", 5]}]}},
        "target": "echo",
        "input": {"path": "$.data.n"},
    }
    asked = {"event": event("t", data={"n": 6}), "rule": draft}
    (trial,) = adam.post(f"{API}/rules/test", json=asked).json()["items"]
    assert (trial["matches"], trial["input"]) == (True, 6)
    asked["rule"] = {**draft, "pattern": {"type": []}}
    assert adam.post(f"{API}/rules/test", json=asked).json()["code"] == "E662"
    assert adam.post(f"{API}/rules/test", json={"event": event("t"), "name": "nobody"}).status_code == 404
    assert adam.get(f"{API}/rules/nobody").status_code == 404


def test_what_cannot_be_delivered_is_seen_redriven_and_discarded(adam: httpx.Client, until: Any) -> None:
    """A rule whose target is switched off: its events become dead letters."""
    closed = f"{API}/definitions/workflow/closed"
    flow = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
    adam.put(closed, json={"spec": flow, "reason": "a test"}).raise_for_status()
    rule(adam, "lost", pattern={"type": ["order.lost"]}, target="closed", retry={"attempts": 1})
    adam.post(f"{closed}/disable", json={"reason": "a test"}).raise_for_status()
    post(adam, event("l1", type="order.lost")).raise_for_status()
    where = f"{API}/events/dead-letters"

    def dead() -> Any:
        return adam.get(where, params={"subscription": "rule:lost"}).json()["items"]

    (first,) = until(dead)
    assert "is disabled" in first["problem"]
    assert (first["event"]["id"], first["attempts"]) == ("l1", 1)
    one = f"{where}/{first['dead_letter_id']}"
    assert adam.get(one).json() == first
    rule(adam, "lost", pattern={"type": ["order.lost"]}, target="closed", retry={"attempts": 1})
    assert adam.post(f"{one}/redrive").status_code == 202
    assert adam.get(one).status_code == 404
    (second,) = until(dead)
    assert second["dead_letter_id"] != first["dead_letter_id"]
    assert adam.delete(f"{where}/{second['dead_letter_id']}").status_code == 204
    assert dead() == []
    assert adam.delete(one).status_code == 404
