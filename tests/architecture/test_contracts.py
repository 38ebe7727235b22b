"""The committed contracts are what the code generates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def test_contracts_are_up_to_date():
    """`scripts/contracts.py --check` names every file that differs; here none does."""
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "contracts.py", "--check"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
