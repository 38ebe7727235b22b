"""Search and pages as agents use them: through the real gateway, over the corpus that ships and over real servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.adapters.web.sites import reply, site
from tests.adapters.web.tavily_server import KEY, tavily

from remit import agent
from remit.core.errors import ToolError
from remit.core.run import Run
from remit.engine.loading import load
from remit.settings import WebSettings
from remit.testing import app_for_tests, task
from remit.testing.contracts.search import PAGES
from remit_packs.tools.web import PART_CHARS, fetch_page, web_search

SSRF = "https://corpus.remit.example/ssrf"


async def called(tool: str, given: dict[str, Any], **settings: Any) -> tuple[Any, Run]:
    """What a tool answered an agent, or the failure it was told; and the run."""

    @agent(tools=[web_search, fetch_page])
    async def reader(input: Any, memory: Any, context: Any) -> Any:
        try:
            return await context.call(tool, **given)
        except ToolError as error:
            return f"{error.code}: {error.message}"

    async with app_for_tests(reader, **settings) as app:
        result = await app.run(task(reader))
        run, _ = await load(app.store, result.run_id)
        return result.result_payload, run


async def test_a_search_finds_pages_of_the_corpus_that_ships() -> None:
    """Without any setting or network: address, title, snippet and date; and the run has now read foreign content."""
    found, run = await called("web_search", {"query": "DNS rebinding", "limit": 2})
    assert found["hits"][0]["url"] == SSRF
    assert found["hits"][0]["title"] == "Server-side request forgery"
    assert "rebinding" in found["hits"][0]["snippet"]
    assert run.labels.untrusted
    assert not run.labels.private


async def test_a_page_is_read_with_the_place_of_its_text() -> None:
    """So that a passage can be cited: characters `start` to `end` of its text."""
    page, run = await called("fetch_page", {"url": SSRF})
    assert (page["url"], page["start"], page["end"], page["total"]) == (
        SSRF,
        0,
        len(page["text"]),
        len(page["text"]),
    )
    assert not page["more"]
    assert run.labels.untrusted


async def test_a_long_page_is_read_in_parts(tmp_path: Path) -> None:
    """The parts make up the text, and the last one says that there is no more."""
    text = "".join(f"line {n}\n" for n in range(5000)).strip()
    (tmp_path / "long.txt").write_text(text)
    settings = WebSettings(corpus=str(tmp_path))
    read, start, more = "", 0, True
    while more:
        part, _ = await called("fetch_page", {"url": "corpus:long.txt", "start": start}, web=settings)
        assert part["end"] - part["start"] <= PART_CHARS
        read, start, more = read + part["text"], part["end"], part["more"]
    assert read == text
    beyond, _ = await called("fetch_page", {"url": "corpus:long.txt", "start": start}, web=settings)
    assert beyond.startswith("E922")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "https://example.com/", "file:///etc/passwd", "corpus:../x.md"]
)
async def test_nothing_but_the_corpus_is_read_unless_settings_say_so(url: str) -> None:
    """An agent with the corpus alone reaches no network at all."""
    failure, _ = await called("fetch_page", {"url": url})
    assert failure == f"E922: `{url}` is no page of the corpus, and no other is read here"


async def test_the_public_web_is_public_only() -> None:
    """With `fetch = "public"` the corpus still answers for its own pages, and this machine is not reached."""
    settings = WebSettings(fetch="public")
    async with site() as there:
        there.routes["/"] = reply(b"inner")
        failure, _ = await called("fetch_page", {"url": there.url()}, web=settings)
        assert failure.startswith("E920")
        assert there.connections == 0
    page, _ = await called("fetch_page", {"url": SSRF}, web=settings)
    assert page["url"] == SSRF


async def test_a_search_service_is_asked_with_the_tenants_own_key() -> None:
    """Tenant `acme` has `acme__tavily_api_key`; a tenant without a key is told so; no key is ever shown."""
    with tavily(PAGES) as service:
        settings = WebSettings(search="tavily", tavily_url=service.url)
        found, run = await called(
            "web_search", {"query": "walruses"}, web=settings, secrets={"tavily_api_key": KEY}
        )
        assert found["hits"][0]["title"] == "Walruses"
        assert run.labels.untrusted
        failure, _ = await called("web_search", {"query": "walruses"}, web=settings)
        assert failure == "E250: secret `tavily_api_key` is not set"
        service.status = 432
        failure, _ = await called("web_search", {"query": "x"}, web=settings, secrets={"tavily_api_key": KEY})
        assert failure == "E924: the search service says that the plan's limit is reached"


@pytest.mark.parametrize(
    "given", [{"query": ""}, {"query": "a" * 401}, {"query": "x", "limit": 0}, {"query": "x", "limit": 21}]
)
async def test_arguments_out_of_bounds_are_refused(given: dict[str, Any]) -> None:
    """Before anything is asked."""
    failure, _ = await called("web_search", given)
    assert failure.startswith("E")


async def test_a_site_that_fails_does_not_rest_the_tool() -> None:
    """Ten dead addresses say nothing of the eleventh: no circuit breaker opens."""

    @agent(tools=[fetch_page])
    async def reader(input: Any, memory: Any, context: Any) -> Any:
        for n in range(10):
            with pytest.raises(ToolError):
                await context.call("fetch_page", url=f"http://127.0.0.1:{n + 1}/")
        return await context.call("fetch_page", url=SSRF)

    async with app_for_tests(reader) as app:
        result = await app.run(task(reader))
        assert result.result_payload["url"] == SSRF


def test_both_tools_say_that_they_are_foreign_and_outward() -> None:
    """What they bring is untrusted, and a query or an address carries something out."""
    for tool in (web_search, fetch_page):
        assert (tool.spec.trust, tool.spec.outward, tool.spec.risk, tool.spec.effect) == (
            "untrusted",
            True,
            "L0",
            "read",
        )
