"""The rows of the e-commerce database: made from a seed, the same on every machine.

Prices are multiples of 25 cents, so that sums of them are exact in every engine, also where numbers are binary. Nobody here is real.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

SEED = 20_261_121
FIRST_DAY = dt.date(2024, 11, 1)
DAYS = 730
TENANTS = ("local", "acme", "globex")
"""Half of everything is the first one's, which is whoever runs this Remit."""

T = TypeVar("T")
Row = tuple[object, ...]

_CATEGORIES: Sequence[tuple[str, int | None]] = (
    ("Home", None), ("Outdoor", None), ("Electronics", None), ("Kitchen", 1), ("Furniture", 1), ("Garden", 2), ("Camping", 2),
    ("Audio", 3), ("Computing", 3), ("Lighting", 1),
)  # fmt: skip
_THINGS: Sequence[tuple[int, str, int]] = (
    (4, "Kettle", 30), (4, "Pan", 40), (4, "Knife set", 60), (4, "Toaster", 35), (5, "Desk", 220), (5, "Chair", 150), (5, "Shelf", 90),
    (5, "Sofa", 600), (6, "Spade", 25), (6, "Hose", 30), (6, "Planter", 20), (7, "Tent", 180), (7, "Stove", 55), (7, "Backpack", 95),
    (8, "Headphones", 120), (8, "Speaker", 80), (8, "Microphone", 110), (9, "Keyboard", 70), (9, "Monitor", 260), (9, "Webcam", 65),
    (9, "Dock", 130), (10, "Lamp", 45), (10, "Lantern", 28), (10, "Bulb", 8),
)  # fmt: skip
_LINES = ("Alder", "Birch", "Cedar", "Dune", "Ember")
_FIRST = (
    "Ada", "Ben", "Chloe", "Dario", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Liam", "Mara", "Nils", "Olga", "Pavel",
    "Quinn", "Rosa", "Sami", "Tara",
)  # fmt: skip
_LAST = (
    "Abel", "Brandt", "Costa", "Dietz", "Ekman", "Fischer", "Garcia", "Haddad", "Ito", "Jansen", "Kovac", "Lopez", "Meyer", "Novak", "Okafor",
    "Park", "Rossi", "Silva", "Tanaka", "Weber",
)  # fmt: skip
_PLACES = (
    ("Berlin", "DE"), ("Munich", "DE"), ("Hamburg", "DE"), ("Paris", "FR"), ("Lyon", "FR"), ("Madrid", "ES"), ("Seville", "ES"),
    ("Rome", "IT"), ("Vienna", "AT"), ("Zurich", "CH"),
)  # fmt: skip
_SEGMENTS = ("consumer", "consumer", "consumer", "business", "public")
_STATUSES = ("delivered", "delivered", "delivered", "delivered", "shipped", "paid", "cancelled", "returned")
_CHANNELS = ("web", "web", "app", "store")
_METHODS = ("card", "card", "invoice", "wallet")
_CARRIERS = ("Swift", "Parcelo", "Northbound")
_OPINIONS = (
    (1, "Broke within a week."), (2, "Not what the picture promised."), (3, "Does what it should."), (4, "Good, delivery was slow."),
    (5, "Excellent, I would buy it again."), (5, "A present that was liked."),
)  # fmt: skip


class Size(NamedTuple):
    """How many rows to make, over all tenants."""

    customers: int
    orders: int


FULL = Size(customers=400, orders=4_000)
SMALL = Size(customers=60, orders=400)

COLUMNS = {
    "categories": 3,
    "customers": 9,
    "products": 9,
    "orders": 8,
    "order_items": 7,
    "payments": 7,
    "shipments": 6,
    "reviews": 7,
}
"""The tables in the order in which they are filled, and how many columns each has."""


def tables(size: Size = FULL) -> dict[str, list[Row]]:
    """All rows by table, in the order in which they can be inserted."""
    dice = random.Random(SEED)
    made: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    made["categories"] = [(n, name, parent) for n, (name, parent) in enumerate(_CATEGORIES, 1)]
    made["customers"] = list(_customers(dice, size.customers))
    made["products"] = list(_products(dice))
    _order_all(dice, size.orders, made)
    made["reviews"] = list(_reviews(dice, made))
    return made


def _pick(dice: random.Random, choices: Sequence[T]) -> T:
    return choices[int(dice.random() * len(choices))]


