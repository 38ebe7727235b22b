"""Serve a world's console; the first line of output is a key that may do everything.

python -m benchmarks.console.serving FOLDER PORT
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from benchmarks.console.world import app_in
from remit.core.naming import LOCAL
from remit.server.serving import serve


async def main(folder: Path, port: int) -> None:
    """Serve until a signal comes."""
    async with app_in(folder) as app:
        made = await app.keys.create(LOCAL, "ada", ("admin", "approver"))
        sys.stdout.write(f"{made.secret}\n")
        sys.stdout.flush()
        await serve(app, port=port)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
