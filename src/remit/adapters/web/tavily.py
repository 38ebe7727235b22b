"""Search of the web by Tavily's HTTP API, or a service that speaks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from ssl import SSLContext
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from remit.adapters.web.querying import checked, snippet_of
from remit.core.errors import ToolError
from remit.ports.web import Hit

if TYPE_CHECKING:
    import httpx

MOST_CHARS = 400
"""Of a query; the service takes no more."""

MOST_BYTES = 4 * 2**20
TIMEOUT_S = 20.0


class _Result(Struct):
    url: str
    title: str = ""
    content: str = ""
    score: float = 0.0
    published_date: str | None = None


class _Found(Struct):
    results: list[_Result]


_decoder = msgspec.json.Decoder(_Found)


class TavilySearch:
    """`POST {base_url}/search` with a bearer key, which is asked for at the last moment.

    Each search is one request; whether it is repeated is for the caller to say, since every one costs a credit.
    """

    def __init__(
        self,
        key: Callable[[], str],
        *,
        base_url: str = "https://api.tavily.com",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._key = key
        self._url = base_url.rstrip("/") + "/search"
        self._timeout_s = timeout_s

    async def search(self, query: str, *, limit: int = 5) -> list[Hit]:
        """The best pages first. Raises ToolError E924 (refused) or E925 (no answer now), ArgumentsError E928 for no query."""
        asked = {
            "query": checked(query, limit)[:MOST_CHARS],
            "max_results": limit,
            "search_depth": "basic",
            "include_answer": False,
            "include_raw_content": False,
            "include_images": False,
        }
        data = await self._posted(msgspec.json.encode(asked))
        try:
            found = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise _no_answer("is none that is understood") from None
        return [_hit(result) for result in found.results[:limit]]

    async def _posted(self, body: bytes) -> bytes:
        import httpx

        headers = {"Authorization": f"Bearer {self._key()}", "Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=self._timeout_s) as http,
                http.stream("POST", self._url, content=body, headers=headers) as response,
            ):
                if response.status_code != 200:
                    raise _refusal(response.status_code)
                return await _body(response)
        except TimeoutError:
            raise _no_answer(f"did not come within {self._timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise _no_answer(f"did not come ({type(error).__name__})") from None

    @cached_property
    def _tls(self) -> SSLContext:
        """Made once: it takes longer than a search."""
        import httpx

        return httpx.create_ssl_context(trust_env=False)


async def _body(response: httpx.Response) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MOST_BYTES:
            raise _no_answer("is too large")
    return bytes(data)


def _hit(result: _Result) -> Hit:
    return Hit(
        title=" ".join(result.title.split())[:200] or result.url[:200],
        url=result.url,
        snippet=snippet_of(result.content),
        score=result.score,
        published=result.published_date or "",
    )


_REFUSALS = {
    400: ("does not take the query", "ask shorter, in plain words"),
    401: ("does not know the key", "set the secret `tavily_api_key` to a valid key"),
    403: ("does not allow the search", "check what the key and the address of the request may do"),
    432: ("says that the plan's limit is reached", "raise the limit of the key or the plan"),
    433: ("says that the pay-as-you-go limit is reached", "raise the limit"),
}


def _refusal(status: int) -> ToolError:
    """What a status means. Its text is not repeated: it comes from outside."""
    if status in (408, 429) or status >= 500:
        return _no_answer(f"is {status}")
    what, help = _REFUSALS.get(status, (f"answers {status}", "check `web.tavily_url` in remit.toml"))
    return ToolError(f"the search service {what}", code="E924", help=help)


def _no_answer(what: str) -> ToolError:
    return ToolError(
        f"the answer of the search service {what}", code="E925", help="it is tried again", retryable=True
    )
