"""The only door: every call of a tool, a model or another agent goes through here.

Validate the input, ask the policy, hold the budget, wait for a person where the policy says so, execute under
idempotency key, timeout and retry budget, check the output, label it, and journal both sides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from msgspec.structs import replace

from remit.core import event as ev
from remit.core.approval import Approval
from remit.core.budget import Reservation, Usage, exceeded
from remit.core.codec import digest_of, idempotency_key
from remit.core.errors import BudgetError, DeniedError, FencedError, InputError, NotFoundError, StoreError
from remit.core.message import Message
from remit.core.policy import Decision, Principal
from remit.core.provenance import Label
from remit.core.run import Run, Step
from remit.core.task import Problem
from remit.core.tool import ToolSpec
from remit.engine import delegation, gates, ledger_rows, telling
from remit.engine.asking import Asking
from remit.engine.breaker import Breaker
from remit.engine.calls import Ask, Interrupted, Parked, Plan
from remit.engine.contracts import input_problems
from remit.engine.decisions import refusal
from remit.engine.effects import Recorder
from remit.engine.execution import Execution
from remit.engine.judging import Judge
from remit.engine.kit import Kit
from remit.engine.records import approval_id, approval_record
from remit.engine.terms import Terms
from remit.ports.agents import Tool
from remit.ports.model import ModelRequest
from remit.ports.store import ABSENT, Put, Write

T = TypeVar("T")


class Gateway:
    """The gateway of one call of an agent, under one lease. Calling the agent again takes a fresh one.

    INVARIANT: a step found `intended` was not begun by this call of the agent, so it is recovered, never just executed.
    """

    def __init__(self, kit: Kit, recorder: Recorder, breakers: dict[str, Breaker], terms: Terms) -> None:
        self.kit = kit
        self.recorder = recorder
        self.run: Run = recorder.run
        self._breakers = breakers
        self.stops: list[BaseException] = []
        self._closed = False
        self._inside = 0
        self._starting = 1
        self._left = asyncio.Event()
        task = self.run.task
        self.principal = Principal(
            task.tenant_id, task.actor_context.actor_id, task.actor_context.roles, self.run.agent.name
        )
        self.terms = terms
        self.profile = terms.policy.profile
        self._asking = Asking(kit, recorder, self.principal, terms.policy.key)
        self._judge = Judge(kit, recorder, self.principal, terms)

    # tools and delegates

    async def settle(self, asks: list[Ask], *, starting: int = 1) -> None:
        """Bring every call to its outcome, or as far as it can go now. Raises Parked when one must wait.

        `starting` is how many children are about to start in all, where other batches start some too.
        """
        await self._inside_of(self._settle(asks, starting))

    async def _inside_of(self, call: Coroutine[Any, Any, T]) -> T:
        """What a call comes to, unless the gateway is shut; what stops it is noted."""
        if self._closed:
            call.close()
            raise Interrupted
        self._inside += 1
        try:
            return await call
        except (Parked, Interrupted, StoreError, FencedError) as stop:
            self.stops.append(stop)
            raise
        finally:
            self._inside -= 1
            if self._closed:
                self._left.set()

    def raise_stop(self) -> None:
        """Raise what stopped a call, whatever the agent made of it: `gather` and task groups swallow or wrap it."""
        for stop in self.stops:
            if not isinstance(stop, Parked):
                raise stop
        parked = [stop for stop in self.stops if isinstance(stop, Parked)]
        if parked:
            names = dict.fromkeys(name for stop in parked for name in stop.waiting_on)
            raise Parked(
                tuple(names), min((s.wake_ts for s in parked if s.wake_ts is not None), default=None)
            )

    async def shut(self) -> None:
        """Let no more calls in, and wait for those inside: an agent may have left some behind when it returned or parked."""
        self._closed = True
        while self._inside:
            self._left.clear()
            await self._left.wait()

    async def _settle(self, asks: list[Ask], others: int) -> None:
        if self.recorder.inbox:
            raise Interrupted
        await self._look()
        started: list[tuple[Ask, bool]] = []
        effectful = False
        starting = [a.step for a in asks if self._starts_child(a)]
        for ask in asks:
            # Planning never waits, so no other batch can come in between.
            self._starting = max(len(starting), others)
            plan = self._plan(ask)
            if ask.step in starting:
                starting.remove(ask.step)
            self.recorder.note(*plan.events, writes=[*plan.writes, *self._announced(plan)])
            if plan.runs:
                started.append((ask, plan.lost))
                effectful = effectful or self._has_effect(ask.name)
        if started or any(not self.run.steps[a.step].settled for a in asks):
            if effectful:
                self.recorder.note(durable=True)
            await self.recorder.flush()
        await self._start(started)
        waiting = self._waiting(asks)
        if waiting is not None:
            await self.recorder.flush()
            raise waiting

    async def _look(self) -> None:
        if self.kit.announcer is not None:
            await self.kit.announcer.look(self.run.task.tenant_id)

    def _announced(self, plan: Plan) -> list[Write]:
        """The events that a plan asks people, for whoever subscribed to that."""
        asked = [e.approval for e in plan.events if isinstance(e, ev.ApprovalRequested)]
        return self.kit.announcer.requested(self.run, asked) if asked and self.kit.announcer else []

    def _starts_child(self, ask: Ask) -> bool:
        """Whether a call may start a child run now or later."""
        step = self.run.steps.get(ask.step)
        fresh = step is None or not (step.settled or step.state == "child")
        return fresh and bool(delegation.target(ask.name, self.run.agent.delegates))

    async def _start(self, asks: list[tuple[Ask, bool]]) -> None:
        if len(asks) == 1:
            await self._do(*asks[0])
        elif asks:
            done = await asyncio.gather(*(self._do(a, lost) for a, lost in asks), return_exceptions=True)
            for outcome in done:
                if isinstance(outcome, BaseException):
                    raise outcome

    def _has_effect(self, name: str) -> bool:
        tool = self.kit.catalogue.tools.get(name)
        return tool is None or tool.spec.effect != "read"

    def _plan(self, ask: Ask) -> Plan:
        step = self.run.steps.get(ask.step)
        if step is None:
            return self._decide(ask)
        if step.settled:
            return Plan()
        if step.state == "child":
            return Plan(runs=True)
        if step.state == "awaiting":
            return self._after_gate(ask, step) if step.kind == "gate" else self._after_approval(ask, step)
        if step.state == "in_doubt":
            return self._after_doubt(ask, step)
        if step.state == "decided":
            return self._intend(ask, step.arguments, step.attempt)
        return self._resume(ask, step)

    def _resume(self, ask: Ask, step: Step) -> Plan:
        """An intent whose outcome was lost. Harmless to send again: say so first, under this epoch, and send the same key."""
        if ask.name not in self.kit.catalogue.tools:
            why = f"tool `{ask.name}` no longer exists, and its last call has no recorded outcome"
            return self._doubtful(ask, step, why)
        if self._spec(ask.name).effect in ("read", "keyed"):
            return Plan([ev.EffectIntended(ask.step, step.key, step.attempt + 1, step.reserved)], runs=True)
        return Plan(runs=True, lost=True)

    def _decide(self, ask: Ask) -> Plan:
        """Validate and ask policy about a call that is new."""
        if ask.gate:
            return self._open_gate(ask)
        spec, kind, refusal = self._lookup(ask)
        if spec is None:
            return self._refuse(ask, refusal or Problem("E702", f"there is no tool `{ask.name}`"))
        arguments = self.recorder.clean(ask.arguments)
        problems = input_problems(spec, self._coded(kind, ask.name), arguments)
        if problems:
            return self._refuse(
                ask, self.recorder.problem("E703", "; ".join(problems[:5]), "fix the arguments"), kind
            )
        decision, problem = self._judge.judge(spec, kind, arguments, approved=False)
        changed = not ask.from_model or arguments is not ask.arguments
        digest = digest_of(arguments)
        decided = ev.ToolDecided(
            ask.step,
            ask.call_id,
            ask.name,
            digest,
            decision,
            kind,
            self.recorder.pack(arguments) if changed else None,
        )
        if decision.verdict == "needs_approval":
            approval = self._approval(ask.step, spec, arguments, digest, decision, "policy", decision.reason)
            return self._held(decided, approval)
        if decision.verdict != "allow":
            refused = self._refuse(ask, problem, kind)
            return Plan([decided, *refused.events], [*refused.writes, self._refusal(decided)])
        plan = self._intend(ask, arguments, 0, kind)
        return Plan([decided, *plan.events], plan.writes, plan.runs)

    def _lookup(self, ask: Ask) -> tuple[ToolSpec | None, ev.StepKind, Problem | None]:
        if ask.malformed is not None:
            return (
                None,
                "tool",
                self.recorder.problem(
                    "E701",
                    f"the arguments of `{ask.name}` are not a JSON object",
                    "send one JSON object that fits the schema",
                ),
            )
        agent = self.run.agent
        target = delegation.target(ask.name, agent.delegates)
        if target:
            return delegation.spec(ask.name, target, self.kit.catalogue), "delegate", None
        tool = self.kit.catalogue.tools.get(ask.name)
        if tool is None or ask.name not in agent.tools:
            known = ", ".join(f"`{t}`" for t in agent.tools) or "none"
            return (
                None,
                "tool",
                self.recorder.problem(
                    "E702", f"agent `{agent.name}` has no tool `{ask.name}`", f"its tools: {known}"
                ),
            )
        if not self._breaker(ask.name).allows():
            return (
                None,
                "tool",
                Problem("E705", f"tool `{ask.name}` failed repeatedly and rests", "try again later"),
            )
        return self._spec(ask.name), "tool", None

    def _refuse(self, ask: Ask, problem: Problem, kind: ev.StepKind = "tool") -> Plan:
        return Plan([ev.ToolRefused(ask.step, ask.call_id, ask.name, problem, kind)])

    def _intend(
        self, ask: Ask, arguments: dict[str, Any], attempt: int, kind: ev.StepKind | None = None
    ) -> Plan:
        """Hold the budget and write the intent."""
        kind = kind or self.run.steps[ask.step].kind
        if kind == "delegate":
            return self._intend_child(ask, arguments)
        hold = Reservation(tool_calls=1)
        known = self.run.steps.get(ask.step)
        held = self.run.held.minus(known.reserved) if known else self.run.held
        reason = exceeded(self.run.budget, self.run.usage, held, hold)
        if reason:
            return self._refuse(ask, Problem("E501", reason, "raise the limit, or do less"), kind)
        key = idempotency_key(self.run.run_id, ask.step, ask.name, arguments)
        intended = ev.EffectIntended(ask.step, key, attempt + 1, hold)
        writes: list[Write] = []
        if attempt == 0 and self._has_effect(ask.name):
            writes.append(self._ledger_row(ask, arguments, "intended", ABSENT))
        return Plan([intended], writes, runs=True)

    def _ledger_row(self, ask: Ask, arguments: Any, status: str, expect: Any) -> Put:
        digest, now = digest_of(arguments), self.kit.clock.now()
        return ledger_rows.as_it_stands(self.run, ask.step, ask.name, digest, status, now, expect)

    def _refusal(self, decided: ev.ToolDecided, approval: str = "") -> Put:
        """The decision log's row of a call that policy does not let through as it was asked."""
        return refusal(
            self.run,
            decided.step,
            decided.kind,
            decided.tool,
            decided.decision,
            self.kit.clock.now(),
            approval,
        )

    def _intend_child(self, ask: Ask, arguments: dict[str, Any]) -> Plan:
        try:
            started, writes = delegation.start(
                self.kit, self.run, ask.step, ask.name, arguments, starting=self._starting
            )
        except (BudgetError, InputError) as error:
            return self._refuse(ask, self.recorder.problem(error.code, error.message, error.help), "delegate")
        return Plan([started], writes, runs=True)

    # approvals

    def _approval(
        self,
        step: str,
        spec: ToolSpec,
        arguments: dict[str, Any],
        digest: str,
        decision: Decision,
        reason: Any,
        why: str,
    ) -> Approval:
        now = self.kit.clock.now()
        telling.approval_requested(self.kit.telemetry)
        return Approval(
            approval_id=approval_id(
                self.run.run_id, step, digest, decision.policy_version, reason, len(self.run.approvals)
            ),
            run_id=self.run.run_id,
            tenant_id=self.run.task.tenant_id,
            step=step,
            agent=self.run.agent.name,
            tool=spec.name,
            risk_level=spec.risk,
            arguments=arguments,
            arguments_digest=digest,
            policy_version=decision.policy_version,
            requested_by=self.run.task.actor_context.actor_id,
            caused_by=self.run.task.actor_context.behind,
            requested_ts=now,
            expires_ts=now + int((decision.expires_s or self.profile.approval_expires_s) * 1000),
            approver_roles=decision.approver_roles or self.profile.approver_roles,
            quorum=max(decision.quorum, self.profile.quorum),
            reason=reason,
            profile=self.run.start.profile,
            explanation=why,
            idempotency_key=idempotency_key(self.run.run_id, step, spec.name, arguments),
        )

    def _after_approval(self, ask: Ask, step: Step) -> Plan:
        """Go on after a decision: re-check the arguments that were agreed to, under the policy of now."""
        approval = self.run.approvals[step.approval_id]
        if approval.open:
            return self._expire(ask, approval) if self._expired(approval) else Plan()
        if approval.status in ("rejected", "expired", "cancelled"):
            why = approval.votes[-1].rationale if approval.votes else ""
            problem = self.recorder.problem(
                "E302", f"a person decided: {approval.status}" + (f" ({why})" if why else "")
            )
            return self._refuse(ask, problem, step.kind)
        agreed = approval.agreed_arguments if approval.status == "constrained" else step.arguments
        agreed = self.recorder.clean(agreed if agreed is not None else step.arguments)
        spec, kind, refusal = self._lookup(ask)
        if spec is None:
            return self._refuse(ask, refusal or Problem("E702", "the tool is gone"), step.kind)
        problems = input_problems(spec, self._coded(kind, ask.name), agreed)
        if problems:
            return self._refuse(ask, self.recorder.problem("E703", "; ".join(problems[:5])), kind)
        digest = digest_of(agreed)
        if digest != (approval.agreed_digest or approval.arguments_digest):
            return self._refuse(ask, Problem("E303", "the arguments are not those that were approved"), kind)
        decision, problem = self._judge.judge(spec, kind, agreed, approved=True)
        if decision.verdict != "allow":
            return self._refuse(ask, problem, kind)
        if decision.policy_version != approval.policy_version:
            return self._ask_again(ask, spec, agreed, digest, kind)
        decided = ev.ToolDecided(
            ask.step,
            ask.call_id,
            ask.name,
            digest,
            decision,
            kind,
            self.recorder.pack(agreed),
            approval.approval_id,
        )
        plan = self._intend(ask, agreed, 0, kind)
        return Plan([decided, *plan.events], plan.writes, plan.runs)

    def _held(self, decided: ev.ToolDecided, approval: Approval) -> Plan:
        """A call that waits for a person."""
        rows: list[Write] = [
            self._approval_row(approval, ABSENT),
            self._refusal(decided, approval.approval_id),
        ]
        return Plan([decided, ev.ApprovalRequested(approval)], rows)

    def _ask_again(
        self, ask: Ask, spec: ToolSpec, arguments: dict[str, Any], digest: str, kind: ev.StepKind
    ) -> Plan:
        """The policy changed since the approval: decide anew, and ask a person again if it still wants that."""
        decision, problem = self._judge.judge(spec, kind, arguments, approved=False)
        decided = ev.ToolDecided(
            ask.step, ask.call_id, ask.name, digest, decision, kind, self.recorder.pack(arguments)
        )
        if decision.verdict == "needs_approval":
            approval = self._approval(
                ask.step,
                spec,
                arguments,
                digest,
                decision,
                "policy",
                "the policy changed since the last approval",
            )
            return self._held(decided, approval)
        if decision.verdict != "allow":
            refused = self._refuse(ask, problem, kind)
            return Plan([decided, *refused.events], [self._refusal(decided)])
        plan = self._intend(ask, arguments, 0, kind)
        return Plan([decided, *plan.events], plan.writes, plan.runs)

    # gates

    def _open_gate(self, ask: Ask) -> Plan:
        """Ask a person what a workflow wants to know of one."""
        try:
            gate = gates.request(ask.arguments)
        except InputError as error:
            return self._refuse(ask, self.recorder.problem("E703", error.message, error.help), "gate")
        shown = self.recorder.clean(gates.shown(gate))
        digest = digest_of(shown)
        decision = gates.decision(gate, self.profile, self.profile.digest)
        decided = ev.ToolDecided(
            ask.step, ask.call_id, ask.name, digest, decision, "gate", self.recorder.pack(shown)
        )
        why = self.recorder.clean(gate.message)
        approval = self._approval(ask.step, gates.spec(ask.name, gate), shown, digest, decision, "gate", why)
        approval = replace(approval, arguments_schema=gate.schema)
        return Plan([decided, ev.ApprovalRequested(approval)], [self._approval_row(approval, ABSENT)])

    def _after_gate(self, ask: Ask, step: Step) -> Plan:
        """Go on with whatever was decided; one that nobody decided in time says so."""
        approval = self.run.approvals[step.approval_id]
        events: list[ev.Data] = []
        writes: list[Write] = []
        if approval.open and self._expired(approval):
            approval = replace(approval, status="expired")
            events, writes = [ev.ApprovalExpired(approval.approval_id)], [self._approval_row(approval)]
            telling.approval_settled(self.kit.telemetry, approval, self.kit.clock.now())
        elif approval.status == "info_requested" and gates.returns_questions(ask.arguments):
            events = [ev.ApprovalWithdrawn(approval.approval_id)]
            writes = [self._approval_row(replace(approval, status="cancelled"))]
        elif approval.open:
            return Plan()
        output = self.recorder.pack(gates.outcome(approval, step.arguments))
        latency = float(self.kit.clock.now() - approval.requested_ts)
        done = ev.EffectDone(
            step.step, output, Label(f"person:{step.name}"), latency, 1, Usage(), (), "person"
        )
        return Plan([*events, done], writes)

    def withdraw(self, step: Step) -> None:
        """Nobody needs the decision about this step any more."""
        approval = self.run.approvals.get(step.approval_id)
        if approval is not None and approval.open and step.state == "awaiting":
            withdrawn = replace(approval, status="cancelled")
            self.recorder.note(
                ev.ApprovalWithdrawn(approval.approval_id), writes=[self._approval_row(withdrawn)]
            )

    def _approval_row(self, approval: Approval, expect: Any = None) -> Put:
        """The approval's record as of now."""
        return approval_record(approval, expect, self.kit.clock.now())

    def _expired(self, approval: Approval) -> bool:
        return approval.open and self.kit.clock.now() >= approval.expires_ts

    def _expire(self, ask: Ask, approval: Approval) -> Plan:
        expired = replace(approval, status="expired")
        telling.approval_settled(self.kit.telemetry, expired, self.kit.clock.now())
        problem = Problem("E304", "nobody decided in time, which means reject")
        step = self.run.steps[ask.step]
        return Plan(
            [ev.ApprovalExpired(approval.approval_id), *self._refuse(ask, problem, step.kind).events],
            [self._approval_row(expired)],
        )

    def _after_doubt(self, ask: Ask, step: Step) -> Plan:
        """Go on after a person said whether an effect in doubt happened."""
        approval = self.run.approvals[step.approval_id]
        if approval.open or approval.status == "expired":
            return Plan()
        by = approval.votes[-1].approver_id if approval.votes else ""
        if approval.status in ("approved", "constrained"):
            if ask.name not in self.kit.catalogue.tools:
                problem = Problem(
                    "E707", f"tool `{ask.name}` no longer exists, so it cannot be done", "bring it back"
                )
                return self._refuse(ask, problem, step.kind)
            plan = self._intend(ask, step.arguments, step.attempt, step.kind)
            return Plan([ev.EffectReopened(ask.step, by), *plan.events], plan.writes, plan.runs)
        why = approval.votes[-1].rationale if approval.votes else ""
        output = {"settled_by": by, "note": why or "a person confirmed that this happened before the crash"}
        label = _label(self._spec(ask.name))
        done = ev.EffectDone(ask.step, self.recorder.pack(output), label, found_by="person")
        return Plan([done], [self._ledger_row(ask, step.arguments, "done", None)])

    def _waiting(self, asks: list[Ask]) -> Parked | None:
        names: list[str] = []
        wake: list[int] = []
        for ask in asks:
            step = self.run.steps[ask.step]
            if step.settled:
                continue
            if step.state == "child":
                names.append(f"child:{step.child_run}")
            else:
                names.append(f"approval:{step.approval_id}")
                approval = self.run.approvals[step.approval_id]
                if step.state == "awaiting":
                    wake.append(approval.expires_ts)
        return Parked(tuple(names), min(wake, default=None)) if names else None

    # execution

    async def _do(self, ask: Ask, lost: bool) -> None:
        """Execute a call whose intent is journaled, or make sure that its child runs. `lost`: it was begun before."""
        step = self.run.steps[ask.step]
        if step.kind == "delegate":
            await self._ensure_child(ask, step)
            return
        tool = self.kit.catalogue.tools[ask.name]
        spec, rests = self._spec(ask.name), self._breaker(ask.name)
        execution = Execution(self.kit, self.recorder, tool, spec, step, rests, timeout_s=ask.timeout_s)
        doubt = await (execution.recover() if lost else execution.run())
        if doubt:
            telling.in_doubt(self.kit.telemetry, spec)
            plan = self._doubtful(ask, step, doubt)
            await self.recorder.record(*plan.events, writes=[*plan.writes, *self._announced(plan)])

    async def _ensure_child(self, ask: Ask, step: Step) -> None:
        try:
            await delegation.ensure(self.kit, self.run, step)
        except (NotFoundError, DeniedError) as error:
            await self.recorder.record(
                *self._refuse(ask, self.recorder.problem(error.code, error.message)).events
            )

    def _doubtful(self, ask: Ask, step: Step, why: str) -> Plan:
        """It is not known whether the effect happened: ask a person."""
        decision = step.decision or Decision("deny")
        clean = self.recorder.clean(why)
        approval = self._approval(
            ask.step, self._spec(ask.name), step.arguments, step.arguments_digest, decision, "in_doubt", clean
        )
        writes: list[Write] = [
            self._approval_row(approval, ABSENT),
            self._ledger_row(ask, step.arguments, "in_doubt", None),
        ]
        return Plan([ev.EffectInDoubt(ask.step, step.key, clean), ev.ApprovalRequested(approval)], writes)

    def _spec(self, name: str) -> ToolSpec:
        """What a tool is held to in this run; the strictest there is for one that no longer exists."""
        tool = self.kit.catalogue.tools.get(name)
        if tool is None:
            return ToolSpec(name, "", {}, risk="L3", outward=True, trust="untrusted", sensitivity="private")
        return self.terms.tools.get(name, tool.spec)

    def _coded(self, kind: ev.StepKind, name: str) -> Tool | None:
        return self.kit.catalogue.tools.get(name) if kind == "tool" else None

    def _breaker(self, name: str) -> Breaker:
        # One for each tenant: what one tenant's calls do to a tool must not close it to the others.
        key = f"{self.run.task.tenant_id}\x00{name}"
        breaker = self._breakers.get(key)
        if breaker is None:
            breaker = self._breakers[key] = Breaker(self.kit.clock)
        return breaker

    # models

    async def ask_model(
        self,
        step_id: str,
        request: ModelRequest,
        chars: int,
        request_note: Any = None,
        *,
        streams: bool = True,
    ) -> Message:
        """Ask the agent's model as step `step_id`; its words stream to whoever listens, unless they are for nobody to read.

        Raises ModelError after it was journaled.
        """
        return await self._inside_of(self._asking.ask(step_id, request, chars, request_note, streams=streams))


def _label(spec: ToolSpec) -> Label:
    return Label(f"tool:{spec.name}", spec.trust, spec.sensitivity)
