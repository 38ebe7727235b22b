"""Rules, agents that subscribe and publish, and the events of runs: on an app with everything real but model and clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from remit import ToolError, agent, tool
from remit.bootstrap import App
from remit.core.cloudevent import CloudEvent
from remit.core.errors import ConfigError, InputError
from remit.core.task import Actor
from remit.engine.bus import trying
from remit.testing import app_for_tests, task

ADA = Actor("ada", ("admin",))
PLACED = {"type": ["order.placed"]}


def order(number: int = 1, **fields: Any) -> CloudEvent:
    """An order was placed."""
    return CloudEvent(
        **{"id": f"e{number}", "source": "shop", "type": "order.placed", "data": {"n": number}, **fields}
    )


async def rule(app: App, name: str = "r", **body: Any) -> None:
    """Write a rule, or change it."""
    given = {"pattern": PLACED, "target": "taker", **body}
    verb = (
        app.registry.create if await app.registry.head("local", "rule", name) is None else app.registry.edit
    )
    await verb("local", "rule", name, given, actor=ADA, reason="a test")


async def settle(app: App) -> None:
    """Deliver events and advance runs until neither leads to the other any more."""
    while await app.bus.drain():
        await app.worker.run_until_idle()


async def runs(app: App, tenant: str = "local") -> list[dict[str, Any]]:
    """All runs, oldest first."""
    page = await app.runs.list(tenant, limit=1000)
    return sorted(page.items, key=lambda row: row["start_ts"])


def taker(seen: list[Any], fail: Callable[[Any], bool] = lambda given: False) -> Any:
    """An agent that writes down what it is given."""

    @agent(name="taker")
    async def act(given: Any) -> Any:
        seen.append(given)
        if fail(given):
            raise ToolError("not today")
        return {"got": given}

    return act


async def test_an_event_starts_one_run_of_the_target_with_what_the_template_says() -> None:
    """Delivered twice it is one run; the run acts for the rule's author, without roles."""
    seen: list[Any] = []
    async with app_for_tests(taker(seen)) as app:
        spec = {"paths": {"n": "$.data.n"}, "template": {"number": "<n>", "by": "<remit.rule>"}}
        await rule(app, input=spec, objective="take it")
        await app.bus.publish("local", [order(7), order(7)])
        await app.bus.publish("local", [order(7)])
        await settle(app)
        assert seen == [{"number": 7, "by": "r"}]
        (row,) = await runs(app)
        given = (await app.runs.view(row["run_id"], "local")).task
        assert given.actor_context == Actor("ada", (), "rule:r#1")
        assert (given.objective, given.task_id.startswith("event:rule:r:")) == ("take it", True)


async def test_a_rule_is_asked_of_policy_like_anybody(tmp_path: Any) -> None:
    """What policy does not let the author start is a failed delivery, and at last a dead letter that says so."""
    folder = tmp_path / "none"
    folder.mkdir()
    (folder / "profile.toml").write_text('name = "none"\n')
    (folder / "policy.cedar").write_text("")
    seen: list[Any] = []
    async with app_for_tests(taker(seen), policies=(str(folder),)) as app:
        await rule(app, policy_profile="none", retry={"attempts": 2, "base_s": 5})
        await app.bus.publish("local", [order()])
        await settle(app)
        app.clock.advance(10)
        await settle(app)
        (dead,) = (await app.bus.dead_letters("local")).items
        assert "E301" in dead.problem
        assert seen == []


