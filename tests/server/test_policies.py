"""Policies over HTTP: texts, checking as one types, tests, what each tool needs, and the decision log."""

from __future__ import annotations

import time

import pytest

BAD = '@id("a")\npermit (principal, action, resource)\nwhen { context.risk <= };\n'
MISSPELT = (
    '@id("a")\npermit (principal, action == Action::"call_tool", resource)\nwhen { context.riskk < 3 };\n'
)


def test_profiles_say_where_they_come_from(site):
    """A folder's profile, and the registry's version over it from when it is saved."""
    with site.client("adam") as adam:
        items = adam.get("/api/v1/policies").json()["items"]
        assert {i["name"]: i["source"] for i in items} == dict.fromkeys(
            ("default", "strict", "validation"), "folder"
        )
        shown = adam.get("/api/v1/policies/strict").json()
        assert "strict-writes-need-approval" in shown["cedar"]
        assert "entity Tenant;" in shown["schema"]
        body = {"spec": {**shown["draft"], "cedar": shown["cedar"] + "\n// mine"}, "reason": "try"}
        assert adam.put("/api/v1/definitions/policy_profile/strict", json=body).status_code in (200, 201)
        after = adam.get("/api/v1/policies/strict").json()
        assert (after["profile"]["source"], after["profile"]["version"]) == ("registry", 1)
        assert after["cedar"].endswith("// mine")
        assert after["profile"]["digest"] != shown["profile"]["digest"]
        names = [i["name"] for i in adam.get("/api/v1/policies").json()["items"]]
        assert names == ["default", "strict", "validation"]
        missing = adam.get("/api/v1/policies/nope")
        assert (missing.status_code, missing.json()["code"]) == (404, "E1023")
    with site.client("zoe") as zoe:
        assert zoe.get("/api/v1/policies/strict").json()["profile"]["source"] == "folder"


@pytest.mark.parametrize(
    ("cedar", "line", "column", "said"),
    [
        (BAD, 3, 24, "unexpected token `}`"),
        (MISSPELT, 3, 16, "`riskk` not found"),
        ("permit (principal, action, resource);", 1, 1, "no `@id"),
        ('@id("a") permit (principal, action, resource)', 1, 46, "unexpected end of input"),
        ('\n\n  @id("a") allow (principal, action, resource);', 3, 12, "invalid policy effect"),
    ],
)
def test_mistakes_have_their_place(shared, cedar, line, column, said):
    """Line and column, both from 1."""
    with shared.client("vera") as vera:
        found = vera.post("/api/v1/policies/validate", json={"cedar": cedar}).json()["problems"]
        assert [(p["line"], p["column"]) for p in found] == [(line, column)]
        assert said in found[0]["text"]


def test_a_text_is_checked_as_fast_as_one_types(shared):
    """The whole default profile with a mistake at its end, and its fields."""
    with shared.client("vera") as vera:
        shown = vera.get("/api/v1/policies/default").json()
        url = "/api/v1/policies/validate"
        assert vera.post(url, json=shown["draft"]).json() == {"problems": [], "others": []}
        began = time.perf_counter()
        answer = vera.post(url, json={"cedar": shown["cedar"] + BAD.replace('"a"', '"z"')}).json()
        assert time.perf_counter() - began < 1
        assert len(answer["problems"]) == 1
        fields = {"cedar": shown["cedar"], "profile": {"quorum": 0}}
        assert "quorum" in vera.post(url, json=fields).json()["others"][0]


