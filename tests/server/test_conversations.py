"""A person's own conversations over HTTP: found, read newest first, named and forgotten, and nobody else's."""

from __future__ import annotations

from typing import Any

BASE = "/api/v1/conversations"


def say(client: Any, until: Any, session: str, text: str, n: int) -> str:
    """Take a turn with the agent that says what it was given; its run's id, once it has ended."""
    task = {
        "task_id": f"{session}-{n}",
        "agent": "echo",
        "objective": text,
        "session_id": session,
        "input": {"n": n},
    }
    run_id: str = client.post("/api/v1/runs", json=task).json()["run_id"]
    until(lambda: client.get(f"/api/v1/runs/{run_id}").json()["ended_ts"])
    return run_id


def test_ones_own_conversations_are_listed_the_last_used_first(site, until):
    """With their titles; paged; and those of another key of the tenant, or of its users, are not there."""
    with site.client("ana") as ana, site.client("adam") as adam:
        for n, session in enumerate(("one", "two", "team/three")):
            say(ana, until, session, f"about {session}", n)
        say(adam, until, "his", "about his", 0)
        adam.post("/chat", json={"user_id": "ana", "query": "as somebody called ana"})
        page = ana.get(BASE, params={"limit": 2}).json()
        assert [m["conversation"]["session_id"] for m in page["items"]] == ["team/three", "two"]
        assert page["items"][0]["conversation"]["title"] == "about team/three"
        rest = ana.get(BASE, params={"limit": 2, "cursor": page["cursor"]}).json()
        assert [m["conversation"]["session_id"] for m in rest["items"]] == ["one"]
        assert rest["cursor"] is None
        assert ana.get(f"{BASE}/team%2Fthree").json()["title"] == "about team/three"


def test_messages_come_newest_first(site, until):
    """Page by page, back to the first; each names its run."""
    with site.client("ana") as ana:
        runs = [say(ana, until, "long", f"question {n}", n) for n in range(3)]
        seen, cursor = [], None
        while True:
            params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = ana.get(f"{BASE}/long/messages", params=params).json()
            seen += page["items"]
            if not (cursor := page["cursor"]):
                break
        assert [m["run_id"] for m in seen] == [run for run in reversed(runs) for _ in range(2)]
        assert [m["role"] for m in seen] == ["assistant", "user"] * 3
        assert seen[-1]["blocks"][0]["type"] == "text"
        assert "question 0" in seen[-1]["blocks"][0]["text"]


def test_a_search_looks_through_titles_and_messages(site, until):
    """Every word counts, in any case; what matched is quoted; of somebody else's nothing is found."""
    with site.client("ana") as ana, site.client("adam") as adam:
        say(ana, until, "kettle", "Why does the KETTLE stop before it boils?", 1)
        say(ana, until, "kettle", "and the toaster, which burns?", 2)
        say(ana, until, "other", "something else", 1)
        say(adam, until, "secret", "my kettle is a secret", 1)
        (found,) = ana.get(BASE, params={"q": "kettle stop"}).json()["items"]
        assert found["conversation"]["session_id"] == "kettle"
        (found,) = ana.get(BASE, params={"q": "Toaster burns"}).json()["items"]
        assert "toaster, which burns" in found["excerpt"]
        assert ana.get(BASE, params={"q": "kettle nowhere"}).json() == {
            "items": [],
            "cursor": None,
            "searched_to": None,
        }
        assert ana.get(BASE, params={"q": "secret"}).json()["items"] == []


def test_a_conversation_is_named_by_whom_it_belongs_to(site, until):
    """The next turn keeps the name; a name that is empty or too long is refused; secrets in it are not kept."""
    with site.client("ana") as ana, site.client("adam") as adam:
        say(ana, until, "named", "first words", 1)
        assert ana.put(f"{BASE}/named", json={"title": " My  kettle "}).json()["title"] == "My kettle"
        say(ana, until, "named", "more", 2)
        kept = ana.get(f"{BASE}/named").json()
        assert (kept["title"], kept["turns"]) == ("My kettle", 2)
        for title in ("", "  ", "x" * 121):
            assert ana.put(f"{BASE}/named", json={"title": title}).status_code == 422
        assert adam.put(f"{BASE}/named", json={"title": "mine now"}).status_code == 404
        assert adam.get(f"{BASE}/named/messages").status_code == 404


def test_a_conversation_is_forgotten_by_whom_it_belongs_to(site, until):
    """Its messages too; its runs stay. A viewer may look at their own and forget none."""
    with site.client("ana") as ana, site.client("adam") as adam, site.client("vera") as vera:
        run_id = say(ana, until, "gone", "forget me", 1)
        assert adam.delete(f"{BASE}/gone").status_code == 404
        refused = vera.delete(f"{BASE}/gone")
        assert (refused.status_code, refused.json()["code"]) == (403, "E320")
        assert ana.delete(f"{BASE}/gone").status_code == 204
        assert ana.get(f"{BASE}/gone").status_code == 404
        assert ana.get(BASE, params={"q": "forget"}).json()["items"] == []
        assert ana.get(f"/api/v1/runs/{run_id}").status_code == 200
