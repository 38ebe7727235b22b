"""Which step a call of Step Functions is: one for each call, and the same one for a call that is made again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from remit.core import event as ev
from remit.core.payload import pack
from remit.core.states.remote import Remote


def take(remote: Remote, call: str, retry: int, given: object = "same") -> str:
    """The step of a call that comes now."""
    step = remote.step_for("S", 1000, retry, given)
    remote.apply(ev.TaskCalled(call, step, "S", 1000, pack(given, {}), retry, f"token-{call}"), 1, {})
    return step


@given(st.data(), st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_calls_that_cannot_be_told_apart_have_a_step_each(data: st.DataObject, retries: list[int]) -> None:
    """Items with the same state, time and input, each called again some times, in any order: as many steps as items, and no
    two calls of the same attempt share one."""
    remote, at = Remote(), [0] * len(retries)
    seen: dict[int, list[str]] = {}
    while waiting := [i for i, most in enumerate(retries) if at[i] <= most]:
        item = data.draw(st.sampled_from(waiting))
        seen.setdefault(at[item], []).append(take(remote, f"{item}.{at[item]}", at[item]))
        at[item] += 1
    assert remote.steps == len(retries)
    assert all(len(set(steps)) == len(steps) for steps in seen.values())


def test_what_follows_an_error_is_a_new_step() -> None:
    """The author's Retry asks for another attempt; what Step Functions repeats by itself does not."""
    remote = Remote()
    assert take(remote, "a", 0) == "c0"
    assert take(remote, "b", 1) == "c0"
    remote.apply(ev.TaskReplied("b", "OutOfStock"), 2, {})
    assert take(remote, "c", 2) == "c1"
    assert take(remote, "d", 3) == "c1"


def test_other_inputs_are_other_calls() -> None:
    """However close they come."""
    remote = Remote()
    assert [
        take(remote, "a", 0, {"n": 1}),
        take(remote, "b", 1, {"n": 2}),
        take(remote, "c", 1, {"n": 1}),
    ] == ["c0", "c1", "c0"]
