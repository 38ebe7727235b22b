"""Conversations (B2): every message is kept, in order; one history is what the next turn reads; nobody else's can be used."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import secrets
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.store import dynamo_world
from tests.engine.registry_stores import open_store

from remit import Agent, ToolError, agent, tool
from remit.bootstrap import App
from remit.core.conversation import conversation_key
from remit.core.errors import BudgetError, ConflictError, DeniedError, InputError, NotFoundError
from remit.core.message import Message
from remit.core.task import Actor
from remit.engine import loading
from remit.engine.advance import Engine
from remit.engine.conversations import Conversations
from remit.engine.envelopes import set_limit
from remit.engine.remembering import MESSAGE
from remit.ports.store import Store
from remit.testing import FakeClock, ScriptedModel, app_for_tests, call, task

DSN = os.environ.get("REMIT_TEST_POSTGRES", "")
STORES = ["memory", "sqlite", *(pytest.param(n, marks=pytest.mark.service) for n in ("postgres", "dynamodb"))]
Opened = Callable[..., App]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool(risk="L3")
def launch() -> str:
    """Privileged."""
    return "launched"


@tool
def fail(a: int, b: int, sum: int) -> str:
    """Never works."""
    raise ToolError("it never works")


talker = Agent("talker", instructions="Talk.", tools=[add, launch])


@agent
async def echo(input: Any) -> dict[str, Any]:
    """Says what it was given."""
    return {"said": input}


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Each kind of store, by a clock that stands still."""
    if request.param == "dynamodb":
        async with dynamo_world.opened(FakeClock(), dynamo_world.url_of("ministack")) as opened:
            yield opened
        return
    if request.param == "postgres" and not DSN:
        assert os.environ.get("CI") != "true", "REMIT_TEST_POSTGRES must be set in CI"
        pytest.skip("REMIT_TEST_POSTGRES names no PostgreSQL to test with")
    url = {"memory": "memory:", "sqlite": str(tmp_path / "r.db"), "postgres": DSN}[request.param]
    schema = f"test_{secrets.token_hex(6)}"
    yield open_store(url, schema, FakeClock())
    if request.param == "postgres":
        import psycopg

        with psycopg.connect(DSN, autocommit=True) as db:
            db.execute(f"DROP SCHEMA {schema} CASCADE")


def texts(messages: Any) -> list[str]:
    """What was said, without what passed between the agent and its tools."""
    return [m.text for m in messages if m.text and not m.tool_uses]


async def kept(app: App, session: str = "s", tenant: str = "local") -> list[Message]:
    """All messages of a conversation, read page by page."""
    found: list[Message] = []
    cursor: str | None = None
    while True:
        page = await app.conversations.messages(tenant, session, limit=3, cursor=cursor)
        found += [said.message for said in page.items]
        cursor = page.cursor
        if cursor is None:
            return found


async def test_every_message_is_kept_and_the_next_turn_reads_them(store: Store) -> None:
    """Questions, calls, answers of tools and answers, of all turns in order; the second turn's prompt begins with the first."""
    model = ScriptedModel([call("add", a=1, b=2), "three", "you asked for 1 + 2"])
    async with app_for_tests(talker, model=model, store=store) as app:
        await app.run(task(talker, "t1", objective="what is 1 + 2?", session_id="s"))
        await app.run(task(talker, "t2", objective="what did I ask?", session_id="s"))
        said = await kept(app)
        assert texts(said) == ["what is 1 + 2?", "three", "what did I ask?", "you asked for 1 + 2"]
        assert [m.role for m in said] == ["user", "assistant", "user", "assistant", "user", "assistant"]
        assert list(model.requests[-1].messages) == said[:-1]
        (only,) = (await app.conversations.list("local")).items
        assert (only.session_id, only.user_id, only.turns) == ("s", "alice", 2)
        assert (only.agent_id, only.title) == ("talker", "what is 1 + 2?")
        mine = await app.conversations.said_by("local", "alice", limit=2)
        assert [s.message for s in mine.items] == [said[-1], said[-2]]


