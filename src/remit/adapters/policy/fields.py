"""The settings of a profile: which there are, of which types, and what comes of them on top of another profile."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from remit.core.policy import Profile

_Name = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
_Count = Annotated[int, Meta(ge=0)]
_Seconds = Annotated[float, Meta(gt=0)]
FIELDS: dict[str, Any] = {
    "name": _Name,
    "extends": _Name,
    "redact": tuple[Literal["secrets", "pii"], ...],
    "approver_roles": Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=1)],
    "quorum": Annotated[int, Meta(ge=1)],
    "approval_expires_s": _Seconds,
    "budget": dict[str, Any],
}
LIMITS: dict[str, Any] = {
    "max_cost_usd": Decimal,
    "max_tokens": _Count,
    "max_model_calls": _Count,
    "max_tool_calls": _Count,
    "max_iterations": _Count,
    "max_wall_s": _Seconds,
    "max_depth": _Count,
    "max_children": _Count,
}


def check_cost(path: Path, text: str, limits: dict[str, Any], problems: list[str]) -> None:
    """Say so in `problems` when the limit of money is no amount."""
    cost = limits.get("max_cost_usd")
    if cost is not None and not (cost.is_finite() and cost >= 0):
        problems.append(f"{path}:{_line(text, 'max_cost_usd')}: `max_cost_usd` must be zero or more")


def typed(
    path: Path, text: str, data: dict[str, Any], types: dict[str, Any], problems: list[str]
) -> dict[str, Any]:
    """The values that are of the types there are for them; what is wrong goes to `problems`, with its line in `text`."""
    values = {}
    for key, value in data.items():
        if key not in types:
            known = ", ".join(f"`{known}`" for known in types)
            problems.append(f"{path}:{_line(text, key)}: `{key}` is not a setting here; there are {known}")
            continue
        try:
            values[key] = msgspec.convert(value, types[key])
        except msgspec.ValidationError as error:
            problems.append(f"{path}:{_line(text, key)}: `{key}` is wrong: {error}")
    return values


def _line(text: str, key: str) -> int:
    found = re.search(rf"^\s*\[?[\"']?{re.escape(key)}[\"']?\s*[=\].]", text, re.MULTILINE)
    return text.count("\n", 0, found.end()) + 1 if found else 1


def extended(
    base: Profile | None, name: str, fields: dict[str, Any], limits: dict[str, Any], cedar: str
) -> Profile:
    """The profile of these settings and policies on top of `base`, whose policies hold as well. Its digest is to be set."""
    under = base or Profile(name=name, cedar="")
    return replace(
        under,
        name=name,
        cedar=f"{under.cedar}\n{cedar}" if under.cedar else cedar,
        budget=replace(under.budget, **limits) if limits else under.budget,
        digest="",
        **fields,
    )