def _tenant(number: int) -> str:
    return TENANTS[(0, 1, 0, 2)[number % 4]]


def _day(dice: random.Random) -> dt.date:
    return FIRST_DAY + dt.timedelta(days=int(dice.random() * DAYS))


def _customers(dice: random.Random, count: int) -> Iterator[Row]:
    for number in range(1, count + 1):
        name = f"{_pick(dice, _FIRST)} {_pick(dice, _LAST)}"
        city, country = _pick(dice, _PLACES)
        email = f"{name.lower().replace(' ', '.')}{number}@example.com"
        secret = hashlib.sha256(f"{SEED}:{number}".encode()).hexdigest()
        yield number, _tenant(number), name, email, secret, city, country, _pick(dice, _SEGMENTS), _day(dice)


def _products(dice: random.Random) -> Iterator[Row]:
    number = 0
    for tenant in TENANTS:
        for category, thing, about in _THINGS:
            for line in _LINES[: 2 if tenant != "local" else 4]:
                number += 1
                price = round(about * (0.75 + dice.random() / 2) * 4) / 4
                cost = round(price * (0.4 + dice.random() / 4) * 4) / 4
                stock = 0 if dice.random() < 0.05 else int(dice.random() * 200)
                yield (
                    number,
                    tenant,
                    category,
                    f"{tenant[0].upper()}-{number:04d}",
                    f"{line} {thing}",
                    price,
                    cost,
                    stock,
                    dice.random() < 0.08,
                )


def _order_all(dice: random.Random, count: int, made: dict[str, list[Row]]) -> None:
    """Orders with their lines, payments and shipments."""
    buyers = {t: [c for c in made["customers"] if c[1] == t] for t in TENANTS}
    offers = {t: [p for p in made["products"] if p[1] == t] for t in TENANTS}
    for number in range(1, count + 1):
        tenant = _tenant(number)
        customer = buyers[tenant][int(dice.random() ** 1.7 * len(buyers[tenant]))]
        at = dt.datetime.combine(_day(dice), dt.time(int(dice.random() * 24), int(dice.random() * 60)))
        status = _pick(dice, _STATUSES)
        total = shipping = _pick(dice, (0.0, 4.75, 9.5))
        for _ in range(1 + int(dice.random() * 4)):
            product = offers[tenant][int(dice.random() ** 1.3 * len(offers[tenant]))]
            quantity, price = 1 + int(dice.random() ** 2 * 5), float(str(product[5]))
            discount = round(price * quantity * 0.1 * 4) / 4 if dice.random() < 0.2 else 0.0
            total += quantity * price - discount
            made["order_items"].append(
                (len(made["order_items"]) + 1, tenant, number, product[0], quantity, price, discount)
            )
        made["orders"].append(
            (number, tenant, customer[0], at, status, _pick(dice, _CHANNELS), shipping, total)
        )
        _pay(dice, made["payments"], tenant, number, at, status, total)
        if status in ("delivered", "shipped", "returned"):
            shipped = at.date() + dt.timedelta(days=1 + int(dice.random() * 3))
            arrived = None if status == "shipped" else shipped + dt.timedelta(days=1 + int(dice.random() * 6))
            made["shipments"].append(
                (len(made["shipments"]) + 1, tenant, number, _pick(dice, _CARRIERS), shipped, arrived)
            )


def _pay(
    dice: random.Random,
    payments: list[Row],
    tenant: str,
    order: int,
    at: dt.datetime,
    status: str,
    total: float,
) -> None:
    method = _pick(dice, _METHODS)
    if dice.random() < 0.08:
        payments.append((len(payments) + 1, tenant, order, method, total, "failed", at))
    done = {"cancelled": "void", "returned": "refunded"}.get(status, "captured")
    payments.append((len(payments) + 1, tenant, order, method, total, done, at + dt.timedelta(minutes=5)))


def _reviews(dice: random.Random, made: dict[str, list[Row]]) -> Iterator[Row]:
    orders = {order[0]: order for order in made["orders"]}
    number = 0
    for item in made["order_items"]:
        order = orders[item[2]]
        if order[4] == "delivered" and dice.random() < 0.25:
            number += 1
            rating, body = _pick(dice, _OPINIONS)
            written = order[3].date() + dt.timedelta(days=10 + int(dice.random() * 20))  # type: ignore[attr-defined]
            yield number, item[1], item[3], order[2], rating, body, written