async def test_turns_keep_their_order_on_clocks_that_run_back(store: Store) -> None:
    """A turn is after those before it, also when this machine's clock is behind that of the machine before."""
    clock = FakeClock()
    async with app_for_tests(talker, replies=["a", "b", "c"], store=store, clock=clock) as app:
        for n in range(3):
            await app.run(task(talker, f"t{n}", objective=f"q{n}", session_id="s"))
            clock.set_back(60.0)
        assert texts(await kept(app)) == ["q0", "a", "q1", "b", "q2", "c"]


async def test_messages_are_exactly_what_the_journal_has_whenever_a_worker_dies(store: Store) -> None:
    """A worker that dies before or after any append leaves no message twice and none out."""
    for n, point in enumerate(
        ["before:append:ModelAnswered", "after:append:EffectDone", "before:append:RunFinished"]
    ):
        replies = [call("add", a=1, b=2)] * (2 if "ModelAnswered" in point else 1) + ["three"] * 3
        async with app_for_tests(talker, replies=replies, store=store) as app:
            run_id = await app.runs.submit(task(talker, f"t{n}", session_id=f"s{n}"))

            dead: list[str] = []

            def die(at: str, point: str = point, dead: list[str] = dead) -> None:
                if dead or at == point:
                    dead.append(at)
                    raise Killed

            with pytest.raises(Killed):
                await Engine(dataclasses.replace(app.kit, crash=die)).advance(run_id)
            await app.worker.run_until_idle(run_id)
            run, _ = await loading.load(app.store, run_id)
            assert run.finished is not None
            assert await kept(app, f"s{n}") == run.messages


class Killed(BaseException):
    """The worker is gone."""


async def test_a_long_message_is_kept_whole(store: Store) -> None:
    """Long texts stand in the table by digest, and are read back as they were."""
    long = "word " * 20_000
    async with app_for_tests(talker, replies=[long, "short"], store=store) as app:
        await app.run(task(talker, "t1", objective=long + "?", session_id="s"))
        await app.run(task(talker, "t2", objective="again", session_id="s"))
        assert texts(await kept(app))[:2] == [long + "?", long]
        page = await app.store.query(MESSAGE, "", ("s",))
        assert all(len(str(item)) < 20_000 for item in page.items)


async def test_a_conversation_belongs_to_its_user(store: Store) -> None:
    """Another user of the same tenant can neither go on with it nor read it nor delete it; nothing of theirs is written."""
    bob, app_of_alice = Actor("bob"), Actor("web", via="chat", behind="alice")
    async with app_for_tests(talker, replies=["hi"], cycle=True, store=store) as app:
        await app.run(task(talker, "t1", objective="my secret", session_id="s"))
        for stranger in (bob, app_of_alice, Actor("alice", behind="bob")):
            with pytest.raises(DeniedError) as refused:
                await app.runs.submit(
                    task(talker, f"t-{stranger.actor_id}", session_id="s", actor_context=stranger)
                )
            assert refused.value.code == "E840"
            with pytest.raises(NotFoundError):
                await app.conversations.messages("local", "s", reader=stranger)
            with pytest.raises(NotFoundError):
                await app.conversations.forget("local", "s", reader=stranger)
        assert texts(await kept(app)) == ["my secret", "hi"]
        assert (await app.conversations.list("local", user_id="bob")).items == []
        assert (await app.conversations.messages("local", "s", reader=Actor("alice"))).items


async def test_one_application_keeps_its_users_apart(store: Store) -> None:
    """An application with one credential names its users: each has conversations of their own."""
    async with app_for_tests(talker, replies=["hi"], cycle=True, store=store) as app:
        for user in ("ana", "ben"):
            who = Actor("web", via="chat", behind=user)
            await app.run(task(talker, user, session_id=f"s-{user}", actor_context=who))
        with pytest.raises(DeniedError):
            await app.runs.submit(
                task(talker, "t3", session_id="s-ana", actor_context=Actor("web", via="chat", behind="ben"))
            )
        assert [c.session_id for c in (await app.conversations.list("local", user_id="ben")).items] == [
            "s-ben"
        ]


