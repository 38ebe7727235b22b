"""The platforms that settings connect: one broker for all tenants, places and secrets of each tenant its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

from remit.adapters.connections.broker import Broker
from remit.adapters.connections.grants import StoredGrants
from remit.adapters.connections.places import Place, place
from remit.adapters.connections.tokens import Tokens
from remit.adapters.secrets.minted import MintedSecrets
from remit.adapters.web.addresses import target_of
from remit.adapters.web.wire import TIMEOUT_S, Wire
from remit.core.errors import ConfigError
from remit.core.naming import LOCAL
from remit.engine.tenant_secrets import MARK, TenantSecrets
from remit.ports.clock import Clock
from remit.ports.connections import Connections
from remit.ports.secrets import Secrets
from remit.ports.store import Store
from remit.ports.web import Reply
from remit.settings import Connection


class ConnectionOpener:
    """Opens the connections of a tenant."""

    def __init__(
        self,
        settings: Mapping[str, Connection],
        store: Store,
        clock: Clock,
        secrets: Secrets,
        *,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`timeout_s` bounds one exchange with a platform."""
        self._settings = settings
        self._secrets = secrets
        wires = Wires(timeout_s)
        tokens = Tokens(wires.send, clock, StoredGrants(store), _mint(secrets))
        self._broker = Broker(tokens, wires.send, clock)

    def of(self, tenant_id: str) -> Connections:
        """The platforms as a tenant has connected them, with its own secrets."""
        return self._broker.of(
            tenant_id,
            TenantSecrets(self._secrets, tenant_id),
            lambda platform: place_of(self._settings, tenant_id, platform),
        )


class Wires:
    """Requests to the hosts of platforms: to public addresses, or also to private ones where a connection says so."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s

    async def send(
        self, place: Place, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Reply:
        """Raises ArgumentsError when nothing was sent, ConnectionError afterwards."""
        wire = self._private if place.private else self._public
        answer = await wire.send(method, target_of(url), headers, body)
        return Reply(answer.status, answer.headers, answer.body.decode("utf-8", "replace"), answer.truncated)

    @functools.cached_property
    def _public(self) -> Wire:
        return Wire(ports=None, timeout_s=self._timeout_s)

    @functools.cached_property
    def _private(self) -> Wire:
        return Wire(ports=None, private=True, timeout_s=self._timeout_s)


def place_of(settings: Mapping[str, Connection], tenant_id: str, platform: str) -> Place:
    """A platform as a tenant has connected it: `acme__jira` before `jira` for tenant `acme`. Raises ConfigError E980."""
    own = f"{tenant_id}{MARK}{platform}"
    chosen = settings.get(own) if tenant_id != LOCAL else None
    chosen = chosen or (settings.get(platform) if MARK not in platform else None)
    if chosen is None:
        raise ConfigError(
            f"`{platform[:50]}` is not connected",
            code="E980",
            help=f"add [connections.{platform[:50]}] to remit.toml",
        )
    return place(
        platform,
        auth=chosen.auth,
        url=chosen.url,
        token_url=chosen.token_url,
        client_id=chosen.client_id,
        installation=chosen.installation,
        user=chosen.user,
        scopes=chosen.scopes,
        private=chosen.private,
        dry_run=chosen.dry_run,
    )


def _mint(secrets: Secrets) -> Callable[[str, str], None]:
    """Where tokens become known to whatever redacts. Raises ConfigError: nothing is asked for with a token that is not redacted."""
    if not isinstance(secrets, MintedSecrets):
        raise ConfigError(
            "the secrets of this program take no tokens", code="E980", help="open it by open_app"
        )
    return secrets.mint
