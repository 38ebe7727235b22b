"""Tasks by topics of Kafka: each starts one run, its result is replied, and nothing is believed that the deployment does not say.

Start a broker with `eval "$(scripts/ci/kafka.sh)"`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from tests.adapters.bus.broker import chosen, cluster, lying, new_prefix, produced, required

from remit import ToolError, agent
from remit.adapters.bus.kafka import Kafka
from remit.adapters.bus.kafka_queue import ORIGIN, REASON
from remit.bootstrap import App
from remit.core.cloudevent import CloudEvent, to_json
from remit.core.task import Task
from remit.engine.bus.queued import queued
from remit.testing import app_for_tests

pytestmark = pytest.mark.service


@agent(name="doubler")
async def doubler(given: dict[str, int]) -> dict[str, int]:
    return {"doubled": 2 * given["n"]}


@agent(name="failing")
async def failing(given: dict[str, int]) -> None:
    raise ToolError(f"no {given['n']} today", code="NoneLeft")


@agent(name="large")
async def large(given: dict[str, int]) -> str:
    return "x" * given["n"]


@agent(name="echo")
async def echo(given: Any) -> Any:
    return given


AGENTS = (doubler, failing, large, echo)


@pytest.fixture
def prefix() -> str:
    return new_prefix()


@pytest_asyncio.fixture
async def kafka() -> AsyncIterator[Kafka]:
    async with cluster() as made:
        yield made


@asynccontextmanager
async def opened(prefix: str, *agents: Any, **settings: Any) -> AsyncIterator[App]:
    """An app on the cluster."""
    given = chosen(prefix, **settings)
    async with app_for_tests(*(agents or AGENTS), bus=f"kafka://{required()}", kafka=given) as app:
        yield app


async def settled(*apps: App) -> None:
    """Until nothing is on the topics, on the bus or in hand."""
    while sum([await app.bus.drain() for app in apps]):
        for app in apps:
            await app.worker.run_until_idle()


def task(number: int = 1, **fields: Any) -> bytes:
    """A task as JSON."""
    return json.dumps({"task_id": f"t{number}", "objective": "go", "input": {"n": number}, **fields}).encode()


async def runs(app: App, tenant: str = "local") -> list[dict[str, Any]]:
    """All runs of a tenant, oldest first."""
    return list(reversed((await app.runs.list(tenant, limit=200)).items))


async def reasons(kafka: Kafka, topic: str, count: int = 1) -> list[str]:
    """Why messages of a topic were put aside."""
    return [one.headers[REASON] for one in await lying(kafka, f"{topic}.dead", count)]


async def test_a_task_starts_one_run_and_its_result_is_replied(kafka: Kafka, prefix: str) -> None:
    """However often its message comes, also when the run has ended: every reply is the same event."""
    topic = f"{prefix}agent.doubler"
    for _ in range(3):
        await produced(kafka, topic, task(), "local/s", {"correlation_id": "c-1"})
    async with opened(prefix) as app:
        await settled(app)
        await produced(kafka, topic, task(), "local/s", {"correlation_id": "c-1"})
        await settled(app)
        (run,) = await runs(app)
        view = await app.runs.view(run["run_id"], "local")
    assert (run["agent_id"], run["status"], view.task.session_id) == ("doubler", "success", "")
    replies = await lying(kafka, f"{topic}.replies", 1)
    assert {(r.headers["ce_source"], r.headers["ce_id"]) for r in replies} == {
        ("remit:agent:doubler", f"{run['run_id']}/ended")
    }
    reply = replies[0]
    assert len({r.raw for r in replies}) == 1
    assert (reply.key, reply.headers["correlation_id"]) == ("local/s", "c-1")
    assert reply.headers["ce_specversion"] == "1.0"
    assert reply.headers["ce_type"] == "remit.run.succeeded"
    assert reply.headers["content-type"] == "application/json"
    body = json.loads(reply.body)
    assert (body["task_id"], body["status"], body["result_payload"]) == ("t1", "success", {"doubled": 2})


async def test_a_failure_is_replied_too(kafka: Kafka, prefix: str) -> None:
    """With its code and its sentence."""
    await produced(kafka, f"{prefix}agent.failing", task())
    async with opened(prefix) as app:
        await settled(app)
    (reply,) = await lying(kafka, f"{prefix}agent.failing.replies", 1)
    assert reply.headers["ce_type"] == "remit.run.failed"
    assert "no 1 today" in json.loads(reply.body)["problem"]["message"]


async def test_a_reply_that_would_be_too_large_says_where_the_result_is(kafka: Kafka, prefix: str) -> None:
    """Its payload is left out."""
    await produced(kafka, f"{prefix}agent.large", task(input={"n": 700_000}))
    async with opened(prefix) as app:
        await settled(app)
        (run,) = await runs(app)
    (reply,) = await lying(kafka, f"{prefix}agent.large.replies", 1)
    body = json.loads(reply.body)
    assert (body["status"], body["result_payload"], body["result_ref"]) == (
        "success",
        None,
        f"run:{run['run_id']}",
    )


async def test_cloudevents_in_both_modes(kafka: Kafka, prefix: str) -> None:
    """The event is the task's input, or its data is the task; the same source and id are the same task."""
    topic = f"{prefix}agent.echo"
    binary = {
        "ce_specversion": "1.0",
        "ce_id": "e1",
        "ce_source": "shop",
        "ce_type": "order.placed",
        "ce_color": "red",
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "content-type": "application/json",
    }
    await produced(kafka, topic, b'{"order": 7}', "", binary)
    await produced(kafka, topic, b'{"order": 8}', "", binary)
    event = CloudEvent(id="e2", source="shop", type="remit.task", data={"objective": "say", "input": "hello"})
    structured = {"content-type": "application/cloudevents+json; charset=utf-8"}
    await produced(kafka, topic, json.dumps(to_json(event)).encode(), "", structured)
    async with opened(prefix) as app:
        await settled(app)
        found = [await app.runs.view(run["run_id"], "local") for run in await runs(app)]
    by_objective = {view.task.objective: view for view in found}
    assert by_objective.keys() == {"handle the event `order.placed`", "say"}
    placed = by_objective["handle the event `order.placed`"]
    assert placed.task.input["id"] == "e1"
    assert placed.task.input["data"] in ({"order": 7}, {"order": 8})  # two partitions have no order
    assert (placed.task.input["color"], placed.task.trace_id) == ("red", "4bf92f3577b34da6a3ce929d0e0e4736")
    assert by_objective["say"].result.result_payload == "hello"
    assert len(await lying(kafka, f"{topic}.replies", 2)) >= 2


