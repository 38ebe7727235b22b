"""Secrets Manager and the Parameter Store, on an emulator over real sockets; `eval "$(scripts/ci/ministack.sh)"` starts it."""

from __future__ import annotations

import secrets as random
from collections.abc import Callable
from typing import Any

import pytest
from tests.adapters.emulator import REGION, FailingAws, clients, credentials

from remit.adapters.aws.session import Session
from remit.adapters.secrets.cached import TTL_S, CachedSecrets
from remit.adapters.secrets.parameters import ParameterSecrets
from remit.adapters.secrets.secretsmanager import SecretsManagerSecrets
from remit.core.errors import ConfigError, RemitError, StoreError
from remit.engine.tenant_secrets import TenantSecrets
from remit.testing.clock import FakeClock

__all__ = ["clients"]

service = pytest.mark.service
BOTH = pytest.mark.parametrize("kind", [SecretsManagerSecrets, ParameterSecrets])
Make = Callable[..., CachedSecrets]


def put(clients: Session, kind: Make, place: str, text: str) -> None:
    """Set a secret as an operator would, or rotate it."""
    if kind is ParameterSecrets:
        clients("ssm").put_parameter(Name=f"/{place}", Value=text, Type="SecureString", Overwrite=True)
        return
    manager: Any = clients("secretsmanager")
    try:
        manager.create_secret(Name=place, SecretString=text)
    except manager.exceptions.ResourceExistsException:
        manager.put_secret_value(SecretId=place, SecretString=text)


@service
@BOTH
def test_a_rotated_secret_is_used_when_its_time_is_up(clients: Session, kind: Make) -> None:
    """The new version takes over, and old and new stay known for redaction."""
    name, clock = f"remit-{random.token_hex(4)}", FakeClock()
    put(clients, kind, f"{name}/local/token", "first-value")
    found = kind(clients, clock, name)
    assert found.get("token") == "first-value"
    put(clients, kind, f"{name}/local/token", "second-value")
    assert found.get("token") == "first-value"
    clock.advance(TTL_S)
    assert found.get("token") == "second-value"
    assert set(found.known()) == {"first-value", "second-value"}


@service
@BOTH
def test_a_process_that_comes_later_knows_the_value_before(clients: Session, kind: Make) -> None:
    """It may stand in what was written before the rotation."""
    name = f"remit-{random.token_hex(4)}"
    for text in ("first-value", "second-value", "third-value"):
        put(clients, kind, f"{name}/local/token", text)
    found = kind(clients, FakeClock(), name)
    assert found.get("token") == "third-value"
    assert set(found.known()) == {"second-value", "third-value"}


@service
@BOTH
def test_tenants_and_deployments_are_apart(clients: Session, kind: Make) -> None:
    """`NAME/TENANT/secret`: each tenant finds its own, and nothing of another deployment's."""
    name = f"remit-{random.token_hex(4)}"
    put(clients, kind, f"{name}/local/token", "of-the-deployment")
    put(clients, kind, f"{name}/acme/token", "of-acme-alone")
    found = kind(clients, FakeClock(), name)
    assert TenantSecrets(found, "acme").get("token") == "of-acme-alone"
    assert TenantSecrets(found, "local").get("token") == "of-the-deployment"
    for tenant in ("other", "acm"):
        with pytest.raises(ConfigError, match="is not set"):
            TenantSecrets(found, tenant).get("token")
    with pytest.raises(ConfigError) as raised:
        kind(clients, FakeClock(), f"{name}x").get("token")
    assert raised.value.code == "E250"
    assert f"--name {'/' if kind is ParameterSecrets else ''}{name}x/local/token" in raised.value.help


@service
def test_a_secret_marked_for_deletion_is_gone(clients: Session) -> None:
    """Though AWS keeps it for some days."""
    name, clock = f"remit-{random.token_hex(4)}", FakeClock()
    put(clients, SecretsManagerSecrets, f"{name}/local/token", "first-value")
    found = SecretsManagerSecrets(clients, clock, name)
    assert found.get("token") == "first-value"
    clients("secretsmanager").delete_secret(SecretId=f"{name}/local/token", RecoveryWindowInDays=7)
    clock.advance(TTL_S)
    with pytest.raises(ConfigError, match="is not set"):
        found.get("token")


@service
def test_a_secret_of_bytes(clients: Session) -> None:
    """Is its text."""
    name = f"remit-{random.token_hex(4)}"
    clients("secretsmanager").create_secret(Name=f"{name}/local/token", SecretBinary=b"byte-value")
    assert SecretsManagerSecrets(clients, FakeClock(), name).get("token") == "byte-value"


@BOTH
@pytest.mark.parametrize(
    ("answer", "raises", "code"),
    [
        ((400, "AccessDeniedException"), ConfigError, "E657"),
        ((400, "UnrecognizedClientException"), ConfigError, "E657"),
        ((400, "ThrottlingException"), StoreError, "E658"),
        ((500, "InternalServiceError"), StoreError, "E658"),
        ("hang up", StoreError, "E658"),
    ],
)
def test_what_aws_refuses_is_told(
    monkeypatch: pytest.MonkeyPatch,
    kind: Make,
    answer: tuple[int, str] | str,
    raises: type[RemitError],
    code: str,
) -> None:
    """By the secret's name and the right that is missing; whether to try again shows in the kind of error."""
    pytest.importorskip("boto3")
    credentials(monkeypatch)
    with FailingAws(answer) as server:
        session = Session(region=REGION, endpoint_url=server.url)
        with pytest.raises(raises, match="remit-dev/local/token") as raised:
            kind(lambda service: session(service, attempts=1), FakeClock(), "remit-dev").get("token")
    assert raised.value.code == code
    if code == "E657":
        assert ":Get" in raised.value.help
