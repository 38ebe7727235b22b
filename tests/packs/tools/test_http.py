"""Requests of agents to allowed addresses, through the real gateway to a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.adapters.web.sites import Site, reply, site

from remit import agent
from remit.bootstrap import App
from remit.core.errors import ToolError
from remit.core.task import Result
from remit.settings import WebSettings
from remit.testing import app_for_tests, task
from remit_packs.tools.http import http_get, http_request

SECRET = "s3cret-of-the-crm"


@pytest.fixture
async def api() -> AsyncIterator[Site]:
    """An API on loopback."""
    async with site() as made:
        made.routes["/v1/things"] = reply(b'{"id": 7}', "application/json")
        yield made


def settings(api: Site) -> WebSettings:
    """Its version 1 is allowed, although it is on this machine, and one secret is for it."""
    return WebSettings(
        http_allow=(api.url("/v1/"),), http_private=True, http_secrets={"crm_key": (api.url("/v1/"),)}
    )


async def called(tool: str, given: dict[str, Any], web: WebSettings) -> tuple[Any, Result, App]:
    """What a tool answered an agent, or the failure that it was told."""

    @agent(tools=[http_get, http_request])
    async def worker(input: Any, memory: Any, context: Any) -> Any:
        try:
            return await context.call(tool, **given)
        except ToolError as error:
            return f"{error.code}: {error.message}"

    async with app_for_tests(worker, web=web, secrets={"crm_key": SECRET}) as app:
        result = await app.run(task(worker))
        return result.result_payload, result, app


async def test_an_api_is_read(api: Site) -> None:
    """Status, headers and body."""
    got, _, _ = await called("http_get", {"url": api.url("/v1/things?q=1")}, settings(api))
    assert (got["status"], got["body"]) == (200, '{"id": 7}')
    assert api.requests[0].method == "GET"


async def test_an_api_is_changed_under_the_key_of_the_call(api: Site) -> None:
    """A body is JSON unless a header says otherwise."""
    given = {"method": "POST", "url": api.url("/v1/things"), "body": '{"name": "x"}'}
    got, _, _ = await called("http_request", given, settings(api))
    asked = api.requests[0]
    assert got["status"] == 200
    assert (asked.method, asked.body, asked.headers["content-type"]) == (
        "POST",
        b'{"name": "x"}',
        "application/json",
    )
    assert asked.headers["idempotency-key"]


async def test_the_model_never_sees_a_secret(api: Site) -> None:
    """It names one; the server gets its value; an answer that repeats it is redacted in answer and journal."""
    api.routes["/v1/things"] = reply(b"you sent " + SECRET.encode())
    given = {"url": api.url("/v1/things"), "headers": {"Authorization": "Bearer ${secret:crm_key}"}}

    @agent(tools=[http_get])
    async def worker(input: Any, memory: Any, context: Any) -> Any:
        return await context.call("http_get", **given)

    async with app_for_tests(worker, web=settings(api), secrets={"crm_key": SECRET}) as app:
        result = await app.run(task(worker))
        assert api.requests[0].headers["authorization"] == f"Bearer {SECRET}"
        assert "REDACTED" in result.result_payload["body"]
        journal = await app.runs.events(result.run_id, "local")
        assert SECRET not in repr(journal)
        assert "${secret:crm_key}" in repr(journal)


async def test_what_is_not_allowed_is_refused_and_settled(api: Site) -> None:
    """Another address, another secret, no address at all: the call failed, and nothing is in doubt."""
    for url in (api.url("/v2/"), "http://169.254.169.254/", "https://example.com/"):
        failure, _, _ = await called("http_request", {"method": "POST", "url": url}, settings(api))
        assert failure.startswith("E927")
    given = {"method": "POST", "url": api.url("/v1/things"), "headers": {"X-Key": "${secret:other}"}}
    assert (await called("http_request", given, settings(api)))[0].startswith("E927")
    assert (await called("http_get", {"url": api.url("/v1/things")}, WebSettings()))[0].startswith("E927")
    wrong = WebSettings(http_allow=("api.example",))
    failure, result, _ = await called("http_request", {"method": "POST", "url": "https://a.example/"}, wrong)
    assert failure.startswith("E927")
    assert result.status == "success"
    assert api.connections == 0


async def test_an_effect_that_broke_off_is_in_doubt(api: Site) -> None:
    """It is sent once, and a person is asked whether it happened; a read that broke off has simply failed."""

    async def hang_up(there: Site, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    api.routes["/v1/things"] = hang_up
    _, result, _ = await called(
        "http_request", {"method": "POST", "url": api.url("/v1/things")}, settings(api)
    )
    assert result.status == "needs_approval"
    assert len(api.requests) == 1
    failure, _, _ = await called("http_get", {"url": api.url("/v1/things")}, settings(api))
    assert failure.startswith("E921")


def test_reading_and_writing_have_risks_of_their_own() -> None:
    """A read is L0; a write is L2, outward and plain: it is never repeated by itself."""
    assert (http_get.spec.risk, http_get.spec.effect, http_get.spec.outward) == ("L0", "read", True)
    assert (http_request.spec.risk, http_request.spec.effect, http_request.spec.outward) == (
        "L2",
        "plain",
        True,
    )
    assert http_get.spec.trust == http_request.spec.trust == "untrusted"
