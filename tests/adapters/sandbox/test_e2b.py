"""E2B keeps the contract, over its published HTTP API."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("pydantic_monty", reason='the extra "remit[sandbox]" is not installed')

from tests.adapters.sandbox.standin import E2BHandler, Service, serving

from remit.adapters.sandbox import e2b
from remit.adapters.sandbox.e2b import E2B
from remit.core.errors import ToolError
from remit.ports.sandbox import SandboxFile
from remit.testing.contracts.sandbox import SandboxContract


@pytest.fixture
def service() -> Iterator[Service]:
    """E2B, as its API says it is."""
    with serving(E2BHandler, e2b.WORK) as service:
        yield service
        assert service.machines == {}, "a sandbox was left behind"


def opened(service: Service, key: str = "e2b_key") -> E2B:
    """The adapter, pointed at the stand-in."""
    return E2B(lambda: key, url=service.url, machine_url=service.url)


class TestContract(SandboxContract):
    """Over real sockets."""

    @pytest.fixture
    def sandbox(self, service: Service) -> E2B:
        return opened(service)


async def test_a_sandbox_is_made_closed_to_everybody_else(service: Service) -> None:
    """No internet, ports that answer to a token only, and an end of its own."""
    await opened(service).run("1")
    verb, path, headers, body = service.requests[0]
    assert (verb, path, headers["X-Api-Key" if "X-Api-Key" in headers else "X-API-Key"]) == (
        "POST",
        "/sandboxes",
        "e2b_key",
    )
    asked = json.loads(body)
    assert (asked["secure"], asked["allow_internet_access"]) == (True, False)
    assert asked["network"] == {"allowPublicTraffic": False}
    assert asked["timeout"] == 80


async def test_the_key_stays_with_the_api(service: Service) -> None:
    """What runs in a sandbox, or listens there, never sees it."""
    await opened(service).run("1", files=[SandboxFile("a", b"x")])
    inside = [r for r in service.requests if not r[1].startswith("/sandboxes")]
    assert len(inside) >= 5
    assert not any("e2b_key" in str(request) for request in inside)


async def test_the_value_is_handed_back(service: Service) -> None:
    """As the interpreter shows it."""
    assert (await opened(service).run("[1] * 2")).value == "[1, 1]"


@pytest.mark.parametrize(
    ("status", "key", "says", "retryable"),
    [
        (0, "wrong", "refuses the key", False),
        (403, "e2b_key", "refuses the key", False),
        (429, "e2b_key", "status 429", True),
        (500, "e2b_key", "status 500", True),
        (400, "e2b_key", "status 400", False),
    ],
)
async def test_a_refusal_is_an_error_without_the_service_s_words(
    service: Service, status: int, key: str, says: str, retryable: bool
) -> None:
    """Nothing ran, and neither key nor details of the answer are in the error."""
    service.status = status
    with pytest.raises(ToolError, match=says) as raised:
        await opened(service, key).run("1")
    assert (raised.value.code, raised.value.retryable) == ("E913", retryable)
    assert "secret-detail" not in str(raised.value)
    assert key not in str(raised.value).replace("E2B_API_KEY", "")


async def test_a_service_that_is_not_there_is_an_error() -> None:
    """That may be tried again."""
    with pytest.raises(ToolError) as raised:
        await E2B(lambda: "k", url="http://127.0.0.1:9").run("1")
    assert (raised.value.code, raised.value.retryable) == ("E913", True)
