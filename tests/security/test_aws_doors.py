"""Who may do what through the doors on AWS: API Gateway, AgentCore, EventBridge, and the vault of secrets."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from remit import Pack, agent, open_app, tool
from remit.adapters.bus.inbound import Reader
from remit.adapters.secrets.cached import CachedSecrets, Value
from remit.adapters.secrets.mapping import MappingSecrets
from remit.bootstrap import App
from remit.core.errors import ConfigError
from remit.engine.bus.queued import _foreign
from remit.engine.tenant_secrets import TenantSecrets
from remit.functions import api, chat
from remit.functions.claims import identity_of
from remit.functions.invocation import NO_LIMIT_S
from remit.server.agentcore import build_door
from remit.settings import Settings
from remit.testing import FakeClock
from remit_packs.assistant import pack

Event = dict[str, Any]


@tool(risk="L3", effect="keyed")
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@agent(tools=[pay])
async def clerk(input: Any, memory: Any, context: Any) -> str:
    """Pays, when somebody lets it."""
    return str(await context.call("pay", amount=5))


async def opened(home: Path, **more: Any) -> AsyncIterator[App]:
    """An app with the assistant and the clerk."""
    made = Settings(home=home, store="memory:", **more)
    async with open_app(made, packs=[pack(), Pack("more", agents=[clerk])]) as app:
        yield app


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    """Behind a gateway that checks keys."""
    async for app in opened(tmp_path):
        yield app


@pytest.fixture
async def tokens(tmp_path: Path) -> AsyncIterator[App]:
    """Behind a gateway that checks tokens with a tenant and roles."""
    async for app in opened(tmp_path, tenant_claim="custom:tenant", roles_claim="custom:roles"):
        yield app


async def send(app: App, event: Event) -> tuple[int, Any]:
    """Status and body of what the chat answers."""
    answer = await chat.respond(app, event, lambda: NO_LIMIT_S)
    return answer["statusCode"], json.loads(answer["body"])


def post(body: Any, *, key: str = "", context: Event | None = None, method: str = "POST") -> Event:
    """The event of a REST API."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return {
        "httpMethod": method,
        "path": "/chat",
        "headers": headers,
        "requestContext": context or {},
        "body": json.dumps(body),
    }


HELLO = {"user_id": "ana", "query": "what is 6 * 7?"}


# API Gateway


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("auditor", 403), ("operator", 200)])
async def test_a_key_takes_a_turn_only_if_its_role_may_run_agents(app: App, role: str, status: int) -> None:
    """The function asks for the same scope as the server does."""
    made = await app.keys.create("acme", "bob", [role])
    answered, body = await send(app, post(HELLO, key=made.secret))
    assert answered == status
    assert status == 200 or body["code"] == "E320"


@pytest.mark.parametrize(
    ("roles", "status"), [("viewer", 403), ("", 403), ("viewer operator", 200), ("operator", 200)]
)
async def test_a_token_takes_a_turn_only_if_its_role_may_run_agents(
    tokens: App, roles: str, status: int
) -> None:
    """Where the settings name the claim with the roles, it decides."""
    claims = {"sub": "s1", "custom:tenant": "acme", "custom:roles": roles}
    answered, _ = await send(tokens, post(HELLO, context={"authorizer": {"claims": claims}}))
    assert answered == status


