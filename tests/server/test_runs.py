"""Runs over HTTP: submit, page, follow, cancel, verify, export."""

from __future__ import annotations

import json

import httpx
import pytest

TASK = {"task_id": "", "agent": "echo", "objective": "hello", "input": {"n": 1}}


def submit(client, task_id, **more):
    """Submit a task; its run's id."""
    answer = client.post("/api/v1/runs", json={**TASK, "task_id": task_id, **more})
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/api/v1/runs/{answer.json()['run_id']}"
    return answer.json()["run_id"]


def ended(client, run_id):
    """Whether the run has ended."""
    return client.get(f"/api/v1/runs/{run_id}").json()["ended_ts"]


def sse(client: httpx.Client, run_id: str, last: int | None = None, stop_after: int = 10_000, **params):
    """The events of a stream as (id, event, data), until it ends or `stop_after` of them came."""
    headers = {"Accept": "text/event-stream", **({} if last is None else {"Last-Event-ID": str(last)})}
    found = []
    with client.stream("GET", f"/api/v1/runs/{run_id}/events", headers=headers, params=params) as answer:
        if answer.status_code != 200:
            return answer.status_code
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                found.append(
                    (
                        int(fields["id"]) if "id" in fields else None,
                        fields["event"],
                        json.loads(fields["data"]),
                    )
                )
                fields = {}
                if len(found) == stop_after:
                    return found
    return found


def test_a_run_is_submitted_shown_and_listed(shared, until):
    """P1 in; P2 and P14 out."""
    with shared.client("ana") as ana:
        run_id = submit(ana, "r1")
        until(lambda: ended(ana, run_id))
        view = ana.get(f"/api/v1/runs/{run_id}").json()
        assert view["result"]["status"] == "success"
        assert view["tenant_id"] == "acme"
        assert view["task"]["actor_context"] == {
            "actor_id": "ana",
            "roles": ["operator"],
            "via": "api_key",
            "behind": "",
        }
        listed = ana.get("/api/v1/runs", params={"status": "success"}).json()["items"]
        assert run_id in [item["run_id"] for item in listed]


def test_lists_are_paged_newest_first(site, until):
    """Following the cursor gives every run once."""
    with site.client("ana") as ana:
        made = [submit(ana, f"p{n}") for n in range(7)]
        seen, cursor = [], None
        while True:
            params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
            page = ana.get("/api/v1/runs", params=params).json()
            assert len(page["items"]) <= 3
            seen += [item["run_id"] for item in page["items"]]
            if not (cursor := page["cursor"]):
                break
        assert sorted(seen) == sorted(made)
        assert [i["start_ts"] for i in page["items"]] == sorted(
            (i["start_ts"] for i in page["items"]), reverse=True
        )


def test_agents_are_paged_by_name(shared):
    """The catalogue, two at a time."""
    with shared.client("vera") as vera:
        seen, cursor = [], None
        while True:
            page = vera.get(
                "/api/v1/agents", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
            ).json()
            seen += [agent["name"] for agent in page["items"]]
            if not (cursor := page["cursor"]):
                break
        assert seen == ["broken", "chief", "counting", "echo", "payer", "sloth", "validate"]


def test_events_are_paged_as_json(shared, until):
    """The cursor of a page is the `after` of the next."""
    with shared.client("ana") as ana:
        run_id = submit(ana, "e1")
        until(lambda: ended(ana, run_id))
        seen, after = [], -1
        while page := ana.get(f"/api/v1/runs/{run_id}/events", params={"after": after, "limit": 2}).json():
            if not page["items"]:
                break
            seen += [event["seq"] for event in page["items"]]
            after = page["cursor"]
        assert seen == list(range(len(seen)))
        assert len(seen) >= 3


def test_a_stream_gives_every_event_and_ends_with_the_run(shared):
    """id is the seq, event the type."""
    with shared.client("ana") as ana:
        run_id = submit(ana, "s1")
        events = sse(ana, run_id)
        assert [seq for seq, _, _ in events] == list(range(len(events)))
        assert (events[0][1], events[-1][1]) == ("RunCreated", "RunFinished")
        assert events[0][2]["type"] == "RunCreated"


def test_a_stream_is_resumed_by_last_event_id(site, until):
    """A client that lost its connection misses nothing and sees nothing twice, also across a restart."""
    (site.home / "hold").touch()
    with site.client("ana") as ana:
        run_id = submit(ana, "s2", agent="sloth")
        first = sse(ana, run_id, stop_after=2)
    site.stop()
    (site.home / "hold").unlink()
    site.start()
    with site.client("ana") as ana:
        rest = sse(ana, run_id, last=first[-1][0])
        assert [seq for seq, _, _ in first + rest] == list(range(len(first + rest)))
        assert rest[-1][1] == "RunFinished"
        assert sse(ana, run_id, last=rest[-1][0]) == 204, "nothing follows: the client stops reconnecting"
        assert sse(ana, run_id, last=1, deltas=True)[-1][1] == "RunFinished"


