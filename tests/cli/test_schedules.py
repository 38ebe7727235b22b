"""Schedules and notifiers from a terminal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.adapters.notify.servers import web_server

from remit.cli.notifiers import seconds
from remit.core.errors import InputError


def test_a_schedule_is_added_paused_resumed_and_forgotten(project: Path, remit) -> None:
    """Each verb says what it did; a table and one JSON document show what there is."""
    made = remit(
        "schedules", "add", "nightly", "daily at 06:30 Europe/Berlin", "hello", "--input", '{"n": 1}'
    )
    assert made.code == 0, made.err
    assert "06:30 Europe/Berlin" in made.out
    assert remit("schedules", "pause", "nightly").code == 0
    assert "paused" in remit("schedules", "list").out
    assert "goes on at" in remit("schedules", "resume", "nightly").err
    shown = json.loads(remit("schedules", "show", "nightly", "--json").out)
    assert (shown["input"], shown["author"], shown["catch_up"]) == ({"n": 1}, "local", "latest")
    assert len(json.loads(remit("schedules", "list", "--json").out)["items"]) == 1
    assert remit("schedules", "remove", "nightly").code == 0
    assert remit("schedules", "show", "nightly").code == 2


def test_a_schedule_is_started_by_hand_and_by_a_worker(project: Path, remit) -> None:
    """`fire` submits a run; `worker --until-idle` looks at the schedules, so that cron itself may drive it."""
    (project / "app.py").write_text(
        "from remit import agent\n\n@agent\nasync def hello(input):\n    '''Greets.'''\n    return 'hi'\n"
    )
    (project / "remit.toml").write_text('app = "app.py"\n')
    assert remit("schedules", "add", "often", "every minute", "hello").code == 0
    run_id = remit("schedules", "fire", "often").out.strip()
    assert remit("worker", "--until-idle").code == 0
    assert json.loads(remit("runs", "show", run_id, "--json").out)["status"] == "success"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "x", "every 7 minutes", "hello"), "E614"),
        (("add", "a/b", "daily", "hello"), "E530"),
        (("add", "x", "daily", "hello", "--input", "{"), "E623"),
        (("add", "x", "daily", "hello", "--catch-up", "some"), "E102"),
        (("pause", "nobody"), "E104"),
    ],
)
def test_what_a_schedule_refuses(project: Path, remit, arguments: tuple[str, ...], code: str) -> None:
    """Exit code 2 and one sentence."""
    said = remit("schedules", *arguments)
    assert (said.code, code in said.err) == (2, True), said.err


def test_a_notifier_is_added_tried_muted_and_forgotten(project: Path, remit) -> None:
    """A test message arrives at once; what was sent can be listed."""
    with web_server() as web:
        made = remit("notifiers", "add", "ops", "webhook", web.url, "--table", "orders", "--on", "failure")
        assert made.code == 0, made.err
        tried = remit("notifiers", "test", "ops")
        assert (tried.code, "HTTP 200" in tried.err) == (0, True), tried.err
        assert web.requests[0].json["type"] == "dev.remit.notifier.test"
    assert "[TEST] notifier ops works" in remit("notifiers", "sent").out
    assert remit("notifiers", "test", "ops").code == 1
    assert "failed" in remit("notifiers", "sent", "--status", "failed").out
    assert remit("notifiers", "mute", "ops", "--for", "2h").code == 0
    assert "muted" in remit("notifiers", "list").out
    assert remit("notifiers", "unmute", "ops").code == 0
    shown = json.loads(remit("notifiers", "show", "ops", "--json").out)
    assert (shown["tables"], shown["on"], shown["muted_until"]) == (["orders"], ["failure"], 0)
    assert remit("notifiers", "remove", "ops").code == 0


def test_a_slack_url_is_never_written_down(project: Path, remit) -> None:
    """It is refused, and the help says how to name it."""
    said = remit("notifiers", "add", "team", "slack", "https://hooks.slack.com/services/T/B/x")
    assert said.code == 2
    assert "${secret:slack_url}" in said.err
    assert remit("notifiers", "add", "team", "slack", "${secret:slack_url}").code == 0


def test_lengths_of_time() -> None:
    """Seconds, or a number with s, m, h or d."""
    assert [seconds(t) for t in ("90", "90s", "30m", "2h", "3d", "0")] == [90, 90, 1800, 7200, 259_200, 0]
    for wrong in ("", "h", "-1h", "1.5h", "1w", "9" * 20):
        with pytest.raises(InputError):
            seconds(wrong)