@pytest.mark.parametrize(
    "callers",
    [
        [{"identity": {"userArn": f"arn:aws:iam::1:user/{name}"}} for name in ("ana", "eve")],
        [{"authorizer": {"iam": {"userArn": f"arn:aws:iam::1:user/{name}"}}} for name in ("ana", "eve")],
        [{"authorizer": {"principalId": name}} for name in ("ana", "eve")],
        [{"authorizer": {"claims": {"sub": name}}} for name in ("ana", "eve")],
        [{"authorizer": {"jwt": {"claims": {"sub": name}}}} for name in ("ana", "eve")],
        [{"identity": {"apiKeyId": name}} for name in ("ana", "eve")],
    ],
    ids=["iam-rest", "iam-http", "lambda-authorizer", "cognito", "jwt", "api-key"],
)
async def test_whom_the_gateway_tells_apart_have_conversations_apart(app: App, callers: list[Event]) -> None:
    """However it knows them: naming somebody else's `user_id` leads into nobody else's conversation."""
    status, first = await send(app, post(HELLO, context=callers[0]))
    assert status == 200
    again = {**HELLO, "conversation_id": first["conversation_id"]}
    assert (await send(app, post(again, context=callers[1])))[0] == 403
    assert (await send(app, post(again, context=callers[0])))[0] == 200


@pytest.mark.parametrize("claims", ["x", 7, None, ["sub"], {"sub": ["ana"], "custom:tenant": "acme"}])
async def test_claims_of_other_shapes_prove_nobody(tokens: App, claims: Any) -> None:
    """401, whatever an authorizer puts where claims belong."""
    for authorizer in ({"claims": claims}, {"jwt": {"claims": claims}}, {"jwt": claims}, claims):
        status, body = await send(tokens, post(HELLO, context={"authorizer": authorizer}))
        assert (status, body["code"]) == (401, "E310")


@pytest.mark.parametrize(
    ("said", "roles"),
    [
        ("Site admin,Users", ("Site admin", "Users")),
        ("viewer, operator", ("viewer", "operator")),
        ("viewer operator", ("viewer", "operator")),
        ("[viewer operator]", ("viewer", "operator")),
        ("[x,admin viewer]", ("x,admin", "viewer")),
        (["Site admin", "viewer"], ("Site admin", "viewer")),
        (["admin", ["admin"], 1], ("admin",)),
    ],
)
def test_no_part_of_a_groups_name_is_a_role(said: Any, roles: tuple[str, ...]) -> None:
    """A list is taken apart only where its own separator stands."""
    claims = {"sub": "s", "t": "acme", "r": said}
    event = {"requestContext": {"authorizer": {"claims": claims}}}
    who = identity_of(event, tenant_claim="t", roles_claim="r")
    assert who is not None
    assert who.actor.roles == roles


@pytest.mark.parametrize("body", ["%%%", base64.b64encode(b"\xff\xfe").decode(), "[" * 5000, "{" * 5000])
@pytest.mark.parametrize("coded", [True, False])
async def test_a_body_that_is_none_is_refused_in_so_many_words(app: App, body: str, coded: bool) -> None:
    """400, with nothing about the inside."""
    status, said = await send(app, {**post(None), "body": body, "isBase64Encoded": coded})
    assert status == 400
    assert "Traceback" not in str(said)


# AgentCore

SESSION = "x-amzn-bedrock-agentcore-runtime-session-id"
REQUEST = "x-amzn-bedrock-agentcore-runtime-request-id"
USER = "x-amzn-bedrock-agentcore-runtime-user-id"


