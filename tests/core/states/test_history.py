"""A history of Step Functions as the states of a run: branches by their path, retries, errors and ends, read in any portions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from remit.core import event as ev
from remit.core.payload import pack
from remit.core.states.history import Moment, Reader, Reading
from remit.core.states.progress import Progress

PARALLEL = {
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "remit:tool:a", "Next": "A2"}, "A2": {"Type": "Pass", "End": True}}},
                {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}},
            ],
            "Catch": [{"ErrorEquals": ["Oops"], "Next": "Sorry"}],
            "Next": "Pick",
        },
        "Pick": {"Type": "Choice", "Choices": [], "Default": "Done"},
        "Sorry": {"Type": "Pass", "End": True},
        "Done": {"Type": "Succeed"},
    },
}  # fmt: skip
MAP = {
    "StartAt": "Each",
    "States": {
        "Each": {
            "Type": "Map",
            "ItemProcessor": {
                "StartAt": "One",
                "States": {"One": {"Type": "Task", "Resource": "remit:agent:x", "Next": "Two"}, "Two": {"Type": "Pass", "End": True}},
            },
            "End": True,
        }
    },
}  # fmt: skip


def moments(*told: tuple[Any, ...]) -> list[Moment]:
    """Events of (type, previous, name, more)."""
    return [
        Moment(place, kind, 1000 + place, previous, name, **(more[0] if more else {}))
        for place, (kind, previous, name, *more) in enumerate(told, 1)
    ]


def read(document: dict[str, Any], told: Sequence[Moment], portions: Sequence[int] = ()) -> Progress:
    """How far a workflow has come after a history that was read in these portions."""
    progress, last = Progress(document, {}), 0
    contents: dict[str, bytes] = {}
    reading = Reading()
    for end in [*portions, len(told)]:

        def note(data: ev.Data) -> None:
            progress.apply(data, 5, contents)

        reader = Reader(progress, reading, lambda value: pack(value, contents), note)
        last = reader.read([m for m in told if last < m.id <= end]) or last
        reading = msgspec.json.decode(msgspec.json.encode(reader.reading()), type=Reading)
    return progress


def shown(progress: Progress) -> list[tuple[str, str, str, int]]:
    """Frame, state, status and attempt of each visit."""
    return [(v.frame, v.state, v.status, v.attempt) for v in progress.visits.values()]


BOTH = moments(
    ("ExecutionStarted", 0, ""),
    ("ParallelStateEntered", 0, "Both"),
    ("ParallelStateStarted", 2, ""),
    ("TaskStateEntered", 3, "A"),
    ("PassStateEntered", 3, "B"),
    ("TaskScheduled", 4, ""),
    ("PassStateExited", 5, "B", {"output": 2}),
    ("TaskFailed", 6, "", {"error": "Busy", "cause": "try again"}),
    ("TaskScheduled", 8, ""),
    ("TaskSucceeded", 9, ""),
    ("TaskStateExited", 10, "A", {"output": 1}),
    ("PassStateEntered", 11, "A2"),
    ("PassStateExited", 12, "A2", {"output": 3}),
    ("ParallelStateSucceeded", 13, ""),
    ("ParallelStateExited", 14, "Both", {"output": [3, 2]}),
    ("ChoiceStateEntered", 15, "Pick"),
    ("ChoiceStateExited", 16, "Pick", {"output": [3, 2]}),
    ("SucceedStateEntered", 17, "Done"),
    ("SucceedStateExited", 18, "Done", {"output": [3, 2]}),
    ("ExecutionSucceeded", 19, "", {"output": [3, 2]}),
)


@pytest.mark.parametrize("portions", [(), tuple(range(1, 20)), (3, 8, 17), (7, 16)])
def test_branches_are_told_apart_by_their_path(portions: tuple[int, ...]) -> None:
    """Whatever portions it is read in, each state stands in its branch, with its retries, and the end is the document's."""
    progress = read(PARALLEL, BOTH, portions)
    assert shown(progress) == [
        ("", "Both", "succeeded", 0),
        ("s0.0.0", "A", "succeeded", 1),
        ("s0.0.1", "B", "succeeded", 0),
        ("s0.0.0", "A2", "succeeded", 0),
        ("", "Pick", "succeeded", 0),
        ("", "Done", "succeeded", 0),
    ]
    assert progress.ended is not None
    assert progress.ended.output == [3, 2]
    assert (progress.visits["s0"].entered_ts, progress.visits["s0"].ended_ts) == (1002, 1015)


