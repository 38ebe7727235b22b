"""Requests to allowed addresses: what is sent, what comes back, and where secrets go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.adapters.web.sites import Site, reaching, redirect, reply, site

from remit.adapters.secrets.mapping import MappingSecrets
from remit.adapters.web.addresses import target_of
from remit.adapters.web.outside import AllowedOutside, prefix_of
from remit.adapters.web.wire import Broken
from remit.core.errors import ArgumentsError, ConfigError
from remit.ports.web import Reply

SECRETS = MappingSecrets({"crm_key": "s3cret-value", "other_key": "0ther-value", "broken": "a\r\nX: y"})


@pytest.fixture
async def api() -> AsyncIterator[Site]:
    """An API on loopback."""
    async with site() as made:
        made.routes["/v1/things"] = reply(
            b'{"id": 7}', "application/json", headers=["ETag: e1", "Set-Cookie: id=1", "X-Powered-By: y"]
        )
        yield made


def outside(api: Site, **more: object) -> AllowedOutside:
    """Requests to its version 1, with one secret for it and one for somebody else."""
    given = {
        "crm_key": [api.url("/v1/")],
        "broken": [api.url("/v1/")],
        "other_key": ["https://other.example/"],
    }
    return AllowedOutside([api.url("/v1/")], SECRETS, secrets_for=given, wire=reaching(api, **more))


async def test_a_request_is_sent_as_given(api: Site) -> None:
    """Method, path with its query, headers, body and the key of the call; the answer without what sets cookies."""
    got = await outside(api).request(
        "POST",
        api.url("/v1/things?a=1&b=%20x"),
        headers={"X-Kind": "test", "Content-Type": "application/json"},
        body=b'{"a": 1}',
        idempotency_key="run:step",
    )
    asked = api.requests[0]
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/things?a=1&b=%20x", b'{"a": 1}')
    assert asked.headers["x-kind"] == "test"
    assert asked.headers["idempotency-key"] == "run:step"
    assert got == Reply(200, {**got.headers, "content-type": "application/json", "etag": "e1"}, '{"id": 7}')
    assert not got.headers.keys() & {"set-cookie", "x-powered-by"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_reading_has_no_key(api: Site, method: str) -> None:
    """There is nothing to do once."""
    if method == "HEAD":
        api.routes["/v1/things"] = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"
    assert (await outside(api).request(method, api.url("/v1/things"), idempotency_key="k")).status == 200
    assert "idempotency-key" not in api.requests[0].headers


@pytest.mark.parametrize("status", [201, 400, 404, 409, 429, 500, 503])
async def test_a_status_is_an_answer(api: Site, status: int) -> None:
    """Whoever asked decides what it means."""
    api.routes["/v1/things"] = reply(b"why", status=status)
    got = await outside(api).request("POST", api.url("/v1/things"))
    assert (got.status, got.body) == (status, "why")


async def test_a_redirect_is_not_followed(api: Site) -> None:
    """It is told where it would lead."""
    api.routes["/v1/things"] = redirect("http://elsewhere.example/", 307)
    got = await outside(api).request("POST", api.url("/v1/things"))
    assert (got.status, got.headers["location"]) == (307, "http://elsewhere.example/")
    assert api.connections == 1


async def test_a_secret_goes_to_its_own_address_only(api: Site) -> None:
    """By name, in a header, and nowhere else."""
    asked = {"Authorization": "Bearer ${secret:crm_key}"}
    await outside(api).request("GET", api.url("/v1/things"), headers=asked)
    assert api.requests[0].headers["authorization"] == "Bearer s3cret-value"
    for name in ("other_key", "unknown"):
        with pytest.raises(ArgumentsError, match="may not be sent") as raised:
            await outside(api).request("GET", api.url("/v1/things"), headers={"X-Key": f"${{secret:{name}}}"})
        assert "0ther-value" not in str(raised.value)
    assert len(api.requests) == 1


async def test_a_secret_is_not_put_into_body_or_address(api: Site) -> None:
    """There it stays the name that it is."""
    await outside(api).request("POST", api.url("/v1/things?k=${secret:crm_key}"), body=b"${secret:crm_key}")
    assert "s3cret" not in api.requests[0].path
    assert api.requests[0].body == b"${secret:crm_key}"


async def test_a_secret_that_would_begin_another_header_is_not_sent(api: Site) -> None:
    """It is a mistake of whoever set it."""
    with pytest.raises(ConfigError, match="cannot stand in a header"):
        await outside(api).request("GET", api.url("/v1/things"), headers={"X-Key": "${secret:broken}"})
    assert api.connections == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"hOST": "evil.example"},
        {"Content-Length": "3"},
        {"Transfer-Encoding": "chunked"},
        {"Connection": "upgrade"},
        {"Upgrade": "h2c"},
        {"Proxy-Authorization": "Basic eA=="},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "for=127.0.0.1"},
        {"Accept-Encoding": "br"},
        {"Idempotency-Key": "mine"},
        {"Authorization": "Bearer guessed"},
        {"Cookie": "id=1"},
        {"X-A": "b\r\nHost: evil.example"},
        {"X-A": "b\nc"},
        {"X-A": "\x00"},
        {"X-A": "ü"},
        {"X-A\r\nHost": "evil"},
        {"X A": "b"},
        {"": "b"},
        {"X-A:": "b"},
        {"X-A": "a" * 5000},
        {"X-A": "b", "x-a": "c"},
    ],
)
async def test_a_header_that_is_not_for_the_caller_is_refused(api: Site, headers: dict[str, str]) -> None:
    """What makes the connection, speaks for somebody else, is a credential in plain, or is no header."""
    with pytest.raises(ArgumentsError) as raised:
        await outside(api).request("POST", api.url("/v1/things"), headers=headers)
    assert raised.value.code == "E927"
    assert api.connections == 0


@pytest.mark.parametrize("method", ["get", "TRACE", "CONNECT", "GET / HTTP/1.1\r\nX:", ""])
async def test_an_unknown_method_is_refused(api: Site, method: str) -> None:
    """Only those that are listed."""
    with pytest.raises(ArgumentsError, match="method"):
        await outside(api).request(method, api.url("/v1/things"))


async def test_what_did_not_arrive_is_told_apart_from_what_nobody_knows(api: Site) -> None:
    """No connection: certainly nothing happened. Broken afterwards: an effect is in doubt, a read may be tried again."""

    async def hang_up(there: Site, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    api.routes["/v1/things"] = hang_up
    with pytest.raises(Broken):
        await outside(api).request("POST", api.url("/v1/things"))
    with pytest.raises(ArgumentsError) as raised:
        await outside(api).request("GET", api.url("/v1/things"))
    assert raised.value.retryable
    async with site() as gone:
        door = outside(gone)
    with pytest.raises(ArgumentsError, match="no connection"):
        await door.request("POST", gone.url("/v1/things"))


@pytest.mark.parametrize(
    ("prefix", "inside", "beyond"),
    [
        (
            "https://a.example",
            ["https://a.example/", "https://a.example/x?y"],
            ["https://a.example:444/", "http://a.example/"],
        ),
        (
            "https://a.example/v1",
            ["https://a.example/v1", "https://a.example/v1/x"],
            ["https://a.example/v10"],
        ),
        (
            "https://a.example/v1/",
            ["https://a.example/v1", "https://a.example/v1/x"],
            ["https://a.example/v"],
        ),
        ("https://A.example:443/", ["https://a.EXAMPLE/x"], ["https://b.example/x"]),
    ],
)
def test_a_prefix_is_an_origin_and_whole_steps_of_a_path(
    prefix: str, inside: list[str], beyond: list[str]
) -> None:
    """Not a start of letters."""
    made = prefix_of(prefix)
    assert all(made.covers(target_of(url)) for url in inside)
    assert not any(made.covers(target_of(url)) for url in beyond)


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "*",
        "a.example",
        "https://",
        "https://*.example/",
        "https://a.example/?q",
        "https://a.example/#x",
        "https://a.example/../",
    ],
)
def test_a_prefix_that_is_none_is_refused(prefix: str) -> None:
    """When it is read, not when it is used: a slip must not open anything."""
    with pytest.raises(ConfigError) as raised:
        AllowedOutside([prefix], SECRETS)
    assert raised.value.code == "E927"


def _target(url: str) -> object:
    from remit.adapters.web.addresses import target_of

    return target_of(url)
