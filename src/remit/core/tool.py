"""What a tool says about itself, and a call of one."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from remit.core.provenance import Sensitivity, Trust

Risk = Literal["L0", "L1", "L2", "L3"]
"""L0 read; L1 bounded write; L2 significant; L3 privileged (always needs approval by default)."""

Effect = Literal["read", "keyed", "lookup", "plain"]
"""What may be done when a call's outcome is not known after a crash.

`read`    it changes nothing: call again.
`keyed`   it honours the idempotency key: send again under the same key.
`lookup`  it has `reconcile(key)`: ask whether it happened.
`plain`   none of these: a person is asked, and it is never silently repeated.
"""


class Retry(Struct, frozen=True):
    """A retry budget: `attempts` in all, exponential back-off from `base_s` to at most `max_s` seconds, full jitter."""

    attempts: int = 3
    base_s: float = 0.2
    max_s: float = 5.0


class ToolSpec(Struct, frozen=True):
    """The contract of a tool (P3).

    `input_schema` and `output_schema` are JSON Schema (2020-12). `timeout_s` bounds one attempt in seconds.
    `max_output_bytes` caps what a model sees; the rest is kept as a blob. `outward` says that the call
    communicates or changes state outside Remit. `trust` and `sensitivity` label what it returns.
    """

    name: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None = None
    risk: Risk = "L0"
    effect: Effect = "plain"
    timeout_s: float = 30.0
    retry: Retry = Retry()
    max_output_bytes: int = 65_536
    outward: bool = False
    trust: Trust = "trusted"
    sensitivity: Sensitivity = "internal"
    tags: tuple[str, ...] = ()
    version: str = "1"