def test_a_question_is_answered_with_reasons(shared):
    """By what holds, or by a text that is not saved; the tenant is the caller's."""
    asked = {"principal": {"actor_id": "ana", "agent": "payer"}, "action": "call_tool", "resource": "pay"}
    with shared.client("vera") as vera:
        answer = vera.post("/api/v1/policies/test", json=asked).json()
        assert answer["decision"]["verdict"] == "needs_approval"
        assert answer["decision"]["policies"] == ["privileged-needs-approval"]
        assert answer["asked"]["principal"]["tenant_id"] == "acme"
        assert answer["explanation"].startswith("needs approval")
        lenient = {**asked, "cedar": '@id("all") permit (principal, action, resource);'}
        assert vera.post("/api/v1/policies/test", json=lenient).json()["decision"]["policies"] == ["all"]
        vain = {**asked, "cedar": BAD}
        assert vera.post("/api/v1/policies/test", json=vain).json()["code"] == "E220"
        own = {**asked, "action": "approve", "principal": {"actor_id": "bob", "roles": ["approver"]}}
        assert vera.post("/api/v1/policies/test", json=own).json()["decision"]["verdict"] == "allow"
        own["context"] = {"requester_is_approver": True}
        assert vera.post("/api/v1/policies/test", json=own).json()["decision"]["verdict"] == "deny"


def test_tools_say_what_they_need(shared):
    """A page of tools by name, each with a verdict for each situation and the policy that decides."""
    with shared.client("vera") as vera:
        found, cursor = {}, None
        while True:
            params = {"limit": 3, **({"cursor": cursor} if cursor else {})}
            page = vera.get("/api/v1/policies/tools", params=params).json()
            found.update({tool["tool"]: tool for tool in page["items"]})
            cursor = page["cursor"]
            if cursor is None:
                break
        pay = {v["situation"]: (v["verdict"], v["policies"]) for v in found["pay"]["verdicts"]}
        assert pay["plain"] == ("needs_approval", ["privileged-needs-approval"])
        assert pay["untrusted_target"][0] == "deny"
        assert "untrusted-text-decides-nothing" in pay["untrusted_target"][1]
        assert (found["pay"]["tier"], found["pay"]["approvers"]) == (2, ["approver"])
        assert {v["verdict"] for v in found["slow"]["verdicts"]} == {"allow"}
        strict = vera.get("/api/v1/policies/tools", params={"profile": "strict", "limit": 200}).json()
        published = next(t for t in strict["items"] if t["tool"] == "publish_event")
        verdicts = {v["situation"]: v["verdict"] for v in published["verdicts"]}
        assert (verdicts["plain"], verdicts["tainted"]) == ("allow", "deny")
        assert {s["name"] for s in page["situations"]} == set(pay)


def test_the_log_has_what_was_let_through_held_and_refused(site, until):
    """Newest first, filtered and paged, and only the tenant's own."""
    with site.client("ana") as ana, site.client("bob") as bob:
        for n in range(3):
            task = {"task_id": f"t{n}", "agent": "payer", "objective": "pay", "input": {"amount": n}}
            assert ana.post("/api/v1/runs", json=task).status_code == 202
        waiting = until(lambda: len(i := bob.get("/api/v1/approvals").json()["items"]) == 3 and i)
        decide = f"/api/v1/approvals/{waiting[0]['approval_id']}/decide"
        assert bob.post(decide, json={"kind": "approve"}).status_code == 200
        log = "/api/v1/policies/decisions"
        until(
            lambda: any(
                i["resource"] == "pay" for i in bob.get(log, params={"verdict": "allow"}).json()["items"]
            )
        )
        every = bob.get(log).json()["items"]
        assert [i["at"] for i in every] == sorted((i["at"] for i in every), reverse=True)
        held = [i for i in every if i["verdict"] == "needs_approval"]
        assert [i["policies"] for i in held] == [["privileged-needs-approval"]] * 3
        assert {i["approval_id"] for i in held} == {i["approval_id"] for i in waiting}
        (paid,) = bob.get(log, params={"verdict": "allow", "tool": "pay"}).json()["items"]
        assert (paid["outcome"], paid["agent"], paid["approval_id"]) == (
            "done",
            "payer",
            waiting[0]["approval_id"],
        )
        seen, cursor = [], None
        while True:
            params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = bob.get(log, params=params).json()
            seen += page["items"]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert seen == every
        assert bob.get(log, params={"agent": "nobody"}).json()["items"] == []
        assert bob.get(log, params={"until": held[0]["at"] - 1, "verdict": "deny"}).json()["items"] == []
        assert bob.get(log, params={"cursor": "nonsense"}).status_code == 422
    with site.client("zoe") as zoe:
        assert zoe.get(log).json()["items"] == []