POISON: dict[str, tuple[bytes, dict[str, str], str]] = {
    "no-json": (b"{", {}, "[E995] the message is no JSON"),
    "no-text": (b'"\xff"', {}, "no UTF-8"),
    "no-id": (b"{}", {}, "no `task_id`"),
    "list": (b"[]", {}, "[E102]"),
    "actor": (task(actor_context={"actor_id": "root", "roles": ["admin"]}), {}, "actor_context"),
    "other-agent": (task(agent="echo"), {}, "this is the topic of `doubler`"),
    "tenant-header": (task(), {"tenant": "acme"}, "[E996] the message is of tenant `acme`"),
    "tenant-body": (task(tenant_id="acme"), {}, "[E996]"),
    "tenant-event": (
        b"1",
        {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "s", "ce_type": "t", "ce_tenantid": "acme"},
        "[E996]",
    ),
    "half-event": (b"1", {"ce_specversion": "1.0", "ce_id": "1"}, "[E660]"),
    "hops": (
        b"1",
        {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "s", "ce_type": "t", "ce_hops": "16"},
        "[E666]",
    ),
    "reply-elsewhere": (
        task(),
        {"reply_to": "payments"},
        "[E996] the reply is asked for on topic `payments`",
    ),
    "reply-task": (task(), {"reply_to": "PREFIXagent.echo"}, "[E996]"),
    "large-objective": (task(objective="x" * 100_001), {}, "[E102]"),
}


async def test_what_is_no_task_is_put_aside_with_the_reason(kafka: Kafka, prefix: str) -> None:
    """Whatever it is, those behind it go on, and it is there as it came."""
    topic, bad = f"{prefix}agent.doubler", []
    for name, (value, headers, _) in POISON.items():
        headers = {key: text.replace("PREFIX", prefix) for key, text in {**headers, "x-name": name}.items()}
        bad.append(produced(kafka, topic, value, "k", headers))
    await asyncio.gather(*bad)
    await produced(kafka, topic, task(77), "k")
    async with opened(prefix) as app:
        await settled(app)
        assert [run["task_id"] for run in await runs(app)] == ["t77"]
    dead = {one.headers["x-name"]: one for one in await lying(kafka, f"{topic}.dead", len(POISON))}
    assert dead.keys() == POISON.keys()
    for name, (value, _, reason) in POISON.items():
        assert reason in dead[name].headers[REASON], name
        assert (dead[name].raw, dead[name].key) == (value, "k")
        assert dead[name].headers[ORIGIN].startswith(f"{topic}/")


