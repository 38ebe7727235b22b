"""The chat over a real socket (B3): who may, what is answered, and what browsers are told."""

from __future__ import annotations

import json

ANA = {"user_id": "u1", "query": "hello"}


def test_a_turn_is_asked_and_answered_in_one_request(shared):
    """200 with the answer; the conversation goes on under its id, and its messages can be read."""
    with shared.client("ana") as ana:
        first = ana.post("/chat", json=ANA)
        assert first.status_code == 200, first.text
        assert set(first.json()) == {"response", "conversation_id", "user_id"}
        assert json.loads(first.json()["response"]) == {"said": "hello"}
        again = ana.post("/chat", json={**ANA, "conversation_id": first.json()["conversation_id"]})
        assert again.json()["conversation_id"] == first.json()["conversation_id"]
        path = f"/chat/conversations/{first.json()['conversation_id']}"
        shown = ana.get(path, params={"user_id": "u1"}).json()
        assert [line["role"] for line in shown["items"]] == ["user", "assistant"] * 2


def test_another_key_of_the_tenant_cannot_use_it(shared):
    """Naming the same user does not help: the key vouches for its users."""
    with shared.client("ana") as ana, shared.client("adam") as adam:
        conversation = ana.post("/chat", json=ANA).json()["conversation_id"]
        assert adam.post("/chat", json={**ANA, "conversation_id": conversation}).status_code == 403
        assert adam.get(f"/chat/conversations/{conversation}", params={"user_id": "u1"}).status_code == 404


def test_a_visitor_may_chat_and_nothing_else(site):
    """The role for a key that stands in a page: whoever reads it there sees no run, no agent and nobody's conversation."""
    made = site.run(site.app.keys.create("acme", "shop-page", ("visitor",)))
    with site.client() as visitor:
        visitor.headers["Authorization"] = f"Bearer {made.secret}"
        answer = visitor.post("/chat", json=ANA)
        assert answer.status_code == 200, answer.text
        conversation = answer.json()["conversation_id"]
        assert visitor.get(f"/chat/conversations/{conversation}", params={"user_id": "u1"}).status_code == 200
        assert visitor.get(f"/chat/conversations/{conversation}", params={"user_id": "u2"}).status_code == 404
        for path in ("runs", "agents", "approvals", "conversations", "documents", "definitions"):
            refused = visitor.get(f"/api/v1/{path}")
            assert (refused.status_code, refused.json()["code"]) == (403, "E320"), path
        task = {"task_id": "t", "agent": "echo"}
        assert visitor.post("/api/v1/runs", json=task).status_code == 403


def test_a_missing_query_is_a_bad_request(shared):
    """400 with a problem, as API Gateway's clients expect; so is what is no JSON."""
    with shared.client("ana") as ana:
        for body in (b'{"user_id": "u1"}', b"", b"{", b"\xff"):
            answer = ana.post("/chat", content=body)
            assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
            assert answer.json()["code"] == "E102"


def test_the_same_key_is_the_same_turn(shared):
    """The header that clients set when they repeat."""
    with shared.client("ana") as ana:
        given = {"headers": {"Idempotency-Key": "twice"}, "json": ANA}
        first, second = ana.post("/chat", **given), ana.post("/chat", **given)
        assert first.json() == second.json()
        session = first.json()["conversation_id"]
        runs = ana.get("/api/v1/runs", params={"session_id": session}).json()["items"]
        assert len(runs) == 1
        turn = ana.get(f"/chat/{runs[0]['task_id']}", params={"user_id": "u1"})
        assert turn.json() == first.json()
        assert ana.get(f"/chat/{runs[0]['task_id']}", params={"user_id": "u2"}).status_code == 404


def test_pages_of_allowed_origins_may_ask_and_read_refusals(shared):
    """Preflights need no key; every answer names the origin; other addresses of the API name none."""
    page = {"Origin": "https://shop.example"}
    with shared.client() as nobody:
        asked = nobody.options("/chat", headers={**page, "Access-Control-Request-Method": "POST"})
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (204, page["Origin"])
        refused = nobody.post("/chat", json=ANA, headers=page)
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, page["Origin"])
        evil = nobody.options("/chat", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in evil.headers
        assert "access-control-allow-origin" not in nobody.get("/api/v1/runs", headers=page).headers
