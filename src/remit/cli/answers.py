"""What commands answer, each kind in one way: on stdout for programs with `--json`, in words or as a table for people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from remit.cli.console import document, more, say, table

T = TypeVar("T")
Item = TypeVar("Item", covariant=True)


class Page(Protocol[Item]):
    """A part of a list, and where the next one starts."""

    @property
    def items(self) -> Sequence[Item]:
        """What is on this page."""
        ...

    @property
    def cursor(self) -> str | None:
        """Where the next page starts; None on the last one."""
        ...


class Items(Generic[T]):
    """A list that comes in one piece, as a page."""

    def __init__(self, items: Sequence[T], cursor: str | None = None) -> None:
        self.items = items
        self.cursor = cursor


def told(made: T, as_json: bool, words: str) -> T:
    """Answer a change: the changed thing as the API gives it on stdout, or what happened in words on stderr."""
    if as_json:
        document(made)
    else:
        say(words)
    return made


def gone(kind: str, name: str, as_json: bool, words: str, **more_of_it: Any) -> None:
    """Answer that something is there no more. The API answers 204 and nothing; a command says what it was."""
    told({"kind": kind, "id": name, "gone": True, **more_of_it}, as_json, words)


def listed(
    page: Page[T],
    as_json: bool,
    header: Sequence[str],
    row: Callable[[T], Sequence[str]],
    words: str = "",
    *,
    each: Callable[[T], Any] | None = None,
) -> None:
    """Answer a page of a list: the page itself, or a table, then `words`, and how to see the next page.

    `each` says how an item is written in JSON where the API writes another one than is kept here.
    """
    if as_json:
        if each is not None or isinstance(page, Items):
            items = page.items if each is None else [each(item) for item in page.items]
            document({"items": items, "cursor": page.cursor})
        else:
            document(page)
        return
    table(header, [row(item) for item in page.items])
    if words:
        say(words)
    more(page.cursor)
