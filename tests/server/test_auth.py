"""Who may do what: every operation for its owner, another tenant, nobody, and a key with the wrong roles."""

from __future__ import annotations

import json
import re

import pytest

from remit.core.access import ROLE_SCOPES
from remit.core.codec import plain
from remit.core.conversation import Conversation, conversation_key
from remit.core.validation import ValidationRun
from remit.engine.remembering import SESSION
from remit.ports.store import Put
from remit.server.app import routes

DOCUMENT = routes().openapi()

OPERATIONS = {
    found["operationId"]: (method, path, found["x-remit-scope"])
    for path, methods in DOCUMENT["paths"].items()
    for method, found in methods.items()
}

RULE = {
    "table_id": "auth-orders",
    "validation_type": "row_counts",
    "parameters": {"source_table": "auth-orders"},
    "reason": "x",
}
BODIES = {
    "invokeAgents": {"task": "x", "agents": ["echo"]},
    "approveTask": {"decision": "reject"},
    "submitRun": {"task_id": "auth-1", "agent": "echo"},
    "cancelRun": {"reason": "x"},
    "decideApproval": {"kind": "reject"},
    "answerApproval": {"text": "x"},
    "putDefinition": {"spec": {"text": "hi"}, "reason": "x"},
    "draftDefinition": {"spec": {"text": "hi"}, "reason": "x"},
    "promoteDefinition": {"version": 1, "reason": "x"},
    "rollbackDefinition": {"version": 1, "reason": "x"},
    "refuseDefinition": {"version": 2, "reason": "x"},
    "checkDefinition": {"spec": {"text": "hi"}},
    "archiveDefinition": {"reason": "x"},
    "enableDefinition": {"reason": "x"},
    "disableDefinition": {"reason": "x"},
    "setAlias": {"version": 1, "reason": "x"},
    "putTable": {"location": "orders.parquet", "owner": "auth-owner", "reason": "new"},
    "putValidationType": {
        "description": "x",
        "agent": "counting",
        "parameters": {"type": "object"},
        "reason": "new",
    },
    "createValidation": {"config_id": "auth-rule", **RULE},
    "editValidation": RULE,
    "draftValidation": RULE,
    "promoteValidation": {"version": 1, "reason": "x"},
    "refuseValidation": {"version": 2, "reason": "x"},
    "rollbackValidation": {"version": 1, "reason": "x"},
    "enableValidation": {"reason": "x"},
    "disableValidation": {"reason": "x"},
    "runValidation": {},
    "validateTable": {},
    "suggestRules": {},
    "putSchedule": {"expression": "weekly", "agent": "echo"},
    "putNotifier": {"channel": "webhook", "target": "http://127.0.0.1:1/"},
    "muteNotifier": {"seconds": 0},
    "validateWorkflow": {"document": {}},
    "previewWorkflow": {"text": "{}"},
    "renameConversation": {"title": "x"},
    "runDocument": {"task_id": "auth-3", "document": {}},
    "forkRun": {"from_state": "s0"},
    "retryRun": {},
    "saveGolden": {"reason": "x"},
    "cancelRuns": {"run_ids": ["{run_id}"]},
    "retryRuns": {"run_ids": ["{run_id}"]},
    "decideApprovals": {"approval_ids": ["{approval_id}"], "kind": "reject"},
    "validatePolicy": {"cedar": ""},
    "testPolicy": {
        "principal": {"actor_id": "x"},
        "action": "call_tool",
        "resource": "pay",
        "profile": "{profile}",
    },
    "saveView": {"page": "runs"},
    "succeedTask": {"token": "x"},
    "failTask": {"token": "x"},
    "heartbeatTask": {"token": "x"},
    "takeTask": {"wait_s": 0},
    "publishEvents": {"specversion": "1.0", "id": "e2", "source": "test", "type": "auth.event", "data": {}},
    "chat": {"user_id": "u", "query": "hi"},
    "putDocument": {"text": "Refunds take three days."},
    "createKey": {"actor_id": "auth-newcomer", "roles": ["viewer"]},
    "addFact": {"scope": "tenant", "subject": "auth-subject", "text": "It is blue.", "tag": "fact"},
    "testRules": {
        "event": {"specversion": "1.0", "id": "e3", "source": "test", "type": "auth.event", "data": {}}
    },
}
"""A body for each operation that takes one; `{run_id}` and its like stand for the ids of the test."""