def test_a_choice_is_read_once_it_is_known_where_it_leads() -> None:
    """Until then its exit is left for the next reading."""
    assert shown(read(PARALLEL, BOTH[:17]))[-1] == ("", "Pick", "entered", 0)


@pytest.mark.parametrize("portions", [(), tuple(range(1, 12))])
def test_a_branch_that_fails_fails_the_state_that_started_it(portions: tuple[int, ...]) -> None:
    """Its sibling is stopped; a Catcher goes on with the error."""
    told = moments(
        ("ExecutionStarted", 0, ""),
        ("ParallelStateEntered", 0, "Both"),
        ("ParallelStateStarted", 2, ""),
        ("TaskStateEntered", 3, "A"),
        ("PassStateEntered", 3, "B"),
        ("TaskScheduled", 4, ""),
        ("TaskFailed", 6, "", {"error": "Oops", "cause": "no"}),
        ("ParallelStateFailed", 7, ""),
        ("ParallelStateExited", 8, "Both", {"output": {}}),
        ("PassStateEntered", 9, "Sorry"),
        ("PassStateExited", 10, "Sorry"),
        ("ExecutionSucceeded", 11, ""),
    )
    progress = read(PARALLEL, told, portions)
    assert shown(progress) == [
        ("", "Both", "caught", 0),
        ("s0.0.0", "A", "failed", 0),
        ("s0.0.1", "B", "aborted", 0),
        ("", "Sorry", "succeeded", 0),
    ]
    assert (progress.visits["s0"].error, progress.visits["s1"].cause) == ("Oops", "no")


@pytest.mark.parametrize("portions", [(), tuple(range(1, 16))])
def test_iterations_of_a_map_have_their_index(portions: tuple[int, ...]) -> None:
    """However their events are mixed."""
    told = moments(
        ("ExecutionStarted", 0, ""),
        ("MapStateEntered", 0, "Each"),
        ("MapStateStarted", 2, "", {"length": 2}),
        ("MapIterationStarted", 3, "Each", {"index": 0}),
        ("MapIterationStarted", 3, "Each", {"index": 1}),
        ("TaskStateEntered", 5, "One"),
        ("TaskStateEntered", 4, "One"),
        ("TaskScheduled", 6, ""),
        ("TaskSucceeded", 8, ""),
        ("TaskStateExited", 9, "One", {"output": "b"}),
        ("PassStateEntered", 10, "Two"),
        ("PassStateExited", 11, "Two"),
        ("MapIterationSucceeded", 12, "Each", {"index": 1}),
        ("TaskScheduled", 7, ""),
        ("TaskFailed", 14, "", {"error": "Oops"}),
        ("MapIterationFailed", 15, "Each", {"index": 0}),
        ("MapStateFailed", 16, ""),
        ("ExecutionFailed", 17, "", {"error": "Oops", "cause": "no"}),
    )
    progress = read(MAP, told, portions)
    assert shown(progress) == [
        ("", "Each", "failed", 0),
        ("s0.0.1", "One", "succeeded", 0),
        ("s0.0.0", "One", "failed", 0),
        ("s0.0.1", "Two", "succeeded", 0),
    ]
    assert progress.ended is not None
    assert progress.ended.error == "Oops"


@pytest.mark.parametrize(
    ("kind", "error"), [("ExecutionTimedOut", "States.Timeout"), ("ExecutionAborted", "ExecutionAborted")]
)
def test_an_execution_that_was_ended_ends_its_states(kind: str, error: str) -> None:
    """Whatever stood open."""
    told = [*BOTH[:6], Moment(7, kind, 1007, 6)]
    progress = read(PARALLEL, told)
    assert [s[2] for s in shown(progress)] == ["failed", "aborted", "aborted"]
    assert progress.ended is not None
    assert progress.ended.error == error


def test_a_history_without_paths_is_read_as_far_as_it_can_be() -> None:
    """Where the events before are not named, the document's own states are known, and nothing is made up."""
    bare = [msgspec.structs.replace(m, previous=0) for m in BOTH if m.type not in ("ParallelStateSucceeded",)]
    progress = read(PARALLEL, bare)
    assert progress.ended is not None
    assert progress.ended.output == [3, 2]
    assert [s for s in shown(progress) if s[0] == ""] == [
        ("", "Both", "succeeded", 0),
        ("", "Pick", "succeeded", 0),
        ("", "Done", "succeeded", 0),
    ]
