"""Make the data: an extract of orders as CSV, and the warehouse (SQLite) that was loaded from it with four faults.

python make.py [FOLDER]      the same rows on every machine
"""

from __future__ import annotations

import csv
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

ORDERS = 1_000
CUSTOMERS = 120
STATES = ("placed", "packed", "shipped", "delivered")
HEAD = ("order_id", "customer_id", "amount", "status", "ordered_on")
LOST, ALTERED, MISSPELT, ORPHAN = 17, 250, 400, 600


def make(folder: Path) -> None:
    """Write `orders.csv`, `customers.csv` and `warehouse.db` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(20_261_121)
    customers = [f"C{n:04d}" for n in range(1, CUSTOMERS + 1)]
    orders = [
        (
            str(10_001 + n),
            rng.choice(customers),
            f"{rng.randint(500, 50_000) / 100:.2f}",
            rng.choice(STATES),
            f"2026-11-{1 + n % 20:02d}",
        )
        for n in range(ORDERS)
    ]
    _csv(folder / "orders.csv", HEAD, orders)
    _csv(folder / "customers.csv", ("customer_id",), [(c,) for c in customers])
    _warehouse(folder / "warehouse.db", _loaded(orders))


def _loaded(orders: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """What a careless load makes of the extract: a row lost, one changed, one misspelt, one without a customer."""
    rows = [list(order) for order in orders]
    rows[ALTERED][2] = "0.01"
    rows[MISSPELT][3] = "Shiped"
    rows[ORPHAN][1] = "C9999"
    del rows[LOST]
    return [tuple(row) for row in rows]


def _warehouse(path: Path, rows: list[tuple[str, ...]]) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE TABLE orders (order_id TEXT, customer_id TEXT, amount TEXT, status TEXT, ordered_on TEXT)"
        )
        db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", rows)
        db.commit()


def _csv(path: Path, head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "data"))
