"""What tools ask of the platforms that a tenant has connected (P4): requests, sent with a credential that no tool ever sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct


class RateLimit(Struct, frozen=True):
    """How many requests a platform still takes, and when it counts anew (Unix milliseconds); None where it does not say."""

    remaining: int | None = None
    reset_ts: int | None = None


class PlatformReply(Struct, frozen=True):
    """A platform's answer below 500. `data` is its JSON, None where there is none; `headers`, those that say something, by lower-case name."""

    status: int
    data: Any = None
    headers: dict[str, str] = {}
    rate_limit: RateLimit = RateLimit()

    @property
    def ok(self) -> bool:
        """Whether the platform did what was asked, as far as the status says."""
        return 200 <= self.status < 300


class Connections(Protocol):
    """The platforms that one tenant has connected, by name."""

    def url(self, platform: str) -> str:
        """Where a platform is, without a slash at its end. Raises ConfigError E980 when it is not connected."""

    def dry_run(self, platform: str) -> bool:
        """Whether nothing may be changed there: a tool says what it would send. Raises ConfigError E980."""

    async def request(
        self,
        platform: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        json: Any = None,
        scopes: Sequence[str] = (),
        repository: str = "",
    ) -> PlatformReply:
        """Send a request with a credential that has no more rights than `scopes`, where the platform can narrow it.

        `path` starts with `/`, with its parts percent-encoded; no other host is reached. `repository` narrows it further (GitHub).
        GET reads, anything else changes something. Raises ConfigError E980; ToolError, for what certainly did not happen: E981
        (not reached now, or too many requests), E982 (credential refused), E984 (not allowed to this connection). When it is not
        known whether a change happened it raises something else: Unclear, ConnectionError.
        """


class Unclear(Exception):
    """A platform failed in the middle of a change: nobody knows whether it happened."""
