"""The tools that search and read documents: citations that hold, labels that follow what was read, refusals that mend."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("numpy", reason='the extra "remit[documents]" is not installed')

from remit import Agent
from remit.bootstrap import App
from remit.core.citation import parse
from remit.testing import app_for_tests, call, task
from remit_packs.tools.documents import read_document, search_documents

reader = Agent("reader", instructions="Answer from the documents.", tools=[search_documents, read_document])
KETTLE = b"# Kettle\n\nThe kettle switches off before the water boils. Descale it with citric acid."


async def steps(app: App, tenant: str = "acme") -> tuple[list[Any], Any]:
    """The tool steps of a run, and the run."""
    run_id = (await app.run(task(reader, tenant_id=tenant))).run_id
    view = await app.runs.view(run_id, tenant)
    return [step for step in view.steps if step.kind == "tool"], view


async def test_what_is_found_can_be_read_where_it_is_cited() -> None:
    """The citation of a search names exactly the text that reading there gives."""
    async with app_for_tests(reader, replies=[call("search_documents", query="kettle stops"), "done"]) as app:
        await app.documents.add("acme", KETTLE, document_id="kettle", source="kettle.md", tags=["home"])
        ((found,), _) = await steps(app)
    (passage,) = found.output["passages"]
    cited = parse(passage["citation"])
    reads = call("read_document", document_id=cited.document_id, start=cited.start, end=cited.end)
    async with app_for_tests(reader, replies=[reads, "done"]) as app:
        await app.documents.add("acme", KETTLE, document_id="kettle")
        ((read,), _) = await steps(app)
    assert (read.output["text"], read.output["citation"]) == (passage["text"], passage["citation"])
    assert read.output["more"] is (cited.end < len(KETTLE))


@pytest.mark.parametrize(
    ("trust", "sensitivity", "labels"),
    [
        ("untrusted", "internal", (True, "internal")),
        ("trusted", "private", (False, "private")),
        ("trusted", "public", (False, "public")),
    ],
)
@pytest.mark.parametrize(
    "ask", [call("search_documents", query="kettle"), call("read_document", document_id="kettle")]
)
async def test_the_run_is_labelled_by_what_it_read(
    trust: Any, sensitivity: Any, labels: tuple[bool, str], ask: Any
) -> None:
    """As untrusted and as sensitive as the documents of the answer, and no more."""
    async with app_for_tests(reader, replies=[ask, "done"]) as app:
        await app.documents.add("acme", KETTLE, document_id="kettle", trust=trust, sensitivity=sensitivity)
        await app.documents.add("acme", b"about something else", document_id="other", sensitivity="secret")
        _, view = await steps(app)
        assert (view.labels.untrusted, view.labels.sensitivity) == labels


async def test_another_tenants_documents_are_not_there() -> None:
    """Neither found nor read; the words are those for what never was."""
    replies = [call("search_documents", query="kettle"), call("read_document", document_id="kettle"), "done"]
    async with app_for_tests(reader, replies=replies) as app:
        await app.documents.add("acme", KETTLE, document_id="kettle")
        searched, read = (await steps(app, "zeta"))[0]
        assert searched.output["passages"] == []
        assert "E104" in read.problem


@pytest.mark.parametrize(
    "wrong",
    [
        {"tool": "read_document", "document_id": "nobody"},
        {"tool": "search_documents", "query": "x", "tags": ["not a tag!"]},
    ],
)
async def test_wrong_arguments_open_no_breaker(wrong: dict[str, Any]) -> None:
    """They say what to mend, however often, and the tool goes on working."""
    name = wrong.pop("tool")
    replies = [
        *[call(name, f"c{n}", **wrong) for n in range(8)],
        call("search_documents", "last", query="kettle"),
        "done",
    ]
    async with app_for_tests(reader, replies=replies) as app:
        await app.documents.add("acme", KETTLE, document_id="kettle")
        found = (await steps(app))[0]
        assert all("E705" not in step.problem for step in found)
        assert found[-1].output["passages"]


async def test_a_long_document_is_read_in_parts() -> None:
    """Each says where it ends, and whether there is more."""
    text = "word " * 9_000
    replies = [
        call("read_document", "a", document_id="long"),
        call("read_document", "b", document_id="long", start=20_000),
    ]
    replies.append(call("read_document", "c", document_id="long", start=40_000))
    async with app_for_tests(reader, replies=[*replies, "done"]) as app:
        await app.documents.add("acme", text.encode(), document_id="long")
        parts = [step.output for step in (await steps(app))[0]]
    assert "".join(part["text"] for part in parts) == text
    assert [part["more"] for part in parts] == [True, True, False]
