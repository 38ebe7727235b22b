"""Pages in a folder: Markdown, HTML and plain text, with a title, a date and an address each."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from remit.adapters.web.text import clean, decoded
from remit.core.errors import ConfigError, InputError
from remit.ports.extraction import Extraction

MOST_BYTES = 5 * 2**20
"""A larger file is no page, and is left out."""

_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".txt": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
}
_HEAD = re.compile(r"---\n(.{0,4000}?)\n---\n", re.DOTALL)
_FIELD = re.compile(r"^(title|date|url):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_HEADING = re.compile(r"^# +(.+?)[ #]*$", re.MULTILINE)

_NOTHING_SAID: dict[str, str] = {}

Stamp = tuple[int, int]
"""When a file was changed, and its size: another stamp means another page."""


class File(Struct, frozen=True):
    """A page of the folder. `published` is as the file says, empty if it does not."""

    url: str
    title: str
    published: str
    text: str
    media_type: str


def stamps(folder: Path) -> dict[str, Stamp]:
    """The files that are pages, by path below the folder. Links out of it are not followed. Raises ConfigError E926."""
    root = os.path.realpath(folder)
    if not os.path.isdir(root):
        raise ConfigError(
            f"`{folder}` is no folder of pages", code="E926", help="set `web.corpus` in remit.toml to one"
        )
    return dict(sorted(_walk(root)))


def _walk(root: str) -> Iterator[tuple[str, Stamp]]:
    for where, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = os.path.join(where, name)
            if (
                os.path.splitext(name)[1].lower() not in _TYPES
                or os.path.islink(path)
                or name.startswith(".")
            ):
                continue
            found = os.stat(path)
            if found.st_size <= MOST_BYTES:
                yield os.path.relpath(path, root), (found.st_mtime_ns, found.st_size)


async def read_file(folder: Path, path: str, extraction: Extraction) -> File | None:
    """A page, or None when it went away or cannot be read. Its address is what it says, else `corpus:` and its path."""
    media_type = _TYPES[os.path.splitext(path)[1].lower()]
    try:
        data = (folder / path).read_bytes()
        if media_type == "text/html":
            found = await extraction.extract(
                decoded(data, html=True).encode(), media_type="text/html; charset=utf-8"
            )
            said, body, title = _NOTHING_SAID, found.text, found.title
        else:
            said, body = _parts(clean(decoded(data)))
            title = _heading(body)
    except (OSError, InputError):
        return None
    return File(
        url=said.get("url") or f"corpus:{Path(path).as_posix()}",
        title=said.get("title") or title or Path(path).stem,
        published=said.get("date", ""),
        text=body,
        media_type=media_type,
    )


def _parts(page: str) -> tuple[dict[str, str], str]:
    """What a page says of itself between two lines of dashes at its start, and the rest."""
    head = _HEAD.match(page)
    if head is None:
        return {}, page
    fields = {name: value.strip("\"'") for name, value in _FIELD.findall(head[1])}
    return fields, page[head.end() :].strip()


def _heading(body: str) -> str:
    found = _HEADING.search(body)
    return found[1] if found else ""
