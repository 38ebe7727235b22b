"""Two tables for a first look at rules: a shop's orders in Parquet, and what a warehouse in SQLite made of them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

ROWS = 5000
LOST, CHANGED, ODD = 1234, 2345, 3456
"""Orders (counted from the first) that were not loaded, whose amount was changed, whose status nobody knows."""

Order = tuple[int, int, int, str]
_STATUSES = ("placed", "packed", "shipped", "delivered")


def demo_tables(directory: Path | str) -> tuple[Path, Path]:
    """Write `orders.parquet` and `warehouse.db` (table `orders`) into `directory`, with three things gone wrong."""
    import duckdb

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    parquet, database = folder / "orders.parquet", folder / "warehouse.db"
    rows = [_order(i) for i in range(ROWS)]
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "CREATE TABLE orders (order_id BIGINT, customer_id INTEGER, amount_cents BIGINT, status VARCHAR)"
        )
        values = ", ".join(f"({o}, {c}, {a}, '{s}')" for o, c, a, s in rows)
        connection.execute(f"INSERT INTO orders VALUES {values}")
        connection.table("orders").write_parquet(str(parquet))
    database.unlink(missing_ok=True)
    with closing(sqlite3.connect(database)) as warehouse, warehouse:
        warehouse.execute(
            "CREATE TABLE orders (order_id INTEGER, customer_id INTEGER, amount_cents INTEGER, status TEXT)"
        )
        warehouse.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", _loaded(rows))
    return parquet, database


def repair(database: Path) -> None:
    """Load the lost order again and correct the changed one, as a pipeline that is run again would."""
    with closing(sqlite3.connect(database)) as warehouse, warehouse:
        warehouse.execute("INSERT INTO orders VALUES (?, ?, ?, ?)", _order(LOST))
        warehouse.execute(
            "UPDATE orders SET amount_cents = amount_cents - 1 WHERE order_id = ?", (100_001 + CHANGED,)
        )


def _order(i: int) -> Order:
    return 100_001 + i, 1 + i * 7919 % 400, 500 + i * 37 % 25_000, _STATUSES[i % 4]


def _loaded(rows: list[Order]) -> list[Order]:
    """What arrived in the warehouse."""
    loaded = []
    for i, (order, customer, amount, status) in enumerate(rows):
        if i == LOST:
            continue
        loaded.append((order, customer, amount + (i == CHANGED), "returned" if i == ODD else status))
    return loaded
