"""Schedules and notifiers over HTTP."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from remit.core.validation import ValidationRun

API = "/api/v1"


@pytest.fixture
def adam(shared: Any) -> Any:
    """acme's administrator."""
    with shared.client("adam") as client:
        yield client


def test_a_schedule_is_added_changed_paused_fired_and_forgotten(adam: Any, until: Any) -> None:
    """It is what its last change says; fired, a run of the agent starts as whoever asked."""
    at = f"{API}/schedules/nightly"
    body = {"expression": "daily at 06:30 Europe/Berlin", "agent": "echo", "input": {"n": 1}}
    made = adam.put(at, json=body)
    assert (made.status_code, made.json()["author"], made.json()["state"]) == (200, "adam", "enabled")
    assert adam.post(f"{at}/pause").json()["state"] == "paused"
    fired = adam.post(f"{at}/fire")
    assert fired.status_code == 202
    run = adam.get(fired.headers["location"]).json()
    assert (run["task"]["input"], run["task"]["actor_context"]["actor_id"]) == ({"n": 1}, "adam")
    assert adam.post(f"{at}/resume").json()["state"] == "enabled"
    assert [s["schedule_id"] for s in adam.get(f"{API}/schedules").json()["items"]].count("nightly") == 1
    assert adam.delete(at).status_code == 204
    assert adam.get(at).status_code == 404


def test_a_schedule_that_comes_is_started_by_the_server(shared: Any, adam: Any, until: Any) -> None:
    """`remit up` runs what is due by itself, as `scheduler`."""
    adam.put(f"{API}/schedules/soon", json={"expression": "every minute", "agent": "echo"}).raise_for_status()
    entry = shared.run(shared.app.schedules.get("acme", "soon"))
    from msgspec.structs import replace

    due = replace(entry, next_ts=shared.app.clock.now() // 60_000 * 60_000)
    assert shared.run(shared.app.schedules.swap(entry, due))
    run_id = until(lambda: adam.get(f"{API}/schedules/soon").json()["last_run"])
    assert adam.get(f"{API}/runs/{run_id}").json()["task"]["actor_context"]["via"] == "scheduler"
    adam.delete(f"{API}/schedules/soon").raise_for_status()


def test_an_editor_may_not_have_started_what_it_may_not_start(shared: Any, adam: Any) -> None:
    """A schedule starts runs of any agent, so adding or changing one takes the right to run besides that to edit."""
    body = {"expression": "hourly", "agent": "echo"}
    for roles, status in ((("editor",), 403), (("operator",), 403), (("editor", "operator"), 200)):
        key = shared.run(shared.app.keys.create("acme", "+".join(roles), roles)).secret
        said = adam.put(f"{API}/schedules/rights", json=body, headers={"Authorization": f"Bearer {key}"})
        assert said.status_code == status, roles
    adam.delete(f"{API}/schedules/rights").raise_for_status()


def test_what_is_no_schedule_is_refused(adam: Any) -> None:
    """422 that says what is wrong."""
    said = adam.put(f"{API}/schedules/x", json={"expression": "every 7 minutes", "agent": "echo"})
    assert (said.status_code, said.json()["code"]) == (422, "E614")


def test_an_agent_that_there_is_not_is_refused(adam: Any) -> None:
    """A schedule or a rule for it would fail only when it comes."""
    said = adam.put(f"{API}/schedules/x", json={"expression": "daily", "agent": "eccho"})
    assert (said.status_code, said.json()["code"], "`echo`" in said.json()["help"]) == (422, "E1110", True)
    body = {"spec": {"pattern": {"type": ["a"]}, "target": "eccho"}, "reason": "new"}
    said = adam.put(f"{API}/definitions/rule/x", json=body)
    assert (said.status_code, said.json()["code"]) == (422, "E1110")
    assert adam.get(f"{API}/rules/x").status_code == 404


def test_the_schedule_of_a_rule_has_a_slash_in_its_id(adam: Any) -> None:
    """It is found under its id, written as it is or with `%2F`; it is paused, and not removed."""
    adam.put(f"{API}/tables/ts", json={"location": "ts.csv", "reason": "new"}).raise_for_status()
    rule = {
        "table_id": "ts",
        "validation_type": "row_counts",
        "parameters": {"source_table": "ts"},
        "reason": "r",
    }
    adam.post(
        f"{API}/validations", json={"config_id": "ts-1", "schedule": "*/15 * * * *", **rule}
    ).raise_for_status()
    for written in ("validation/ts/*/15 * * * *", quote("validation/ts/*/15 * * * *", safe="")):
        shown = adam.get(f"{API}/schedules/{written}")
        assert (shown.status_code, shown.json()["expression"]) == (200, "*/15 * * * *")
    assert adam.post(f"{API}/schedules/validation/ts/*/15 * * * */pause").json()["state"] == "paused"
    said = adam.delete(f"{API}/schedules/validation/ts/*/15 * * * *")
    assert (said.status_code, said.json()["code"]) == (422, "E616")


def test_a_notifier_is_added_muted_and_forgotten(shared: Any, adam: Any) -> None:
    """What it is told can be looked up, also when it is gone."""
    at = f"{API}/notifiers/team"
    made = adam.put(at, json={"channel": "webhook", "target": "http://127.0.0.1:1/", "tables": ["tn"]})
    assert (made.status_code, made.json()["on"]) == (200, ["failure", "error", "recovery"])
    run = ValidationRun("tn-run", "tn", "tn-1", 1, "row_counts", "FAILED", {}, "api", 5)
    shared.run(shared.app.validation_runs.record("acme", run))
    (planned,) = shared.run(shared.app.notifications.plan("acme", ["tn-run"]))
    shown = adam.get(f"{API}/notifications/{planned['notification_id']}").json()
    assert (shown["subject"], shown["status"]) == ("[FAILED] tn: 1 rule failed", "pending")
    pending = adam.get(f"{API}/notifications", params={"status": "pending"}).json()["items"]
    assert planned["notification_id"] in [n["notification_id"] for n in pending]
    assert adam.post(f"{at}/mute", json={"seconds": 60}).json()["muted_until"] > 0
    assert adam.post(f"{at}/mute", json={"seconds": 0}).json()["muted_until"] == 0
    assert adam.delete(at).status_code == 204
    assert adam.get(at).status_code == 404
    assert adam.get(f"{API}/notifications/{planned['notification_id']}").status_code == 200


def test_a_notifier_never_holds_a_password(adam: Any) -> None:
    """Slack's URL and a URL's password are refused, and not repeated."""
    for channel, target in (
        ("slack", "https://hooks.slack.com/geheim"),
        ("webhook", "https://u:geheim@x.example/"),
    ):
        said = adam.put(f"{API}/notifiers/bad", json={"channel": channel, "target": target})
        assert (said.status_code, said.json()["code"]) == (422, "E624")