async def test_a_rule_that_changes_holds_for_what_comes_next() -> None:
    """Edited, switched off, on, rolled back and archived: the subscription is that of the active version."""
    seen: list[Any] = []
    async with app_for_tests(taker(seen)) as app:
        registry = app.registry

        async def publish(number: int) -> int:
            before = len(seen)
            await app.bus.publish("local", [order(number)])
            await settle(app)
            return len(seen) - before

        who: dict[str, Any] = {"actor": ADA, "reason": "a test"}
        await rule(app)
        assert await publish(1) == 1
        await rule(app, pattern={"type": ["other"]})
        assert await publish(2) == 0
        await registry.draft("local", "rule", "r", {"pattern": PLACED, "target": "taker"}, **who)
        assert await publish(3) == 0
        await registry.rollback("local", "rule", "r", 1, **who)
        assert await publish(4) == 1
        await registry.disable("local", "rule", "r", **who)
        assert await publish(5) == 0
        await registry.enable("local", "rule", "r", **who)
        assert await publish(6) == 1
        await rule(app, enabled=False)
        assert await publish(7) == 0
        await registry.promote("local", "rule", "r", 3, **who)
        assert await publish(8) == 1
        await registry.archive("local", "rule", "r", **who)
        assert await publish(9) == 0
        assert (await app.bus.dead_letters("local")).items == []


async def test_a_rule_that_cannot_be_used_is_refused_when_it_is_written() -> None:
    """With every mistake; nothing is there afterwards."""
    async with app_for_tests(taker([])) as app:
        with pytest.raises(InputError) as refusal:
            await rule(app, pattern={"type": []}, input={"path": "nowhere"})
        assert refusal.value.code == "E667"
        assert "empty list" in refusal.value.message
        assert "is no path" in refusal.value.message
        assert (await trying.rules(app.bus.subscriptions, "local")).items == []


async def test_tenants_have_their_own_rules() -> None:
    """An event of one tenant starts nothing of another's."""
    seen: list[Any] = []
    async with app_for_tests(taker(seen)) as app:
        await app.registry.create(
            "acme", "rule", "r", {"pattern": PLACED, "target": "taker"}, actor=ADA, reason="a test"
        )
        await app.bus.publish("zeta", [order()])
        await settle(app)
        assert seen == []
        await app.bus.publish("acme", [order()])
        await settle(app)
        assert len(seen) == 1
        assert len(await runs(app, "acme")) == 1


async def test_a_failed_run_is_a_delivered_event_unless_the_rule_says_otherwise() -> None:
    """With `retry.on_failure` each attempt is a run of its own, until one succeeds."""
    seen: list[Any] = []
    async with app_for_tests(taker(seen, lambda given: len(seen) < 3)) as app:
        await rule(app)
        await app.bus.publish("local", [order(1)])
        await settle(app)
        assert len(seen) == 1
        assert (await app.bus.dead_letters("local")).items == []
        seen.clear()
        await rule(app, retry={"attempts": 5, "base_s": 1, "max_s": 1, "on_failure": True})
        await app.bus.publish("local", [order(2)])
        for _ in range(10):
            await settle(app)
            app.clock.advance(2)
        assert len(seen) == 3
        assert len({row["run_id"] for row in await runs(app)}) == 4


async def test_a_run_that_never_succeeds_ends_as_a_dead_letter_and_can_be_sent_again() -> None:
    """Redriven, it is tried anew with runs of its own."""
    bad = True
    seen: list[Any] = []
    async with app_for_tests(taker(seen, lambda given: bad)) as app:
        await rule(app, retry={"attempts": 2, "base_s": 1, "max_s": 1, "on_failure": True})
        await app.bus.publish("local", [order(1)])
        for _ in range(8):
            await settle(app)
            app.clock.advance(2)
        (dead,) = (await app.bus.dead_letters("local")).items
        assert "E669" in dead.problem
        bad = False
        await app.bus.redrive("local", dead.dead_letter_id)
        for _ in range(4):
            await settle(app)
            app.clock.advance(2)
        assert len(seen) == 3
        assert (await app.bus.dead_letters("local")).items == []


