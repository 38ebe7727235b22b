"""Make the stock database: what was booked in and out, and what was scanned on the shelves.

python make.py [FILE]      the same rows on every machine
"""

from __future__ import annotations

import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

AISLES = ("A", "B", "C")
PER_AISLE = 8
STALE_SCAN, STALE_LEDGER, SAME_DAY = "B-03", "C-05", "A-07"
"""Where ledger and shelf disagree: by an old scan, by bookings that stopped, and on the same day."""


def make(file: Path) -> None:
    """Write the database, in the place of one that is there."""
    file.unlink(missing_ok=True)
    rng = random.Random(20_261_121)
    moves, scans = [], []
    for aisle in AISLES:
        for number in range(1, PER_AISLE + 1):
            sku = f"{aisle}-{number:02d}"
            booked = [rng.randint(5, 40), -rng.randint(1, 4), rng.randint(1, 9)]
            days = [3, 11, 9 if sku == STALE_LEDGER else 20]
            moves += [(sku, aisle, n, f"2026-11-{day:02d}") for n, day in zip(booked, days, strict=True)]
            seen = sum(booked) - (2 if sku in (STALE_SCAN, STALE_LEDGER, SAME_DAY) else 0)
            scans.append((sku, aisle, seen, f"2026-11-{12 if sku == STALE_SCAN else 20}"))
    with closing(sqlite3.connect(file)) as db:
        for table in ("moves", "scans"):
            db.execute(f"CREATE TABLE {table} (sku TEXT, aisle TEXT, pieces INTEGER, day TEXT)")
        db.executemany("INSERT INTO moves VALUES (?, ?, ?, ?)", moves)
        db.executemany("INSERT INTO scans VALUES (?, ?, ?, ?)", scans)
        db.commit()


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "stock.db"))
