"""The shop's data: made from a seed, the same on every machine, in a few seconds.

No row here describes a real person. Orders end shortly before `LATEST`, so that some are still on their way.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from remit_packs.support.catalogue import (
    BRANDS,
    CARRIERS,
    CATEGORIES,
    COMPLAINTS,
    FIRST,
    INJECTION,
    LAST,
    PLACES,
    SERIES,
    STREETS,
)

VERSION = 1
"""Raise it when the schema or the data changes: an older file is then moved aside and a new one made."""

SEED = 20_261_120
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
LATEST = 1_795_132_800_000  # 2026-11-20T00:00:00Z
SPAN_DAYS = 700

FIRST_PRODUCT, FIRST_CUSTOMER, FIRST_ORDER = 1_001, 20_001, 100_001
FIRST_TICKET, FIRST_CHARGE, FIRST_SHIPMENT = 500_001, 1, 1

_SCHEMA = Path(__file__).with_name("schema.sql")
_LINES = (1, 1, 1, 1, 2, 2, 2, 3, 3, 4)


class Size(NamedTuple):
    """How many rows to make."""

    orders: int
    customers: int
    tickets: int

    @property
    def label(self) -> str:
        """The size as text, kept in the file."""
        return f"{self.orders}/{self.customers}/{self.tickets}"


FULL = Size(orders=50_000, customers=8_000, tickets=6_000)
SMALL = Size(orders=3_000, customers=400, tickets=300)


class Row(NamedTuple):
    """An order while the rest of its data is made."""

    order_id: int
    customer_id: int
    status: str
    placed_at: int
    total_cents: int
    ship_to: str


def build(path: Path, size: Size = FULL) -> None:
    """Write a complete shop to `path`, which must not exist."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        tables, _, indexes = _SCHEMA.read_text().partition("CREATE INDEX")
        for statement in _statements(tables):
            connection.execute(statement)
        _fill(connection, size)
        for statement in _statements("CREATE INDEX" + indexes):
            connection.execute(statement)
        connection.execute("COMMIT")


def _statements(text: str) -> Iterator[str]:
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""


def _fill(connection: sqlite3.Connection, size: Size) -> None:
    dice = random.Random(SEED)
    products = list(_products(dice))
    customers = list(_customers(dice, size.customers))
    orders, lines = _orders(dice, size.orders, customers, products)
    _insert(connection, "products", products)
    _insert(connection, "customers", customers)
    _insert(connection, "orders", orders)
    _insert(connection, "order_lines", lines)
    _insert(connection, "charges", _charges(dice, orders))
    shipments = list(_shipments(dice, orders))
    _insert(connection, "shipments", shipments)
    _insert(connection, "tracking_events", _tracking(dice, orders, shipments))
    _insert(connection, "tickets", _tickets(dice, size.tickets, orders, lines, products))
    _insert(connection, "meta", [("version", str(VERSION)), ("size", size.label)])


def _insert(connection: sqlite3.Connection, table: str, rows: Any) -> None:
    rows = list(rows)
    if rows:
        marks = ", ".join("?" * len(rows[0]))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


