"""Remit as an MCP server: the official client over a real socket and over stdio, of this protocol and of the one before."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from mcp import Client, StdioServerParameters

KEY = "remit.dev/idempotency-key"


@asynccontextmanager
async def connected(site: Any, name: str, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
    """The official client with somebody's key."""
    headers = {"Authorization": f"Bearer {site.keys[name]}"} if name else {}
    async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
        transport = streamable_http_client(f"{site.url}/mcp", http_client=http)
        async with Client(transport, mode=mode, **more) as client:
            yield client


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """2026-07-28, which the client finds by itself, or a handshake."""
    return str(request.param)


async def test_agents_and_chosen_tools_are_tools(shared: Any, mode: str) -> None:
    """All of them with their schemas; no other tool of the packs."""
    async with connected(shared, "ana", mode) as client:
        assert client.protocol_version == ("2026-07-28" if mode == "auto" else "2025-11-25")
        listed = {t.name: t for t in (await client.list_tools()).tools}
        assert {"echo", "payer", "chief", "pay", "slow", "run_result"} <= set(listed)
        assert listed["echo"].description == "Says what it was given."
        assert listed["pay"].input_schema["properties"]["amount"] == {"type": "integer"}
        assert listed["slow"].annotations is not None
        assert listed["slow"].annotations.read_only_hint


async def test_a_call_is_a_run(shared: Any, mode: str) -> None:
    """Its result comes back, its events as progress; it is the tenant's run, by whoever's key it was."""
    seen: list[tuple[float, str | None]] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        seen.append((done, message))

    async with connected(shared, "ana", mode) as client:
        given = {"task": "say it", "input": {"a": 1}}
        result = await client.call_tool("echo", given, progress_callback=progress)
        assert not result.is_error
        assert result.structured_content["status"] == "success"
        assert result.structured_content["result"] == {"said": {"a": 1}}
        assert seen[0] == (1.0, "RunCreated")
        assert seen[-1][1] == "RunFinished"
        again = await client.call_tool("run_result", {"run_id": result.structured_content["run_id"]})
        assert again.structured_content == result.structured_content
    with shared.client("ana") as ana:
        task = ana.get(f"/api/v1/runs/{result.structured_content['run_id']}").json()["task"]
        assert (task["actor_context"]["actor_id"], task["tenant_id"]) == ("ana", "acme")


async def test_the_same_key_is_the_same_run(shared: Any) -> None:
    """Sent again under its key it is not started again; under no key each call is one."""
    async with connected(shared, "ana") as client:
        runs = [
            (await client.call_tool("echo", {"task": "x"}, meta=meta)).structured_content["run_id"]
            for meta in ({KEY: "k1"}, {KEY: "k1"}, {KEY: "k2"}, None, None)
        ]
        assert runs[0] == runs[1]
        assert len(set(runs)) == 4
        other = await client.call_tool("echo", {"task": "another"}, meta={KEY: "k1"})
        assert other.is_error
        assert "E404" in other.content[0].text


async def test_failures_are_results_that_say_why(shared: Any, mode: str) -> None:
    """An agent that fails, arguments that do not fit, a tool that there is not; nothing of the inside is told."""
    async with connected(shared, "ana", mode) as client:
        broken = await client.call_tool("broken", {"task": "x"})
        assert broken.is_error
        assert broken.structured_content["problem"]["code"].startswith("E")
        wrong = await client.call_tool("echo", {"task": 7})
        assert wrong.is_error
        refused = await client.call_tool("pay", {"amount": "much"})
        assert refused.is_error
        assert "E703" in json.dumps(refused.structured_content) or "amount" in refused.content[0].text
        with pytest.raises(MCPError):
            await client.call_tool("no_such_agent", {"task": "x"})


