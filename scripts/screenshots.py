"""Pictures of the console's pages, in light and in dark, over the data that `make run` leaves.

Usage: python scripts/screenshots.py [--out DIR] [--home DIR] [--width PX] [NAME ...]. Without names every page and tab is visited. The
few that the README and docs show are kept in docs/images/ (the default of --out, with --docs); needs Chromium and a built console.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "packs")]

SHOWN = ("home", "run", "approvals", "chat", "quality-table")
"""The pages that README and docs show."""


def main() -> None:
    """Make the data if it is not there, and take the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--home", type=Path, help="a home of `remit demo`; made anew when left out")
    parser.add_argument("--docs", action="store_true", help="only what README and docs show")
    parser.add_argument(
        "--width", type=int, default=1360, help="of the window, in pixels: 390 is a telephone's"
    )
    parser.add_argument("names", nargs="*", help="names of pages, as printed")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="remit-shots-") as made:
        home = chosen.home or Path(made) / "demo"
        if not (home / "remit.db").exists():
            subprocess.run(
                [Path(sys.executable).with_name("remit"), "demo", "--once", "--approve", "--home", str(home)],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        wanted = set(chosen.names) or (set(SHOWN) if chosen.docs else set())
        asyncio.run(_pictures(home, chosen.out, wanted, chosen.width))


async def _pictures(home: Path, out: Path, wanted: set[str], width: int) -> None:
    from msgspec.structs import replace
    from playwright.async_api import async_playwright
    from tests.console.kit import console_of

    from remit.bootstrap import open_app
    from remit.settings import load

    settings = replace(
        load(directory=home, home=str(home)), packs=("support", "validation", "assistant", "team")
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        async with console_of(open_app(settings), browser) as console:
            console.shots = out
            await console.page.set_viewport_size({"width": width, "height": 860})
            for name, route in (await _routes(console)).items():
                if wanted and name not in wanted:
                    continue
                await console.go(route)
                await console.page.wait_for_timeout(
                    900
                )  # charts and graphs are drawn after what they show has come
                await console.shot(name)
                print(f"{name}  {route}")
        await browser.close()


async def _routes(console: Any) -> dict[str, str]:
    """Every page by name, with things of the demo where a page shows one."""

    async def get(path: str) -> Any:
        return json.loads(await (await console.context.request.get(f"{console.url}{path}")).text())

    runs = (await get("/api/v1/runs?agent=supervisor&limit=5"))["items"]
    await _ask(console)
    tables = (await get("/api/v1/tables?limit=5"))["items"]
    rules = (await get("/api/v1/validations?limit=5"))["items"]
    workflows = (await get("/api/v1/workflows?limit=5"))["items"]
    run = f"/runs/{next(run['run_id'] for run in runs if 'charged twice' in run['objective'])}"
    routes = {
        "home": "/",
        "runs": "/runs",
        **_tabs("run", run, "messages", "calls", "approvals", "handoffs", "cost", "artifacts", "audit"),
        "approvals": "/approvals",
        "chat": "/chat",
        "workflows": "/workflows",
        "workflow-import": "/workflows?import=1",
        **_tabs("quality", "/quality", "owners", "rules", "proposals", "runs", "schedules", "notifiers"),
        **_tabs("registry", "/registry", "changes"),
        **_tabs("policies", "/policies", "tools", "test", "log"),
        "cost": "/cost",
        "cost-model": "/cost?by=model",
        **_tabs("settings", "/settings", "keys", "adapters", "about", "theme"),
        "nowhere": "/nowhere",
    }
    if len(runs) > 1:
        routes["compare"] = f"/compare/{runs[0]['run_id']}/{runs[1]['run_id']}"
    if workflows:
        routes |= _tabs("workflow", f"/workflows/{workflows[0]['name']}", "document", "run", "versions")
    if tables:
        routes |= _tabs("quality-table", f"/quality/tables/{tables[0]['table_id']}", "rules", "runs", "edit")
    if rules:
        routes |= _tabs(
            "quality-rule", f"/quality/rules/{rules[0]['config_id']}", "numbers", "versions", "edit"
        )
        at = f"/registry/table_validation/{rules[0]['config_id']}"
        routes |= _tabs("registry-one", at, "versions", "aliases", "changes", "edit")
    return routes


def _tabs(name: str, route: str, *tabs: str) -> dict[str, str]:
    """A page, and it with each of these tabs opened."""
    return {name: route} | {f"{name}-{tab}": f"{route}?tab={tab}" for tab in tabs}


async def _ask(console: Any) -> None:
    """A refund that nobody has decided yet, so that there is an approval to show."""
    from tests.console.kit import leaking

    from remit.core.naming import LOCAL
    from remit.core.task import Actor, Task

    _, message = leaking(console.app.settings.home)
    run_id = await console.app.runs.submit(
        Task(
            task_id="pictures",
            tenant_id=LOCAL,
            agent="supervisor",
            objective=message,
            actor_context=Actor("mia", ("operator",)),
        )
    )
    async for event in console.app.runs.follow(run_id, LOCAL):
        if event.type in ("RunParked", "RunFinished"):
            break


if __name__ == "__main__":
    main()
