"""Budget arithmetic: what is held and used together never passes a limit, whatever the order of calls."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.budget import Budget, Reservation, Usage, carve, exceeded, held_for, tighten
from remit.core.errors import BudgetError

money = st.decimals(min_value=0, max_value=1000, places=6)
count = st.integers(0, 10_000)
limits = st.builds(
    Budget,
    max_cost_usd=st.none() | money,
    max_tokens=st.none() | count,
    max_model_calls=st.none() | count,
    max_tool_calls=st.none() | count,
    max_iterations=st.none() | count,
    max_depth=st.none() | st.integers(0, 5),
    max_children=st.none() | st.integers(0, 20),
)
used = st.builds(
    Usage, cost_usd=money, input_tokens=count, output_tokens=count, model_calls=count, tool_calls=count
)
held = st.builds(Reservation, cost_usd=money, tokens=count, model_calls=count, tool_calls=count)
FIELDS = (
    ("max_cost_usd", "cost_usd"),
    ("max_tokens", "tokens"),
    ("max_model_calls", "model_calls"),
    ("max_tool_calls", "tool_calls"),
)


@given(limits, used, held, st.none() | limits)
def test_a_slice_fits_into_what_is_left(
    budget: Budget, usage: Usage, holding: Reservation, asked: Budget | None
) -> None:
    """Whatever a child asks for, its slice is at most what its parent has neither used nor held."""
    try:
        part = carve(budget, usage, holding, asked)
    except BudgetError:
        return
    for limit, spent in FIELDS:
        whole, share = getattr(budget, limit), getattr(part, limit)
        if whole is not None:
            left = whole - getattr(usage, spent) - getattr(holding, spent)
            assert share is not None
            assert share <= max(left, 0)
        if asked is not None and getattr(asked, limit) is not None:
            assert share <= getattr(asked, limit)
    if budget.max_depth is not None:
        assert part.max_depth == budget.max_depth - 1


@given(limits, used, held)
def test_the_parent_keeps_within_its_limits_while_a_child_holds_its_slice(
    budget: Budget, usage: Usage, holding: Reservation
) -> None:
    """A parent within its limits is still within them after it hands out a slice, as long as children are left."""
    if exceeded(budget, usage, holding, Reservation(children=1)) is not None:
        return
    try:
        part = carve(budget, usage, holding, None)
    except BudgetError:
        return
    assert exceeded(budget, usage, holding, held_for(part)) is None


@given(limits, used, held, st.lists(held, max_size=8))
def test_reservations_that_were_let_in_never_pass_a_limit(
    budget: Budget, usage: Usage, holding: Reservation, asks: list[Reservation]
) -> None:
    """If every call is let in by `exceeded` alone, the total holds at every moment."""
    if exceeded(budget, usage, holding, Reservation()) is not None:
        return
    for ask in asks:
        if exceeded(budget, usage, holding, ask) is None:
            holding = holding.plus(ask)
    for limit, spent in FIELDS:
        whole = getattr(budget, limit)
        if whole is not None:
            assert getattr(usage, spent) + getattr(holding, spent) <= whole


@given(held, held)
def test_letting_go_is_the_inverse_of_holding(a: Reservation, b: Reservation) -> None:
    """Holding and then letting go changes nothing."""
    assert a.plus(b).minus(b) == a


@given(limits, limits)
def test_the_stricter_of_two_budgets_is_as_strict_as_each(a: Budget, b: Budget) -> None:
    """`tighten` never gives more than either, and gives no limit only where neither has one."""
    both = tighten(a, b)
    for name in a.__struct_fields__:
        given_ = [x for x in (getattr(a, name), getattr(b, name)) if x is not None]
        assert getattr(both, name) == (min(given_) if given_ else None)


@pytest.mark.parametrize(
    ("budget", "says"),
    [
        (Budget(max_cost_usd=Decimal("0.10")), "max_cost_usd"),
        (Budget(max_tokens=9), "max_tokens"),
        (Budget(max_model_calls=0), "max_model_calls"),
        (Budget(max_tool_calls=0), "max_tool_calls"),
        (Budget(max_children=0), "max_children"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_the_sentence_names_the_limit_that_would_break(budget: Budget, says: str) -> None:
    """A refusal names the first limit that the call could break."""
    ask = Reservation(Decimal("0.11"), 10, 1, 1, 1)
    assert says in (exceeded(budget, Usage(), Reservation(), ask) or "")


def test_half_of_what_is_left_is_the_share_of_a_child_that_asks_for_nothing() -> None:
    """A parent always keeps something for itself."""
    part = carve(Budget(max_cost_usd=Decimal(1), max_tokens=7), Usage(), Reservation(), None)
    assert (part.max_cost_usd, part.max_tokens) == (Decimal("0.5"), 4)


@given(limits, used, held, st.integers(1, 12))
def test_children_started_together_get_equal_parts_that_fit(
    budget: Budget, usage: Usage, holding: Reservation, children: int
) -> None:
    """Each gets what each other gets (but for rounding), and the parent stays within its limits with all of them held."""
    if exceeded(budget, usage, holding, Reservation(children=children)) is not None:
        return
    parts: list[Budget] = []
    for starting in range(children, 0, -1):
        try:
            parts.append(carve(budget, usage, holding, None, starting=starting))
        except BudgetError:
            return
        holding = holding.plus(held_for(parts[-1]))
        assert exceeded(budget, usage, holding, Reservation()) is None
    for limit, _ in FIELDS:
        shares = [getattr(part, limit) for part in parts]
        if shares[0] is not None:
            small = Decimal("0.00000001") if limit == "max_cost_usd" else 1
            assert max(shares) - min(shares) <= small


def test_nine_children_started_together_get_a_tenth_each() -> None:
    """What is left is divided by the children of the batch and their parent."""
    budget, holding = Budget(max_cost_usd=Decimal(1), max_model_calls=1000), Reservation()
    for starting in range(9, 0, -1):
        part = carve(budget, Usage(), holding, None, starting=starting)
        assert (part.max_cost_usd, part.max_model_calls) == (Decimal("0.1"), 100)
        holding = holding.plus(held_for(part))


def test_a_slice_is_never_rounded_beyond_what_is_left() -> None:
    """Amounts finer than a nano-dollar are left to the parent; less than one is nothing to start a child with."""
    left = Budget(max_cost_usd=Decimal("0.0000000037"))
    assert carve(left, Usage(), Reservation(), Budget(max_cost_usd=Decimal(1))).max_cost_usd == Decimal(
        "0.000000003"
    )
    with pytest.raises(BudgetError, match="nothing is left of `max_cost_usd`"):
        carve(Budget(max_cost_usd=Decimal("0.000000001")), Usage(), Reservation(), None)
