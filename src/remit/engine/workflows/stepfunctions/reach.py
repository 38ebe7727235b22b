"""What a process may do for a run that it advances on behalf of one call."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct


class Reach(Struct, frozen=True):
    """`tools` that may be called here (None: all): the role of a function may hold for its own tool only.

    `until_ts` is when the process will end, in Unix milliseconds: no call is begun that might not be over by then, but for
    `own`, the call that the process was started for.
    """

    tools: Collection[str] | None = None
    until_ts: int | None = None
    own: str = ""


EVERYTHING = Reach()
