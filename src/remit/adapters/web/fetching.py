"""Pages of the public web as text."""

from __future__ import annotations

import asyncio
from urllib.parse import urljoin

from remit.adapters.web.addresses import Target, shown, target_of
from remit.adapters.web.text import MARKED_UP, clean, decoded, is_readable, media_type_of, unreadable
from remit.adapters.web.wire import Answer, Broken, Wire
from remit.core.errors import ArgumentsError, InputError
from remit.ports.extraction import Extraction
from remit.ports.web import Page

MOST_REDIRECTS = 5
TIMEOUT_S = 30.0
"""For all exchanges on the way to a page together."""

_REDIRECTS = (301, 302, 303, 307, 308)
_ACCEPTED = {
    "Accept": "text/html,application/xhtml+xml,text/plain,application/json,application/pdf;q=0.9,text/*;q=0.8"
}


class Fetcher:
    """Reads pages: every address on the way is checked anew, and a page that fails is the fault of its address.

    `extraction` reads HTML and PDF; it has to bear hostile files.
    """

    def __init__(
        self, extraction: Extraction, wire: Wire | None = None, *, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._extraction = extraction
        self._wire = wire or Wire()
        self._timeout_s = timeout_s

    async def fetch(self, url: str) -> Page:
        """A page as text.

        Raises ArgumentsError: E920 for an address that may not be fetched, E921 not reached, E922 what its server says,
        E923 not readable.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                target, answer = await self._followed(target_of(url))
        except TimeoutError:
            raise _broken(f"`{shown(url)}` took longer than {self._timeout_s:g} s") from None
        if answer.status != 200:
            raise _failed(target, f"answers {answer.status}", again=answer.status in (429, 503))
        media_type, charset = media_type_of(answer.headers.get("content-type", ""))
        if not is_readable(media_type):
            raise unreadable(f"it is `{media_type[:60] or 'of no type'}`, not text")
        title, text = await self._read(answer, media_type, charset)
        return Page(target.url, title, text, media_type, answer.truncated)

    async def _read(self, answer: Answer, media_type: str, charset: str) -> tuple[str, str]:
        """Title and text of a page; the title is empty where it has none."""
        if media_type not in MARKED_UP:
            return "", clean(decoded(answer.body, charset))
        data, named = answer.body, media_type
        if media_type.endswith("html") or media_type.endswith("+xml"):
            data, named = decoded(data, charset, html=True).encode(), f"{media_type}; charset=utf-8"
        elif answer.truncated:
            raise unreadable("it is too large")
        try:
            found = await self._extraction.extract(data, media_type=named)
        except InputError as error:
            raise unreadable(error.message) from None
        return found.title, found.text

    async def _followed(self, target: Target) -> tuple[Target, Answer]:
        """The answer at the end of the redirects."""
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._get(target)
            if answer.status not in _REDIRECTS:
                return target, answer
            try:
                there = urljoin(target.url, answer.headers.get("location", ""))
            except ValueError:
                raise _failed(target, "redirects to no address") from None
            target = target_of(there)
        raise _failed(target, f"is behind more than {MOST_REDIRECTS} redirects")

    async def _get(self, target: Target) -> Answer:
        try:
            return await self._wire.send("GET", target, _ACCEPTED)
        except Broken as error:
            raise _broken(str(error)) from None


def _failed(target: Target, what: str, *, again: bool = False) -> ArgumentsError:
    return ArgumentsError(
        f"`{shown(target.url)}` {what}",
        code="E922",
        help="check the address, or read another page",
        retryable=again,
    )


def _broken(what: str) -> ArgumentsError:
    return ArgumentsError(what, code="E921", help="read another page", retryable=True)
