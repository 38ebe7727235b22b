"""When two engines agree: output, error name and path; with the words of a cause left out where they are no one's promise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.workflows.differential.cases import Case, Seen, text

SHOWN = 140
"""The most characters of an output that are shown."""


def expected(case: Case) -> Seen:
    return Seen(case.output, case.error, case.cause or "", case.path)


def disagreement(case: Case, seen: Seen, *, nested: bool = True) -> str:
    """What an engine gives that is not what the case expects, in one line; empty when they agree.

    `nested`: whether the engine's history tells the states inside a Parallel and a Map.
    """
    if case.error or seen.error:
        if seen.error != case.error:
            return result(seen)
        if case.cause is not None and seen.cause != case.cause:
            return f"{result(seen)} because {seen.cause}"
    elif not same(case.output, seen.output):
        return result(seen)
    wanted, got = (_visits(case, path, nested) for path in (case.path, seen.path))
    return "" if wanted == got else f"the path {' '.join(seen.path)}"


def result(seen: Seen) -> str:
    """An output or an error in at most a line."""
    shown = f"error {seen.error}" if seen.error else f"output {text(plain(seen.output))}"
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}… ({len(shown)} characters)"


def same(left: Any, right: Any) -> bool:
    """Whether two values are one value of JSON: 1 and 1.0 are, true and 1 are not; causes are not compared."""
    return text(plain(left)) == text(plain(right))


def plain(value: Any) -> Any:
    """A value without the causes of error outputs, and with whole numbers written one way."""
    if isinstance(value, dict):
        skip = "Cause" if "Error" in value else None
        return {key: plain(member) for key, member in value.items() if key != skip}
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _visits(case: Case, path: list[str], nested: bool) -> list[list[str]]:
    """The path by machine: in order at the top and in each branch of a Parallel; counted in a Map, whose iterations overlap."""
    machines = list(_machines(case.document, ordered=True))
    if not nested:
        machines = machines[:1]
    visits = []
    for states, ordered in machines:
        own = [name for name in path if name in states and name not in case.unsure]
        visits.append(own if ordered else sorted(own))
    return visits


def _machines(machine: dict[str, Any], ordered: bool) -> Iterator[tuple[frozenset[str], bool]]:
    yield frozenset(machine["States"]), ordered
    for state in machine["States"].values():
        for branch in state.get("Branches", ()):
            yield from _machines(branch, ordered)
        for field in ("ItemProcessor", "Iterator"):
            if field in state:
                yield from _machines(state[field], ordered=False)
