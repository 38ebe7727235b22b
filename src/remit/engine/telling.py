"""What the engine tells telemetry: one function a happening, names from `core.semconv`. Content is never told."""

from __future__ import annotations

from contextlib import AbstractContextManager

from remit.core import semconv as sc
from remit.core.approval import Approval
from remit.core.budget import Usage
from remit.core.run import Finished, Run, Step
from remit.core.tool import ToolSpec
from remit.engine.models import Answer
from remit.ports.telemetry import Span, Telemetry


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
    return t.span(sc.span_name(sc.OPERATION_INVOKE_AGENT, agent.name), attributes, trace_id=task.trace_id)


def model_span(t: Telemetry, run: Run, step: str, route: str) -> AbstractContextManager[Span]:
    """The span of one model call."""
    attributes = {
        sc.OPERATION: sc.OPERATION_CHAT,
        sc.REQUEST_MODEL: route,
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
    """A model answered."""
    usage: Usage = answer.reply.usage
    span.set(
        gen_ai__response__model=answer.model,
        gen_ai__response__finish_reasons=(answer.reply.stop_reason,),
        gen_ai__usage__input_tokens=usage.input_tokens,
        gen_ai__usage__output_tokens=usage.output_tokens,
    )
    t.count(sc.MODEL_CALLS, 1, {"model": answer.model, "status": "ok"})
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
