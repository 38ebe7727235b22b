"""Rules of the personalization agent: what a customer likes and has bought."""

from __future__ import annotations

from collections.abc import Sequence

from remit.sdk import Message, ModelRequest, Rule
from remit_packs.support.rules.conversation import call, listen, lost, plain, say
from remit_packs.support.rules.words import understand
from remit_packs.support.shapes import Customer, Preferences, Purchase, dollars


def profile(request: ModelRequest) -> Message | None:
    """Find the customer, read preferences and purchases, and sum them up."""
    talk = listen(request)
    ask = understand(talk.said, talk.before)
    customer = ask.customer_id
    if not customer and ask.email:
        if not talk.tried("find_customer"):
            return call(talk, ("find_customer", {"query": ask.email}))
        found = talk.last("find_customer", list[Customer]) or []
        if len(found) != 1:
            return say("I found no customer with this e-mail address.")
        customer = found[0].customer_id
    if not customer:
        return say("I need a customer number or the e-mail address of the account.")
    if not talk.tried("customer_preferences"):
        reads = {"customer_id": customer}
        return call(talk, ("customer_preferences", reads), ("purchase_history", {**reads, "limit": 5}))
    likes = talk.last("customer_preferences", Preferences)
    if likes is None:
        return say(*(f"I could not look that up: {plain(step.output)}." for step in talk.failures()))
    bought = talk.last("purchase_history", list[Purchase]) or []
    return say(*_portrait(likes, bought))


RULES: Sequence[Rule] = (profile, lost)


def _portrait(likes: Preferences, bought: list[Purchase]) -> list[str]:
    told = [
        f"Customer {likes.customer_id}: favourite category {likes.favourite_category}, budget {dollars(likes.budget_cents)},"
        f" wishes contact by {likes.contact_by}."
    ]
    if likes.bought_most:
        told.append(f"Bought most: {', '.join(likes.bought_most)}.")
    if bought:
        told.append("Last purchases: " + "; ".join(f"{p.name} on {p.bought_on}" for p in bought) + ".")
    if likes.owns:
        told.append(f"The customer owns products {', '.join(map(str, likes.owns))}.")
    return told