async def test_tenants_may_name_their_sessions_alike(store: Store) -> None:
    """The same id in two tenants, or one that looks like another tenant's key, is another conversation."""
    names = [
        ("local", "s"),
        ("acme", "s"),
        ("local", "acme/s"),
        ("acme/s", "x"),
        ("acme", "s/x"),
        ("local", "local/s"),
    ]
    assert len({conversation_key(*name) for name in names}) == len(names)
    async with app_for_tests(talker, replies=["hi"], cycle=True, store=store) as app:
        for n, (tenant, session) in enumerate(names):
            await app.run(task(talker, f"t{n}", objective=f"q{n}", tenant_id=tenant, session_id=session))
        for n, (tenant, session) in enumerate(names):
            assert texts(await kept(app, session, tenant)) == [f"q{n}", "hi"]
        assert {c.session_id for c in (await app.conversations.list("acme")).items} == {"s", "s/x"}
        assert {c.session_id for c in (await app.conversations.list("local")).items} == {
            "s",
            "acme/s",
            "local/s",
        }
        with pytest.raises(NotFoundError):
            await app.conversations.get("zeta", "s")


async def test_a_turn_is_given_no_more_than_the_limit(store: Store) -> None:
    """The newest messages, beginning with something that the user said."""
    model = ScriptedModel([call("add", a=1, b=2), "three", "b", "c"])
    async with app_for_tests(talker, model=model, store=store) as app:
        app.runs._conversations = Conversations(app.store, app.clock, history=5)
        for n in range(3):
            await app.run(task(talker, f"t{n}", objective=f"q{n}", session_id="s"))
        assert texts(model.requests[-1].messages) == ["q1", "b", "q2"]
        assert len(await kept(app)) == 8


async def test_old_messages_are_pruned(store: Store) -> None:
    """Now and then what is beyond the limit goes; on demand at once; what is left is the newest."""
    async with app_for_tests(talker, replies=["a"], cycle=True, store=store) as app:
        app.runs._conversations = Conversations(app.store, app.clock, kept=4, prune_turns=5)
        for n in range(6):
            await app.run(task(talker, f"t{n}", objective=f"q{n}", session_id="s"))
        assert texts(await kept(app)) == ["q3", "a", "q4", "a", "q5", "a"]
        assert await app.conversations.prune("local", "s", keep=3) == 3
        assert texts(await kept(app)) == ["a", "q5", "a"]
        assert await app.conversations.prune("local", "s", keep=3) == 0


async def test_forgetting_ends_the_memory_and_keeps_the_audit_trail(store: Store) -> None:
    """After it the session begins anew, for whoever comes; the run's journal is there still."""
    model = ScriptedModel(["a"], cycle=True)
    async with app_for_tests(talker, model=model, store=store) as app:
        first = await app.run(task(talker, "t1", objective="q1", session_id="s"))
        assert await app.conversations.forget("local", "s") == 2
        with pytest.raises(NotFoundError):
            await app.conversations.get("local", "s")
        await app.run(task(talker, "t2", objective="q2", session_id="s", actor_context=Actor("bob")))
        assert texts(model.requests[-1].messages) == ["q2"]
        assert (await app.runs.view(first.run_id, "local")).status == "success"


async def test_a_conversation_with_a_run_in_hand_is_not_forgotten(store: Store) -> None:
    """The run would go on speaking in it."""
    async with app_for_tests(talker, replies=[call("launch")], store=store) as app:
        await app.run(task(talker, "t1", session_id="s"))
        with pytest.raises(ConflictError) as conflict:
            await app.conversations.forget("local", "s")
        assert conflict.value.code == "E843"
        assert len(await kept(app)) == 2


async def test_a_turn_without_an_answer_is_kept_and_not_prompted(store: Store) -> None:
    """A failed or unfinished turn stands in the table; prompts hold whole turns only."""
    model = ScriptedModel([call("launch"), "b", "c"])
    async with app_for_tests(talker, model=model, store=store) as app:
        await app.run(task(talker, "t1", objective="q1", session_id="s"))  # waits for a person
        await app.run(task(talker, "t2", objective="q2", session_id="s"))
        await app.run(task(talker, "t3", objective="q3", session_id="s"))
        assert texts(model.requests[-1].messages) == ["q2", "b", "q3"]
        assert texts(await kept(app)) == ["q1", "q2", "b", "q3", "c"]


