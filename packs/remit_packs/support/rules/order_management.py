"""Rules of the order-management agent: find the order, make sure whose it is, act, and tell what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from remit.sdk import Message, ModelRequest, Rule
from remit_packs.support.rules.conversation import Talk, call, listen, lost, plain, say
from remit_packs.support.rules.words import Ask, understand
from remit_packs.support.shapes import (
    Cancelled,
    Customer,
    Moved,
    Order,
    OrderSummary,
    Queued,
    Refunded,
    TicketId,
    Tracking,
    dollars,
)

Call = tuple[str, dict[str, Any]]

_CHANGES = ("cancel", "twice", "refund", "move")


def look_up(request: ModelRequest) -> Message | None:
    """First the facts: the order, its parcel, and who writes."""
    talk, ask = _read(request)
    wanted: list[Call] = []
    if ask.email and not talk.tried("find_customer"):
        wanted.append(("find_customer", {"query": ask.email}))
    if ask.order_id and not talk.tried("get_order"):
        wanted.append(("get_order", {"order_id": ask.order_id}))
        if ask.wants("where") or not ask.wants(*_CHANGES):
            wanted.append(("track_shipment", {"order_id": ask.order_id}))
    return call(talk, *wanted) if wanted else None


def look_up_by_customer(request: ModelRequest) -> Message | None:
    """Without an order number but with the e-mail address of the account, list orders; for a parcel take the newest."""
    talk, ask = _read(request)
    customer = _by_email(talk)
    if ask.order_id or talk.failures() or not customer or ask.wants("move"):
        return None
    if not talk.tried("list_orders"):
        return call(talk, ("list_orders", {"customer_id": customer, "limit": 5}))
    orders = talk.last("list_orders", list[OrderSummary]) or []
    if not orders:
        return say(f"I found no order of customer {customer}.")
    if ask.wants(*_CHANGES):
        return say("Which order is it about? I see: " + "; ".join(_summary(o) for o in orders) + ".")
    if not talk.tried("track_shipment"):
        return call(talk, ("track_shipment", {"order_id": orders[0].order_id}))
    tracking = talk.last("track_shipment", Tracking)
    return say(
        _parcel(tracking) if tracking else "",
        "Your latest orders: " + "; ".join(_summary(o) for o in orders) + ".",
    )


def nothing_to_look_at(request: ModelRequest) -> Message | None:
    """Neither order nor account: ask for one. An order that cannot be read: say why."""
    talk, ask = _read(request)
    if not ask.order_id and not _by_email(talk):
        return say("I need the order number (six digits), or the e-mail address of the account.")
    failed = [step for step in talk.failures() if step.tool in ("get_order", "list_orders", "find_customer")]
    return say(*(f"I could not look that up: {plain(step.output)}." for step in failed)) if failed else None


def make_sure(request: ModelRequest) -> Message | None:
    """Nothing is changed for somebody who did not say who they are, or for another customer's order."""
    talk, ask = _read(request)
    if not ask.wants(*_CHANGES):
        return None
    customer, order = _customer(talk, ask), talk.last("get_order", Order)
    if not customer:
        return say(
            "Before I change anything I need the customer number or the e-mail address of the account."
        )
    known = {ask.customer_id, _by_email(talk), order.customer_id if order else 0} - {0}
    if known != {customer}:
        return say(
            "Order, customer number and e-mail address do not belong together, so I have changed nothing."
        )
    return None


def act(request: ModelRequest) -> Message | None:
    """Make the changes that were asked for and not yet tried, all at once."""
    talk, ask = _read(request)
    order, customer = talk.last("get_order", Order), _customer(talk, ask)
    wanted: list[Call] = []
    if order and ask.wants("cancel") and not talk.tried("cancel_order"):
        wanted.append(("cancel_order", {"order_id": order.order_id}))
    if order and not wanted and not talk.tried("issue_refund"):
        amount, reason = _refund(talk, ask, order)
        if amount:
            wanted.append(
                ("issue_refund", {"order_id": order.order_id, "amount_cents": amount, "reason": reason})
            )
    if ask.wants("move") and ask.address and not talk.tried("change_address"):
        wanted.append(("change_address", {"customer_id": customer, **ask.address}))
    return call(talk, *wanted) if wanted else None


def hand_to_people(request: ModelRequest) -> Message | None:
    """A refund without a reason that rules can check becomes a ticket."""
    talk, ask = _read(request)
    order = talk.last("get_order", Order)
    if not order or not ask.wants("refund") or talk.tried("issue_refund") or talk.tried("create_ticket"):
        return None
    if ask.wants("twice", "cancel"):
        return None
    text = f"The customer asks for a refund of order {order.order_id} and gives no reason that can be checked here."
    wanted = {
        "customer_id": order.customer_id,
        "subject": "Refund wanted",
        "text": text,
        "order_id": order.order_id,
    }
    return call(talk, ("create_ticket", wanted))


