"""Saved views: each person's own, small, and not without end."""

# ruff: noqa: F811 (fixtures are imported, and given by their names)
from __future__ import annotations

import pytest
from tests.engine.any_store import clock, local_store  # noqa: F401

from remit.core.errors import InputError, NotFoundError
from remit.engine import saved_views
from remit.engine.saved_views import SavedViews, ViewContent
from remit.ports.store import Store
from remit.testing import FakeClock

FAILED = ViewContent("runs", {"status": "failure"})


@pytest.fixture
async def views(local_store: Store, clock: FakeClock) -> SavedViews:
    """Views over each kind of store."""
    await local_store.open()
    await local_store.declare([saved_views.COLLECTION])
    return SavedViews(local_store, clock)


async def test_a_view_is_kept_replaced_and_forgotten(views: SavedViews, clock: FakeClock) -> None:
    """Under its name, which a person may write as they like."""
    kept = await views.put("acme", "ana", "Ausfälle heute", FAILED)
    assert (kept.query, kept.saved_ts) == ({"status": "failure"}, clock.now())
    await views.put("acme", "ana", "Ausfälle heute", ViewContent("runs", {"status": "waiting"}))
    assert (await views.get("acme", "ana", "Ausfälle heute")).query == {"status": "waiting"}
    await views.put("acme", "ana", "a", FAILED)
    assert [view.name for view in (await views.list("acme", "ana")).items] == ["Ausfälle heute", "a"]
    await views.remove("acme", "ana", "Ausfälle heute")
    await views.remove("acme", "ana", "Ausfälle heute")
    with pytest.raises(NotFoundError):
        await views.get("acme", "ana", "Ausfälle heute")


async def test_views_are_ones_own(views: SavedViews) -> None:
    """Neither another person nor another tenant sees them, whatever they are called."""
    await views.put("acme", "ana", "mine", FAILED)
    for tenant, actor in (("acme", "bob"), ("zeta", "ana"), ("acme/ana", ""), ("acme", "an")):
        assert (await views.list(tenant, actor)).items == []


async def test_one_view_too_many_or_too_large_is_refused(
    views: SavedViews, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there may still be replaced."""
    monkeypatch.setattr(saved_views, "MOST", 2)
    for name in ("one", "two", "two"):
        await views.put("acme", "ana", name, FAILED)
    for name, content in (("three", FAILED), ("one", ViewContent("runs", {"agent": "x" * 5000}))):
        with pytest.raises(InputError) as told:
            await views.put("acme", "ana", name, content)
        assert told.value.code == "E1001"


@pytest.mark.parametrize("name", ["", " a", "a/b", "a\nb", "x" * 81])
async def test_what_is_no_name_is_refused(views: SavedViews, name: str) -> None:
    """A name stands in an address and in a menu."""
    with pytest.raises(InputError) as told:
        await views.put("acme", "ana", name, FAILED)
    assert told.value.code == "E1002"
