"""The generated shop: the same everywhere, fast, made once, and consistent."""

from __future__ import annotations

import hashlib
import multiprocessing
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from remit_packs.support.database import Shop, ensure
from remit_packs.support.demo import stories
from remit_packs.support.shop import FULL, SMALL, Size

TABLES = (
    "customers",
    "products",
    "orders",
    "order_lines",
    "charges",
    "shipments",
    "tracking_events",
    "tickets",
)


def fingerprint(path: Path) -> str:
    hashed = hashlib.sha256()
    with closing(sqlite3.connect(path)) as connection:
        for table in TABLES:
            for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2"):
                hashed.update(repr(row).encode())
    return hashed.hexdigest()


def test_the_same_data_everywhere(tmp_path: Path) -> None:
    ensure(tmp_path / "one" / "shop.db", SMALL)
    ensure(tmp_path / "two" / "shop.db", SMALL)
    assert fingerprint(tmp_path / "one" / "shop.db") == fingerprint(tmp_path / "two" / "shop.db")


def test_totals_are_the_sum_of_lines(query: Any) -> None:
    wrong = query(
        "SELECT order_id FROM orders JOIN order_lines USING (order_id) GROUP BY order_id"
        " HAVING sum(quantity * unit_price_cents) <> total_cents"
    )
    assert wrong == []
    assert query(
        "SELECT count(*) FROM orders LEFT JOIN order_lines l USING (order_id) WHERE l.line IS NULL"
    ) == [(0,)]


def test_tracking_goes_forward_and_never_into_the_future(query: Any) -> None:
    assert query(
        "SELECT count(*) FROM tracking_events a JOIN tracking_events b ON a.shipment_id = b.shipment_id"
        " AND a.seq < b.seq AND a.at > b.at"
    ) == [(0,)]
    assert query("SELECT count(*) FROM charges WHERE order_id NOT IN (SELECT order_id FROM orders)") == [(0,)]


def test_foreign_keys_hold(query: Any) -> None:
    assert query("PRAGMA foreign_key_check") == []


def test_a_file_that_fits_is_used_again(shop: Shop) -> None:
    with shop.write() as connection:
        connection.execute("INSERT INTO meta VALUES ('mark', '1')")
        connection.execute("DELETE FROM meta WHERE key = 'mark'")
    before = shop.path.stat().st_ino
    ensure(shop.path, SMALL)
    assert shop.path.stat().st_ino == before


@pytest.mark.parametrize("content", [b"not a database", b""])
def test_a_file_that_does_not_fit_is_moved_aside_and_never_deleted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "shop.db"
    path.write_bytes(content)
    ensure(path, Size(50, 20, 5))
    assert (tmp_path / "shop.db.old-1").read_bytes() == content
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (50,)


def _open(path: str) -> int:
    with Shop(path, Size(400, 50, 10)).read() as connection:
        return int(connection.execute("SELECT count(*) FROM orders").fetchone()[0])


def test_processes_and_threads_that_start_at_once_share_one_file(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.db")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert pool.map(_open, [path] * 3) == [400] * 3
    shop = Shop(tmp_path / "threads.db", Size(400, 50, 10))
    threads = [threading.Thread(target=lambda: shop.find("x")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shop.find("x").happened is False
    assert not list(tmp_path.glob("*.building-*"))
    assert not list(tmp_path.glob("*.old-*"))


def test_the_ledger_of_effects_is_append_only(shop: Shop) -> None:
    with shop.write() as connection:
        connection.execute("INSERT INTO effects VALUES ('k', 't', '{}', '{}', 0)")
    for statement in ("UPDATE effects SET tool = 'x'", "DELETE FROM effects"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"), shop.write() as connection:
            connection.execute(statement)


def test_the_stories_are_about_real_rows(shop: Shop) -> None:
    parcel, broken, twice = stories(shop)
    assert broken.refund_cents > 10_000 > twice.refund_cents > 0
    for story in (parcel, broken, twice):
        assert str(story.order_id) in story.message
        assert str(story.customer_id) in story.message


@pytest.mark.slow
def test_the_full_shop_is_no_toy_and_made_in_seconds(tmp_path: Path) -> None:
    started = time.monotonic()
    shop = Shop(tmp_path / "shop.db", FULL)
    with shop.read() as connection:
        took = time.monotonic() - started
        counts = {t: connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in TABLES}
    assert (counts["orders"], counts["customers"], counts["products"], counts["tickets"]) == (
        50_000,
        8_000,
        400,
        6_000,
    )
    assert counts["order_lines"] > 90_000
    assert counts["tracking_events"] > 150_000
    assert took < 6
    assert len(stories(shop)) == 3
    shop.close()
