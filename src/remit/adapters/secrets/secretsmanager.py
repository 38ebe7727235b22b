"""Secrets in AWS Secrets Manager: `DEPLOYMENT/TENANT/name`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remit.adapters.secrets.cached import TTL_S, CachedSecrets, Value
from remit.core import aws
from remit.ports.clock import Clock

_GONE = ("ResourceNotFoundException", "InvalidRequestException")
"""Nothing there, or marked for deletion."""


class SecretsManagerSecrets(CachedSecrets):
    """The secrets of a deployment. `clients(service)` is a boto3 client."""

    def __init__(
        self, clients: Callable[..., Any], clock: Clock, deployment: str, *, ttl_s: float = TTL_S
    ) -> None:
        super().__init__(SecretsManager(clients, deployment), clock, ttl_s=ttl_s)


class SecretsManager:
    """Secrets Manager as a vault."""

    def __init__(self, clients: Callable[..., Any], deployment: str) -> None:
        self._clients = clients
        self._deployment = deployment

    def place(self, tenant_id: str, name: str) -> str:
        """The name of the secret."""
        return f"{self._deployment}/{tenant_id}/{name}"

    def read(self, place: str, known: str) -> Value | None:
        """The current version, and the previous one when the current one is new to us."""
        current = self._version(place, "AWSCURRENT")
        if current is None or current.version == known:
            return current
        before = self._version(place, "AWSPREVIOUS")
        return Value(current.text, current.version, before.text if before else "")

    def advice(self, place: str) -> str:
        """With AWS's own tool."""
        return f"aws secretsmanager create-secret --name {place} --secret-string VALUE"

    def _version(self, place: str, stage: str) -> Value | None:
        try:
            found = self._clients("secretsmanager").get_secret_value(SecretId=place, VersionStage=stage)
        except Exception as error:
            if aws.code_of(error) in _GONE:
                return None
            raise aws.failure(error, "secretsmanager:GetSecretValue", f"secret `{place}`") from None
        text = found.get("SecretString")
        return Value(text if text is not None else found["SecretBinary"].decode(), found["VersionId"])
