"""Remit's console over a world: a run of very many steps, the list of very many runs, the queue of very many approvals."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import BrowserContext, Locator, Page

from benchmarks.console.browsing import Looked, Measured, browser, look, medians
from benchmarks.console.world import LONG_RUN

ROOT = Path(__file__).resolve().parents[2]


def measure(world: Path, steps: int, looks: int) -> dict[str, Measured]:
    """Each page, with a server that has just been started for the first look at it."""
    return {
        "first lines of the run": _each(world, looks, f"/#/runs/{LONG_RUN}", _lines),
        "run": _each(
            world,
            looks,
            f"/#/runs/{LONG_RUN}",
            lambda page: _whole(page, steps),
            lambda page: _last(page, steps),
        ),
        "runs": _each(world, looks, "/#/runs", _listed("runs")),
        "approvals": _each(world, looks, "/#/approvals", _queue),
    }


def _each(world: Path, looks: int, route: str, first, end=None) -> Measured:  # type: ignore[no-untyped-def]
    made: list[Looked] = []
    for _ in range(looks):
        with serving(world) as (url, key):

            def ready(context: BrowserContext, url: str = url, key: str = key) -> None:
                answer = context.request.post(
                    f"{url}/api/v1/session", data={"key": key}, headers={"Origin": url}
                )
                assert answer.ok, answer.text()

            with browser(ready) as page:
                made.append(look(page(), url + route, first, end))
    return medians(made)


def _lines(page: Page) -> Locator:
    """The first lines of the waterfall."""
    return page.get_by_role("region", name="Steps in time").get_by_role("listitem").first


def _whole(page: Page, steps: int) -> Locator:
    """How many steps there are in all: told when the whole journal has been read."""
    return page.get_by_text(re.compile(rf"^{steps:,} steps"))


def _last(page: Page, steps: int) -> Locator:
    """The last step, gone to by its key."""
    page.get_by_role("region", name="Steps in time").focus()
    page.keyboard.press("G")
    return page.get_by_role("button", name=f"m{steps // 2 - 1}.0")


def _listed(name: str):  # type: ignore[no-untyped-def]
    def row(page: Page) -> Locator:
        return page.get_by_role("table", name=name, exact=True).locator("tbody tr").first

    return row


def _queue(page: Page) -> Locator:
    return page.get_by_role("main").get_by_text("refund").first


@contextmanager
def serving(world: Path) -> Iterator[tuple[str, str]]:
    """A server over the world: its address and a key."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.console.serving", str(world), str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{port}"
    try:
        assert process.stdout is not None
        key = process.stdout.readline().strip()
        _answers(f"{url}/health")
        yield url, key
    finally:
        process.terminate()
        process.wait(30)


def _answers(url: str) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
