"""Make the data: products (CSV), stock (Parquet) and prices (SQLite), with faults in the last two.

python make.py [FOLDER]      the same rows on every machine
"""

from __future__ import annotations

import csv
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import duckdb

PRODUCTS = 200
SHELVES = ("A", "B", "C", "D")


def make(folder: Path) -> None:
    """Write `products.csv`, `stock.parquet` and `prices.db` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(20_261_121)
    skus = [f"SKU-{n:04d}" for n in range(1, PRODUCTS + 1)]
    with (folder / "products.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("sku", "name"))
        writer.writerows((sku, f"Product {sku[-4:]}") for sku in skus)
    stock = [(sku, rng.choice(SHELVES), rng.randint(0, 90)) for sku in skus]
    stock[40] = (stock[40][0], stock[40][1], -3)  # less than nothing on the shelf
    stock += [stock[7], ("SKU-9999", "A", 5)]  # one product twice, and one that nobody sells
    _parquet(folder / "stock.parquet", stock)
    prices = [(sku, rng.randint(199, 49_999), "EUR") for sku in skus]
    prices[90] = (prices[90][0], prices[90][1], "euro")
    _database(folder / "prices.db", prices)


def _parquet(path: Path, rows: list[tuple[str, str, int]]) -> None:
    with duckdb.connect() as db:
        db.execute("CREATE TABLE stock (sku VARCHAR, shelf VARCHAR, pieces INTEGER)")
        db.executemany("INSERT INTO stock VALUES (?, ?, ?)", rows)
        db.execute(f"COPY stock TO '{path}' (FORMAT parquet)")


def _database(path: Path, rows: list[tuple[str, int, str]]) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE prices (sku TEXT, cents INTEGER, currency TEXT)")
        db.executemany("INSERT INTO prices VALUES (?, ?, ?)", rows)
        db.commit()


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "data"))