def test_an_open_stream_does_not_hold_up_a_stop(site, until):
    """A graceful stop ends event streams at once."""
    (site.home / "hold").touch()
    with site.client("ana") as ana:
        run_id = submit(ana, "s3", agent="sloth")
        until((site.home / "slow-began").exists)
        url = f"/api/v1/runs/{run_id}/events"
        with ana.stream("GET", url, headers={"Accept": "text/event-stream"}) as answer:
            lines = answer.iter_lines()
            next(lines)
            site._loop.call_soon_threadsafe(site._stop.set)
            for _ in lines:
                pass
        (site.home / "hold").unlink()
    site.stop()


@pytest.mark.parametrize("last", ["x", "-1", "1e3", "9" * 40])
def test_a_last_event_id_that_is_no_seq_is_refused(shared, last):
    """Whatever was sent as Last-Event-ID."""
    with shared.client("ana") as ana:
        run_id = submit(ana, "s1")
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
        assert ana.get(f"/api/v1/runs/{run_id}/events", headers=headers).status_code == 422


def test_a_run_is_cancelled(site, until):
    """It ends as a failure that says who cancelled."""
    with site.client("ana") as ana:
        run_id = submit(ana, "c1", agent="payer")
        until(lambda: ana.get(f"/api/v1/runs/{run_id}").json()["status"] == "waiting")
        answer = ana.post(f"/api/v1/runs/{run_id}/cancel", json={"reason": "changed my mind"})
        assert (answer.status_code, answer.json()["run_id"]) == (202, run_id)
        until(lambda: ended(ana, run_id))
        assert ana.get(f"/api/v1/runs/{run_id}").json()["status"] == "failure"
        assert ana.post(f"/api/v1/runs/{run_id}/cancel").status_code == 202, "cancelling twice is harmless"
        assert not (site.home / "paid").exists()


def test_waking_a_run_changes_nothing_by_itself(site, until):
    """resume does not get past an approval."""
    with site.client("ana") as ana:
        run_id = submit(ana, "w1", agent="payer")
        until(lambda: ana.get(f"/api/v1/runs/{run_id}").json()["status"] == "waiting")
        assert ana.post(f"/api/v1/runs/{run_id}/resume").status_code == 202
        until(lambda: ana.get(f"/api/v1/runs/{run_id}").json()["status"] == "waiting")
        assert not (site.home / "paid").exists()


def test_a_run_is_verified_and_exported(shared, until):
    """A whole journal is ok; a head kept elsewhere that differs is not; the export says what it is."""
    with shared.client("ana") as ana, shared.client("otto") as otto:
        run_id = submit(ana, "v1")
        until(lambda: ended(ana, run_id))
        url = f"/api/v1/runs/{run_id}/verify"
        report = ana.get(url).json()
        assert report["ok"], report
        kept = {"size": report["size"], "head": report["head"]}
        assert ana.get(url, params=kept).json()["ok"]
        assert not ana.get(url, params={**kept, "head": "0" * 64}).json()["ok"]
        assert ana.get(url, params={"size": 3}).status_code == 422
        made = otto.get(f"/api/v1/runs/{run_id}/export")
        assert made.status_code == 200, made.text
        assert made.json()["format"] == "remit-audit/1"
        assert "attachment" in made.headers["content-disposition"]


def test_approvals_are_listed_and_decided_by_id(site, until):
    """The other door to the same approvals."""
    with site.client("ana") as ana, site.client("bob") as bob:
        run_id = submit(ana, "a1", agent="payer", input={"amount": 3})
        until(lambda: ana.get(f"/api/v1/runs/{run_id}").json()["status"] == "waiting")
        [approval] = bob.get("/api/v1/approvals").json()["items"]
        assert bob.get(f"/api/v1/approvals/{approval['approval_id']}").json() == approval
        url = f"/api/v1/approvals/{approval['approval_id']}/decide"
        body = {"kind": "approve", "decision_id": "once"}
        assert [bob.post(url, json=body).json()["status"] for _ in range(2)] == ["approved", "approved"]
        late = bob.post(url, json={"kind": "reject"})
        assert (late.status_code, late.json()["code"]) == (409, "E405")
        until(lambda: ended(ana, run_id))
        assert bob.get("/api/v1/approvals").json()["items"] == []
        assert len(bob.get("/api/v1/approvals", params={"status": ""}).json()["items"]) == 1
        assert len(bob.get("/api/v1/approvals", params={"status": "approved"}).json()["items"]) == 1
        assert (site.home / "paid").read_text() == "3\n"