async def test_what_cannot_be_begun_is_tried_again_then_put_aside(kafka: Kafka, prefix: str) -> None:
    """After growing pauses; the next of its key waits so long, and other keys do not."""
    topic = f"{prefix}agent.echo"
    await produced(kafka, topic, task(1, policy_profile="nobody-knows-this"), "k")
    await produced(kafka, topic, task(2), "k")
    await produced(kafka, topic, task(3), "other")
    async with opened(prefix, attempts=3) as app:
        begun = []
        for _ in range(4):
            await settled(app)
            begun.append([run["task_id"] for run in await runs(app)])
            app.clock.advance(4.5)
    assert begun == [["t3"], ["t3"], ["t3", "t2"], ["t3", "t2"]]
    assert "nobody-knows-this" in (await reasons(kafka, topic))[0]


async def test_another_task_under_a_name_gets_no_answer_of_the_first(kafka: Kafka, prefix: str) -> None:
    """It is put aside, and who sent it is told nothing of the first one's result."""
    topic = f"{prefix}agent.echo"
    await produced(kafka, topic, task(input="mine"), "k")
    await produced(kafka, topic, task(input="a guess"), "k", {"reply_to": f"{prefix}agent.thief.replies"})
    async with opened(prefix) as app:
        await settled(app)
    assert "[E404]" in (await reasons(kafka, topic))[0]
    assert [json.loads(r.body)["result_payload"] for r in await lying(kafka, f"{topic}.replies", 1)] == [
        "mine"
    ]
    assert await lying(kafka, f"{prefix}agent.thief.replies") == []


async def test_redrive_sends_once_more_what_was_put_aside(kafka: Kafka, prefix: str) -> None:
    """Where what was wrong is mended, it starts its run; what is wrong still is put aside again, once."""
    topic = f"{prefix}agent.doubler"
    await produced(kafka, topic, task(1), "", {"tenant": "acme"})
    await produced(kafka, topic, b"nonsense")
    async with opened(prefix) as app:
        await settled(app)
    assert len(await reasons(kafka, topic, 2)) == 2
    async with opened(prefix, tenants=("acme",)) as app:
        assert await queued(app.bus).redrive_messages() == 2
        await settled(app)
        assert [run["status"] for run in await runs(app, "acme")] == ["success"]
        assert await queued(app.bus).redrive_messages() == 1
    assert len(await reasons(kafka, topic, 3)) == 3


async def test_who_asks_is_what_the_deployment_says(kafka: Kafka, prefix: str) -> None:
    """Actor and roles are of the settings; the content taints the run unless the deployment trusts its producers."""
    await produced(kafka, f"{prefix}agent.echo", task(1, input=1))
    await produced(kafka, f"{prefix}agent.echo", task(2, input=1), "", {"tenant": "acme"})
    async with opened(prefix, actor="orders", roles=("clerk",), tenants=("acme",)) as app:
        await settled(app)
        ours, theirs = (await runs(app))[0], (await runs(app, "acme"))[0]
        view = await app.runs.view(ours["run_id"], "local")
        assert (await app.runs.view(theirs["run_id"], "acme")).task.tenant_id == "acme"
    actor = view.task.actor_context
    assert (actor.actor_id, actor.roles, actor.via) == ("orders", ("clerk",), "agent:echo#1")
    assert view.labels.untrusted
    other = new_prefix()
    await produced(kafka, f"{other}agent.echo", task(1, input=1))
    async with opened(other, trusted=True) as app:
        await settled(app)
        view = await app.runs.view((await runs(app))[0]["run_id"], "local")
    assert not view.labels.untrusted
    (reply,) = await lying(kafka, f"{other}agent.echo.replies", 1)
    assert "ce_untrusted" not in reply.headers


async def test_a_key_keeps_its_order(kafka: Kafka, prefix: str) -> None:
    """Tasks of one session are begun one after the other, as they were produced, over several processes of a deployment."""
    topic = f"{prefix}agent.echo"
    for number in range(12):
        await produced(
            kafka,
            topic,
            task(number, session_id=f"s{number % 3}", input=number),
            f"local/s{number % 3}",
        )
    async with opened(prefix) as app:
        await settled(app)
        for session in range(3):
            found = (await app.runs.list("local", session_id=f"s{session}", limit=50)).items
            turns = [int(row["task_id"][1:]) for row in reversed(found)]
            assert turns == [n for n in range(12) if n % 3 == session]


