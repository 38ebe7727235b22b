"""Failures: their shape, what they hide, and what else the server says of itself."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI

from remit.core.errors import BudgetError, ConfigError, ModelError, RemitError, StoreError, ToolError
from remit.server import problems
from remit.server.app import COMPONENTS, routes
from remit.server.schemas import MAX_BODY

RUNS = "/api/v1/runs"


def post(shared, content, path=RUNS, **headers):
    """Post raw bytes as somebody who may."""
    with shared.client("ana") as ana:
        return ana.post(path, content=content, headers={"Content-Type": "application/json", **headers})


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"{", {}, 400, "E112"),
        (b"\xff\xfe", {}, 400, "E112"),
        (b"[]", {}, 422, "E102"),
        (b"null", {}, 422, "E102"),
        (b"{}", {}, 422, "E102"),
        (b"", {}, 422, "E102"),
        (b'{"task_id": 1, "agent": "echo"}', {}, 422, "E102"),
        (b'{"task_id": "x", "agent": "echo", "objectve": ""}', {}, 422, "E102"),
        (b'{"task_id": "x", "agent": "nobody"}', {}, 404, "E104"),
        (b"task_id=x", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "E114"),
        (b"[" * 100_000, {}, 400, "E112"),
    ],
)
def test_a_bad_body_is_a_problem(shared, content, headers, status, code):
    """Each case with its own code; nothing of the inside shows."""
    answer = post(shared, content, **headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_body_over_the_limit_is_refused(shared):
    """Declared or streamed, more than 1 MB is 413; just under it is read."""
    fits = b'{"task_id": "big", "agent": "echo", "objective": "%s"}' % (b"x" * (MAX_BODY - 1000))
    assert post(shared, fits).status_code == 202
    for content in (b"x" * (MAX_BODY + 1), iter([b"x" * MAX_BODY, b"x"])):
        try:
            answer = post(shared, content)
        except httpx.TransportError:
            continue  # the server answered and closed before everything was sent, which it may
        assert (answer.status_code, answer.json()["code"]) == (413, "E113")


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/nowhere", "GET", 404), (RUNS, "DELETE", 405), (RUNS + "/", "GET", 404), ("/docs", "GET", 404)],
)
def test_addresses_that_do_not_exist(shared, path, method, status):
    """404 and 405 are problems too."""
    with shared.client("ana") as ana:
        answer = ana.request(method, path)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_parameter_that_there_is_not_is_refused(shared):
    """A filter misspelt shows nothing instead of everything, and names the right one."""
    with shared.client("ana") as ana:
        answer = ana.get(RUNS, params={"statuss": "failure"})
        assert (answer.status_code, answer.json()["code"]) == (422, "E1113")
        assert answer.json()["help"].startswith("its parameters: `status`")
        assert ana.get(RUNS, params={"status": "failure", "top": "true"}).status_code == 200


def test_a_body_that_does_not_fit_is_told_what_would(shared):
    """Help names the fields, as for every refusal."""
    answer = post(shared, b'{"task_id": "x"}').json()
    assert (answer["code"], answer["help"]) == ("E102", "add `agent`")


@pytest.mark.parametrize(
    "params", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"status": "odd"}, {"cursor": "junk"}]
)
def test_bad_parameters_are_named(shared, params):
    """422, and which parameter."""
    with shared.client("ana") as ana:
        answer = ana.get(RUNS, params=params)
        assert answer.status_code == 422
        assert next(iter(params)) in answer.json()["detail"]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("x"), 422),
        (BudgetError("x"), 429),
        (ModelError("x"), 502),
        (ToolError("x"), 502),
        (StoreError("x"), 503),
        (RemitError("x"), 500),
        (ValueError("the password is hunter2"), 500),
    ],
)
async def test_every_error_is_a_problem(error, status):
    """By its class; what nobody foresaw says nothing about the inside."""
    api = FastAPI()
    problems.install(api)

    @api.get("/")
    async def fail() -> None:
        raise error

    transport = httpx.ASGITransport(api, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "hunter2" not in answer.text
    assert answer.json()["code"] == ("E900" if status == 500 else error.code)


def test_a_failed_run_hides_the_inside(shared, until):
    """An agent's exception is a failure with a code, in the result and not as a status of HTTP."""
    with shared.client("ana") as ana:
        body = {"task": "x", "agents": ["broken"], "task_id": "broken-1"}
        assert ana.post("/api/v1/agents/invoke", json=body).status_code == 202
        result = until(
            lambda: (r := ana.get("/api/v1/agents/result/broken-1")).status_code == 200 and r.json(), 30
        )
        assert result["status"] == "failure"
        assert result["problem"]["code"]


def test_health_and_readiness(shared):
    """Both need no key; readiness asks the store."""
    with shared.client() as nobody:
        assert nobody.get("/health").json()["status"] == "ok"
        assert nobody.get("/ready").status_code == 200


def test_readiness_is_503_while_the_store_is_not_writable(site, monkeypatch):
    """A load balancer sends work elsewhere; liveness does not change."""

    async def broken() -> None:
        raise StoreError("the disk is full", help="free some space")

    monkeypatch.setattr(site.app.store, "ping", broken)
    with site.client() as nobody:
        answer = nobody.get("/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "E800")
        assert answer.headers["retry-after"]
        assert nobody.get("/health").status_code == 200
    monkeypatch.undo()


def test_metrics_count_agents_tools_and_requests(shared, until):
    """T8's names, with their labels, in the text format."""
    with shared.client("ana") as ana:
        ana.post("/api/v1/agents/invoke", json={"task": "x", "agents": ["echo"], "task_id": "m-1"})
        until(lambda: ana.get("/api/v1/agents/status/m-1").json()["status"] == "success")
        ana.post("/api/v1/agents/invoke", json={"task": "x", "agents": ["broken"], "task_id": "m-2"})
        until(lambda: ana.get("/api/v1/agents/status/m-2").json()["status"] == "failure", 30)
        answer = ana.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = answer.text
    assert re.search(r'^agent_invocations_total{agent="echo"} [1-9]', text, re.M)
    assert re.search(r'^agent_duration_seconds_count{agent="echo"} [1-9]', text, re.M)
    assert re.search(r'^agent_errors_total{agent="broken",error_type="\w+"} [1-9]', text, re.M)
    route = 'method="GET",route="/api/v1/agents/status/{task_id}"'
    assert re.search(rf"^remit_http_requests_total{{{re.escape(route)},status=\"200\"}} [1-9]", text, re.M)
    assert "acme" not in text, "a label never names a tenant"


def test_openapi_is_complete():
    """3.1; every reference resolves; every component is used; every operation has an id, a summary and its statuses."""
    document = routes().openapi()
    assert document["openapi"].startswith("3.1")
    text = str(document)
    used = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert used <= set(document["components"]["schemas"])
    assert {kind.__name__ for kind in COMPONENTS} <= used, "a component that nothing refers to"
    ids = {op["operationId"] for methods in document["paths"].values() for op in methods.values()}
    for methods in document["paths"].values():
        for found in methods.values():
            assert found["summary"]
            assert any(status[0] in "23" for status in found["responses"])
            for answer in found["responses"].values():
                assert {link["operationId"] for link in answer.get("links", {}).values()} <= ids


def test_answers_stay_out_of_caches(shared):
    """no-store and nosniff on every answer."""
    with shared.client("ana") as ana:
        headers = ana.get(RUNS).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers
