"""The chat behind API Gateway (B3): events in, answers out, over the assistant's offline rules."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit import Pack, agent, open_app, tool
from remit.bootstrap import App
from remit.functions import chat
from remit.functions.invocation import NO_LIMIT_S
from remit.settings import Settings
from remit_packs.assistant import pack

Event = dict[str, Any]
LOOSE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@tool(risk="L3")
def launch() -> str:
    """Privileged."""
    return "launched"


@agent(tools=[launch])
async def pilot(input: Any, memory: Any, context: Any) -> str:
    """Launches, when somebody lets it."""
    return str(await context.call("launch"))


@agent
async def broken(input: Any) -> str:
    """Always fails."""
    raise ValueError("secret internals")


def made(home: Path, store: str = "memory:", **more: Any) -> App:
    """An app with the assistant and two agents of other tempers."""
    return open_app(
        Settings(home=home, store=store, **more), packs=[pack(), Pack("more", agents=[pilot, broken])]
    )


@pytest.fixture(params=["memory:", "sqlite:///{home}/remit.db"])
async def app(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[App]:
    """The app over a store."""
    async with made(tmp_path, request.param.format(home=tmp_path)) as opened:
        yield opened


async def send(app: App, event: Event) -> tuple[int, Any, dict[str, str]]:
    """Status, body and headers of the answer to an event."""
    answer = await chat.respond(app, event, lambda: NO_LIMIT_S)
    body = answer["body"]
    assert isinstance(body, str)
    assert answer["isBase64Encoded"] is False if body else True
    return answer["statusCode"], json.loads(body) if body else None, answer["headers"]


@pytest.fixture(params=["rest", "http"])
def ask(request: pytest.FixtureRequest, aws: Any) -> Callable[..., Event]:
    """Makes the event of a REST API or of an HTTP API."""

    def event(body: Any = None, method: str = "POST", path: str = "/chat", **more: Any) -> Event:
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        if request.param == "http" and "query" in more:
            more["query"] = "&".join(f"{name}={value[0]}" for name, value in more["query"].items())
        made: Event = getattr(aws, request.param)(method, path, body=text, **more)
        return made

    return event


async def test_an_answer_has_the_three_fields(app: App, ask: Callable[..., Event]) -> None:
    """200 with response, conversation_id and user_id, and nothing else."""
    status, body, headers = await send(app, ask({"user_id": "ana", "query": "what is 6 * 7?"}))
    assert (status, headers["content-type"]) == (200, "application/json")
    assert set(body) == {"response", "conversation_id", "user_id"}
    assert (body["response"], body["user_id"]) == ("6 * 7 = 42", "ana")


async def test_a_conversation_is_remembered(app: App, ask: Callable[..., Event]) -> None:
    """The second request, in another container, knows the first."""
    _, first, _ = await send(app, ask({"user_id": "ana", "query": "what is 6 * 7?"}))
    again = {"user_id": "ana", "query": "what did I ask?", "conversation_id": first["conversation_id"]}
    status, second, _ = await send(app, ask(again))
    assert (status, second["response"]) == (200, "You asked: what is 6 * 7?")
    assert second["conversation_id"] == first["conversation_id"]
    _, fresh, _ = await send(app, ask({"user_id": "ana", "query": "what did I ask?"}))
    assert fresh["response"] == "You have not asked anything before."
    path = f"/chat/conversations/{first['conversation_id']}"
    status, shown, _ = await send(app, ask(None, "GET", path, query={"user_id": ["ana"]}))
    assert status == 200
    assert [line["text"] for line in shown["items"]] == [
        "what is 6 * 7?",
        first["response"],
        "what did I ask?",
        second["response"],
    ]


async def test_somebody_elses_conversation_is_refused(app: App, ask: Callable[..., Event]) -> None:
    """403 to go on with it, 404 to read it; nothing of it is told."""
    _, first, _ = await send(app, ask({"user_id": "ana", "query": "what is 6 * 7?"}))
    theirs = {"user_id": "eve", "query": "what did I ask?", "conversation_id": first["conversation_id"]}
    status, body, _ = await send(app, ask(theirs))
    assert (status, body["code"]) == (403, "E840")
    path = f"/chat/conversations/{first['conversation_id']}"
    for user in ("eve", ""):
        status, body, _ = await send(app, ask(None, "GET", path, query={"user_id": [user]}))
        assert (status, body["code"]) == (404, "E104")
    assert "6 * 7" not in str(body)


@pytest.mark.parametrize(
    "body",
    [
        {"user_id": "ana"},
        {"user_id": "ana", "query": ""},
        {"user_id": "ana", "query": "  \n "},
        {"user_id": "ana", "query": None},
        {"user_id": "ana", "query": ["hi"]},
        {"query": "hi"},
        {"user_id": "", "query": "hi"},
        {"user_id": "a\nb", "query": "hi"},
        {"user_id": "ana", "query": "hi", "conversation_id": "../etc"},
        {"user_id": "ana", "query": "hi", "conversation_id": "x" * 129},
        {"user_id": "ana", "query": "hi", "roles": ["admin"]},
        {"user_id": "ana", "query": "x" * 32_769},
        [],
        "",
        "{",
        None,
        '{"user_id": "ana", "query": "\\ud800"}',
        "[" * 100_000,
    ],
    ids=lambda body: repr(body)[:40],
)
async def test_a_body_that_does_not_fit_is_a_bad_request(
    app: App, ask: Callable[..., Event], body: Any
) -> None:
    """400 with a problem in JSON that says what is expected; no run is begun."""
    status, answer, headers = await send(app, ask(body))
    assert (status, headers["content-type"]) == (400, "application/problem+json")
    assert answer["code"] in ("E102", "E112")
    assert "query" in answer["help"] or answer["code"] == "E112"
    assert (await app.runs.list("local")).items == []


async def test_base64_bodies_are_understood(app: App, ask: Callable[..., Event]) -> None:
    """API Gateway sends bodies of some media types so; one that is no Base64 is a bad request."""
    text = base64.b64encode(b'{"user_id": "ana", "query": "1 + 1"}').decode()
    status, body, _ = await send(app, {**ask(text), "isBase64Encoded": True})
    assert (status, body["response"]) == (200, "1 + 1 = 2")
    for bad in ("%%%", "e", base64.b64encode(b"\xff\xfe").decode()):
        status, body, _ = await send(app, {**ask(bad), "isBase64Encoded": True})
        assert status == 400


async def test_the_same_key_is_the_same_turn(app: App, ask: Callable[..., Event]) -> None:
    """A repeated request gets the first answer in the first conversation, and runs nothing; another question is a conflict."""
    headers = {"Idempotency-Key": "k1"}
    first = await send(app, ask({"user_id": "ana", "query": "1 + 1"}, headers=headers))
    assert first[:2] == (await send(app, ask({"user_id": "ana", "query": "1 + 1"}, headers=headers)))[:2]
    assert len((await app.runs.list("local")).items) == 1
    status, body, _ = await send(app, ask({"user_id": "ana", "query": "1 + 2"}, headers=headers))
    assert (status, body["code"]) == (409, "E404")
    elsewhere = {"user_id": "ana", "query": "1 + 1", "conversation_id": "other"}
    status, body, _ = await send(app, ask(elsewhere, headers=headers))
    assert (status, body["code"]) == (409, "E844")
    status, body, _ = await send(app, ask({"user_id": "ben", "query": "1 + 1"}, headers=headers))
    assert (status, body["conversation_id"] != first[1]["conversation_id"]) == (200, True)


async def test_two_requests_with_one_key_at_once_are_one_turn(app: App, ask: Callable[..., Event]) -> None:
    """Both get the one answer, or are told to ask again."""
    event = ask({"user_id": "ana", "query": "1 + 1"}, headers={"Idempotency-Key": "k1"})
    answers = await asyncio.gather(*[send(app, event) for _ in range(4)])
    assert {status for status, _, _ in answers} == {200}
    assert len({body["conversation_id"] for _, body, _ in answers}) == 1
    assert len((await app.runs.list("local")).items) == 1


async def test_a_turn_that_waits_for_a_person_says_so(tmp_path: Path, ask: Callable[..., Event]) -> None:
    """200 with a status and the run, so that somebody can be asked."""
    async with made(tmp_path, chat_agent="pilot") as app:
        status, body, _ = await send(app, ask({"user_id": "ana", "query": "go"}))
        assert (status, body["status"]) == (200, "needs_approval")
        assert (await app.runs.view(body["run_id"], "local")).status == "waiting"


async def test_a_failure_tells_nothing_of_the_inside(
    tmp_path: Path, ask: Callable[..., Event], caplog: pytest.LogCaptureFixture
) -> None:
    """500 with the id under which an operator finds the reason, for a failed run as for a mistake of our own."""
    async with made(tmp_path, chat_agent="broken") as app:
        status, body, _ = await send(app, ask({"user_id": "ana", "query": "go"}))
        assert (status, body["code"]) == (500, "E710")
        assert "internals" not in str(body)
        assert body["run_id"] in caplog.text
    async with made(tmp_path, chat_agent="nobody") as app:
        status, body, _ = await send(app, ask({"user_id": "ana", "query": "go"}))
        assert (status, body["code"]) == (500, "E900")
        assert "nobody" not in str(body)
        assert body["error_id"] in caplog.text
    assert (await send(app, ask({"user_id": "ana", "query": "go"})))[0] in (500, 503)  # the store is closed


async def test_a_turn_that_takes_longer_is_asked_for_again(tmp_path: Path, ask: Callable[..., Event]) -> None:
    """202 with a task and where to ask; asked too early it is 202 again, and then the answer; nobody else's."""
    home = tmp_path
    async with made(home, deployment="", store=f"sqlite:///{home}/r.db") as worker:
        store = f"sqlite:///{home}/r.db"
        async with made(home, store, deployment="remit-test", aws_endpoint="http://127.0.0.1:1") as app:
            event = ask({"user_id": "ana", "query": "what is 6 * 7?"})
            answer = await chat.respond(app, event, lambda: 2.0)
            pending = json.loads(answer["body"])
            assert (answer["statusCode"], set(pending)) == (202, {"conversation_id", "user_id", "task_id"})
            where = answer["headers"]["location"]
            early = ask(None, "GET", where, query={"user_id": ["ana"]})
            assert (await send(app, early))[0] == 202
            await worker.worker.run_until_idle()
            status, body, _ = await send(app, early)
            assert (status, body["response"]) == (200, "6 * 7 = 42")
            for user in ("eve", ""):
                assert (await send(app, ask(None, "GET", where, query={"user_id": [user]})))[0] == 404