async def test_ordered_rules_let_one_run_end_before_the_next_of_its_key() -> None:
    """Other keys do not wait."""
    seen: list[Any] = []
    async with app_for_tests(taker(seen)) as app:
        await rule(app, ordered=True, input={"path": "$.data.n"})
        await app.bus.publish("local", [order(n, partitionkey=f"k{n % 2}") for n in range(4)])
        await app.bus.drain()
        assert len(await runs(app)) == 2
        await app.worker.run_until_idle()
        assert sorted(seen) == [0, 1]
        for _ in range(4):
            app.clock.advance(3)
            await settle(app)
        assert [n for n in seen if n % 2] == [1, 3]
        assert [n for n in seen if not n % 2] == [0, 2]


async def test_a_rule_that_sets_itself_off_ends_as_a_dead_letter() -> None:
    """After sixteen events that led to each other, whoever is in between."""
    seen: list[Any] = []
    async with app_for_tests(taker(seen)) as app:
        await rule(app, pattern={"type": ["order.placed", "remit.run.succeeded"]}, input={"path": "$.id"})
        await app.bus.publish("local", [order()])
        await settle(app)
        assert len(seen) == 16
        (dead,) = (await app.bus.dead_letters("local")).items
        assert "E666" in dead.problem


async def test_a_run_that_ends_says_so_to_those_who_asked() -> None:
    """`remit.run.succeeded` and `remit.run.failed`, with the result; nothing is published that nobody wants."""
    seen: list[Any] = []

    @agent
    async def worker(given: Any) -> Any:
        if given == "bad":
            raise ToolError("no")
        return {"made": given}

    async with app_for_tests(worker, taker(seen)) as app:
        await app.run(task(worker, "t0", input="good"))
        assert (await app.bus.events("local")).items == []
        await rule(app, pattern={"type": [{"prefix": "remit.run."}], "data": {"agent": ["worker"]}})
        app.clock.advance(2)
        good = await app.run(task(worker, "t1", input="good"))
        bad = await app.run(task(worker, "t2", input="bad"))
        large = await app.run(task(worker, "t3", input="x" * 70_000))
        await settle(app)
        by_run = {event["data"]["run_id"]: event for event in seen}
        done = by_run[good.run_id]
        assert (done["type"], done["data"]["result_payload"], done["data"]["status"]) == (
            "remit.run.succeeded",
            {"made": "good"},
            "success",
        )
        assert (done["source"], done["subject"], done["actorid"]) == (
            "remit:agent:worker",
            good.run_id,
            "alice",
        )
        assert by_run[bad.run_id]["type"] == "remit.run.failed"
        assert by_run[bad.run_id]["data"]["problem"]["message"] == "no"
        assert by_run[large.run_id]["data"]["result_payload"] is None
        assert by_run[large.run_id]["data"]["result_ref"] == f"run:{large.run_id}"


async def test_a_person_who_is_asked_is_an_event() -> None:
    """`remit.approval.requested`, so that a rule may send word."""
    seen: list[Any] = []

    @tool(risk="L3")
    def launch() -> str:
        "Launch."
        return "up"

    @agent(tools=[launch])
    async def worker(given: Any, memory: Any, context: Any) -> Any:
        return await context.call("launch")

    async with app_for_tests(worker, taker(seen)) as app:
        await rule(app, pattern={"type": ["remit.approval.requested"]}, input={"path": "$.data"})
        asked = await app.run(task(worker))
        await settle(app)
        (data,) = seen
        assert (data["tool"], data["risk_level"], data["run_id"]) == ("launch", "L3", asked.run_id)
        assert asked.waiting_on == (f"approval:{data['approval_id']}",)


# agents


def shop(seen: list[Any]) -> tuple[Any, Any]:
    """A packer that publishes, and a shipper that listens to it."""

    @agent(subscribes=["order.placed"], publishes=["order.packed"])
    async def packer(event: Any, memory: Any, context: Any) -> Any:
        seen.append("packed")
        return await context.publish("order.packed", {"n": event["data"]["n"]}, key="k", subject="s")

    @agent(subscribes=[{"type": ["order.packed"], "data": {"n": [{"numeric": ["<", 10]}]}}])
    async def shipper(event: Any) -> Any:
        seen.append(event)

    return packer, shipper


