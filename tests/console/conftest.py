"""One browser for each file of tests, and a console over the support pack for tests that need no app of their own."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from tests.console.kit import ROOT, Console, console_of, settings

from remit.bootstrap import open_app
from remit.settings import Settings

CHROMIUM = shutil.which("chromium") or ""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser or a built console these tests skip on a user's machine; in CI they fail."""
    lacking = "" if CHROMIUM else "there is no Chromium"
    if (
        not lacking
        and not (ROOT / "src" / "remit" / "console" / "index.html").exists()
        and "REMIT_CONSOLE_DIR" not in os.environ
    ):
        lacking = "the console is not built: make console"
    if lacking and os.environ.get("CI") != "true":
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=lacking))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, headless."""
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(executable_path=CHROMIUM or "chromium", args=ARGUMENTS)
        yield made
        await made.close()


@pytest_asyncio.fixture(loop_scope="module")
async def console(browser: Browser, tmp_path: Path) -> AsyncIterator[Console]:
    """Whoever runs `remit up` in an empty folder: every pack that comes with Remit, offline rules, an empty store."""
    async with console_of(open_app(Settings(**settings(tmp_path))), browser) as made:
        yield made
