"""Every name Remit uses in spans and metrics, in one place.

Attributes follow the OpenTelemetry GenAI semantic conventions (github.com/open-telemetry/semantic-conventions-genai,
as of 2026-09; opt-in name `gen_ai_latest_experimental`); names under `remit.` are our own. The deprecated
`gen_ai.system`, `gen_ai.prompt` and `gen_ai.completion` are not used. The content of messages is never an attribute.
The Prometheus names `agent_*` are the platform standard's (T8).
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

CONVENTION = "gen_ai_latest_experimental"

# Spans -----------------------------------------------------------------------------------------------------------

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
CONVERSATION_ID = "gen_ai.conversation.id"
SESSION_ID = "session.id"
USAGE_COST = "gen_ai.usage.cost"
"""Not of the conventions, but what receivers such as Langfuse read a call's cost from, in US dollars."""
AGENT_ID = "gen_ai.agent.id"
AGENT_NAME = "gen_ai.agent.name"
AGENT_VERSION = "gen_ai.agent.version"
WORKFLOW_NAME = "gen_ai.workflow.name"
TOOL_NAME = "gen_ai.tool.name"
TOOL_TYPE = "gen_ai.tool.type"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOKEN_TYPE = "gen_ai.token.type"
OUTPUT_TYPE = "gen_ai.output.type"
ERROR_TYPE = "error.type"

RUN_ID = "remit.run.id"
ROUTE = "remit.model.route"
ROOT_RUN_ID = "remit.run.root_id"
TENANT_ID = "remit.tenant.id"
TASK_ID = "remit.task.id"
TRACE_ID = "remit.trace.id"
STEP = "remit.step"
RISK = "remit.risk"
VERDICT = "remit.policy.verdict"
POLICY_VERSION = "remit.policy.version"
EFFECT = "remit.effect"
ATTEMPT = "remit.attempt"
COST_USD = "remit.cost_usd"

OPERATION_CHAT = "chat"
OPERATION_INVOKE_AGENT = "invoke_agent"
OPERATION_INVOKE_WORKFLOW = "invoke_workflow"
OPERATION_EXECUTE_TOOL = "execute_tool"


def span_name(operation: str, subject: str) -> str:
    """The conventional name of a span: the operation and what it is about, e.g. `chat claude-sonnet-4`."""
    return f"{operation} {subject}" if subject else operation


# Metrics ---------------------------------------------------------------------------------------------------------

MetricKind = Literal["counter", "gauge", "histogram"]


class Metric(Struct, frozen=True):
    """A metric: its Prometheus name, kind, labels and help, and what OpenTelemetry calls it.

    A gauge moves by `Telemetry.count` with positive and negative values.
    """

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()
    otel: str = ""
    unit: str = "1"


AGENT_INVOCATIONS = "agent_invocations_total"
AGENT_DURATION = "agent_duration_seconds"
AGENT_ERRORS = "agent_errors_total"
TOOL_CALLS = "remit_tool_calls_total"
TOOL_DURATION = "remit_tool_duration_seconds"
MODEL_CALLS = "remit_model_calls_total"
MODEL_DURATION = "remit_model_duration_seconds"
TOKENS = "remit_tokens_total"
COST = "remit_cost_usd_total"
POLICY_DECISIONS = "remit_policy_decisions_total"
APPROVALS_PENDING = "remit_approvals_pending"
BUDGET_ALERTS = "remit_budget_alerts_total"
APPROVALS_WAITING = "remit_approvals_waiting"
APPROVALS = "remit_approvals_total"
APPROVAL_WAIT = "remit_approval_wait_seconds"
IN_DOUBT = "remit_effects_in_doubt_total"
ADVANCE = "remit_advance_seconds"
FENCED = "remit_fenced_total"
EVENTS = "remit_events_published_total"
DELIVERIES = "remit_event_deliveries_total"
EVENT_LAG = "remit_event_lag_seconds"
HTTP_REQUESTS = "remit_http_requests_total"
HTTP_DURATION = "remit_http_request_seconds"

