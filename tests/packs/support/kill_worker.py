"""Drive the `twice` story in a process of its own; with a fault it kills itself at the named point."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from remit.bootstrap import open_app
from remit.core.task import Task
from remit.settings import load
from remit_packs.support import open_shop, pack_of
from remit_packs.support.demo import Story
from remit_packs.support.shop import SMALL


async def main(home: Path, fault: str) -> None:
    settings = msgspec.structs.replace(load({}, directory=home, home=str(home)), fault=fault, lease_ttl_s=0.2)
    shop = open_shop(home, SMALL)
    story = msgspec.json.decode((home / "story.json").read_bytes(), type=Story)
    async with open_app(settings, packs=[pack_of(shop)]) as app:
        task = Task(task_id="the-one", agent="supervisor", objective=story.message)
        run_id = await app.runs.submit(task)
        while (result := await app.runs.result(run_id, "local")) is None:
            await app.worker.run_until_idle()
            await asyncio.sleep(0.05)
    (home / "answer.txt").write_text(f"{result.status}\n{result.result_payload}")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