async def test_agents_subscribe_and_publish() -> None:
    """An agent's declared types reach whoever subscribed; the event says whose run published it, and how far it came."""
    seen: list[Any] = []
    async with app_for_tests(*shop(seen)) as app:
        await app.bus.publish("acme", [order(3), order(30)])
        await settle(app)
        assert seen.count("packed") == 2
        (event,) = [e for e in seen if e != "packed"]
        run = next(
            r for r in await runs(app, "acme") if r["agent_id"] == "packer" and r["run_id"] == event["runid"]
        )
        assert (
            event["source"],
            event["hops"],
            event["partitionkey"],
            event["subject"],
            event["tenantid"],
        ) == (
            "remit:agent:packer",
            1,
            "k",
            "s",
            "acme",
        )
        assert run["status"] == "success"


@pytest.mark.parametrize(("trust", "sensitivity"), [("untrusted", "internal"), ("trusted", "private")])
async def test_what_a_run_has_read_goes_with_its_events(trust: Any, sensitivity: Any) -> None:
    """A run that an event starts is as untrusted, and holds as private content, as the run that published it."""

    @tool(trust=trust, sensitivity=sensitivity)
    def mail() -> str:
        "The last letter."
        return "dear bank"

    @agent(tools=[mail], publishes=["mail.read"])
    async def reader(given: Any, memory: Any, context: Any) -> Any:
        await context.call("mail")
        await context.publish("mail.read")

    seen: list[Any] = []
    async with app_for_tests(reader, taker(seen)) as app:
        await rule(
            app, pattern={"type": ["mail.read", "remit.run.succeeded"], "source": ["remit:agent:reader"]}
        )
        await app.run(task(reader))
        await settle(app)
        started = [row["run_id"] for row in await runs(app) if row["agent_id"] == "taker"]
        assert len(started) == 2
        for run_id in started:
            labels = (await app.runs.view(run_id, "local")).labels
            assert (labels.untrusted, labels.sensitivity) == (trust == "untrusted", sensitivity)


async def test_an_agent_publishes_only_what_it_declares() -> None:
    """Anything else is refused before policy is asked; so is what pretends to come from Remit itself."""
    refused: list[str] = []

    @agent(publishes=["order.*", "remit.run.succeeded"])
    async def liar(given: Any, memory: Any, context: Any) -> Any:
        for type_ in ("payment.made", "remit.run.succeeded"):
            try:
                await context.publish(type_)
            except ToolError as error:
                refused.append(error.code)
        return await context.publish("order.lied")

    @agent
    async def silent(given: Any, memory: Any, context: Any) -> Any:
        try:
            await context.publish("order.placed")
        except ToolError as error:
            refused.append(error.code)

    async with app_for_tests(liar, silent) as app:
        await app.run(task(liar))
        await app.run(task(silent, "t2"))
        assert refused == ["E301", "E670", "E702"]
        assert [e.event.type for e in (await app.bus.events("local")).items] == ["order.lied"]


async def test_policy_decides_about_publishing_by_topic(tmp_path: Any) -> None:
    """The action is `publish`, the resource the event's type."""
    folder = tmp_path / "quiet"
    folder.mkdir()
    (folder / "profile.toml").write_text('name = "quiet"\nextends = "default"\n')
    (folder / "policy.cedar").write_text(
        '@id("no-payments") forbid (principal, action == Action::"publish", resource == Topic::"payment.made");'
    )

    @agent(publishes=["payment.made", "order.placed"])
    async def talker(given: Any, memory: Any, context: Any) -> Any:
        await context.publish("order.placed")
        await context.publish("payment.made")

    async with app_for_tests(talker, policies=(str(folder),)) as app:
        result = await app.run(task(talker, policy_profile="quiet"))
        assert result.status == "failure"
        assert result.problem is not None
        assert "payment.made" in result.problem.message
        assert len((await app.bus.events("local")).items) == 1