async def test_agents_in_code_and_workflows_speak_too(store: Store) -> None:
    """What they were asked and what came out is part of the conversation, for the agent that comes next."""
    model = ScriptedModel(["you said hello"])
    async with app_for_tests(talker, echo, model=model, store=store) as app:
        await app.run(task(echo, "t1", objective="", input="hello", session_id="s"))
        await app.run(task(talker, "t2", objective="what did I say?", session_id="s"))
        assert texts(model.requests[-1].messages) == ["hello", '{"said": "hello"}', "what did I say?"]


async def test_two_first_turns_at_once_begin_one_conversation(store: Store) -> None:
    """Both runs are turns of it, and none is lost."""
    async with app_for_tests(talker, replies=["a"], cycle=True, store=store) as app:
        runs = [app.runs.submit(task(talker, f"t{n}", objective=f"q{n}", session_id="s")) for n in range(8)]
        await asyncio.gather(*runs)
        await app.worker.run_until_idle()
        said = texts(await kept(app))
        assert sorted(t for t in said if t != "a") == [f"q{n}" for n in range(8)]
        assert said[1::2] == ["a"] * 8
        assert (await app.conversations.get("local", "s")).turns == 8


async def test_an_envelope_that_is_used_up_is_still_told_as_such(store: Store) -> None:
    """What fails a turn's first transaction is told apart: the budget is no conflict of conversations."""
    async with app_for_tests(talker, replies=["a"], store=store) as app:
        await set_limit(app.kit, "local", max_cost_usd=Decimal("0.000001"))
        with pytest.raises(BudgetError):
            await app.runs.submit(task(talker, "t1", session_id="s"))
        assert (await app.conversations.list("local")).items == []


@pytest.mark.parametrize("session", ["a\x00b", "line\nbreak", "x" * 257])
async def test_a_session_has_a_printable_name(session: str) -> None:
    """What cannot be shown or indexed everywhere is refused before anything is written."""
    async with app_for_tests(talker, replies=["a"]) as app:
        with pytest.raises(InputError) as refused:
            await app.runs.submit(task(talker, "t1", session_id=session))
        assert refused.value.code == "E841"


async def test_secrets_do_not_reach_the_table() -> None:
    """Messages are redacted as the journal is."""
    async with app_for_tests(
        talker, replies=["it is hunter2-hunter2"], secrets={"door": "hunter2-hunter2"}
    ) as app:
        await app.run(task(talker, "t1", objective="the door is hunter2-hunter2", session_id="s"))
        page = await app.store.query(MESSAGE, "", ("s",))
        assert len(page.items) == 2
        assert "hunter2" not in str(page.items)
        assert "hunter2" not in str(await app.conversations.list("local"))


async def test_the_steps_of_a_workflow_are_rows(store: Store) -> None:
    """Each Task that ended, by its workflow and its number; another tenant sees none."""
    document = {
        "StartAt": "First",
        "States": {
            "First": {"Type": "Task", "Resource": "remit:tool:add", "ResultPath": "$.sum", "Next": "Between"},
            "Between": {"Type": "Pass", "Next": "Last"},
            "Last": {
                "Type": "Task",
                "Resource": "remit:tool:fail",
                "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}],
                "End": True,
            },
            "Done": {"Type": "Succeed"},
        },
    }
    async with app_for_tests(talker, tools=[fail], store=store) as app:
        run_id = await app.runs.submit(task("workflow:inline", input={"a": 1, "b": 2}), document)
        await app.worker.run_until_idle(run_id)
        steps = (await app.conversations.workflow_steps("local", run_id)).items
        assert [(s.step_number, s.state, s.status) for s in steps] == [
            (0, "First", "succeeded"),
            (2, "Last", "caught"),
        ]
        assert steps[0].output == {"a": 1, "b": 2, "sum": 3}
        assert steps[1].error
        assert (await app.conversations.workflow_steps("acme", run_id)).items == []
