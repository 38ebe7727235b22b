"""Rules of the supervisor: see what is asked, hand each part to the specialist for it, put the answers together.

Hand-offs say only what the specialist needs. A refund for a fault is handed on only after troubleshooting found it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from remit.sdk import Message, ModelRequest, Rule
from remit_packs.support.rules.conversation import OFFLINE, Step, Talk, call, listen, plain, say
from remit_packs.support.rules.words import Ask, understand

ORDERS, PRODUCTS = "delegate_to_order_management", "delegate_to_product_recommendation"
PERSON, TROUBLE = "delegate_to_personalization", "delegate_to_troubleshooting"

_FOUND_FAULTY = re.compile(r"Finding: .*?\(product (\d+)\) is faulty, in warranty")
_PRODUCT = re.compile(r"\(product (\d+)\)")
_BUDGET = re.compile(r"budget (\$[\d,.]+\d)")
_OWNS = re.compile(r"owns products ([\d, ]+)")


def first_round(request: ModelRequest) -> Message | None:
    """What can be handed over at once."""
    talk, ask = _read(request)
    if talk.steps:
        return None
    wanted: list[tuple[str, str]] = []
    if _broken(ask):
        wanted.append(
            (
                TROUBLE,
                f"Find out what is wrong{_order(ask)}{_customer(ask)}. In the customer's words: {ask.text}",
            )
        )
    orders = _order_objective(ask)
    if orders:
        wanted.append((ORDERS, orders))
    if ask.wants("recommend", "history") and (ask.customer_id or ask.email):
        wanted.append((PERSON, f"Sum up preferences and purchases{_customer(ask)}."))
    if ask.wants("recommend") and not ask.order_id and not wanted:
        wanted.append((PRODUCTS, f"Recommend products. In the customer's words: {ask.text}"))
    return _delegate(talk, wanted)


def refund_a_fault(request: ModelRequest) -> Message | None:
    """The customer wants the money back, and troubleshooting found a fault in warranty."""
    talk, ask = _read(request)
    if not (_broken(ask) and ask.wants("refund") and ask.order_id) or _refund_tried(talk):
        return None
    found = _FOUND_FAULTY.search(_answer(talk, TROUBLE))
    if not found:
        return None
    objective = (
        f"Refund product {found[1]} of order {ask.order_id}{_customer(ask)}: it was found faulty in warranty."
    )
    return _delegate(talk, [(ORDERS, objective)])


def recommend(request: ModelRequest) -> Message | None:
    """Something similar, once the product and what the customer likes are known."""
    talk, ask = _read(request)
    if not ask.wants("recommend") or talk.tried(PRODUCTS):
        return None
    likes = _answer(talk, PERSON)
    product = (
        ask.product_id
        or _first_number(_PRODUCT, _answer(talk, ORDERS))
        or _first_number(_PRODUCT, _answer(talk, TROUBLE))
    )
    budget, owns = _BUDGET.search(likes), _OWNS.search(likes)
    limit = ""
    if ask.max_price_cents:
        limit = f", up to ${ask.max_price_cents // 100}.{ask.max_price_cents % 100:02d}"
    elif budget:
        limit = f", up to {budget[1]}"
    owned = f" The customer owns products {owns[1].strip()}." if owns else ""
    if product:
        return _delegate(
            talk, [(PRODUCTS, f"Recommend products similar to product {product}{limit}.{owned}")]
        )
    return _delegate(talk, [(PRODUCTS, f"Recommend products{limit}. In the customer's words: {ask.text}")])


def put_together(request: ModelRequest) -> Message | None:
    """The specialists' answers, one after the other; what the customer did not ask about stays out."""
    talk, ask = _read(request)
    if not talk.steps:
        return None
    told = [_told(step) for step in talk.steps if step.tool != PERSON or ask.wants("history") or step.failed]
    if _broken(ask) and ask.wants("refund") and not _refund_tried(talk) and not talk.failures():
        told.append(
            "I have not refunded anything: a refund needs a fault found in warranty, and there is none so far."
        )
    if ask.more_orders:
        others = ", ".join(map(str, ask.more_orders))
        told.append(f"I looked at order {ask.order_id} only; please ask about {others} one by one.")
    return say(*(answer for answer in told if answer))


def unclear(request: ModelRequest) -> Message | None:
    """Nothing matched: say what this is, and what it can do."""
    del request
    return say(
        f"I am sorry, I did not understand that. {OFFLINE}",
        "I can look up and cancel orders, refund double charges and faulty products, change addresses, find out why"
        " something does not work, and recommend products. Please give your order number and customer number, and say what you need.",
    )


RULES: Sequence[Rule] = (first_round, refund_a_fault, recommend, put_together, unclear)


def _read(request: ModelRequest) -> tuple[Talk, Ask]:
    talk = listen(request)
    return talk, understand(talk.said, talk.before)


def _broken(ask: Ask) -> bool:
    return ask.wants("broken") and not ask.wants("twice", "cancel")


def _refund_tried(talk: Talk) -> bool:
    return any(
        step.tool == ORDERS and str(step.input.get("objective", "")).startswith("Refund product")
        for step in talk.steps
    )


def _order_objective(ask: Ask) -> str:
    """What order-management shall do now; empty when nothing (a fault is looked at first)."""
    parts = []
    if ask.wants("twice"):
        parts.append(f"The customer was charged twice{_order(ask)}: check it and refund the second charge.")
    elif ask.wants("refund") and not _broken(ask) and not ask.wants("cancel"):
        parts.append(f"The customer wants a refund{_order(ask)}.")
    if ask.wants("cancel"):
        parts.append(f"Cancel{_order(ask) or ' the order'} if it has not been shipped, and refund it.")
    if ask.wants("move"):
        address = ask.address
        given = "{street}, {city}, {region} {postal_code}".format(**address) if address else "not readable"
        parts.append(f"The customer has moved, new address: {given}.")
    if (ask.wants("where") and not _broken(ask)) or (ask.order_id and not parts and not _broken(ask)):
        parts.append(f"Say where the parcel is{_order(ask)}.")
    if parts and ask.wants("mail"):
        parts.append("Confirm by e-mail.")
    return f"{' '.join(parts)} From{_customer(ask) or ' a customer without a number'}." if parts else ""


def _order(ask: Ask) -> str:
    return f" for order {ask.order_id}" if ask.order_id else ""


def _customer(ask: Ask) -> str:
    if ask.customer_id:
        return f" customer {ask.customer_id}"
    return f" customer {ask.email}" if ask.email else ""


def _delegate(talk: Talk, wanted: list[tuple[str, str]]) -> Message | None:
    calls: list[tuple[str, dict[str, Any]]] = [(tool, {"objective": objective}) for tool, objective in wanted]
    return call(talk, *calls) if calls else None


def _answer(talk: Talk, tool: str) -> str:
    return "\n".join(plain(step.output) for step in talk.done(tool))


def _told(step: Step) -> str:
    if step.failed:
        name = step.tool.removeprefix("delegate_to_").replace("_", " ")
        return f"The part for {name} was not done: {plain(step.output)}"
    return plain(step.output)


def _first_number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.search(text)
    return int(found[1]) if found else 0
