"""A process that is killed in the middle of a change at a platform: the next one does not double it, and does not lose it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.packs.platforms.calling import SECRETS, STANDINS, caller, connection
from tests.packs.platforms.standins.base import serving
from tests.packs.platforms.standins.github import REPO
from tests.packs.platforms.standins.slack import CHANNEL

from remit.engine.runs import root_run_id
from remit.testing import FakeClock, app_for_tests

VICTIM = Path(__file__).with_name("victim.py")
PULL = {"repo": REPO, "title": "Fix", "branch": "fix", "files": [{"path": "a", "content": "b"}]}
CHANGES: dict[str, tuple[dict[str, Any], Callable[[Any], int]]] = {
    "github_create_issue": ({"repo": REPO, "title": "Broken"}, lambda t: len(t.issues)),
    "slack_post_message": ({"channel": CHANNEL, "text": "Done."}, lambda t: len(t.messages)),
    "jira_create_issue": ({"project": "SHOP", "summary": "Broken"}, lambda t: len(t.issues)),
    "servicenow_create_incident": ({"short_description": "Broken"}, lambda t: len(t.tables["incident"])),
    "github_open_pull_request": (PULL, lambda t: len(t.pulls)),
}
EVERYDAY = [
    ("github_create_issue", "before"),
    ("slack_post_message", "after"),
    ("jira_create_issue", "after"),
    ("servicenow_create_incident", "after"),
]
CASES = [
    pytest.param(tool, side, marks=() if (tool, side) in EVERYDAY else pytest.mark.nightly)
    for tool in CHANGES
    for side in ("before", "after")
]


@pytest.mark.slow
@pytest.mark.parametrize(("tool", "side"), CASES)
async def test_a_kill_beside_a_change_neither_doubles_nor_loses_it(
    tool: str, side: str, tmp_path: Path
) -> None:
    """SIGKILL before it is sent, and after it was done and before that is written down; nobody need be asked."""
    platform = tool.partition("_")[0]
    given, count = CHANGES[tool]
    with serving(STANDINS[platform]()) as there:
        there.now_s = time.time
        asked = [platform, there.base, str(tmp_path), f"{side}:effect:{tool}", tool, json.dumps(given)]
        given_secrets = json.dumps(SECRETS).encode()
        died = subprocess.run(
            [sys.executable, VICTIM, *asked],
            input=given_secrets,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert died.returncode == -signal.SIGKILL, died.stderr.decode()
        assert count(there) == (side == "after")
        later = FakeClock(round(time.time() * 1000) + 600_000)
        there.now_s = lambda: later.now() / 1000
        async with app_for_tests(
            caller(tool, given),
            home=tmp_path,
            store=f"sqlite:///{tmp_path}/remit.db",
            clock=later,
            connections={platform: connection(there)},
            secrets=SECRETS,
        ) as app:
            run_id = root_run_id("local", "t1")
            await app.worker.run_until_idle(run_id)
            result = await app.runs.result(run_id, "local")
        assert count(there) == 1
        assert result is not None
        assert result.result_payload["platform"] == platform
        assert result.result_payload["id"]