METRICS: tuple[Metric, ...] = (
    Metric(AGENT_INVOCATIONS, "counter", "Runs started.", ("agent",), "remit.agent.invocations"),
    Metric(
        AGENT_DURATION,
        "histogram",
        "Time from a run's creation to its end.",
        ("agent",),
        "gen_ai.invoke_agent.duration",
        "s",
    ),
    Metric(
        AGENT_ERRORS, "counter", "Runs that ended in failure.", ("agent", "error_type"), "remit.agent.errors"
    ),
    Metric(TOOL_CALLS, "counter", "Tool calls settled.", ("tool", "status"), "remit.tool.calls"),
    Metric(
        TOOL_DURATION,
        "histogram",
        "Time of a tool call, retries included.",
        ("tool",),
        "gen_ai.execute_tool.duration",
        "s",
    ),
    Metric(MODEL_CALLS, "counter", "Model calls settled.", ("model", "status"), "remit.model.calls"),
    Metric(
        MODEL_DURATION,
        "histogram",
        "Time of a model call, retries included.",
        ("model",),
        "gen_ai.client.operation.duration",
        "s",
    ),
    Metric(
        TOKENS,
        "counter",
        "Tokens as the provider counted them.",
        ("model", "kind"),
        "remit.tokens",
        "{token}",
    ),
    Metric(COST, "counter", "Cost of model calls in US dollars.", ("agent",), "remit.cost", "{USD}"),
    Metric(POLICY_DECISIONS, "counter", "Policy decisions.", ("action", "verdict"), "remit.policy.decisions"),
    Metric(
        APPROVALS_PENDING,
        "gauge",
        "Approvals asked for by this process and not settled yet.",
        (),
        "remit.approvals.pending",
    ),
    Metric(
        APPROVALS_WAITING,
        "gauge",
        "Approvals of all tenants that wait now, as the tick of a deployment on AWS counts them.",
        (),
        "remit.approvals.waiting",
    ),
    Metric(APPROVALS, "counter", "Approvals settled.", ("decision",), "remit.approvals"),
    Metric(
        APPROVAL_WAIT,
        "histogram",
        "Time an approval waited for its decision.",
        (),
        "remit.approval.wait",
        "s",
    ),
    Metric(
        BUDGET_ALERTS,
        "counter",
        "Tenants' budgets of which 80 or 100 per cent are used.",
        ("level",),
        "remit.budget.alerts",
    ),
    Metric(IN_DOUBT, "counter", "Effects whose outcome a crash hid.", ("tool",), "remit.effects.in_doubt"),
    Metric(ADVANCE, "histogram", "Time of one `advance` of a run.", (), "remit.advance", "s"),
    Metric(FENCED, "counter", "Appends refused because another worker holds the run.", (), "remit.fenced"),
    Metric(EVENTS, "counter", "Events accepted by the bus.", (), "remit.events.published"),
    Metric(
        DELIVERIES,
        "counter",
        "Events handed to a subscription: done, failed (to be tried again), later or dead (given up).",
        ("outcome",),
        "remit.events.deliveries",
    ),
    Metric(
        EVENT_LAG,
        "histogram",
        "Time from publishing the oldest event of a portion until the portion was handled.",
        (),
        "remit.events.lag",
        "s",
    ),
    Metric(
        HTTP_REQUESTS,
        "counter",
        "HTTP requests answered.",
        ("method", "route", "status"),
        "remit.http.requests",
    ),
    Metric(
        HTTP_DURATION,
        "histogram",
        "Time of an HTTP request.",
        ("method", "route"),
        "http.server.request.duration",
        "s",
    ),
)
"""Every metric Remit knows. Labels never name a tenant, a run or a person: `/metrics` is for operators."""
