"""Our patterns and those of an EventBridge emulator say the same."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from tests.core.test_pattern import CASES, EVENT

EMULATOR = os.environ.get("REMIT_TEST_MINISTACK", "")
NAMES = {"data": "detail", "type": "detail-type"}
DIFFERS = [{"data": {"total": [120.0]}}]
"""The emulator takes 120 for 120.0; EventBridge's guide says that it compares numbers as they are written."""


def renamed(pattern: dict[str, Any]) -> dict[str, Any]:
    """A pattern about an event as EventBridge wraps it."""
    return {
        NAMES.get(name, name): [renamed(one) for one in wanted] if name == "$or" else wanted
        for name, wanted in pattern.items()
    }


@pytest.mark.service
@pytest.mark.skipif(not EMULATOR, reason="REMIT_TEST_MINISTACK names no emulator to compare with")
def test_patterns_match_as_the_emulator_says() -> None:
    """Every case of the table, but those that are known to differ."""
    boto3 = pytest.importorskip("boto3")
    client = boto3.client(
        "events",
        endpoint_url=EMULATOR,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    event = {
        "id": "1",
        "account": "000000000000",
        "time": "2026-01-01T00:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "source": EVENT["source"],
        "detail-type": EVENT["type"],
        "detail": EVENT["data"],
    }
    differ = []
    for pattern, expected in CASES:
        asked = {"EventPattern": json.dumps(renamed(pattern)), "Event": json.dumps(event)}
        if client.test_event_pattern(**asked)["Result"] is not expected:
            differ.append(pattern)
    assert differ == DIFFERS
