"""What changes in a tenant, over HTTP: as a stream that is resumed, or asked for from time to time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from remit.server import live

TASK = {"agent": "echo", "objective": "hello", "input": {"n": 1}}
LIVE = "/api/v1/live"

Told = tuple[str, str, Any]


def submit(client: httpx.Client, task_id: str, **more: Any) -> str:
    """Submit a task; its run's id."""
    answer = client.post("/api/v1/runs", json={**TASK, "task_id": task_id, **more})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


@contextmanager
def following(client: httpx.Client, last: str = "") -> Iterator[Iterator[Told]]:
    """The events of a stream as (id, event, data), once it is known to be under way."""
    headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
    with client.stream("GET", LIVE, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[Told]:
    """Server-sent events, parsed."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            yield fields.get("id", ""), fields["event"], json.loads(fields["data"])
            fields = {}


def up_to(told: Iterator[Told], is_it: Callable[[Told], bool]) -> list[Told]:
    """The events up to the one that is waited for; the client's timeout ends a wait that is in vain."""
    seen = []
    for event in told:
        seen.append(event)
        if is_it(event):
            return seen
    raise AssertionError(f"the stream ended without it: {seen}")


def says(run_id: str, status: str) -> Callable[[Told], bool]:
    """Whether an event says that the run has come so far."""
    return lambda event: (
        event[1] == "runs" and any((run["run_id"], run["status"]) == (run_id, status) for run in event[2])
    )


def test_runs_and_approvals_are_told_as_they_change(site: Any) -> None:
    """From begun to ended, to everybody of the tenant who follows, and to nobody else."""
    with (
        site.client("ana") as ana,
        site.client("bob") as bob,
        site.client("zoe") as zoe,
        following(ana) as first,
        following(bob) as second,
        following(zoe) as foreign,
    ):
        for stream in (first, second, foreign):
            assert next(stream)[1] == "mark"
        run_id = submit(ana, "l1", agent="payer")
        seen = up_to(first, says(run_id, "waiting"))
        up_to(second, says(run_id, "waiting"))
        asked = [a for _, name, rows in [*seen, next(first)] if name == "approvals" for a in rows]
        ours = [a for a in asked if a["run_id"] == run_id]
        assert ours[-1]["status"] == "pending"
        assert "arguments" not in ours[-1]
        bob.post(f"/api/v1/approvals/{ours[-1]['approval_id']}/decide", json={"kind": "approve"})
        up_to(first, says(run_id, "success"))
        own = submit(zoe, "l2")
        seen = up_to(foreign, says(own, "success"))
        assert {run["run_id"] for _, name, rows in seen if name == "runs" for run in rows} == {own}


def test_a_stream_is_resumed_where_it_was_left(site: Any, until: Any) -> None:
    """What changed in between comes at once, also from a server that was started anew."""
    with site.client("ana") as ana:
        with following(ana) as stream:
            mark = next(stream)[0]
        assert mark.isdigit()
        missed = submit(ana, "l3")
        until(lambda: ana.get(f"/api/v1/runs/{missed}").json()["ended_ts"])
    site.stop()
    site.start()
    with site.client("ana") as ana, following(ana, last=mark) as stream:
        mark, name, rows = next(stream)
        assert name == "runs"
        assert [(run["run_id"], run["status"]) for run in rows] == [(missed, "success")]


def test_the_same_is_answered_to_whoever_asks_from_time_to_time(shared: Any, until: Any) -> None:
    """By the mark of the answer before."""
    with shared.client("ana") as ana:
        mark = ana.get(LIVE).json()["mark"]
        run_id = submit(ana, "l4")
        until(lambda: ana.get(f"/api/v1/runs/{run_id}").json()["ended_ts"])
        found = ana.get(LIVE, params={"after": mark}).json()
        assert run_id in [run["run_id"] for run in found["runs"]]
        assert (found["mark"] >= mark, found["incomplete"]) == (True, False)


@pytest.mark.parametrize("last", ["x", "-1", "1e3", "9" * 40])
def test_a_mark_that_is_none_is_refused(shared: Any, last: str) -> None:
    """Whatever was sent as Last-Event-ID."""
    with shared.client("ana") as ana:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": last}
        assert ana.get(LIVE, headers=headers).status_code == 422


def test_nobody_listens_without_a_key(shared: Any) -> None:
    """Nor does a stream begin."""
    with shared.client() as nobody:
        assert nobody.get(LIVE, headers={"Accept": "text/event-stream"}).status_code == 401


async def tasks() -> int:
    """How many tasks the server has for streams."""
    mine = ("heartbeat of a live list", "Listener.next", "Event.wait")
    return sum(
        any(name in f"{task.get_name()} {task.get_coro()}" for name in mine) for task in asyncio.all_tasks()
    )


def test_streams_end_with_the_server_and_when_their_time_is_over(
    site: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a revoked key is asked for again; and nothing is left watching once nobody listens."""
    monkeypatch.setattr(live, "LASTS_S", 0.0)
    with site.client("ana") as ana:
        with following(ana) as stream:
            assert [name for _, name, _ in stream] == ["mark"]
        monkeypatch.setattr(live, "LASTS_S", 600.0)
        before = site.run(tasks())
        with following(ana) as stream:
            next(stream)
            assert site.app.live.watched == 1
        until(lambda: site.app.live.watched == 0 and site.run(tasks()) == before)
        with following(ana) as stream:
            next(stream)
            site._loop.call_soon_threadsafe(site._stop.set)
            assert list(stream) == []
    site.stop()
    assert site.app.live.watched == 0
