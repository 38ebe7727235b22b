"""The API function: events of API Gateway and function URLs in, the real API's answers out."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from remit.core.task import Task
from remit.functions import advance, api
from remit.functions.container import shared

Event = dict[str, Any]


def key(tenant: str = "acme", actor: str = "ana", *roles: str) -> str:
    """A new API key."""
    return shared().run(lambda app: app.keys.create(tenant, actor, roles or ("operator",))).secret


def said(answer: Event) -> Any:
    """The JSON of an answer."""
    return json.loads(answer["body"])


@pytest.fixture(params=["rest", "http"])
def event(request: pytest.FixtureRequest, aws: ModuleType) -> Callable[..., Event]:
    """Makes requests as both kinds of API send them."""
    made: Callable[..., Event] = getattr(aws, request.param)
    return made


def test_health_needs_no_key(home: Path, aws: ModuleType, event: Callable[..., Event]) -> None:
    """An address without a key answers, with a JSON body that is not base64."""
    answer = api.handler(event("GET", "/health"), aws.Context())
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert said(answer)["status"] == "ok"


def test_without_a_key_nothing_else_opens(home: Path, aws: ModuleType, event: Callable[..., Event]) -> None:
    """401 as a problem, with the header that names the scheme."""
    answer = api.handler(event("GET", "/api/v1/runs"), aws.Context())
    assert (answer["statusCode"], said(answer)["code"]) == (401, "E310")
    headers = answer.get("headers") or {k: v[0] for k, v in answer["multiValueHeaders"].items()}
    assert headers["www-authenticate"] == 'Bearer realm="remit"'
    assert headers["content-type"] == "application/problem+json"


def test_a_task_from_invoke_to_result(home: Path, aws: ModuleType, event: Callable[..., Event]) -> None:
    """Accepted by one function, advanced by another, and its result read through the first."""
    mine = key()
    body = json.dumps({"task": "say it", "agents": ["echo"], "context": {"word": "grüße"}})
    accepted = api.handler(event("POST", "/api/v1/agents/invoke", key=mine, body=body), aws.Context())
    assert accepted["statusCode"] == 202
    task_id = said(accepted)["task_id"]
    (run_id,) = shared().run(lambda app: app.store.due(limit=5))
    advance.handler(aws.hint(run_id), aws.Context())
    answer = api.handler(event("GET", f"/api/v1/agents/result/{task_id}", key=mine), aws.Context())
    assert said(answer)["result_payload"] == {"said": {"word": "grüße"}}


def test_a_stage_in_front_of_the_path_is_left_out(home: Path, aws: ModuleType) -> None:
    """A named stage of an HTTP API is part of `rawPath`, and of no address of ours."""
    assert api.handler(aws.http("GET", "/health", stage="prod"), aws.Context())["statusCode"] == 200
    assert api.handler(aws.http("GET", "", stage="prod"), aws.Context())["statusCode"] == 404
    other = aws.http("GET", "/production/health")
    other["requestContext"]["stage"] = "prod"
    assert api.handler(other, aws.Context())["statusCode"] == 404


def test_no_console_is_served(home: Path, aws: ModuleType) -> None:
    """Neither one that is built, nor the page that says how to build one: whoever asks is told that there is no such address."""
    for path in ("/", "/index.html", "/config.js"):
        asked = aws.http("GET", path)
        asked["headers"]["accept"] = "text/html"
        answer = api.handler(asked, aws.Context())
        assert (answer["statusCode"], said(answer)["status"]) == (404, 404), path


def test_a_body_may_come_in_base64(home: Path, aws: ModuleType, event: Callable[..., Event]) -> None:
    """API Gateway encodes what it takes for binary."""
    mine = key()
    body = base64.b64encode(b'{"task": "x", "agents": ["echo"]}').decode()
    request = event("POST", "/api/v1/agents/invoke", key=mine, body=body, isBase64Encoded=True)
    assert api.handler(request, aws.Context())["statusCode"] == 202


def test_parameters_arrive(home: Path, aws: ModuleType) -> None:
    """Query parameters of both payloads, decoded once."""
    mine = key()
    for task in range(3):
        shared().run(lambda app, task=task: app.runs.submit(Task(f"t{task}", "echo", tenant_id="acme")))
    rest = aws.rest("GET", "/api/v1/runs", key=mine, query={"limit": ["2"], "agent": ["echo"]})
    http = aws.http("GET", "/api/v1/runs", key=mine, query="limit=2&agent=echo")
    pages = [said(api.handler(asked, aws.Context())) for asked in (rest, http)]
    assert [len(page["items"]) for page in pages] == [2, 2]
    cursor = pages[0]["cursor"]
    onward = aws.rest("GET", "/api/v1/runs", key=mine, query={"agent": ["echo"], "cursor": [cursor]})
    assert len(said(api.handler(onward, aws.Context()))["items"]) == 1


def test_a_stream_is_cut_when_its_time_is_up(
    home: Path, aws: ModuleType, event: Callable[..., Event]
) -> None:
    """The events there are come at once as one body, in the time that Lambda leaves."""
    mine = key()
    run_id = shared().run(lambda app: app.runs.submit(Task("t", "echo", tenant_id="acme")))
    request = event("GET", f"/api/v1/runs/{run_id}/events", key=mine, headers={"accept": "text/event-stream"})
    began = time.monotonic()
    answer = api.handler(request, aws.Context(2.5))
    assert time.monotonic() - began < 2
    assert answer["statusCode"] == 200
    assert "event: RunCreated" in answer["body"]
    assert "RunFinished" not in answer["body"]


def test_a_stream_that_ends_is_whole(home: Path, aws: ModuleType, event: Callable[..., Event]) -> None:
    """The stream of a run that ended is not waited for any longer."""
    mine = key()
    run_id = shared().run(lambda app: app.runs.submit(Task("t", "echo", tenant_id="acme")))
    advance.handler(aws.hint(run_id), aws.Context())
    request = event("GET", f"/api/v1/runs/{run_id}/events", key=mine, headers={"accept": "text/event-stream"})
    assert "event: RunFinished" in api.handler(request, aws.Context(60))["body"]


CLAIMS = {"sub": "6c0c8b2e", "custom:tenant": "acme", "cognito:groups": "operator,viewer"}


def claimed(aws: ModuleType, kind: str, claims: Event) -> Event:
    """A request whose token an authorizer has checked."""
    authorizer = {"claims": claims} if kind == "rest" else {"jwt": {"claims": claims, "scopes": None}}
    made: Event = getattr(aws, kind)(
        "GET", "/api/v1/runs", key="a.jwt.token", context={"authorizer": authorizer}
    )
    return made


@pytest.mark.parametrize("kind", ["rest", "http"])
def test_a_checked_token_says_who_calls(
    home: Path, aws: ModuleType, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Tenant, actor and roles come from the claims that the settings name."""
    monkeypatch.setenv("REMIT_TENANT_CLAIM", "custom:tenant")
    monkeypatch.setenv("REMIT_ROLES_CLAIM", "cognito:groups")
    for tenant in ("acme", "zeta"):
        task = Task(f"of-{tenant}", "echo", tenant_id=tenant)
        shared().run(lambda app, task=task: app.runs.submit(task))
    answer = api.handler(claimed(aws, kind, CLAIMS), aws.Context())
    assert [item["task_id"] for item in said(answer)["items"]] == ["of-acme"]


