"""Texts of files: plain text, Markdown and JSON, and with the extra `documents` HTML and PDF.

HTML and PDF are read in a process of its own, with limits of time and memory: a file that was made to keep its reader busy
keeps nobody else.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import sys
from email.message import Message

from remit.core.charsets import is_charset, marked
from remit.core.errors import ConfigError, InputError
from remit.core.extras import how_to_install
from remit.ports.extraction import Extracted

WALL_S = 90.0

TEXT, MARKDOWN, HTML, JSON, PDF = (
    "text/plain",
    "text/markdown",
    "text/html",
    "application/json",
    "application/pdf",
)
_BY_SUFFIX = {
    "txt": TEXT, "text": TEXT, "log": TEXT, "csv": TEXT, "rst": TEXT, "md": MARKDOWN, "markdown": MARKDOWN,
    "html": HTML, "htm": HTML, "xhtml": HTML, "json": JSON, "pdf": PDF,
}  # fmt: skip
SUFFIXES = frozenset(f".{suffix}" for suffix in _BY_SUFFIX)
"""Names of files that are taken from a folder."""
_SAME = {"application/xhtml+xml": HTML, "text/x-markdown": MARKDOWN, "text/json": JSON}
_LOOKS_LIKE_HTML = re.compile(
    rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_MARKDOWN_TITLE = re.compile(r"^#\s+(\S.*?)\s*#*\s*$", re.MULTILINE)


class FileExtraction:
    """Reads files as they are: text is kept to the letter, of HTML and PDF what a reader would see, within `wall_s` seconds."""

    def __init__(self, *, wall_s: float = WALL_S) -> None:
        self._wall_s = wall_s

    async def extract(self, data: bytes, *, media_type: str = "", name: str = "") -> Extracted:
        """The text of a file. Raises InputError E932, ConfigError E695."""
        kind, charset = _kind(data, media_type, name)
        if kind == PDF:
            title, text = await _apart("pdf", "pypdf", data, self._wall_s)
        elif kind == HTML:
            title, text = await _apart("html", "selectolax", _decoded(data, charset).encode(), self._wall_s)
        else:
            text = _decoded(data, charset)
            found = _MARKDOWN_TITLE.search(text) if kind == MARKDOWN else None
            title = found[1] if found else ""
            if kind == JSON:
                _check_json(text)
        if not text.strip():
            raise InputError(
                "the document has no text", code="E932", help="a scanned PDF needs text recognition first"
            )
        return Extracted(text, title, kind)


def _kind(data: bytes, media_type: str, name: str) -> tuple[str, str]:
    """Media type and character set, if one was named. Raises InputError E932 for a type that is not read."""
    if media_type:
        header = Message()
        header["content-type"] = media_type
        given = header.get_content_type()
        charset = header.get_content_charset("")
        kind = _SAME.get(given, given)
        if kind in (TEXT, MARKDOWN, HTML, JSON, PDF):
            return kind, charset
        if kind.startswith("text/"):
            return TEXT, charset
        raise InputError(
            f"`{media_type[:100]}` is no media type that is read",
            code="E932",
            help="give text, Markdown, HTML, JSON or PDF",
        )
    if data[:1024].lstrip().startswith(b"%PDF-"):
        return PDF, ""
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    return _BY_SUFFIX.get(suffix) or (HTML if _LOOKS_LIKE_HTML.match(data[:4096]) else TEXT), ""


def _decoded(data: bytes, charset: str) -> str:
    named = charset if is_charset(charset) else ""
    encoding = named or marked(data) or "utf-8"
    try:
        text = data.decode(encoding)
        text.encode()  # lone surrogates, which some encodings let through, are no text
    except (UnicodeError, LookupError) as error:
        raise InputError(
            f"the document is no text in `{encoding[:50]}`",
            code="E932",
            help="name the encoding, e.g. `text/plain; charset=latin-1`",
        ) from error
    return text


def _check_json(text: str) -> None:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"the document is no JSON: {error}", code="E932", help="correct it, or add it as `text/plain`"
        ) from error


async def _apart(kind: str, package: str, data: bytes, wall_s: float) -> tuple[str, str]:
    """Title and text, read by another process with a package. Raises InputError E932, ConfigError E695."""
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"{kind.upper()} documents need the package `{package}`, which is not installed",
            code="E695",
            help=how_to_install("documents"),
        )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "remit.adapters.extraction.apart",
        kind,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONUTF8": "1"},
    )
    try:
        async with asyncio.timeout(wall_s):
            out, _ = await process.communicate(data)
    except TimeoutError:
        out = b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or not out:
        raise InputError(
            f"the {kind.upper()} document cannot be read",
            code="E932",
            help="is it whole, without a password, and of a common size? Else add its text",
        )
    title, text = json.loads(out)
    return title, text
