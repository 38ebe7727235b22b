"""What a framework's tool does not say about itself, and policy must know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from remit.core.provenance import Sensitivity, Trust
from remit.core.tool import Effect, Retry, Risk


class Contract(Struct, frozen=True):
    """How a tool is governed. What is not said is taken to be the worst that is usual: significant, outwards, untrusted.

    `effect` defaults to `read` for risk L0, to `lookup` with a `reconcile`, and to `plain` otherwise. `outward` defaults
    to whether the risk is above L0. `key_argument` names the parameter that is given the idempotency key; give it a
    default, since a model is never asked for it. `refusals` are exceptions that say that nothing happened; any other
    leaves the outcome of an effect unknown. `reconcile(key)` says whether the effect with this key happened, as `Found`
    or as the output it had; `facts(**arguments)` tells policy `amount` (cents), `count` and `over_limit`.
    """

    risk: Risk = "L2"
    effect: Effect | None = None
    outward: bool | None = None
    trust: Trust = "untrusted"
    sensitivity: Sensitivity = "internal"
    timeout_s: float = 30.0
    retry: Retry = Retry()
    key_argument: str = ""
    refusals: tuple[type[Exception], ...] = ()
    reconcile: Callable[..., Any] | None = None
    facts: Callable[..., Mapping[str, Any]] | None = None
