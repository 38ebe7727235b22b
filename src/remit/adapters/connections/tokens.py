"""How a credential is got: an app of GitHub, the grants of OAuth 2.0, or a token that somebody made by hand.

GitHub: "Generating an installation access token for a GitHub App"; OAuth: RFC 6749, 4.4 and 6.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from msgspec import Struct

from remit.adapters.connections.grants import Grant
from remit.adapters.connections.places import Place
from remit.core.errors import ArgumentsError, ConfigError, ToolError
from remit.ports.clock import Clock
from remit.ports.secrets import Secrets
from remit.ports.web import Reply

JWT_S = 540
"""GitHub takes ten minutes at most; a minute of them is for clocks that differ."""

CLOCKS_S = 60

Send = Callable[[Place, str, str, Mapping[str, str], bytes], Awaitable[Reply]]
"""Method, URL, headers, body. Raises ArgumentsError when nothing was sent, ConnectionError afterwards."""


class Credential(Struct, frozen=True):
    """The value of `Authorization`, and when it ends (Unix milliseconds; None: never, as far as is known)."""

    header: str
    expires_ts: int | None = None


class Grants(Protocol):
    """Where rotated refresh tokens are kept: one that was used is worth nothing any more."""

    async def get(self, tenant_id: str, platform: str, key: str) -> Grant | None:
        """The latest grant, which only `key` reads; None where there is none that it reads."""

    async def put(self, tenant_id: str, platform: str, key: str, grant: Grant) -> None:
        """Keep the latest grant."""


class Asked(Struct, frozen=True):
    """For whom and for what a credential is wanted. `fresh`: the one at hand was refused."""

    tenant_id: str
    place: Place
    secrets: Secrets
    scopes: tuple[str, ...] = ()
    repository: str = ""
    fresh: bool = False

    def secret(self, name: str) -> str:
        """A secret of this connection. Raises ConfigError E250."""
        return self.secrets.get(f"{self.place.platform}_{name}")


class Tokens:
    """Gets credentials. `mint` is told every secret that is made, before it is used."""

    def __init__(self, send: Send, clock: Clock, grants: Grants, mint: Callable[[str, str], None]) -> None:
        self._send = send
        self._clock = clock
        self._grants = grants
        self._mint = mint

    async def get(self, asked: Asked) -> Credential:
        """A credential as its connection is set up. Raises ConfigError E250, E980; ToolError E981, E982."""
        match asked.place.auth:
            case "token":
                return self._static(asked)
            case "app":
                return await self._installation(asked)
            case "client_credentials":
                return await self._client(asked)
            case "refresh_token":
                return await self._refreshed(asked)

    def _static(self, asked: Asked) -> Credential:
        token, user = asked.secret("token"), asked.place.user
        if not user:
            return Credential(f"Bearer {token}")
        basic = base64.b64encode(f"{user}:{token}".encode()).decode()
        self._noted(asked, basic)
        return Credential(f"Basic {basic}")

    async def _installation(self, asked: Asked) -> Credential:
        """A token of an installation of a GitHub App, with the rights of this call only."""
        place = asked.place
        jwt = app_jwt(place.client_id, asked.secret("private_key"), self._clock.now() // 1000)
        self._noted(asked, jwt)
        wanted: dict[str, Any] = {}
        if asked.scopes:
            wanted["permissions"] = dict(scope.split(":", 1) for scope in sorted(asked.scopes))
        if asked.repository:
            wanted["repositories"] = [asked.repository.partition("/")[2]]
        url = f"{place.url}/app/installations/{place.installation}/access_tokens"
        headers = {**place.headers, "authorization": f"Bearer {jwt}", "content-type": "application/json"}
        try:
            found = await self._post(asked, url, headers, json.dumps(wanted).encode())
        except _Unprocessable:
            raise _not_installed(asked) from None
        token = _text(found, "token", place)
        self._noted(asked, token)
        return Credential(f"Bearer {token}", _moment(found.get("expires_at"), place))

    async def _client(self, asked: Asked) -> Credential:
        form = {"grant_type": "client_credentials"}
        if asked.place.scopes and asked.scopes:
            form["scope"] = " ".join(asked.scopes)
        found = await self._form(asked, form)
        token = _text(found, "access_token", asked.place)
        self._noted(asked, token)
        return Credential(f"Bearer {token}", self._ends(found))

    async def _refreshed(self, asked: Asked) -> Credential:
        """A token by a refresh token: the one kept from the last time, else the secret."""
        place, key = asked.place, asked.secret("client_secret")
        kept = await self._grants.get(asked.tenant_id, place.platform, key)
        if kept is not None and not asked.fresh and not ends_soon(kept.expires_ts, self._clock.now()):
            self._noted(asked, kept.access_token)
            return Credential(f"Bearer {kept.access_token}", kept.expires_ts)
        grant = await self._renewed(asked, key, kept)
        self._noted(asked, grant.access_token)
        return Credential(f"Bearer {grant.access_token}", grant.expires_ts)

    async def _renewed(self, asked: Asked, key: str, kept: Grant | None) -> Grant:
        """A grant by the refresh token of the one that was kept; else another process's, else one by the secret."""
        platform = asked.place.platform
        try:
            grant = await self._refresh(asked, kept.refresh_token if kept else asked.secret("refresh_token"))
        except ToolError as error:
            if error.code != "E982":
                raise
            # Another process may have used the refresh token a moment ago, and kept what it got for it.
            other = await self._grants.get(asked.tenant_id, platform, key)
            if other is not None and other != kept:
                return other
            if kept is None:
                raise
            # Or somebody has connected the platform anew.
            grant = await self._refresh(asked, asked.secret("refresh_token"))
        await self._grants.put(asked.tenant_id, platform, key, grant)
        return grant

    async def _refresh(self, asked: Asked, token: str) -> Grant:
        self._noted(asked, token)
        found = await self._form(asked, {"grant_type": "refresh_token", "refresh_token": token})
        access, following = _text(found, "access_token", asked.place), found.get("refresh_token") or token
        if not isinstance(following, str):
            raise _not_understood(asked.place)
        self._noted(asked, access)
        self._noted(asked, following)
        return Grant(access, self._ends(found), following)

    async def _form(self, asked: Asked, form: Mapping[str, str]) -> dict[str, Any]:
        given = {**form, "client_id": asked.place.client_id, "client_secret": asked.secret("client_secret")}
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        return await self._post(asked, asked.place.token_url, headers, urlencode(given).encode())

    async def _post(self, asked: Asked, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        place = asked.place
        try:
            reply = await self._send(place, "POST", url, headers, body)
        except (ArgumentsError, ConnectionError) as error:
            raise unreached(place, error) from None
        if reply.status == 429 or reply.status >= 500:
            raise unreached(place, f"its address for tokens answers {reply.status}")
        try:
            found = msgspec.json.decode(reply.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            found = None
        if reply.status == 422:
            raise _Unprocessable(
                f"{place.platform} gives no token (status 422)", code="E982", help=_help(place)
            )
        if not 200 <= reply.status < 300 or (isinstance(found, dict) and found.get("ok") is False):
            raise refused(place, f"gives no token (status {reply.status})")
        if not isinstance(found, dict):
            raise _not_understood(place)
        return found

    def _ends(self, found: Mapping[str, Any]) -> int:
        """When a token ends; one that does not say is taken for one of five minutes."""
        lasts = found.get("expires_in", 300)
        return self._clock.now() + 1000 * (int(lasts) if str(lasts).isdecimal() else 300)

    def _noted(self, asked: Asked, value: str) -> None:
        name = (asked.tenant_id, asked.place.platform, asked.repository, *asked.scopes)
        self._mint(" ".join(name), value)


class _Unprocessable(ToolError):
    """What was asked for is none that can be given."""


def ends_soon(expires_ts: int | None, now: int) -> bool:
    """Whether a credential is good for less than a minute."""
    return expires_ts is not None and expires_ts - now < 60_000


def app_jwt(client_id: str, private_key: str, now_s: int) -> str:
    """The token by which a GitHub App shows that it is itself: JWT (RFC 7519), RS256. Raises ConfigError E980."""
    try:
        key = serialization.load_pem_private_key(private_key.replace("\\n", "\n").encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(
            "the private key of the GitHub App is no RSA key in PEM form",
            code="E980",
            help="make one on the app's page, and set the secret `github_private_key` to the whole file",
        )
    claims = {"iat": now_s - CLOCKS_S, "exp": now_s + JWT_S, "iss": client_id}
    head = b".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    signature = key.sign(head, padding.PKCS1v15(), hashes.SHA256())
    return (head + b"." + _encoded(signature)).decode()


def unreached(place: Place, why: object) -> ToolError:
    """A failure in which nothing happened, and that may pass."""
    what = getattr(why, "message", str(why))
    return ToolError(
        f"{place.platform} cannot be asked now: {what}", code="E981", help="try again later", retryable=True
    )


def _not_installed(asked: Asked) -> ArgumentsError:
    wanted = ", ".join(asked.scopes) or "what is wanted"
    return ArgumentsError(
        f"the GitHub App is not installed on `{asked.repository}`, or may not do {wanted} there",
        code="E983",
        help="check the name, or have the app's installation widened",
    )


def refused(place: Place, what: str) -> ToolError:
    """The failure of a credential. What the platform says of it is not repeated: it may hold the credential."""
    return ToolError(
        f"{place.platform} {what}",
        code="E982",
        help=_help(place),
    )


def _help(place: Place) -> str:
    return f"check the secrets of `connections.{place.platform}`: `remit connections test {place.platform}`"


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _text(found: Mapping[str, Any], name: str, place: Place) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise _not_understood(place)
    return value


def _moment(text: Any, place: Place) -> int:
    try:
        return round(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        raise _not_understood(place) from None


def _not_understood(place: Place) -> ToolError:
    return refused(place, "gives no token that is understood")
