"""What the tools of all platforms have in common: tiers, the one envelope of answers, dry runs and the wording of refusals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal
from urllib.parse import quote

from msgspec import Meta, Struct

from remit.sdk import (
    ArgumentsError,
    Connections,
    FunctionTool,
    PlatformReply,
    RateLimit,
    ToolContext,
    tool,
)
from remit_packs.tools.facilities import using

TIMEOUT_S = 60.0
"""Of one attempt. After a crash, that a change did not happen is believed no sooner than this after it was begun."""

EARLIER_S = 300
"""By so much a platform's clock may be behind ours: what a call did is looked for from that long before it began."""

MOST_PAGES = 10
"""That are looked through for what a call did; after that it cannot be said, and a person is asked."""

RECIPIENT = {"x-remit-role": "recipient"}
NO_ROLE = {"x-remit-role": "none"}

DryRun = Annotated[bool, Meta(description="Only say what would be sent.")]
Limit = Annotated[int, Meta(ge=1, le=100, description="At most so many.")]


class PlatformAnswer(Struct, frozen=True, kw_only=True):
    """The answer of every tool. `id` and `url` are those of what was read or made; `data` is what the platform says of it.

    In a dry run nothing was sent, `status` is 0 and `data` says what would have been. `next` gets the next page, empty at the end.
    """

    platform: str
    operation: str
    status: int
    id: str = ""
    url: str = ""
    data: Any = None
    dry_run: bool = False
    rate_limit: RateLimit = RateLimit()
    next: str = ""


class Change(Struct, frozen=True, kw_only=True):
    """A request that changes something."""

    method: str
    path: str
    json: Any = None
    query: Mapping[str, str | int] | None = None
    scopes: tuple[str, ...] = ()
    repository: str = ""


class Api:
    """One platform, as a call of a tool may use it."""

    def __init__(self, platform: str, connections: Connections, context: ToolContext) -> None:
        self.platform = platform
        self.context = context
        self._connections = connections

    @property
    def url(self) -> str:
        """Where the platform is."""
        return self._connections.url(self.platform)

    def is_dry(self, dry_run: bool) -> bool:
        """Whether nothing is to be sent: the call says so, or the connection."""
        return dry_run or self._connections.dry_run(self.platform)

    async def get(
        self,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        scopes: tuple[str, ...] = (),
        repository: str = "",
    ) -> PlatformReply:
        """Read something. Raises ArgumentsError E983 when the platform refuses."""
        return checked(self.platform, await self.find(path, query, scopes=scopes, repository=repository))

    async def find(
        self,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        scopes: tuple[str, ...] = (),
        repository: str = "",
    ) -> PlatformReply:
        """Read something that need not be there: the answer is given whatever its status."""
        return await self._connections.request(
            self.platform, "GET", path, query=query, scopes=scopes, repository=repository
        )

    async def send(self, change: Change) -> PlatformReply:
        """Change something. Raises ArgumentsError E983 when the platform refuses."""
        reply = await self._connections.request(
            self.platform,
            change.method,
            change.path,
            query=change.query,
            json=change.json,
            scopes=change.scopes,
            repository=change.repository,
        )
        return checked(self.platform, reply)

    def answer(
        self,
        operation: str,
        reply: PlatformReply,
        data: Any,
        *,
        id: object = "",
        url: str = "",
        next: str = "",
    ) -> PlatformAnswer:
        """The envelope of what was done."""
        return PlatformAnswer(
            platform=self.platform,
            operation=operation,
            status=reply.status,
            id=str(id),
            url=url,
            data=data,
            rate_limit=reply.rate_limit,
            next=next,
        )

    def would_send(self, operation: str, *changes: Change) -> PlatformAnswer:
        """The envelope of a dry run: what would have been sent, word for word."""
        sent = [
            {
                "method": change.method,
                "url": self.url + change.path,
                "query": dict(change.query or {}),
                "body": change.json,
            }
            for change in changes
        ]
        return PlatformAnswer(
            platform=self.platform,
            operation=operation,
            status=0,
            data={"would_send": sent},
            dry_run=True,
        )


@contextmanager
def connected(context: ToolContext, platform: str) -> Iterator[Api]:
    """A platform for one call. What is not connected is a failure in which nothing happened."""
    with using(context) as facilities:
        yield Api(platform, facilities.connections, context)


def reading(platform: str, *, outward: bool = False) -> Callable[[Callable[..., Any]], FunctionTool]:
    """Decorator: a tool of tier 0. `outward` where a query carries words of the caller to the platform."""
    return tool(risk="L0", trust="untrusted", outward=outward, timeout_s=TIMEOUT_S, tags=_tags(0, platform))


def writing(
    platform: str, *, risk: Literal["L1", "L2"] = "L1"
) -> Callable[[Callable[..., Any]], FunctionTool]:
    """Decorator: a tool of tier 1, a bounded write; L2 where people read it who may be strangers, or cannot un-read it."""
    return tool(risk=risk, trust="untrusted", timeout_s=TIMEOUT_S, tags=_tags(1, platform))


def privileged(platform: str) -> Callable[[Callable[..., Any]], FunctionTool]:
    """Decorator: a tool of tier 2, which always waits for a person."""
    return tool(risk="L3", trust="untrusted", timeout_s=TIMEOUT_S, tags=_tags(2, platform))


def checked(platform: str, reply: PlatformReply) -> PlatformReply:
    """The answer, if the platform did what was asked. Raises ArgumentsError E983."""
    if reply.ok:
        return reply
    what, help = _REFUSALS.get(reply.status, ("does not take the request", "mend the arguments"))
    raise refusal(f"{platform} {what} ({reply.status}{_said(reply.data)})", help)


def refusal(what: str, help: str) -> ArgumentsError:
    """What a platform refuses: nothing happened."""
    return ArgumentsError(what, code="E983", help=help)


def picked(value: Any, *names: str) -> dict[str, Any]:
    """Some fields of a JSON object, those that it has."""
    return {name: value[name] for name in names if isinstance(value, dict) and value.get(name) is not None}


def listed(value: Any, name: str = "") -> list[Any]:
    """A JSON array, or that in a field of an object; empty where there is none."""
    found = value.get(name) if name and isinstance(value, dict) else value
    return found if isinstance(found, list) else []


def field(value: Any, *names: str) -> Any:
    """What is in an object in an object; an empty text where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else value


def part(text: str) -> str:
    """A part of a path."""
    return quote(text, safe="")


def _tags(tier: int, platform: str) -> tuple[str, ...]:
    return f"tier:{tier}", f"platform:{platform}"


_REFUSALS = {
    400: ("does not understand the request", "mend the arguments"),
    403: ("does not allow this", "ask for what this connection may do, or have its rights widened"),
    404: ("has nothing there, or does not show it", "check the names and numbers"),
    405: ("does not allow this now", "look at its state first"),
    409: ("says that something else is in the way", "read it again, and decide again"),
    410: ("has it no longer", "check the names and numbers"),
    422: ("does not accept the values", "mend the arguments"),
}


def _said(data: Any) -> str:
    """What a platform says of a failure: GitHub, Jira and ServiceNow have a field each. It is foreign text, kept short."""
    said = [field(data, "message"), field(data, "error", "message"), field(data, "error", "detail")]
    said += listed(data, "errorMessages")
    errors = field(data, "errors")
    said += errors.values() if isinstance(errors, dict) else [field(e, "message") for e in listed(errors)]
    text = "; ".join(re.sub(r"\s+", " ", s)[:200] for s in said if isinstance(s, str) and s)
    return f": {text[:400]}" if text else ""
