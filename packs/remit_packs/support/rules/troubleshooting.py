"""Rules of the troubleshooting agent: diagnose the product, show the article, keep a ticket when it is faulty."""

from __future__ import annotations

import re
from collections.abc import Sequence

from remit.sdk import Message, ModelRequest, Rule
from remit_packs.support.catalogue import CATEGORIES
from remit_packs.support.rules.conversation import Talk, call, listen, lost, plain, say
from remit_packs.support.rules.words import Ask, understand
from remit_packs.support.shapes import Article, Diagnosis, Line, Order, Ticket, TicketId


def without_order(request: ModelRequest) -> Message | None:
    """No order number: help articles are all there is to give."""
    talk, ask = _read(request)
    if ask.order_id:
        return None
    if not talk.tried("knowledge_search"):
        return call(talk, ("knowledge_search", {"query": ask.text[:400]}))
    articles = talk.last("knowledge_search", list[Article]) or []
    if not articles:
        return say("I found no help article about this. With an order number I can look the product up.")
    return say(*_steps(articles[0]), "With the order number I can also check the warranty.")


def read_order(request: ModelRequest) -> Message | None:
    """Read the order, and earlier tickets when the customer speaks of one."""
    talk, ask = _read(request)
    if not talk.tried("get_order"):
        return call(talk, ("get_order", {"order_id": ask.order_id}))
    order = talk.last("get_order", Order)
    if order is None:
        return say(*(f"I could not look that up: {plain(step.output)}." for step in talk.failures()))
    if ask.wants("ticket") and not talk.tried("search_tickets"):
        return call(talk, ("search_tickets", {"customer_id": order.customer_id, "limit": 3}))
    return None


def diagnose(request: ModelRequest) -> Message | None:
    """Look the symptom up for the product it is about."""
    talk, ask = _read(request)
    order = talk.last("get_order", Order)
    if order is None or talk.tried("run_diagnostic"):
        return None
    line = _product_meant(order, ask)
    if line is None:
        names = ", ".join(f"{line.name} (product {line.product_id})" for line in order.lines)
        return say(f"Which product of order {order.order_id} is it about: {names}?")
    symptom = ask.text[:400]
    return call(
        talk,
        ("run_diagnostic", {"order_id": order.order_id, "product_id": line.product_id, "symptom": symptom}),
        ("knowledge_search", {"query": symptom, "category": line.category, "limit": 5}),
    )


def keep_ticket(request: ModelRequest) -> Message | None:
    """A faulty product gets a ticket with the finding, if the one who asks is the customer."""
    talk, ask = _read(request)
    order, finding = talk.last("get_order", Order), talk.last("run_diagnostic", Diagnosis)
    if not order or not finding or finding.verdict != "faulty" or talk.tried("create_ticket"):
        return None
    if ask.customer_id != order.customer_id:
        return None
    ticket = {
        "customer_id": order.customer_id,
        "order_id": order.order_id,
        "subject": f"{finding.product} is faulty",
        "text": f"{finding.explanation} In warranty until {finding.warranty_until}.",
    }
    return call(talk, ("create_ticket", ticket))


def tell(request: ModelRequest) -> Message | None:
    """The finding, the warranty and the article."""
    talk, _ = _read(request)
    finding = talk.last("run_diagnostic", Diagnosis)
    if finding is None:
        return (
            say(*(f"I could not diagnose it: {plain(step.output)}." for step in talk.failures()))
            if talk.failures()
            else None
        )
    warranty = "in warranty" if finding.in_warranty else "out of warranty since"
    until = f"until {finding.warranty_until}" if finding.in_warranty else finding.warranty_until
    told = [
        f"Finding: {finding.product} (product {finding.product_id}) is {finding.verdict}, {warranty} {until}. {finding.explanation}"
    ]
    if finding.verdict != "faulty":
        told += _steps(_article(talk, finding))
    ticket = talk.last("create_ticket", TicketId)
    if ticket:
        told.append(f"The finding is kept in ticket {ticket.ticket_id}.")
    earlier = talk.last("search_tickets", list[Ticket])
    if earlier:
        told.append(
            "Earlier tickets: "
            + ", ".join(f"{t.ticket_id} ({t.status}, {t.created_at[:10]})" for t in earlier)
            + "."
        )
    return say(*told)


RULES: Sequence[Rule] = (without_order, read_order, diagnose, keep_ticket, tell, lost)


def _read(request: ModelRequest) -> tuple[Talk, Ask]:
    talk = listen(request)
    return talk, understand(talk.said, talk.before)


def _product_meant(order: Order, ask: Ask) -> Line | None:
    """The line with the product's number, the only line, or the one line whose words the message uses."""
    by_number = [line for line in order.lines if line.product_id == ask.product_id]
    if by_number or len(order.lines) == 1:
        return (by_number or order.lines)[0]
    words = {word.rstrip("s") for word in re.findall(r"[a-z-]{4,}", ask.text.lower())}
    nouns = {category.name: category.noun.lower().split()[-1].rstrip("s") for category in CATEGORIES}
    named = [line for line in order.lines if nouns.get(line.category, line.category) in words]
    return named[0] if len(named) == 1 else None


def _article(talk: Talk, finding: Diagnosis) -> Article | None:
    articles = talk.last("knowledge_search", list[Article]) or []
    return next((a for a in articles if a.article == finding.article), articles[0] if articles else None)


def _steps(article: Article | None) -> list[str]:
    return [f'From our article "{article.title}":', article.text] if article else []
