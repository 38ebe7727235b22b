"""The corpus is as large as it says, leaves no part of the language out, and the page of differences is of today."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.workflows.differential.cases import REFUSED, Case, Seen, corpus, text
from tests.workflows.differential.compare import disagreement
from tests.workflows.differential.differences import PAGE, page
from tests.workflows.differential.known import ENGINES, known

COMPARATORS = [
    *(
        f"{kind}{how}{path}"
        for kind in ("String", "Numeric", "Timestamp")
        for how in ("Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals")
        for path in ("", "Path")
    ),
    *("BooleanEquals", "BooleanEqualsPath", "StringMatches", "IsNull", "IsPresent", "IsNumeric", "IsString"),
    *("IsBoolean", "IsTimestamp", "And", "Or", "Not"),
]
FUNCTIONS = [
    "Format",
    "StringToJson",
    "JsonToString",
    "Array",
    "ArrayPartition",
    "ArrayContains",
    "ArrayRange",
    "ArrayGetItem",
    "ArrayLength",
    "ArrayUnique",
    "Base64Encode",
    "Base64Decode",
    "Hash",
    "JsonMerge",
    "MathRandom",
    "MathAdd",
    "StringSplit",
    "UUID",
]
FIELDS = {
    "Pass": "Result Parameters InputPath OutputPath ResultPath Assign Output QueryLanguage",
    "Task": "Parameters ResultSelector InputPath OutputPath ResultPath Retry Catch TimeoutSeconds Arguments Output Assign",
    "Choice": "Choices Default InputPath OutputPath Output Assign",
    "Wait": "Seconds SecondsPath Timestamp TimestampPath InputPath OutputPath Output Assign",
    "Succeed": "InputPath OutputPath Output",
    "Fail": "Error Cause ErrorPath CausePath",
    "Parallel": "Branches Parameters ResultSelector InputPath OutputPath ResultPath Retry Catch Arguments Output Assign",
    "Map": "ItemProcessor Iterator ItemsPath ItemSelector MaxConcurrency ResultSelector InputPath OutputPath ResultPath "
    "Retry Catch Items Output Assign Label",
}
RETRIER = [
    "ErrorEquals",
    "IntervalSeconds",
    "MaxAttempts",
    "BackoffRate",
    "MaxDelaySeconds",
    "JitterStrategy",
]
CATCHER = ["ErrorEquals", "Next", "ResultPath", "Output", "Assign"]


def test_three_hundred_documents_agree_with_the_emulator() -> None:
    """Hand-written ones, before any is made up."""
    different = set(known("remit")) | set(known("emulator"))
    assert sum(case.name not in different for case in corpus()) >= 300


@pytest.mark.parametrize("engine", ENGINES)
def test_a_known_difference_is_one_of_a_case(engine: str) -> None:
    """A case that is gone or renamed takes its differences with it."""
    assert set(known(engine)) <= {case.name for case in corpus()}


@pytest.mark.parametrize("type", FIELDS)
def test_every_field_of_a_state_is_used(type: str) -> None:
    """In one case at least."""
    used = {
        field
        for case in _taken()
        for state in _states(case.document)
        if state["Type"] == type
        for field in state
    }
    assert [field for field in FIELDS[type].split() if field not in used] == []


@pytest.mark.parametrize(("place", "fields"), [("Retry", RETRIER), ("Catch", CATCHER)])
def test_every_field_of_retriers_and_catchers_is_used(place: str, fields: list[str]) -> None:
    """In one case at least."""
    states = [state for case in _taken() for state in _states(case.document)]
    used = {field for state in states for one in state.get(place, ()) for field in one}
    assert [field for field in fields if field not in used] == []


def test_every_comparator_and_intrinsic_function_is_used() -> None:
    """In one case at least."""
    written = text([case.document for case in _taken()])
    assert [name for name in COMPARATORS if f'"{name}":' not in written] == []
    assert [name for name in FUNCTIONS if f"States.{name}(" not in written] == []


BRANCHES = [{"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}} for name in "AB"]
FORK = {"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": BRANCHES, "End": True}}}


def _fork(output: Any = None, path: str = "P A B", unsure: str = "") -> Case:
    return Case("c", FORK, None, {}, {}, output, "", None, path.split(), frozenset(unsure), "")


@pytest.mark.parametrize(
    ("case", "seen", "told"),
    [
        (_fork([1, 2.0]), Seen([1.0, 2], path=["P", "B", "A"]), ""),
        (_fork([1]), Seen([True], path=["P", "A", "B"]), "output [true]"),
        (_fork({"e": {"Error": "E"}}), Seen({"e": {"Error": "E", "Cause": "c"}}, path=["P", "A", "B"]), ""),
        (_fork(), Seen(error="E", path=["P", "A", "B"]), "error E"),
        (_fork(), Seen(path=["P", "A"]), "the path P A"),
        (_fork(), Seen(path=["P", "A", "B", "B"]), "the path P A B B"),
        (_fork(path="P A", unsure="B"), Seen(path=["P", "A", "B"]), ""),
    ],
)
def test_a_difference_is_told(case: Case, seen: Seen, told: str) -> None:
    """Branches may take turns in any way; what each of them enters counts."""
    assert disagreement(case, seen) == told


def test_the_page_of_differences_is_of_today() -> None:
    """Write it anew with `python -m tests.workflows.differential.differences`."""
    assert PAGE.read_text() == page()


def _taken() -> list[Case]:
    return [case for case in corpus() if case.error != REFUSED]


def _states(machine: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for state in machine["States"].values():
        yield state
        inner = [
            *state.get("Branches", ()),
            *(state[name] for name in ("ItemProcessor", "Iterator") if name in state),
        ]
        for nested in inner:
            yield from _states(nested)