PARAMETERS = {
    "compareRuns": {"left": "{run_id}", "right": "{run_id}"},
    "runStrips": {"names": "echo"},
    "policyTools": {"profile": "{profile}"},
    "diffVersions": {"a": 1, "b": 1},
    "diffValidations": {"a": 1, "b": 1},
    "deleteValidation": {"reason": "x"},
    "removeTable": {"reason": "x"},
    "removeValidationType": {"reason": "x"},
    "showConversation": {"user_id": "u"},
    "chatTurn": {"user_id": "u"},
    "searchDocuments": {"query": "refunds"},
    "forgetSubject": {"subject": "auth-subject"},
}

PUBLIC = {"health", "ready", "metrics", "signIn", "signOut", "waysToSignIn", "startOidc", "finishOidc"}
LOOKING = (["read"], ["approvals"])
"""The scopes of operations that only look."""

GUARDED = sorted(name for name, (_, _, scope) in OPERATIONS.items() if scope)
MAKES_ITS_OWN = {
    "putDefinition",
    "draftDefinition",
    "putTable",
    "putValidationType",
    "draftValidation",
    "putSchedule",
    "putNotifier",
    "putDocument",
    "takeTask",
    "checkDefinition",
    "saveView",
    "deleteView",
}
"""Operations on a name that need not exist: another tenant gets its own."""

ONE_BY_ONE = {"cancelRuns", "retryRuns"}
"""Operations on several things, of which each is refused by itself."""

ASKED = {
    name: str((path, PARAMETERS.get(name), BODIES.get(name))) for name, (_, path, _) in OPERATIONS.items()
}
"""Where an operation has its ids: its path, its query, its body."""

WITH_ID = sorted(
    name for name in GUARDED if re.search(r"{\w+}", ASKED[name]) and name not in MAKES_ITS_OWN | ONE_BY_ONE
)
POLICY = {"showPolicy", "policyTools", "testPolicy"}
"""Operations that say by a code of its own that there is no such profile."""

WITHOUT_SCOPE = {
    "read": None,
    "approvals": None,
    "run": "bob",
    "chat": "bob",
    "decide": "ana",
    "audit": "ana",
    "edit": "ana",
    "admin": "ana",
}


