"""Runs of workflows that are too long to be read whole: the same picture and the same result, from a bounded reading."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from remit.bootstrap import App
from remit.core.approval import Approval
from remit.core.codec import decode, encode
from remit.core.errors import ConflictError, NotFoundError
from remit.core.run import Run
from remit.core.steps import StepFold
from remit.core.task import Actor, Task
from remit.engine import loading, long_runs, stepping
from remit.engine.workflows.long_pictures import statuses_of
from remit.engine.workflows.picturing import statuses
from remit.sdk import Pack
from remit.testing import BOSS, FakeClock, app_for_tests
from remit.testing.workflows import AnyTool, Named, TaskFailure

WORK = {"Type": "Task", "Resource": "remit:tool:work", "End": True}
RETRY = [{"ErrorEquals": ["Broken"], "IntervalSeconds": 5, "MaxAttempts": 2}]
GATE = {
    "Type": "Task",
    "Resource": "remit:gate:refund",
    "Arguments": {"Message": "Refund this?", "ExpiresSeconds": 3600},
    "End": True,
}


def alone(name: str, state: dict[str, Any]) -> dict[str, Any]:
    """A machine of one state."""
    return {"StartAt": name, "States": {name: state}}


DOCUMENT: dict[str, Any] = {
    "QueryLanguage": "JSONata",
    "StartAt": "rows",
    "States": {
        "rows": {
            "Type": "Map",
            "Items": "{% [1, 2, 3] %}",
            "MaxConcurrency": 2,
            "ItemProcessor": alone(
                "cells",
                {
                    "Type": "Map",
                    "Items": "{% [10, 20] %}",
                    "ItemProcessor": alone("cell", {**WORK, "Retry": RETRY}),
                    "End": True,
                },
            ),
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "both"}],
            "Next": "both",
        },
        "both": {
            "Type": "Parallel",
            "Branches": [
                alone("asked", GATE),
                alone("later", {"Type": "Wait", "Seconds": 600, "End": True}),
                {
                    "StartAt": "again",
                    "States": {
                        "again": {"Type": "Pass", "Output": "{% $states.input %}", "Next": "enough"},
                        "enough": {
                            "Type": "Choice",
                            "Choices": [{"Condition": "{% $exists($n) and $n >= 3 %}", "Next": "done"}],
                            "Default": "more",
                            "Assign": {"n": "{% $exists($n) ? $n + 1 : 1 %}"},
                        },
                        "more": {"Type": "Pass", "Next": "again"},
                        "done": {"Type": "Succeed"},
                    },
                },
            ],
            "Next": "told",
        },
        "told": {"Type": "Task", "Resource": "remit:activity:tell", "TimeoutSeconds": 900, "End": True},
    },
}


@asynccontextmanager
async def driven(broken: int = 0) -> AsyncIterator[tuple[App, str]]:
    """A run that went through all of it; work on the item `broken` fails each time."""

    def work(event: Any) -> Any:
        if event == broken:
            raise TaskFailure("Broken", "no such cell")
        return event

    pack = Pack("long", tools=[AnyTool("work", work)], workflows=[Named("flow", DOCUMENT)])
    clock = FakeClock()
    async with app_for_tests(packs=[pack], clock=clock) as app:
        run_id = await app.runs.submit(Task("t1", "flow", input=5, actor_context=Actor("alice")))
        while (await app.reading.summaries.show(run_id, "local")).ended_ts is None:
            await app.worker.run_until_idle(run_id)
            for item in (await app.approvals.list("local", status="pending")).items:
                asked = decode(encode(item), Approval)
                await app.approvals.decide(asked.approval_id, "local", BOSS, "approve")
            clock.advance(301)
        yield app, run_id


@pytest.mark.parametrize("broken", [0, 20], ids=["whole", "broken"])
async def test_rows_tell_of_every_state_what_the_whole_fold_tells_at_every_moment(broken: int) -> None:
    """After each event of the journal: phase, times, entries, retries, how many items are done, and who is waited for."""
    async with driven(broken) as (app, run_id):
        contents: dict[str, bytes] = {}
        entries = await app.store.read(run_id, limit=10_000)
        run, rows = Run(run_id, contents), StepFold("flow")
        phases = set()
        for event in await loading.events(app.store, run_id, entries, contents):
            run.apply(event)
            rows.apply(event, contents)
            told = statuses(run)
            assert statuses_of(DOCUMENT, rows, contents) == told, f"after event {event.seq}, {event.data}"
            phases |= {(place, status.phase) for place, status in told.items()}
            phases |= {(place, status.note) for place, status in told.items() if status.note}
        assert len(entries) > 60
    both = "/States/both/Branches/0/States/asked"
    assert {(both, "waiting"), (both, "waits for a person")} <= phases
    assert (("/States/rows", "caught") in phases) == bool(broken)
    assert ("/States/told", "waits for activity tell") in phases
    assert any(place.endswith("cell") and phase == "waiting" for place, phase in phases) == bool(broken)


async def test_what_a_picture_and_a_result_of_a_long_run_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event once, in slices, whoever asks and however often; the second question reads nothing but the ends."""
    async with driven() as (app, run_id):
        monkeypatch.setattr(stepping, "BATCH", 16)
        whole = await app.workflows.picture_of_run("local", run_id)
        result = await app.runs.result(run_id, "local")
        head = await app.store.head(run_id)
        assert result is not None
        assert head is not None
        monkeypatch.setattr(long_runs, "LONG", 20)
        monkeypatch.setattr(loading, "load", None)
        read = app.store.read
        slices: list[int] = []

        async def counted(run_id: str, *, after: int = -1, limit: int = 1000) -> Any:
            entries = await read(run_id, after=after, limit=limit)
            slices.append(len(entries))
            return entries

        monkeypatch.setattr(app.store, "read", counted)
        assert await app.workflows.picture_of_run("local", run_id, "flow") == whole
        ends = 3  # the first event, and where the fold began and ended
        assert head.seq + 1 <= sum(slices) <= head.seq + 1 + ends
        assert max(slices) <= 16
        slices.clear()
        assert await app.workflows.picture_of_run("local", run_id) == whole
        long = await app.runs.result(run_id, "local")
        assert long is not None
        assert (long.status, long.result_payload, long.problem) == (
            result.status,
            result.result_payload,
            result.problem,
        )
        assert (long.cost_usage, long.artifacts) == (result.cost_usage, result.artifacts)
        assert sum(slices) <= 2 * ends
        slices.clear()
        again = Task("t1", "flow", input=5, actor_context=Actor("alice"))
        assert await app.runs.submit(again) == run_id
        with pytest.raises(ConflictError, match="another content"):
            await app.runs.submit(Task("t1", "flow", input=6, actor_context=Actor("alice")))
        assert slices == [1, 1]


async def test_a_result_that_waits_is_told_from_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom a long run waits for, also below it: no journal of a child is read for that."""
    child = Named("child", {"QueryLanguage": "JSONata", **alone("asked", GATE)})
    parent = Named("parent", alone("call", {"Type": "Task", "Resource": "remit:workflow:child", "End": True}))
    async with app_for_tests(packs=[Pack("p", workflows=[child, parent])]) as app:
        asked = await app.run(Task("t1", "parent", actor_context=Actor("alice")))
        monkeypatch.setattr(long_runs, "LONG", 1)
        monkeypatch.setattr(loading, "load", None)
        assert asked.status == "needs_approval"
        found = await app.runs.result(asked.run_id, "local")
        assert found is not None
        (item,) = (await app.approvals.list("local")).items
        assert (found.status, found.waiting_on) == ("needs_approval", (f"approval:{item['approval_id']}",))
        with pytest.raises(NotFoundError):
            await app.runs.result(asked.run_id, "acme")
