"""The one check that follows every fault: what must hold of a run whatever was done to it.

I1 it ended, or waits for something that has a name        I5 no event under an older epoch than one before it
I2 the bank has at most one entry for an effect            I6 an approval leads to at most one execution, of its arguments
I3 an effect recorded as done is there exactly once        I9 no budget is exceeded by more than the call in flight
I4 decision < approval < intent < outcome                  I10 the chain of the journal verifies
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from remit.bootstrap import App
from remit.core import event as ev
from remit.core.run import Run
from remit.engine import loading

OUTCOMES = (ev.EffectDone, ev.EffectFailed, ev.EffectInDoubt)


class Checked(Struct):
    """What was found of one run."""

    run: Run
    events: list[ev.Event]
    asked: int
    stale: int = 0


async def check_invariants(
    app: App, run_id: str, ledger: Iterable[Mapping[str, Any]] | None = None
) -> Checked:
    """Check I1 to I6, I9 and I10 of a run; `ledger` is what the bank says happened."""
    run, _ = await loading.load(app.store, run_id)
    events = await all_events(app, run)
    await _ended_or_waits(app, run)
    if ledger is not None:
        _effects_at_bank(run, events, list(ledger))
    _audit_order(events)
    _epochs(events)
    _approvals_used_once(events)
    _budgets(run)
    report = await app.audit.verify(run_id, run.task.tenant_id)
    assert report.ok, f"I10: {report.reason} at {report.first_bad_seq}"
    asked = sum(isinstance(e.data, ev.EffectInDoubt) for e in events)
    return Checked(run, events, asked)


async def all_events(app: App, run: Run) -> list[ev.Event]:
    """Every event of a run."""
    entries = await app.store.read(run.run_id, limit=1_000_000)
    return await loading.events(app.store, run.run_id, entries, run.contents)


async def _ended_or_waits(app: App, run: Run) -> None:
    head = await app.store.head(run.run_id)
    assert head is not None
    if run.finished is not None:
        assert head.status == "ended", f"I1: finished, and the store says {head.status}"
        assert not head.inbox or head.owner == "", "I1: ended and still held"
        return
    assert run.waiting_on, f"I1: neither ended nor waiting ({head.status})"
    for name in run.waiting_on:
        kind, _, what = name.partition(":")
        if kind in ("timer", "callback", "activity", "event") and run.workflow is not None:
            continue
        known = {"approval": run.approvals, "child": {s.child_run for s in run.steps.values()}}
        assert kind == "operator" or what in known[kind], f"I1: waits for `{name}`, which does not exist"


def _effects_at_bank(run: Run, events: list[ev.Event], ledger: list[Mapping[str, Any]]) -> None:
    by_ref = Counter(str(entry["ref"]) for entry in ledger)
    by_key = Counter(str(entry["key"]) for entry in ledger)
    intended = {e.data.step: e.data.key for e in events if isinstance(e.data, ev.EffectIntended)}
    for step in run.steps.values():
        if not step.name.startswith("charge") or not isinstance(step.arguments, dict):
            continue
        times = by_ref[step.arguments["ref"]]
        assert times <= 1, f"I2: `{step.arguments['ref']}` happened {times} times"
        assert by_key[intended.get(step.step, "")] == times, f"I2: `{step.step}` went out under another key"
        if step.state == "done":
            assert times == 1, f"I3: `{step.step}` is done and the bank has {times}"
        if step.state in ("refused", "decided", "awaiting"):
            assert times == 0, f"I4: `{step.step}` is {step.state} and happened"


def _audit_order(events: list[ev.Event]) -> None:
    allowed: dict[str, str] = {}
    open_doubts: set[str] = set()
    approved: set[str] = set()
    intended: set[str] = set()
    for event in events:
        match event.data:
            case ev.ToolDecided(step=step, kind="gate"):
                intended.add(step)  # asking a person is no effect: what was decided is its outcome
            case ev.ToolDecided(step=step, decision=decision, approval_id=approval):
                allowed[step] = decision.verdict
                assert not approval or approval in approved, f"I4: `{step}` decided before its approval"
            case ev.ApprovalVoted(approval_id=approval, vote=vote):
                if vote.kind in ("approve", "constrain"):
                    approved.add(approval)
            case ev.EffectIntended(step=step):
                assert allowed.get(step) == "allow", f"I4: `{step}` intended without an allow"
                assert step not in open_doubts, f"I4: `{step}` sent again while in doubt"
                intended.add(step)
            case ev.EffectInDoubt(step=step):
                assert step in intended, f"I4: `{step}` in doubt before its intent"
                open_doubts.add(step)
            case ev.EffectReopened(step=step):
                open_doubts.discard(step)
            case ev.EffectDone(step=step) | ev.EffectFailed(step=step):
                assert step in intended, f"I4: `{step}` has an outcome before its intent"
                intended.discard(step)


def _epochs(events: list[ev.Event]) -> None:
    epoch = 0
    for event in events:
        if isinstance(event.data, ev.RunClaimed):
            assert event.data.epoch > epoch, f"I5: epoch {event.data.epoch} claimed after {epoch}"
            epoch = event.data.epoch
        assert event.epoch == epoch, f"I5: event {event.seq} of epoch {event.epoch} accepted under {epoch}"


def _approvals_used_once(events: list[ev.Event]) -> None:
    digests = {
        e.data.approval.approval_id: e.data.approval
        for e in events
        if isinstance(e.data, ev.ApprovalRequested)
    }
    uses = Counter(
        e.data.approval_id for e in events if isinstance(e.data, ev.ToolDecided) and e.data.approval_id
    )
    for approval, times in uses.items():
        assert times == 1, f"I6: `{approval}` used {times} times"
    for event in events:
        if isinstance(event.data, ev.ToolDecided) and event.data.approval_id:
            asked = digests[event.data.approval_id]
            votes = [
                e.data.vote
                for e in events
                if isinstance(e.data, ev.ApprovalVoted) and e.data.approval_id == asked.approval_id
            ]
            constrained = any(v.kind == "constrain" for v in votes)
            assert constrained or event.data.arguments_digest == asked.arguments_digest, "I6: other arguments"
            assert all(v.decided_ts < asked.expires_ts for v in votes), "I6: decided after expiry"


def _budgets(run: Run) -> None:
    budget, used = run.budget, run.usage
    for name in ("max_cost_usd", "max_tokens", "max_model_calls", "max_tool_calls"):
        limit = getattr(budget, name)
        spent = used.tokens if name == "max_tokens" else getattr(used, name.removeprefix("max_"))
        one_call = 1 if name.endswith("calls") else 0
        assert limit is None or spent <= limit + one_call, f"I9: `{name}` is {limit} and {spent} were used"
    held = run.held
    zero = (held.tool_calls, held.model_calls, held.children, held.tokens, held.cost_usd)
    assert run.finished is None or not any(zero), f"I9: the run ended and holds {held}"
    assert min(zero) >= 0, f"I9: less than nothing is held: {held}"
