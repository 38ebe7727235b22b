"""How an archive writes entries down: one line of JSON each, with the event's exact text; and what it names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from urllib.parse import quote

from msgspec import Struct

from remit.core.codec import decode, encode
from remit.core.errors import InputError, StoreError
from remit.ports.store import Entry

SUFFIX = ".jsonl"


class Line(Struct):
    """An entry: its number, its event's text, and its chain hash in hex."""

    seq: int
    hash: str
    body: str


def lines_of(entries: Sequence[Entry]) -> bytes:
    """The bytes of entries; the same entries always give the same bytes."""
    return b"".join(encode(Line(e.seq, e.hash.hex(), e.body.decode())) + b"\n" for e in entries)


def entries_of(data: bytes, name: str) -> list[Entry]:
    """The entries in the bytes of object `name`. Raises StoreError E659."""
    try:
        lines = [decode(line, Line) for line in data.splitlines() if line]
        return [Entry(line.seq, line.body.encode(), bytes.fromhex(line.hash)) for line in lines]
    except (InputError, ValueError) as error:
        raise StoreError(
            f"`{name}` in the archive holds no entries of a journal: {error}",
            code="E659",
            help="somebody else writes where the archive is",
        ) from error


def folder_of(tenant_id: str, run_id: str) -> str:
    """Where a run's entries are: a path of safe characters, which is no other run's."""
    return f"runs/{_part(tenant_id)}/{_part(run_id)}"


def name_of(entries: Sequence[Entry]) -> str:
    """The name of what holds these entries, in whose order names sort."""
    return f"{entries[0].seq:010}-{entries[-1].seq:010}{SUFFIX}"


def check_follow(entries: Sequence[Entry]) -> None:
    """Raise InputError unless the entries follow one another."""
    for before, after in pairwise(entries):
        if after.seq != before.seq + 1:
            raise InputError(f"entry {after.seq} does not follow entry {before.seq}", code="E659")


def distinct(entries: Iterable[Entry]) -> list[Entry]:
    """Each entry once, by number."""
    unique = {(e.seq, e.hash, e.body): e for e in entries}
    return [unique[key] for key in sorted(unique)]


def taken(name: str) -> StoreError:
    """The error for other bytes under a name that is to be written."""
    return StoreError(
        f"`{name}` in the archive holds other entries than those of the journal",
        code="E659",
        help="verify both: `remit runs verify RUN --archive`",
    )


def _part(text: str) -> str:
    """Text as one part of a path: no separator, and nothing that leads up."""
    quoted = quote(text, safe="")
    return quoted.replace(".", "%2E") if not quoted.strip(".") else quoted
