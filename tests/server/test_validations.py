"""Tables, types, rules, the run log and scorecards over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core.validation import ValidationRun

API = "/api/v1"


@pytest.fixture
def adam(shared: Any) -> Any:
    """acme's administrator."""
    with shared.client("adam") as client:
        yield client


def table(client: Any, table_id: str, **fields: Any) -> Any:
    return client.put(
        f"{API}/tables/{table_id}", json={"location": f"{table_id}.parquet", "reason": "new", **fields}
    )


def rule(table_id: str, **fields: Any) -> dict[str, Any]:
    given = {"source_table": table_id, **fields.pop("parameters", {})}
    return {
        "table_id": table_id,
        "validation_type": "row_counts",
        "parameters": given,
        "reason": "r",
        **fields,
    }


def create(client: Any, config_id: str, table_id: str, **fields: Any) -> Any:
    return client.post(f"{API}/validations", json={"config_id": config_id, **rule(table_id, **fields)})


def test_a_table_is_registered_changed_and_forgotten(adam: Any) -> None:
    """201, then 200, 409 while a rule needs it, 204, then 404; the same again changes nothing."""
    made = table(adam, "t1", owner="ana")
    assert (made.status_code, made.headers["location"]) == (201, f"{API}/tables/t1")
    assert (made.json()["source"], made.json()["format"]) == ("file", "parquet")
    assert table(adam, "t1", owner="bob").status_code == 200
    assert adam.get(f"{API}/tables/t1").json()["owner"] == "bob"
    create(adam, "t1-rule", "t1").raise_for_status()
    gone = {"reason": "gone"}
    refused = adam.delete(f"{API}/tables/t1", params=gone)
    assert (refused.status_code, refused.json()["code"]) == (409, "E542")
    assert "`t1-rule`" in refused.json()["detail"]
    adam.delete(f"{API}/validations/t1-rule", params={"reason": "done"}).raise_for_status()
    assert adam.delete(f"{API}/tables/t1").status_code == 422, "a change needs a reason"
    assert adam.delete(f"{API}/tables/t1", params=gone).status_code == 204
    assert adam.get(f"{API}/tables/t1").status_code == 404
    page = adam.get(f"{API}/tables/t1/changes", params={"limit": 2}).json()
    assert [(c["action"], c["author"], c["reason"]) for c in page["items"]] == [
        ("remove", "adam", "gone"),
        ("edit", "adam", "new"),
    ]
    assert (page["items"][1]["before"]["owner"], page["items"][1]["after"]["owner"]) == ("ana", "bob")
    rest = adam.get(f"{API}/tables/t1/changes", params={"cursor": page["cursor"]}).json()
    assert ([c["action"] for c in rest["items"]], rest["cursor"]) == (["create"], None)
    assert adam.get(f"{API}/tables/never/changes").status_code == 404


def test_a_table_never_holds_a_password(adam: Any) -> None:
    """It is refused by name of the field, and the password is not repeated."""
    said = table(adam, "t2", location="postgresql://u:hunter2@db/x")
    assert (said.status_code, said.json()["code"]) == (422, "E532")
    assert "hunter2" not in said.text


