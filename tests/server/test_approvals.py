"""Approvals over HTTP: what one needs to know to decide, deciding what is identical together, and counts."""

from __future__ import annotations

from uuid import uuid4

import pytest


def asked(ana, bob, until, amounts):
    """The approvals that wait for a person, first deadline first, once payments of these amounts were asked for too."""

    def waiting():
        return bob.get("/api/v1/approvals", params={"status": "open", "limit": 200}).json()["items"]

    wanted = len(waiting()) + len(amounts)
    for amount in amounts:
        task = {
            "task_id": uuid4().hex,
            "agent": "payer",
            "objective": "Pay what is owed",
            "input": {"amount": amount},
        }
        assert ana.post("/api/v1/runs", json=task).status_code == 202
    return until(lambda: len(items := waiting()) == wanted and items)


def test_whoever_may_decide_sees_why_and_how(site, until):
    """The exact call, the tool's schema, the run's objective; whoever may not is told why not."""
    with site.client("ana") as ana, site.client("bob") as bob, site.client("vera") as vera:
        (waiting,) = asked(ana, bob, until, [7])
        url = f"/api/v1/approvals/{waiting['approval_id']}/context"
        about = bob.get(url).json()
        assert about["may_decide"] is True
        assert about["decisions"] == ["approve", "reject", "constrain", "request_info"]
        assert about["approval"]["arguments"] == {"amount": 7}
        assert about["tool"]["input_schema"]["required"] == ["amount"]
        assert (about["tool"]["risk"], about["tool"]["tier"], about["tool"]["known"]) == ("L3", 2, True)
        assert (about["run"]["objective"], about["run"]["started_by"]) == ("Pay what is owed", "ana")
        assert (about["identical"], about["identical_complete"], about["earlier"]) == ([], True, [])
        mine = ana.get(url).json()
        assert (mine["may_decide"], mine["why_not"]["code"], mine["decisions"]) == (False, "E311", [])
        other = vera.get(url).json()
        assert (other["may_decide"], other["why_not"]["code"]) == (False, "E312")
        decide = f"/api/v1/approvals/{waiting['approval_id']}/decide"
        assert bob.post(decide, json={"kind": "reject", "rationale": "too much"}).status_code == 200
        assert bob.get(url).json()["why_not"]["code"] == "E405"
        (again,) = asked(ana, bob, until, [7])
        (before,) = bob.get(f"/api/v1/approvals/{again['approval_id']}/context").json()["earlier"]
        assert (before["status"], before["by"], before["rationale"]) == ("rejected", "bob", "too much")
        assert before["same_arguments"] is True
    with site.client("zoe") as zoe:
        assert zoe.get(url).status_code == 404


def test_only_what_is_identical_is_decided_together(site, until):
    """409 and nothing decided for anything else; an outcome for each, and sending it again changes nothing."""
    with site.client("ana") as ana, site.client("bob") as bob:
        waiting = asked(ana, bob, until, [5, 5, 5, 6])
        like = [a["approval_id"] for a in waiting if a["arguments"] == {"amount": 5}]
        other = next(a["approval_id"] for a in waiting if a["arguments"] == {"amount": 6})
        about = bob.get(f"/api/v1/approvals/{like[0]}/context").json()
        assert sorted(about["identical"]) == sorted(like[1:])
        url = "/api/v1/approvals/decide"
        mixed = bob.post(url, json={"approval_ids": [*like, other], "kind": "approve"})
        assert (mixed.status_code, mixed.json()["code"]) == (409, "E1024")
        counts = {c["status"]: c["count"] for c in bob.get("/api/v1/approvals/counts").json()["items"]}
        assert (counts["pending"], counts["approved"]) == (4, 0)
        ask = {"approval_ids": like, "kind": "approve", "rationale": "all three", "decision_id": "once"}
        done = bob.post(url, json=ask).json()["items"]
        assert [(o["approval_id"], o["approval"]["status"], o["problem"]) for o in done] == [
            (each, "approved", None) for each in like
        ]
        assert bob.post(url, json=ask).json()["items"] == done
        del ask["decision_id"]
        late = bob.post(url, json=ask).json()["items"]
        assert [o["problem"]["code"] for o in late] == ["E405"] * 3
        assert ana.post(url, json=ask).status_code == 403
        assert bob.post(url, json={**ask, "kind": "constrain"}).status_code == 422
        assert bob.post(url, json={**ask, "approval_ids": []}).status_code == 422
        counts = {
            c["status"]: (c["count"], c["more"]) for c in bob.get("/api/v1/approvals/counts").json()["items"]
        }
        assert (counts["pending"], counts["approved"]) == ((1, False), (3, False))


def test_what_wants_a_decision_comes_by_deadline(site, until):
    """Those that were asked about, too; page after page."""
    with site.client("ana") as ana, site.client("bob") as bob:
        waiting = asked(ana, bob, until, [1, 2, 3])
        assert [a["expires_ts"] for a in waiting] == sorted(a["expires_ts"] for a in waiting)
        first = waiting[0]["approval_id"]
        question = {"kind": "request_info", "rationale": "for whom?"}
        assert bob.post(f"/api/v1/approvals/{first}/decide", json=question).status_code == 200
        seen, cursor = [], None
        while True:
            params = {"status": "open", "limit": 2, **({"cursor": cursor} if cursor else {})}
            page = bob.get("/api/v1/approvals", params=params).json()
            seen += [a["approval_id"] for a in page["items"]]
            cursor = page["cursor"]
            if cursor is None:
                break
        assert seen == [a["approval_id"] for a in waiting]
        about = bob.get(f"/api/v1/approvals/{first}/context").json()
        assert (about["approval"]["status"], about["may_decide"]) == ("info_requested", True)


@pytest.mark.parametrize("name", ["ana", "vera"])
def test_deciding_needs_the_scope(shared, name):
    """Before anything is looked up."""
    with shared.client(name) as client:
        body = {"approval_ids": ["apr_1"], "kind": "approve"}
        assert client.post("/api/v1/approvals/decide", json=body).status_code == 403