async def test_who_calls_is_proved_by_the_key(shared: Any) -> None:
    """Without a key nothing; a viewer looks and does not run; another tenant's run does not exist; pages elsewhere are refused."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    accept = {"Accept": "application/json, text/event-stream"}
    with shared.client() as nobody:
        assert nobody.post("/mcp", json=request, headers=accept).status_code == 401
        assert nobody.get("/mcp").status_code == 401
    with shared.client("ana") as ana:
        page = {**accept, "Origin": "https://evil.example"}
        assert ana.post("/mcp", json=request, headers=page).status_code == 403
        page = {**accept, "Origin": "https://shop.example"}
        assert ana.post("/mcp", json=request, headers=page).status_code == 200
    async with connected(shared, "vera") as viewer:
        assert (await viewer.list_tools()).tools
        with pytest.raises(MCPError):
            await viewer.call_tool("echo", {"task": "x"})
    async with connected(shared, "ana") as ana:
        mine = (await ana.call_tool("echo", {"task": "x"})).structured_content["run_id"]
    async with connected(shared, "zoe") as zoe:
        assert (await zoe.call_tool("run_result", {"run_id": mine})).is_error
        with pytest.raises(MCPError):
            await zoe.read_resource(f"remit://runs/{mine}/artifacts/sha256:{'0' * 64}")


async def test_a_call_that_waits_for_a_person_is_input_required(site: Any) -> None:
    """The client is given the run as state and asks again; nothing it sends decides; another's state is refused."""
    async with connected(site, "ana") as client:
        waits = await _held(client, "pay", {"amount": 7})
        assert waits.input_requests is None
        (approval,) = waits.meta["remit.dev/waiting_on"]
        approval_id = approval.removeprefix("approval:")
        with site.client("ana") as ana:
            assert (
                ana.post(f"/api/v1/approvals/{approval_id}/decide", json={"kind": "approve"}).status_code
                == 403
            )
        async with connected(site, "adam") as adam:
            with pytest.raises(MCPError):
                await adam.session.call_tool("pay", {"amount": 7}, request_state=waits.request_state)
        assert not (site.home / "paid").exists()
        with site.client("bob") as bob:
            assert (
                bob.post(f"/api/v1/approvals/{approval_id}/decide", json={"kind": "approve"}).status_code
                == 200
            )
        done = await client.session.call_tool(
            "pay", {"amount": 7}, request_state=waits.request_state, allow_input_required=True
        )
        assert done.structured_content["result"] == "paid 7"
        assert (site.home / "paid").read_text() == "7\n"


async def _held(client: Client, tool: str, given: dict[str, Any]) -> types.InputRequiredResult:
    found = await client.session.call_tool(tool, given, allow_input_required=True)
    assert isinstance(found, types.InputRequiredResult)
    assert found.request_state is not None
    return found


async def test_an_approvers_question_is_put_to_the_user(site: Any) -> None:
    """A client that can ask its user does; the answer goes to the approver, who decides."""
    asked: list[str] = []

    async def answer(context: Any, params: Any) -> types.ElicitResult:
        asked.append(params.message)
        with site.client("bob") as bob:
            (open_,) = bob.get("/api/v1/approvals", params={"status": "info_requested"}).json()["items"]
        answered.append(open_["approval_id"])
        return types.ElicitResult(action="accept", content={"answer": "the rent"})

    answered: list[str] = []
    async with connected(site, "ana", elicitation_callback=answer) as client:
        first = await _held(client, "payer", {"task": "pay", "input": {"amount": 3}})
        (approval,) = first.meta["remit.dev/waiting_on"]
        path = f"/api/v1/approvals/{approval.removeprefix('approval:')}"
        with site.client("bob") as bob:
            bob.post(f"{path}/decide", json={"kind": "request_info", "rationale": "what for?"})
            asking = await client.session.call_tool(
                "payer",
                {"task": "pay", "input": {"amount": 3}},
                request_state=first.request_state,
                allow_input_required=True,
            )
            ((key, request),) = asking.input_requests.items()
            assert "what for?" in request.params.message
            reply = types.ElicitResult(action="accept", content={"answer": "the rent"})
            waits = await client.session.call_tool(
                "payer",
                {"task": "pay", "input": {"amount": 3}},
                request_state=asking.request_state,
                input_responses={key: reply},
                allow_input_required=True,
            )
            assert isinstance(waits, types.InputRequiredResult)
            shown = bob.get(path).json()
            assert (shown["status"], shown["answer"]) == ("pending", "the rent")


async def test_an_older_client_is_told_how_to_go_on(site: Any) -> None:
    """It gets a result at once that names the run and the tool to ask; the run goes on without it."""
    async with connected(site, "ana", "legacy") as client:
        waits = await client.call_tool("pay", {"amount": 5})
        made = waits.structured_content
        assert (waits.is_error, made["status"]) == (False, "needs_approval")
        assert "run_result" in waits.content[0].text
        approval_id = made["waiting_on"][0].removeprefix("approval:")
        with site.client("bob") as bob:
            bob.post(f"/api/v1/approvals/{approval_id}/decide", json={"kind": "approve"})
        while True:
            now = (await client.call_tool("run_result", {"run_id": made["run_id"]})).structured_content
            if now["status"] == "success":
                break
        assert now["result"] == "paid 5"


async def test_a_client_may_start_remit_itself(tmp_path: Path) -> None:
    """`remit mcp serve` on stdin and stdout: the same tools, for whoever started it."""
    (tmp_path / "remit.toml").write_text('app = "agents.py"\n')
    (tmp_path / "agents.py").write_text(
        "from remit import agent\n\n\n@agent\nasync def echo(input, memory, context):\n"
        '    """Says it."""\n    print("on stdout")\n    return {"said": input}\n'
    )
    program = Path(sys.executable).with_name("remit")
    started = StdioServerParameters(command=str(program), args=["mcp", "serve"], cwd=tmp_path)
    async with Client(started) as client:
        assert "echo" in {t.name for t in (await client.list_tools()).tools}
        result = await client.call_tool("echo", {"task": "x", "input": "hi"})
        assert result.structured_content["result"] == {"said": "hi"}