@pytest.fixture(scope="module")
def ids(shared, until):
    """A task of tenant acme that waits for an approval, a dead letter, and a definition of each kind of acme's."""
    with shared.client("adam") as adam:
        made = adam.put("/api/v1/definitions/prompt/auth-greeting", json=BODIES["putDefinition"])
        assert made.status_code == 201, made.text
        for path, name in (
            ("/tables/auth-orders", "putTable"),
            ("/validation-types/auth-type", "putValidationType"),
        ):
            made = adam.put(f"/api/v1{path}", json=BODIES[name])
            assert made.status_code == 201, made.text
        adam.put("/api/v1/documents/auth-document", json=BODIES["putDocument"]).raise_for_status()
        fact = adam.post("/api/v1/memories", json=BODIES["addFact"]).raise_for_status().json()
        made = adam.post("/api/v1/validations", json=BODIES["createValidation"])
        assert made.status_code == 201, made.text
        flow = {"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}
        made = adam.put("/api/v1/definitions/workflow/auth-flow", json={"spec": flow, "reason": "x"})
        assert made.status_code == 201, made.text
        profile = {"cedar": "", "profile": {"extends": "default"}}
        made = adam.put(
            "/api/v1/definitions/policy_profile/auth-profile", json={"spec": profile, "reason": "x"}
        )
        assert made.status_code == 201, made.text
        closed = "/api/v1/definitions/workflow/auth-closed"
        adam.put(closed, json={"spec": flow, "reason": "x"}).raise_for_status()
        rule = {"pattern": {"type": ["auth.event"]}, "target": "auth-closed", "retry": {"attempts": 1}}
        made = adam.put("/api/v1/definitions/rule/auth-greeting", json={"spec": rule, "reason": "x"})
        assert made.status_code == 201, made.text
        adam.post(f"{closed}/disable", json={"reason": "x"}).raise_for_status()
        adam.post("/api/v1/events", json={**BODIES["publishEvents"], "id": "e1"}).raise_for_status()
        dead = until(lambda: adam.get("/api/v1/events/dead-letters").json()["items"])
    key = conversation_key("acme", "auth-session")
    hers = Conversation(key, "acme", "vera", "vera", "echo", "hers", 1, 1)
    shared.run(shared.app.store.transact([Put(SESSION, plain(hers))]))
    line = ValidationRun(
        "auth-vr", "auth-orders", "auth-rule", 1, "row_counts", "PASSED", {}, "api", 1_800_000_000_000
    )
    shared.run(shared.app.validation_runs.record("acme", line))
    for path in ("schedules/auth-weekly", "notifiers/auth-team"):
        with shared.client("adam") as adam:
            name = "putSchedule" if "schedule" in path else "putNotifier"
            adam.put(f"/api/v1/{path}", json=BODIES[name]).raise_for_status()
    bad = ValidationRun("auth-bad", "auth-orders", "auth-rule", 1, "row_counts", "FAILED", {}, "api", 1)
    shared.run(shared.app.validation_runs.record("acme", bad))
    (planned,) = shared.run(shared.app.notifications.plan("acme", ["auth-bad"]))
    with shared.client("ana") as ana:
        ana.post(
            "/api/v1/agents/invoke",
            json={"task": "x", "agents": ["payer"], "context": {}, "task_id": "auth-wait"},
        )
        page = until(
            lambda: (
                (p := ana.get("/api/v1/agents/status/auth-wait").json())["status"] == "needs_approval" and p
            )
        )
        steps = ana.get(f"/api/v1/runs/{page['run_id']}/steps").raise_for_status().json()["items"]
    with shared.client("vera") as vera:
        vera.put("/api/v1/views/auth-view", json=BODIES["saveView"]).raise_for_status()
    return {
        "task_id": "auth-wait",
        "run_id": page["run_id"],
        "approval_id": page["approvals"][0]["approval_id"],
        "kind": "prompt",
        "name": "auth-greeting",
        "alias": "stable",
        "table_id": "auth-orders",
        "validation_type": "auth-type",
        "config_id": "auth-rule",
        "validation_run": "auth-vr",
        "owner": "auth-owner",
        "schedule_id": "auth-weekly",
        "notifier_id": "auth-team",
        "notification_id": planned["notification_id"],
        "workflow": "auth-flow",
        "activity": "auth-activity",
        "dead_letter_id": dead[0]["dead_letter_id"],
        "conversation_id": "auth-conversation",
        "session_id": "auth-session",
        "document_id": "auth-document",
        "fact_id": fact["fact_id"],
        "reference": "note.txt",
        "step": steps[0]["step"],
        "profile": "auth-profile",
        "view": "auth-view",
        "key_id": shared.run(shared.app.keys.create("acme", "auth-passing", ("viewer",))).key_id,
    }


def call(client, name, ids, **options):
    """Call an operation on the ids given."""
    method, path, _ = OPERATIONS[name]
    if name in BODIES:
        options["json"] = filled(options.get("json", BODIES[name]), ids)
    options.setdefault("params", filled(PARAMETERS.get(name), ids))
    return client.request(method, filled(path, ids), **options)


def filled(value, ids):
    """A value with the ids in place of their names."""
    if isinstance(value, dict):
        return {name: filled(each, ids) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, ids) for each in value]
    return re.sub(r"{(\w+)}", lambda m: ids[m[1]], value) if isinstance(value, str) else value


