"""Bytes of the web as text: media types that are read, character sets that occur, and no characters that nobody sees."""

from __future__ import annotations

import re

from remit.core.charsets import is_charset, marked
from remit.core.errors import ArgumentsError

MARKED_UP = ("text/html", "application/xhtml+xml", "application/pdf")
"""What needs more than decoding."""

_TEXTS = re.compile(r"(?:text/[\w.+-]+|application/(?:[\w.-]+\+)?(?:json|xml|yaml|toml))\Z")
_META = re.compile(rb"<meta[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]"
)
"""Control characters, and those that hide text or turn it around."""


def media_type_of(content_type: str) -> tuple[str, str]:
    """Media type and character set of a `Content-Type`, in lower case; empty where it names none."""
    media_type, *parameters = content_type.lower().split(";")
    charset = next((p.partition("=")[2] for p in parameters if p.strip().startswith("charset=")), "")
    return media_type.strip(), charset.strip(" \"'")


def is_readable(media_type: str) -> bool:
    """Whether there is text in a media type."""
    return media_type in MARKED_UP or _TEXTS.match(media_type) is not None


def decoded(data: bytes, charset: str = "", *, html: bool = False) -> str:
    """Bytes as text: by their own mark, by `charset`, by what HTML says of itself, else as UTF-8."""
    mark = marked(data)
    if mark:
        return data.decode(mark, "replace")
    if not charset and html and (said := _META.search(data[:4096])):
        charset = said[1].decode().lower()
    known = charset if is_charset(charset) else "utf-8"
    try:
        return data.decode(known, "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def clean(text: str) -> str:
    """Text without what nobody sees, with plain line ends."""
    return _UNSEEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


def unreadable(why: str) -> ArgumentsError:
    """The failure to make text of a page."""
    return ArgumentsError(f"this page cannot be read: {why}", code="E923", help="read another page")