async def test_pages_of_allowed_origins_may_ask(tmp_path: Path, ask: Callable[..., Event]) -> None:
    """They are named in every answer, failures too; others are not, and cookies never are."""
    async with made(tmp_path, chat_origins=("https://shop.example",)) as app:
        for origin, granted in (("https://shop.example", True), ("https://evil.example", False), ("", False)):
            for event in (
                ask("{", headers={"Origin": origin}),
                ask(None, "OPTIONS", headers={"Origin": origin}),
            ):
                _, _, headers = await send(app, event)
                assert (headers.get("access-control-allow-origin") == origin) is granted
                assert headers["vary"] == "Origin"
                assert "access-control-allow-credentials" not in headers
        status, body, headers = await send(
            app, ask(None, "OPTIONS", headers={"Origin": "https://shop.example"})
        )
        assert (status, body) == (204, None)
        assert "POST" in headers["access-control-allow-methods"]
        assert "idempotency-key" in headers["access-control-allow-headers"]
    async with made(tmp_path, chat_origins=("*",)) as app:
        _, _, headers = await send(app, ask("{", headers={"Origin": "https://any.example"}))
        assert headers["access-control-allow-origin"] == "*"
    async with made(tmp_path) as app:
        _, _, headers = await send(app, ask("{", headers={"Origin": "https://any.example"}))
        assert "access-control-allow-origin" not in headers