def as_problem(answer):
    """The problem of an answer that must be one."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found = answer.json()
    assert {"type", "title", "status", "detail", "code", "help"} == set(found)
    assert found["status"] == answer.status_code
    assert found["type"] == f"urn:remit:error:{found['code']}"
    return found


@pytest.mark.parametrize("name", GUARDED)
def test_nothing_works_without_a_key(shared, ids, name):
    """401, and how to authenticate."""
    with shared.client() as nobody:
        answer = call(nobody, name, ids)
        assert as_problem(answer)["code"] == "E310"
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("key", ["remit_", "x", "remit_0123456789abcdef_" + "A" * 43, "", "remit_é"])
@pytest.mark.parametrize("header", ["Authorization", "X-API-Key"])
def test_a_wrong_key_is_no_key(shared, header, key):
    """Whatever is wrong with it, the answer is the same."""
    with shared.client() as nobody:
        value = (f"Bearer {key}".strip() if header == "Authorization" else key).encode()
        answer = nobody.get("/api/v1/runs", headers={header: value})
        assert (answer.status_code, as_problem(answer)["code"]) == (401, "E310")


def test_both_headers_work_and_the_url_does_not(shared):
    """A key in a URL would end up in logs."""
    key = shared.keys["vera"]
    with shared.client() as client:
        assert client.get("/api/v1/runs", headers={"X-API-Key": key}).status_code == 200
        assert client.get("/api/v1/runs", headers={"Authorization": f"bearer {key}"}).status_code == 200
        assert client.get("/api/v1/runs", params={"api_key": key, "token": key}).status_code == 401


def test_a_revoked_key_stops_working_at_once(shared):
    """The next request is refused."""
    made = shared.run(shared.app.keys.create("acme", "eve", ["viewer"]))
    with shared.client() as client:
        headers = {"X-API-Key": made.secret}
        assert client.get("/api/v1/runs", headers=headers).status_code == 200
        shared.run(shared.app.keys.revoke(made.key_id))
        assert client.get("/api/v1/runs", headers=headers).status_code == 401


@pytest.mark.parametrize("name", WITH_ID)
def test_another_tenants_ids_look_unknown(shared, ids, name):
    """The answer to another tenant's id is, but for the id, the answer to one that never existed."""
    unknown = {
        **ids,
        "task_id": "never-was",
        "run_id": "run_" + "0" * 26,
        "approval_id": "apr_" + "0" * 26,
        "name": "never-was-either",
        "table_id": "no-table",
        "validation_type": "no-type",
        "config_id": "no-rule",
        "validation_run": "no-run",
        "owner": "nobody",
        "schedule_id": "no-schedule",
        "notifier_id": "no-notifier",
        "notification_id": "no-notification",
        "workflow": "no-flow",
        "activity": "no-activity",
        "dead_letter_id": "no-letter",
        "conversation_id": "no-conversation",
        "session_id": "no-session",
        "document_id": "no-document",
        "fact_id": "no-fact",
        "reference": "no-artifact",
        "step": "no-step",
        "profile": "no-profile",
        "view": "no-view",
        "key_id": "0" * len(ids["key_id"]),
    }
    assert {kind for kind in ids if ids[kind] == unknown[kind]} == {"kind", "alias"}
    with shared.client("zoe") as zoe:
        theirs, nobodys = call(zoe, name, ids), call(zoe, name, unknown)
        assert theirs.status_code == nobodys.status_code == 404
        text = theirs.text
        for kind, value in ids.items():
            text = text.replace(value, unknown[kind])
        assert text == nobodys.text
        code = "E1023" if name in POLICY else "E104"
        assert as_problem(theirs)["code"] == as_problem(nobodys)["code"] == code


@pytest.mark.parametrize("name", sorted(ONE_BY_ONE))
def test_of_several_each_of_another_tenant_looks_unknown(shared, ids, name):
    """Nothing is done to it, and what is said is what is said of one that never existed."""
    never = "run_" + "0" * 26
    with shared.client("zoe") as zoe:
        asked = call(zoe, name, ids, json={"run_ids": [ids["run_id"], never]})
        assert asked.status_code == 200, asked.text
        theirs, nobodys = asked.json()["items"]
        assert (nobodys["outcome"], nobodys["problem"]["code"]) == ("refused", "E104")
        assert json.dumps(theirs).replace(ids["run_id"], never) == json.dumps(nobodys)
    with shared.client("vera") as vera:
        assert vera.get(f"/api/v1/runs/{ids['run_id']}").json()["status"] == "waiting"


def test_views_are_of_one_person_alone(shared, ids):
    """Neither another tenant nor another person of the same one reads, replaces or removes them."""
    at = f"/api/v1/views/{ids['view']}"
    with shared.client("vera") as vera, shared.client("otto") as otto, shared.client("zoe") as zoe:
        before = vera.get(at).json()
        for other in (otto, zoe):
            assert other.get("/api/v1/views").json()["items"] == []
            assert other.delete(at).status_code == 204
            assert other.get(at).status_code == 404
            assert other.put(at, json={"page": "approvals"}).status_code == 200
            assert other.get(at).json()["page"] == "approvals"
            assert other.delete(at).status_code == 204
        assert vera.get(at).json() == before


def test_lists_show_only_the_tenants_own(shared, ids):
    """Another tenant's administrator sees nothing of it."""
    with shared.client("zoe") as zoe:
        assert zoe.get("/api/v1/runs").json()["items"] == []
        assert zoe.get("/api/v1/approvals", params={"status": ""}).json()["items"] == []
        assert zoe.get("/api/v1/definitions").json()["items"] == []
        assert zoe.get("/api/v1/definitions/changes").json()["items"] == []
        for noun in (
            "tables",
            "validations",
            "validation-runs",
            "schedules",
            "notifiers",
            "notifications",
            "workflows",
        ):
            assert zoe.get(f"/api/v1/{noun}").json()["items"] == []
        types = zoe.get("/api/v1/validation-types").json()["items"]
        assert [t["validation_type"] for t in types] == ["row_counts"]
        card = zoe.get("/api/v1/scorecards").json()
        assert (card["tables"], card["owners"]) == ([], [])


