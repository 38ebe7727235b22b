"""The picture of a run that is too long to be read whole: how far its states have come, from the rows of its steps."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from remit.core.payload import load
from remit.core.states.picture import Status, graph
from remit.core.states.progress import Pointer, branch
from remit.core.steps import StepFold, StepRow
from remit.engine.stepping import Stepping
from remit.engine.workflows.picturing import Entering, Picture, pointer_text, status_of, waited_for
from remit.ports.store import Journal

FOR_S = 10.0
"""Seconds for which one look reads on in the journal; the next goes on with it."""

Document = Mapping[str, Any]


async def picture_of_long(
    store: Journal, stepping: Stepping, run_id: str, tenant_id: str, document: Document, name: str
) -> Picture:
    """The picture of a document, with how far a long run of it has come. Raises NotFoundError."""
    head, whole = await stepping.whole(run_id, tenant_id, for_s=FOR_S)
    async with whole.lock:
        fold = whole.fold
        wanted = [fan.inputs.ref for fan in fold.fans.values() if fan.inputs.ref]
        contents = await store.contents(wanted) if wanted else {}
        found = await asyncio.to_thread(statuses_of, document, fold, contents)
        title = f"{name}  {fold.finished.status if fold.finished else ''}".rstrip()
        return Picture(graph(document, title), found, bool(fold.finished), complete=fold.seq >= head.seq)


def statuses_of(document: Document, fold: StepFold, contents: Mapping[str, bytes]) -> dict[str, Status]:
    """The status of every state that was entered, by its JSON pointer. `contents` are those that open Maps were given."""
    return _OfRows(document, fold, contents).statuses()


class _OfRows:
    """What the rows of a run tell."""

    def __init__(self, document: Document, fold: StepFold, contents: Mapping[str, bytes]) -> None:
        self._document = document
        self._fold = fold
        self._contents = contents
        self._places: dict[str, Pointer] = {}
        self._known: dict[Pointer, Pointer] = {}
        self.ended = fold.finished is not None

    def statuses(self) -> dict[str, Status]:
        """The status of every state that was entered, by its JSON pointer."""
        entered: dict[Pointer, list[Entering]] = {}
        for row in self._fold.rows:
            if row.kind == "state":
                entered.setdefault(self._place(row), []).append(self._entering(row))
        return {pointer_text(place): status_of(self, found) for place, found in entered.items()}

    def waits_for(self, visit: str) -> str:
        """Whose answer an open Task waits for."""
        step = f"{visit}.{self._fold.open[visit].attempts - 1}"
        call = self._fold.open.get(step)
        state = self._at(self._places[visit])
        if call is not None:
            return waited_for(state, call.state, call.child_run, answered=False)
        return waited_for(state, "", "", answered=self._fold.answered.get(visit) == step)

    def spread(self, visit: str) -> tuple[int, int]:
        """How many are done, and how many there are."""
        fan = self._fold.fans[visit]
        return fan.done, len(load(fan.inputs, self._contents))

    def _place(self, row: StepRow) -> Pointer:
        """Where the state stands: in the document's own machine, or in that of a branch or item."""
        frame = self._fold.frames.get(row.step, "")
        base: Pointer = ()
        if frame:
            visit, _, index = frame.split(".")
            above = self._places[visit]
            base = branch(above, self._at(above), int(index))
        place = (*base, "States", row.name)
        place = self._places[row.step] = self._known.setdefault(place, place)
        return place

    def _entering(self, row: StepRow) -> Entering:
        frame = self._fold.frames.get(row.step, "")
        error = row.problem.partition(": ")[0]
        return Entering(row.step, frame, row.state, row.started_ts, row.ended_ts, row.attempts - 1, error)

    def _at(self, place: Pointer) -> Any:
        value: Any = self._document
        for part in place:
            value = value[part]
        return value