@pytest.mark.parametrize("kind", ["rest", "http"])
def test_claims_mean_nothing_unless_a_setting_says_so(home: Path, aws: ModuleType, kind: str) -> None:
    """Without the setting, a token is no key, whatever it claims."""
    assert api.handler(claimed(aws, kind, CLAIMS), aws.Context())["statusCode"] == 401


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"sub": "x"},
        {"custom:tenant": "acme"},
        {"sub": "x", "custom:tenant": ""},
        {"sub": " ", "custom:tenant": "acme"},
        {"sub": "x", "custom:tenant": ["acme"]},
        {"sub": "x", "custom:tenant": "acme/.."},
        {"sub": "x", "custom:tenant": "acme other"},
        {"sub": "x", "tenant": "acme"},
    ],
)
def test_a_token_without_tenant_or_subject_opens_nothing(
    home: Path, aws: ModuleType, monkeypatch: pytest.MonkeyPatch, claims: Event
) -> None:
    """It fails closed."""
    monkeypatch.setenv("REMIT_TENANT_CLAIM", "custom:tenant")
    assert api.handler(claimed(aws, "http", claims), aws.Context())["statusCode"] == 401


@pytest.mark.parametrize("value", ["[operator viewer]", "operator,viewer", "operator viewer", ["operator"]])
def test_roles_are_read_as_the_authorizers_write_them(
    home: Path, aws: ModuleType, monkeypatch: pytest.MonkeyPatch, value: Any
) -> None:
    """REST APIs write a list with commas, HTTP APIs in brackets, OAuth with spaces."""
    monkeypatch.setenv("REMIT_TENANT_CLAIM", "custom:tenant")
    monkeypatch.setenv("REMIT_ROLES_CLAIM", "cognito:groups")
    request = claimed(aws, "http", {**CLAIMS, "cognito:groups": value})
    assert api.handler(request, aws.Context())["statusCode"] == 200
    monkeypatch.delenv("REMIT_ROLES_CLAIM")
    shared.cache_clear()
    assert api.handler(request, aws.Context())["statusCode"] == 403


def test_a_header_cannot_pretend_to_be_a_claim(
    home: Path, aws: ModuleType, monkeypatch: pytest.MonkeyPatch, event: Callable[..., Event]
) -> None:
    """What a client sends is never where claims are read."""
    monkeypatch.setenv("REMIT_TENANT_CLAIM", "custom:tenant")
    forged = {"remit.identity": "x", "custom:tenant": "acme", "x-amzn-oidc-data": "x", "sub": "x"}
    request = event("GET", "/api/v1/runs", headers=forged)
    assert api.handler(request, aws.Context())["statusCode"] == 401


def test_a_container_survives_a_first_open_that_failed(
    home: Path, aws: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that cannot be opened fails the invocation; the next one tries again and is served."""
    (home / "remit.db").mkdir()
    with pytest.raises(Exception, match="remit"):
        api.handler(aws.http("GET", "/ready"), aws.Context())
    (home / "remit.db").rmdir()
    assert api.handler(aws.http("GET", "/ready"), aws.Context())["statusCode"] == 200


def test_a_failure_of_the_application_is_an_answer(
    home: Path, aws: ModuleType, monkeypatch: pytest.MonkeyPatch, event: Callable[..., Event]
) -> None:
    """An exception that nobody foresaw is a 500 without its text, not a failed invocation."""
    mine = key()
    shared().run(_broken)
    answer = api.handler(event("GET", "/api/v1/runs", key=mine), aws.Context())
    assert (answer["statusCode"], said(answer)["code"]) == (500, "E900")
    assert "secret" not in answer["body"]


async def _broken(app: Any) -> None:
    async def list_(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret internals")

    app.runs.list = list_
