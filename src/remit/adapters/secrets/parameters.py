"""Secrets in the Parameter Store of AWS Systems Manager: `/DEPLOYMENT/TENANT/name`, of type SecureString."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remit.adapters.secrets.cached import TTL_S, CachedSecrets, Value
from remit.core import aws
from remit.ports.clock import Clock


class ParameterSecrets(CachedSecrets):
    """The secrets of a deployment. `clients(service)` is a boto3 client."""

    def __init__(
        self, clients: Callable[..., Any], clock: Clock, deployment: str, *, ttl_s: float = TTL_S
    ) -> None:
        super().__init__(ParameterStore(clients, deployment), clock, ttl_s=ttl_s)


class ParameterStore:
    """The Parameter Store as a vault."""

    def __init__(self, clients: Callable[..., Any], deployment: str) -> None:
        self._clients = clients
        self._deployment = deployment

    def place(self, tenant_id: str, name: str) -> str:
        """The name of the parameter."""
        return f"/{self._deployment}/{tenant_id}/{name}"

    def read(self, place: str, known: str) -> Value | None:
        """The newest version, and the one before when the newest is new to us."""
        current = self._parameter(place)
        if current is None or current.version == known or current.version == "1":
            return current
        before = self._parameter(f"{place}:{int(current.version) - 1}")
        return Value(current.text, current.version, before.text if before else "")

    def advice(self, place: str) -> str:
        """With AWS's own tool."""
        return f"aws ssm put-parameter --type SecureString --name {place} --value VALUE"

    def _parameter(self, place: str) -> Value | None:
        try:
            found = self._clients("ssm").get_parameter(Name=place, WithDecryption=True)["Parameter"]
        except Exception as error:
            if aws.code_of(error) in ("ParameterNotFound", "ParameterVersionNotFound"):
                return None
            raise aws.failure(error, "ssm:GetParameter", f"parameter `{place}`") from None
        return Value(found["Value"], str(found["Version"]))