def _products(dice: random.Random) -> Iterator[tuple[Any, ...]]:
    number = FIRST_PRODUCT
    for category in CATEGORIES:
        for position in range(20):
            brand = BRANDS[(position + number) % len(BRANDS)]
            series = SERIES[(position * 3 + position // 10) % len(SERIES)]
            share = dice.random() ** 1.6
            price = int(category.low + share * (category.high - category.low)) // 100 * 100 + 90
            stock = 0 if dice.random() < 0.06 else int(dice.random() * 180) + 1
            rating = 32 + int(dice.random() * 18)
            name = f"{brand} {series} {category.noun}"
            yield number, name, category.name, price, stock, rating, 24, f"{name}: {category.about}"
            number += 1


def _customers(dice: random.Random, count: int) -> Iterator[tuple[Any, ...]]:
    for position in range(count):
        number = FIRST_CUSTOMER + position
        first, last = FIRST[int(dice.random() * len(FIRST))], LAST[int(dice.random() * len(LAST))]
        city, region, zone = PLACES[int(dice.random() * len(PLACES))]
        street = f"{int(dice.random() * 900) + 1} {STREETS[int(dice.random() * len(STREETS))]} Street"
        category = CATEGORIES[int(dice.random() * len(CATEGORIES))]
        roll = dice.random()
        yield (
            number,
            f"{first} {last}",
            f"{first}.{last}.{number}@example.com".lower(),
            f"+1-555-{number % 1000:03d}-{int(dice.random() * 10000):04d}",
            street,
            city,
            region,
            f"{zone}{int(dice.random() * 100):02d}",
            "US",
            category.name,
            (category.low + category.high) // 2 // 1000 * 1000,
            "email" if roll < 0.7 else "phone" if roll < 0.9 else "none",
            LATEST - SPAN_DAYS * DAY - int(dice.random() * 400) * DAY,
        )


def _orders(
    dice: random.Random, count: int, customers: list[tuple[Any, ...]], products: list[tuple[Any, ...]]
) -> tuple[list[Row], list[tuple[int, int, int, int, int]]]:
    """Orders in the order of time with their lines; customers buy from their favourite category more often."""
    shelves: dict[str, list[tuple[Any, ...]]] = {}
    for product in products:
        shelves.setdefault(product[2], []).append(product)
    popularity = list(accumulate(1.0 / (rank + 3) for rank in range(len(products))))
    shuffled = sorted(products, key=lambda p: (p[0] * 7919) % 10_007)
    orders: list[Row] = []
    lines: list[tuple[int, int, int, int, int]] = []
    step = SPAN_DAYS * DAY / count
    for position in range(count):
        customer = customers[int(dice.random() ** 1.3 * len(customers))]
        number, total = FIRST_ORDER + position, 0
        chosen: set[int] = set()
        for _ in range(_LINES[int(dice.random() * 10)]):
            if dice.random() < 0.45:
                shelf = shelves[customer[9]]
                product = shelf[int(dice.random() ** 1.5 * len(shelf))]
            else:
                product = dice.choices(shuffled, cum_weights=popularity)[0]
            if product[0] not in chosen:
                chosen.add(product[0])
                quantity = 2 if dice.random() < 0.08 else 1
                lines.append((number, len(chosen), product[0], quantity, product[3]))
                total += quantity * product[3]
        placed = int(LATEST - SPAN_DAYS * DAY + position * step + dice.random() * step)
        address = f"{customer[4]}, {customer[5]}, {customer[6]} {customer[7]}, {customer[8]}"
        orders.append(Row(number, customer[0], _status(dice, LATEST - placed), placed, total, address))
    return orders, lines


def _status(dice: random.Random, age: int) -> str:
    if dice.random() < 0.02:
        return "cancelled"
    days = age / DAY
    if days < 1.5:
        return "placed"
    if days < 2.5:
        return "packed"
    return "shipped" if days < 6 + 3 * dice.random() else "delivered"


def _charges(dice: random.Random, orders: list[Row]) -> Iterator[tuple[Any, ...]]:
    """One charge for each order that was not cancelled; about one in a hundred was charged twice."""
    number = FIRST_CHARGE
    for order in orders:
        if order.status == "cancelled":
            continue
        method = "card" if dice.random() < 0.8 else "paypal"
        for copy in range(2 if dice.random() < 0.01 else 1):
            yield number, order.order_id, order.total_cents, method, order.placed_at + (1 + copy) * MINUTE
            number += 1


def _shipments(dice: random.Random, orders: list[Row]) -> Iterator[tuple[Any, ...]]:
    number = FIRST_SHIPMENT
    for order in orders:
        if order.status in ("shipped", "delivered"):
            carrier = CARRIERS[int(dice.random() * len(CARRIERS))]
            tracking = f"{carrier[:2].upper()}{order.order_id * 7919 % 10**9:09d}"
            yield number, order.order_id, carrier, tracking, order.placed_at + 7 * DAY
            number += 1


def _tracking(
    dice: random.Random, orders: list[Row], shipments: list[tuple[Any, ...]]
) -> Iterator[tuple[int, int, int, str, str]]:
    by_number = {order.order_id: order for order in orders}
    for shipment in shipments:
        order = by_number[shipment[1]]
        hub = PLACES[int(dice.random() * len(PLACES))][0]
        city = order.ship_to.split(", ")[1]
        start = order.placed_at + 2 * DAY + int(dice.random() * 8) * HOUR
        yield shipment[0], 1, start, "Columbus", "picked up by the carrier"
        if order.status == "delivered" or start + 1 * DAY < LATEST:
            yield shipment[0], 2, start + 1 * DAY, hub, "arrived at the sorting centre"
        if order.status == "delivered":
            yield shipment[0], 3, start + 3 * DAY, city, "out for delivery"
            yield shipment[0], 4, start + 3 * DAY + 6 * HOUR, city, "delivered"
        elif start + 3 * DAY < LATEST:
            yield shipment[0], 3, start + 3 * DAY, city, "arrived at the local depot"


def _tickets(
    dice: random.Random,
    count: int,
    orders: list[Row],
    lines: list[tuple[int, int, int, int, int]],
    products: list[tuple[Any, ...]],
) -> Iterator[tuple[Any, ...]]:
    names = {product[0]: product[1] for product in products}
    first_line = {line[0]: line[2] for line in reversed(lines)}
    step = len(orders) / count
    for position in range(count):
        order = orders[int(position * step + dice.random() * step)]
        subject, body = COMPLAINTS[int(dice.random() * len(COMPLAINTS))] if position % 400 else INJECTION
        words = {"product": names[first_line[order.order_id]], "n": str(int(dice.random() * 20) + 2)}
        created = min(order.placed_at + int(dice.random() * 30) * DAY + HOUR, LATEST - HOUR)
        status = "open" if LATEST - created < 14 * DAY and dice.random() < 0.7 else "closed"
        yield (
            FIRST_TICKET + position,
            order.customer_id,
            order.order_id,
            subject.format(**words),
            body.format(**words),
            status,
            created,
        )
