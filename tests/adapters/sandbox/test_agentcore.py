"""AgentCore Code Interpreter keeps the contract, as botocore speaks to it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("pydantic_monty", reason='the extra "remit[sandbox]" is not installed')
    pytest.importorskip("boto3", reason='the extra "remit[aws]" is not installed')

from tests.adapters.emulator import credentials
from tests.adapters.sandbox.standin import AgentCoreHandler, Service, serving

from remit.adapters.aws.session import Session
from remit.adapters.sandbox import agentcore
from remit.adapters.sandbox.agentcore import AgentCore
from remit.core.errors import ToolError
from remit.ports.sandbox import SandboxFile
from remit.testing.contracts.sandbox import SandboxContract


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The service, as botocore's model says it is."""
    credentials(monkeypatch)
    with serving(AgentCoreHandler, agentcore.WORK) as service:
        yield service
        assert service.machines == {}, "a session was left behind"


def opened(service: Service) -> AgentCore:
    """The adapter, pointed at the stand-in."""
    return AgentCore(Session(region="us-east-1", endpoint_url=service.url))


class TestContract(SandboxContract):
    """Over real sockets and real botocore."""

    @pytest.fixture
    def sandbox(self, service: Service) -> AgentCore:
        return opened(service)


async def test_files_in_folders_are_found(service: Service) -> None:
    """However deep they lie, and whatever their bytes."""
    given = [SandboxFile("a/b/in.txt", b"x")]
    code = "open('a/b/out.bin', 'wb').write(b'\\xff\\x00')\nopen('a/out.txt', 'w').write('y')"
    outcome = await opened(service).run(code, files=given)
    assert {f.name: f.data for f in outcome.files} == {"a/b/out.bin": b"\xff\x00", "a/out.txt": b"y"}


async def test_a_refusal_is_an_error_without_the_service_s_words(service: Service) -> None:
    """Nothing ran, and details of the answer are not in the error."""
    service.status = 403
    with pytest.raises(ToolError) as raised:
        await opened(service).run("1")
    assert raised.value.code == "E914"
    assert "secret-detail" not in str(raised.value)
