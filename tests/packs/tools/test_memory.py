"""The tools of memory as a model and a code agent use them: what they answer, what they refuse, and whom they serve."""

from __future__ import annotations

from typing import Any

import pytest

from remit import Agent, agent
from remit.core.task import Actor
from remit.sdk import RunContext
from remit.testing import ScriptedModel, app_for_tests, call, task
from remit_packs.tools.memory import forget, recall, remember
from remit_packs.tools.state import delete_state, get_state, put_state

clerk = Agent("clerk", instructions="Serve.", tools=[remember, recall, forget])


def answers(model: ScriptedModel) -> list[Any]:
    """What the tools answered, as the model was told last."""
    blocks = [b for m in model.requests[-1].messages for b in m.blocks]
    return [b.content for b in blocks if hasattr(b, "tool_use_id")]


async def test_an_agent_remembers_recalls_with_a_citation_and_forgets() -> None:
    """What was remembered in one run is recalled in the next, with where it is from; the same user's run can forget it."""
    wrote = call(
        "remember", subject="customer:42", text="Prefers aisle seats", tag="preference", scope="user"
    )
    forgot = call("forget", subject="Customer:42")
    model = ScriptedModel(
        [wrote, "noted", call("recall", query="seats"), "aisle", forgot, "gone", forgot, "gone"]
    )
    async with app_for_tests(clerk, model=model) as app:
        first = await app.run(task(clerk, "t1"))
        (fact,) = (await app.memories.list("local")).items
        kept = (fact.scope, fact.subject, fact.tag, fact.status)
        assert kept == ("user:alice", "customer:42", "preference", "active")
        where = fact.provenance
        assert (where.run_id, where.step, where.agent, where.actor) == (
            first.run_id,
            "m0.0",
            "clerk",
            "alice",
        )
        assert (where.trust, where.sources) == ("trusted", ("user",))
        await app.run(task(clerk, "t2"))
        (told,) = answers(model)
        (note,) = told["notes"]
        said = (note["citation"], note["text"], note["said_by"])
        assert said == (fact.citation, "Prefers aisle seats", "clerk")
        assert "not instructions" in told["about"]
        await app.run(task(clerk, "t3", actor_context=Actor("bob")))
        assert answers(model) == [{"facts": 0}]
        await app.run(task(clerk, "t4"))
        assert answers(model) == [{"facts": 1}]
        assert (await app.memories.get("local", fact.fact_id)).status == "forgotten"


async def test_mistakes_are_told_and_rest_no_tool() -> None:
    """A model that sends bad arguments again and again is told each time what to change, and the tool goes on working."""
    bad = [call("remember", subject="s", text="t", tag="fact", scope="everyone")] * 6
    good = call("remember", subject="s", text="t", tag="fact")
    unknown = call("remember", subject="s", text="u", tag="fact", supersedes="memory:fact_none")
    untagged = call("remember", subject="s", text="u", tag="")
    model = ScriptedModel([*bad, unknown, call("recall"), untagged, good, "done"])
    async with app_for_tests(clerk, model=model) as app:
        await app.run(task(clerk))
        told = answers(model)
        assert all("[E940]" in str(each) for each in told[:6])
        assert "[E104]" in told[6]
        assert "[E949]" in told[7]
        assert "[E703]" in told[8]
        assert told[9]["citation"].startswith("memory:fact_")


async def test_a_team_shares_its_memory_and_an_agent_does_not() -> None:
    """Code agents have the same tools, through the gateway like every effect."""

    @agent(tools=[remember])
    async def writer(given: Any, memory: Any, context: RunContext) -> Any:
        """Writes for its team, and for itself."""
        about = {"subject": "deploys", "tag": "procedure"}
        await context.call("remember", text="Freeze on Friday", scope="team:ops", **about)
        return await context.call("remember", text="My own note", **about)

    @agent(tools=[recall])
    async def reader(given: Any, memory: Any, context: RunContext) -> Any:
        """Reads both."""
        team = await context.call("recall", subject="deploys", scope="team:ops")
        own = await context.call("recall", subject="deploys")
        return [len(team["notes"]), len(own["notes"])]

    async with app_for_tests(writer, reader) as app:
        assert (await app.run(task(writer, "w"))).status == "success"
        assert (await app.run(task(reader, "r"))).result_payload == [1, 0]


async def test_a_fact_holds_for_as_long_as_it_was_said_to() -> None:
    """With `days` it is recalled until then and no longer."""
    brief = call("remember", subject="leave", text="Ana is on leave", tag="fact", days=2)
    model = ScriptedModel([brief, "noted", *[call("recall", subject="leave"), "looked"] * 2])
    async with app_for_tests(clerk, model=model) as app:
        await app.run(task(clerk, "t1"))
        await app.run(task(clerk, "t2"))
        assert len(answers(model)[0]["notes"]) == 1
        app.clock.advance(2 * 86_400)  # type: ignore[attr-defined]
        await app.run(task(clerk, "t3"))
        assert answers(model)[0]["notes"] == []
        assert await app.sweeper.tick() == 1 + 3  # the fact; and the costs of three runs are folded in


async def test_state_that_is_too_large_or_has_no_key_is_refused() -> None:
    """65,536 bytes of JSON are the most, a key is printable, and a scope is one's own."""

    @agent(tools=[get_state, put_state, delete_state])
    async def greedy(given: Any, memory: Any, context: RunContext) -> Any:
        """Asks for too much."""
        asked = [
            ("put_state", {"key": "k", "value": "x" * 65_536}),
            ("put_state", {"key": "a\x00b", "value": 1}),
            ("put_state", {"key": "k", "value": 1, "scope": "agent:other"}),
            ("delete_state", {"key": "k", "if_version": 1}),
        ]
        return [answer.code for answer in await context.call_all(asked)]

    async with app_for_tests(greedy) as app:
        assert (await app.run(task(greedy))).result_payload == ["E947", "E947", "E940", "E948"]


@pytest.mark.parametrize(("days", "shown"), [(6, {"plan": 1}), (8, None)])
async def test_notes_of_a_run_are_readable_for_a_time_after_its_end(days: float, shown: Any) -> None:
    """For seven days its events show the value; after that the journal, which audits and exports read, has it alone."""

    @agent
    async def planner(given: Any, memory: Any, context: RunContext) -> Any:
        """Keeps a note."""
        await context.remember("note", {"plan": 1})
        return memory.get("note")

    async with app_for_tests(planner) as app:
        done = await app.run(task(planner))
        assert done.result_payload == {"plan": 1}
        app.clock.advance(days * 86_400)  # type: ignore[attr-defined]
        events = await app.runs.events(done.run_id, "local")
        (note,) = [event for event in events if event.type == "MemoryWritten"]
        followed = [e async for e in app.runs.follow(done.run_id, "local") if e.type == "MemoryWritten"]
        assert note.data["value"] == followed[0].data["value"] == shown
        assert (await app.audit.verify(done.run_id, "local")).ok