def door(app: App, name: str = "clerk") -> httpx.AsyncClient:
    """A client of the door."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(build_door(app, name, "acme")), base_url="http://door"
    )


async def test_no_web_page_reaches_the_door(app: App) -> None:
    """A door on a machine with a browser: a page can send JSON without a media type, which no browser asks about before."""
    async with door(app) as client:
        for path, method in (("/invocations", "POST"), ("/ping", "GET")):
            answer = await client.request(
                method, path, content=b'{"n": 1}', headers={"origin": "https://evil.example"}
            )
            assert answer.status_code == 403
    assert (await app.runs.list("acme")).items == []


async def test_a_waiting_run_is_its_own_users(app: App) -> None:
    """Whoever knows the session and the run of another user is told that there is none."""
    async with door(app) as client:
        asked = await client.post("/invocations", json={}, headers={SESSION: "s", USER: "ana"})
        run_id = asked.json()["run_id"]
        for user, status in (("eve", 404), ("", 404), ("ana", 200)):
            headers = {SESSION: "s", **({USER: user} if user else {})}
            answer = await client.post("/invocations", json={"run_id": run_id}, headers=headers)
            assert answer.status_code == status


async def test_anothers_request_id_gives_nobody_their_result(app: App) -> None:
    """The same id in another session is another request; of another user, it is what it would be with any other id."""
    async with door(app) as client:
        sent = [
            await client.post("/invocations", json={}, headers={SESSION: s, USER: u, REQUEST: "r"})
            for s, u in (("s", "ana"), ("s", "eve"), ("t", "eve"), ("s", "ana"))
        ]
    assert [answer.status_code for answer in sent] == [200, 403, 200, 200]
    first, _, other, again = (answer.json().get("run_id") for answer in sent)
    assert first == again != other


# secrets and events


@pytest.mark.parametrize(("tenant", "name"), [("acme", "_key"), ("acme_", "key"), ("acme", "_")])
def test_an_underscore_at_the_seam_reaches_no_other_tenant(tenant: str, name: str) -> None:
    """`acme` + `_key` and `acme_` + `key` would be one name."""
    with pytest.raises(ConfigError):
        TenantSecrets(MappingSecrets({"acme___key": "of-one-of-them-1", "acme____": "x" * 9}), tenant).get(
            name
        )


@pytest.mark.parametrize("deployment", ["other", "", "remit:agent:boss", "remit:agent:"])
def test_an_event_from_outside_has_the_source_of_no_agent(deployment: str) -> None:
    """Whatever it says of where it came from."""
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "remit:agent:boss",
        "type": "order.placed",
        "deployment": deployment,
    }
    whole = {"id": "1", "source": "shop", "detail-type": "order.placed", "detail": event}
    taken = _foreign(Reader("acme")(json.dumps(whole)))
    assert not taken.source.startswith("remit:agent:")


def test_a_number_in_a_json_secret_blackens_no_log() -> None:
    """`true` and `3` are no secrets: every line would be full of holes, and nobody could see what happened."""
    text = json.dumps({"password": "hunter-2-hunter", "verify": True, "retries": 3, "pin": 482913})
    secrets = CachedSecrets(Held(text), FakeClock())
    assert secrets.get("db.retries") == "3"
    assert set(secrets.known()) == {text, "hunter-2-hunter", "482913"}


class Held:
    """A vault with one secret."""

    def __init__(self, text: str) -> None:
        self._text = text

    def place(self, tenant_id: str, name: str) -> str:
        """Where it is."""
        return f"{tenant_id}/{name}"

    def read(self, place: str, known: str) -> Value | None:
        """It."""
        return Value(self._text, "1")

    def advice(self, place: str) -> str:
        """How to set it."""
        return ""


@pytest.mark.parametrize(
    ("roles", "status"),
    [
        ("openid profile", 403),
        ("eu-west-1_x1_Google", 403),
        ("finance", 403),
        ("viewer,finance", 200),
        ("", 403),
    ],
)
async def test_a_group_that_remit_does_not_know_opens_nothing_to_a_token(
    tokens: App, roles: str, status: int
) -> None:
    """Groups and scopes of a token are given for other ends too; roles of a key are given by who operates Remit: for approvals."""
    claims = {"sub": "s1", "custom:tenant": "acme", "custom:roles": roles}
    event = {
        "httpMethod": "GET",
        "path": "/api/v1/runs",
        "requestContext": {"authorizer": {"claims": claims}},
    }
    answer = await api.respond(tokens, event, lambda: 20.0)
    assert answer["statusCode"] == status
    key = await tokens.keys.create("acme", "bob", [], custom_roles=["finance"])
    event = {**event, "headers": {"x-api-key": key.secret}, "requestContext": {}}
    for path, expected in (("/api/v1/runs", 403), ("/api/v1/approvals", 200)):
        answer = await api.respond(tokens, {**event, "path": path}, lambda: 20.0)
        assert answer["statusCode"] == expected
