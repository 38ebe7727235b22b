"""Two runs side by side: their steps aligned by what was called, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from remit.core.errors import InputError
from remit.core.steps import StepRow
from remit.engine.stepping import StepPage, Stepping

WINDOW = 200
"""Steps of each run that are aligned at once."""


class StepPair(Struct, frozen=True):
    """A step of each run that stand for each other, or a step that only one of them has.

    `differs` names what is not the same of the two: state, input, output, verdict, cost or attempts.
    """

    left: StepRow | None
    right: StepRow | None
    differs: tuple[str, ...] = ()


class Compared(Struct, frozen=True):
    """Pairs in the order of both runs; `cursor` of the next page, or null at the end. `same` counts those that differ in nothing."""

    items: list[StepPair]
    cursor: str | None
    same: int


class Comparing:
    """Compares runs of one tenant. Reads only."""

    def __init__(self, stepping: Stepping) -> None:
        self._stepping = stepping

    async def page(self, left: str, right: str, tenant_id: str, *, cursor: str | None = None) -> Compared:
        """The next steps of two runs, aligned. Raises NotFoundError, InputError E1011 for a cursor that is none.

        Every page aligns at most 200 steps of each run, so that runs of any length are compared; steps that moved farther
        than that are shown as two that have no counterpart.
        """
        seen = _read(cursor)
        lefts = await self._page(left, tenant_id, seen[0])
        rights = await self._page(right, tenant_id, seen[1])
        pairs = list(_aligned(lefts.items, rights.items))
        if lefts.cursor is not None or rights.cursor is not None:
            pairs = _settled(pairs)
        after = _after(pairs, seen)
        done = after == _after(_all(lefts.items, rights.items), seen)
        ended = done and lefts.cursor is None and rights.cursor is None
        same = sum(1 for p in pairs if p.left and p.right and not p.differs)
        return Compared(pairs, None if ended else f"{after[0]},{after[1]}", same)

    async def _page(self, run_id: str, tenant_id: str, after: int) -> StepPage:
        return await self._stepping.page(run_id, tenant_id, after=after, limit=WINDOW, digests=True)


def _aligned(lefts: Sequence[StepRow], rights: Sequence[StepRow]) -> Iterator[StepPair]:
    """The steps of two stretches, those that stand for each other beside each other: as many as can, and the likest."""
    best = _scores(lefts, rights)
    i = j = 0
    while i < len(lefts) or j < len(rights):
        left = lefts[i] if i < len(lefts) else None
        right = rights[j] if j < len(rights) else None
        if (
            left
            and right
            and _stands_for(left, right)
            and best[i][j] == _likeness(left, right) + best[i + 1][j + 1]
        ):
            yield _pair(left, right)
            i, j = i + 1, j + 1
        elif right is None or (left is not None and best[i + 1][j] >= best[i][j + 1]):
            yield StepPair(left, None)
            i += 1
        else:
            yield StepPair(None, right)
            j += 1


def _scores(lefts: Sequence[StepRow], rights: Sequence[StepRow]) -> list[list[int]]:
    """What the best way of putting the rest beside each other is worth, from every place of both on."""
    best = [[0] * (len(rights) + 1) for _ in range(len(lefts) + 1)]
    for i in range(len(lefts) - 1, -1, -1):
        row, below = best[i], best[i + 1]
        for j in range(len(rights) - 1, -1, -1):
            row[j] = max(below[j], row[j + 1], _likeness(lefts[i], rights[j]) + below[j + 1])
    return best


def _likeness(left: StepRow, right: StepRow) -> int:
    if not _stands_for(left, right):
        return 0
    return 4 + (left.input_digest == right.input_digest) + (left.output_digest == right.output_digest)


def _settled(pairs: list[StepPair]) -> list[StepPair]:
    """The pairs of stretches that go on: what follows the last counterpart is aligned anew with what comes after it."""
    last = max((i for i, pair in enumerate(pairs) if pair.left and pair.right), default=-1)
    return pairs[: last + 1] if last >= WINDOW // 2 else pairs


def _pair(left: StepRow, right: StepRow) -> StepPair:
    told = (
        ("state", left.state == right.state and left.problem == right.problem),
        ("input", left.input_digest == right.input_digest),
        ("output", left.output_digest == right.output_digest),
        ("verdict", (left.verdict, left.reason) == (right.verdict, right.reason)),
        ("cost", (left.cost_usd, left.tokens) == (right.cost_usd, right.tokens)),
        ("attempts", left.attempts == right.attempts),
    )
    return StepPair(left, right, tuple(name for name, same in told if not same))


def _stands_for(left: StepRow, right: StepRow) -> bool:
    return left.kind == right.kind and left.name == right.name


def _all(lefts: Sequence[StepRow], rights: Sequence[StepRow]) -> list[StepPair]:
    return [*(StepPair(row, None) for row in lefts), *(StepPair(None, row) for row in rights)]


def _after(pairs: Sequence[StepPair], seen: tuple[int, int]) -> tuple[int, int]:
    """The last event of each run at which a shown step began."""
    return (
        max((p.left.seq for p in pairs if p.left), default=seen[0]),
        max((p.right.seq for p in pairs if p.right), default=seen[1]),
    )


def _read(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return -1, -1
    left, _, right = cursor.partition(",")
    try:
        return int(left), int(right)
    except ValueError:
        raise InputError(
            f"`{cursor[:50]}` is no cursor", code="E1011", help="pass the `cursor` of the page before"
        ) from None
