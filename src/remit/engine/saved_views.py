"""Saved views: a person's names for what they look at often, kept where the person is, not where the browser is."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from remit.core.codec import convert, encode, plain
from remit.core.errors import InputError, NotFoundError
from remit.ports.clock import Clock
from remit.ports.store import Collection, Delete, Put, Records

VIEW = "saved_view"

COLLECTION = Collection(VIEW, ("tenant_id", "actor_id", "name"))

MOST, LARGEST = 100, 4_096
"""How many views one person has at most, and how many bytes of JSON one may have."""

LONGEST_NAME = 80

Query = dict[str, str]


class SavedView(Struct, frozen=True):
    """A view of one person: of which `page`, and the `query` it stands for, as the page's address has it."""

    name: str
    page: str
    query: Query
    saved_ts: int


class SavedViewList(Struct, frozen=True):
    """All views of one person, by name."""

    items: list[SavedView]


class ViewContent(Struct, frozen=True, forbid_unknown_fields=True):
    """What a view shows: of `runs`, say, those that the `query` of the page's address picks."""

    page: Annotated[str, Meta(pattern="^[a-z]{1,40}$")]
    query: Annotated[Query, Meta(max_length=50)] = {}


class SavedViews:
    """The views of all people; every question names tenant and person."""

    def __init__(self, store: Records, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def list(self, tenant_id: str, actor_id: str) -> SavedViewList:
        """The person's views, by name."""
        page = await self._store.query(VIEW, "", (tenant_id, actor_id), limit=MOST)
        return SavedViewList([_read(row) for row in page.items])

    async def get(self, tenant_id: str, actor_id: str, name: str) -> SavedView:
        """One view. Raises NotFoundError."""
        row = await self._store.get(VIEW, (tenant_id, actor_id, _name(name)))
        if row is None:
            raise NotFoundError(
                f"`{actor_id}` has no view `{name[:100]}`", help="views are listed at /api/v1/views"
            )
        return _read(row)

    async def put(self, tenant_id: str, actor_id: str, name: str, content: ViewContent) -> SavedView:
        """Keep a view under a name, in place of what had it. Raises InputError E1001 for one view too many or too large."""
        view = SavedView(_name(name), content.page, content.query, self._clock.now())
        size = len(encode(view))
        if size > LARGEST:
            raise InputError(
                f"the view has {size:,} bytes", code="E1001", help=f"keep to {LARGEST:,}: use fewer filters"
            )
        known = (await self.list(tenant_id, actor_id)).items
        if len(known) >= MOST and all(each.name != view.name for each in known):
            raise InputError(
                f"`{actor_id}` has {len(known)} views, which is all there may be",
                code="E1001",
                help="delete one that is not used any more",
            )
        item: dict[str, Any] = {**plain(view), "tenant_id": tenant_id, "actor_id": actor_id}
        await self._store.transact([Put(VIEW, item)])
        return view

    async def remove(self, tenant_id: str, actor_id: str, name: str) -> None:
        """Forget a view; harmless when there is none."""
        await self._store.transact([Delete(VIEW, (tenant_id, actor_id, _name(name)))])


def _name(name: str) -> str:
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip() or "/" in name:
        raise InputError(
            f"`{name[:100]!r}` is no name of a view",
            code="E1002",
            help=f"use 1 to {LONGEST_NAME} printable characters without `/`",
        )
    return name


def _read(row: dict[str, Any]) -> SavedView:
    return convert({name: row[name] for name in SavedView.__struct_fields__}, SavedView)
