"""Start a fake bank, charge it, and count from its ledger. Standard library only, mypy strict.

`running_bank` is for the supervisor; `charge` is what a tool under test calls, at least once, in whatever process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

SERVER = Path(__file__).with_name("fake_bank.py")
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Counts:
    """Effects by the ledger alone: `doubled` are entries beyond the first of a reference, `lost` were never made."""

    made: int
    doubled: int
    lost: int


@contextmanager
def running_bank(ledger: Path, *options: str) -> Iterator[str]:
    """A bank process started with `options` (`--keyed`, `--delay-ms=5` ...) on a free port; yields its URL."""
    command = [sys.executable, str(SERVER), "--port=0", f"--ledger={ledger}", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield str(json.loads(process.stdout.readline())["url"])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def charge(url: str, ref: str, key: str, amount: int = 100, account: str = "acme") -> dict[str, Any]:
    """Charge `account` once more; the bank's entry. HTTPError for a refusal."""
    body = json.dumps({"account": account, "amount": amount, "ref": ref}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    return _json(Request(f"{url}/charge", data=body, headers=headers))


def entries(url: str) -> list[dict[str, Any]]:
    """Every entry of the ledger, oldest first."""
    return list(_json(Request(f"{url}/ledger"))["charges"])


def count(made: Iterable[Mapping[str, Any]], expected: Iterable[str]) -> Counts:
    """Compare the ledger's entries with the references that should each be there exactly once."""
    times = Counter(str(entry["ref"]) for entry in made)
    wanted = list(expected)
    doubled = sum(times[ref] - 1 for ref in wanted if times[ref] > 1)
    return Counts(sum(times[ref] for ref in wanted), doubled, sum(not times[ref] for ref in wanted))


def _json(request: Request) -> dict[str, Any]:
    with urlopen(request, timeout=TIMEOUT_SECONDS) as response:
        answer: dict[str, Any] = json.load(response)
    return answer
