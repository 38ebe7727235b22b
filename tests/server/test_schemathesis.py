"""Generated requests against the real server: no failure of the server, and every answer as documented."""

from __future__ import annotations

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_schema_conformance,
    status_code_conformance,
)

from remit.core.codec import plain
from remit.core.conversation import Conversation, conversation_key
from remit.core.validation import ValidationRun
from remit.engine.remembering import SESSION
from remit.ports.store import Put
from remit.server.app import routes

pytestmark = pytest.mark.slow

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


DOCUMENT = schemathesis.openapi.from_dict(routes().openapi())
OPERATIONS = {each.ok().label: each.ok() for each in DOCUMENT.get_all_operations()}
ABOUT_THINGS = [label for label in OPERATIONS if re.search(r"{|invoke|runs$", label)]

bounded = settings(
    max_examples=7,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def ids(shared, until):
    """A run that waits for an approval, by all its names."""
    with shared.client("ana") as ana:
        body = {"task": "x", "agents": ["payer"], "context": {}, "task_id": "fuzzed"}
        ana.post("/api/v1/agents/invoke", json=body).raise_for_status()
        page = until(
            lambda: (p := ana.get("/api/v1/agents/status/fuzzed").json())["status"] == "needs_approval" and p
        )
    with shared.client("adam") as adam:
        body = {"spec": {"text": "hi"}, "reason": "x"}
        adam.put("/api/v1/definitions/prompt/fuzzed", json=body).raise_for_status()
        adam.put(
            "/api/v1/tables/fuzzed", json={"location": "f.csv", "owner": "fuzzed", "reason": "new"}
        ).raise_for_status()
        body = {"validation_type": "row_counts", "parameters": {"source_table": "fuzzed"}, "reason": "x"}
        body = {**body, "config_id": "fuzzed", "table_id": "fuzzed"}
        adam.post("/api/v1/validations", json=body).raise_for_status()
        body = {"expression": "weekly", "agent": "echo"}
        adam.put("/api/v1/schedules/fuzzed", json=body).raise_for_status()
        body = {"channel": "webhook", "target": "http://127.0.0.1:1/"}
        adam.put("/api/v1/notifiers/fuzzed", json=body).raise_for_status()
        flow = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
        body = {"spec": flow, "reason": "x"}
        adam.put("/api/v1/definitions/workflow/fuzzed-flow", json=body).raise_for_status()
        body = {"spec": {"cedar": "", "profile": {"extends": "default"}}, "reason": "x"}
        adam.put("/api/v1/definitions/policy_profile/fuzzed", json=body).raise_for_status()
        adam.put("/api/v1/views/fuzzed", json={"page": "runs"}).raise_for_status()
        adam.put("/api/v1/documents/fuzzed", json={"text": "Refunds take three days."}).raise_for_status()
        steps = adam.get(f"/api/v1/runs/{page['run_id']}/steps").raise_for_status().json()["items"]
    hers = Conversation(conversation_key("acme", "fuzzed"), "acme", "adam", "adam", "echo", "hers", 1, 1)
    shared.run(shared.app.store.transact([Put(SESSION, plain(hers))]))
    line = ValidationRun(
        "fuzzed", "fuzzed", "fuzzed", 1, "row_counts", "PASSED", {}, "api", 1_800_000_000_000
    )
    shared.run(shared.app.validation_runs.record("acme", line))
    return {
        "task_id": "fuzzed",
        "run_id": page["run_id"],
        "approval_id": page["approvals"][0]["approval_id"],
        "kind": "prompt",
        "name": "fuzzed",
        "alias": "active",
        "table_id": "fuzzed",
        "config_id": "fuzzed",
        "validation_run": "fuzzed",
        "validation_type": "row_counts",
        "owner": "fuzzed",
        "schedule_id": "fuzzed",
        "notifier_id": "fuzzed",
        "workflow": "fuzzed-flow",
        "activity": "fuzzed",
        "step": steps[0]["step"],
        "reference": "note.txt",
        "profile": "fuzzed",
        "view": "fuzzed",
        "document_id": "fuzzed",
        "session_id": "fuzzed",
    }


def send(case, shared):
    """Send it as somebody who may do everything, and check the answer against the document."""
    if case.path.endswith(("/events", "/live")):
        case.headers = {**(case.headers or {}), "Accept": "application/json"}
    if case.path.endswith("/take") and isinstance(case.body, dict) and case.body.get("wait_s"):
        case.body = {**case.body, "wait_s": 0.1}
    headers = {"Authorization": f"Bearer {shared.keys['adam']}"}
    case.call_and_validate(
        base_url=shared.url, headers=headers, checks=CHECKS, excluded_checks=[ignored_auth], timeout=10
    )


def each_case(label, handle):
    """Hand over each request made up for an operation. The cases are made here: `parametrize` of schemathesis makes them when tests
    are collected, which each worker does for all."""
    build_operation_test(
        config=DOCUMENT.config,
        operation=OPERATIONS[label],
        test_func=bounded(handle),
        given_kwargs={},
        feedback=FeedbackSources(),
    )()


@pytest.mark.parametrize("label", OPERATIONS)
def test_whatever_is_sent_is_answered_as_documented(label, shared):
    """Valid or not, with ids and bodies that nobody thought of."""

    def handle(case):
        send(case, shared)

    each_case(label, handle)


@pytest.mark.parametrize("label", ABOUT_THINGS)
def test_whatever_is_sent_about_real_things_is_answered_as_documented(label, shared, ids):
    """The ids exist and the agents are real; everything else is made up."""

    def handle(case):
        case.path_parameters = {
            name: ids.get(name, given) for name, given in (case.path_parameters or {}).items()
        }
        if isinstance(case.body, dict):
            real = {"agent": "echo", "agents": ["echo"], "policy_profile": "default"}
            case.body = {
                k: real.get(k, v) for k, v in case.body.items() if k not in ("tenant_id", "actor_context")
            }
        send(case, shared)

    each_case(label, handle)