def test_a_rule_has_versions_and_an_audit_trail(adam: Any) -> None:
    """Create, edit, roll back, switch, delete: each is a change by the key's owner."""
    table(adam, "t3").raise_for_status()
    made = create(adam, "c3", "t3", schedule="daily", comment="first")
    assert (made.status_code, made.json()["version"], made.json()["change_author"]) == (201, 1, "adam")
    assert create(adam, "c3", "t3").status_code == 409
    at = f"{API}/validations/c3"
    edited = adam.put(at, json=rule("t3", parameters={"threshold_percent": 2}, expect_version=1))
    assert (edited.status_code, edited.json()["version"]) == (200, 2)
    late = adam.put(at, json=rule("t3", expect_version=1))
    assert late.status_code == 409
    assert "`adam`" in late.json()["detail"]
    places = adam.get(f"{at}/diff", params={"a": 1, "b": 2}).json()["items"]
    assert {p["path"] for p in places} == {"/parameters/threshold_percent", "/schedule"}
    adam.post(f"{at}/rollback", json={"version": 1, "reason": "back"}).raise_for_status()
    assert adam.get(at).json()["version"] == 1
    assert adam.post(f"{at}/disable", json={"reason": "quiet"}).json()["enabled"] is False
    assert adam.post(f"{at}/enable", json={"reason": "loud"}).json()["enabled"] is True
    assert adam.delete(at).status_code == 422
    assert adam.delete(at, params={"reason": "done"}).json()["status"] == "archived"
    assert adam.get(at).status_code == 404
    assert adam.get(at, params={"version": 2}).json()["status"] == "archived"
    assert [v["version"] for v in adam.get(f"{at}/versions").json()["items"]] == [2, 1]
    trail = [c["action"] for c in adam.get(f"{at}/changes").json()["items"]]
    assert trail == ["archive", "enable", "disable", "rollback", "edit", "create"]


def test_a_draft_waits_to_be_promoted(adam: Any) -> None:
    """It is listed as a draft, and active only afterwards."""
    table(adam, "t4").raise_for_status()
    assert create(adam, "c4", "t4", draft=True).json()["status"] == "draft"
    listed = adam.get(f"{API}/validations", params={"table_id": "t4", "status": "draft"}).json()["items"]
    assert [r["config_id"] for r in listed] == ["c4"]
    assert adam.get(f"{API}/validations/c4").status_code == 404
    adam.post(f"{API}/validations/c4/promote", json={"version": 1, "reason": "good"}).raise_for_status()
    second = adam.post(f"{API}/validations/c4/drafts", json=rule("t4", parameters={"threshold_percent": 1}))
    assert (second.status_code, second.json()["version"], second.json()["status"]) == (201, 2, "draft")
    assert adam.get(f"{API}/validations/c4").json()["version"] == 1


def test_every_mistake_in_a_rule_is_said_at_once(adam: Any) -> None:
    """Unknown tables, parameters that do not fit, and a schedule that means nothing."""
    said = create(adam, "c5", "nowhere", parameters={"threshold_percent": "x"}, schedule="sometimes")
    assert (said.status_code, said.json()["code"]) == (422, "E540")
    for part in ("`nowhere`", "threshold_percent", "schedule"):
        assert part in said.json()["detail"]


def test_what_is_due_is_asked_by_schedule(adam: Any) -> None:
    """V7: enabled rules with this schedule, of the key's tenant."""
    table(adam, "t6", schedule="every 6 hours").raise_for_status()
    create(adam, "c6", "t6").raise_for_status()
    create(adam, "c6-own", "t6", schedule="weekly on sunday").raise_for_status()

    def due(expression: str) -> list[str]:
        found = adam.get(f"{API}/validations", params={"due": expression}).json()["items"]
        return [r["config_id"] for r in found]

    assert due("every 6 hours") == ["c6"]
    assert due("weekly on sunday") == ["c6-own"]
    assert adam.get(f"{API}/validations", params={"due": "daily", "table_id": "t6"}).status_code == 422


