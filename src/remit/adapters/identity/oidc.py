"""An OpenID provider: the authorization code flow with PKCE, and the checks of OpenID Connect Core 3.1.3.7 on its ID token.

Nothing that the browser brings back counts before the provider itself has confirmed it over TLS, and signed it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import jwt
import msgspec
from msgspec import Struct

from remit.core.errors import ConfigError, DeniedError
from remit.ports.clock import Clock

if TYPE_CHECKING:
    import httpx

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures that only the provider can make: no `none`, and none by a secret that both sides know."""

TIMEOUT_S = 10.0
LARGEST = 1_048_576
"""Bytes of an answer of the provider."""

FRESH_S = 3600.0
"""For so long the provider's description and keys are kept."""

AGAIN_S = 60.0
"""A token signed by an unknown key has the keys read again, not more often than this."""

LEEWAY_S = 60
"""How far the provider's clock and ours may differ."""


class Started(Struct, frozen=True):
    """A sign-in under way: where to send the browser, and `secret`, which only that browser may keep."""

    url: str
    secret: str


class _Provider(Struct, frozen=True):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class OpenIdProvider:
    """The provider `issuer`, at which we are `client_id`. `client_secret` gives an empty text for a public client."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        client_secret: Callable[[], str],
        scopes: tuple[str, ...],
        clock: Clock,
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._scopes = scopes
        self._clock = clock
        self._lock = asyncio.Lock()
        self._provider: _Provider | None = None
        self._keys: dict[str, dict[str, Any]] = {}
        self._read_at = self._keys_at = 0.0

    async def start(self, secret: str, redirect_uri: str) -> Started:
        """Where the browser signs in. `secret` is fresh; state, nonce and verifier are made of it. Raises ConfigError E1055."""
        provider = await self._described()
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(dict.fromkeys(("openid", *self._scopes))),
            "state": _derived(secret, "state"),
            "nonce": _derived(secret, "nonce"),
            "code_challenge": _encoded(hashlib.sha256(_derived(secret, "verifier").encode()).digest()),
            "code_challenge_method": "S256",
        }
        mark = "&" if urlsplit(provider.authorization_endpoint).query else "?"
        return Started(f"{provider.authorization_endpoint}{mark}{urlencode(asked, quote_via=quote)}", secret)

    async def finish(self, secret: str, returned: Mapping[str, str], redirect_uri: str) -> dict[str, Any]:
        """The claims of whoever came back with the query `returned`. Raises DeniedError E1056, ConfigError E1055."""
        if not secret or not hmac.compare_digest(_derived(secret, "state"), returned.get("state", "")):
            raise _refused("this answer belongs to no sign-in of this browser")
        if returned.get("error"):
            raise _refused(f"the provider says `{returned['error'][:100]}`")
        provider = await self._described()
        if "iss" in returned and returned["iss"] != provider.issuer:
            raise _refused("the answer is another provider's")
        token = await self._token(provider, returned.get("code", ""), secret, redirect_uri)
        return await self._checked(provider, token, _derived(secret, "nonce"))

    async def _token(self, provider: _Provider, code: str, secret: str, redirect_uri: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self._client_id,
            "code_verifier": _derived(secret, "verifier"),
        }
        headers = {"accept": "application/json"}
        own = self._client_secret()
        if own and "client_secret_basic" in provider.token_endpoint_auth_methods_supported:
            pair = f"{quote(self._client_id, safe='')}:{quote(own, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif own:
            form["client_secret"] = own
        status, answer = await self._ask("POST", provider.token_endpoint, headers, form)
        token = answer.get("id_token")
        if status != 200 or not isinstance(token, str):
            raise _refused("the provider does not confirm the sign-in")
        return token

    async def _checked(self, provider: _Provider, token: str, nonce: str) -> dict[str, Any]:
        """The claims of an ID token that is genuine, meant for us and of this sign-in."""
        try:
            head = jwt.get_unverified_header(token)
            algorithm = str(head.get("alg"))
            if algorithm not in ALGORITHMS:
                raise _refused("the token has no signature that counts")
            key = await self._key(provider, str(head.get("kid", "")))
            if key.get("alg", algorithm) != algorithm:
                raise _refused("the token is signed in another way than its key says")
            claims: dict[str, Any] = jwt.decode(
                token,
                jwt.PyJWK(key, algorithm),
                algorithms=[algorithm],
                audience=self._client_id,
                issuer=provider.issuer,
                options={
                    "require": ["exp", "iat", "aud", "iss", "sub"],
                    "verify_exp": False,  # the clock port says what time it is, below
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            raise _refused("the token is not genuine, or not for this Remit") from error
        now = self._clock.now() // 1000
        if not _is_time(claims["exp"]) or claims["exp"] + LEEWAY_S <= now:
            raise _refused("the token is over")
        if any(_is_time(claims.get(name)) and claims[name] - LEEWAY_S > now for name in ("iat", "nbf")):
            raise _refused("the token is of a time to come")
        audience = claims["aud"]
        if claims.get("azp", self._client_id) != self._client_id or (
            isinstance(audience, list) and len(audience) > 1 and "azp" not in claims
        ):
            raise _refused("the token was made for somebody else")
        if not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
            raise _refused("the token is of another sign-in")
        return claims

    async def _described(self) -> _Provider:
        async with self._lock:
            now = self._clock.monotonic()
            if self._provider is None or now - self._read_at > FRESH_S:
                url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
                status, answer = await self._ask("GET", url)
                try:
                    found = msgspec.convert(answer, _Provider, strict=False)
                except msgspec.ValidationError as error:
                    raise self._unusable(f"says nothing of use at {url} (status {status})") from error
                if found.issuer != self._issuer:
                    raise self._unusable(f"calls itself `{found.issuer[:200]}`")
                for each in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                    self._check_address(each)
                self._provider, self._read_at = found, now
            return self._provider

    async def _key(self, provider: _Provider, kid: str) -> dict[str, Any]:
        async with self._lock:
            now = self._clock.monotonic()
            age = now - self._keys_at
            if not self._keys or age > FRESH_S or (kid not in self._keys and age > AGAIN_S):
                _, answer = await self._ask("GET", provider.jwks_uri)
                self._keys, self._keys_at = _keys_of(answer), now
        if kid not in self._keys and not (kid == "" and len(self._keys) == 1):
            raise _refused("the token is signed with a key that the provider does not publish")
        return self._keys[kid] if kid in self._keys else next(iter(self._keys.values()))

    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer; an empty object for whatever else comes. Redirects are not followed."""
        import httpx

        self._check_address(url)
        try:
            async with (
                httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client,
                client.stream(method, url, headers=headers, data=form) as answer,
            ):
                body = await _bounded(answer)
        except httpx.HTTPError as error:
            raise self._unusable(f"cannot be reached: {type(error).__name__}") from error
        try:
            found = msgspec.json.decode(body)
        except msgspec.DecodeError:
            found = {}
        return answer.status_code, found if isinstance(found, dict) else {}

    def _check_address(self, url: str) -> None:
        """Raise ConfigError E1055 unless the address is one of TLS, or of this machine."""
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
            raise self._unusable(f"names `{url[:200]}`, which is not https")

    def _unusable(self, how: str) -> ConfigError:
        return ConfigError(
            f"the OpenID provider `{self._issuer}` {how}",
            code="E1055",
            help="check `[oidc]` in remit.toml, and that this machine reaches the provider",
        )


async def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > LARGEST:
            return b""
    return bytes(body)


def _keys_of(answer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The keys for signatures, by their id."""
    keys = answer.get("keys")
    return {
        str(key.get("kid", "")): key
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, dict) and key.get("use", "sig") == "sig" and key.get("kty") != "oct"
    }


def _derived(secret: str, what: str) -> str:
    """State, nonce and verifier of one sign-in: none of them gives away another one, or the secret."""
    return _encoded(hmac.new(secret.encode(), what.encode(), hashlib.sha256).digest())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _refused(why: str) -> DeniedError:
    return DeniedError(f"the sign-in does not count: {why}", code="E1056", help="sign in again")