async def test_an_agent_of_the_registry_stands_in_for_the_code_of_its_name() -> None:
    """Also with what it subscribes to; archived, the code's holds again."""
    seen: list[Any] = []
    packer, shipper = shop(seen)
    who: dict[str, Any] = {"actor": ADA, "reason": "a test"}
    async with app_for_tests(packer, shipper) as app:
        body = {"instructions": "", "publishes": ["order.packed"], "subscribes": ["order.urgent"]}
        await app.registry.create("local", "agent", "packer", body, **who)
        await app.bus.publish("local", [order(1)])
        await settle(app)
        assert seen == []
        await app.bus.publish("local", [order(2, type="order.urgent")])
        await settle(app)
        assert seen[0] == "packed"
        await app.registry.edit("local", "agent", "packer", {"instructions": ""}, **who)
        await app.bus.publish("local", [order(3), order(4, type="order.urgent")])
        await settle(app)
        assert seen.count("packed") == 1
        await app.registry.archive("local", "agent", "packer", **who)
        await app.bus.publish("local", [order(5)])
        await settle(app)
        assert seen.count("packed") == 2


async def test_an_agent_that_no_longer_subscribes_gets_nothing_more() -> None:
    """What the code says when it is next loaded holds."""
    seen: list[Any] = []
    async with app_for_tests(*shop(seen)) as app:
        await app.bus.publish("local", [order(1)])
        await settle(app)
        store, clock = app.store, app.clock

        @agent(name="packer")
        async def quiet(event: Any) -> Any:
            seen.append("again")

        other = app_for_tests(quiet, store=store, clock=clock)
        await other.bus.publish("local", [order(2)])
        await settle(other)
    assert seen.count("packed") == 1
    assert "again" not in seen


def test_what_cannot_be_declared_is_refused_with_the_agent() -> None:
    """When the agent is made, not when an event comes."""
    with pytest.raises(InputError) as refusal:
        agent(lambda given: None, name="bad", subscribes=[{"type": "order.placed"}])
    assert refusal.value.code == "E663"


def test_the_name_of_the_tool_is_taken() -> None:
    """A pack cannot put its own in the place of `publish_event`."""

    @tool
    def publish_event(type: str) -> str:
        "Mine."
        return type

    with pytest.raises(ConfigError) as refusal:
        app_for_tests(tools=[publish_event])
    assert refusal.value.code == "E243"


async def test_rules_are_tried_without_doing_anything() -> None:
    """By name, all of them, or one that is not written yet."""
    async with app_for_tests(*shop([]), taker([])) as app:
        await rule(app, input={"path": "$.data"})
        found = await trying.tried(app.bus.subscriptions, "local", order(4))
        assert {t.name: (t.matches, t.target) for t in found} == {
            "agent:packer": (True, "packer"),
            "agent:shipper": (False, "shipper"),
            "rule:r": (True, "taker"),
        }
        (one,) = await trying.tried(app.bus.subscriptions, "local", order(4), "r")
        assert one.input == {"n": 4}
        draft = {
            "pattern": {"data": {"n": [{"numeric": [">", 5]}]}},
            "target": "x",
            "input": {"path": "$.data.n"},
        }
        assert not trying.tried_body(draft, order(4)).matches
        assert trying.tried_body(draft, order(6)).input == 6
        assert await runs(app) == []
        page = await trying.rules(app.bus.subscriptions, "local", limit=2)
        rest = await trying.rules(app.bus.subscriptions, "local", limit=2, cursor=page.cursor)
        assert [r.name for r in (*page.items, *rest.items)] == ["agent:packer", "agent:shipper", "rule:r"]