@pytest.mark.parametrize("subject", ["table", "rule"])
def test_a_validation_is_started_once_for_a_request(shared: Any, adam: Any, until: Any, subject: str) -> None:
    """202 with the run; the same `request_id` is the same run; what was asked stands in its task."""
    table(adam, "t7").raise_for_status()
    create(adam, "c7", "t7")
    path = f"{API}/tables/t7/validate" if subject == "table" else f"{API}/validations/c7/run"
    with shared.client("ana") as ana:
        first = ana.post(path, json={"request_id": f"once-{subject}"})
        again = ana.post(path, json={"request_id": f"once-{subject}"})
        other = ana.post(path)
        assert [a.status_code for a in (first, again, other)] == [202, 202, 202]
        assert first.json()["run_id"] == again.json()["run_id"] != other.json()["run_id"]
        run = until(lambda: (v := ana.get(first.headers["location"]).json())["status"] == "success" and v)
        asked = {"table_id": "t7"} if subject == "table" else {"config_id": "c7"}
        assert run["result"]["result_payload"] == {"checked": {**asked, "triggered_by": "api"}}
        assert run["task"]["policy_profile"] == "validation"
        assert ana.post(f"{API}/tables/unknown/validate").status_code == 404
        assert ana.post(f"{API}/validations/unknown/run").status_code == 404
    with shared.client("vera") as vera:
        assert vera.post(path).status_code == 403


def test_the_run_log_and_the_scorecard(shared: Any, adam: Any) -> None:
    """Runs by table and by rule, newest first and paged; a scorecard by table and by owner."""
    table(adam, "t8", owner="olga").raise_for_status()
    create(adam, "c8", "t8").raise_for_status()
    now = shared.app.clock.now()
    for i, verdict in enumerate(["PASSED", "FAILED", "ERROR", "FAILED"]):
        line = ValidationRun(
            f"t8-{i}",
            "t8",
            "c8",
            1,
            "row_counts",
            verdict,
            {"n": i},
            "api",
            now - 1000 + i,  # type: ignore[arg-type]
        )
        assert shared.run(shared.app.validation_runs.record("acme", line))
    first = adam.get(f"{API}/validation-runs", params={"table_id": "t8", "limit": 3}).json()
    assert [r["run_id"] for r in first["items"]] == ["t8-3", "t8-2", "t8-1"]
    rest = {"table_id": "t8", "limit": 3, "cursor": first["cursor"]}
    assert [r["run_id"] for r in adam.get(f"{API}/validation-runs", params=rest).json()["items"]] == ["t8-0"]
    assert len(adam.get(f"{API}/validation-runs", params={"config_id": "c8"}).json()["items"]) == 4
    assert adam.get(f"{API}/validation-runs/t8-2").json()["details"] == {"n": 2}
    (score,) = adam.get(f"{API}/scorecards/tables/t8").json()["tables"]
    assert (score["runs"], score["pass_rate"], score["failing"]) == (4, 25.0, ["c8"])
    card = adam.get(f"{API}/scorecards/owners/olga").json()
    assert [(s["subject"], s["runs"]) for s in card["owners"]] == [("olga", 4)]
    assert adam.get(f"{API}/scorecards", params={"days": 0}).status_code == 422


def test_a_type_of_ones_own_is_run_by_an_agent_that_exists(adam: Any) -> None:
    """It is written, used by a rule, and cannot be forgotten until that rule is gone; a built-in one stays."""
    at = f"{API}/validation-types/own9"
    body = {"description": "Ours.", "agent": "counting", "parameters": {"type": "object"}, "reason": "new"}
    assert adam.put(at, json={**body, "agent": "nobody"}).status_code == 422
    assert adam.put(at, json=body).status_code == 201
    assert adam.put(at, json=body).status_code == 200
    table(adam, "t9").raise_for_status()
    made = create(adam, "c9", "t9", validation_type="own9")
    assert made.status_code == 201, made.text
    gone = {"reason": "gone"}
    assert adam.delete(at, params=gone).status_code == 409
    adam.delete(f"{API}/validations/c9", params={"reason": "done"}).raise_for_status()
    assert adam.delete(at, params=gone).status_code == 204
    assert [c["action"] for c in adam.get(f"{at}/changes").json()["items"]] == ["remove", "create"]
    assert adam.get(f"{API}/validation-types/row_counts/changes").json()["items"] == []
    assert adam.delete(f"{API}/validation-types/row_counts", params=gone).status_code == 422
