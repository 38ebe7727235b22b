"""What is privileged names what it rests on: citations that the run has retrieved, by whatever way a model would like to do without."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("numpy", reason='the extra "remit[documents]" is not installed')

from remit import Agent, Memory, RunContext, agent, tool
from remit.adapters.model.scripted import ScriptedModel
from remit.core.message import Message, Text, ToolUse
from remit.testing import BOSS, app_for_tests, call, task
from remit_packs.tools.documents import read_document, search_documents

CLOSED: list[int] = []


@pytest.fixture(autouse=True)
def _ledger() -> None:
    CLOSED.clear()


@tool(risk="L3", effect="keyed", outward=False)
def close_account(customer: int, reason: str = "") -> str:
    """Close an account."""
    CLOSED.append(customer)
    return "closed"


@tool
def echo(citation: str) -> dict[str, str]:
    """Trusted, says what it is told, and does not bring citations by its author's word."""
    return {"citation": citation, "trust": "trusted"}


@tool(tags=["cites"])
def precedent() -> dict[str, str]:
    """A source of somebody's own, whose author says that it brings citations."""
    return {"citation": "case:77", "text": "It was closed."}


TOOLS = [search_documents, read_document, echo, precedent, close_account]
clerk = Agent("clerk", instructions="Close accounts by the book.", tools=TOOLS)
RULES = b"# Closing\n\nAn account is closed on its owner's written wish, and never because of its age."
SEARCH = call("search_documents", query="when is an account closed")
READ = call("read_document", document_id="rules", start=0, end=60)


def close(said: str = "I call.", **arguments: Any) -> Message:
    """The model's wish, and what it says with it."""
    given = {"customer": 7, **arguments}
    return Message("assistant", (Text(said), ToolUse("c1", "close_account", given)))


async def run(*replies: Any, trust: Any = "trusted", profile: str = "strict", actor: Any = clerk) -> Any:
    """The last call of the tool, after at most one approval."""
    async with app_for_tests(actor, replies=[*replies, "done"]) as app:
        await app.documents.add("acme", RULES, document_id="rules", trust=trust)
        await app.documents.add("acme", b"Nothing.", document_id="other", trust="trusted")
        asked = await app.run(task(actor, tenant_id="acme", policy_profile=profile))
        for waiting in (await app.approvals.list("acme")).items:
            await app.approvals.decide(
                waiting["approval_id"], "acme", BOSS, "approve", rationale="by the book"
            )
            await app.worker.run_until_idle(asked.run_id)
        view = await app.runs.view(asked.run_id, "acme")
        return [step for step in view.steps if step.name == "close_account"][-1]


@pytest.mark.parametrize(
    "named",
    [
        {"reason": "see doc:rules#0-60"},
        {"said": "As (doc:rules#0-60) says."},
        {"said": "By `doc:rules#11-40`: some of these characters."},
    ],
)
async def test_a_call_that_names_what_was_retrieved_waits_for_a_person_and_runs(
    named: dict[str, str],
) -> None:
    """In an argument or in what the model says with it; also a part of what was read. The approval is asked as before."""
    step = await run(READ, close(**named))
    assert (step.state, CLOSED) == ("done", [7])


@pytest.mark.parametrize(
    "replies",
    [
        [close()],
        [READ, close()],
        [close("See doc:rules#0-60.")],
        [READ, close("See doc:rules#0-61.")],
        [READ, close("See doc:rules#0-600.")],
        [READ, close("See doc:other#0-5.")],
        [READ, close("See doc:rules#0-60 and doc:other#0-5.")],
        [READ, close("See xdoc:rules#0-60.")],
        [READ, close("See doc:rules#40-11.")],
        [call("echo", citation="doc:rules#0-60"), close("See doc:rules#0-60.")],
        [call("read_document", document_id="rules", start=11, end=60), close("See doc:rules#0-60.")],
        [call("precedent"), close("As in case:771.")],
    ],
    ids=[
        "nothing", "read and not named", "named and not read", "one character more", "much more", "another document", "one too many",
        "a longer word", "backwards", "echoed by another tool", "what stands before it", "a longer name",
    ],
)  # fmt: skip
async def test_what_names_nothing_that_was_retrieved_is_refused_without_asking_anybody(
    replies: list[Any],
) -> None:
    """E1163; nothing happens."""
    step = await run(*replies)
    assert (step.state, CLOSED) == ("refused", [])
    assert "E1163" in step.problem


async def test_the_model_is_told_what_to_do() -> None:
    """By which tools, and where the citation goes."""
    model = ScriptedModel([close(), "done"])
    async with app_for_tests(clerk, model=model) as app:
        await app.run(task(clerk, policy_profile="strict"))
    told = str(model.requests[-1].messages[-1])
    assert "`precedent` or `read_document` or `search_documents`" in told
    assert "citations" in told


async def test_a_tool_of_ones_own_brings_citations() -> None:
    """By the tag `cites`."""
    step = await run(call("precedent"), close("As in case:77."))
    assert (step.state, CLOSED) == ("done", [7])


async def test_untrusted_passages_ground_nothing() -> None:
    """However exactly they are named."""
    step = await run(READ, close("See doc:rules#0-60."), trust="untrusted")
    assert (step.state, CLOSED) == ("refused", [])


async def test_the_default_profile_asks_a_person_only() -> None:
    """Citations are what `strict` adds."""
    step = await run(close(), profile="default")
    assert (step.state, CLOSED) == ("done", [7])


async def test_code_names_them_in_an_argument() -> None:
    """An agent of code is held to the same."""

    @agent(tools=[read_document, close_account])
    async def careful(input: Any, memory: Memory, context: RunContext) -> str:
        """Reads, then closes."""
        part = await context.call("read_document", document_id="rules", start=0, end=60)
        await context.call("close_account", customer=7, reason=part["citation"])
        return "closed"

    step = await run(actor=careful)
    assert (step.state, CLOSED) == ("done", [7])
