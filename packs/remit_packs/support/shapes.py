"""What the support tools answer. Money is in integer cents, times are ISO 8601 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

Cents = Annotated[int, Meta(gt=0, le=10_000_000, description="US cents, e.g. 2350 for $23.50")]
Limit = Annotated[int, Meta(ge=1, le=20)]
Words = Annotated[str, Meta(min_length=1, max_length=400)]
LongText = Annotated[str, Meta(min_length=1, max_length=4_000)]

Verdict = Literal["faulty", "fixable", "unclear"]


class Customer(Struct, frozen=True):
    """A customer as found by number, e-mail address or name."""

    customer_id: int
    name: str
    email: str
    phone: str
    address: str


class Preferences(Struct, frozen=True):
    """What a customer likes: as stated, and as bought."""

    customer_id: int
    favourite_category: str
    budget_cents: int
    contact_by: str
    bought_most: list[str]
    owns: list[int]


class Line(Struct, frozen=True):
    """One product in an order."""

    product_id: int
    name: str
    category: str
    quantity: int
    unit_price_cents: int


class Charge(Struct, frozen=True):
    """Money taken for an order."""

    amount_cents: int
    method: str
    charged_at: str


class Order(Struct, frozen=True):
    """An order with its lines, what was charged and what was given back."""

    order_id: int
    customer_id: int
    status: str
    placed_at: str
    total_cents: int
    ship_to: str
    lines: list[Line]
    charges: list[Charge]
    refunded_cents: int


class OrderSummary(Struct, frozen=True):
    """One line of a customer's list of orders."""

    order_id: int
    status: str
    placed_at: str
    total_cents: int


class TrackingEvent(Struct, frozen=True):
    """Something that happened to a parcel."""

    at: str
    place: str
    event: str


class Tracking(Struct, frozen=True):
    """Where a parcel is. `carrier` is empty when the order has not left the warehouse."""

    order_id: int
    status: str
    carrier: str
    tracking_number: str
    expected_on: str
    events: list[TrackingEvent]


class Product(Struct, frozen=True):
    """A product as it is on sale."""

    product_id: int
    name: str
    category: str
    price_cents: int
    stock: int
    rating: float
    warranty_months: int
    description: str


class Recommendation(Struct, frozen=True):
    """A product with the reason why it is suggested."""

    product_id: int
    name: str
    price_cents: int
    rating: float
    reason: str


class Purchase(Struct, frozen=True):
    """Something a customer bought."""

    product_id: int
    name: str
    category: str
    order_id: int
    bought_on: str
    price_cents: int


class Ticket(Struct, frozen=True):
    """A ticket; `subject` and `body` are the customer's own words."""

    ticket_id: int
    customer_id: int
    order_id: int | None
    subject: str
    body: str
    status: str
    created_at: str


class Article(Struct, frozen=True):
    """A help article."""

    article: str
    title: str
    category: str
    text: str


class Diagnosis(Struct, frozen=True):
    """What the fault table says about a symptom."""

    product_id: int
    product: str
    verdict: Verdict
    explanation: str
    article: str
    warranty_until: str
    in_warranty: bool


class Refunded(Struct, frozen=True):
    """A refund that was made."""

    refund_id: int
    order_id: int
    amount_cents: int
    refunded_cents: int


class Cancelled(Struct, frozen=True):
    """An order that was cancelled; `refund_due_cents` was charged and is not yet given back."""

    order_id: int
    refund_due_cents: int


class Moved(Struct, frozen=True):
    """A new address, and the orders that now go there."""

    customer_id: int
    address: str
    orders_redirected: list[int]


class TicketId(Struct, frozen=True):
    """A ticket that was made."""

    ticket_id: int


class Noted(Struct, frozen=True):
    """A note that was added."""

    ticket_id: int
    note: int


class Queued(Struct, frozen=True):
    """An e-mail that waits in the outbox."""

    message_id: int
    customer_id: int


def iso(milliseconds: int) -> str:
    """A time as `2026-11-20T08:30:00Z`."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dollars(cents: int) -> str:
    """Money for people: `$1,234.50`."""
    return f"${cents // 100:,}.{cents % 100:02d}"