async def test_whoever_the_gateway_let_through_is_the_actor(app: App, aws: Any) -> None:
    """The subject of a checked token, else the API key's id, else the gateway itself: users of two of them never meet."""
    body = json.dumps({"user_id": "ana", "query": "1 + 1", "conversation_id": "c"})
    token = {"authorizer": {"jwt": {"claims": {"sub": "s-1"}}}}
    key = {"identity": {"sourceIp": "203.0.113.7", "apiKeyId": "k-1"}}
    assert (await send(app, aws.http("POST", "/chat", body=body, context=token)))[0] == 200
    assert (await send(app, aws.rest("POST", "/chat", body=body, context=key)))[0] == 403
    assert (await send(app, aws.rest("POST", "/chat", body=body)))[0] == 403
    assert (await app.conversations.get("local", "c")).actor_id == "s-1"
    forged = aws.http(
        "POST", "/chat", body=body, headers={"x-sub": "s-1", "authorization": "Bearer eyJ.e30.x"}
    )
    assert (await send(app, forged))[0] == 403


async def test_a_remit_key_names_its_tenant(app: App, aws: Any) -> None:
    """A wrong one is 401."""
    secret = (await app.keys.create("acme", "web", ["operator"])).secret
    body = json.dumps({"user_id": "ana", "query": "1 + 1"})
    assert (await send(app, aws.http("POST", "/chat", body=body, key=secret)))[0] == 200
    assert len((await app.conversations.list("acme", user_id="ana")).items) == 1
    assert (await send(app, aws.http("POST", "/chat", body=body, key=secret[:-1] + "_")))[0] == 401


