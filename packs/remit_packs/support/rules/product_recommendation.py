"""Rules of the product-recommendation agent: products like a known one, or products that fit words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from remit.sdk import Message, ModelRequest, Rule
from remit_packs.support.rules.conversation import call, listen, lost, plain, say
from remit_packs.support.rules.words import Ask, understand
from remit_packs.support.shapes import Product, Recommendation, dollars

_NOISE = re.compile(
    r"\b(?:recommend|suggest|similar|please|products?|something|under|below|at most|up to|budget|customer)\w*|[\d$,.?!]+",
    re.I,
)


def like_a_product(request: ModelRequest) -> Message | None:
    """Similar to a product number: within the budget first, then without it."""
    talk = listen(request)
    ask = understand(talk.said, talk.before)
    if not ask.product_id:
        return None
    tries = [step for step in talk.steps if step.tool == "recommend_products"]
    if not tries:
        return call(
            talk,
            ("recommend_products", _similar(ask, within_budget=True)),
            ("product_details", {"product_id": ask.product_id}),
        )
    if talk.failures():
        return say(*(f"I could not look that up: {plain(step.output)}." for step in talk.failures()))
    found = talk.last("recommend_products", list[Recommendation]) or []
    if not found and ask.max_price_cents and len(tries) == 1:
        return call(talk, ("recommend_products", _similar(ask, within_budget=False)))
    product = talk.last("product_details", Product)
    name = f"{product.name} (product {ask.product_id})" if product else f"product {ask.product_id}"
    if not found:
        return say(f"Nothing else like {name} is in stock.")
    lead = f"Similar to {name}"
    if ask.max_price_cents:
        lead += f", {'up to' if len(tries) == 1 else 'though above'} {dollars(ask.max_price_cents)}"
    return say(
        lead + ":",
        *(f"- {r.name} (product {r.product_id}), {dollars(r.price_cents)}: {r.reason}" for r in found),
    )


def by_words(request: ModelRequest) -> Message | None:
    """Products that fit the words of the request."""
    talk = listen(request)
    ask = understand(talk.said, talk.before)
    words = ask.text.rpartition("In the customer's words:")[2]
    query = " ".join(_NOISE.sub(" ", words).split())[:200]
    if not talk.tried("search_products"):
        wanted: dict[str, Any] = {"query": query, "limit": 3}
        if ask.max_price_cents:
            wanted["max_price_cents"] = ask.max_price_cents
        return call(talk, ("search_products", wanted)) if query else None
    found = talk.last("search_products", list[Product])
    if found is None:
        return say(*(f"I could not search: {plain(step.output)}." for step in talk.failures()))
    if not found:
        return say("I found no product in stock that fits these words.")
    return say(
        "I found:",
        *(
            f"- {p.name} (product {p.product_id}), {dollars(p.price_cents)}, rated {p.rating}, {p.stock} in stock"
            for p in found
        ),
    )


RULES: Sequence[Rule] = (like_a_product, by_words, lost)


def _similar(ask: Ask, *, within_budget: bool) -> dict[str, Any]:
    wanted: dict[str, Any] = {"product_id": ask.product_id, "limit": 3}
    if ask.owned:
        wanted["exclude"] = list(ask.owned)
    if within_budget and ask.max_price_cents:
        wanted["max_price_cents"] = ask.max_price_cents
    return wanted
