"""The suite in the environments of the frameworks, which do not install beside what Remit is developed with."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CI = os.environ.get("CI") == "true"
INSIDE = importlib.util.find_spec("langgraph") is not None or importlib.util.find_spec("crewai") is not None


@pytest.mark.slow
@pytest.mark.service
@pytest.mark.skipif(INSIDE, reason="this is one of the environments")
@pytest.mark.skipif(not CI, reason="installs frameworks; run scripts/ci/frameworks.sh")
@pytest.mark.parametrize("lock", ["together", pytest.param("crewai", marks=pytest.mark.nightly)])
def test_the_suite_holds_for_every_framework(lock: str) -> None:
    """Every case holds for every framework of the lock. CrewAI, with its 150 packages, has its turn by night."""
    done = subprocess.run(
        [ROOT / "scripts" / "ci" / "frameworks.sh", lock], capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
