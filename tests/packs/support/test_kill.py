"""Killed with SIGKILL around the refund and the move, and started again: each happens once, and the answer is true."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit_packs.support.database import Shop
from remit_packs.support.demo import stories

WORKER = Path(__file__).with_name("kill_worker.py")


def drive(home: Path, fault: str) -> int:
    return subprocess.run([sys.executable, str(WORKER), str(home), fault], timeout=60, check=False).returncode


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        "before:effect:issue_refund",
        "after:effect:issue_refund",
        "after:effect:change_address",
        "after:model#4",
    ],
)
def test_each_effect_happens_once(shop: Shop, query: Any, tmp_path: Path, fault: str) -> None:
    story = stories(shop)[2]
    (tmp_path / "story.json").write_bytes(msgspec.json.encode(story))
    assert drive(tmp_path, fault) == -signal.SIGKILL
    assert drive(tmp_path, "") == 0
    status, _, answer = (tmp_path / "answer.txt").read_text().partition("\n")
    assert status == "success"
    assert query("SELECT order_id, amount_cents FROM refunds") == [(story.order_id, story.refund_cents)]
    assert query("SELECT tool, count(*) FROM effects GROUP BY 1 ORDER BY 1") == [
        ("change_address", 1),
        ("issue_refund", 1),
    ]
    assert "was refunded for order" in answer
    assert story.address in answer
