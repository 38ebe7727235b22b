"""What the engine tells telemetry and the log: one function a happening, names from `core.semconv`. Content is never told."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager

from remit.core import event as ev
from remit.core import semconv as sc
from remit.core.approval import Approval
from remit.core.budget import Usage
from remit.core.run import Finished, Run, Step
from remit.core.tool import ToolSpec
from remit.engine.models import Answer
from remit.ports.telemetry import Span, Telemetry

log = logging.getLogger("remit.runs")

MOST_NAMES = 8
"""How many of the things that a run waits for are named on a line."""


def agent_span(t: Telemetry, run: Run) -> AbstractContextManager[Span]:
    """The span of one hold of a run."""
    agent, task = run.agent, run.task
    attributes = {
        sc.OPERATION: sc.OPERATION_INVOKE_AGENT,
        sc.AGENT_NAME: agent.name,
        sc.AGENT_VERSION: agent.version,
        sc.CONVERSATION_ID: task.session_id or run.run_id,
        sc.RUN_ID: run.run_id,
        sc.TENANT_ID: task.tenant_id,
    }
    if task.session_id:
        attributes[sc.SESSION_ID] = task.session_id
    return t.span(sc.span_name(sc.OPERATION_INVOKE_AGENT, agent.name), attributes, trace_id=task.trace_id)


def model_span(t: Telemetry, run: Run, step: str, route: str) -> AbstractContextManager[Span]:
    """The span of one model call."""
    attributes = {
        sc.OPERATION: sc.OPERATION_CHAT,
        sc.REQUEST_MODEL: route,
        sc.ROUTE: route,
        sc.RUN_ID: run.run_id,
        sc.STEP: step,
    }
    return t.span(sc.span_name(sc.OPERATION_CHAT, route), attributes, trace_id=run.task.trace_id)


def tool_span(t: Telemetry, run: Run, step: Step, spec: ToolSpec) -> AbstractContextManager[Span]:
    """The span of one tool call."""
    attributes = {
        sc.OPERATION: sc.OPERATION_EXECUTE_TOOL,
        sc.TOOL_NAME: spec.name,
        sc.TOOL_TYPE: "function",
        sc.TOOL_CALL_ID: step.call_id,
        sc.RUN_ID: run.run_id,
        sc.STEP: step.step,
        sc.RISK: spec.risk,
        sc.EFFECT: spec.effect,
    }
    return t.span(sc.span_name(sc.OPERATION_EXECUTE_TOOL, spec.name), attributes, trace_id=run.task.trace_id)


def model_answered(t: Telemetry, span: Span, answer: Answer) -> None:
    """A model answered: by now it is known which one the route led to."""
    usage: Usage = answer.reply.usage
    span.set(
        gen_ai__request__model=answer.model,
        gen_ai__response__model=answer.reply.model or answer.model,
        gen_ai__response__finish_reasons=(answer.reply.stop_reason,),
        gen_ai__usage__input_tokens=usage.input_tokens,
        gen_ai__usage__output_tokens=usage.output_tokens,
        gen_ai__usage__cache_read__input_tokens=usage.cache_read_tokens,
        gen_ai__usage__cost=float(usage.cost_usd),
    )
    kept = answer.tries == 0
    if kept:
        span.set(remit__model__cached=True)
    t.count(sc.MODEL_CALLS, 1, {"model": answer.model, "status": "cached" if kept else "ok"})
    t.observe(sc.MODEL_DURATION, answer.latency_ms / 1000, {"model": answer.model})
    t.count(sc.TOKENS, usage.input_tokens, {"model": answer.model, "kind": "input"})
    t.count(sc.TOKENS, usage.output_tokens, {"model": answer.model, "kind": "output"})


def model_failed(t: Telemetry, span: Span, route: str, code: str, message: str) -> None:
    """A model call failed for good."""
    span.fail(code, message)
    t.count(sc.MODEL_CALLS, 1, {"model": route, "status": code})


def tool_settled(t: Telemetry, spec: ToolSpec, status: str, latency_ms: float) -> None:
    """A tool call was settled; `status` is done or an error code."""
    t.count(sc.TOOL_CALLS, 1, {"tool": spec.name, "status": status})
    t.observe(sc.TOOL_DURATION, latency_ms / 1000, {"tool": spec.name})


def in_doubt(t: Telemetry, spec: ToolSpec) -> None:
    """An effect is in doubt."""
    t.count(sc.IN_DOUBT, 1, {"tool": spec.name})


def fenced(t: Telemetry) -> None:
    """A worker found that it no longer holds its run."""
    t.count(sc.FENCED, 1, {})


def run_finished(t: Telemetry, run: Run, finished: Finished) -> None:
    """A run ended."""
    agent = run.agent.name
    t.count(sc.AGENT_INVOCATIONS, 1, {"agent": agent})
    t.observe(sc.AGENT_DURATION, run.usage.wall_s, {"agent": agent})
    t.count(sc.COST, float(run.usage.cost_usd), {"agent": agent})
    if finished.problem is not None:
        t.count(sc.AGENT_ERRORS, 1, {"agent": agent, "error_type": finished.problem.code})
    _ended(run, finished)


def decided(t: Telemetry, action: str, verdict: str) -> None:
    """Policy answered."""
    t.count(sc.POLICY_DECISIONS, 1, {"action": action, "verdict": verdict})


def approval_requested(t: Telemetry) -> None:
    """A person was asked."""
    t.count(sc.APPROVALS_PENDING, 1, {})


def approval_settled(t: Telemetry, approval: Approval, now: int) -> None:
    """An approval was settled: by its quorum, a rejection, or time."""
    t.count(sc.APPROVALS_PENDING, -1, {})
    t.count(sc.APPROVALS, 1, {"decision": approval.status})
    t.observe(sc.APPROVAL_WAIT, (now - approval.requested_ts) / 1000, {})


def advanced(t: Telemetry, seconds: float) -> None:
    """A hold of a run ended."""
    t.observe(sc.ADVANCE, seconds, {})


# lines of the log, at level INFO: ids, names and figures


def run_created(run_id: str, created: ev.RunCreated) -> None:
    """A run was created."""
    if log.isEnabledFor(logging.INFO):
        said = _of(run_id, created, "created")
        log.info("run %s of %s is created", run_id, created.agent.name, extra=said)


def run_parked(run: Run) -> None:
    """A run waits, and nobody holds it."""
    if log.isEnabledFor(logging.INFO):
        # `operator: [E710] ...` says why, in words that may be of what the run is about
        names = [name.partition(": ")[0] for name in run.waiting_on[:MOST_NAMES]]
        more = len(run.waiting_on) - len(names)
        told = f"{', '.join(names)}{f' and {more} more' if more else ''}"
        said = _of(run.run_id, run.start, "parked", waiting_on=told, steps=len(run.steps))
        log.info("run %s waits for %s", run.run_id, told or "its time", extra=said)


def run_resumed(run: Run) -> None:
    """A run that was held before is taken up again: it waited, was given back, or its holder died."""
    if log.isEnabledFor(logging.INFO):
        said = _of(run.run_id, run.start, "resumed", steps=len(run.steps))
        log.info("run %s goes on", run.run_id, extra=said)


def _ended(run: Run, finished: Finished) -> None:
    if not log.isEnabledFor(logging.INFO):
        return
    code = finished.problem.code if finished.problem is not None else ""
    cost, seconds, steps = run.usage.cost_usd, round(run.usage.wall_s, 3), len(run.steps)
    figures = {"steps": steps, "cost_usd": float(cost), "seconds": seconds}
    said = _of(run.run_id, run.start, "ended", status=finished.status, code=code, **figures)
    how = f"{finished.status} {code}".rstrip()
    took = f"{steps} step{'' if steps == 1 else 's'}, {cost.normalize():f} USD, {seconds:g} s"
    log.info("run %s ended: %s after %s", run.run_id, how, took, extra=said)


def _of(run_id: str, created: ev.RunCreated, event: str, **more: object) -> dict[str, object]:
    """The fields of a line about a run."""
    task = created.task
    return {
        "event": event,
        "run_id": run_id,
        "trace_id": task.trace_id,
        "tenant_id": task.tenant_id,
        "agent": created.agent.name,
        "workflow": created.workflow_name,
        "parent_run": created.parent_run,
        **more,
    }