@pytest.mark.parametrize("name", [n for n in GUARDED if OPERATIONS[n][2] not in LOOKING])
def test_a_key_without_the_scope_is_refused(shared, ids, name):
    """403 E320, and the roles that would do."""
    scope = OPERATIONS[name][2][0]
    with shared.client(WITHOUT_SCOPE[scope]) as client:
        answer = call(client, name, ids)
        assert (answer.status_code, as_problem(answer)["code"]) == (403, "E320")
        openers = [role for role, opened in ROLE_SCOPES.items() if scope in opened]
        assert all(f"`{role}`" in answer.json()["help"] for role in openers)


def test_an_operation_that_needs_two_scopes_says_both():
    """A schedule is edited by who may start runs."""
    assert OPERATIONS["putSchedule"][2] == ["edit", "run"]


@pytest.mark.parametrize(
    "name", [n for n in GUARDED if OPERATIONS[n][2] in LOOKING and n not in ("saveView", "deleteView")]
)
def test_a_viewer_may_look(shared, ids, name):
    """Every reading operation works for the tenant's own."""
    with shared.client("vera") as vera:
        assert call(vera, name, ids).status_code == 200


def test_the_owner_may_do_everything(shared, ids, until):
    """Every writing operation works for the tenant's administrator, in an order that makes sense."""
    with shared.client("adam") as adam:
        for name in ("invokeAgents", "submitRun", "resumeRun", "exportRun"):
            assert call(adam, name, ids).status_code in (200, 202), name
        asked = call(adam, "decideApproval", ids, json={"kind": "request_info", "rationale": "why?"})
        assert asked.status_code == 200, asked.text
        assert call(adam, "answerApproval", ids).status_code == 200
        assert call(adam, "approveTask", {**ids}).status_code == 200
        assert call(adam, "cancelRun", ids).status_code == 202
        for name in ("putDefinition", "draftDefinition", "setAlias", "disableDefinition", "enableDefinition"):
            assert call(adam, name, ids).status_code in (200, 201), name
        for name, version in (("promoteDefinition", 3), ("rollbackDefinition", 1)):
            asked = call(adam, name, ids, json={**BODIES[name], "version": version})
            assert asked.status_code == 200, asked.text
        assert call(adam, "archiveDefinition", ids).status_code == 200
        asked = call(adam, "rollbackDefinition", ids)
        assert asked.status_code == 200, asked.text


@pytest.mark.parametrize(
    "claim",
    [
        {"tenant_id": "zeta"},
        {"tenant_id": None},
        {"actor_context": {"actor_id": "bob"}},
        {"actor_context": {"roles": ["admin"]}},
        {"actor_context": "bob"},
    ],
)
@pytest.mark.parametrize("name", sorted(BODIES))
def test_a_body_cannot_say_who_is_calling(shared, ids, name, claim):
    """A tenant or an actor other than the key's is refused, whatever the operation."""
    if name == "publishEvents" and claim == {"tenant_id": None}:
        return  # an attribute of an event that is null was not given (CloudEvents, JSON format)
    with shared.client("adam") as adam:
        answer = call(adam, name, ids, json={**BODIES[name], **claim})
        # The names of an event's attributes have no underscore: there it is no event at all.
        code = {"publishEvents": "E660", "chat": "E102"}.get(name, "E105")
        assert (answer.status_code, as_problem(answer)["code"]) == (400 if name == "chat" else 422, code)


def test_a_body_may_repeat_what_the_key_says(shared):
    """The same tenant and actor are accepted and change nothing."""
    with shared.client("ana") as ana:
        body = {"task_id": "auth-2", "agent": "echo", "tenant_id": "acme"}
        body["actor_context"] = {"actor_id": "ana", "roles": ["operator"]}
        assert ana.post("/api/v1/runs", json=body).status_code == 202


def test_every_body_and_every_id_is_tried(ids):
    """A new operation has to be told here, else nothing above says anything about it."""
    taking = {n for n in GUARDED if DOCUMENT["paths"][OPERATIONS[n][1]][OPERATIONS[n][0]].get("requestBody")}
    assert taking == set(BODIES)
    assert set(re.findall(r"{(\w+)}", str(ASKED))) == set(ids)


def test_every_operation_names_its_scope_and_refusals():
    """What is published is what is enforced: 401 and 403 wherever a key is needed."""
    for name in GUARDED:
        method, path, scopes = OPERATIONS[name]
        found = DOCUMENT["paths"][path][method]
        assert set(scopes) <= {"read", "approvals", "run", "decide", "audit", "edit", "admin", "chat"}, name
        assert {"401", "403", "500"} <= set(found["responses"]), name
        assert found["security"], name
    assert {n for n in OPERATIONS if n not in GUARDED} == PUBLIC