def confirm(request: ModelRequest) -> Message | None:
    """Send an e-mail about what was done, only when asked to."""
    talk, ask = _read(request)
    done = _done(talk)
    customer = _customer(talk, ask)
    if not (ask.wants("mail") and done and customer) or talk.tried("send_email"):
        return None
    text = "\n".join(done)
    return call(talk, ("send_email", {"customer_id": customer, "subject": "About your order", "text": text}))


def tell(request: ModelRequest) -> Message | None:
    """Say what is and what was done, from the tools' answers only."""
    talk, ask = _read(request)
    order, tracking = talk.last("get_order", Order), talk.last("track_shipment", Tracking)
    if not order and not talk.steps and not ask.wants("move"):
        return None
    told = [_about(order) if order else "", _parcel(tracking) if tracking else "", *_done(talk)]
    if order and ask.wants("twice") and not talk.tried("issue_refund"):
        told.append(
            "It was charged once only, or the second charge was already refunded, so there is nothing to give back."
        )
    if ask.wants("move") and not ask.address:
        told.append(
            "I could not read the new address; please write it like `12 Elm Street, Madison, WI 53703`."
        )
    told += [f"Not done: {_step(step.tool)} ({plain(step.output)})." for step in talk.failures()]
    if not order and ask.wants("cancel", "twice", "refund"):
        told.append("For the rest I need the order number.")
    if ask.more_orders:
        told.append(
            f"I looked at order {ask.order_id} only; please ask about {', '.join(map(str, ask.more_orders))} one by one."
        )
    return say(*told)


RULES: Sequence[Rule] = (
    look_up,
    look_up_by_customer,
    nothing_to_look_at,
    make_sure,
    act,
    hand_to_people,
    confirm,
    tell,
    lost,
)


def _read(request: ModelRequest) -> tuple[Talk, Ask]:
    talk = listen(request)
    return talk, understand(talk.said, talk.before)


def _customer(talk: Talk, ask: Ask) -> int:
    return ask.customer_id or _by_email(talk)


def _by_email(talk: Talk) -> int:
    found = talk.last("find_customer", list[Customer]) or []
    return found[0].customer_id if len(found) == 1 else 0


def _refund(talk: Talk, ask: Ask, order: Order) -> tuple[int, str]:
    """How much to give back and why; 0 when rules know no reason."""
    if ask.wants("twice"):
        counts = Counter(charge.amount_cents for charge in order.charges)
        amount = sum(cents * (count - 1) for cents, count in counts.items()) - order.refunded_cents
        return max(amount, 0), "the order was charged twice"
    cancelled = talk.last("cancel_order", Cancelled)
    if cancelled:
        return cancelled.refund_due_cents, "the order was cancelled before it was shipped"
    line = next((line for line in order.lines if line.product_id == ask.product_id), None)
    if line and ask.wants("refund") and "found faulty" in ask.text:
        return line.quantity * line.unit_price_cents, f"faulty in warranty: {line.name}"
    return 0, ""


def _about(order: Order) -> str:
    lines = ", ".join(f"{line.quantity} x {line.name} (product {line.product_id})" for line in order.lines)
    return f"Order {order.order_id} of {order.placed_at[:10]} is {order.status}: {lines}; total {dollars(order.total_cents)}."


def _summary(order: OrderSummary) -> str:
    return f"order {order.order_id} of {order.placed_at[:10]}, {order.status}, {dollars(order.total_cents)}"


def _parcel(tracking: Tracking) -> str:
    if not tracking.carrier:
        return f"Order {tracking.order_id} has no parcel: it is {tracking.status}."
    where = f"{tracking.carrier} parcel {tracking.tracking_number}"
    if not tracking.events:
        return f"The {where} has no events yet; expected on {tracking.expected_on}."
    newest = tracking.events[-1]
    expected = "" if tracking.status == "delivered" else f" Expected day: {tracking.expected_on}."
    return f"The {where}: {newest.event} in {newest.place} on {newest.at[:10]}.{expected}"


def _done(talk: Talk) -> list[str]:
    """One sentence for each change that a tool confirmed."""
    cancelled, moved = talk.last("cancel_order", Cancelled), talk.last("change_address", Moved)
    refunded, ticket = talk.last("issue_refund", Refunded), talk.last("create_ticket", TicketId)
    queued = talk.last("send_email", Queued)
    told = []
    if cancelled:
        told.append(f"Order {cancelled.order_id} was cancelled.")
    if refunded:
        told.append(
            f"{dollars(refunded.amount_cents)} was refunded for order {refunded.order_id} (refund {refunded.refund_id})."
        )
    if moved:
        orders = (
            f"; orders {', '.join(map(str, moved.orders_redirected))} will go there"
            if moved.orders_redirected
            else ""
        )
        told.append(f"The address is now {moved.address}{orders}.")
    if ticket:
        told.append(f"The support team will look at it: ticket {ticket.ticket_id}.")
    if queued:
        told.append("A confirmation was put into the outbox for the e-mail address on file.")
    return told


def _step(tool: str) -> str:
    return tool.replace("_", " ")
