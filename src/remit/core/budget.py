"""Budgets: limits, what has been used, and slices handed to children.

Reserve before a call, settle after it. A child is given a slice carved out of its parent's envelope, so it can
never spend more than that, and needs no shared row for a call.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from remit.core.errors import BudgetError

ZERO = Decimal(0)
NANO = Decimal("0.000000001")


class Usage(Struct, frozen=True):
    """What was used. `cost_usd` in US dollars; tokens as the provider counted them; `wall_s` seconds."""

    cost_usd: Decimal = ZERO
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    children: int = 0
    wall_s: float = 0.0

    @property
    def tokens(self) -> int:
        """Input and output tokens together, cached ones included."""
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens

    def plus(self, other: Usage) -> Usage:
        """The sum of two usages, field by field."""
        return Usage(
            self.cost_usd + other.cost_usd,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_tokens + other.cache_read_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
            self.children + other.children,
            self.wall_s + other.wall_s,
        )


class Budget(Struct, frozen=True):
    """Limits of one envelope; `None` means no limit at this level (a parent's still holds).

    `max_wall_s` counts from the run's creation, waiting included unless the profile says otherwise.
    `max_depth` is how many generations of children may follow, `max_children` how many direct ones.
    """

    max_cost_usd: Decimal | None = None
    max_tokens: int | None = None
    max_model_calls: int | None = None
    max_tool_calls: int | None = None
    max_iterations: int | None = None
    max_wall_s: float | None = None
    max_depth: int | None = None
    max_children: int | None = None


class Reservation(Struct, frozen=True):
    """The most that one call may use, held back until it settles."""

    cost_usd: Decimal = ZERO
    tokens: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    children: int = 0

    def plus(self, other: Reservation) -> Reservation:
        """The sum of two reservations."""
        return Reservation(
            self.cost_usd + other.cost_usd,
            self.tokens + other.tokens,
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
            self.children + other.children,
        )

    def minus(self, other: Reservation) -> Reservation:
        """This reservation with `other` released."""
        return Reservation(
            self.cost_usd - other.cost_usd,
            self.tokens - other.tokens,
            self.model_calls - other.model_calls,
            self.tool_calls - other.tool_calls,
            self.children - other.children,
        )


def exceeded(budget: Budget, used: Usage, held: Reservation, ask: Reservation) -> str | None:
    """The first limit that `used + held + ask` would break, as one sentence; `None` when all hold."""
    checks: tuple[tuple[str, Decimal | int, Decimal | int | None], ...] = (
        ("max_cost_usd", used.cost_usd + held.cost_usd + ask.cost_usd, budget.max_cost_usd),
        ("max_tokens", used.tokens + held.tokens + ask.tokens, budget.max_tokens),
        ("max_model_calls", used.model_calls + held.model_calls + ask.model_calls, budget.max_model_calls),
        ("max_tool_calls", used.tool_calls + held.tool_calls + ask.tool_calls, budget.max_tool_calls),
        ("max_children", used.children + held.children + ask.children, budget.max_children),
    )
    for name, total, limit in checks:
        if limit is not None and total > limit:
            return f"`{name}` is {limit} and this call could bring the run to {total}"
    return None


def carve(
    budget: Budget, used: Usage, held: Reservation, asked: Budget | None, *, starting: int = 1
) -> Budget:
    """The slice a child gets: what it asked for, never more than what is left.

    If it asked for nothing it gets an equal part of what is left: one part for each of the `starting` children of its
    batch that have none yet (itself included), and one for the parent. So a child alone gets half, and each of nine
    children started together a tenth. Depth falls by one. Raises BudgetError when depth is used up or nothing is left.
    """
    if budget.max_depth is not None and budget.max_depth <= 0:
        raise BudgetError(
            "`max_depth` is used up, so this run may not start another agent",
            code="E503",
            help="raise `max_depth` in the task's constraints or the policy profile",
        )
    asked = asked or Budget()
    left_cost = None if budget.max_cost_usd is None else budget.max_cost_usd - used.cost_usd - held.cost_usd
    left_tokens = None if budget.max_tokens is None else budget.max_tokens - used.tokens - held.tokens
    left_models = (
        None
        if budget.max_model_calls is None
        else budget.max_model_calls - used.model_calls - held.model_calls
    )
    left_tools = (
        None if budget.max_tool_calls is None else budget.max_tool_calls - used.tool_calls - held.tool_calls
    )
    parts = starting + 1
    cost = _slice(left_cost, asked.max_cost_usd, parts)
    cost = None if cost is None else Decimal(cost).quantize(NANO, ROUND_DOWN)
    tokens = _slice(left_tokens, asked.max_tokens, parts)
    models = _slice(left_models, asked.max_model_calls, parts)
    tools = _slice(left_tools, asked.max_tool_calls, parts)
    for name, share in (("max_cost_usd", cost), ("max_tokens", tokens), ("max_model_calls", models)):
        if share is not None and share <= 0:
            raise BudgetError(
                f"nothing is left of `{name}` for a child run",
                code="E504",
                help=f"raise `{name}` of the run, or delegate less",
            )
    return replace(
        asked,
        max_cost_usd=cost,
        max_tokens=None if tokens is None else int(tokens),
        max_model_calls=None if models is None else int(models),
        max_tool_calls=None if tools is None else int(tools),
        max_iterations=asked.max_iterations if asked.max_iterations is not None else budget.max_iterations,
        max_wall_s=asked.max_wall_s if asked.max_wall_s is not None else budget.max_wall_s,
        max_depth=None if budget.max_depth is None else budget.max_depth - 1,
        max_children=asked.max_children if asked.max_children is not None else budget.max_children,
    )


def held_for(slice_: Budget) -> Reservation:
    """What a parent holds back while a child with `slice_` runs."""
    return Reservation(
        cost_usd=slice_.max_cost_usd or ZERO,
        tokens=slice_.max_tokens or 0,
        model_calls=slice_.max_model_calls or 0,
        tool_calls=slice_.max_tool_calls or 0,
        children=1,
    )


def tighten(outer: Budget, inner: Budget | None) -> Budget:
    """The stricter of two budgets, limit by limit."""
    if inner is None:
        return outer
    return Budget(
        max_cost_usd=_min(outer.max_cost_usd, inner.max_cost_usd),
        max_tokens=_min(outer.max_tokens, inner.max_tokens),
        max_model_calls=_min(outer.max_model_calls, inner.max_model_calls),
        max_tool_calls=_min(outer.max_tool_calls, inner.max_tool_calls),
        max_iterations=_min(outer.max_iterations, inner.max_iterations),
        max_wall_s=_min(outer.max_wall_s, inner.max_wall_s),
        max_depth=_min(outer.max_depth, inner.max_depth),
        max_children=_min(outer.max_children, inner.max_children),
    )


Number = TypeVar("Number", Decimal, int, float)


def _min(a: Number | None, b: Number | None) -> Number | None:
    if a is None:
        return b
    return a if b is None else min(a, b)


def _slice(left: Decimal | int | None, asked: Decimal | int | None, parts: int) -> Decimal | int | None:
    if left is None:
        return asked
    if asked is None:
        return left / parts if isinstance(left, Decimal) else -(-left // parts)
    return min(left, asked)
