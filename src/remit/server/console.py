"""The console's files at `/`: compressed, kept by browsers as long as their names say, and under a policy that lets nothing else in.

A file is read when it is asked for and it has changed, so a server that runs shows what was built meanwhile.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any, NamedTuple

from starlette.responses import Response

import remit
from remit.settings import Settings

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""No script of a page, none from elsewhere, and no request to elsewhere. Styles are set by the components while they run."""

HEADERS = {
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
EMBEDDED = frozenset({"widget.js"})
"""What pages of other sites may load: the chat that a customer puts on theirs."""

FOR_EVER = "public, max-age=31536000, immutable"
"""For what has a hash of its content in its name."""

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
"""What is served; a file of any other kind is not."""

COMPRESSED = frozenset({".html", ".js", ".css", ".svg", ".json", ".txt"})
WORTH = 1024
"""Bytes from which compressing pays."""

ABSENT = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Remit: no console yet</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}code{font-size:1em}</style></head>
<body><h1>The console is not built</h1>
<p>The API works. Build the console where Remit's source is, and reload this page:</p><pre><code>make console</code></pre>
<p>Or serve another build of it: <code>REMIT_CONSOLE_DIR=DIR remit up</code>.
The API is described at <a href="/openapi.json">/openapi.json</a>.</p></body></html>
"""

Scope = MutableMapping[str, Any]
Next = Callable[[Scope, Any, Any], Awaitable[None]]


class Read(NamedTuple):
    """A file as it was at `changed`, with its bytes as they are and compressed (empty where that does not pay)."""

    changed: tuple[int, int]
    plain: bytes
    gzipped: bytes
    etag: str


class Place(NamedTuple):
    """What requests for the console are counted as."""

    path: str = "/{console}"


class Console:
    """An ASGI application for addresses that nothing else answers; what is no file of the console goes on to `otherwise`."""

    def __init__(self, settings: Settings, otherwise: Next) -> None:
        self._folder = folder_of(settings)
        self._otherwise = otherwise
        self._read: dict[Path, Read] = {}

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Answer with a file."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._otherwise(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        found = await asyncio.to_thread(self._find, scope["path"])
        if found is not None:
            response = _respond(*found, headers)
        elif scope["path"] == "/" and "text/html" in headers.get(b"accept", ""):
            response = Response(ABSENT, 404, {**HEADERS, "cache-control": "no-store"}, TYPES[".html"])
        else:
            await self._otherwise(scope, receive, send)
            return
        scope["route"] = Place()
        await response(scope, receive, send)

    def _find(self, path: str) -> tuple[Path, Read] | None:
        """The file at an address; None where there is none, or none that is served."""
        parts = [part for part in path.split("/") if part] or ["index.html"]
        if any(part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None
        file = self._folder.joinpath(*parts)
        try:
            if (
                file.suffix not in TYPES
                or not file.resolve().is_relative_to(self._folder)
                or not file.is_file()
            ):
                return None
            state = file.stat()
            changed = (state.st_mtime_ns, state.st_size)
            known = self._read.get(file)
            if known is None or known.changed != changed:
                known = _read(file, changed)
                self._read[file] = known
        except OSError:
            return None
        return file, known


def folder_of(settings: Settings) -> Path:
    """Where the built console is: the one that settings name, else the package's."""
    return Path(settings.console_dir or Path(remit.__file__).with_name("console")).resolve()


def is_built(settings: Settings) -> bool:
    """Whether there is a console to show."""
    return (folder_of(settings) / "index.html").is_file()


def _read(file: Path, changed: tuple[int, int]) -> Read:
    plain = file.read_bytes()
    pays = file.suffix in COMPRESSED and len(plain) >= WORTH
    gzipped = gzip.compress(plain, 9, mtime=0) if pays else b""
    return Read(changed, plain, gzipped, hashlib.sha256(plain).hexdigest()[:32])


def _respond(file: Path, read: Read, asked: dict[bytes, str]) -> Response:
    is_compressed = bool(read.gzipped) and _takes_gzip(asked.get(b"accept-encoding", ""))
    etag = f'"{read.etag}{"-gzip" if is_compressed else ""}"'
    headers = {
        **HEADERS,
        "etag": etag,
        "cache-control": FOR_EVER if file.parent.name == "assets" else "no-cache",
        **({"vary": "Accept-Encoding"} if read.gzipped else {}),
        **({"cross-origin-resource-policy": "cross-origin"} if file.name in EMBEDDED else {}),
    }
    if etag in [each.strip().removeprefix("W/") for each in asked.get(b"if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    if is_compressed:
        headers["content-encoding"] = "gzip"
    return Response(read.gzipped if is_compressed else read.plain, 200, headers, TYPES[file.suffix])


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.split(","):
        coding, _, weight = each.strip().partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return weight.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
