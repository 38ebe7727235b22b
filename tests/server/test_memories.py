"""Long-term memory over HTTP: a tenant's facts, by those who may read and write them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

API = "/api/v1/memories"
FACT = {"scope": "tenant", "subject": "Refunds", "text": "Two people sign", "tag": "procedure"}


@pytest.fixture
def adam(shared: Any) -> Iterator[httpx.Client]:
    """acme's administrator."""
    with shared.client("adam") as client:
        yield client


def test_a_fact_is_added_once_found_superseded_and_forgotten(adam: httpx.Client) -> None:
    """Under one idempotency key it is one fact; forgotten, its id leads to a tombstone."""
    key = {"Idempotency-Key": "k1"}
    made = adam.post(API, json=FACT, headers=key)
    assert (made.status_code, made.json()["provenance"]["actor"]) == (201, "adam")
    assert adam.post(API, json=FACT, headers=key).json() == made.json()
    at = made.headers["location"]
    assert adam.get(at).json() == made.json()
    newer = {**FACT, "text": "Three people sign", "supersedes": made.json()["fact_id"]}
    assert adam.post(API, json=newer).status_code == 201
    assert adam.post(API, json={**newer, "text": "Nobody signs"}).status_code == 409
    found = adam.get(API, params={"subject": "refunds"}).json()["items"]
    assert [fact["status"] for fact in found] == ["active", "superseded"]
    assert adam.delete(API, params={"subject": "REFUNDS"}).json() == {"facts": 2}
    gone = adam.get(at).json()
    assert (gone["status"], gone["text"]) == ("forgotten", "")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"tag": "Not a tag"}, 422),
        ({"scope": "everyone"}, 422),
        ({"text": "x" * 2001}, 422),
        ({"subject": "\u0000"}, 422),
        ({"supersedes": "fact_none"}, 404),
        ({"trust": "trusted"}, 422),
    ],
)
def test_what_is_no_fact_is_refused(adam: httpx.Client, change: dict[str, Any], status: int) -> None:
    """With the reason; nothing is written."""
    answer = adam.post(API, json={**FACT, "subject": "refused", **change})
    assert answer.status_code == status
    assert adam.get(API, params={"subject": "refused"}).json()["items"] == []


def test_roles_and_tenants_are_apart(shared: Any, adam: httpx.Client) -> None:
    """A viewer reads and never writes; another tenant sees nothing and forgets nothing."""
    made = adam.post(API, json={**FACT, "subject": "apart"}).json()
    with shared.client("vera") as vera, shared.client("zoe") as zoe:
        assert vera.get(f"{API}/{made['fact_id']}").status_code == 200
        assert vera.post(API, json=FACT).status_code == 403
        assert vera.delete(API, params={"subject": "apart"}).status_code == 403
        assert zoe.get(f"{API}/{made['fact_id']}").status_code == 404
        assert zoe.delete(API, params={"subject": "apart"}).json() == {"facts": 0}
    assert adam.get(f"{API}/{made['fact_id']}").json()["status"] == "active"


def test_lists_are_by_scope_or_by_subject(adam: httpx.Client) -> None:
    """Not by both; and paged."""
    for i in range(3):
        adam.post(API, json={**FACT, "scope": "team:pages", "subject": f"page {i}"})
    first = adam.get(API, params={"scope": "team:pages", "limit": 2}).json()
    rest = adam.get(API, params={"scope": "team:pages", "cursor": first["cursor"]}).json()
    assert len(first["items"]) + len(rest["items"]) == 3
    assert adam.get(API, params={"scope": "tenant", "subject": "page 1"}).status_code == 422
