"""Where platforms are and how they are opened, as settings and what is known of each platform say."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from remit.core.errors import ConfigError

Auth = Literal["token", "app", "client_credentials", "refresh_token"]


class Profile(Struct, frozen=True):
    """What is true of a platform wherever it is. `token_url` that starts with `/` is on the platform itself."""

    url: str = ""
    token_url: str = ""
    headers: dict[str, str] = {}


PROFILES = {
    "github": Profile(
        "https://api.github.com",
        headers={"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"},
    ),
    "slack": Profile("https://slack.com/api", "/oauth.v2.access"),
    "jira": Profile("", "https://auth.atlassian.com/oauth/token"),
    "servicenow": Profile("", "/oauth_token.do"),
}


class Place(Struct, frozen=True, kw_only=True):
    """One platform as one tenant has connected it: addresses complete, without a slash at their ends.

    `user` makes a static token the password of HTTP Basic authentication. `scopes` bound what tools may ask for.
    """

    platform: str
    auth: Auth
    url: str
    token_url: str
    headers: dict[str, str]
    client_id: str
    installation: str
    user: str
    scopes: tuple[str, ...]
    private: bool
    dry_run: bool


def place(
    platform: str,
    *,
    auth: Auth = "token",
    url: str = "",
    token_url: str = "",
    client_id: str = "",
    installation: str = "",
    user: str = "",
    scopes: tuple[str, ...] = (),
    private: bool = False,
    dry_run: bool = False,
) -> Place:
    """A place whose settings are checked and completed. Raises ConfigError E980."""
    profile = PROFILES.get(platform, Profile())
    base = (url or profile.url).rstrip("/")
    where = token_url or profile.token_url
    tokens = base + where if where.startswith("/") else where
    made = Place(
        platform=platform,
        auth=auth,
        url=base,
        token_url=tokens,
        headers=profile.headers,
        client_id=client_id,
        installation=installation,
        user=user,
        scopes=scopes,
        private=private,
        dry_run=dry_run,
    )
    _check(made)
    return made


def _check(made: Place) -> None:
    needed = {
        "url": made.url,
        "client_id": made.auth == "token" or made.client_id,
        "installation": made.auth != "app" or made.installation,
        "token_url": made.auth in ("token", "app") or made.token_url,
    }
    for name, value in needed.items():
        if not value:
            raise _wrong(made, name, "is missing", f"set `{name}` there")
    for name, address in {"url": made.url, "token_url": made.token_url}.items():
        parts = urlsplit(address)
        good = parts.scheme == "https" or (made.private and parts.scheme == "http")
        if address and (not good or not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment):
            raise _wrong(made, name, "is no https address", "write e.g. `https://example.service-now.com`")


def _wrong(made: Place, name: str, what: str, help: str) -> ConfigError:
    return ConfigError(
        f"`{name}` of `connections.{made.platform}` {what}", code="E980", help=f"{help}, in remit.toml"
    )
