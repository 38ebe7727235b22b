"""Votes: who settles an approval, and what nothing settles."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remit.core.approval import Approval, Vote, answered, apply_vote
from remit.core.codec import digest_of

kinds = st.sampled_from(["approve", "reject", "constrain", "request_info", "answer"])
votes = st.lists(st.tuples(kinds, st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 2)), max_size=12)


def asked(quorum: int) -> Approval:
    """An approval that waits."""
    arguments = {"n": 0}
    return Approval(
        approval_id="apr",
        run_id="run",
        tenant_id="t",
        step="s",
        agent="a",
        tool="wipe",
        risk_level="L3",
        arguments=arguments,
        arguments_digest=digest_of(arguments),
        policy_version="v",
        requested_by="alice",
        requested_ts=0,
        expires_ts=1,
        quorum=quorum,
    )


def after(approval: Approval, kind: Any, person: str, decision: int, n: int) -> Approval:
    """One vote, or an answer."""
    if kind == "answer":
        return answered(approval, "because")
    arguments = {"n": n} if kind == "constrain" else None
    vote = Vote(f"d{decision}", person, kind, "why", 0, arguments)
    return apply_vote(approval, vote, digest_of(arguments) if arguments else approval.arguments_digest)


@given(votes, st.integers(1, 3))
def test_only_enough_different_people_for_the_same_arguments_settle_an_approval(
    cast: list[tuple[Any, str, int, int]], quorum: int
) -> None:
    """Whatever is sent, in any order: approved means that `quorum` people agreed to exactly what will be executed."""
    approval = asked(quorum)
    for kind, person, decision, n in cast:
        before = approval
        approval = after(approval, kind, person, decision, n)
        if not before.open:
            assert approval == before
        if approval.status in ("approved", "constrained"):
            assert len(approval.agreeing) >= quorum
        assert len({v.decision_id for v in approval.votes}) == len(approval.votes)
    if approval.status == "approved":
        assert approval.agreed_arguments is None
        assert not any(v.kind == "constrain" for v in approval.votes)
    if approval.status == "constrained":
        edits = [v for v in approval.votes if v.kind == "constrain"]
        assert approval.agreed_arguments == edits[-1].arguments
        assert approval.agreed_digest == digest_of(edits[-1].arguments)
        since = approval.votes[approval.votes.index(edits[-1]) :]
        assert {v.approver_id for v in since if v.kind in ("approve", "constrain")} == approval.agreeing
    if any(v.kind == "reject" for v in approval.votes):
        assert approval.status == "rejected"


@given(votes, st.integers(1, 3))
def test_sending_every_vote_twice_changes_nothing(cast: list[tuple[Any, str, int, int]], quorum: int) -> None:
    """Delivery at least once is harmless."""
    once = twice = asked(quorum)
    for sent in cast:
        once = after(once, *sent)
        twice = after(after(twice, *sent), *sent)
    assert once == twice