async def test_where_tokens_name_tenants_one_must_be_shown(tmp_path: Path, aws: Any) -> None:
    """Without a token that names a tenant it is 401."""
    body = json.dumps({"user_id": "ana", "query": "1 + 1"})
    claims = {"authorizer": {"jwt": {"claims": {"sub": "s-1", "custom:tenant": "acme"}}}}
    async with made(tmp_path, tenant_claim="custom:tenant") as app:
        assert (await send(app, aws.http("POST", "/chat", body=body)))[0] == 401
        assert (await send(app, aws.http("POST", "/chat", body=body, context=claims)))[0] == 200
        assert len((await app.conversations.list("acme")).items) == 1


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/chat"), ("DELETE", "/chat/x"), ("GET", "/"), ("GET", "/chat")]
)
async def test_anything_else_is_refused(app: App, ask: Callable[..., Event], method: str, path: str) -> None:
    """Other methods and addresses."""
    assert (await send(app, ask(None, method, path)))[0] in (400, 404)


async def test_an_event_with_nothing_but_a_body_is_a_question(app: App) -> None:
    """As somebody sends who invokes the function directly."""
    status, body, _ = await send(app, {"body": '{"user_id": "ana", "query": "1 + 1"}'})
    assert (status, body["response"]) == (200, "1 + 1 = 2")


@LOOSE
@given(
    body=st.one_of(
        st.none(),
        st.text(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
            ),
            max_leaves=10,
        ).map(json.dumps),
        st.fixed_dictionaries(
            {"user_id": st.text(max_size=130) | st.integers(), "query": st.text(max_size=60)},
            optional={"conversation_id": st.text(max_size=130) | st.none()},
        ).map(json.dumps),
    ),
    encoded=st.booleans(),
    headers=st.dictionaries(
        st.sampled_from(["Origin", "Idempotency-Key", "Authorization"]), st.text(max_size=40)
    ),
)
async def test_no_body_breaks_the_handler(
    tmp_path: Path, aws: Any, body: Any, encoded: bool, headers: Any
) -> None:
    """Whatever is sent: an answer below 500 that is JSON."""
    async with made(tmp_path) as app:
        event = {**aws.rest("POST", "/chat", body=body, headers=headers), "isBase64Encoded": encoded}
        assert (await send(app, event))[0] < 500


def test_the_handler_answers_and_loads_no_web_framework(tmp_path: Path, aws: Any) -> None:
    """A cold process: one request, one answer, and neither FastAPI nor boto3 in memory."""
    event = aws.rest("POST", "/chat", body='{"user_id": "ana", "query": "what is 6 * 7?"}')
    program = (
        "import json, sys; from remit.functions.chat import handler; from cloud import Context\n"
        "answer = handler(json.load(sys.stdin), Context())\n"
        "print(json.dumps([answer, [m for m in ('fastapi', 'starlette', 'uvicorn', 'boto3') if m in sys.modules]]))"
    )
    env = {
        "PATH": os.environ["PATH"],
        "REMIT_HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parent),
        "REMIT_PACKS": "assistant",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(event),
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answer, loaded = json.loads(done.stdout)
    assert (answer["statusCode"], json.loads(answer["body"])["response"]) == (200, "6 * 7 = 42")
    assert loaded == []
