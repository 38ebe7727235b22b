"""What the offline rules understand of a message, and that they survive any other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.message import user
from remit.sdk import Message, ModelRequest
from remit_packs.support.rules import RULES
from remit_packs.support.rules.words import understand


@pytest.mark.parametrize(
    ("text", "order", "wishes"),
    [
        ("Where is my order 102345?", 102345, {"where"}),
        ("order #102345 was charged twice", 102345, {"twice"}),
        ("Please cancel 102345", 102345, {"cancel"}),
        ("where is order 999999", 999999, {"where"}),
        ("my zip is 97201 and my code 123", 0, set()),
        ("The kettle doesn’t work, I want my money back", 0, {"broken", "refund"}),
        ("Recommend something similar to product 1003 under $90", 0, {"recommend"}),
        ("", 0, set()),
    ],
)
def test_numbers_and_wishes(text: str, order: int, wishes: set[str]) -> None:
    ask = understand(text)
    assert (ask.order_id, set(ask.wishes)) == (order, wishes)


def test_an_address_is_read_in_its_parts() -> None:
    ask = understand(
        "Customer 20001 here. I have moved: my new address is 12 Elm Street, Madison, WI 53703. Thanks"
    )
    assert ask.address == {
        "street": "12 Elm Street",
        "city": "Madison",
        "region": "WI",
        "postal_code": "53703",
    }
    assert ask.customer_id == 20001


def test_what_was_said_before_gives_numbers_but_no_wishes() -> None:
    ask = understand("and when does it arrive?", "Cancel order 102345, customer 20001")
    assert (ask.order_id, ask.customer_id, set(ask.wishes)) == (102345, 20001, {"where"})


@pytest.mark.parametrize("agent", sorted(RULES))
@settings(max_examples=60, deadline=None)
@given(
    text=st.one_of(
        st.text(max_size=300),
        st.from_regex(r"(refund|order|customer|where|broken|\d{4,6}| ){0,12}", fullmatch=True),
    )
)
def test_every_agent_answers_any_text(agent: str, text: str) -> None:
    request = ModelRequest(model="rules", messages=(user(text),))
    answer = next((m for rule in RULES[agent] if (m := rule(request)) is not None), None)
    assert isinstance(answer, Message)
    assert answer.text or answer.tool_uses
