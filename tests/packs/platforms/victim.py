"""A process that makes one call at a platform, and is killed at a named point.

`victim.py PLATFORM BASE HOME POINT TOOL ARGUMENTS`, with its secrets as JSON on standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from tests.packs.platforms.calling import STANDINS, caller, connection

from remit.adapters.clock.system import SystemClock
from remit.testing import app_for_tests, task


async def main(platform: str, base: str, home: str, point: str, tool: str, given: str) -> None:
    """Run until the end comes."""
    there = STANDINS[platform]()
    there.base = base
    async with app_for_tests(
        caller(tool, json.loads(given)),
        home=Path(home),
        store=f"sqlite:///{home}/remit.db",
        clock=SystemClock(),
        connections={platform: connection(there)},
        secrets=json.load(sys.stdin),
        fault=point,
        lease_ttl_s=1.0,
    ) as app:
        await app.run(task("caller"))


asyncio.run(main(*sys.argv[1:]))
