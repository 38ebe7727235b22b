"""Queries of a collection, checked and paged the same way in every store."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from remit.adapters.store import items
from remit.core.errors import InputError
from remit.ports.store import Collection, Page

AGAIN = "start without a cursor, or give the one that this same list returned"


class Query(Struct, frozen=True):
    """A checked query: which fields are fixed, which order the result, where it starts and ends.

    `order` is the next field of the index (if any is left), then the key. `after` is the last item's values of
    `order`, from the cursor. `present`: fields an item must have to be in the index at all.
    """

    equal: tuple[tuple[str, Any], ...]
    present: tuple[str, ...]
    order: tuple[str, ...]
    lower: Any
    upper: Any
    descending: bool
    limit: int
    after: tuple[Any, ...] | None

    def page(self, found: Sequence[dict[str, Any]]) -> Page:
        """A page of what was found; one item more than `limit` says that there is another page."""
        if len(found) <= self.limit:
            return Page(items=list(found))
        shown = list(found[: self.limit])
        return Page(items=shown, cursor=_cursor(shown[-1], self.order))


def plan(
    collection: Collection,
    index: str,
    equals: Sequence[Any],
    *,
    lower: Any = None,
    upper: Any = None,
    descending: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> Query:
    """Check a query against the declaration. Raises InputError for what no key or index answers."""
    fields = _fields(collection, index)
    # An index orders by its last field only; the key orders by whatever field comes next.
    fewest = len(fields) - 1 if index else 0
    if not fewest <= len(equals) <= len(fields):
        raise InputError(
            f"index `{index}` of `{collection.name}` needs {fewest} or {len(fields)} values", code="E105"
        )
    if limit < 1:
        raise InputError(f"a page cannot have `{limit}` items", code="E105")
    following = fields[len(equals) :][:1]
    for bound in (lower, upper):
        if bound is not None:
            if not following:
                raise InputError(f"index `{index}` has no field left to bound", code="E105")
            items.field(bound, following[0])
    order = tuple(dict.fromkeys(following + collection.key))
    return Query(
        equal=tuple((name, items.field(value, name)) for name, value in zip(fields, equals, strict=False)),
        present=fields if index else (),
        order=order,
        lower=lower,
        upper=upper,
        descending=descending,
        limit=limit,
        after=None if cursor is None else _after(cursor, len(order)),
    )


def _fields(collection: Collection, index: str) -> tuple[str, ...]:
    if not index:
        return collection.key
    for declared in collection.indexes:
        if declared.name == index:
            return declared.fields
    raise InputError(f"collection `{collection.name}` has no index `{index}`", code="E106")


def _cursor(item: Mapping[str, Any], order: Sequence[str]) -> str:
    data = msgspec.json.encode([item[name] for name in order])
    return base64.urlsafe_b64encode(data).decode()


def _after(cursor: str, length: int) -> tuple[Any, ...]:
    try:
        data = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
        values = msgspec.json.decode(data, type=list[int | str])
    except (ValueError, binascii.Error, msgspec.MsgspecError) as error:
        raise InputError("the cursor is not one that a query returned", code="E103", help=AGAIN) from error
    if len(values) != length:
        raise InputError("the cursor belongs to another query", code="E103", help=AGAIN)
    try:
        return tuple(items.field(value, "cursor") for value in values)
    except InputError as error:
        raise InputError("the cursor is not one that a query returned", code="E103", help=AGAIN) from error