ASKING = {
    "QueryLanguage": "JSONata",
    "StartAt": "Ask",
    "States": {
        "Ask": {
            "Type": "Task",
            "Resource": "remit:event:agent.AGENT.waitForTaskToken",
            "Arguments": {
                "objective": "double it",
                "input": {"n": "{% $states.input.n %}"},
                "task_token": "{% $states.context.Task.Token %}",
            },
            "TimeoutSeconds": 3600,
            "End": True,
        }
    },
}


def asking(name: str) -> Any:
    """A workflow that asks an agent elsewhere, and waits for the answer."""
    return json.loads(json.dumps(ASKING).replace("AGENT", name))


@pytest.mark.parametrize("name", ["doubler", "failing"])
async def test_a_workflow_asks_an_agent_of_another_deployment(kafka: Kafka, prefix: str, name: str) -> None:
    """The task goes out on the agent's topic, the answer ends the wait once, and a doubled answer does nothing."""
    home, lab = f"{prefix}home.", f"{prefix}lab."
    send = {name: f"{lab}agent.{name}"}
    async with (
        opened(home, echo, send=send) as here,
        opened(lab, replies=(f"{home}remit.answers",)) as there,
    ):
        await settled(there)  # its topics are there from now on
        asked = Task("flow", "workflow:inline", input={"n": 21})
        run_id = await here.runs.submit(asked, asking(name))
        await here.worker.run_until_idle()
        await settled(here, there)
        await settled(here, there)
        view = await here.runs.view(run_id, "local")
        answers = await lying(kafka, f"{home}remit.answers", 1)
        await produced(kafka, f"{home}remit.answers", answers[0].raw, answers[0].key, answers[0].headers)
        await settled(here, there)
        again = await here.runs.view(run_id, "local")
    if name == "doubler":
        assert (view.status, view.result.result_payload) == ("success", {"doubled": 42})
    else:
        assert view.status == "failure"
        assert "no 21 today" in str(view.result.problem)
    assert view.labels.untrusted, "an answer from elsewhere taints, unless its producers are trusted"
    assert again.seq == view.seq
    (sent,) = await lying(kafka, f"{lab}agent.{name}", 1)
    token = sent.headers["correlation_id"]
    assert sent.headers["reply_to"] == f"{home}remit.answers"
    for told in await lying(kafka, f"{home}remit.events", 1):
        assert token not in told.body + json.dumps(told.headers)


async def test_an_answer_that_is_none_is_put_aside(kafka: Kafka, prefix: str) -> None:
    """Without a token; one that nobody waits for is done with."""
    await produced(kafka, f"{prefix}remit.answers", b"1", "", {"correlation_id": "task_nobody"})
    await produced(kafka, f"{prefix}remit.answers", b"2")
    async with opened(prefix, send={"doubler": "elsewhere"}) as app:
        await settled(app)
    assert len(await reasons(kafka, f"{prefix}remit.answers")) == 1


async def test_events_go_out_and_come_in(kafka: Kafka, prefix: str) -> None:
    """In binary mode, in order per key; those of other systems start agents, and one's own come back to nobody."""

    @agent(name="packer", subscribes=["order.placed"])
    async def packer(event: Any) -> Any:
        return event["data"]

    out = f"{prefix}remit.events"
    foreign = {"ce_specversion": "1.0", "ce_id": "f1", "ce_source": "till", "ce_type": "order.placed"}
    await produced(kafka, f"{prefix}till", b'{"n": 9}', "", foreign)
    await produced(kafka, f"{prefix}till", b"no event")
    async with opened(prefix, packer, events_from=(f"{prefix}till", out)) as app:
        events = [
            CloudEvent(id=f"e{n}", source="shop", type="order.placed", data={"n": n}, partitionkey="ada")
            for n in range(3)
        ]
        await app.bus.publish("local", events)
        bus = queued(app.bus)
        for _ in range(3):
            while await bus.poll():
                pass
            await settled(app)
        found = [(await app.runs.view(r["run_id"], "local")).task.input["data"]["n"] for r in await runs(app)]
    assert sorted(found) == [0, 1, 2, 9]
    placed = [m for m in await lying(kafka, out, 3) if m.headers["ce_type"] == "order.placed"]
    assert [m.headers["ce_id"] for m in placed] == ["e0", "e1", "e2"]
    assert {m.key for m in placed} == {"local/ada"}
    assert json.loads(placed[0].body) == {"n": 0}
    assert placed[0].headers["ce_tenantid"] == "local"
